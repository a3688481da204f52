/* The order of steps is fixed, so no event queue is needed. A step starts when its slot has arrived and its stage is
 * free:
 *     finish(s) = max(finish(s - 1) + c, free(s)) + t(s).
 * Nested loops over waves, tokens, slots and stages visit all steps in a valid order. On a shared rank, waiting images
 * are decoded in gaps, and one after each step, similar to workers/worker.c. */
#include "partition/simulate.h"

#include <math.h>
#include <string.h>

#include "common/memory.h"
#include "common/rng.h"
#include "partition/plan_private.h"

static const double max_steps = 2e9;

typedef struct {
  double time;
  int64_t n; /* images */
} arrival_t;

typedef struct {
  const atl_plan_t *plan;
  const atl_plan_request_t *request;
  double jitter;
  int64_t n_images;      /* of this pipeline */
  int64_t n_begun;       /* images begun */
  int64_t n_prompts;     /* prompts prefilled */
  int32_t n_decoding;    /* number of stages, counted from the last, whose ranks decode */
  double decode_seconds; /* of an image on such a rank; 0: decoders have their own ranks */
  double free[ATL_MAX_STAGES], first[ATL_MAX_STAGES], last[ATL_MAX_STAGES];
  double waiting[ATL_MAX_STAGES]; /* images waiting for the decoder on the stage's rank */
  double slot_ready[ATL_PLAN_MAX_SLOTS];
  int32_t slot_b[ATL_PLAN_MAX_SLOTS];
  arrival_t *arrivals; /* one per microbatch */
  int64_t n_arrivals;
  double work, prefill, decode, imbalance, drawn; /* seconds; drawn: time of the last token */
  double first_image;
  int64_t n_steps;
} pipeline_t;

static double shake(const pipeline_t *l, double seconds, int32_t s) {
  if (l->jitter <= 0) return seconds;
  double u = atl_rng_uniform(0, (uint64_t)s, (uint32_t)(l->n_steps >> 20), (uint32_t)(l->n_steps & 0xfffff));
  return seconds * (1 + l->jitter * (2 * u - 1));
}

static void decode_one(pipeline_t *l, int32_t s) {
  l->waiting[s] -= 1;
  l->free[s] += l->decode_seconds;
  l->decode += l->decode_seconds;
  if (l->first_image == 0) l->first_image = l->free[s];
}

/* Stage s computes for `seconds` on a packet that arrives at time `arrival`. Returns the time when it is done. */
static double step(pipeline_t *l, int32_t s, double arrival, double seconds) {
  while (l->waiting[s] >= 1 && l->free[s] < arrival) decode_one(l, s);
  if (arrival > l->free[s]) l->free[s] = arrival;
  if (l->last[s] == 0) l->first[s] = l->free[s];
  double done = l->free[s] += shake(l, seconds, s);
  l->last[s] = done;
  l->n_steps++;
  if (l->waiting[s] >= 1) decode_one(l, s);
  return done;
}

/* Prefills the prompts whose first candidates are among the images up to `end`. Returns the time when the slot can
 * begin.
 */
static double prefill_slot(pipeline_t *l, int64_t end, double arrival) {
  const atl_plan_request_t *q = l->request;
  double share = ceil((double)q->n_prompts / l->plan->n_pipelines);
  int64_t n_prompts = (int64_t)ceil(share * (double)end / (double)l->n_images), n_new = n_prompts - l->n_prompts;
  if (l->n_prompts == 0 && q->is_guided) n_new++;
  l->n_prompts = n_prompts;
  double of_layer = (double)n_new * (q->text_length + 1 + q->n_prime) * q->costs.prefill_row;
  for (int32_t s = 0; s < l->plan->n_stages && n_new > 0; s++) {
    double seconds = of_layer * (l->plan->first_layer[s + 1] - l->plan->first_layer[s]);
    arrival = step(l, s, arrival, seconds) + q->costs.hop;
    l->prefill += seconds;
  }
  return arrival;
}

/* The images left are spread evenly over the slots of the last wave. */
static int32_t next_microbatch(const pipeline_t *l, int32_t n_slots_left) {
  int64_t left = l->n_images - l->n_begun, even = (left + n_slots_left - 1) / n_slots_left;
  return (int32_t)(even < l->plan->microbatch ? even : l->plan->microbatch);
}

static int32_t begin_wave(pipeline_t *l) {
  const atl_plan_t *p = l->plan;
  int32_t n_slots = 0;
  int64_t needed = (l->n_images - l->n_begun + p->microbatch - 1) / p->microbatch;
  int32_t most = needed < p->n_slots ? (int32_t)needed : p->n_slots;
  for (; n_slots < most && l->n_begun < l->n_images; n_slots++) {
    l->slot_b[n_slots] = next_microbatch(l, most - n_slots);
    l->n_begun += l->slot_b[n_slots];
    l->slot_ready[n_slots] = prefill_slot(l, l->n_begun, l->slot_ready[n_slots]);
  }
  return n_slots;
}

