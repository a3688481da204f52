/* A plan as a table for users, and as JSON for run.json, --plan FILE and the other ranks. */
#include <inttypes.h>
#include <string.h>

#include "common/bytes.h"
#include "common/timer.h"
#include "partition/plan_private.h"

/* ---- table ---- */

const char *atl_plan_format_seconds(double seconds, char text[32]) {
  if (seconds >= 100) return atl_timer_format(seconds, text);
  snprintf(text, 32, "%.3g s", seconds);
  return text;
}

const char *atl_plan_format_rate(double rate, char text[32]) {
  snprintf(text, 32, rate >= 100 ? "%.0f" : "%.3g", rate);
  return text;
}

/* The ranks of a stage in all pipelines, like "1, 4 .. 10". */
static const char *format_ranks(const atl_plan_t *plan, int32_t i_stage, char text[32]) {
  int32_t first = atl_plan_stage_rank(plan, 0, i_stage), n = plan->n_pipelines, step = plan->n_stages;
  if (n == 1)
    snprintf(text, 32, "%d", (int)first);
  else if (n == 2)
    snprintf(text, 32, "%d, %d", (int)first, (int)(first + step));
  else if (step == 1)
    snprintf(text, 32, "%d .. %d", (int)first, (int)(first + n - 1));
  else
    snprintf(text, 32, "%d, %d .. %d", (int)first, (int)(first + step), (int)(first + (n - 1) * step));
  return text;
}

static void print_stages(const atl_plan_t *plan, const atl_plan_request_t *q, FILE *out) {
  bool is_sharing = plan->n_decoders > 0 && plan->first_decoder_rank < 0;
  fprintf(out, "  %-16s %-20s %-12s %14s %12s\n", "ranks", "role", "layers", "ms/microbatch", "memory");
  if (plan->first_stage_rank > 0) fprintf(out, "  %-16d %-20s\n", (int)plan->coordinator_rank, "coordinator");
  for (int32_t s = 0; s < plan->n_stages; s++) {
    char ranks[32], role[32], layers[32], bytes[32];
    snprintf(role, sizeof role, "stage %d%s", (int)s, is_sharing ? ", decoder" : "");
    snprintf(layers, sizeof layers, "%d..%d%s", (int)plan->first_layer[s], (int)plan->first_layer[s + 1] - 1,
             s == plan->n_stages - 1 ? "+head" : "");
    fprintf(out, "  %-16s %-20s %-12s %14.3f %12s\n", format_ranks(plan, s, ranks), role, layers,
            1e3 * plan->stage_seconds[s], atl_bytes_format(atl_plan_rank_bytes(plan, q, s, is_sharing), bytes));
  }
  if (plan->first_decoder_rank < 0) return;
  char ranks[32], bytes[32];
  snprintf(ranks, sizeof ranks, "%d .. %d", (int)plan->first_decoder_rank,
           (int)(plan->first_decoder_rank + plan->n_decoders - 1));
  fprintf(out, "  %-16s %-20s %-12s %14s %12s\n", ranks, "decoder", "", "",
          atl_bytes_format(atl_plan_rank_bytes(plan, q, -1, true), bytes));
}

void atl_plan_print(const atl_plan_t *plan, const atl_plan_request_t *q, FILE *out) {
  char bytes[32], seconds[32], rate[32];
  fprintf(out, "%d rank%s: %d pipeline%s of %d stage%s, %d decoder%s\n", (int)plan->n_ranks,
          plan->n_ranks == 1 ? "" : "s", (int)plan->n_pipelines, plan->n_pipelines == 1 ? "" : "s", (int)plan->n_stages,
          plan->n_stages == 1 ? "" : "s", (int)plan->n_decoders, plan->n_decoders == 1 ? "" : "s");
  print_stages(plan, q, out);
  fprintf(out, "  in flight: %d slot%s of %d candidates per pipeline, %d text store%s\n", (int)plan->n_slots,
          plan->n_slots == 1 ? "" : "s", (int)plan->microbatch, (int)plan->n_prefixes,
          plan->n_prefixes == 1 ? "" : "s");
  fprintf(out, "  %s: %s for %" PRId64 " images, %s images/s; stage balance %.1f %%, bubble %.1f %%\n",
          q->costs.is_measured ? "predicted from measured costs" : "estimated from FLOPs and bytes",
          atl_plan_format_seconds(plan->seconds, seconds), q->n_images,
          atl_plan_format_rate(plan->images_per_second, rate), 100 * plan->balance, 100 * plan->bubble);
  fprintf(out, "  fullest rank: %s", atl_bytes_format(plan->rank_bytes, bytes));
  fprintf(out, "; a candidate in flight takes %s of its pipeline\n", atl_bytes_format(plan->sample_bytes, bytes));
  fprintf(out, "  why: %s\n", plan->reason);
}

