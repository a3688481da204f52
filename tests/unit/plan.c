// TEST
/* Plans for 1 to 256 ranks: every role is on exactly one rank, every layer in one stage, and the bytes add up. */
#include "partition/plan.h"

#include <stdlib.h>

#include "common/rng.h"
#include "tests/support/tap.h"

/* Costs and bytes of a medium-sized model. */
static atl_plan_request_t make_request(int32_t n_ranks, int32_t n_layers) {
  atl_plan_request_t request = {.n_ranks = n_ranks,
                                .n_layers = n_layers,
                                .n_drawn = 256,
                                .text_length = 64,
                                .n_images = 512,
                                .n_prompts = 4,
                                .has_decoders = true,
                                .costs = {.microbatch = 32,
                                          .layer = 2e-3,
                                          .head = 3e-3,
                                          .embed = 1e-5,
                                          .draw = 1e-3,
                                          .layer_fixed = 1e-3,
                                          .head_fixed = 1e-3,
                                          .prefill_row = 3e-5,
                                          .hop = 1e-5,
                                          .decode = 0.1,
                                          .score = 0.05},
                                .bytes = {.layer_weights = 12 << 20,
                                          .head_weights = 16 << 20,
                                          .embedding_weights = 8 << 20,
                                          .scratch = 4 << 20,
                                          .packet = 1 << 17,
                                          .decoder = 64 << 20}};
  for (int32_t i = 0; i < n_layers && i < ATL_MAX_STAGES; i++)
    request.bytes.per_prefix[i] = 1 << 18, request.bytes.per_sample[i] = 1 << 20;
  return request;
}

static int has_each_layer_once(const atl_plan_t *p, int32_t n_layers) {
  int is_ok = p->first_layer[0] == 0 && p->first_layer[p->n_stages] == n_layers;
  for (int32_t s = 0; s < p->n_stages; s++) is_ok = is_ok && p->first_layer[s + 1] > p->first_layer[s];
  return is_ok;
}

/* Looking up by rank and looking up by role must agree. */
static int has_each_role_once(const atl_plan_t *p) {
  int n_stages = 0, n_decoders = 0, is_ok = p->coordinator_rank == 0;
  for (int32_t rank = 0; rank < p->n_ranks; rank++) {
    int32_t i_pipeline = -1, i_stage = atl_plan_find_stage(p, rank, &i_pipeline);
    int32_t i_decoder = atl_plan_find_decoder(p, rank);
    if (i_stage >= 0) is_ok = is_ok && atl_plan_stage_rank(p, i_pipeline, i_stage) == rank;
    if (i_decoder >= 0) is_ok = is_ok && atl_plan_decoder_rank(p, i_decoder) == rank;
    n_stages += i_stage >= 0;
    n_decoders += i_decoder >= 0;
  }
  for (int32_t d = 0; d < p->n_decoders; d++)
    is_ok = is_ok && atl_plan_find_decoder(p, atl_plan_decoder_rank(p, d)) == d;
  return is_ok && n_stages == p->n_pipelines * p->n_stages && n_decoders == p->n_decoders;
}

static int has_fullest_rank(const atl_plan_t *p, const atl_plan_request_t *q) {
  int64_t fullest = 0;
  for (int32_t rank = 0; rank < p->n_ranks; rank++) {
    int32_t i_pipeline, i_stage = atl_plan_find_stage(p, rank, &i_pipeline);
    int64_t bytes = atl_plan_rank_bytes(p, q, i_stage, atl_plan_find_decoder(p, rank) >= 0);
    if (bytes > fullest) fullest = bytes;
  }
  return p->rank_bytes == fullest && (q->memory_per_rank == 0 || fullest <= q->memory_per_rank);
}

static int has_sane_numbers(const atl_plan_t *p, const atl_plan_request_t *q) {
  return p->seconds > 0 && isfinite(p->seconds) && p->balance > 0 && p->balance <= 1 + 1e-12 && p->bubble >= 0 &&
         p->bubble < 1 && p->n_slots >= 1 && p->microbatch >= 1 && p->microbatch <= 32 &&
         p->n_prefixes >= (q->is_guided ? 2 : 1) && (p->n_decoders > 0) == q->has_decoders && p->reason[0] != '\0';
}

