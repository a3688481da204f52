/* Work that is not yet in the ring waits in a queue, in order: prefixes to prefill, slots to begin, and (probe) images
 * to feed. Slots that got their codes wait in another. The two take turns, so that prefill does not stall running slots
 * and they do not starve it. Slots with the same prompts share prefixes by count of users. */
#include "workers/feed.h"

#include <string.h>

typedef enum { SLOT_FREE, SLOT_ASKED, SLOT_QUEUED, SLOT_IN_RING, SLOT_READY } slot_state_t;

typedef struct {
  slot_state_t state;
  int32_t n_candidates;
  int32_t n_drawn;             /* image codes known, primed ones included */
  atl_candidate_t *candidates; /* (b) */
  int32_t *codes;              /* (b): the last drawn */
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
  int32_t i_position; /* next row of a prefix, next image code */
  int32_t i_candidate;
} item_t;

struct atl_feed {
  const atl_job_t *job;
  const atl_layout_t *layout;
  atl_arena_t arena;
  slot_t *slots;      /* (M) */
  prefix_t *prefixes; /* (n_prefixes) */
  item_t *items;      /* ring buffer of waiting work */
  int32_t first_item, n_items, max_items;
  int32_t *ready; /* (M) ring buffer of slots */
  int32_t first_ready, n_ready;
  bool has_stepped; /* the last packet was a step: it is the queue's turn */
};

static atl_status_t take_tables(atl_feed_t *f) {
  const atl_layout_t *l = f->layout;
  f->max_items = l->n_prefixes + 2 * l->n_slots;
  ATL_TRY(ATL_TAKE(&f->arena, l->n_slots, &f->slots));
  ATL_TRY(ATL_TAKE(&f->arena, l->n_prefixes, &f->prefixes));
  ATL_TRY(ATL_TAKE(&f->arena, f->max_items, &f->items));
  ATL_TRY(ATL_TAKE(&f->arena, l->n_slots, &f->ready));
  for (int32_t s = 0; s < l->n_slots; s++) {
    ATL_TRY(ATL_TAKE(&f->arena, l->microbatch, &f->slots[s].candidates));
    ATL_TRY(ATL_TAKE(&f->arena, l->microbatch, &f->slots[s].codes));
  }
  for (int32_t k = 0; k < l->n_prefixes; k++) f->prefixes[k].prompt = NO_PROMPT;
  return ATL_OK;
}

atl_status_t atl_feed_new(const atl_job_t *job, const atl_layout_t *layout, atl_feed_t **feed) {
  *feed = NULL;
  ATL_TRY(ATL_NEW(1, feed));
  (*feed)->job = job;
  (*feed)->layout = layout;
  atl_status_t status = take_tables(*feed);
  if (status != ATL_OK) atl_feed_destroy(feed);
  return status;
}

void atl_feed_destroy(atl_feed_t **feed) {
  if (*feed == NULL) return;
  atl_arena_clear(&(*feed)->arena);
  ATL_DESTROY(feed);
}

static void push_item(atl_feed_t *f, item_kind_t kind, int32_t index) {
  ATL_ASSERT(f->n_items < f->max_items);
  f->items[(f->first_item + f->n_items++) % f->max_items] = (item_t){.kind = kind, .index = index};
}

static item_t *first_item(atl_feed_t *f) { return &f->items[f->first_item]; }

static void pop_item(atl_feed_t *f) {
  f->first_item = (f->first_item + 1) % f->max_items;
  f->n_items--;
}

/* Index of the store that holds the prompt, or -1. */
static int32_t find_prefix(const atl_feed_t *f, int32_t prompt) {
  for (int32_t k = 0; k < f->layout->n_prefixes; k++)
    if (f->prefixes[k].prompt == prompt) return k;
  return -1;
}

/* A store nobody uses, an empty one first; -1 when all are in use. */
static int32_t find_unused_prefix(const atl_feed_t *f) {
  int32_t n_shared = f->layout->n_prefixes - (f->layout->null_prefix >= 0), unused = -1;
  for (int32_t k = n_shared - 1; k >= 0; k--)
    if (f->prefixes[k].n_users == 0 &&
        (unused < 0 || f->prefixes[k].prompt == NO_PROMPT || f->prefixes[unused].prompt != NO_PROMPT))
      unused = k;
  return unused;
}

