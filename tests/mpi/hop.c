// TEST np=1,2,4
/* A line of stages, one per rank: packets pass all of them in place and in order, and each stage adds 1 to each float.
 * On one rank, three stages with two hops to the same rank. */
#include <stdlib.h>

#include "common/memory.h"
#include "partition/hop.h"
#include "tests/support/together.h"

enum { N_PACKETS = 300, N_BUFFERS = 5, MAX_ROWS = 33, ROW_WIDTH = 257 };

typedef struct {
  atl_hop_t *hop;
  int i_stage, n_stages;
  int n_finished; /* packets seen */
  int is_ok;
} stage_t;

static int rows_of(int i) { return i % (MAX_ROWS + 1); }

static float number_of(int i, int row, int column) { return (float)(i * 5 + row * 3 + column % 7); }

static void fill(atl_packet_t *packet, int i) {
  int is_begin = i % 10 == 0;
  *packet->header = (atl_packet_header_t){is_begin ? ATL_PACKET_BEGIN : ATL_PACKET_ROWS, i, rows_of(i)};
  for (int row = 0; row < rows_of(i); row++) {
    if (is_begin) {
      packet->stores[row] = (atl_packet_store_t){row, i + 1};
      packet->candidates[row] = (atl_packet_candidate_t){i, -row};
    } else {
      packet->rows[row] = (atl_packet_row_t){row, i};
    }
    for (int column = 0; !is_begin && column < ROW_WIDTH; column++)
      packet->x[row * ROW_WIDTH + column] = number_of(i, row, column);
  }
}

/* Each of the n_added stages before has added 1 to every float. */
static int is_packet(const atl_packet_t *packet, int i, int n_added) {
  const atl_packet_header_t *h = packet->header;
  int is_ok = h->slot == i && ((size_t)packet->x & 63) == 0;
  is_ok = is_ok && h->n_rows == rows_of(i) && h->kind == (i % 10 == 0 ? ATL_PACKET_BEGIN : ATL_PACKET_ROWS);
  for (int row = 0; is_ok && row < h->n_rows; row++) {
    if (h->kind == ATL_PACKET_BEGIN)
      is_ok = packet->stores[row].store == row && packet->stores[row].prefix == i + 1 &&
              packet->candidates[row].prompt == i && packet->candidates[row].sample == -row;
    else
      is_ok = packet->rows[row].sequence == row && packet->rows[row].position == i;
    for (int column = 0; is_ok && h->kind == ATL_PACKET_ROWS && column < ROW_WIDTH; column++)
      is_ok = packet->x[row * ROW_WIDTH + column] == number_of(i, row, column) + (float)n_added;
  }
  return is_ok;
}

static void add_one(atl_packet_t *packet) {
  if (packet->header->kind != ATL_PACKET_ROWS) return;
  for (int i = 0; i < packet->header->n_rows * ROW_WIDTH; i++) packet->x[i] += 1;
}

/* One iteration of a stage's loop. */
static void step(stage_t *stage) {
  atl_packet_t *packet;
  if (stage->n_finished == N_PACKETS || !stage->is_ok) return;
  stage->is_ok = atl_hop_take(stage->hop, &packet) == ATL_OK;
  if (packet == NULL || !stage->is_ok) return;
  int i = stage->n_finished++;
  if (stage->i_stage == 0) fill(packet, i);
  stage->is_ok = is_packet(packet, i, stage->i_stage);
  add_one(packet);
  atl_hop_progress(stage->hop);
  bool is_last = stage->i_stage == stage->n_stages - 1;
  atl_status_t status = is_last ? atl_hop_release(stage->hop, packet) : atl_hop_send(stage->hop, packet);
  stage->is_ok = stage->is_ok && status == ATL_OK;
}

static atl_status_t open_stage(const atl_comm_t *comm, int i_stage, int n_stages, stage_t *stage) {
  int rank = atl_comm_rank(comm), step = atl_comm_size(comm) > 1 ? 1 : 0;
  *stage = (stage_t){.i_stage = i_stage, .n_stages = n_stages, .is_ok = 1};
  atl_hop_spec_t spec = {.previous_rank = i_stage == 0 ? -1 : rank - step,
                         .next_rank = i_stage == n_stages - 1 ? -1 : rank + step,
                         .tag = i_stage + 1,
                         .n_buffers = N_BUFFERS,
                         .max_rows = MAX_ROWS,
                         .row_width = ROW_WIDTH};
  return atl_hop_new(comm, &spec, &stage->hop);
}

/* One stage per rank, or three on a single rank. */
static void test_line(const atl_comm_t *world, const atl_comm_t *comm) {
  int size = atl_comm_size(comm), n_here = size > 1 ? 1 : 3, n_stages = size > 1 ? size : 3;
  stage_t stages[3];
  int is_ok = 1, n_done = 0;
  for (int i = 0; i < n_here; i++)
    is_ok = is_ok && open_stage(comm, size > 1 ? atl_comm_rank(comm) : i, n_stages, &stages[i]) == ATL_OK;
  together(world, is_ok, "hops open");
  while (is_ok && n_done < n_here) {
    n_done = 0;
    for (int i = 0; i < n_here; i++) {
      step(&stages[i]);
      is_ok = is_ok && stages[i].is_ok;
      n_done += stages[i].n_finished == N_PACKETS && atl_hop_is_idle(stages[i].hop);
    }
  }
  together(world, is_ok, "packets pass all stages complete and in order");
  for (int i = 0; i < n_here; i++) atl_hop_destroy(&stages[i].hop);
  /* Without this barrier, a receive that is not yet cancelled could take a packet of the next test from a faster rank.
   */
  together(world, atl_comm_barrier(world) == ATL_OK, "hops close");
}

/* Two ranks that expect rows of different width fail at the first packet. */
static void test_mismatch(const atl_comm_t *world, const atl_comm_t *comm) {
  int rank = atl_comm_rank(comm), is_sender = rank == 0;
  if (atl_comm_size(comm) < 2) return;
  atl_status_t status = ATL_COMM;
  if (rank < 2) {
    atl_hop_spec_t spec = {is_sender ? -1 : 0, is_sender ? 1 : -1, 1 + rank, 2, 4, is_sender ? 8 : 16};
    atl_hop_t *hop;
    atl_packet_t *packet = NULL;
    status = atl_hop_new(comm, &spec, &hop);
    while (status == ATL_OK && packet == NULL) status = atl_hop_take(hop, &packet);
    if (is_sender) {
      *packet->header = (atl_packet_header_t){.n_rows = 3};
      status = atl_hop_send(hop, packet) == ATL_OK ? ATL_COMM : ATL_INTERNAL;
    }
    atl_hop_destroy(&hop);
  }
  together(world, status == ATL_COMM, "a packet with rows of another width is refused");
}

int main(int argc, char **argv) {
  atl_comm_t *world, *comm;
  if (atl_comm_start(&argc, &argv, &world) != ATL_OK) return 1;
  together(world, atl_comm_duplicate(world, "ring", &comm) == ATL_OK, "the ring's communicator is duplicated");
  test_line(world, comm);
  test_mismatch(world, comm);
  atl_hop_spec_t huge = {-1, -1, 1, 4, 65536, 1 << 20};
  atl_hop_t *hop;
  together(world, atl_hop_new(comm, &huge, &hop) == ATL_INPUT && hop == NULL, "a packet too large for MPI is refused");
  atl_comm_destroy(&comm);
  int code = together_done(&world);
  return atl_memory_in_use_bytes() != 0 ? 1 : code;
}
