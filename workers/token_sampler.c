#include "workers/token_sampler.h"

#include <string.h>

typedef struct {
  int32_t n_candidates, n_drawn;
  int32_t *codes;    /* (b): tokens drawn last */
  atl_grid_t *grids; /* (b): token grids, each a row of cells */
  uint16_t *cells;   /* (b, I) */
} slot_t;

struct atl_token_sampler {
  const atl_job_t *job;
  const atl_layout_t *layout;
  atl_arena_t arena;
  atl_sampler_t *sampler;
  int32_t n_codes;
  float *prefix_logits; /* (n_prefixes, V_i) */
  float *scratch;       /* (2, V_i): copies of prefix logits, since drawing overwrites its input */
  slot_t *slots;        /* (M) */
};

static atl_status_t init_tables(atl_token_sampler_t *t) {
  const atl_layout_t *l = t->layout;
  size_t n_codes = (size_t)t->n_codes, b = (size_t)l->microbatch, n_cells = b * (size_t)l->image_length;
  ATL_TRY(ATL_TAKE(&t->arena, (size_t)l->n_prefixes * n_codes, &t->prefix_logits));
  ATL_TRY(ATL_TAKE(&t->arena, 2 * n_codes, &t->scratch));
  ATL_TRY(ATL_TAKE(&t->arena, l->n_slots, &t->slots));
  for (int32_t s = 0; s < l->n_slots; s++) {
    slot_t *slot = &t->slots[s];
    ATL_TRY(ATL_TAKE(&t->arena, b, &slot->codes));
    ATL_TRY(ATL_TAKE(&t->arena, b, &slot->grids));
    ATL_TRY(ATL_TAKE(&t->arena, n_cells, &slot->cells));
    for (size_t i = 0; i < b; i++) {
      slot->grids[i].codes = slot->cells + i * (size_t)l->image_length;
      slot->grids[i].n_codes = l->image_length;
    }
  }
  return ATL_OK;
}

static atl_status_t init_sampler(atl_token_sampler_t *t, int32_t n_ids) {
  return atl_sampler_new(&t->job->sampling, t->n_codes, n_ids, &t->sampler);
}

atl_status_t atl_token_sampler_new(const atl_job_t *job, const atl_layout_t *layout, int32_t n_codes, int32_t n_ids,
                                   atl_token_sampler_t **sampler) {
  *sampler = NULL;
  ATL_TRY(ATL_NEW(1, sampler));
  (*sampler)->job = job;
  (*sampler)->layout = layout;
  (*sampler)->n_codes = n_codes;
  atl_status_t status = init_tables(*sampler);
  if (status == ATL_OK) status = init_sampler(*sampler, n_ids);
  if (status != ATL_OK) atl_token_sampler_destroy(sampler);
  return status;
}

void atl_token_sampler_destroy(atl_token_sampler_t **sampler) {
  if (*sampler == NULL) return;
  atl_sampler_destroy(&(*sampler)->sampler);
  atl_arena_clear(&(*sampler)->arena);
  ATL_DESTROY(sampler);
}

void atl_token_sampler_keep_prefix(atl_token_sampler_t *t, int32_t prefix, const float *logits) {
  memcpy(t->prefix_logits + (size_t)prefix * (size_t)t->n_codes, logits, (size_t)t->n_codes * sizeof *logits);
}

static atl_status_t draw(atl_token_sampler_t *t, slot_t *slot, int32_t i, float *logits, const float *null_logits) {
  const atl_candidate_t *candidate = &slot->grids[i].candidate;
  const atl_prompt_t *prompt = &t->job->prompts[candidate->prompt];
  atl_draw_t what = {prompt->seed, prompt->key, (uint32_t)candidate->sample, (uint32_t)slot->n_drawn, prompt->id};
  int32_t code;
  ATL_TRY(atl_sampler_draw(t->sampler, logits, null_logits, &what, &code));
  slot->codes[i] = code;
  slot->cells[(size_t)i * (size_t)t->layout->image_length + (size_t)slot->n_drawn] = (uint16_t)code;
  return ATL_OK;
}

static void begin_grid(atl_token_sampler_t *t, slot_t *slot, int32_t i, atl_candidate_t candidate) {
  slot->grids[i].candidate = candidate;
  for (int32_t j = 0; j < t->layout->n_prime; j++)
    slot->cells[(size_t)i * (size_t)t->layout->image_length + (size_t)j] = (uint16_t)t->job->prime[j];
}

atl_status_t atl_token_sampler_begin(atl_token_sampler_t *t, const atl_packet_t *packet) {
  const atl_layout_t *l = t->layout;
  int32_t i_slot = packet->header->slot, n = packet->header->n_rows / l->n_streams;
  slot_t *slot = &t->slots[i_slot];
  slot->n_candidates = n;
  slot->n_drawn = l->n_prime;
  for (int32_t i = 0; i < n; i++) {
    atl_candidate_t candidate = {packet->candidates[i].prompt, packet->candidates[i].sample};
    ATL_CHECK(candidate.prompt >= 0 && candidate.prompt < t->job->n_prompts, INPUT,
              "BEGIN packet names prompt %d of %d", candidate.prompt, t->job->n_prompts);
    begin_grid(t, slot, i, candidate);
    size_t n_bytes = (size_t)t->n_codes * sizeof(float);
    float *logits = t->scratch, *null_logits = l->n_streams == 2 ? t->scratch + t->n_codes : NULL;
    memcpy(logits, t->prefix_logits + (size_t)packet->stores[i].prefix * (size_t)t->n_codes, n_bytes);
    if (null_logits) memcpy(null_logits, t->prefix_logits + (size_t)l->null_prefix * (size_t)t->n_codes, n_bytes);
    ATL_TRY(draw(t, slot, i, logits, null_logits));
  }
  slot->n_drawn++;
  return ATL_OK;
}

atl_status_t atl_token_sampler_step(atl_token_sampler_t *t, int32_t i_slot, float *logits) {
  slot_t *slot = &t->slots[i_slot];
  ATL_CHECK(slot->n_candidates > 0 && slot->n_drawn < t->layout->image_length, INPUT,
            "logits came for slot %d, which has %d candidates and %d of %d tokens", i_slot, slot->n_candidates,
            slot->n_drawn, t->layout->image_length);
  size_t width = (size_t)t->n_codes;
  for (int32_t i = 0; i < slot->n_candidates; i++) {
    const float *null_logits = t->layout->n_streams == 2 ? logits + (size_t)(slot->n_candidates + i) * width : NULL;
    ATL_TRY(draw(t, slot, i, logits + (size_t)i * width, null_logits));
  }
  slot->n_drawn++;
  return ATL_OK;
}

const int32_t *atl_token_sampler_codes(const atl_token_sampler_t *t, int32_t slot, int32_t *n) {
  *n = t->slots[slot].n_candidates;
  return t->slots[slot].codes;
}

bool atl_token_sampler_is_whole(const atl_token_sampler_t *t, int32_t slot) {
  return t->slots[slot].n_drawn == t->layout->image_length;
}

atl_grids_t atl_token_sampler_grids(atl_token_sampler_t *t, int32_t slot) {
  return (atl_grids_t){t->slots[slot].grids, t->slots[slot].n_candidates};
}
