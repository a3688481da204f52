/* There are two queues. `waiting` holds, in order, prefixes to prefill, slots to begin and (probe) given images to
 * evaluate; `stepping` holds the slots whose drawn tokens have arrived. Packets come from the two in turn, so neither
 * prefill nor running slots starve the other. Slots of the same prompt share its text store; a store that has users is
 * not replaced. */
#include "workers/injector.h"

#include <string.h>

#include "common/fifo.h"

typedef enum { SLOT_FREE, SLOT_ASKED, SLOT_QUEUED, SLOT_IN_RING, SLOT_READY } slot_state_t;

typedef struct {
  slot_state_t state;
  int32_t n_candidates;
  int32_t n_drawn;             /* image tokens known, including the prime */
  atl_candidate_t *candidates; /* (b) */
  int32_t *codes;              /* (b): tokens drawn last */
} slot_t;

enum { NO_PROMPT = -1, NULL_PROMPT = -2 };

typedef struct {
  int32_t prompt; /* NO_PROMPT, NULL_PROMPT or an index */
  int32_t n_users;
} prefix_t;

typedef enum { ITEM_PREFILL, ITEM_BEGIN, ITEM_IMAGE } item_kind_t;

typedef struct {
  item_kind_t kind;
  int32_t index;      /* prefix, or slot */
  int32_t i_position; /* next row of a prefix, or next image token */
  int32_t i_candidate;
} item_t;

struct atl_injector {
  const atl_job_t *job;
  const atl_layout_t *layout;
  atl_arena_t arena;
  slot_t *slots;      /* (M) */
  prefix_t *prefixes; /* (n_prefixes) */
  item_t *items;      /* work not yet in the pipeline; `waiting` indexes it */
  atl_fifo_t waiting;
  int32_t *ready; /* (M) slots with tokens to embed; `stepping` indexes it */
  atl_fifo_t stepping;
  bool has_stepped; /* the last packet was a step, so `waiting` is next */
};

static atl_status_t init(atl_injector_t *in) {
  const atl_layout_t *l = in->layout;
  in->waiting.capacity = l->n_prefixes + 2 * l->n_slots;
  in->stepping.capacity = l->n_slots;
  ATL_TRY(ATL_TAKE(&in->arena, l->n_slots, &in->slots));
  ATL_TRY(ATL_TAKE(&in->arena, l->n_prefixes, &in->prefixes));
  ATL_TRY(ATL_TAKE(&in->arena, in->waiting.capacity, &in->items));
  ATL_TRY(ATL_TAKE(&in->arena, l->n_slots, &in->ready));
  for (int32_t s = 0; s < l->n_slots; s++) {
    ATL_TRY(ATL_TAKE(&in->arena, l->microbatch, &in->slots[s].candidates));
    ATL_TRY(ATL_TAKE(&in->arena, l->microbatch, &in->slots[s].codes));
  }
  for (int32_t k = 0; k < l->n_prefixes; k++) in->prefixes[k].prompt = NO_PROMPT;
  return ATL_OK;
}

atl_status_t atl_injector_new(const atl_job_t *job, const atl_layout_t *layout, atl_injector_t **injector) {
  *injector = NULL;
  ATL_TRY(ATL_NEW(1, injector));
  (*injector)->job = job;
  (*injector)->layout = layout;
  atl_status_t status = init(*injector);
  if (status != ATL_OK) atl_injector_destroy(injector);
  return status;
}

void atl_injector_destroy(atl_injector_t **injector) {
  if (*injector == NULL) return;
  atl_arena_clear(&(*injector)->arena);
  ATL_DESTROY(injector);
}

static void push_item(atl_injector_t *in, item_kind_t kind, int32_t index) {
  in->items[atl_fifo_push(&in->waiting)] = (item_t){.kind = kind, .index = index};
}

static item_t *first_item(atl_injector_t *in) { return &in->items[atl_fifo_at(&in->waiting, 0)]; }

static void pop_item(atl_injector_t *in) { (void)atl_fifo_pop(&in->waiting); }

/* Index of the text store that holds the prompt, or -1. */
static int32_t find_prefix(const atl_injector_t *in, int32_t prompt) {
  for (int32_t k = 0; k < in->layout->n_prefixes; k++)
    if (in->prefixes[k].prompt == prompt) return k;
  return -1;
}

/* A text store without users, preferably an empty one; -1 when all are in use. */
static int32_t find_unused_prefix(const atl_injector_t *in) {
  int32_t n_shared = in->layout->n_prefixes - (in->layout->null_prefix >= 0), unused = -1;
  for (int32_t k = n_shared - 1; k >= 0; k--)
    if (in->prefixes[k].n_users == 0 &&
        (unused < 0 || in->prefixes[k].prompt == NO_PROMPT || in->prefixes[unused].prompt != NO_PROMPT))
      unused = k;
  return unused;
}

