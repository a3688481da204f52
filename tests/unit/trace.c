// TEST np=1
#include "proto/trace.h"

#include <string.h>

#include "common/memory.h"
#include "tests/support/tap.h"

/* Adds n events to a ring of `capacity`; it must return the last ones, oldest first, on every call. */
static void test_ring(int64_t capacity, int64_t n) {
  atl_trace_t *trace;
  TAP_STATUS(ATL_OK, atl_trace_new(capacity, &trace), "a trace ring is created");
  for (int64_t i = 0; i < n; i++) atl_trace_add(trace, &(atl_trace_event_t){.packet = i});
  int n_wrong = 0;
  for (int again = 0; again < 2; again++) {
    int64_t n_kept, n_lost;
    const atl_trace_event_t *events = atl_trace_get(trace, &n_kept, &n_lost);
    int64_t expected = n < capacity ? n : capacity;
    n_wrong += n_kept != expected || n_lost != n - expected;
    for (int64_t i = 0; i < n_kept; i++) n_wrong += events[i].packet != n - expected + i;
  }
  TAP_OK(n_wrong == 0, "a trace ring returns its last events in order, and counts the lost ones");
  atl_trace_destroy(&trace);
}

int main(void) {
  for (int64_t n = 0; n < 12; n++) test_ring(5, n);
  test_ring(1, 3);
  atl_trace_add(NULL, &(atl_trace_event_t){0});
  atl_trace_t *trace;
  TAP_STATUS(ATL_INPUT, atl_trace_new(0, &trace), "a trace ring of capacity 0 is refused");
  atl_memory_fail_after(2);
  TAP_STATUS(ATL_MEMORY, atl_trace_new(5, &trace), "a trace ring without memory fails with MEMORY");
  TAP_OK(trace == NULL, "a trace ring without memory is NULL");
  TAP_OK(strcmp(atl_trace_kind_name(ATL_TRACE_RUN), "run") == 0 && strcmp(atl_trace_kind_name(-1), "?") == 0,
         "event kinds have names, unknown ones a question mark");
  atl_trace_destroy(&trace);
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
