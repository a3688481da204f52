/* A word is a doubly linked list of symbols. Pairs that have a merge are in a heap ordered by merge rank, then
 * position; an entry whose pair has changed since is dropped when it is popped. A word of n symbols has at most n-1
 * merges and 3n heap entries. With merges_at_once, pairs created by a merge stay outside the heap (`waiting`) until all
 * entries of its merge rank are done. */
#include "model/tokenizer/bpe.h"

#include "common/memory.h"

typedef struct {
  size_t offset, n_bytes; /* of its text in `texts` */
  int32_t id;
} symbol_t;

typedef struct {
  int32_t previous, next; /* -1 at the ends */
} link_t;

struct atl_bpe {
  bool merges_at_once;
  atl_map_t symbols_by_text, ranks_by_pair;
  atl_text_t texts;
  symbol_t *symbols;
  size_t n_symbols, symbols_capacity;
  atl_ids_t symbols_by_id; /* -1: unused id */
  atl_ids_t merged;        /* by merge rank: the resulting symbol */
  link_t *links;           /* workspace of a merge, as large as the longest word so far */
  uint64_t *heap, *waiting;
  size_t n_heap, n_waiting, word_capacity;
};

atl_status_t atl_ids_append(atl_ids_t *ids, int32_t id) {
  if (ids->n == ids->capacity) {
    size_t capacity = ids->capacity ? 2 * ids->capacity : 64;
    ATL_TRY(ATL_RESIZE(capacity, &ids->items));
    ids->capacity = capacity;
  }
  ids->items[ids->n++] = id;
  return ATL_OK;
}

void atl_ids_clear(atl_ids_t *ids) {
  ATL_DESTROY(&ids->items);
  *ids = (atl_ids_t){0};
}

atl_status_t atl_bpe_new(bool merges_at_once, atl_bpe_t **bpe) {
  ATL_TRY(ATL_NEW(1, bpe));
  (*bpe)->merges_at_once = merges_at_once;
  return ATL_OK;
}

void atl_bpe_destroy(atl_bpe_t **bpe) {
  atl_bpe_t *b = *bpe;
  if (b == NULL) return;
  atl_map_clear(&b->symbols_by_text);
  atl_map_clear(&b->ranks_by_pair);
  atl_text_clear(&b->texts);
  atl_ids_clear(&b->symbols_by_id);
  atl_ids_clear(&b->merged);
  ATL_DESTROY(&b->symbols);
  ATL_DESTROY(&b->links);
  ATL_DESTROY(&b->heap);
  ATL_DESTROY(&b->waiting);
  ATL_DESTROY(bpe);
}

static atl_status_t new_symbol(atl_bpe_t *bpe, const char *text, size_t n, int32_t *symbol) {
  if (bpe->n_symbols == bpe->symbols_capacity) {
    size_t capacity = bpe->symbols_capacity ? 2 * bpe->symbols_capacity : 1024;
    ATL_TRY(ATL_RESIZE(capacity, &bpe->symbols));
    bpe->symbols_capacity = capacity;
  }
  *symbol = (int32_t)bpe->n_symbols;
  size_t offset = bpe->texts.n;
  ATL_TRY(atl_text_append(&bpe->texts, text, n));
  ATL_TRY(atl_map_set(&bpe->symbols_by_text, text, n, *symbol));
  bpe->symbols[bpe->n_symbols++] = (symbol_t){offset, n, -1};
  return ATL_OK;
}

atl_status_t atl_bpe_add_symbol(atl_bpe_t *bpe, const char *text, size_t n, int32_t id, int32_t *symbol) {
  ATL_ASSERT(id >= 0 && id < ATL_MAX_IDS);
  int32_t found = atl_bpe_find(bpe, text, n);
  if (found < 0) ATL_TRY(new_symbol(bpe, text, n, &found));
  bpe->symbols[found].id = id;
  while (bpe->symbols_by_id.n <= (size_t)id) ATL_TRY(atl_ids_append(&bpe->symbols_by_id, -1));
  bpe->symbols_by_id.items[id] = found;
  if (symbol != NULL) *symbol = found;
  return ATL_OK;
}

int32_t atl_bpe_find(const atl_bpe_t *bpe, const char *text, size_t n) {
  return atl_map_get(&bpe->symbols_by_text, text, n);
}

atl_status_t atl_bpe_add_merge(atl_bpe_t *bpe, int32_t left, int32_t right, int32_t merged) {
  const int32_t pair[2] = {left, right};
  ATL_TRY(atl_map_set(&bpe->ranks_by_pair, pair, sizeof pair, (int32_t)bpe->merged.n));
  return atl_ids_append(&bpe->merged, merged);
}

int32_t atl_bpe_id(const atl_bpe_t *bpe, int32_t symbol) { return bpe->symbols[symbol].id; }

const char *atl_bpe_text(const atl_bpe_t *bpe, int32_t id, size_t *n) {
  if (id < 0 || (size_t)id >= bpe->symbols_by_id.n || bpe->symbols_by_id.items[id] < 0) return NULL;
  const symbol_t *symbol = &bpe->symbols[bpe->symbols_by_id.items[id]];
  *n = symbol->n_bytes;
  return bpe->texts.bytes + symbol->offset;
}