/* One token of one slot through all stages. */
static void run_round(pipeline_t *l, int32_t slot) {
  const atl_plan_t *p = l->plan;
  const atl_plan_request_t *q = l->request;
  double arrival = l->slot_ready[slot], slowest = 0, sum = 0, hop = p->n_stages > 1 ? q->costs.hop : 0;
  for (int32_t s = 0; s < p->n_stages; s++) {
    double seconds = atl_plan_stage_seconds(p, q, s, l->slot_b[slot]);
    arrival = step(l, s, arrival, seconds) + hop;
    sum += seconds;
    if (seconds > slowest) slowest = seconds;
  }
  l->slot_ready[slot] = arrival;
  l->work += sum;
  l->imbalance += p->n_stages * slowest - sum;
}

static void end_wave(pipeline_t *l, int32_t n_slots) {
  for (int32_t m = 0; m < n_slots; m++) {
    l->arrivals[l->n_arrivals++] = (arrival_t){l->slot_ready[m], l->slot_b[m]};
    l->drawn = fmax(l->drawn, l->slot_ready[m]);
    for (int32_t i = 0; l->decode_seconds > 0 && i < l->n_decoding; i++)
      l->waiting[l->plan->n_stages - 1 - i] += (double)l->slot_b[m] / l->n_decoding;
  }
}

static void run_pipeline(pipeline_t *l) {
  while (l->n_begun < l->n_images) {
    int32_t n_slots = begin_wave(l);
    for (int32_t token = 0; token < l->request->n_drawn; token++)
      for (int32_t m = 0; m < n_slots; m++) run_round(l, m);
    end_wave(l, n_slots);
  }
}

/* Shared ranks decode the remaining images. Returns the time when they are done. */
static double finish_shared(pipeline_t *l) {
  double end = l->drawn;
  for (int32_t s = 0; s < l->plan->n_stages; s++) {
    if (l->waiting[s] > 1e-9) {
      l->free[s] = fmax(l->free[s], l->drawn) + l->waiting[s] * l->decode_seconds;
      l->decode += l->waiting[s] * l->decode_seconds;
      if (l->first_image == 0) l->first_image = l->drawn + l->decode_seconds;
    }
    end = fmax(end, l->free[s]);
  }
  return end;
}

/* Decoders with their own ranks take images in order of arrival, in turn; all images take equally long, so the next
 * decoder is the first one free. There are two kinds of pipelines, with one image more or less, n_kinds[k] of each. */
static atl_status_t finish_own(const atl_plan_t *plan, double seconds, const pipeline_t *kinds, const int64_t *n_kinds,
                               double *end, double *first_image) {
  double *free_at;
  int64_t next[2] = {0, 0}, i_image = 0;
  ATL_TRY(ATL_NEW(plan->n_decoders, &free_at));
  for (;;) {
    int k = next[0] >= kinds[0].n_arrivals || n_kinds[0] == 0;
    if (!k && n_kinds[1] > 0 && next[1] < kinds[1].n_arrivals &&
        kinds[1].arrivals[next[1]].time < kinds[0].arrivals[next[0]].time)
      k = 1;
    if (n_kinds[k] == 0 || next[k] >= kinds[k].n_arrivals) break;
    arrival_t arrival = kinds[k].arrivals[next[k]++];
    for (int64_t i = 0; i < arrival.n * n_kinds[k]; i++) {
      double *decoder = &free_at[i_image++ % plan->n_decoders];
      *decoder = fmax(*decoder, arrival.time) + seconds;
      *end = fmax(*end, *decoder);
      if (*first_image == 0) *first_image = *decoder;
    }
  }
  ATL_DESTROY(&free_at);
  return ATL_OK;
}

static void add_shares(const pipeline_t *l, double n, double end, double total, atl_simulation_t *out) {
  double fill = 0, tail = (end - l->drawn) * l->plan->n_stages;
  for (int32_t s = 0; s < l->plan->n_stages; s++) fill += l->first[s] + (l->drawn - l->last[s]);
  out->work += n * l->work / total;
  out->prefill += n * l->prefill / total;
  out->decode += n * l->decode / total;
  out->imbalance += n * l->imbalance / total;
  out->fill += n * fill / total;
  out->tail += n * tail / total;
  out->n_steps += (int64_t)n * l->n_steps;
}

/* Decoding in the tail does not count as waiting; the remaining share goes to `slots`. */
static void settle(atl_simulation_t *out, double tail_decode) {
  out->tail = fmax(0, out->tail - tail_decode);
  out->slots = 1 - out->work - out->prefill - out->decode - out->imbalance - out->fill - out->tail;
  if (out->slots < 0) { /* decoding filled gaps that were counted as imbalance */
    out->imbalance = fmax(0, out->imbalance + out->slots);
    out->slots = fmax(0, 1 - out->work - out->prefill - out->decode - out->imbalance - out->fill - out->tail);
  }
}