/* ---- JSON ---- */

typedef struct {
  const char *name;
  size_t offset;
  int64_t min, max;
} field_t;

static const field_t fields[] = {
    {"ranks", offsetof(atl_plan_t, n_ranks), 1, ATL_MAX_RANKS},
    {"pipelines", offsetof(atl_plan_t, n_pipelines), 1, ATL_MAX_RANKS},
    {"stages", offsetof(atl_plan_t, n_stages), 1, ATL_MAX_STAGES},
    {"decoders", offsetof(atl_plan_t, n_decoders), 0, ATL_MAX_RANKS},
    {"slots", offsetof(atl_plan_t, n_slots), 1, ATL_PLAN_MAX_SLOTS},
    {"microbatch", offsetof(atl_plan_t, microbatch), 1, ATL_PLAN_MAX_MICROBATCH},
    {"prefixes", offsetof(atl_plan_t, n_prefixes), 1, ATL_PLAN_MAX_PREFIXES},
    {"coordinator_rank", offsetof(atl_plan_t, coordinator_rank), 0, 0},
    {"first_stage_rank", offsetof(atl_plan_t, first_stage_rank), 0, 1},
    {"first_decoder_rank", offsetof(atl_plan_t, first_decoder_rank), -1, ATL_MAX_RANKS - 1},
};

enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static int32_t *field_of(const atl_plan_t *plan, const field_t *field) {
  return (int32_t *)(uintptr_t)((const char *)plan + field->offset);
}

static json_t *reals_of(const double *values, int32_t n) {
  json_t *array = json_array();
  for (int32_t i = 0; i < n; i++) json_array_append_new(array, json_real(values[i]));
  return array;
}

static json_t *integers_of(const int64_t *values, int32_t n) {
  json_t *array = json_array();
  for (int32_t i = 0; i < n; i++) json_array_append_new(array, json_integer(values[i]));
  return array;
}

atl_status_t atl_plan_to_json(const atl_plan_t *plan, json_t **object) {
  json_t *made = json_object(), *layers = json_array();
  int n_failed = 0;
  for (int i = 0; i < N_FIELDS; i++)
    n_failed += json_object_set_new(made, fields[i].name, json_integer(*field_of(plan, &fields[i]))) != 0;
  for (int32_t s = 0; s <= plan->n_stages; s++)
    n_failed += json_array_append_new(layers, json_integer(plan->first_layer[s])) != 0;
  n_failed += json_object_set_new(made, "first_layer", layers) != 0;
  n_failed += json_object_set_new(made, "seconds", json_real(plan->seconds)) != 0;
  n_failed += json_object_set_new(made, "images_per_second", json_real(plan->images_per_second)) != 0;
  n_failed += json_object_set_new(made, "stage_seconds", reals_of(plan->stage_seconds, plan->n_stages)) != 0;
  n_failed += json_object_set_new(made, "balance", json_real(plan->balance)) != 0;
  n_failed += json_object_set_new(made, "bubble", json_real(plan->bubble)) != 0;
  n_failed += json_object_set_new(made, "rank_bytes", json_integer(plan->rank_bytes)) != 0;
  n_failed += json_object_set_new(made, "sample_bytes", json_integer(plan->sample_bytes)) != 0;
  n_failed += json_object_set_new(made, "process_bytes", json_integer(plan->process_bytes)) != 0;
  n_failed += json_object_set_new(made, "decoder_bytes", json_integer(plan->decoder_bytes)) != 0;
  n_failed += json_object_set_new(made, "stage_bytes", integers_of(plan->stage_bytes, plan->n_stages)) != 0;
  n_failed += json_object_set_new(made, "reason", json_string(plan->reason)) != 0;
  *object = made;
  if (n_failed == 0) return ATL_OK;
  json_decref(made);
  *object = NULL;
  return ATL_FAIL(MEMORY, "no memory for the plan as JSON");
}

