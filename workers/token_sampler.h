/* Token sampler: draws image tokens from the last stage's logits and keeps each slot's token grids until they are
 * whole.
 *
 * The first token of every candidate is drawn from the last row of its prefix, whose logits are kept per prefix. A draw
 * is a function of (logits, seed, prompt key, sample, position) alone (model/transformer/sampler).
 */
#ifndef ATL_WORKERS_TOKEN_SAMPLER_H
#define ATL_WORKERS_TOKEN_SAMPLER_H

#include "model/transformer/sampler.h"
#include "partition/hop.h"
#include "workers/layout.h"

typedef struct atl_token_sampler atl_token_sampler_t;

/* n_codes = V_i, n_ids = V_T + V_i. Borrows job and layout. Caller owns. */
atl_status_t atl_token_sampler_new(const atl_job_t *job, const atl_layout_t *layout, int32_t n_codes, int32_t n_ids,
                                   atl_token_sampler_t **sampler);
void atl_token_sampler_destroy(atl_token_sampler_t **sampler);

/* Keeps logits(V_i) as the prefix's. */
void atl_token_sampler_keep_prefix(atl_token_sampler_t *sampler, int32_t prefix, const float *logits);
/* A BEGIN packet: remembers the slot's candidates and draws their first codes. INPUT when it does not fit the job,
 * NUMERIC as atl_sampler_draw. */
atl_status_t atl_token_sampler_begin(atl_token_sampler_t *sampler, const atl_packet_t *packet);
/* A slot's logits(n_streams * n, V_i), overwritten -> its next codes. INPUT when the slot has not begun, NUMERIC
 * as atl_sampler_draw. */
atl_status_t atl_token_sampler_step(atl_token_sampler_t *sampler, int32_t slot, float *logits);

/* Of the slot last begun or stepped: its codes just drawn (n), and whether its grids are whole. Borrowed until the next
 * call. */
const int32_t *atl_token_sampler_codes(const atl_token_sampler_t *sampler, int32_t slot, int32_t *n);
bool atl_token_sampler_is_whole(const atl_token_sampler_t *sampler, int32_t slot);
/* The slot's grids; borrowed until its next begin. */
atl_grids_t atl_token_sampler_grids(atl_token_sampler_t *sampler, int32_t slot);

#endif
