/* Layout: how a pipeline numbers its stores and packs its packets; shared by the stages, which must agree.
 *
 * Text stores (prefixes) 0..n_prefixes-1; the last one holds the null text when the job is guided. Image stores: slot s
 * has n_streams * b of them: b candidates, then b null companions. After the slots' stores, when the job is primed,
 * comes one store per prefix with the primed codes, computed once and copied to each candidate.
 */
#ifndef ATL_WORKERS_LAYOUT_H
#define ATL_WORKERS_LAYOUT_H

#include "model/checkpoint/config.h"
#include "partition/plan.h"
#include "proto/wire.h"

typedef struct {
  int32_t text_length, image_length; /* T, I */
  int32_t microbatch, n_slots;       /* b, M */
  int32_t n_streams;                 /* 2 with guidance, else 1 */
  int32_t n_prefixes, null_prefix;   /* null_prefix: -1 without guidance */
  int32_t n_prime;
  int32_t n_image_stores;
  int32_t max_rows; /* of a packet */
} atl_layout_t;

/* Do its sizes fit one another? */
bool atl_layout_is_valid(const atl_layout_t *layout);

/* Of a valid plan and a job that was checked against the model. */
void atl_layout_init(const atl_job_t *job, const atl_plan_t *plan, const atl_transformer_config_t *config,
                     atl_layout_t *layout);

static inline int32_t atl_layout_store(const atl_layout_t *l, int32_t slot, int32_t stream, int32_t i_candidate) {
  return (slot * l->n_streams + stream) * l->microbatch + i_candidate;
}
static inline int32_t atl_layout_prime_store(const atl_layout_t *l, int32_t prefix) {
  return l->n_slots * l->n_streams * l->microbatch + prefix;
}
/* Position of the last row of a prefix: begin symbol, text, primed codes. Its logits draw the first code. */
static inline int32_t atl_layout_last_prefix_position(const atl_layout_t *l) { return l->text_length + l->n_prime; }

#endif
