/* Trace: what one rank did and when, as fixed-size events in a ring made beforehand; when it is full the oldest give
 * way. Who records holds an atl_trace_t *, NULL when nothing is recorded: off costs one branch an event.
 *
 *     double start = atl_timer_now();
 *     ...
 *     atl_trace_add(trace, &(atl_trace_event_t){.kind = ATL_TRACE_RUN, .role = ATL_TRACE_STAGE, .start = start, ...});
 */
#ifndef ATL_PROTO_TRACE_H
#define ATL_PROTO_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

/* name in code, name in a trace file */
#define ATL_TRACE_LIST(X)                                                                                              \
  X(EMBED, "embed")                                                                                                    \
  X(RUN, "run")                                                                                                        \
  X(DRAW, "draw")                                                                                                      \
  X(PREFILL, "prefill")                                                                                                \
  X(BEGIN, "begin")                                                                                                    \
  X(DECODE, "decode")                                                                                                  \
  X(SCORE, "score")                                                                                                    \
  X(PNG, "png")                                                                                                        \
  X(WAIT_INPUT, "wait for input")                                                                                      \
  X(WAIT_BUFFER, "wait for a buffer")                                                                                  \
  X(COORDINATE, "coordinate")                                                                                          \
  X(QUEUE, "queue") /* a counter: `n` grids or slots wait at `start` */

typedef enum {
#define X(name, text) ATL_TRACE_##name,
  ATL_TRACE_LIST(X)
#undef X
      ATL_N_TRACE_KINDS
} atl_trace_kind_t;

/* Threads of a rank in the picture; events of one never overlap. */
typedef enum { ATL_TRACE_COORDINATOR, ATL_TRACE_STAGE, ATL_TRACE_DECODER, ATL_N_TRACE_ROLES } atl_trace_role_t;

/* Plain numbers, so that ranks exchange them as they are. */
typedef struct {
  double start, end; /* seconds (common/timer); a counter's end is its start */
  int16_t kind, role;
  int32_t slot, position; /* of a stage's packet; prompt and sample of a decoder's picture; -1: none */
  int32_t n;              /* rows, pictures, waiting things */
  int64_t packet;         /* number of the packet in its pipeline, the same in every stage; -1: none */
  int64_t cause;          /* number of the packet whose drawn codes this one embeds; -1: none */
} atl_trace_event_t;

typedef struct atl_trace atl_trace_t;

/* MEMORY. Caller owns. */
atl_status_t atl_trace_new(int64_t capacity, atl_trace_t **trace);
void atl_trace_destroy(atl_trace_t **trace);
/* NULL: nothing happens. */
void atl_trace_put(atl_trace_t *trace, const atl_trace_event_t *event);
static inline void atl_trace_add(atl_trace_t *trace, const atl_trace_event_t *event) {
  if (trace != NULL) atl_trace_put(trace, event);
}
/* Puts the events in order of their recording; *n of them, borrowed until the next add. *n_lost gave way. */
const atl_trace_event_t *atl_trace_get(atl_trace_t *trace, int64_t *n, int64_t *n_lost);
const char *atl_trace_kind_name(int kind);

#endif
