/* Uses the same hop and mailbox as a run. The first rank records the seconds of a slot's round when its answer is back,
 * and then starts its next; the last rank answers each packet with a message. */
#include "partition/measure.h"

#include <sched.h>
#include <string.h>

#include "common/arena.h"
#include "common/sort.h"
#include "common/timer.h"
#include "partition/hop.h"
#include "partition/mailbox.h"
#include "partition/tags.h"

typedef struct {
  const atl_ring_load_t *load;
  atl_comm_t *ring, *tokens;
  atl_hop_t *hop;
  atl_mailbox_t *box;
  int rank, size;
  atl_arena_t arena;
  double *started; /* (n_slots): start of the current round; 0: not started */
  int32_t *done;   /* (n_slots): rounds completed */
  double *rounds;  /* (n_slots * n_rounds) seconds */
  int64_t n_rounds;
  int32_t next; /* slot that starts next; slots start in order */
} bench_t;

static atl_status_t open_ring(bench_t *b, const atl_comm_t *comm) {
  atl_hop_spec_t spec = {.previous_rank = b->rank - 1,
                         .next_rank = b->rank + 1 < b->size ? b->rank + 1 : -1,
                         .tag = b->rank,
                         .n_buffers = b->load->n_slots + 2,
                         .max_rows = b->load->n_rows,
                         .row_width = b->load->row_width};
  ATL_TRY(atl_comm_duplicate(comm, "measured ring", &b->ring));
  ATL_TRY(atl_comm_duplicate(comm, "measured tokens", &b->tokens));
  atl_status_t status = atl_hop_new(b->ring, &spec, &b->hop);
  if (status == ATL_OK) status = atl_mailbox_new(b->tokens, &b->box);
  if (status == ATL_OK) status = ATL_TAKE(&b->arena, b->load->n_slots, &b->started);
  if (status == ATL_OK) status = ATL_TAKE(&b->arena, b->load->n_slots, &b->done);
  if (status == ATL_OK) status = ATL_TAKE(&b->arena, (int64_t)b->load->n_slots * b->load->n_rounds, &b->rounds);
  return atl_comm_agree(comm, status);
}

static void close_ring(bench_t *b) {
  atl_hop_destroy(&b->hop);
  atl_mailbox_destroy(&b->box);
  atl_comm_destroy(&b->ring);
  atl_comm_destroy(&b->tokens);
  atl_arena_clear(&b->arena);
}

static atl_status_t answer(bench_t *b, int32_t slot) {
  return atl_mailbox_send(b->box, 0, ATL_TAG_TOKENS, &slot, sizeof slot);
}

static atl_status_t start_slot(bench_t *b) {
  int32_t slot = b->next;
  if (b->done[slot] == b->load->n_rounds || b->started[slot] > 0) return ATL_OK;
  atl_packet_t *packet;
  ATL_TRY(atl_hop_take(b->hop, &packet));
  if (packet == NULL) return ATL_OK;
  b->started[slot] = atl_timer_now();
  b->next = (slot + 1) % b->load->n_slots;
  *packet->header = (atl_packet_header_t){ATL_PACKET_ROWS, slot, b->load->n_rows};
  if (b->size > 1) return atl_hop_send(b->hop, packet);
  ATL_TRY(answer(b, slot));
  return atl_hop_release(b->hop, packet);
}

static atl_status_t collect(bench_t *b) {
  atl_message_t message;
  int32_t slot;
  ATL_TRY(atl_mailbox_poll(b->box, &message));
  if (message.bytes == NULL) return ATL_OK;
  memcpy(&slot, message.bytes, sizeof slot);
  b->rounds[b->n_rounds++] = atl_timer_now() - b->started[slot];
  b->started[slot] = 0;
  b->done[slot]++;
  return ATL_OK;
}

static atl_status_t run_first(bench_t *b) {
  int64_t n = (int64_t)b->load->n_slots * b->load->n_rounds;
  while (b->n_rounds < n) {
    ATL_TRY(start_slot(b));
    ATL_TRY(collect(b));
    sched_yield(); /* ranks may share a core */
  }
  return ATL_OK;
}

static atl_status_t run_other(bench_t *b) {
  for (int64_t left = (int64_t)b->load->n_slots * b->load->n_rounds; left > 0;) {
    atl_packet_t *packet;
    ATL_TRY(atl_hop_take(b->hop, &packet));
    sched_yield();
    if (packet == NULL) continue;
    left--;
    if (b->rank + 1 < b->size) {
      ATL_TRY(atl_hop_send(b->hop, packet));
      continue;
    }
    ATL_TRY(answer(b, packet->header->slot));
    ATL_TRY(atl_hop_release(b->hop, packet));
  }
  while (!atl_hop_is_idle(b->hop) || !atl_mailbox_is_idle(b->box)) sched_yield();
  return ATL_OK;
}

static atl_status_t run(bench_t *b, const atl_comm_t *comm, atl_ring_times_t *times) {
  ATL_TRY(open_ring(b, comm));
  ATL_TRY(atl_comm_barrier(comm));
  double start = atl_timer_now();
  ATL_TRY(b->rank == 0 ? run_first(b) : run_other(b));
  double seconds = atl_timer_now() - start;
  if (b->rank == 0) {
    times->round = atl_sort_median(b->rounds, (size_t)b->n_rounds);
    times->hop = times->round / b->size;
    times->microbatch = seconds / (double)b->n_rounds;
    times->bytes = (double)b->load->n_rows * (double)b->load->row_width * sizeof(float);
  }
  char *bytes = (char *)times;
  size_t n_bytes = sizeof *times;
  ATL_TRY(atl_comm_broadcast(comm, 0, &bytes, &n_bytes));
  if (b->rank == 0) return ATL_OK;
  memcpy(times, bytes, sizeof *times);
  ATL_DESTROY(&bytes);
  return ATL_OK;
}

atl_status_t atl_measure_ring(const atl_comm_t *comm, const atl_ring_load_t *load, atl_ring_times_t *times) {
  ATL_CHECK(load->n_slots >= 1 && load->n_rounds >= 1, INPUT,
            "measuring a ring needs at least 1 slot and 1 round; found %d and %d", (int)load->n_slots,
            (int)load->n_rounds);
  bench_t b = {.load = load, .rank = atl_comm_rank(comm), .size = atl_comm_size(comm)};
  *times = (atl_ring_times_t){0};
  atl_status_t status = run(&b, comm, times);
  close_ring(&b);
  return status;
}
