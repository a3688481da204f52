#include "proto/trace.h"

#include "common/memory.h"

struct atl_trace {
  atl_trace_event_t *events; /* (capacity) */
  int64_t capacity, next, n_put;
};

atl_status_t atl_trace_new(int64_t capacity, atl_trace_t **trace) {
  *trace = NULL;
  ATL_CHECK(capacity > 0, INPUT, "expected room for at least one event in a trace, found %lld", (long long)capacity);
  ATL_TRY(ATL_NEW(1, trace));
  (*trace)->capacity = capacity;
  atl_status_t status = ATL_NEW(capacity, &(*trace)->events);
  if (status != ATL_OK) atl_trace_destroy(trace);
  return status;
}

void atl_trace_destroy(atl_trace_t **trace) {
  if (*trace == NULL) return;
  ATL_DESTROY(&(*trace)->events);
  ATL_DESTROY(trace);
}

void atl_trace_put(atl_trace_t *t, const atl_trace_event_t *event) {
  t->events[t->next] = *event;
  t->next = t->next + 1 == t->capacity ? 0 : t->next + 1;
  t->n_put++;
}

static void reverse(atl_trace_event_t *events, int64_t n) {
  for (int64_t i = 0, j = n - 1; i < j; i++, j--) {
    atl_trace_event_t event = events[i];
    events[i] = events[j];
    events[j] = event;
  }
}

/* A full ring is rotated so that its oldest event comes first: reverse both parts, then the whole. */
const atl_trace_event_t *atl_trace_get(atl_trace_t *t, int64_t *n, int64_t *n_lost) {
  bool is_full = t->n_put >= t->capacity;
  *n = is_full ? t->capacity : t->n_put;
  *n_lost = t->n_put - *n;
  if (is_full && t->next > 0) {
    reverse(t->events, t->next);
    reverse(t->events + t->next, t->capacity - t->next);
    reverse(t->events, t->capacity);
    t->next = 0;
  }
  return t->events;
}

const char *atl_trace_kind_name(int kind) {
  static const char *const names[] = {
#define X(name, text) text,
      ATL_TRACE_LIST(X)
#undef X
  };
  return kind >= 0 && kind < ATL_N_TRACE_KINDS ? names[kind] : "?";
}
