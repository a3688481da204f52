#include "model/attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "model/kernels/activation.h"

enum {
  EDGE_BLOCKS = 2,          /* blocks that a span of conv_like's window can touch */
  LEAST_PARALLEL_HEADS = 16 /* rows x heads */
};

static int64_t round_up(int64_t n) { return (n + ATL_KEY_BLOCK - 1) / ATL_KEY_BLOCK * ATL_KEY_BLOCK; }

static atl_attention_work_t measure(const atl_transformer_config_t *c) {
  atl_attention_work_t work = {.n_heads = c->n_heads,
                               .head_size = c->head_size,
                               .n_text = c->text_length + 1,
                               .n_threads = omp_get_max_threads(),
                               .row_size = round_up(c->head_size)};
  /* An odd number of blocks, so that the lines of a group do not fall on the same cache sets. */
  work.ld_scores = (round_up(work.n_text + atl_config_image_length(c)) + ATL_KEY_BLOCK) | ATL_KEY_BLOCK;
  work.thread_items = ATL_GROUP_ROWS * (2 * work.row_size + work.ld_scores) + EDGE_BLOCKS * ATL_KEY_BLOCK;
  return work;
}

size_t atl_attention_bytes(const atl_transformer_config_t *config) {
  atl_attention_work_t work = measure(config);
  size_t bytes = (size_t)work.n_threads * (size_t)work.thread_items * sizeof(float);
  if (!config->rotary) return bytes;
  return bytes + atl_rotary_bytes(work.n_text + atl_config_image_length(config), atl_rotary_width(work.head_size));
}

atl_status_t atl_attention_init(atl_attention_work_t *work, const atl_transformer_config_t *config, const float *angles,
                                atl_dtype_t dtype, atl_backend_t backend, atl_arena_t *arena) {
  *work = measure(config);
  work->kernels = atl_attention_kernels_get(dtype, backend);
  ATL_TRY(ATL_TAKE(arena, (int64_t)work->n_threads * work->thread_items, &work->scratch));
  if (angles == NULL) return ATL_OK;
  return atl_rotary_init(&work->rotary, angles, work->n_text + atl_config_image_length(config),
                         atl_rotary_width(work->head_size), arena);
}

/* The query, key or value (part 0..2) of a row's head. */
static float *part_of(const atl_attention_work_t *work, float *qkv, int64_t i_row, int part, int32_t head) {
  int64_t inner = (int64_t)work->n_heads * work->head_size;
  return qkv + (3 * i_row + part) * inner + (int64_t)head * work->head_size;
}

static void rotate(const atl_attention_work_t *work, float *qkv, int64_t i_row, int32_t position) {
  float scale = 1.0f / sqrtf((float)work->head_size);
  for (int part = 0; part < 3; part++)
    for (int32_t head = 0; head < work->n_heads; head++)
      atl_rotary_apply(&work->rotary, part_of(work, qkv, i_row, part, head), position);
  float *q = part_of(work, qkv, i_row, 0, 0);
  for (int64_t i = 0; i < (int64_t)work->n_heads * work->head_size; i++) q[i] *= scale;
}

static void store(const atl_attention_work_t *work, atl_kvcache_t *cache, float *qkv, const atl_rows_t *rows,
                  int64_t i_row, int32_t head) {
  const atl_row_t *row = &rows->rows[i_row];
  const float *k = part_of(work, qkv, i_row, 1, head), *v = part_of(work, qkv, i_row, 2, head);
  if (atl_row_is_text(rows, row))
    atl_kvcache_store_text(cache, row->sequence, head, row->position, k, v);
  else
    atl_kvcache_store_image(cache, row->sequence, head, atl_row_token(rows, row), k, v);
}

/* A thread's scratch, all of it lines of one row each. */
typedef struct {
  float *q;      /* (GROUP_ROWS,E) */
  float *out;    /* (GROUP_ROWS,E') */
  float *scores; /* (GROUP_ROWS,ld_scores) */
  float *edge;   /* (EDGE_BLOCKS*16) scores of a span that does not begin with its block */
} desk_t;

