/* A buffer is in one of four places: posted (a receive waits for it, FIFO), free (first stage), lent to the stage, or
 * being sent (FIFO). MPI matches messages of one sender and tag in order to receives in order, so that only the heads
 * of the two queues ever need a test. */
#include "partition/hop.h"

#include <limits.h>
#include <string.h>

#include "common/arena.h"
#include "partition/comm_private.h"

enum { ALIGNMENT = 64 };

/* FIFO of buffer indices, as large as the pool. */
typedef struct {
  int32_t *items;
  int32_t head, n;
} queue_t;

struct atl_hop {
  atl_arena_t arena;
  const atl_comm_t *comm;
  atl_hop_spec_t spec;
  size_t x_offset, buffer_bytes;
  char *pool;            /* (n_buffers, buffer_bytes) */
  atl_packet_t *packets; /* n_buffers views */
  bool *is_lent;         /* n_buffers */
  MPI_Request *requests; /* n_buffers: the receive or the send of a buffer */
  queue_t posted, sending, empty;
  bool has_arrived;    /* the head of posted is complete */
  size_t n_arrived;    /* its bytes */
  atl_status_t failed; /* found while poking, told by the next take */
};

static size_t round_up(size_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static size_t x_offset_of(const atl_hop_spec_t *spec) {
  return round_up(sizeof(atl_packet_header_t) + (size_t)spec->max_rows * sizeof(atl_packet_row_t));
}

static size_t x_row_bytes(const atl_hop_spec_t *spec) {
  size_t floats = (size_t)spec->row_width * sizeof(float);
  return floats > sizeof(atl_packet_row_t) ? floats : sizeof(atl_packet_row_t);
}

static size_t buffer_bytes_of(const atl_hop_spec_t *spec) {
  return x_offset_of(spec) + round_up((size_t)spec->max_rows * x_row_bytes(spec));
}

size_t atl_hop_bytes(const atl_hop_spec_t *spec) { return (size_t)spec->n_buffers * buffer_bytes_of(spec); }

/* What travels of a packet. */
static size_t wire_bytes(const atl_hop_t *hop, const atl_packet_header_t *header) {
  size_t n = (size_t)header->n_rows;
  if (header->kind == ATL_PACKET_ROWS) return hop->x_offset + n * (size_t)hop->spec.row_width * sizeof(float);
  if (header->kind == ATL_PACKET_BEGIN) return hop->x_offset + n * sizeof(atl_packet_row_t);
  return sizeof *header;
}

static void push(queue_t *queue, int32_t capacity, int32_t item) {
  ATL_ASSERT(queue->n < capacity);
  queue->items[(queue->head + queue->n++) % capacity] = item;
}

static int32_t pop(queue_t *queue, int32_t capacity) {
  int32_t item = queue->items[queue->head];
  queue->head = (queue->head + 1) % capacity;
  queue->n--;
  return item;
}

/* Gives buffer i to the receive side, or to the free ones when nobody sends to us. */
static atl_status_t recycle(atl_hop_t *hop, int32_t i) {
  if (hop->spec.previous_rank < 0) {
    push(&hop->empty, hop->spec.n_buffers, i);
    return ATL_OK;
  }
  ATL_MPI(MPI_Irecv(hop->packets[i].header, (int)hop->buffer_bytes, MPI_BYTE, hop->spec.previous_rank, hop->spec.tag,
                    hop->comm->comm, &hop->requests[i]),
          "posting a receive from rank %d, tag %d", hop->spec.previous_rank, hop->spec.tag);
  push(&hop->posted, hop->spec.n_buffers, i);
  return ATL_OK;
}

static atl_status_t check_spec(const atl_hop_spec_t *spec) {
  bool is_sane = spec->n_buffers >= 1 && spec->max_rows >= 1 && spec->row_width >= 1 && spec->row_width <= INT_MAX;
  ATL_CHECK(is_sane && (double)spec->max_rows * (double)spec->row_width * sizeof(float) < (double)INT_MAX / 2, INPUT,
            "a packet of %d rows of %lld floats does not fit one message (1 GiB); try a smaller --microbatch",
            (int)spec->max_rows, (long long)spec->row_width);
  return ATL_OK;
}

static atl_status_t take_memory(atl_hop_t *hop) {
  int32_t n = hop->spec.n_buffers;
  ATL_TRY(atl_arena_take(&hop->arena, (size_t)n, hop->buffer_bytes, (void **)&hop->pool));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->packets));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->is_lent));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->requests));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->posted.items));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->sending.items));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->empty.items));
  return ATL_OK;
}

static atl_status_t fill_pool(atl_hop_t *hop) {
  for (int32_t i = 0; i < hop->spec.n_buffers; i++) {
    char *buffer = hop->pool + (size_t)i * hop->buffer_bytes;
    char *rows = buffer + sizeof(atl_packet_header_t), *x = buffer + hop->x_offset;
    hop->packets[i] = (atl_packet_t){(atl_packet_header_t *)(void *)buffer, (atl_packet_row_t *)(void *)rows,
                                     (float *)(void *)x, (atl_packet_row_t *)(void *)x};
    ATL_TRY(recycle(hop, i));
  }
  return ATL_OK;
}

atl_status_t atl_hop_new(const atl_comm_t *comm, const atl_hop_spec_t *spec, atl_hop_t **hop) {
  atl_hop_t *made;
  *hop = NULL;
  ATL_TRY(check_spec(spec));
  ATL_TRY(ATL_NEW(1, &made));
  made->comm = comm;
  made->spec = *spec;
  made->x_offset = x_offset_of(spec);
  made->buffer_bytes = buffer_bytes_of(spec);
  atl_status_t status = take_memory(made);
  if (status == ATL_OK) status = fill_pool(made);
  if (status != ATL_OK) atl_hop_destroy(&made);
  *hop = made;
  return status;
}

