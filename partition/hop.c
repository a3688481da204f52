/* A buffer is in one of four states: posted for a receive, empty (first stage), lent to the stage, or being sent.
 * Messages of one sender and tag match posted receives in order, so only the oldest posted buffer and the oldest buffer
 * being sent need a test. */
#include "partition/hop.h"

#include <limits.h>
#include <string.h>

#include "common/arena.h"
#include "common/fifo.h"
#include "partition/comm_private.h"

enum { ALIGNMENT = 64 };

_Static_assert(sizeof(atl_packet_store_t) == sizeof(atl_packet_row_t), "stores and rows share their bytes");

typedef struct {
  atl_fifo_t fifo;
  int32_t *buffers; /* (n_buffers) */
} queue_t;

struct atl_hop {
  atl_arena_t arena;
  const atl_comm_t *comm;
  atl_hop_spec_t spec;
  size_t x_offset, buffer_bytes;
  char *pool;              /* (n_buffers, buffer_bytes) */
  atl_packet_t *packets;   /* (n_buffers) views */
  bool *is_lent;           /* (n_buffers) */
  atl_request_t *requests; /* (n_buffers): the buffer's receive or send */
  queue_t posted, sending, empty;
  bool has_arrived;    /* the oldest posted receive is complete */
  size_t n_arrived;    /* its bytes */
  atl_status_t failed; /* a failure in atl_hop_progress or atl_hop_is_idle; the next take reports it */
};

static size_t round_up(size_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static size_t x_offset_of(const atl_hop_spec_t *spec) {
  return round_up(sizeof(atl_packet_header_t) + (size_t)spec->max_rows * sizeof(atl_packet_row_t));
}

static size_t x_row_bytes(const atl_hop_spec_t *spec) {
  size_t floats = (size_t)spec->row_width * sizeof(float);
  return floats > sizeof(atl_packet_candidate_t) ? floats : sizeof(atl_packet_candidate_t);
}

static size_t buffer_bytes_of(const atl_hop_spec_t *spec) {
  return x_offset_of(spec) + round_up((size_t)spec->max_rows * x_row_bytes(spec));
}

size_t atl_hop_bytes(const atl_hop_spec_t *spec) { return (size_t)spec->n_buffers * buffer_bytes_of(spec); }

/* Bytes of a packet that are sent. */
static size_t wire_bytes(const atl_hop_t *hop, const atl_packet_header_t *header) {
  size_t n = (size_t)header->n_rows;
  if (header->kind == ATL_PACKET_BEGIN) return hop->x_offset + n * sizeof(atl_packet_candidate_t);
  return hop->x_offset + n * (size_t)hop->spec.row_width * sizeof(float);
}

static void push(queue_t *queue, int32_t buffer) { queue->buffers[atl_fifo_push(&queue->fifo)] = buffer; }

static int32_t pop(queue_t *queue) { return queue->buffers[atl_fifo_pop(&queue->fifo)]; }

static int32_t oldest(const queue_t *queue) { return queue->buffers[atl_fifo_at(&queue->fifo, 0)]; }

/* Posts buffer i for receiving again, or, on the first stage, makes it free. */
static atl_status_t recycle(atl_hop_t *hop, int32_t i) {
  if (hop->spec.previous_rank < 0) {
    push(&hop->empty, i);
    return ATL_OK;
  }
  ATL_TRY(atl_comm_start_recv(hop->comm, hop->spec.previous_rank, hop->spec.tag, hop->packets[i].header,
                              hop->buffer_bytes, &hop->requests[i]));
  push(&hop->posted, i);
  return ATL_OK;
}

static atl_status_t check_spec(const atl_hop_spec_t *spec) {
  bool is_sane = spec->n_buffers >= 1 && spec->max_rows >= 1 && spec->row_width >= 1 && spec->row_width <= INT_MAX;
  ATL_CHECK(is_sane && (double)spec->max_rows * (double)spec->row_width * sizeof(float) < (double)INT_MAX / 2, INPUT,
            "packet of %d rows of %lld floats does not fit one message (at most 1 GiB); try a smaller --microbatch",
            (int)spec->max_rows, (long long)spec->row_width);
  return ATL_OK;
}

static atl_status_t init_tables(atl_hop_t *hop) {
  int32_t n = hop->spec.n_buffers;
  ATL_TRY(atl_arena_take(&hop->arena, (size_t)n, hop->buffer_bytes, (void **)&hop->pool));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->packets));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->is_lent));
  ATL_TRY(ATL_TAKE(&hop->arena, n, &hop->requests));
  queue_t *const queues[] = {&hop->posted, &hop->sending, &hop->empty};
  for (int i = 0; i < 3; i++) {
    queues[i]->fifo.capacity = n;
    ATL_TRY(ATL_TAKE(&hop->arena, n, &queues[i]->buffers));
  }
  return ATL_OK;
}