static void test_all_rank_counts(const char *name, int32_t n_layers, bool is_guided, bool has_decoders,
                                 int64_t memory) {
  int n_bad[4] = {0};
  for (int32_t n = 1; n <= 256; n++) {
    atl_plan_request_t q = make_request(n, n_layers);
    atl_plan_t p;
    q.is_guided = is_guided;
    q.has_decoders = has_decoders;
    q.memory_per_rank = memory;
    q.n_images = 1 + (int64_t)((uint32_t)n * 2654435761u % 5000);
    if (atl_plan_make(&q, &p) != ATL_OK) {
      printf("# %d ranks: %s\n", (int)n, atl_status_message());
      n_bad[0]++;
      continue;
    }
    char why[ATL_PLAN_WHY_BYTES];
    n_bad[0] += !has_each_layer_once(&p, n_layers) || !atl_plan_is_valid(&p, &q, why);
    n_bad[1] += !has_each_role_once(&p);
    n_bad[2] += !has_fullest_rank(&p, &q);
    n_bad[3] += !has_sane_numbers(&p, &q);
  }
  printf("# %s\n", name);
  TAP_OK(n_bad[0] == 0, "1..256 ranks: every layer is in exactly one stage, none is empty");
  TAP_OK(n_bad[1] == 0, "1..256 ranks: every role is on exactly one rank");
  TAP_OK(n_bad[2] == 0, "1..256 ranks: the fullest rank's bytes are the sum of its parts, and fit");
  TAP_OK(n_bad[3] == 0, "1..256 ranks: predictions are in range");
}

/* Seconds of the slowest stage in the best cut of the layers from stage s on, by exhaustive search. */
static double best_cut(const atl_plan_request_t *q, atl_plan_t *p, int32_t s) {
  double best = INFINITY, slowest = 0;
  int32_t left = p->n_stages - s;
  if (left == 1) {
    for (int32_t i = 0; i < p->n_stages; i++) slowest = fmax(slowest, atl_plan_stage_seconds(p, q, i, p->microbatch));
    return slowest;
  }
  for (int32_t end = p->first_layer[s] + 1; end <= q->n_layers - left + 1; end++) {
    p->first_layer[s + 1] = end;
    best = fmin(best, best_cut(q, p, s + 1));
  }
  return best;
}

static void test_cut_is_best(void) {
  int n_worse = 0, n = 0;
  for (uint32_t i = 0; i < 60; i++) {
    atl_plan_request_t q = make_request(6, 3 + (int32_t)(i % 8));
    atl_plan_t p;
    q.n_stages = 1 + (int32_t)(i % 3) + (i % 8 > 1);
    q.n_pipelines = 1;
    q.microbatch = 16;
    q.costs.head = 1e-3 + 1e-2 * atl_rng_uniform(1, 1, i, 0);
    q.costs.embed = 1e-2 * atl_rng_uniform(1, 1, i, 1);
    if (atl_plan_make(&q, &p) != ATL_OK) continue;
    double slowest = 0;
    for (int32_t s = 0; s < p.n_stages; s++) slowest = fmax(slowest, p.stage_seconds[s]);
    n_worse += slowest > best_cut(&q, &p, 0) * (1 + 1e-12);
    n++;
  }
  TAP_OK(n_worse == 0 && n == 60, "no cut of the layers has a faster slowest stage");
}

