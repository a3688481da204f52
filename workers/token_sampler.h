/* Token sampler: draws image tokens from the last stage's logits and keeps each slot's token grids until they are
 * complete.
 *
 * A candidate's first token is drawn from the logits of its prefix's last row, which are kept per prefix. A draw
 * depends only on (logits, seed, prompt key, sample, position); see model/transformer/sampler. All functions are local.
 *
 *     ATL_TRY(atl_token_sampler_begin(sampler, packet));            BEGIN packet: draws first tokens
 *     ATL_TRY(atl_token_sampler_step(sampler, slot, logits));       then one token per candidate
 *     if (atl_token_sampler_is_whole(sampler, slot)) grids = atl_token_sampler_grids(sampler, slot);
 */
#ifndef ATL_WORKERS_TOKEN_SAMPLER_H
#define ATL_WORKERS_TOKEN_SAMPLER_H

#include "model/transformer/sampler.h"
#include "partition/hop.h"
#include "workers/layout.h"

typedef struct atl_token_sampler atl_token_sampler_t;

/* n_codes = V_i, n_ids = V_T + V_i. Borrows job and layout for its life. MEMORY. Caller owns. */
atl_status_t atl_token_sampler_new(const atl_job_t *job, const atl_layout_t *layout, int32_t n_codes, int32_t n_ids,
                                   atl_token_sampler_t **sampler);
void atl_token_sampler_destroy(atl_token_sampler_t **sampler);

/* Stores logits(V_i) of the prefix's last row. Borrows. */
void atl_token_sampler_keep_prefix(atl_token_sampler_t *sampler, int32_t prefix, const float *logits);
/* For a BEGIN packet: stores the slot's candidates and draws their first tokens. INPUT when the packet does not fit the
 * job, NUMERIC as atl_sampler_draw. */
atl_status_t atl_token_sampler_begin(atl_token_sampler_t *sampler, const atl_packet_t *packet);
/* Draws the slot's next tokens from logits(n_streams * n, V_i), which it overwrites. INPUT when the slot has not begun
 * or is complete, NUMERIC as atl_sampler_draw. */
atl_status_t atl_token_sampler_step(atl_token_sampler_t *sampler, int32_t slot, float *logits);

/* The slot's n tokens drawn last; borrowed until its next draw. */
const int32_t *atl_token_sampler_codes(const atl_token_sampler_t *sampler, int32_t slot, int32_t *n);
/* Are the slot's token grids complete? */
bool atl_token_sampler_is_whole(const atl_token_sampler_t *sampler, int32_t slot);
/* The slot's token grids; borrowed until its next BEGIN. */
atl_grids_t atl_token_sampler_grids(atl_token_sampler_t *sampler, int32_t slot);

#endif
