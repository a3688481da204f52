#include "model/transformer/attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "common/round.h"
#include "model/kernels/activation/activation.h"

enum { MIN_PARALLEL_WORK = 16 }; /* rows x heads below which a call stays on one thread */

static atl_attention_workspace_t sizes_of(const atl_transformer_config_t *c) {
  atl_attention_workspace_t work = {.n_heads = c->n_heads,
                                    .head_size = c->head_size,
                                    .n_text = c->text_length + 1,
                                    .n_threads = omp_get_max_threads(),
                                    .row_size = atl_round_up(c->head_size, ATL_KEY_BLOCK)};
  /* An odd number of blocks, so that the lines of a group do not map to the same cache sets. */
  work.ld_scores =
      (atl_round_up(work.n_text + atl_config_image_length(c), ATL_KEY_BLOCK) + ATL_KEY_BLOCK) | ATL_KEY_BLOCK;
  work.thread_items = ATL_GROUP_ROWS * (3 * work.row_size + work.ld_scores + ATL_KEY_BLOCK);
  return work;
}

size_t atl_attention_bytes(const atl_transformer_config_t *config) {
  atl_attention_workspace_t work = sizes_of(config);
  size_t bytes = (size_t)work.n_threads * (size_t)work.thread_items * sizeof(float);
  if (!config->rotary) return bytes;
  return bytes + atl_rotary_bytes(work.n_text + atl_config_image_length(config), work.head_size);
}

atl_status_t atl_attention_init(atl_attention_workspace_t *work, const atl_transformer_config_t *config,
                                const float *angles, atl_dtype_t text_dtype, atl_dtype_t image_dtype,
                                atl_backend_t backend, atl_arena_t *arena) {
  *work = sizes_of(config);
  work->text_kernels = atl_attention_kernels_get(text_dtype, backend);
  work->image_kernels = atl_attention_kernels_get(image_dtype, backend);
  work->text_item_bytes = atl_dtype_bytes(text_dtype);
  ATL_TRY(ATL_TAKE(arena, (int64_t)work->n_threads * work->thread_items, &work->scratch));
  return atl_rotary_init(&work->rotary, angles, work->n_text + atl_config_image_length(config), work->head_size, arena);
}

/* The query, key or value (part 0, 1 or 2) of one head of a row. */
static float *part_of(const atl_attention_workspace_t *work, float *qkv, int64_t i_row, int part, int32_t head) {
  int64_t inner = (int64_t)work->n_heads * work->head_size;
  return qkv + (3 * i_row + part) * inner + (int64_t)head * work->head_size;
}

/* Rotates query, key and value of one head of a row by its position, and scales the query. */
static void rotate(const atl_attention_workspace_t *work, float *qkv, int64_t i_row, int32_t position, int32_t head) {
  float scale = 1.0f / sqrtf((float)work->head_size);
  for (int part = 0; part < 3; part++)
    atl_rotary_apply(&work->rotary, part_of(work, qkv, i_row, part, head), position, part == 0 ? scale : 1);
}

/* Rotates one head of a row by its position and stores its key and value in the cache. */
static void cache_row(const atl_attention_workspace_t *work, atl_kvcache_t *cache, float *qkv, const atl_rows_t *rows,
                      int64_t i_row, int32_t head) {
  const atl_row_t *row = &rows->rows[i_row];
  rotate(work, qkv, i_row, row->position, head);
  const float *k = part_of(work, qkv, i_row, 1, head), *v = part_of(work, qkv, i_row, 2, head);
  if (atl_row_is_text(rows, row))
    atl_kvcache_store_text(cache, row->sequence, head, row->position, k, v);
  else
    atl_kvcache_store_image(cache, row->sequence, head, atl_row_token(rows, row), k, v);
}

/* A thread's scratch: one line per row of a group. */
typedef struct {
  float *q;       /* (GROUP_ROWS,E) */
  float *image_q; /* (GROUP_ROWS,E') the queries in the format that the image kernels read */
  float *out;     /* (GROUP_ROWS,E') */
  float *scores;  /* (GROUP_ROWS,ld_scores) */
  float *edge;    /* (GROUP_ROWS,16) scores of a block whose first lanes are not visible */
} thread_workspace_t;

static thread_workspace_t thread_workspace_of(const atl_attention_workspace_t *work) {
  float *first = work->scratch + omp_get_thread_num() * work->thread_items;
  int64_t lines = ATL_GROUP_ROWS * work->row_size;
  float *scores = first + 3 * lines;
  return (thread_workspace_t){.q = first,
                              .image_q = first + lines,
                              .out = first + 2 * lines,
                              .scores = scores,
                              .edge = scores + ATL_GROUP_ROWS * work->ld_scores};
}

static int64_t n_blocks(int64_t n_keys) { return (n_keys + ATL_KEY_BLOCK - 1) / ATL_KEY_BLOCK; }

/* Number of text keys a row sees. */
static int64_t n_text_keys(const atl_rows_t *rows, const atl_row_t *row) {
  return atl_row_is_text(rows, row) ? row->position + 1 : rows->n_text;
}

