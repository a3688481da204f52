/* A stage's time is divided as it was measured: busy; waiting before, between and after its packets. Only the waits
 * between packets need interpretation. Of these, the wait for buffers was measured; the wait for the slowest stage of
 * the pipeline is taken to be that stage's extra busy time; the rest is attributed to slots.
 *
 * The advice is about the largest loss and names what to change. A loss below five percent is not worth a change.
 */
#include "coordinator/runfolder/diagnosis.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const double min_loss = 0.05;   /* share of the stages' time from which a loss is worth advice */
static const double full_load = 0.9;   /* busy share from which a role is taken to hold up the others */
static const double min_excess = 0.05; /* step time above the mean of its pipeline from which a stage is named */

typedef struct {
  const atl_run_summary_t *summary;
  atl_diagnosis_t *d;
  double drawn; /* seconds from the start to the end of the last step of any stage */
  double n_decoders, decoding, busiest_decoding;
  double coordinating;
} reading_t;

static bool is_stage(const atl_report_t *report) { return report->role.kind == ATL_ROLE_STAGE; }

double atl_diagnosis_step_seconds(const atl_report_t *stage) {
  double n = (double)stage->n_steps - (double)stage->n_prefills;
  return n > 0 ? (stage->busy - stage->prefill) / n : 0;
}

static double clamp(double x, double most) { return x < 0 ? 0 : x > most ? most : x; }

static bool has_stage_on(const atl_run_summary_t *summary, int32_t rank) {
  for (int32_t i = 0; i < summary->n_reports; i++)
    if (summary->reports[i].rank == rank && is_stage(&summary->reports[i])) return true;
  return false;
}

/* Busy seconds of the busiest stage of this pipeline. */
static double slowest_of(const atl_run_summary_t *summary, int32_t i_pipeline) {
  double most = 0;
  for (int32_t i = 0; i < summary->n_reports; i++) {
    const atl_report_t *report = &summary->reports[i];
    if (is_stage(report) && report->role.i_pipeline == i_pipeline) most = fmax(most, report->busy);
  }
  return most;
}

static void read_stage(reading_t *r, const atl_report_t *report) {
  atl_diagnosis_t *d = r->d;
  double waiting = report->waiting, before = clamp(report->before, waiting);
  double after = clamp(report->after, waiting - before), tail = clamp(r->summary->seconds - r->drawn, after);
  double between = waiting - before - after, backpressure = clamp(report->backpressure, between);
  double imbalance = clamp(slowest_of(r->summary, report->role.i_pipeline) - report->busy, between - backpressure);
  d->work += report->busy - report->prefill;
  d->prefill += report->prefill;
  d->fill += before + after - tail;
  d->tail += tail;
  d->back_pressure += backpressure;
  d->imbalance += imbalance;
  d->slots += between - backpressure - imbalance;
  d->n_stages++;
}

static void read_other(reading_t *r, const atl_report_t *report) {
  bool is_sharing = has_stage_on(r->summary, report->rank);
  double worked = report->busy + report->io;
  if (report->role.kind == ATL_ROLE_COORDINATOR) {
    r->coordinating += worked;
    if (is_sharing) r->d->coordination += worked;
  } else if (is_sharing) {
    r->d->decode += worked;
  } else {
    r->n_decoders++;
    r->decoding += worked;
    r->busiest_decoding = fmax(r->busiest_decoding, worked);
  }
}

static void read_reports(reading_t *r) {
  const atl_run_summary_t *summary = r->summary;
  for (int32_t i = 0; i < summary->n_reports; i++)
    if (is_stage(&summary->reports[i])) r->drawn = fmax(r->drawn, summary->reports[i].last);
  for (int32_t i = 0; i < summary->n_reports; i++) {
    if (is_stage(&summary->reports[i]))
      read_stage(r, &summary->reports[i]);
    else
      read_other(r, &summary->reports[i]);
  }
  atl_diagnosis_t *d = r->d;
  if (r->n_decoders > 0) d->decoder_load = r->decoding / (r->n_decoders * summary->seconds);
  double *const shares[] = {&d->work, &d->prefill,   &d->decode,        &d->coordination, &d->fill,
                            &d->tail, &d->imbalance, &d->back_pressure, &d->slots,        &d->other};
  double total = 0;
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) total += *shares[i];
  d->other = fmax(0, d->n_stages * summary->seconds - total);
  total += d->other;
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) *shares[i] = total > 0 ? *shares[i] / total : 0;
}

