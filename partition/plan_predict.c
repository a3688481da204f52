/* Predicts seconds and bytes of a layout, and maps roles to ranks. docs/partition.md explains the formulas. */
#include <math.h>

#include "partition/plan_private.h"

/* Decoders are planned below this load rho, since their queue grows as rho / (1 - rho). */
static const double max_decoder_load = 0.85;

/* fixed + (seconds - fixed) * b / microbatch; without the fixed part when the weights fit the cache. */
static double scale(const atl_costs_t *costs, double seconds, double fixed, int32_t b, bool is_cached) {
  if (costs->microbatch == 0) return seconds;
  return (is_cached ? 0 : fixed) + (seconds - fixed) * b / costs->microbatch;
}

double atl_plan_span_seconds(const atl_plan_request_t *q, int32_t n_layers, bool is_first, bool is_last, int32_t b) {
  const atl_costs_t *c = &q->costs;
  int64_t weights = n_layers * q->bytes.layer_weights + (is_last ? q->bytes.head_weights : 0);
  bool is_cached = q->cache_per_rank > 0 && weights <= q->cache_per_rank;
  double seconds = n_layers * scale(c, c->layer, c->layer_fixed, b, is_cached);
  if (is_first) seconds += scale(c, c->embed, 0, b, is_cached);
  if (is_last) seconds += scale(c, c->head, c->head_fixed, b, is_cached) + scale(c, c->draw, 0, b, is_cached);
  return seconds;
}

double atl_plan_stage_seconds(const atl_plan_t *plan, const atl_plan_request_t *q, int32_t i_stage, int32_t b) {
  int32_t n_layers = plan->first_layer[i_stage + 1] - plan->first_layer[i_stage];
  return atl_plan_span_seconds(q, n_layers, i_stage == 0, i_stage == plan->n_stages - 1, b);
}

void atl_plan_round(const atl_plan_t *plan, const atl_plan_request_t *q, int32_t b, double *slowest, double *sum) {
  *slowest = 0;
  *sum = plan->n_stages > 1 ? plan->n_stages * q->costs.hop : 0;
  for (int32_t s = 0; s < plan->n_stages; s++) {
    double seconds = atl_plan_stage_seconds(plan, q, s, b);
    *sum += seconds;
    if (seconds > *slowest) *slowest = seconds;
  }
}

/* Seconds of one wave: n_images in flight in one pipeline, spread evenly over its slots. Adds the seconds its stages
 * work to *work. */
static double wave_seconds(const atl_plan_t *plan, const atl_plan_request_t *q, int64_t n_images, double *work) {
  if (n_images == 0) return 0;
  int64_t n_slots = (n_images + plan->microbatch - 1) / plan->microbatch;
  int32_t b = (int32_t)((n_images + n_slots - 1) / n_slots);
  double slowest, sum, hops = plan->n_stages > 1 ? plan->n_stages * q->costs.hop : 0;
  atl_plan_round(plan, q, b, &slowest, &sum);
  *work += q->n_drawn * (double)n_slots * (sum - hops);
  return q->n_drawn * fmax((double)n_slots * slowest, sum);
}

/* Seconds of prefill in one pipeline: each text is prefilled once in each pipeline that has candidates of it, here
 * taken as an even share of the prompts. Adds the seconds its stages work to *work. */
static double prefill_seconds(const atl_plan_t *plan, const atl_plan_request_t *q, double *work) {
  double n_prompts = ceil((double)q->n_prompts / plan->n_pipelines) + (q->is_guided ? 1 : 0);
  int32_t most = 0;
  for (int32_t s = 0; s < plan->n_stages; s++) {
    int32_t n_layers = plan->first_layer[s + 1] - plan->first_layer[s];
    if (n_layers > most) most = n_layers;
  }
  double of_layer = n_prompts * (q->text_length + 1 + q->n_prime) * q->costs.prefill_row;
  *work += of_layer * q->n_layers;
  return of_layer * most;
}