/* One more user of the prompt's store; the prompt is queued for prefill when no store holds it. */
static atl_status_t use_prefix(atl_feed_t *f, int32_t prompt) {
  int32_t k = find_prefix(f, prompt);
  if (k < 0) {
    k = find_unused_prefix(f);
    ATL_CHECK(k >= 0, INTERNAL, "all %d text stores are in use; the plan must give one per prompt in flight",
              f->layout->n_prefixes);
    f->prefixes[k] = (prefix_t){.prompt = prompt};
    push_item(f, ITEM_PREFILL, k);
  }
  f->prefixes[k].n_users++;
  return ATL_OK;
}

static void prefill_null_text_once(atl_feed_t *f) {
  int32_t k = f->layout->null_prefix;
  if (k < 0 || f->prefixes[k].prompt == NULL_PROMPT) return;
  f->prefixes[k] = (prefix_t){.prompt = NULL_PROMPT, .n_users = 1};
  push_item(f, ITEM_PREFILL, k);
}

static int32_t find_slot(const atl_feed_t *f, slot_state_t state) {
  for (int32_t s = 0; s < f->layout->n_slots; s++)
    if (f->slots[s].state == state) return s;
  return -1;
}

static atl_status_t check_assignment(const atl_feed_t *f, const atl_assignment_t *assignment) {
  const atl_layout_t *l = f->layout;
  ATL_CHECK(assignment->n_candidates > 0 && assignment->n_candidates <= l->microbatch, INPUT,
            "assignment of %d candidates does not fit a slot of %d", assignment->n_candidates, l->microbatch);
  ATL_CHECK(find_slot(f, SLOT_ASKED) >= 0, INPUT, "work came that no slot asked for");
  for (int32_t i = 0; i < assignment->n_candidates; i++)
    ATL_CHECK(assignment->candidates[i].prompt >= 0 && assignment->candidates[i].prompt < f->job->n_prompts, INPUT,
              "assignment names prompt %d of %d", assignment->candidates[i].prompt, f->job->n_prompts);
  return ATL_OK;
}

atl_status_t atl_feed_assign(atl_feed_t *f, const atl_assignment_t *assignment) {
  ATL_TRY(check_assignment(f, assignment));
  int32_t i_slot = find_slot(f, SLOT_ASKED);
  slot_t *slot = &f->slots[i_slot];
  prefill_null_text_once(f);
  for (int32_t i = 0; i < assignment->n_candidates; i++) {
    ATL_TRY(use_prefix(f, assignment->candidates[i].prompt));
    slot->candidates[i] = assignment->candidates[i];
  }
  slot->n_candidates = assignment->n_candidates;
  slot->n_drawn = f->layout->n_prime;
  slot->state = SLOT_QUEUED;
  push_item(f, ITEM_BEGIN, i_slot);
  if (f->job->wants_logits) push_item(f, ITEM_IMAGE, i_slot);
  return ATL_OK;
}

atl_status_t atl_feed_accept_codes(atl_feed_t *f, int32_t i_slot, const int32_t *codes, int32_t n) {
  ATL_CHECK(i_slot >= 0 && i_slot < f->layout->n_slots && f->slots[i_slot].state == SLOT_IN_RING &&
                f->slots[i_slot].n_candidates == n,
            INPUT, "%d codes came for slot %d, which does not wait for them", n, i_slot);
  slot_t *slot = &f->slots[i_slot];
  memcpy(slot->codes, codes, (size_t)n * sizeof *codes);
  if (++slot->n_drawn < f->layout->image_length) {
    slot->state = SLOT_READY;
    f->ready[(f->first_ready + f->n_ready++) % f->layout->n_slots] = i_slot;
    return ATL_OK;
  }
  for (int32_t i = 0; i < n; i++) f->prefixes[find_prefix(f, slot->candidates[i].prompt)].n_users--;
  slot->state = SLOT_FREE;
  return ATL_OK;
}

int32_t atl_feed_ask(atl_feed_t *f) {
  int32_t n = 0;
  for (int32_t s; (s = find_slot(f, SLOT_FREE)) >= 0; n++) f->slots[s].state = SLOT_ASKED;
  return n;
}

bool atl_feed_is_ready(const atl_feed_t *f) { return f->n_items > 0 || f->n_ready > 0; }