static desk_t desk_of(const atl_attention_work_t *work) {
  float *first = work->scratch + omp_get_thread_num() * work->thread_items;
  float *out = first + ATL_GROUP_ROWS * work->row_size, *scores = out + ATL_GROUP_ROWS * work->row_size;
  return (desk_t){.q = first, .out = out, .scores = scores, .edge = scores + ATL_GROUP_ROWS * work->ld_scores};
}

static int64_t n_blocks(int64_t n_keys) { return (n_keys + ATL_KEY_BLOCK - 1) / ATL_KEY_BLOCK; }

/* Text keys a row sees. */
static int64_t n_text_keys(const atl_rows_t *rows, const atl_row_t *row) {
  return atl_row_is_text(rows, row) ? row->position + 1 : rows->n_text;
}

/* Scores of one row against a span of image keys. Blocks are computed whole; what lies outside the span is dropped. */
static void score_span(const atl_attention_work_t *work, float *scores, const float *q, const atl_span_t *span,
                       float *edge) {
  bool is_whole = span->first_lane == 0;
  work->kernels.scores(is_whole ? scores : edge, 0, q, 0, 1, span->k, n_blocks(span->first_lane + span->n_keys),
                       work->head_size);
  if (!is_whole) memcpy(scores, edge + span->first_lane, (size_t)span->n_keys * sizeof *scores);
}

/* The image part of one row: scores behind its text's, softmax over both, and the image's share of the sum. */
typedef struct {
  atl_span_t spans[ATL_MAX_SPANS];
  int n_spans;
} view_t;

static view_t look(const atl_kvcache_t *cache, const atl_rows_t *rows, const atl_row_t *row, int32_t head) {
  view_t view = {.n_spans = 0};
  if (!atl_row_is_text(rows, row))
    view.n_spans = atl_kvcache_get_image(cache, row->sequence, head, atl_row_token(rows, row), view.spans);
  return view;
}

static void weigh(const atl_attention_work_t *work, const atl_kvcache_t *cache, const atl_rows_t *rows,
                  const atl_row_t *row, int32_t head, float *scores, const float *q, float *edge) {
  view_t view = look(cache, rows, row, head);
  int64_t n_keys = n_text_keys(rows, row);
  for (int i = 0; i < view.n_spans; i++) {
    score_span(work, scores + n_keys, q, &view.spans[i], edge);
    n_keys += view.spans[i].n_keys;
  }
  atl_activation_softmax(scores, n_keys);
}

/* Adds to out what the row sees beyond the n_common text keys of its group. */
static void add_rest(const atl_attention_work_t *work, const atl_kvcache_t *cache, const atl_rows_t *rows,
                     const atl_row_t *row, int32_t head, int64_t n_common, const atl_span_t *text, float *out,
                     const float *p) {
  int64_t n_text = n_text_keys(rows, row);
  const char *v = (const char *)text->v + (size_t)(n_common * work->row_size) * atl_dtype_bytes(cache->shape.dtype);
  work->kernels.values(out, 0, p + n_common, 0, 1, v, n_text - n_common, work->row_size);
  view_t view = look(cache, rows, row, head);
  p += n_text;
  for (int i = 0; i < view.n_spans; p += view.spans[i++].n_keys)
    work->kernels.values(out, 0, p, 0, 1, view.spans[i].v, view.spans[i].n_keys, work->row_size);
}