static atl_status_t read_layers(const json_t *object, const char *where, atl_plan_t *plan) {
  const json_t *array = json_object_get(object, "first_layer");
  ATL_CHECK(json_is_array(array) && json_array_size(array) == (size_t)plan->n_stages + 1, INPUT,
            "%s: first_layer: expected a list of %d integers (stages + 1), found %zu", where, (int)plan->n_stages + 1,
            json_array_size(array));
  for (int32_t s = 0; s <= plan->n_stages; s++) {
    const json_t *item = json_array_get(array, (size_t)s);
    json_int_t layer = json_integer_value(item);
    ATL_CHECK(json_is_integer(item) && layer >= 0 && layer <= ATL_MAX_STAGES, INPUT,
              "%s: first_layer[%d]: expected 0 to %d, found %lld", where, (int)s, ATL_MAX_STAGES, (long long)layer);
    plan->first_layer[s] = (int32_t)layer;
  }
  return ATL_OK;
}

static atl_status_t read_predictions(const json_t *object, const char *where, atl_plan_t *plan) {
  const json_t *seconds = json_object_get(object, "stage_seconds"), *bytes = json_object_get(object, "stage_bytes");
  const char *reason;
  ATL_TRY(atl_json_get_real(object, where, "seconds", &plan->seconds));
  ATL_TRY(atl_json_get_real(object, where, "images_per_second", &plan->images_per_second));
  ATL_TRY(atl_json_get_real(object, where, "balance", &plan->balance));
  ATL_TRY(atl_json_get_real(object, where, "bubble", &plan->bubble));
  ATL_TRY(atl_json_get_int(object, where, "rank_bytes", 0, INT64_MAX, &plan->rank_bytes));
  ATL_TRY(atl_json_get_int(object, where, "sample_bytes", 0, INT64_MAX, &plan->sample_bytes));
  ATL_TRY(atl_json_get_int(object, where, "process_bytes", 0, INT64_MAX, &plan->process_bytes));
  ATL_TRY(atl_json_get_int(object, where, "decoder_bytes", 0, INT64_MAX, &plan->decoder_bytes));
  ATL_TRY(atl_json_get_text(object, where, "reason", &reason));
  snprintf(plan->reason, sizeof plan->reason, "%s", reason);
  for (int32_t s = 0; s < plan->n_stages; s++) {
    plan->stage_seconds[s] = json_number_value(json_array_get(seconds, (size_t)s));
    plan->stage_bytes[s] = json_integer_value(json_array_get(bytes, (size_t)s));
  }
  return ATL_OK;
}

atl_status_t atl_plan_from_json(const json_t *object, const char *where, const atl_plan_request_t *request,
                                atl_plan_t *plan) {
  *plan = (atl_plan_t){0};
  for (int i = 0; i < N_FIELDS; i++) {
    int64_t value;
    ATL_TRY(atl_json_get_int(object, where, fields[i].name, fields[i].min, fields[i].max, &value));
    *field_of(plan, &fields[i]) = (int32_t)value;
  }
  ATL_TRY(read_layers(object, where, plan));
  char why[ATL_PLAN_WHY_BYTES];
  ATL_CHECK(atl_plan_is_valid(plan, request, why), INPUT, "%s: %s", where, why);
  if (request == NULL) return read_predictions(object, where, plan);
  int64_t bytes = atl_plan_fullest_rank(plan, request);
  ATL_CHECK(request->memory_per_rank == 0 || bytes <= request->memory_per_rank, MEMORY,
            "%s: the plan needs %.2f GiB on a rank, a rank has %.2f GiB", where, (double)bytes / (1 << 30),
            (double)request->memory_per_rank / (1 << 30));
  atl_plan_predict(request, plan);
  snprintf(plan->reason, sizeof plan->reason, "as read from %s", where);
  return ATL_OK;
}