/* Seconds until the last image is decoded. Drawing takes `drawing` seconds, `last` of them for the last wave, which has
 * n_last images in each pipeline. */
static double with_decoding(const atl_plan_t *plan, const atl_plan_request_t *q, double drawing, double last,
                            int64_t n_last) {
  double image_seconds = q->costs.decode + q->costs.score, all = (double)q->n_images * image_seconds;
  if (plan->n_decoders == 0) return drawing;
  if (plan->first_decoder_rank < 0) return drawing + all / plan->n_decoders;
  double rate = max_decoder_load * plan->n_decoders;
  double burst = (double)n_last * plan->n_pipelines * image_seconds / plan->n_decoders;
  return drawing + fmax(fmax(burst, image_seconds), all / rate - (drawing - last));
}

int32_t atl_plan_count_prefixes(const atl_plan_t *plan, const atl_plan_request_t *q) {
  int64_t n_in_flight = (int64_t)plan->n_slots * plan->microbatch;
  return (int32_t)(n_in_flight < q->n_prompts ? n_in_flight : q->n_prompts) + (q->is_guided ? 1 : 0);
}

static int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

/* Peak bytes of a stage. Embedding and head are loaded first, then the layers, and only then are caches, scratch and
 * packets allocated. So the peak is the largest of: all weights and state; all weights and the last layer's loading;
 * the ends and their loading. */
static int64_t stage_bytes(const atl_plan_t *plan, const atl_plan_request_t *q, int32_t i_stage) {
  const atl_plan_bytes_t *bytes = &q->bytes;
  int64_t n_layers = plan->first_layer[i_stage + 1] - plan->first_layer[i_stage];
  int64_t n_stores = (int64_t)plan->n_slots * plan->microbatch * (q->is_guided ? 2 : 1), ends = 0;
  if (q->n_prime > 0) n_stores += plan->n_prefixes;
  if (i_stage == 0) ends += bytes->embedding_weights;
  if (i_stage == plan->n_stages - 1) ends += bytes->head_weights;
  int64_t weights = ends + n_layers * bytes->layer_weights;
  int64_t state = bytes->scratch + (plan->n_slots + ATL_PLAN_SPARE_BUFFERS) * bytes->packet;
  for (int32_t i = plan->first_layer[i_stage]; i < plan->first_layer[i_stage + 1]; i++) {
    state += plan->n_prefixes * bytes->per_prefix[i] + n_stores * bytes->per_sample[i];
    if (n_stores * bytes->per_sample[i] >= ATL_PLAN_LARGE_CACHE) state += ATL_PLAN_CACHE_ROUNDING;
  }
  int64_t loading = max_of(weights + bytes->layer_loading, ends > 0 ? ends + bytes->end_loading : 0);
  return max_of(weights + state, loading);
}

int64_t atl_plan_rank_bytes(const atl_plan_t *plan, const atl_plan_request_t *q, int32_t i_stage, bool has_decoder) {
  int64_t total = q->bytes.process + (has_decoder ? q->bytes.decoder : 0);
  return i_stage < 0 ? total : total + stage_bytes(plan, q, i_stage);
}

static void predict_bytes(const atl_plan_request_t *q, atl_plan_t *plan) {
  plan->rank_bytes = atl_plan_fullest_rank(plan, q);
  plan->process_bytes = q->bytes.process;
  plan->decoder_bytes = plan->n_decoders > 0 ? q->bytes.decoder : 0;
  plan->sample_bytes = 0;
  for (int32_t i = 0; i < q->n_layers; i++) plan->sample_bytes += q->bytes.per_sample[i] * (q->is_guided ? 2 : 1);
  for (int32_t s = 0; s < plan->n_stages; s++) plan->stage_bytes[s] = stage_bytes(plan, q, s);
}