/* Rows of waiting prefixes, as many as fit, each prefix in order of position: begin symbol, text, primed codes. */
static void fill_prefill(atl_feed_t *f, atl_packet_t *packet, int32_t *tokens) {
  const atl_layout_t *l = f->layout;
  int32_t n = 0;
  while (n < l->max_rows && f->n_items > 0 && first_item(f)->kind == ITEM_PREFILL) {
    item_t *item = first_item(f);
    int32_t prompt = f->prefixes[item->index].prompt, p = item->i_position++;
    const int32_t *ids = prompt == NULL_PROMPT ? f->job->null_ids : f->job->prompts[prompt].ids;
    bool is_text = p <= l->text_length;
    packet->rows[n] = (atl_packet_row_t){is_text ? item->index : atl_layout_prime_store(l, item->index), p};
    tokens[n++] = p == 0 ? 0 : is_text ? ids[p - 1] : f->job->prime[p - l->text_length - 1];
    if (p == atl_layout_last_prefix_position(l)) pop_item(f);
  }
  *packet->header = (atl_packet_header_t){.kind = ATL_PACKET_ROWS, .slot = -1, .n_rows = n};
}

/* A row per store: {store, prefix}, and in draws {prompt, sample}, also for the null companions. */
static void fill_begin(atl_feed_t *f, atl_packet_t *packet) {
  const atl_layout_t *l = f->layout;
  int32_t i_slot = first_item(f)->index, n = 0;
  slot_t *slot = &f->slots[i_slot];
  for (int32_t stream = 0; stream < l->n_streams; stream++)
    for (int32_t i = 0; i < slot->n_candidates; i++, n++) {
      atl_candidate_t candidate = slot->candidates[i];
      int32_t prefix = stream == 0 ? find_prefix(f, candidate.prompt) : l->null_prefix;
      packet->rows[n] = (atl_packet_row_t){atl_layout_store(l, i_slot, stream, i), prefix};
      packet->draws[n] = (atl_packet_row_t){candidate.prompt, candidate.sample};
    }
  *packet->header = (atl_packet_header_t){.kind = ATL_PACKET_BEGIN, .slot = i_slot, .n_rows = n};
  slot->state = SLOT_IN_RING;
  pop_item(f);
}

/* Probe: the given codes of the slot's candidates, each in order of position. The row that would predict a position
 * after the last is left out; a packet may come out empty. */
static void fill_image(atl_feed_t *f, atl_packet_t *packet, int32_t *tokens) {
  const atl_layout_t *l = f->layout;
  item_t *item = first_item(f);
  const slot_t *slot = &f->slots[item->index];
  int32_t n = 0;
  while (n < l->max_rows && item->i_candidate < slot->n_candidates) {
    const atl_forced_image_t *image = &f->job->forced[slot->candidates[item->i_candidate].prompt];
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
  if (item->i_candidate == slot->n_candidates) pop_item(f);
}

/* The next position of the slot that has waited longest with its codes. */
static void fill_step(atl_feed_t *f, atl_packet_t *packet, int32_t *tokens) {
  const atl_layout_t *l = f->layout;
  int32_t i_slot = f->ready[f->first_ready], n = 0;
  slot_t *slot = &f->slots[i_slot];
  f->first_ready = (f->first_ready + 1) % l->n_slots;
  f->n_ready--;
  for (int32_t stream = 0; stream < l->n_streams; stream++)
    for (int32_t i = 0; i < slot->n_candidates; i++) {
      packet->rows[n] = (atl_packet_row_t){atl_layout_store(l, i_slot, stream, i), l->text_length + slot->n_drawn};
      tokens[n++] = slot->codes[i];
    }
  *packet->header = (atl_packet_header_t){.kind = ATL_PACKET_ROWS, .slot = i_slot, .n_rows = n};
  slot->state = SLOT_IN_RING;
}

void atl_feed_fill(atl_feed_t *f, atl_packet_t *packet, int32_t *tokens) {
  bool is_step = f->n_ready > 0 && (f->n_items == 0 || !f->has_stepped);
  f->has_stepped = is_step;
  if (is_step) {
    fill_step(f, packet, tokens);
    return;
  }
  switch (first_item(f)->kind) {
  case ITEM_PREFILL: fill_prefill(f, packet, tokens); break;
  case ITEM_BEGIN: fill_begin(f, packet); break;
  case ITEM_IMAGE: fill_image(f, packet, tokens); break;
  }
}
