/* Waits: where the time goes in which a rank's roles have nothing to do. A rank waits from the first poll in which no
 * role had work to the next in which one has; what the coordinator on the same rank works meanwhile is no wait. A wait
 * counts as the stage's for what it found missing: input, or (backpressure) a packet buffer that is still on its way.
 *
 *     atl_waits_t waits;
 *     atl_waits_init(&waits);
 *     if (atl_waits_count(&waits, &poll, &ended)) ...;       after each poll; a wait has ended
 *     atl_waits_get(&waits, now, coordinating, &totals);     at any time
 *
 * Pure arithmetic: every time is an argument, in seconds. All local.
 */
#ifndef ATL_WORKERS_WAITS_H
#define ATL_WORKERS_WAITS_H

#include <stdbool.h>

/* What a stage's step came to. A wait for a buffer: there is work, and every packet buffer is still on its way. */
typedef enum { ATL_DID_WORK, ATL_DID_WAIT_FOR_INPUT, ATL_DID_WAIT_FOR_BUFFER } atl_did_t;

typedef struct {
  double start, end;
  double coordinating; /* what this rank's coordinator has worked so far */
  atl_did_t did;       /* the stage; without one, ATL_DID_WAIT_FOR_INPUT */
  bool has_decoded;
} atl_poll_t;

typedef struct {
  double start, end;
  atl_did_t what; /* for input or for a buffer */
} atl_wait_t;

typedef struct {
  bool is_waiting;
  atl_wait_t current;           /* without its end; while is_waiting */
  double coordinating;          /* when it began */
  double waiting, backpressure; /* of waits that have ended; backpressure is a part of waiting */
  bool has_stepped;             /* the stage has */
  double before;                /* of waiting: before the stage's first step */
  double at_last;               /* waiting when the stage ended its last step */
  double last;                  /* when that was */
} atl_waits_t;

typedef struct {
  double waiting;       /* the wait that goes on included */
  double backpressure;  /* of waiting */
  double before, after; /* of waiting: before the stage's first step, and since its last */
  double last;          /* when its last step ended; 0: none has */
} atl_wait_totals_t;

void atl_waits_init(atl_waits_t *waits);
/* Counts a poll. True when it ended a wait: *ended. */
bool atl_waits_count(atl_waits_t *waits, const atl_poll_t *poll, atl_wait_t *ended);
/* The loop has ended at `now`, and with it a wait, if one goes on. */
bool atl_waits_end(atl_waits_t *waits, double now, double coordinating, atl_wait_t *ended);
void atl_waits_get(const atl_waits_t *waits, double now, double coordinating, atl_wait_totals_t *totals);

#endif