int32_t atl_bpe_n_ids(const atl_bpe_t *bpe) { return (int32_t)bpe->symbols_by_id.n; }

/* ---- merging a word ---- */

static void push(uint64_t *heap, size_t *n, uint64_t entry) {
  size_t i = (*n)++;
  for (; i > 0 && heap[(i - 1) / 2] > entry; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
  heap[i] = entry;
}

static uint64_t pop(uint64_t *heap, size_t *n) {
  uint64_t top = heap[0], last = heap[--*n];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= *n) break;
    if (child + 1 < *n && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= last) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = last;
  return top;
}

/* The merge rank of the pair that begins at position i, or -1. */
static int32_t rank_at(const atl_bpe_t *bpe, const int32_t *word, int32_t i) {
  if (i < 0 || word[i] < 0 || bpe->links[i].next < 0) return -1;
  const int32_t pair[2] = {word[i], word[bpe->links[i].next]};
  return atl_map_get(&bpe->ranks_by_pair, pair, sizeof pair);
}

static void add_pair(atl_bpe_t *bpe, const int32_t *word, int32_t i, bool is_at_start) {
  int32_t rank = rank_at(bpe, word, i);
  if (rank < 0) return;
  uint64_t entry = (uint64_t)rank << 32 | (uint32_t)i;
  if (bpe->merges_at_once && !is_at_start)
    bpe->waiting[bpe->n_waiting++] = entry;
  else
    push(bpe->heap, &bpe->n_heap, entry);
}

static atl_status_t reserve_word(atl_bpe_t *bpe, size_t n) {
  ATL_ASSERT(n < INT32_MAX / 4);
  if (n <= bpe->word_capacity) return ATL_OK;
  size_t capacity = 2 * n;
  ATL_TRY(ATL_RESIZE(capacity, &bpe->links));
  ATL_TRY(ATL_RESIZE(3 * capacity, &bpe->heap));
  ATL_TRY(ATL_RESIZE(3 * capacity, &bpe->waiting));
  bpe->word_capacity = capacity;
  return ATL_OK;
}

/* Joins position i with its right neighbour, which is marked as removed, and adds the two new pairs. */
static void join(atl_bpe_t *bpe, int32_t *word, int32_t i, int32_t rank) {
  link_t *links = bpe->links;
  int32_t removed = links[i].next;
  word[i] = bpe->merged.items[rank];
  word[removed] = -1;
  links[i].next = links[removed].next;
  if (links[i].next >= 0) links[links[i].next].previous = i;
  add_pair(bpe, word, links[i].previous, false);
  add_pair(bpe, word, i, false);
}

static void release_waiting(atl_bpe_t *bpe) {
  for (size_t k = 0; k < bpe->n_waiting; k++) push(bpe->heap, &bpe->n_heap, bpe->waiting[k]);
  bpe->n_waiting = 0;
}

atl_status_t atl_bpe_merge(atl_bpe_t *bpe, atl_ids_t *word) {
  int32_t n = (int32_t)word->n, rank_done = -1;
  ATL_TRY(reserve_word(bpe, word->n));
  bpe->n_heap = bpe->n_waiting = 0;
  for (int32_t i = 0; i < n; i++) bpe->links[i] = (link_t){i - 1, i + 1 < n ? i + 1 : -1};
  for (int32_t i = 0; i < n; i++) add_pair(bpe, word->items, i, true);
  while (bpe->n_heap > 0 || bpe->n_waiting > 0) {
    if (bpe->n_heap == 0 || (int32_t)(bpe->heap[0] >> 32) != rank_done) release_waiting(bpe);
    uint64_t entry = pop(bpe->heap, &bpe->n_heap);
    int32_t rank = (int32_t)(entry >> 32), i = (int32_t)(uint32_t)entry;
    if (rank_at(bpe, word->items, i) == rank) join(bpe, word->items, i, rank);
    rank_done = rank;
  }
  word->n = 0;
  for (int32_t i = 0; i < n; i++)
    if (word->items[i] >= 0) word->items[word->n++] = word->items[i];
  return ATL_OK;
}

/* ---- stand-ins for bytes ---- */

static bool stands_for_itself(uint32_t byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

void atl_bpe_byte_codes(uint32_t codes[256]) {
  uint32_t next = 256;
  for (uint32_t byte = 0; byte < 256; byte++) codes[byte] = stands_for_itself(byte) ? byte : next++;
}

atl_status_t atl_bpe_append_bytes(const char *text, size_t n, atl_text_t *bytes) {
  uint32_t codes[256];
  int32_t byte_of[512];
  atl_bpe_byte_codes(codes);
  for (int i = 0; i < 512; i++) byte_of[i] = -1;
  for (int byte = 0; byte < 256; byte++) byte_of[codes[byte]] = byte;
  for (size_t i = 0; i < n;) {
    uint32_t code = atl_text_read(text, n, &i);
    char byte = code < 512 ? (char)byte_of[code] : 0;
    if (code < 512 && byte_of[code] >= 0)
      ATL_TRY(atl_text_append(bytes, &byte, 1));
    else
      ATL_TRY(atl_text_append_code(bytes, code));
  }
  return ATL_OK;
}