/* Adds a user to the prompt's store; when no store holds the prompt, assigns one and queues its prefill. */
static atl_status_t use_prefix(atl_injector_t *in, int32_t prompt) {
  int32_t k = find_prefix(in, prompt);
  if (k < 0) {
    k = find_unused_prefix(in);
    ATL_CHECK(k >= 0, INTERNAL, "all %d text stores are in use; expected a plan with one for each prompt in flight",
              in->layout->n_prefixes);
    in->prefixes[k] = (prefix_t){.prompt = prompt};
    push_item(in, ITEM_PREFILL, k);
  }
  in->prefixes[k].n_users++;
  return ATL_OK;
}

static void prefill_null_text_once(atl_injector_t *in) {
  int32_t k = in->layout->null_prefix;
  if (k < 0 || in->prefixes[k].prompt == NULL_PROMPT) return;
  in->prefixes[k] = (prefix_t){.prompt = NULL_PROMPT, .n_users = 1};
  push_item(in, ITEM_PREFILL, k);
}

static int32_t find_slot(const atl_injector_t *in, slot_state_t state) {
  for (int32_t s = 0; s < in->layout->n_slots; s++)
    if (in->slots[s].state == state) return s;
  return -1;
}

static atl_status_t check_assignment(const atl_injector_t *in, const atl_assignment_t *assignment) {
  const atl_layout_t *l = in->layout;
  ATL_CHECK(assignment->n_candidates > 0 && assignment->n_candidates <= l->microbatch, INPUT,
            "assignment has %d candidates; expected 1 to %d", assignment->n_candidates, l->microbatch);
  ATL_CHECK(find_slot(in, SLOT_ASKED) >= 0, INPUT, "assignment came, but no slot has asked for work");
  for (int32_t i = 0; i < assignment->n_candidates; i++)
    ATL_CHECK(assignment->candidates[i].prompt >= 0 && assignment->candidates[i].prompt < in->job->n_prompts, INPUT,
              "assignment names prompt %d of %d", assignment->candidates[i].prompt, in->job->n_prompts);
  return ATL_OK;
}

atl_status_t atl_injector_assign(atl_injector_t *in, const atl_assignment_t *assignment) {
  ATL_TRY(check_assignment(in, assignment));
  int32_t i_slot = find_slot(in, SLOT_ASKED);
  slot_t *slot = &in->slots[i_slot];
  prefill_null_text_once(in);
  for (int32_t i = 0; i < assignment->n_candidates; i++) {
    ATL_TRY(use_prefix(in, assignment->candidates[i].prompt));
    slot->candidates[i] = assignment->candidates[i];
  }
  slot->n_candidates = assignment->n_candidates;
  slot->n_drawn = in->layout->n_prime;
  slot->state = SLOT_QUEUED;
  push_item(in, ITEM_BEGIN, i_slot);
  if (in->job->wants_logits) push_item(in, ITEM_IMAGE, i_slot);
  return ATL_OK;
}

atl_status_t atl_injector_accept_codes(atl_injector_t *in, int32_t i_slot, const int32_t *codes, int32_t n) {
  ATL_CHECK(i_slot >= 0 && i_slot < in->layout->n_slots && in->slots[i_slot].state == SLOT_IN_RING &&
                in->slots[i_slot].n_candidates == n,
            INPUT, "%d drawn tokens came for slot %d, which does not wait for them", n, i_slot);
  slot_t *slot = &in->slots[i_slot];
  memcpy(slot->codes, codes, (size_t)n * sizeof *codes);
  if (++slot->n_drawn < in->layout->image_length) {
    slot->state = SLOT_READY;
    in->ready[atl_fifo_push(&in->stepping)] = i_slot;
    return ATL_OK;
  }
  for (int32_t i = 0; i < n; i++) in->prefixes[find_prefix(in, slot->candidates[i].prompt)].n_users--;
  slot->state = SLOT_FREE;
  return ATL_OK;
}

int32_t atl_injector_ask(atl_injector_t *in) {
  int32_t n = 0;
  for (int32_t s; (s = find_slot(in, SLOT_FREE)) >= 0; n++) in->slots[s].state = SLOT_ASKED;
  return n;
}

bool atl_injector_is_ready(const atl_injector_t *in) { return in->waiting.n > 0 || in->stepping.n > 0; }