/* ---- advice ---- */

/* Finds the pipeline with the worst balance and fills seconds[n_stages] with its steps; returns its index, -1: none has
 * made steps. */
static int32_t find_worst_pipeline(const reading_t *r, double *seconds, int32_t n_stages) {
  double worst = 0;
  int32_t found = -1;
  for (int32_t p = 0; p < r->summary->plan->n_pipelines; p++) {
    double of_stage[ATL_MAX_STAGES] = {0}, most = 0, sum = 0;
    for (int32_t i = 0; i < r->summary->n_reports; i++) {
      const atl_report_t *report = &r->summary->reports[i];
      if (is_stage(report) && report->role.i_pipeline == p && report->role.i_stage < n_stages)
        of_stage[report->role.i_stage] = atl_diagnosis_step_seconds(report);
    }
    for (int32_t s = 0; s < n_stages; s++) sum += of_stage[s], most = fmax(most, of_stage[s]);
    if (sum == 0 || most * n_stages / sum <= worst) continue;
    worst = most * n_stages / sum;
    found = p;
    memcpy(seconds, of_stage, (size_t)n_stages * sizeof *seconds);
  }
  return found;
}

/* Moving a layer from the slowest stage to its faster neighbour helps if the neighbour then still takes less time than
 * the slowest stage did. */
static void advise_balance(reading_t *r) {
  const atl_plan_t *plan = r->summary->plan;
  double seconds[ATL_MAX_STAGES], sum = 0;
  int32_t n = plan->n_stages, p = find_worst_pipeline(r, seconds, n), slowest = 0;
  if (p < 0) return;
  for (int32_t s = 0; s < n; s++) {
    sum += seconds[s];
    if (seconds[s] > seconds[slowest]) slowest = s;
  }
  int32_t left = slowest - 1, right = slowest + 1;
  int32_t to = left < 0 ? right : right >= n ? left : seconds[left] <= seconds[right] ? left : right;
  double excess = seconds[slowest] * n / sum - 1;
  if (excess < min_excess || to >= n) return;
  int32_t n_layers = plan->first_layer[slowest + 1] - plan->first_layer[slowest];
  int32_t n_there = plan->first_layer[to + 1] - plan->first_layer[to];
  /* Seconds per layer come from the neighbour, because the slowest stage's may include the head. */
  double a_layer = n_there > 0 ? seconds[to] / n_there : 0;
  char text[128];
  snprintf(text, sizeof text, "stage %d.%d is %.0f %% over the mean of its pipeline", (int)p, (int)slowest,
           100 * excess);
  if (n_layers > 1 && seconds[to] + a_layer < seconds[slowest])
    snprintf(r->d->advice, sizeof r->d->advice, "%s: move one layer to stage %d.%d", text, (int)p, (int)to);
  else
    snprintf(r->d->advice, sizeof r->d->advice, "%s and cannot give a layer away: fewer stages would balance better",
             text);
}

/* Slots needed: M = ceil(sum(t) / max t) + 1, with the measured step seconds t of each stage. */
static void advise_slots(reading_t *r) {
  const atl_plan_t *plan = r->summary->plan;
  double seconds[ATL_MAX_STAGES], sum = 0, most = 0;
  if (find_worst_pipeline(r, seconds, plan->n_stages) < 0) return;
  for (int32_t s = 0; s < plan->n_stages; s++) sum += seconds[s], most = fmax(most, seconds[s]);
  int32_t enough = (int32_t)ceil(sum / most - 1e-9) + 1;
  if (plan->n_stages > 1 && plan->n_slots < enough)
    snprintf(
        r->d->advice, sizeof r->d->advice,
        "too few slots in flight: %.0f %% of the stages' time is waiting for a packet; try --slots %d instead of %d",
        100 * r->d->slots, (int)enough, (int)plan->n_slots);
  else
    snprintf(
        r->d->advice, sizeof r->d->advice,
        "%.0f %% of the stages' time is waiting between packets with enough slots in flight: messages are slow, or "
        "the cores are shared; a larger --microbatch needs fewer messages",
        100 * r->d->slots);
}