void atl_plan_predict(const atl_plan_request_t *q, atl_plan_t *plan) {
  int64_t n_images = (q->n_images + plan->n_pipelines - 1) / plan->n_pipelines;
  int64_t wave = (int64_t)plan->n_slots * plan->microbatch, n_waves = n_images / wave, n_last = n_images % wave;
  double slowest, sum, work = 0, wave_work = 0;
  double full = wave_seconds(plan, q, wave, &wave_work), last = wave_seconds(plan, q, n_last, &work);
  atl_plan_round(plan, q, plan->microbatch, &slowest, &sum);
  work += (double)n_waves * wave_work;
  double drawing = (double)n_waves * full + last + (plan->n_stages - 1) * slowest + prefill_seconds(plan, q, &work);
  plan->seconds =
      n_last > 0 ? with_decoding(plan, q, drawing, last, n_last) : with_decoding(plan, q, drawing, full, wave);
  plan->images_per_second = (double)q->n_images / plan->seconds;
  double total = 0;
  for (int32_t s = 0; s < plan->n_stages; s++)
    total += plan->stage_seconds[s] = atl_plan_stage_seconds(plan, q, s, plan->microbatch);
  plan->balance = total / plan->n_stages / slowest;
  double decoding = plan->first_decoder_rank < 0
                        ? (double)q->n_images * (q->costs.decode + q->costs.score) * (plan->n_decoders > 0)
                        : 0;
  double available = plan->seconds * plan->n_stages * plan->n_pipelines;
  plan->bubble = fmax(0, 1 - (work * plan->n_pipelines + decoding) / available);
  predict_bytes(q, plan);
}

int64_t atl_plan_bytes_of_rank(const atl_plan_t *plan, int32_t rank) {
  int32_t i_pipeline, i_stage = atl_plan_find_stage(plan, rank, &i_pipeline);
  return plan->process_bytes + (i_stage >= 0 ? plan->stage_bytes[i_stage] : 0) +
         (atl_plan_find_decoder(plan, rank) >= 0 ? plan->decoder_bytes : 0);
}

int64_t atl_plan_fullest_rank(const atl_plan_t *plan, const atl_plan_request_t *q) {
  bool has_own = plan->first_decoder_rank >= 0, is_sharing = plan->n_decoders > 0 && !has_own;
  int64_t fullest = has_own ? atl_plan_rank_bytes(plan, q, -1, true) : 0;
  for (int32_t s = 0; s < plan->n_stages; s++) {
    int64_t bytes = atl_plan_rank_bytes(plan, q, s, is_sharing);
    if (bytes > fullest) fullest = bytes;
  }
  return fullest;
}

int32_t atl_plan_stage_rank(const atl_plan_t *plan, int32_t i_pipeline, int32_t i_stage) {
  return plan->first_stage_rank + i_pipeline * plan->n_stages + i_stage;
}

int32_t atl_plan_decoder_rank(const atl_plan_t *plan, int32_t i_decoder) {
  if (plan->first_decoder_rank >= 0) return plan->first_decoder_rank + i_decoder;
  int32_t n_stages = plan->n_pipelines * plan->n_stages;
  return plan->first_stage_rank + n_stages - 1 - (int32_t)((int64_t)i_decoder * n_stages / plan->n_decoders);
}

int32_t atl_plan_find_stage(const atl_plan_t *plan, int32_t rank, int32_t *i_pipeline) {
  int32_t i = rank - plan->first_stage_rank;
  if (i < 0 || i >= plan->n_pipelines * plan->n_stages) return -1;
  *i_pipeline = i / plan->n_stages;
  return i % plan->n_stages;
}

int32_t atl_plan_find_decoder(const atl_plan_t *plan, int32_t rank) {
  int32_t n = plan->n_decoders, n_stages = plan->n_pipelines * plan->n_stages, i;
  if (plan->first_decoder_rank >= 0) {
    i = rank - plan->first_decoder_rank;
  } else { /* the inverse of atl_plan_decoder_rank */
    int32_t from_end = plan->first_stage_rank + n_stages - 1 - rank;
    if (from_end < 0) return -1;
    i = (int32_t)(((int64_t)from_end * n + n_stages - 1) / n_stages);
  }
  return i >= 0 && i < n && atl_plan_decoder_rank(plan, i) == rank ? i : -1;
}