/* Rows of waiting prefixes, as many as fit, in order of position: begin symbol, text, prime. */
static void fill_prefill(atl_injector_t *in, atl_packet_t *packet, int32_t *tokens) {
  const atl_layout_t *l = in->layout;
  int32_t n = 0;
  while (n < l->max_rows && in->waiting.n > 0 && first_item(in)->kind == ITEM_PREFILL) {
    item_t *item = first_item(in);
    int32_t prompt = in->prefixes[item->index].prompt, p = item->i_position++;
    const int32_t *ids = prompt == NULL_PROMPT ? in->job->null_ids : in->job->prompts[prompt].ids;
    bool is_text = p <= l->text_length;
    packet->rows[n] = (atl_packet_row_t){is_text ? item->index : atl_layout_prime_store(l, item->index), p};
    tokens[n++] = p == 0 ? 0 : is_text ? ids[p - 1] : in->job->prime[p - l->text_length - 1];
    if (p == atl_layout_last_prefix_position(l)) pop_item(in);
  }
  *packet->header = (atl_packet_header_t){.kind = ATL_PACKET_ROWS, .slot = -1, .n_rows = n};
}

/* A BEGIN packet: one store and one candidate per stream, so null companions have them too. */
static void fill_begin(atl_injector_t *in, atl_packet_t *packet) {
  const atl_layout_t *l = in->layout;
  int32_t i_slot = first_item(in)->index, n = 0;
  slot_t *slot = &in->slots[i_slot];
  for (int32_t stream = 0; stream < l->n_streams; stream++)
    for (int32_t i = 0; i < slot->n_candidates; i++, n++) {
      atl_candidate_t candidate = slot->candidates[i];
      int32_t prefix = stream == 0 ? find_prefix(in, candidate.prompt) : l->null_prefix;
      packet->stores[n] = (atl_packet_store_t){atl_layout_store(l, i_slot, stream, i), prefix};
      packet->candidates[n] = (atl_packet_candidate_t){candidate.prompt, candidate.sample};
    }
  *packet->header = (atl_packet_header_t){.kind = ATL_PACKET_BEGIN, .slot = i_slot, .n_rows = n};
  slot->state = SLOT_IN_RING;
  pop_item(in);
}

/* Probe: the given image tokens of the slot's candidates, each in order of position. A whole image's last token is left
 * out, since it predicts nothing; so a packet may be empty. */
static void fill_image(atl_injector_t *in, atl_packet_t *packet, int32_t *tokens) {
  const atl_layout_t *l = in->layout;
  item_t *item = first_item(in);
  const slot_t *slot = &in->slots[item->index];
  int32_t n = 0;
  while (n < l->max_rows && item->i_candidate < slot->n_candidates) {
    const atl_forced_image_t *image = &in->job->forced[slot->candidates[item->i_candidate].prompt];
    int32_t n_codes = image->n_codes < l->image_length ? image->n_codes : l->image_length - 1, j = item->i_position++;
    if (j < n_codes) {
      int32_t store = atl_layout_store(l, item->index, 0, item->i_candidate);
      packet->rows[n] = (atl_packet_row_t){store, l->text_length + 1 + j};
      tokens[n++] = image->codes[j];
    } else {
      item->i_candidate++;
      item->i_position = 0;
    }
  }
  *packet->header = (atl_packet_header_t){.kind = ATL_PACKET_ROWS, .slot = -1, .n_rows = n};
  if (item->i_candidate == slot->n_candidates) pop_item(in);
}

/* The next position of the slot whose drawn tokens have waited longest. */
static void fill_step(atl_injector_t *in, atl_packet_t *packet, int32_t *tokens) {
  const atl_layout_t *l = in->layout;
  int32_t i_slot = in->ready[atl_fifo_pop(&in->stepping)], n = 0;
  slot_t *slot = &in->slots[i_slot];
  for (int32_t stream = 0; stream < l->n_streams; stream++)
    for (int32_t i = 0; i < slot->n_candidates; i++) {
      packet->rows[n] = (atl_packet_row_t){atl_layout_store(l, i_slot, stream, i), l->text_length + slot->n_drawn};
      tokens[n++] = slot->codes[i];
    }
  *packet->header = (atl_packet_header_t){.kind = ATL_PACKET_ROWS, .slot = i_slot, .n_rows = n};
  slot->state = SLOT_IN_RING;
}

void atl_injector_fill(atl_injector_t *in, atl_packet_t *packet, int32_t *tokens) {
  bool is_step = in->stepping.n > 0 && (in->waiting.n == 0 || !in->has_stepped);
  in->has_stepped = is_step;
  if (is_step) {
    fill_step(in, packet, tokens);
    return;
  }
  switch (first_item(in)->kind) {
  case ITEM_PREFILL: fill_prefill(in, packet, tokens); break;
  case ITEM_BEGIN: fill_begin(in, packet); break;
  case ITEM_IMAGE: fill_image(in, packet, tokens); break;
  }
}