static void test_replicates_first(void) {
  atl_plan_t p;
  atl_plan_request_t q = make_request(1, 12);
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "one rank has a plan");
  TAP_OK(p.n_pipelines == 1 && p.n_stages == 1 && p.n_decoders == 1 && p.first_decoder_rank == -1,
         "one rank carries all roles");
  q.n_ranks = 4;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "four ranks have a plan");
  TAP_OK(p.n_stages == 1 && p.n_pipelines == 4 && p.n_decoders == 4, "a model that fits is replicated; decoders share");
  q.n_ranks = 64;
  q.n_images = 100000;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "sixty-four ranks have a plan");
  double rate = p.n_pipelines * 32 / (256 * p.stage_seconds[0]), load = rate * 0.15 / p.n_decoders;
  TAP_OK(p.n_stages == 1 && p.first_decoder_rank > 0 && p.first_stage_rank == 1,
         "on 64 ranks decoders and coordinator have their own ranks");
  TAP_OK(load > 0.3 && load <= 0.95, "decoders match the rate of the pipelines");
  printf("# %d pipelines, %d decoders, load %.2f\n", (int)p.n_pipelines, (int)p.n_decoders, load);
}

static void test_memory_decides_stages(void) {
  atl_plan_t p;
  atl_plan_request_t q = make_request(8, 12);
  q.memory_per_rank = (int64_t)150 << 20;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "a model that does not fit one rank has a plan");
  TAP_OK(p.n_stages > 1 && p.rank_bytes <= q.memory_per_rank, "stages of a model that does not fit one rank fit");
  TAP_OK(strstr(p.reason, "memory") != NULL, "the reason of a plan with stages for memory says so");
  printf("# %d stages x %d slots x %d: %s\n", (int)p.n_stages, (int)p.n_slots, (int)p.microbatch, p.reason);
  q.memory_per_rank = (int64_t)60 << 20;
  TAP_STATUS(ATL_MEMORY, atl_plan_make(&q, &p), "too little memory is refused");
  printf("# %s\n", atl_status_message());
  TAP_OK(strstr(atl_status_message(), "--dtype bf16") != NULL, "the refusal says what to try");
}

static void test_keeps_what_is_asked(void) {
  atl_plan_t p;
  atl_plan_request_t q = make_request(12, 12);
  q.n_stages = 3;
  q.n_pipelines = 2;
  q.n_decoders = 4;
  q.n_slots = 7;
  q.microbatch = 5;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "a full request has a plan");
  TAP_OK(p.n_stages == 3 && p.n_pipelines == 2 && p.n_decoders == 4 && p.n_slots == 7 && p.microbatch == 5,
         "a plan keeps all counts of the request");
  TAP_OK(p.first_decoder_rank == p.first_stage_rank + 6, "decoders have ranks of their own when there are enough");
  q.n_ranks = 6;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "the same request on fewer ranks has a plan");
  TAP_OK(p.first_decoder_rank == -1, "decoders share stage ranks when there are not enough");
}

static void refuses(atl_plan_request_t q, const char *hint, const char *name) {
  atl_plan_t p;
  atl_status_t status = atl_plan_make(&q, &p);
  TAP_OK(status == ATL_INPUT && strstr(atl_status_message(), hint) != NULL, name);
  if (status != ATL_INPUT || strstr(atl_status_message(), hint) == NULL) printf("# %s\n", atl_status_message());
}

/* Costs as from a damaged cache, beyond what a machine can have: a plan, or a refusal that names the cost; no division
 * by zero. */
static void test_odd_costs(void) {
  atl_plan_t p;
  atl_plan_request_t q = make_request(8, 4);
  q.costs.layer = 1e-300;
  q.costs.hop = 1e5;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "a layer of 1e-300 s with hops of a day is planned");
  TAP_OK(p.n_slots >= 1 && p.n_slots <= 4096 && isfinite(p.seconds),
         "a plan with extreme costs has slots in range and finite seconds");
  q = make_request(8, 4);
  q.costs.decode = 1e308;
  refuses(q, "decoded picture", "decoding that takes 1e308 s is refused");
  q.costs.decode = NAN;
  refuses(q, "decoded picture", "decoding that takes NaN s is refused");
  q = make_request(8, 4);
  q.costs.head = -1;
  refuses(q, "cost of a head", "a head that takes -1 s is refused");
}

