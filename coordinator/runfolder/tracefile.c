/* All stages of a pipeline process its packets in the same order, and slots get their tokens back in the order in which
 * their packets were drawn. So walking the events of two ranks side by side finds both ends of every arrow. An arrow is
 * written only if the events of both its ends were kept. */
#include "coordinator/runfolder/tracefile.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"

enum { MAX_BYTES = 1 << 28, MAX_EVENTS = 1 << 18, LINE_BYTES = 512 };

typedef struct {
  const atl_tracefile_head_t *head;
  const atl_trace_event_t *events;
  int64_t n;
} rank_t;

typedef struct {
  const atl_plan_t *plan;
  rank_t *ranks;
  double origin; /* time of the first event, in seconds of rank 0's clock */
  atl_file_writer_t file;
  bool has_line;
} writer_t;

int64_t atl_tracefile_capacity(int32_t n_ranks) {
  int64_t n = MAX_BYTES / (int64_t)sizeof(atl_trace_event_t) / n_ranks;
  return n < MAX_EVENTS ? n : MAX_EVENTS;
}

static atl_status_t put(writer_t *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static atl_status_t put(writer_t *w, const char *format, ...) {
  char line[LINE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line + 2, sizeof line - 2, format, arguments);
  va_end(arguments);
  ATL_ASSERT(n > 0 && n < (int)sizeof line - 2);
  line[0] = w->has_line ? ',' : ' ';
  line[1] = '\n';
  w->has_line = true;
  return atl_file_append(&w->file, line, (size_t)n + 2);
}

/* Nanoseconds on rank 0's clock since the origin; an integer, so that adjacent events do not overlap when printed. */
static int64_t nanoseconds(const writer_t *w, const rank_t *rank, double seconds) {
  double t = 1e9 * (atl_clock_align(&rank->head->at_start, &rank->head->at_end, seconds) - w->origin);
  return t > 0 ? (int64_t)t : 0;
}

#define MICROSECONDS "%" PRId64 ".%03d"
#define AS_MICROSECONDS(ns) (ns) / 1000, (int)((ns) % 1000)

static atl_status_t put_event(writer_t *w, int32_t i_rank, const atl_trace_event_t *e) {
  const rank_t *rank = &w->ranks[i_rank];
  int64_t start = nanoseconds(w, rank, e->start), end = nanoseconds(w, rank, e->end);
  const char *name = atl_trace_kind_name(e->kind);
  if (e->kind == ATL_TRACE_QUEUE)
    return put(
        w, "{\"ph\":\"C\",\"name\":\"%s waiting\",\"pid\":%d,\"tid\":%d,\"ts\":" MICROSECONDS ",\"args\":{\"n\":%d}}",
        e->role == ATL_TRACE_STAGE ? "slots" : "grids", (int)i_rank, e->role, AS_MICROSECONDS(start), (int)e->n);
  return put(w,
             "{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":" MICROSECONDS ",\"dur\":" MICROSECONDS
             ",\"args\":{\"%s\":%d,\"%s\":%d,\"n\":%d,\"packet\":%" PRId64 "}}",
             name, (int)i_rank, e->role, AS_MICROSECONDS(start), AS_MICROSECONDS(end - start),
             e->role == ATL_TRACE_DECODER ? "prompt" : "slot", (int)e->slot,
             e->role == ATL_TRACE_DECODER ? "sample" : "position", (int)e->position, (int)e->n, e->packet);
}

static atl_status_t put_names(writer_t *w, int32_t i_rank) {
  static const char *const role_names[] = {"coordinator", "stage", "decoder"};
  int32_t i_pipeline, i_stage = atl_plan_find_stage(w->plan, i_rank, &i_pipeline);
  ATL_TRY(put(w, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,\"args\":{\"name\":\"rank %d on %.63s\"}}",
              (int)i_rank, (int)i_rank, w->ranks[i_rank].head->host));
  for (int role = 0; role < ATL_N_TRACE_ROLES; role++) {
    char name[48];
    if (role == ATL_TRACE_STAGE && i_stage >= 0)
      snprintf(name, sizeof name, "stage %d.%d", (int)i_pipeline, (int)i_stage);
    else
      snprintf(name, sizeof name, "%s", role_names[role]);
    ATL_TRY(put(w, "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":\"%s\"}}",
                (int)i_rank, role, name));
  }
  return ATL_OK;
}

/* ---- arrows ---- */

typedef bool (*is_end_t)(const atl_trace_event_t *event);

static bool carries_packet(const atl_trace_event_t *e) {
  return e->kind == ATL_TRACE_RUN || e->kind == ATL_TRACE_PREFILL || e->kind == ATL_TRACE_BEGIN;
}
static bool draws_tokens(const atl_trace_event_t *e) {
  return e->slot >= 0 && (e->kind == ATL_TRACE_DRAW || e->kind == ATL_TRACE_BEGIN);
}
static bool embeds_tokens(const atl_trace_event_t *e) { return e->kind == ATL_TRACE_EMBED && e->cause >= 0; }

/* Each end of an arrow lies inside its event, so that the viewer attaches it to the event. */
static atl_status_t put_arrow(writer_t *w, const char *name, const char *id, int32_t from,
                              const atl_trace_event_t *source, int32_t to, const atl_trace_event_t *target) {
  int64_t leaves = nanoseconds(w, &w->ranks[from], source->start + 0.9 * (source->end - source->start));
  int64_t arrives = nanoseconds(w, &w->ranks[to], target->start);
  ATL_TRY(put(w,
              "{\"ph\":\"s\",\"cat\":\"ring\",\"name\":\"%s\",\"id\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":" MICROSECONDS
              ",\"args\":{\"slot\":%d,\"position\":%d}}",
              name, id, (int)from, source->role, AS_MICROSECONDS(leaves), (int)source->slot, (int)source->position));
  return put(w,
             "{\"ph\":\"f\",\"bp\":\"e\",\"cat\":\"ring\",\"name\":\"%s\",\"id\":\"%s\",\"pid\":%d,\"tid\":%d,"
             "\"ts\":" MICROSECONDS "}",
             name, id, (int)to, target->role, AS_MICROSECONDS(arrives));
}

/* Writes an arrow from each source event to the target event that has the source's packet as its packet, or as its
 * cause. */
static atl_status_t put_arrows(writer_t *w, const char *name, int32_t i_pipeline, int32_t i_stage, int32_t from,
                               is_end_t is_source, int32_t to, is_end_t is_target) {
  const rank_t *a = &w->ranks[from], *b = &w->ranks[to];
  bool by_cause = is_target == embeds_tokens;
  for (int64_t i = 0, j = 0; i < a->n && j < b->n;) {
    int64_t wanted = by_cause ? b->events[j].cause : b->events[j].packet;
    if (!is_source(&a->events[i])) {
      i++;
    } else if (!is_target(&b->events[j]) || wanted < a->events[i].packet) {
      j++;
    } else if (a->events[i].packet < wanted) {
      i++;
    } else {
      char id[64];
      snprintf(id, sizeof id, "%s %d.%d %" PRId64, name, (int)i_pipeline, (int)i_stage, wanted);
      ATL_TRY(put_arrow(w, name, id, from, &a->events[i++], to, &b->events[j++]));
    }
  }
  return ATL_OK;
}

static atl_status_t put_pipeline(writer_t *w, int32_t p) {
  int32_t last = w->plan->n_stages - 1;
  for (int32_t s = 0; s < last; s++)
    ATL_TRY(put_arrows(w, "hop", p, s, atl_plan_stage_rank(w->plan, p, s), carries_packet,
                       atl_plan_stage_rank(w->plan, p, s + 1), carries_packet));
  return put_arrows(w, "codes", p, last, atl_plan_stage_rank(w->plan, p, last), draws_tokens,
                    atl_plan_stage_rank(w->plan, p, 0), embeds_tokens);
}

/* ---- the file ---- */

static void find_origin(writer_t *w, int32_t n_ranks) {
  w->origin = INFINITY;
  for (int32_t r = 0; r < n_ranks; r++)
    for (int64_t i = 0; i < w->ranks[r].n; i++)
      w->origin = fmin(w->origin, atl_clock_align(&w->ranks[r].head->at_start, &w->ranks[r].head->at_end,
                                                  w->ranks[r].events[i].start));
}

static atl_status_t put_all(writer_t *w, int32_t n_ranks) {
  static const char head[] = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", tail[] = "\n]}\n";
  ATL_TRY(atl_file_append(&w->file, head, sizeof head - 1));
  for (int32_t r = 0; r < n_ranks; r++) {
    ATL_TRY(put_names(w, r));
    for (int64_t i = 0; i < w->ranks[r].n; i++) ATL_TRY(put_event(w, r, &w->ranks[r].events[i]));
  }
  for (int32_t p = 0; p < w->plan->n_pipelines; p++) ATL_TRY(put_pipeline(w, p));
  ATL_TRY(atl_file_append(&w->file, tail, sizeof tail - 1));
  return atl_file_commit(&w->file);
}