static atl_status_t init_pool(atl_hop_t *hop) {
  for (int32_t i = 0; i < hop->spec.n_buffers; i++) {
    char *buffer = hop->pool + (size_t)i * hop->buffer_bytes;
    char *rows = buffer + sizeof(atl_packet_header_t), *x = buffer + hop->x_offset;
    hop->packets[i] = (atl_packet_t){.header = (atl_packet_header_t *)(void *)buffer,
                                     .rows = (atl_packet_row_t *)(void *)rows,
                                     .x = (float *)(void *)x,
                                     .stores = (atl_packet_store_t *)(void *)rows,
                                     .candidates = (atl_packet_candidate_t *)(void *)x};
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
  atl_status_t status = init_tables(made);
  if (status == ATL_OK) status = init_pool(made);
  if (status != ATL_OK) atl_hop_destroy(&made);
  *hop = made;
  return status;
}

void atl_hop_destroy(atl_hop_t **hop) {
  if (hop == NULL || *hop == NULL) return;
  atl_hop_t *h = *hop;
  while (h->posted.fifo.n > 0) atl_comm_cancel(h->comm, &h->requests[pop(&h->posted)]);
  while (h->sending.fifo.n > 0) (void)atl_comm_wait(h->comm, &h->requests[pop(&h->sending)]);
  atl_arena_clear(&h->arena);
  ATL_DESTROY(hop);
}

static atl_status_t collect_sends(atl_hop_t *hop) {
  while (hop->sending.fifo.n > 0) {
    bool is_sent;
    ATL_TRY(atl_comm_test(hop->comm, &hop->requests[oldest(&hop->sending)], &is_sent, NULL));
    if (!is_sent) return ATL_OK;
    ATL_TRY(recycle(hop, pop(&hop->sending)));
  }
  return ATL_OK;
}

static atl_status_t look_for_arrival(atl_hop_t *hop) {
  if (hop->has_arrived || hop->posted.fifo.n == 0) return ATL_OK;
  return atl_comm_test(hop->comm, &hop->requests[oldest(&hop->posted)], &hop->has_arrived, &hop->n_arrived);
}

static atl_status_t check_packet(const atl_hop_t *hop, const atl_packet_header_t *header) {
  bool is_sane = hop->n_arrived >= sizeof *header && header->kind >= ATL_PACKET_ROWS &&
                 header->kind <= ATL_PACKET_BEGIN && header->n_rows >= 0 && header->n_rows <= hop->spec.max_rows;
  ATL_CHECK(is_sane && hop->n_arrived == wire_bytes(hop, header), COMM,
            "packet of %zu bytes from rank %d has kind %d and %d rows; expected at most %d rows of %lld floats. "
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
    if (hop->empty.fifo.n == 0) return ATL_OK;
    *packet = lend(hop, pop(&hop->empty));
    *(*packet)->header = (atl_packet_header_t){0};
    return ATL_OK;
  }
  ATL_TRY(look_for_arrival(hop));
  if (!hop->has_arrived) return ATL_OK;
  int32_t i = pop(&hop->posted);
  hop->has_arrived = false;
  *packet = lend(hop, i);
  return check_packet(hop, (*packet)->header);
}

/* Index of the buffer of a packet that the stage gives back. */
static int32_t unlend(atl_hop_t *hop, const atl_packet_t *packet) {
  int32_t i = (int32_t)(packet - hop->packets);
  ATL_ASSERT(i >= 0 && i < hop->spec.n_buffers && hop->is_lent[i]);
  hop->is_lent[i] = false;
  return i;
}

atl_status_t atl_hop_send(atl_hop_t *hop, atl_packet_t *packet) {
  ATL_ASSERT(hop->spec.next_rank >= 0 && packet->header->n_rows >= 0 && packet->header->n_rows <= hop->spec.max_rows);
  int32_t i = unlend(hop, packet);
  ATL_TRY(atl_comm_start_send(hop->comm, hop->spec.next_rank, hop->spec.tag + 1, packet->header,
                              wire_bytes(hop, packet->header), &hop->requests[i]));
  push(&hop->sending, i);
  return ATL_OK;
}

atl_status_t atl_hop_release(atl_hop_t *hop, atl_packet_t *packet) { return recycle(hop, unlend(hop, packet)); }

void atl_hop_progress(atl_hop_t *hop) {
  if (hop->failed != ATL_OK) return;
  hop->failed = collect_sends(hop);
  if (hop->failed == ATL_OK) hop->failed = look_for_arrival(hop);
}

bool atl_hop_is_idle(atl_hop_t *hop) {
  if (hop->failed == ATL_OK) hop->failed = collect_sends(hop);
  return hop->sending.fifo.n == 0;
}
