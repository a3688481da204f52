/* Waits: accounts for the time in which a rank's roles have no work. A wait lasts from the first poll in which no role
 * had work to the next poll in which one has. Time that the coordinator works on the same rank meanwhile does not
 * count. A stage's wait is for input (bubble) or for a free packet buffer (backpressure).
 *
 *     atl_waits_t waits;
 *     atl_waits_init(&waits);
 *     if (atl_waits_count(&waits, &poll, &ended)) ...;       after each poll; true: a wait has ended
 *     atl_waits_get(&waits, now, coordinating, &totals);     at any time
 *
 * Pure arithmetic: all times are arguments, in seconds. All functions are local.
 */
#ifndef ATL_WORKERS_WAITS_H
#define ATL_WORKERS_WAITS_H

#include <stdbool.h>

/* Outcome of a stage's step. WAIT_FOR_BUFFER: there is work, but all packet buffers are still being sent. */
typedef enum { ATL_DID_WORK, ATL_DID_WAIT_FOR_INPUT, ATL_DID_WAIT_FOR_BUFFER } atl_did_t;

typedef struct {
  double start, end;
  double coordinating; /* seconds this rank's coordinator has worked so far */
  atl_did_t did;       /* outcome of the stage's step; ATL_DID_WAIT_FOR_INPUT without a stage */
  bool has_decoded;
} atl_poll_t;

typedef struct {
  double start, end;
  atl_did_t what; /* ATL_DID_WAIT_FOR_INPUT or ATL_DID_WAIT_FOR_BUFFER */
} atl_wait_t;

typedef struct {
  bool is_waiting;
  atl_wait_t current;           /* the current wait, without its end; valid while is_waiting */
  double coordinating;          /* the poll's `coordinating` when the current wait began */
  double waiting, backpressure; /* seconds of waits that have ended; waiting includes backpressure */
  bool has_stepped;             /* the stage has completed a step */
  double before;                /* `waiting` at the stage's first step */
  double at_last;               /* `waiting` when the stage's last step ended */
  double last;                  /* time when the stage's last step ended */
} atl_waits_t;

typedef struct {
  double waiting;       /* seconds, including the current wait */
  double backpressure;  /* part of waiting, in waits that have ended */
  double before, after; /* parts of waiting: before the stage's first step, and since its last one */
  double last;          /* time when the stage's last step ended; 0: none has */
} atl_wait_totals_t;

void atl_waits_init(atl_waits_t *waits);
/* Accounts for one poll. Returns true when a wait ended, which is then in *ended. */
bool atl_waits_count(atl_waits_t *waits, const atl_poll_t *poll, atl_wait_t *ended);
/* Ends the current wait, if any, at `now`, when the loop ends. Returns true when there was one. */
bool atl_waits_end(atl_waits_t *waits, double now, double coordinating, atl_wait_t *ended);
/* Totals up to `now`. */
void atl_waits_get(const atl_waits_t *waits, double now, double coordinating, atl_wait_totals_t *totals);

#endif
