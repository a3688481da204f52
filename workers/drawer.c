#include "workers/drawer.h"

#include <string.h>

typedef struct {
  int32_t n_candidates, n_drawn;
  int32_t *codes;    /* (b): the last drawn */
  atl_grid_t *grids; /* (b), with their codes (I) */
  uint16_t *cells;   /* (b, I) */
} slot_t;

struct atl_drawer {
  const atl_job_t *job;
  const atl_layout_t *layout;
  atl_arena_t arena;
  atl_sampler_t *sampler;
  int32_t n_codes;
  float *prefix_logits; /* (n_prefixes, V_i) */
  float *scratch;       /* (2, V_i): drawing overwrites */
  slot_t *slots;        /* (M) */
};

static atl_status_t take_tables(atl_drawer_t *d) {
  const atl_layout_t *l = d->layout;
  size_t n_codes = (size_t)d->n_codes, b = (size_t)l->microbatch, n_cells = b * (size_t)l->image_length;
  ATL_TRY(ATL_TAKE(&d->arena, (size_t)l->n_prefixes * n_codes, &d->prefix_logits));
  ATL_TRY(ATL_TAKE(&d->arena, 2 * n_codes, &d->scratch));
  ATL_TRY(ATL_TAKE(&d->arena, l->n_slots, &d->slots));
  for (int32_t s = 0; s < l->n_slots; s++) {
    slot_t *slot = &d->slots[s];
    ATL_TRY(ATL_TAKE(&d->arena, b, &slot->codes));
    ATL_TRY(ATL_TAKE(&d->arena, b, &slot->grids));
    ATL_TRY(ATL_TAKE(&d->arena, n_cells, &slot->cells));
    for (size_t i = 0; i < b; i++) {
      slot->grids[i].codes = slot->cells + i * (size_t)l->image_length;
      slot->grids[i].n_codes = l->image_length;
    }
  }
  return ATL_OK;
}

static atl_status_t make_sampler(atl_drawer_t *d, int32_t n_ids) {
  return atl_sampler_new(&d->job->sampling, d->n_codes, n_ids, &d->sampler);
}

atl_status_t atl_drawer_new(const atl_job_t *job, const atl_layout_t *layout, int32_t n_codes, int32_t n_ids,
                            atl_drawer_t **drawer) {
  *drawer = NULL;
  ATL_TRY(ATL_NEW(1, drawer));
  (*drawer)->job = job;
  (*drawer)->layout = layout;
  (*drawer)->n_codes = n_codes;
  atl_status_t status = take_tables(*drawer);
  if (status == ATL_OK) status = make_sampler(*drawer, n_ids);
  if (status != ATL_OK) atl_drawer_destroy(drawer);
  return status;
}

void atl_drawer_destroy(atl_drawer_t **drawer) {
  if (*drawer == NULL) return;
  atl_sampler_destroy(&(*drawer)->sampler);
  atl_arena_clear(&(*drawer)->arena);
  ATL_DESTROY(drawer);
}

void atl_drawer_keep_prefix(atl_drawer_t *d, int32_t prefix, const float *logits) {
  memcpy(d->prefix_logits + (size_t)prefix * (size_t)d->n_codes, logits, (size_t)d->n_codes * sizeof *logits);
}

static atl_status_t draw(atl_drawer_t *d, slot_t *slot, int32_t i, float *logits, const float *null_logits) {
  const atl_candidate_t *candidate = &slot->grids[i].candidate;
  const atl_prompt_t *prompt = &d->job->prompts[candidate->prompt];
  atl_draw_t what = {prompt->seed, prompt->key, (uint32_t)candidate->sample, (uint32_t)slot->n_drawn, prompt->id};
  int32_t code;
  ATL_TRY(atl_sampler_draw(d->sampler, logits, null_logits, &what, &code));
  slot->codes[i] = code;
  slot->cells[(size_t)i * (size_t)d->layout->image_length + (size_t)slot->n_drawn] = (uint16_t)code;
  return ATL_OK;
}

static void begin_grid(atl_drawer_t *d, slot_t *slot, int32_t i, atl_candidate_t candidate) {
  slot->grids[i].candidate = candidate;
  for (int32_t j = 0; j < d->layout->n_prime; j++)
    slot->cells[(size_t)i * (size_t)d->layout->image_length + (size_t)j] = (uint16_t)d->job->prime[j];
}

atl_status_t atl_drawer_begin(atl_drawer_t *d, const atl_packet_t *packet) {
  const atl_layout_t *l = d->layout;
  int32_t i_slot = packet->header->slot, n = packet->header->n_rows / l->n_streams;
  slot_t *slot = &d->slots[i_slot];
  const atl_packet_row_t *candidates = packet->draws;
  slot->n_candidates = n;
  slot->n_drawn = l->n_prime;
  for (int32_t i = 0; i < n; i++) {
    ATL_CHECK(candidates[i].sequence >= 0 && candidates[i].sequence < d->job->n_prompts, INPUT,
              "a slot begins with prompt %d of %d", candidates[i].sequence, d->job->n_prompts);
    begin_grid(d, slot, i, (atl_candidate_t){candidates[i].sequence, candidates[i].position});
    size_t n_bytes = (size_t)d->n_codes * sizeof(float);
    float *logits = d->scratch, *null_logits = l->n_streams == 2 ? d->scratch + d->n_codes : NULL;
    memcpy(logits, d->prefix_logits + (size_t)packet->rows[i].position * (size_t)d->n_codes, n_bytes);
    if (null_logits) memcpy(null_logits, d->prefix_logits + (size_t)l->null_prefix * (size_t)d->n_codes, n_bytes);
    ATL_TRY(draw(d, slot, i, logits, null_logits));
  }
  slot->n_drawn++;
  return ATL_OK;
}

atl_status_t atl_drawer_step(atl_drawer_t *d, int32_t i_slot, float *logits) {
  slot_t *slot = &d->slots[i_slot];
  ATL_CHECK(slot->n_candidates > 0 && slot->n_drawn < d->layout->image_length, INPUT,
            "slot %d takes a step that is none of its", i_slot);
  size_t width = (size_t)d->n_codes;
  for (int32_t i = 0; i < slot->n_candidates; i++) {
    const float *null_logits = d->layout->n_streams == 2 ? logits + (size_t)(slot->n_candidates + i) * width : NULL;
    ATL_TRY(draw(d, slot, i, logits + (size_t)i * width, null_logits));
  }
  slot->n_drawn++;
  return ATL_OK;
}

const int32_t *atl_drawer_codes(const atl_drawer_t *d, int32_t slot, int32_t *n) {
  *n = d->slots[slot].n_candidates;
  return d->slots[slot].codes;
}

bool atl_drawer_is_whole(const atl_drawer_t *d, int32_t slot) {
  return d->slots[slot].n_drawn == d->layout->image_length;
}

atl_grids_t atl_drawer_grids(atl_drawer_t *d, int32_t slot) {
  return (atl_grids_t){d->slots[slot].grids, d->slots[slot].n_candidates};
}
