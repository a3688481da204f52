/* Hop: one directed edge of a pipeline's ring, stage s -> stage s+1: packets of activations in a fixed set of buffers.
 *
 * A packet is a header, its rows and their activations, contiguous in one buffer, so that a stage computes in place in
 * the buffer it received and sends the same buffer on: no copy. Receives are posted for all buffers beforehand; packets
 * stay in order. A stage owns one pool of buffers: taken by the receive side, lent to the stage, given to the send
 * side.
 *
 *     ATL_TRY(atl_hop_take(hop, &packet));     the oldest arrived packet, or (stage 0) an empty buffer; NULL: none now
 *     ... compute on packet->x ...
 *     ATL_TRY(atl_hop_send(hop, packet));      or atl_hop_release(hop, packet) on the last stage
 *
 * Peers on the same rank (S=1 never hops) are allowed. Local calls, paired with the neighbour's.
 */
#ifndef ATL_PARTITION_HOP_H
#define ATL_PARTITION_HOP_H

#include "partition/comm.h"

typedef enum {
  ATL_PACKET_ROWS, /* rows to compute, with their activations */
  ATL_PACKET_BEGIN /* a slot begins: its stores and whose they are; no activations */
} atl_packet_kind_t;

/* ROWS: a row of the transformer (atl_row_t). */
typedef struct {
  int32_t sequence, position;
} atl_packet_row_t;

/* BEGIN: an image store of the slot, and the text store it continues. */
typedef struct {
  int32_t store, prefix;
} atl_packet_store_t;

/* BEGIN: the candidate that is drawn into that store, also of a null companion. */
typedef struct {
  int32_t prompt, sample;
} atl_packet_candidate_t;

/* Layout on the wire; both sides are the same binary. */
typedef struct {
  int32_t kind;   /* atl_packet_kind_t */
  int32_t slot;   /* -1: prefill */
  int32_t n_rows; /* or stores; <= max_rows */
} atl_packet_header_t;

/* Views into one buffer of the pool, n_rows of each; those of the other kind lie in the same bytes. */
typedef struct {
  atl_packet_header_t *header;
  atl_packet_row_t *rows;             /* ROWS */
  float *x;                           /* ROWS: (n_rows, row_width); 64-byte aligned */
  atl_packet_store_t *stores;         /* BEGIN; lie where rows do */
  atl_packet_candidate_t *candidates; /* BEGIN; lie where x does */
} atl_packet_t;

typedef struct atl_hop atl_hop_t;

typedef struct {
  int previous_rank, next_rank; /* -1: none (first, last stage) */
  int tag;                      /* of this pipeline's stage: receives use tag, sends tag + 1 */
  int32_t n_buffers;            /* >= slots + 2 */
  int32_t max_rows;
  int64_t row_width; /* floats */
} atl_hop_spec_t;

/* Posts the receives. Local; borrows comm. Caller owns. */
atl_status_t atl_hop_new(const atl_comm_t *comm, const atl_hop_spec_t *spec, atl_hop_t **hop);
/* Cancels what is posted and frees. */
void atl_hop_destroy(atl_hop_t **hop);
/* The oldest arrived packet, checked (sizes, counts) -> *packet; on the first stage any free buffer. NULL: none now. */
atl_status_t atl_hop_take(atl_hop_t *hop, atl_packet_t **packet);
/* Sends the header and n_rows rows with their activations (BEGIN: stores and candidates) to the next stage; the buffer
 * returns to the pool by itself. Takes the packet. */
atl_status_t atl_hop_send(atl_hop_t *hop, atl_packet_t *packet);
/* Gives the buffer back to the pool. Takes the packet. */
atl_status_t atl_hop_release(atl_hop_t *hop, atl_packet_t *packet);
/* Lets messages progress; cheap; called between sublayers. */
void atl_hop_progress(atl_hop_t *hop);
bool atl_hop_is_idle(atl_hop_t *hop); /* no send under way */

size_t atl_hop_bytes(const atl_hop_spec_t *spec); /* memory of the pool */

#endif