static void advise_tail(reading_t *r) {
  bool has_own = r->n_decoders > 0;
  snprintf(r->d->advice, sizeof r->d->advice,
           "everything waits for decoding during the last %.0f %% of the run: %s, or draw more images per run",
           100 * r->d->tail, has_own ? "add a decoder" : "let more ranks decode");
}

static void advise_fill(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "filling and draining the pipelines takes %.0f %% of the stages' time: draw more samples per run, or use "
           "fewer stages%s",
           100 * r->d->fill, r->summary->plan->n_pipelines > 1 ? " and pipelines" : "");
}

static void advise_prefill(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "prefilling texts takes %.0f %% of the stages' time: with more samples per prompt, more of them share it",
           100 * r->d->prefill);
}

static void advise_back_pressure(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "the first stages wait for packet buffers %.0f %% of the stages' time: the stage after them is "
           "behind; try fewer --slots, or move a layer to an earlier stage",
           100 * r->d->back_pressure);
}

static void advise_coordination(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "the coordinator takes %.0f %% of the stages' time: give it a rank of its own", 100 * r->d->coordination);
}

static void advise_decode(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "decoding takes %.0f %% of the time of the stages' ranks: with more ranks, decoders would have their own",
           100 * r->d->decode);
}

static void advise_other(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "%.0f %% of the stages' time went neither into work nor into waiting: other processes use their cores, "
           "or sending is slow; repeat the run on an idle machine",
           100 * r->d->other);
}

static void advise_coordinator(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "everything waits for the coordinator, which is %.0f %% busy: use fewer ranks, or a larger --microbatch",
           100 * r->coordinating / r->summary->seconds);
}

static void advise_more_work(reading_t *r) {
  snprintf(r->d->advice, sizeof r->d->advice,
           "little is lost: the stages work %.0f %% of the time; only more ranks or cores would make the run faster",
           100 * (r->d->work + r->d->prefill));
}

typedef struct {
  double loss;
  void (*advise)(reading_t *r);
} loss_t;

static void advise(reading_t *r) {
  atl_diagnosis_t *d = r->d;
  const loss_t losses[] = {{d->tail, advise_tail},
                           {d->imbalance, advise_balance},
                           {d->slots, advise_slots},
                           {d->prefill, advise_prefill},
                           {d->fill, advise_fill},
                           {d->back_pressure, advise_back_pressure},
                           {d->coordination, advise_coordination},
                           {d->decode, advise_decode},
                           {d->other, advise_other}};
  const loss_t *largest = &losses[0];
  for (size_t i = 1; i < sizeof losses / sizeof *losses; i++)
    if (losses[i].loss > largest->loss) largest = &losses[i];
  if (r->coordinating >= full_load * r->summary->seconds)
    advise_coordinator(r);
  else if (r->n_decoders > 0 && d->decoder_load >= full_load)
    snprintf(d->advice, sizeof d->advice, "decoders are %.0f %% busy: add one", 100 * d->decoder_load);
  else if (largest->loss >= min_loss)
    largest->advise(r);
  if (d->advice[0] == '\0') advise_more_work(r);
}

void atl_diagnosis_make(const atl_run_summary_t *summary, atl_diagnosis_t *diagnosis) {
  reading_t r = {.summary = summary, .d = diagnosis};
  *diagnosis = (atl_diagnosis_t){0};
  if (summary->seconds <= 0) return;
  read_reports(&r);
  if (diagnosis->n_stages == 0 || summary->plan == NULL) return;
  if (summary->is_sharing_cores)
    snprintf(diagnosis->advice, sizeof diagnosis->advice,
             "ranks share cores, so the times mean little: start at most one rank per core");
  else
    advise(&r);
}