static void test_refusals(void) {
  atl_plan_request_t q = make_request(8, 4);
  q.n_stages = 5;
  refuses(q, "try --stages 4", "more stages than layers are refused");
  q.n_stages = 4;
  q.n_pipelines = 3;
  refuses(q, "try --pipelines 2", "more stages than ranks are refused");
  q.n_pipelines = 2;
  q.n_decoders = 9;
  refuses(q, "try --decoders 8", "more decoders than ranks are refused");
  q = make_request(8, 4);
  q.n_images = 0;
  refuses(q, "images", "a job without images is refused");
  q = make_request(0, 4);
  refuses(q, "ranks", "a plan for 0 ranks is refused");
  q = make_request(1, 300);
  refuses(q, "layers", "too many layers are refused");
  q = make_request(8, 4);
  q.microbatch = -1;
  refuses(q, "counts", "a negative microbatch is refused");
}

static void test_waves_are_even(void) {
  atl_plan_t p;
  atl_plan_request_t q = make_request(1, 12);
  q.n_images = 33;
  q.n_prompts = 1;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "33 images have a plan");
  TAP_OK(p.microbatch == 17, "33 images are drawn in waves of 17 and 16, not of 32 and 1");
  q.n_images = 3;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "3 images have a plan");
  TAP_OK(p.microbatch == 3 && p.n_slots == 1 && p.n_prefixes == 1,
         "microbatch, slots and text stores are not larger than the job");
}

/* Slots: ceil(sum(t + c) / max t) + 1. */
static void test_slots(void) {
  atl_plan_t p;
  atl_plan_request_t q = make_request(4, 12);
  q.n_stages = 4;
  q.n_images = 100000;
  q.costs.head = q.costs.draw = q.costs.embed = q.costs.hop = 0;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "balanced stages have a plan");
  TAP_OK(p.n_slots == 5 && p.balance > 1 - 1e-12, "S balanced stages without hops take S + 1 slots");
  q.costs.hop = 0.25 * 6e-3;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "slow hops have a plan");
  TAP_OK(p.n_slots == 6, "hops of a quarter of a stage's time take one more slot");
}

/* Image tokens of a prime are prefill rows, not steps. */
static void test_priming(void) {
  atl_plan_request_t request = make_request(1, 4);
  atl_plan_t whole, half;
  request.has_decoders = false;
  TAP_STATUS(ATL_OK, atl_plan_make(&request, &whole), "a job of whole images has a plan");
  request.n_prime = request.n_drawn /= 2;
  TAP_STATUS(ATL_OK, atl_plan_make(&request, &half), "a job with half of each image primed has a plan");
  double texts = (double)request.n_prompts * request.n_layers * request.costs.prefill_row;
  double want =
      (whole.seconds - texts * (request.text_length + 1)) / 2 + texts * (request.text_length + 1 + request.n_prime);
  TAP_OK(fabs(half.seconds / want - 1) < 1e-9, "primed tokens cost prefill rows instead of steps");
}