/* Rows [first, first+n) of a group whose samples are neighbours in memory and which see the same image slots, each of
 * its own sample. */
typedef struct {
  int32_t first, n;
  int64_t n_keys; /* image keys each row sees */
  int n_spans;
  atl_span_t spans[ATL_MAX_SPANS]; /* of the first row's sample */
} row_span_t;

static row_span_t row_span_of(const atl_kvcache_t *cache, const atl_rows_t *rows, const atl_row_group_t *group,
                              int32_t first, int32_t head) {
  row_span_t row_span = {.first = first, .n = 1};
  const atl_row_t *row = &rows->rows[group->members[first]], *last = row;
  if (group->is_text) return row_span;
  for (; first + row_span.n < group->n; row_span.n++) {
    const atl_row_t *next = &rows->rows[group->members[first + row_span.n]];
    if (next->position != row->position || !atl_kvcache_are_neighbours(cache, last->sequence, next->sequence)) break;
    last = next;
  }
  row_span.n_spans = atl_kvcache_get_image(cache, row->sequence, head, atl_row_token(rows, row), row_span.spans);
  for (int i = 0; i < row_span.n_spans; i++) row_span.n_keys += row_span.spans[i].n_keys;
  return row_span;
}

/* The next block of a span: its visible lanes are [first_lane, first_lane+n). */
typedef struct {
  const char *k, *v;
  int64_t first_lane, n;
} block_t;

static bool take_block(atl_span_t *span, block_t *block) {
  int64_t room = ATL_KEY_BLOCK - span->first_lane;
  *block = (block_t){span->k, span->v, span->first_lane, span->n_keys < room ? span->n_keys : room};
  span->k += span->k_step;
  span->v += span->v_step;
  span->first_lane = 0;
  span->n_keys -= block->n;
  return block->n > 0;
}

/* scores(n,16), rows ld_scores apart <- each query of a row span times its sample's block of keys. All lanes are
 * computed. Lanes before the visible ones are dropped; lanes after them are overwritten by the next block. */
static void score_block(const atl_attention_workspace_t *work, const thread_workspace_t *space,
                        const row_span_t *row_span, const block_t *block, float *scores) {
  int64_t ld = work->ld_scores;
  bool is_whole = block->first_lane == 0;
  work->image_kernels.own_scores(is_whole ? scores : space->edge, is_whole ? ld : ATL_KEY_BLOCK,
                                 space->image_q + row_span->first * work->row_size, work->row_size, row_span->n,
                                 block->k, work->head_size);
  for (int64_t m = 0; m < row_span->n && !is_whole; m++)
    memcpy(scores + m * ld, space->edge + m * ATL_KEY_BLOCK + block->first_lane, (size_t)block->n * sizeof *scores);
}

/* Computes the image part of a row span's lines of scores, after the text part, then the softmax of each line. */
static void score_and_softmax(const atl_attention_workspace_t *work, const thread_workspace_t *space,
                              row_span_t row_span, int64_t n_text) {
  float *lines = space->scores + row_span.first * work->ld_scores, *scores = lines + n_text;
  block_t block;
  for (int32_t m = row_span.first; m < row_span.first + row_span.n && row_span.n_spans > 0; m++)
    work->image_kernels.own_query(space->image_q + m * work->row_size, space->q + m * work->head_size, work->head_size);
  for (int i = 0; i < row_span.n_spans; i++)
    for (; take_block(&row_span.spans[i], &block); scores += block.n)
      score_block(work, space, &row_span, &block, scores);
  for (int64_t m = 0; m < row_span.n; m++)
    atl_activation_softmax(lines + m * work->ld_scores, n_text + row_span.n_keys);
}

/* out(n,E') += the weighted image values of a row span. */
static void add_image(const atl_attention_workspace_t *work, const thread_workspace_t *space, row_span_t row_span,
                      int64_t n_text) {
  float *out = space->out + row_span.first * work->row_size;
  const float *p = space->scores + row_span.first * work->ld_scores + n_text;
  block_t block;
  for (int i = 0; i < row_span.n_spans; i++)
    for (; take_block(&row_span.spans[i], &block); p += block.n)
      work->image_kernels.own_values(out, work->row_size, p, work->ld_scores, row_span.n, block.v, block.first_lane,
                                     block.n, work->row_size);
}

/* out(n,E') += the weighted text values of a group: first the keys that all rows see, for all rows together, then the
 * remaining keys of each row. */
static void add_text(const atl_attention_workspace_t *work, const thread_workspace_t *space, const atl_rows_t *rows,
                     const atl_row_group_t *group, const char *v) {
  int64_t n_common = n_text_keys(rows, &rows->rows[group->members[0]]), row_size = work->row_size;
  const char *rest = v + (size_t)(n_common * row_size) * work->text_item_bytes;
  work->text_kernels.values(space->out, row_size, space->scores, work->ld_scores, group->n, v, n_common, row_size);
  for (int32_t m = 0; m < group->n; m++) {
    int64_t n_own = n_text_keys(rows, &rows->rows[group->members[m]]) - n_common;
    work->text_kernels.values(space->out + m * row_size, 0, space->scores + m * work->ld_scores + n_common, 0, 1, rest,
                              n_own, row_size);
  }
}

