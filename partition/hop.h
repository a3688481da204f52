/* Hop: one stage's ends of a pipeline: receives packets of activations from stage s-1 and sends them to stage s+1.
 *
 * A packet is a header, its rows and their activations, contiguous in one buffer. A stage computes in place in the
 * buffer it received and sends the same buffer on, without a copy. The hop owns a fixed pool of buffers: each is posted
 * for receiving, lent to the stage, or being sent. All receives are posted beforehand; packets stay in order.
 *
 *     ATL_TRY(atl_hop_take(hop, &packet));     the oldest arrived packet, or (stage 0) a free buffer; NULL: none now
 *     ... compute on packet->x ...
 *     ATL_TRY(atl_hop_send(hop, packet));      or atl_hop_release(hop, packet) on the last stage
 *
 * Neighbouring stages may be on the same rank. All calls are local; sends are paired with the neighbour's receives.
 */
#ifndef ATL_PARTITION_HOP_H
#define ATL_PARTITION_HOP_H

#include "partition/comm.h"

typedef enum {
  ATL_PACKET_ROWS, /* rows to compute, with their activations */
  ATL_PACKET_BEGIN /* a slot begins: its stores and their candidates; no activations */
} atl_packet_kind_t;

/* ROWS: a row of the transformer (atl_row_t). */
typedef struct {
  int32_t sequence, position;
} atl_packet_row_t;

/* BEGIN: one of the slot's image stores, and the text store it continues. */
typedef struct {
  int32_t store, prefix;
} atl_packet_store_t;

/* BEGIN: the candidate that is drawn into the store, also when the store is its null companion's. */
typedef struct {
  int32_t prompt, sample;
} atl_packet_candidate_t;

/* Sent as it lies in memory: both sides run the same binary. */
typedef struct {
  int32_t kind;   /* atl_packet_kind_t */
  int32_t slot;   /* -1: prefill */
  int32_t n_rows; /* BEGIN: number of stores; at most max_rows */
} atl_packet_header_t;

/* Views into one buffer of the pool, n_rows elements each. The two kinds share the same bytes. */
typedef struct {
  atl_packet_header_t *header;
  atl_packet_row_t *rows;             /* ROWS */
  float *x;                           /* ROWS: (n_rows, row_width); 64-byte aligned */
  atl_packet_store_t *stores;         /* BEGIN; same address as rows */
  atl_packet_candidate_t *candidates; /* BEGIN; same address as x */
} atl_packet_t;

typedef struct atl_hop atl_hop_t;

typedef struct {
  int previous_rank, next_rank; /* -1: none (first, last stage) */
  int tag;                      /* receives use tag, sends tag + 1 */
  int32_t n_buffers;            /* at least slots + 2 */
  int32_t max_rows;
  int64_t row_width; /* floats */
} atl_hop_spec_t;

/* Allocates the pool and posts the receives. Borrows comm for its life. INPUT when a packet exceeds 1 GiB; MEMORY,
 * COMM. Caller owns. */
atl_status_t atl_hop_new(const atl_comm_t *comm, const atl_hop_spec_t *spec, atl_hop_t **hop);
/* Cancels posted receives, waits for sends, and frees. */
void atl_hop_destroy(atl_hop_t **hop);
/* *packet <- the oldest arrived packet, its size and counts checked; on the first stage a free buffer, its header
 * zeroed. NULL: none now. COMM when a packet is malformed or messages failed. *packet is lent until it is sent or
 * released. */
atl_status_t atl_hop_take(atl_hop_t *hop, atl_packet_t **packet);
/* Sends the header and n_rows rows with their activations (BEGIN: stores and candidates) to the next stage. Takes the
 * packet; its buffer returns to the pool when the send is complete. */
atl_status_t atl_hop_send(atl_hop_t *hop, atl_packet_t *packet);
/* Returns the buffer to the pool. Takes the packet. */
atl_status_t atl_hop_release(atl_hop_t *hop, atl_packet_t *packet);
/* Lets MPI make progress; cheap, so transformers call it between sublayers. The next take reports a failure. */
void atl_hop_progress(atl_hop_t *hop);
/* Are all sends complete? */
bool atl_hop_is_idle(atl_hop_t *hop);

/* Bytes of the pool. Pure. */
size_t atl_hop_bytes(const atl_hop_spec_t *spec);

#endif