atl_status_t atl_tracefile_write(const atl_plan_t *plan, const char *bytes, const size_t *offsets, int32_t n_ranks,
                                 const char *path) {
  writer_t w = {.plan = plan, .file = {.descriptor = -1}};
  ATL_TRY(ATL_NEW(n_ranks, &w.ranks));
  for (int32_t r = 0; r < n_ranks; r++) {
    const char *at = bytes + offsets[r];
    size_t n_bytes = offsets[r + 1] - offsets[r] - sizeof *w.ranks->head;
    w.ranks[r] = (rank_t){(const atl_tracefile_head_t *)(const void *)at,
                          (const atl_trace_event_t *)(const void *)(at + sizeof *w.ranks->head),
                          (int64_t)(n_bytes / sizeof *w.ranks->events)};
  }
  find_origin(&w, n_ranks);
  atl_status_t status = atl_file_create(path, &w.file);
  if (status == ATL_OK) status = put_all(&w, n_ranks);
  if (status != ATL_OK) atl_file_abandon(&w.file);
  ATL_DESTROY(&w.ranks);
  return status;
}

static atl_status_t pack(atl_trace_t *trace, const atl_clock_t *at_start, const atl_clock_t *at_end, char **bytes,
                         size_t *n_bytes) {
  atl_tracefile_head_t head = {.at_start = *at_start, .at_end = *at_end};
  int64_t n;
  const atl_trace_event_t *events = atl_trace_get(trace, &n, &head.n_lost);
  gethostname(head.host, sizeof head.host - 1);
  for (char *c = head.host; *c != '\0'; c++)
    if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = '?';
  *n_bytes = sizeof head + (size_t)n * sizeof *events;
  ATL_TRY(ATL_NEW(*n_bytes, bytes));
  memcpy(*bytes, &head, sizeof head);
  memcpy(*bytes + sizeof head, events, (size_t)n * sizeof *events);
  if (head.n_lost > 0)
    ATL_LOG(WARN, "the trace keeps this rank's last %" PRId64 " events; the %" PRId64 " before them were dropped", n,
            head.n_lost);
  return ATL_OK;
}

atl_status_t atl_tracefile_save(const atl_comm_t *world, const atl_plan_t *plan, atl_trace_t *trace,
                                const atl_clock_t *at_start, const atl_clock_t *at_end, const char *path) {
  char *mine = NULL, *all = NULL;
  size_t n_bytes, *offsets = NULL;
  atl_status_t status = atl_comm_agree(world, pack(trace, at_start, at_end, &mine, &n_bytes));
  if (status == ATL_OK) status = atl_comm_gather(world, 0, mine, n_bytes, &all, &offsets);
  if (status == ATL_OK && all != NULL) status = atl_tracefile_write(plan, all, offsets, atl_comm_size(world), path);
  ATL_DESTROY(&mine);
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
  return atl_comm_agree(world, status);
}