/* attended(n,H*E) <- the attention of a group's rows in one head. The lines of scores of a group of 4 rows:
 *
 *            text keys of the prefix    image keys of the row's sample, span by span, oldest first
 *     row 0  t t t t t t t t t t t t    i i i i | i i i i | i i    \
 *     row 1  t t t t t t t t t t t t    i i i i | i i i i | i i     > a row span: same slots, neighbouring samples
 *     row 2  t t t t t t t t t t t t    i i i i | i i i i | i i    /
 *     row 3  t t t t t t t t t t t t    i i i i | i                   another row span: another position
 *
 * Text keys are loaded once for the group. The image blocks of a row span lie side by side and are read in one pass;
 * each row has its own. The softmax runs over a whole line; values are summed over text, then image, in the order
 * shown.
 */
static void attend(const atl_attention_workspace_t *work, const atl_kvcache_t *cache, float *attended, float *qkv,
                   const atl_rows_t *rows, const atl_row_group_t *group, int32_t head) {
  thread_workspace_t space = thread_workspace_of(work);
  row_span_t row_spans[ATL_GROUP_ROWS];
  int32_t n_row_spans = 0;
  int64_t size = work->head_size, inner = (int64_t)work->n_heads * size;
  int64_t n_most = n_text_keys(rows, &rows->rows[group->members[group->n - 1]]);
  atl_span_t text = atl_kvcache_get_text(cache, group->prefix, head, (int32_t)n_most);

  /* 1. q(n,E) <- the queries of the group. */
  for (int32_t m = 0; m < group->n; m++)
    memcpy(space.q + m * size, part_of(work, qkv, group->members[m], 0, head), (size_t)size * sizeof *space.q);
  /* 2. scores(n,T+1) <- q . text keys, for all rows at once. */
  work->text_kernels.scores(space.scores, work->ld_scores, space.q, size, group->n, text.k, n_blocks(n_most), size);
  /* 3. scores(n,T+1..) <- q . image keys, one row span at a time; then the softmax of each line. */
  for (int32_t m = 0; m < group->n; m += row_spans[n_row_spans++].n) {
    row_spans[n_row_spans] = row_span_of(cache, rows, group, m, head);
    score_and_softmax(work, &space, row_spans[n_row_spans], n_text_keys(rows, &rows->rows[group->members[m]]));
  }
  /* 4. out(n,E') <- weighted text values, plus weighted image values. */
  memset(space.out, 0, (size_t)(group->n * work->row_size) * sizeof *space.out);
  add_text(work, &space, rows, group, text.v);
  for (int32_t i = 0; i < n_row_spans; i++) add_image(work, &space, row_spans[i], rows->n_text);
  /* 5. attended(n,H*E) <- out. */
  for (int32_t m = 0; m < group->n; m++)
    memcpy(attended + group->members[m] * inner + head * size, space.out + m * work->row_size,
           (size_t)size * sizeof *attended);
}

/* Is the call large enough to divide between threads? The result does not depend on it. */
static bool is_parallel(const atl_attention_workspace_t *work, const atl_rows_t *rows) {
  return work->n_threads > 1 && (int64_t)rows->n_rows * work->n_heads >= MIN_PARALLEL_WORK;
}

/* Stores all rows in the cache before it reads any. */
static void attend_together(const atl_attention_workspace_t *work, atl_kvcache_t *cache, float *attended, float *qkv,
                            const atl_rows_t *rows, int32_t head) {
  for (int32_t i_row = 0; i_row < rows->n_rows; i_row++) cache_row(work, cache, qkv, rows, i_row, head);
  for (int32_t i = 0; i < rows->n_groups; i++) attend(work, cache, attended, qkv, rows, &rows->groups[i], head);
}

/* Stores each row in the cache just before it reads it, so that a ring is read before it is overwritten. */
static void attend_in_order(const atl_attention_workspace_t *work, atl_kvcache_t *cache, float *attended, float *qkv,
                            const atl_rows_t *rows, int32_t head) {
  for (int32_t i_row = 0; i_row < rows->n_rows; i_row++) {
    const atl_row_t *row = &rows->rows[i_row];
    const atl_row_group_t alone = {
        .n = 1, .prefix = atl_row_prefix(rows, row), .members = {i_row}, .is_text = atl_row_is_text(rows, row)};
    cache_row(work, cache, qkv, rows, i_row, head);
    attend(work, cache, attended, qkv, rows, &alone, head);
  }
}

void atl_attention_forward(const atl_attention_workspace_t *work, atl_kvcache_t *cache, float *attended, float *qkv,
                           const atl_rows_t *rows) {
  bool is_ordered = rows->has_repeats && atl_kvcache_is_ring(cache);
#pragma omp parallel for schedule(dynamic) num_threads(work->n_threads) if (is_parallel(work, rows))
  for (int32_t head = 0; head < work->n_heads; head++)
    if (is_ordered)
      attend_in_order(work, cache, attended, qkv, rows, head);
    else
      attend_together(work, cache, attended, qkv, rows, head);
}
