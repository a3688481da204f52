/* Layout: how a pipeline numbers its cache stores and sizes its packets. All stages of a pipeline must agree on it.
 *
 * Text stores (prefixes) are 0..n_prefixes-1; a guided job keeps the null text in the last one. Each slot has
 * n_streams * b image stores: b candidates, then, when guided, their b null companions. A primed job has one more image
 * store per prefix, after those of the slots: it holds the prime's tokens, computed once and copied to each candidate.
 *
 *     atl_layout_t layout;
 *     atl_layout_init(job, plan, &model->transformer_config, &layout);
 *     int32_t store = atl_layout_store(&layout, slot, 0, i_candidate);
 */
#ifndef ATL_WORKERS_LAYOUT_H
#define ATL_WORKERS_LAYOUT_H

#include "model/checkpoint/config.h"
#include "partition/plan.h"
#include "proto/wire.h"

typedef struct {
  int32_t text_length, image_length; /* T, I */
  int32_t microbatch, n_slots;       /* b, M */
  int32_t n_streams;                 /* rows per candidate: 2 with guidance, else 1 */
  int32_t n_prefixes, null_prefix;   /* null_prefix: -1 without guidance */
  int32_t n_prime;                   /* image tokens given */
  int32_t n_image_stores;
  int32_t max_rows; /* of a packet */
} atl_layout_t;

/* Are its sizes consistent? Local. */
bool atl_layout_is_valid(const atl_layout_t *layout);

/* Computes the layout from a valid plan and a job that was checked against the model. Local. */
void atl_layout_init(const atl_job_t *job, const atl_plan_t *plan, const atl_transformer_config_t *config,
                     atl_layout_t *layout);

static inline int32_t atl_layout_store(const atl_layout_t *l, int32_t slot, int32_t stream, int32_t i_candidate) {
  return (slot * l->n_streams + stream) * l->microbatch + i_candidate;
}
static inline int32_t atl_layout_prime_store(const atl_layout_t *l, int32_t prefix) {
  return l->n_slots * l->n_streams * l->microbatch + prefix;
}
/* Position of a prefix's last row; a prefix is the begin symbol, the text and the prime. Its logits give the first
 * drawn token. */
static inline int32_t atl_layout_last_prefix_position(const atl_layout_t *l) { return l->text_length + l->n_prime; }

#endif
