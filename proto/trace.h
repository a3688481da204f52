/* Trace: a rank's activity over time, as fixed-size events in a preallocated ring that overwrites the oldest. Recorders
 * hold an atl_trace_t *, which is NULL when tracing is off: an event then costs one branch. Local.
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

/* name in code, name in the trace file */
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
  X(QUEUE, "queue") /* a counter: `n` token grids or slots are waiting at `start` */

typedef enum {
#define X(name, text) ATL_TRACE_##name,
  ATL_TRACE_LIST(X)
#undef X
      ATL_N_TRACE_KINDS
} atl_trace_kind_t;

/* Timelines of a rank in a trace viewer; events of one timeline never overlap. */
typedef enum { ATL_TRACE_COORDINATOR, ATL_TRACE_STAGE, ATL_TRACE_DECODER, ATL_N_TRACE_ROLES } atl_trace_role_t;

/* Sent between ranks as raw bytes. */
typedef struct {
  double start, end; /* seconds (common/timer); end = start for a counter */
  int16_t kind, role;
  int32_t slot, position; /* of a stage's packet; of a decoder's picture, its prompt and sample; -1: none */
  int32_t n;              /* rows, pictures or waiting items */
  int64_t packet;         /* index of the packet in its pipeline, equal on all stages; -1: none */
  int64_t cause;          /* index of the packet whose drawn tokens this one embeds; -1: none */
} atl_trace_event_t;

typedef struct atl_trace atl_trace_t;

/* Creates a ring of `capacity` events. INPUT unless capacity > 0; MEMORY. Caller owns. */
atl_status_t atl_trace_new(int64_t capacity, atl_trace_t **trace);
void atl_trace_destroy(atl_trace_t **trace);
/* Records an event. add does nothing when trace is NULL; put requires a trace. Copies the event. */
void atl_trace_put(atl_trace_t *trace, const atl_trace_event_t *event);
static inline void atl_trace_add(atl_trace_t *trace, const atl_trace_event_t *event) {
  if (trace != NULL) atl_trace_put(trace, event);
}
/* Returns the *n stored events in the order of recording, borrowed until the next add; *n_lost were overwritten. */
const atl_trace_event_t *atl_trace_get(atl_trace_t *trace, int64_t *n, int64_t *n_lost);
/* The name of a kind in a trace file; "?" for an unknown kind. Static. */
const char *atl_trace_kind_name(int kind);

#endif