static void test_json(void) {
  atl_plan_request_t q = make_request(20, 12);
  atl_plan_t p, got;
  json_t *object = NULL;
  q.n_stages = 3;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &p), "20 ranks in stages of 3 have a plan");
  TAP_STATUS(ATL_OK, atl_plan_to_json(&p, &object), "a plan is written as JSON");
  TAP_STATUS(ATL_OK, atl_plan_from_json(object, "plan.json", NULL, &got), "a plan is read from JSON");
  TAP_OK(memcmp(&p, &got, sizeof p) == 0, "a plan read from JSON equals the one written");
  TAP_STATUS(ATL_OK, atl_plan_from_json(object, "plan.json", &q, &got), "a plan is read for its job");
  TAP_OK(got.seconds == p.seconds && got.rank_bytes == p.rank_bytes,
         "predictions of a plan read for its job are computed again");
  q.n_ranks = 21;
  TAP_STATUS(ATL_INPUT, atl_plan_from_json(object, "plan.json", &q, &got), "a plan for other ranks is refused");
  q.n_ranks = 20;
  q.n_layers = 13;
  TAP_STATUS(ATL_INPUT, atl_plan_from_json(object, "plan.json", &q, &got), "a plan for another model is refused");
  static const char *const fields[] = {"stages",           "pipelines",          "decoders",   "slots",
                                       "first_stage_rank", "first_decoder_rank", "microbatch", "ranks"};
  int n_accepted = 0;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    json_t *bad = json_deep_copy(object);
    json_object_set_new(bad, fields[i], json_integer(-7));
    n_accepted += atl_plan_from_json(bad, "plan.json", NULL, &got) == ATL_OK;
    json_object_set_new(bad, fields[i], json_string("many"));
    n_accepted += atl_plan_from_json(bad, "plan.json", NULL, &got) == ATL_OK;
    json_object_del(bad, fields[i]);
    n_accepted += atl_plan_from_json(bad, "plan.json", NULL, &got) == ATL_OK;
    json_decref(bad);
  }
  TAP_OK(n_accepted == 0, "negative, textual and missing counts in JSON are refused");
  json_array_set_new(json_object_get(object, "first_layer"), 1, json_integer(0));
  TAP_STATUS(ATL_INPUT, atl_plan_from_json(object, "plan.json", NULL, &got), "an empty stage is refused");
  json_object_set_new(object, "decoders", json_integer(60000));
  TAP_STATUS(ATL_INPUT, atl_plan_from_json(object, "plan.json", NULL, &got), "roles beyond the ranks are refused");
  json_decref(object);
}

/* A valid plan, with one of its numbers out of range at a time. */
static void test_validity(void) {
  atl_plan_request_t q = make_request(20, 12);
  atl_plan_t p, good;
  char why[ATL_PLAN_WHY_BYTES];
  q.n_stages = 3;
  q.n_decoders = 2;
  TAP_STATUS(ATL_OK, atl_plan_make(&q, &good), "a request with 2 decoders has a plan");
  TAP_OK(atl_plan_is_valid(&good, &q, why) && why[0] == '\0', "a plan that was made is valid");
  int32_t *const numbers[] = {&p.n_ranks,        &p.n_pipelines,    &p.n_stages,         &p.n_decoders,
                              &p.n_slots,        &p.microbatch,     &p.n_prefixes,       &p.coordinator_rank,
                              &p.first_layer[0], &p.first_layer[1], &p.first_stage_rank, &p.first_decoder_rank};
  static const int32_t values[] = {-7, INT32_MIN, INT32_MAX};
  int n_accepted = 0, n_silent = 0;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
      p = good;
      *numbers[i] = values[j];
      n_accepted += atl_plan_is_valid(&p, NULL, why);
      n_silent += why[0] == '\0';
    }
  TAP_OK(n_accepted == 0 && n_silent == 0, "a plan with any number out of range is not valid, with a reason");
  p = good;
  p.first_layer[1] = 0;
  TAP_OK(!atl_plan_is_valid(&p, NULL, why) && strstr(why, "no stage is empty") != NULL, "an empty stage is not valid");
  p = good;
  p.first_decoder_rank = 1;
  TAP_OK(!atl_plan_is_valid(&p, NULL, why) && strstr(why, "2 decoders") != NULL,
         "decoders on stages' ranks are not valid");
  q.n_layers = 13;
  TAP_OK(!atl_plan_is_valid(&good, &q, why) && strstr(why, "13") != NULL,
         "a plan for another model does not fit the request");
}

int main(void) {
  test_all_rank_counts("12 layers", 12, false, true, 0);
  test_all_rank_counts("64 layers, guided", 64, true, true, (int64_t)4 << 30);
  test_all_rank_counts("1 layer", 1, false, true, 0);
  test_all_rank_counts("tokens only", 7, true, false, 0);
  test_cut_is_best();
  test_replicates_first();
  test_memory_decides_stages();
  test_keeps_what_is_asked();
  test_refusals();
  test_odd_costs();
  test_waves_are_even();
  test_slots();
  test_priming();
  test_json();
  test_validity();
  return tap_done();
}