/* out(n,H*E) <- the attention of a group's rows in one head. */
static void attend(const atl_attention_work_t *work, const atl_kvcache_t *cache, float *out, float *qkv,
                   const atl_rows_t *rows, const atl_row_group_t *group, int32_t head) {
  desk_t desk = desk_of(work);
  const int32_t *members = group->members;
  int64_t size = work->head_size, inner = (int64_t)work->n_heads * size, ld = work->ld_scores;
  int64_t n_common = n_text_keys(rows, &rows->rows[members[0]]);
  int64_t n_most = n_text_keys(rows, &rows->rows[members[group->n - 1]]);
  atl_span_t text = atl_kvcache_get_text(cache, group->prefix, head, (int32_t)n_most);

  for (int32_t m = 0; m < group->n; m++)
    memcpy(desk.q + m * size, part_of(work, qkv, members[m], 0, head), (size_t)size * sizeof *desk.q);
  work->kernels.scores(desk.scores, ld, desk.q, size, group->n, text.k, n_blocks(n_most), size);
  for (int32_t m = 0; m < group->n; m++)
    weigh(work, cache, rows, &rows->rows[members[m]], head, desk.scores + m * ld, desk.q + m * size, desk.edge);

  memset(desk.out, 0, (size_t)(group->n * work->row_size) * sizeof *desk.out);
  work->kernels.values(desk.out, work->row_size, desk.scores, ld, group->n, text.v, n_common, work->row_size);
  for (int32_t m = 0; m < group->n; m++) {
    float *sum = desk.out + m * work->row_size;
    add_rest(work, cache, rows, &rows->rows[members[m]], head, n_common, &text, sum, desk.scores + m * ld);
    memcpy(out + members[m] * inner + head * size, sum, (size_t)size * sizeof *out);
  }
}

/* Is the work worth waking threads? Only time depends on it. */
static bool is_shared(const atl_attention_work_t *work, const atl_rows_t *rows) {
  return work->n_threads > 1 && (int64_t)rows->n_rows * work->n_heads >= LEAST_PARALLEL_HEADS;
}

/* All rows are in the cache before the first is read. */
static void attend_together(const atl_attention_work_t *work, atl_kvcache_t *cache, float *out, float *qkv,
                            const atl_rows_t *rows) {
  int64_t n_heads = work->n_heads, n_groups = rows->n_groups;
#pragma omp parallel num_threads(work->n_threads) if (is_shared(work, rows))
  {
#pragma omp for
    for (int64_t i_row = 0; i_row < rows->n_rows; i_row++) {
      rotate(work, qkv, i_row, rows->rows[i_row].position);
      for (int32_t head = 0; head < n_heads; head++) store(work, cache, qkv, rows, i_row, head);
    }
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < n_heads * n_groups; i++)
      attend(work, cache, out, qkv, rows, &rows->groups[i % n_groups], (int32_t)(i / n_groups));
  }
}

/* Each row enters the cache just before it is read. */
static void attend_in_order(const atl_attention_work_t *work, atl_kvcache_t *cache, float *out, float *qkv,
                            const atl_rows_t *rows) {
#pragma omp parallel num_threads(work->n_threads) if (is_shared(work, rows))
  {
#pragma omp for
    for (int64_t i_row = 0; i_row < rows->n_rows; i_row++) rotate(work, qkv, i_row, rows->rows[i_row].position);
#pragma omp for
    for (int32_t head = 0; head < work->n_heads; head++)
      for (int32_t i_row = 0; i_row < rows->n_rows; i_row++) {
        const atl_row_t *row = &rows->rows[i_row];
        const atl_row_group_t alone = {
            .n = 1, .prefix = atl_row_prefix(rows, row), .members = {i_row}, .is_text = atl_row_is_text(rows, row)};
        store(work, cache, qkv, rows, i_row, head);
        attend(work, cache, out, qkv, rows, &alone, head);
      }
  }
}

void atl_attention_run(const atl_attention_work_t *work, atl_kvcache_t *cache, float *out, float *qkv,
                       const atl_rows_t *rows) {
  if (rows->has_repeats && atl_kvcache_is_ring(cache))
    attend_in_order(work, cache, out, qkv, rows);
  else
    attend_together(work, cache, out, qkv, rows);
}