static atl_status_t open_pipeline(const atl_plan_t *plan, const atl_plan_request_t *q, int64_t n_images, double jitter,
                                  pipeline_t *l) {
  double decode = q->costs.decode + q->costs.score;
  l->plan = plan;
  l->request = q;
  l->jitter = jitter;
  l->n_images = n_images;
  if (plan->n_decoders > 0 && plan->first_decoder_rank < 0) {
    /* With fewer decoders than pipelines, each pipeline gets a fraction of a decoder. */
    double each = (double)plan->n_decoders / plan->n_pipelines;
    l->n_decoding = each < 1 ? 1 : (int32_t)each;
    l->decode_seconds = decode * l->n_decoding / each;
  }
  return ATL_NEW(n_images / plan->microbatch + plan->n_slots + 1, &l->arrivals);
}

static atl_status_t run(const atl_plan_t *plan, const atl_plan_request_t *q, double jitter, pipeline_t *kinds,
                        atl_simulation_t *out) {
  int64_t n_more = q->n_images % plan->n_pipelines, n_kinds[2] = {n_more, plan->n_pipelines - n_more};
  double end = 0, tail_decode = 0;
  for (int k = 0; k < 2; k++) {
    int64_t n_images = q->n_images / plan->n_pipelines + (k == 0);
    if (n_images == 0 || n_kinds[k] == 0) {
      n_kinds[k] = 0;
      continue;
    }
    ATL_TRY(open_pipeline(plan, q, n_images, jitter, &kinds[k]));
    run_pipeline(&kinds[k]);
    double decoded = kinds[k].decode;
    end = fmax(end, finish_shared(&kinds[k]));
    tail_decode += (double)n_kinds[k] * (kinds[k].decode - decoded);
    out->first_image = kinds[k].first_image;
  }
  double image_seconds = q->costs.decode + q->costs.score;
  if (plan->first_decoder_rank >= 0) {
    out->first_image = 0;
    ATL_TRY(finish_own(plan, image_seconds, kinds, n_kinds, &end, &out->first_image));
    out->decoder_load = (double)q->n_images * image_seconds / (end * plan->n_decoders);
  }
  double total = end * plan->n_stages * plan->n_pipelines;
  for (int k = 0; k < 2; k++)
    if (n_kinds[k] > 0) add_shares(&kinds[k], (double)n_kinds[k], end, total, out);
  settle(out, tail_decode / total);
  out->efficiency = out->work + out->prefill + out->decode;
  out->rank_efficiency =
      (out->efficiency * plan->n_stages * plan->n_pipelines + out->decoder_load * plan->n_decoders) / plan->n_ranks;
  out->seconds = end;
  out->images_per_second = (double)q->n_images / end;
  return ATL_OK;
}

atl_status_t atl_simulate_run(const atl_plan_t *plan, const atl_plan_request_t *request, double jitter,
                              atl_simulation_t *simulation) {
  double n_each = ceil((double)request->n_images / plan->n_pipelines);
  double n_steps = ceil(n_each / plan->microbatch) * request->n_drawn * plan->n_stages;
  *simulation = (atl_simulation_t){0};
  ATL_CHECK(n_steps <= max_steps, INPUT, "%.3g steps are too many to simulate, at most %.3g; try fewer --samples",
            n_steps, max_steps);
  pipeline_t *kinds;
  ATL_TRY(ATL_NEW(2, &kinds));
  atl_status_t status = run(plan, request, jitter, kinds, simulation);
  for (int k = 0; k < 2; k++) ATL_DESTROY(&kinds[k].arrivals);
  ATL_DESTROY(&kinds);
  return status;
}

void atl_simulate_print(const atl_simulation_t *s, FILE *out) {
  char seconds[32], rate[32], first[32];
  fprintf(out, "simulated: %s, %s images/s, %lld steps", atl_plan_format_seconds(s->seconds, seconds),
          atl_plan_format_rate(s->images_per_second, rate), (long long)s->n_steps);
  if (s->first_image > 0) fprintf(out, "; the first image after %s", atl_plan_format_seconds(s->first_image, first));
  fprintf(out, "\n");
  fprintf(out, "  efficiency: %.1f %% of the stages' time is work, %.1f %% of all ranks'\n", 100 * s->efficiency,
          100 * s->rank_efficiency);
  fprintf(out, "  the stages' time: drawing %.1f %%, texts %.1f %%, decoding %.1f %%\n", 100 * s->work,
          100 * s->prefill, 100 * s->decode);
  fprintf(out, "  waiting: imbalance %.1f %%, slots %.1f %%, fill and drain %.1f %%, tail %.1f %%\n",
          100 * s->imbalance, 100 * s->slots, 100 * s->fill, 100 * s->tail);
  if (s->decoder_load > 0) fprintf(out, "  decoders are busy %.1f %% of the time\n", 100 * s->decoder_load);
}