void atl_hop_destroy(atl_hop_t **hop) {
  if (hop == NULL || *hop == NULL) return;
  atl_hop_t *h = *hop;
  while (h->posted.n > 0) {
    int32_t i = pop(&h->posted, h->spec.n_buffers);
    if (h->requests[i] != MPI_REQUEST_NULL) MPI_Cancel(&h->requests[i]);
    MPI_Wait(&h->requests[i], MPI_STATUS_IGNORE);
  }
  while (h->sending.n > 0) MPI_Wait(&h->requests[pop(&h->sending, h->spec.n_buffers)], MPI_STATUS_IGNORE);
  atl_arena_clear(&h->arena);
  ATL_DESTROY(hop);
}

static atl_status_t collect_sends(atl_hop_t *hop) {
  while (hop->sending.n > 0) {
    int is_sent;
    ATL_MPI(MPI_Test(&hop->requests[hop->sending.items[hop->sending.head]], &is_sent, MPI_STATUS_IGNORE),
            "sending a packet to rank %d, tag %d", hop->spec.next_rank, hop->spec.tag + 1);
    if (!is_sent) return ATL_OK;
    ATL_TRY(recycle(hop, pop(&hop->sending, hop->spec.n_buffers)));
  }
  return ATL_OK;
}

static atl_status_t look_for_arrival(atl_hop_t *hop) {
  if (hop->has_arrived || hop->posted.n == 0) return ATL_OK;
  int is_here, n_bytes;
  MPI_Status status;
  ATL_MPI(MPI_Test(&hop->requests[hop->posted.items[hop->posted.head]], &is_here, &status),
          "receiving a packet from rank %d, tag %d", hop->spec.previous_rank, hop->spec.tag);
  if (!is_here) return ATL_OK;
  MPI_Get_count(&status, MPI_BYTE, &n_bytes);
  hop->has_arrived = true;
  hop->n_arrived = (size_t)n_bytes;
  return ATL_OK;
}

static atl_status_t check_packet(const atl_hop_t *hop, const atl_packet_header_t *header) {
  bool is_sane = hop->n_arrived >= sizeof *header && header->kind >= ATL_PACKET_ROWS &&
                 header->kind <= ATL_PACKET_BEGIN && header->n_rows >= 0 && header->n_rows <= hop->spec.max_rows;
  ATL_CHECK(
      is_sane && hop->n_arrived == wire_bytes(hop, header), COMM,
      "a packet of %zu bytes came from rank %d with kind %d and %d rows; expected at most %d rows of %lld floats. "
      "Do all ranks run the same binary and plan?",
      hop->n_arrived, hop->spec.previous_rank, (int)header->kind, (int)header->n_rows, (int)hop->spec.max_rows,
      (long long)hop->spec.row_width);
  return ATL_OK;
}

static atl_packet_t *lend(atl_hop_t *hop, int32_t i) {
  hop->is_lent[i] = true;
  return &hop->packets[i];
}

atl_status_t atl_hop_take(atl_hop_t *hop, atl_packet_t **packet) {
  *packet = NULL;
  ATL_CHECK(hop->failed == ATL_OK, COMM, "messages with ranks %d and %d failed while a stage was computing",
            hop->spec.previous_rank, hop->spec.next_rank);
  ATL_TRY(collect_sends(hop));
  if (hop->spec.previous_rank < 0) {
    if (hop->empty.n == 0) return ATL_OK;
    *packet = lend(hop, pop(&hop->empty, hop->spec.n_buffers));
    *(*packet)->header = (atl_packet_header_t){0};
    return ATL_OK;
  }
  ATL_TRY(look_for_arrival(hop));
  if (!hop->has_arrived) return ATL_OK;
  int32_t i = pop(&hop->posted, hop->spec.n_buffers);
  hop->has_arrived = false;
  *packet = lend(hop, i);
  return check_packet(hop, (*packet)->header);
}

/* The buffer of a packet that comes back from the stage. */
static int32_t unlend(atl_hop_t *hop, const atl_packet_t *packet) {
  int32_t i = (int32_t)(packet - hop->packets);
  ATL_ASSERT(i >= 0 && i < hop->spec.n_buffers && hop->is_lent[i]);
  hop->is_lent[i] = false;
  return i;
}

atl_status_t atl_hop_send(atl_hop_t *hop, atl_packet_t *packet) {
  ATL_ASSERT(hop->spec.next_rank >= 0 && packet->header->n_rows >= 0 && packet->header->n_rows <= hop->spec.max_rows);
  int32_t i = unlend(hop, packet);
  int n_bytes = (int)wire_bytes(hop, packet->header);
  ATL_MPI(MPI_Isend(packet->header, n_bytes, MPI_BYTE, hop->spec.next_rank, hop->spec.tag + 1, hop->comm->comm,
                    &hop->requests[i]),
          "sending a packet of %d bytes to rank %d, tag %d", n_bytes, hop->spec.next_rank, hop->spec.tag + 1);
  push(&hop->sending, hop->spec.n_buffers, i);
  return ATL_OK;
}

atl_status_t atl_hop_release(atl_hop_t *hop, atl_packet_t *packet) { return recycle(hop, unlend(hop, packet)); }

void atl_hop_poke(atl_hop_t *hop) {
  if (hop->failed != ATL_OK) return;
  hop->failed = collect_sends(hop);
  if (hop->failed == ATL_OK) hop->failed = look_for_arrival(hop);
}

bool atl_hop_is_idle(atl_hop_t *hop) {
  if (hop->failed == ATL_OK) hop->failed = collect_sends(hop);
  return hop->sending.n == 0;
}
