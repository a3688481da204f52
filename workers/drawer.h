/* Drawer: what the last stage does with logits: draws image codes, keeps each slot's grid until it is whole.
 *
 * The first code of every candidate is drawn from the last row of its prefix, whose logits are kept per prefix. A draw
 * is a function of (logits, seed, prompt key, sample, position) alone (model/transformer/sampler).
 */
#ifndef ATL_WORKERS_DRAWER_H
#define ATL_WORKERS_DRAWER_H

#include "model/transformer/sampler.h"
#include "partition/hop.h"
#include "workers/layout.h"

typedef struct atl_drawer atl_drawer_t;

/* n_codes = V_i, n_ids = V_T + V_i. Borrows job and layout. Caller owns. */
atl_status_t atl_drawer_new(const atl_job_t *job, const atl_layout_t *layout, int32_t n_codes, int32_t n_ids,
                            atl_drawer_t **drawer);
void atl_drawer_destroy(atl_drawer_t **drawer);

/* Keeps logits(V_i) as the prefix's. */
void atl_drawer_keep_prefix(atl_drawer_t *drawer, int32_t prefix, const float *logits);
/* A BEGIN packet: remembers the slot's candidates and draws their first codes. INPUT when it does not fit the job, NUMERIC as atl_sampler_draw. */
atl_status_t atl_drawer_begin(atl_drawer_t *drawer, const atl_packet_t *packet);
/* A slot's logits(n_streams * n, V_i), overwritten -> its next codes. INPUT when the slot has not begun, NUMERIC as atl_sampler_draw.
 */
atl_status_t atl_drawer_step(atl_drawer_t *drawer, int32_t slot, float *logits);

/* Of the slot last begun or stepped: its codes just drawn (n), and whether its grids are whole. Borrowed until the next
 * call. */
const int32_t *atl_drawer_codes(const atl_drawer_t *drawer, int32_t slot, int32_t *n);
bool atl_drawer_is_whole(const atl_drawer_t *drawer, int32_t slot);
/* The slot's grids; borrowed until its next begin. */
atl_grids_t atl_drawer_grids(atl_drawer_t *drawer, int32_t slot);

#endif
