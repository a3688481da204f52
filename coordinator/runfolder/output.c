/* Output: each prompt has a state from its first record to its last. Then its best pictures are moved into place, its
 * result lines are written to .candidates, and everything is dropped but the few facts for the gallery. So memory holds
 * only the prompts in progress, not the job. */
#include "coordinator/runfolder/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/timer.h"
#include "common/version.h"
#include "coordinator/job/ranking.h"
#include "coordinator/runfolder/contact.h"
#include "coordinator/runfolder/gallery.h"
#include "coordinator/runfolder/lock.h"
#include "proto/runfolder.h"

typedef struct {
  atl_arena_t arena; /* ranking and records; empty before the first record and after the last */
  atl_ranking_t ranking;
  atl_record_t *records;           /* (n_samples), by sample; sha256 is empty until the record comes */
  atl_gallery_picture_t *pictures; /* the best, once complete; in the output's arena */
} state_t;

struct atl_output {
  atl_output_request_t request;
  state_t *states; /* (n_prompts) */
  int64_t n_done, n_total;
  int32_t n_complete; /* prompts */
  char started[32];
  char reason[ATL_MESSAGE_BYTES]; /* why the run ended early; empty: it did not */
  double last_beat;               /* time of the last heartbeat, in seconds of common/timer */
  int64_t heartbeat;              /* its offset in run.json; 0: unknown */
  atl_arena_t arena;
};

/* True if the folder has any entries. */
static bool has_entries(const char *path) {
  DIR *folder = opendir(path);
  bool found = false;
  for (struct dirent *entry; folder && !found && (entry = readdir(folder));)
    found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  if (folder) closedir(folder);
  return found;
}

/* Each name in the path must be short enough for the file system of `parent`. */
static atl_status_t check_names(const char *folder, const char *parent) {
  long max_bytes = pathconf(parent, _PC_NAME_MAX);
  for (const char *name = folder; max_bytes > 0 && *name;) {
    size_t n = strcspn(name, "/");
    ATL_CHECK(n <= (size_t)max_bytes, INPUT, "--out %.60s...: expected names of at most %ld bytes, found one of %zu",
              folder, max_bytes, n);
    name += n + (name[n] == '/');
  }
  return ATL_OK;
}

/* Creates a folder in `parent` and removes it: permissions alone do not tell about /proc, quotas and the like. */
static atl_status_t try_mkdir(const char *folder, const char *parent) {
  char name[32], path[ATL_PATH_BYTES];
  snprintf(name, sizeof name, ".atelier-%ld", (long)getpid());
  ATL_TRY(atl_runfolder_path(parent, name, path));
  bool is_made = mkdir(path, 0777) == 0;
  ATL_CHECK(is_made || errno == EEXIST, INPUT, "--out %s: cannot be created in %s: %s; choose another --out", folder,
            parent, strerror(errno));
  if (is_made) rmdir(path);
  return ATL_OK;
}

/* The nearest existing folder at or above `folder` must let us create folders in it. */
static atl_status_t check_parent(const char *folder) {
  char path[ATL_PATH_BYTES];
  ATL_TRY(atl_runfolder_path(folder, "", path)); /* ends in '/' */
  while (path[0] && !atl_file_exists_itself(path)) {
    char *slash = strrchr(path, '/');
    if (slash)
      slash[slash == path] = 0; /* the root keeps its slash */
    else
      path[0] = 0; /* the working directory */
  }
  const char *parent = path[0] ? path : ".";
  ATL_CHECK(atl_file_exists(parent), INPUT, "--out %s: %s is a link that leads nowhere; choose another --out", folder,
            parent);
  ATL_CHECK(atl_file_is_directory(parent), INPUT,
            "--out %s: expected a folder to create it in, found that %s is a file", folder, parent);
  ATL_TRY(check_names(folder, parent));
  return try_mkdir(folder, parent);
}

/* Paths in the run folder and their temporaries are longer than the folder's own. */
static atl_status_t check_length(const char *folder) {
  enum { MAX_BYTES = ATL_PATH_BYTES - 256 };
  ATL_CHECK(strlen(folder) <= MAX_BYTES, INPUT, "--out %.60s...: expected a path of at most %d bytes, found %zu",
            folder, MAX_BYTES, strlen(folder));
  return ATL_OK;
}

atl_status_t atl_output_check(const char *folder) {
  ATL_CHECK(folder && *folder, USAGE, "expected --out DIR, a new folder for the pictures, found none");
  ATL_TRY(check_length(folder));
  ATL_CHECK(!atl_file_exists(folder) || atl_file_is_directory(folder), INPUT,
            "--out %s: expected a new folder, found a file of that name; choose another --out", folder);
  char holder[1024];
  ATL_CHECK(!atl_lock_explain(folder, holder, sizeof holder), INPUT, "--out %s: %s", folder, holder);
  ATL_CHECK(!has_entries(folder), INPUT,
            "--out %s: expected a new or empty folder, found one with files in it; choose another --out, or remove it",
            folder);
  return check_parent(folder);
}

static json_t *describe_prompts(const atl_output_request_t *request) {
  json_t *list = json_array();
  char folder[ATL_FOLDER_BYTES];
  for (int32_t i = 0; list && i < request->n_prompts; i++) {
    const atl_prompt_t *prompt = &request->prompts[i];
    json_t *object = json_pack("{ss ss ss sI si}", "id", prompt->id, "prompt", prompt->text, "folder",
                               atl_runfolder_name(prompt->id, folder), "seed", (json_int_t)prompt->seed, "samples",
                               prompt->n_samples);
    if (!object || json_array_append_new(list, object) != 0) json_decref(list), list = NULL;
  }
  return list;
}

/* A new reference to a borrowed part, for json_pack to take; JSON null when there is none. */
static json_t *share(const json_t *part) { return part ? json_incref((json_t *)(uintptr_t)part) : json_null(); }

static json_t *describe_time(const atl_run_summary_t *summary) {
  if (!summary) return json_null();
  double rate = summary->seconds > 0 ? (double)summary->n_images / summary->seconds : 0;
  return json_pack("{sf sf sI sf sf}", "setup_seconds", summary->setup_seconds, "seconds", summary->seconds, "images",
                   (json_int_t)summary->n_images, "images_per_second", rate, "cores", summary->n_cores);
}

/* The state of a run. */
typedef struct {
  const char *state;                /* "running", "done", "stopped", "failed" */
  const char *reason;               /* why it failed or stopped, else NULL */
  const atl_run_summary_t *summary; /* NULL unless the run is complete or stopped */
} run_state_t;

static atl_status_t get_candidates_path(const atl_output_t *output, char path[ATL_PATH_BYTES]) {
  return atl_runfolder_path(output->request.folder, ".candidates", path);
}

static atl_status_t get_reserve_path(const atl_output_t *output, char path[ATL_PATH_BYTES]) {
  return atl_runfolder_path(output->request.folder, ".candidates/reserve", path);
}

static const char heartbeat_key[] = "\"heartbeat\": \"";
static const double heartbeat_interval = 5; /* seconds */

/* Finds the heartbeat in run.json. It is overwritten in place, 20 characters with one write, because a run.json with
 * thousands of prompts is too large to be rewritten every few seconds. */
static void find_heartbeat(atl_output_t *output, const char *path) {
  atl_file_map_t map;
  output->heartbeat = 0;
  output->last_beat = atl_timer_now();
  if (atl_file_map(path, &map) != ATL_OK) return;
  const unsigned char *found = map.bytes ? memmem(map.bytes, map.n_bytes, heartbeat_key, strlen(heartbeat_key)) : NULL;
  if (found) output->heartbeat = found - map.bytes;
  atl_file_unmap(&map);
}

void atl_output_beat(atl_output_t *output) {
  double now = atl_timer_now();
  char path[ATL_PATH_BYTES], stamp[32], key[sizeof heartbeat_key];
  size_t n_key = strlen(heartbeat_key);
  if (output->heartbeat == 0 || now - output->last_beat < heartbeat_interval) return;
  output->last_beat = now;
  if (atl_runfolder_path(output->request.folder, "run.json", path) != ATL_OK) return;
  int descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return;
  bool is_ours =
      pread(descriptor, key, n_key, output->heartbeat) == (ssize_t)n_key && memcmp(key, heartbeat_key, n_key) == 0;
  atl_timer_stamp(stamp);
  if (!is_ours || pwrite(descriptor, stamp, strlen(stamp), output->heartbeat + (int64_t)n_key) < 0)
    output->heartbeat = 0; /* another program has replaced the file: leave it alone */
  close(descriptor);
}

static json_t *describe_run(const atl_output_t *output, const run_state_t *run_state) {
  const atl_output_request_t *request = &output->request;
  char finished[32], heartbeat[32];
  bool has_ended = strcmp(run_state->state, "running") != 0;
  return json_pack("{ss ss ss ss ss? ss ss so ss ss so so so so si sb so}", "program", "atelier", "version",
                   ATL_VERSION, "git", ATL_GIT_DESCRIBE, "state", run_state->state, "reason", run_state->reason,
                   "started", output->started, "heartbeat", atl_timer_stamp(heartbeat), "finished",
                   has_ended ? json_string(atl_timer_stamp(finished)) : json_null(), "model", request->model, "command",
                   request->command, "pixels", share(request->pixels), "plan", share(request->plan), "machine",
                   share(request->machine), "time", describe_time(run_state->summary), "keep", request->n_keep,
                   "ranked", request->is_ranked, "prompts", describe_prompts(request));
}

/* Writes run.json. If the disk is full, the reserve is released first, so that run.json can say how the run ended. */
static atl_status_t save_run(atl_output_t *output, const run_state_t *run_state) {
  char path[ATL_PATH_BYTES], reserve[ATL_PATH_BYTES];
  ATL_TRY(atl_runfolder_path(output->request.folder, "run.json", path));
  ATL_TRY(get_reserve_path(output, reserve));
  json_t *run = describe_run(output, run_state);
  ATL_CHECK(run, MEMORY, "%s: too little memory, or a name that is not UTF-8", path);
  atl_status_t status = atl_json_save(run, path);
  if (status == ATL_IO && unlink(reserve) == 0) status = atl_json_save(run, path);
  json_decref(run);
  if (status == ATL_OK) find_heartbeat(output, path);
  return status;
}

/* Reserves disk space for the last run.json: the size of the first one, and room for a reason. */
static atl_status_t save_reserve(const atl_output_t *output) {
  enum { REASON_BYTES = 16 << 10 };
  char path[ATL_PATH_BYTES], run[ATL_PATH_BYTES];
  struct stat facts;
  ATL_TRY(get_reserve_path(output, path));
  ATL_TRY(atl_runfolder_path(output->request.folder, "run.json", run));
  ATL_CHECK(stat(run, &facts) == 0, IO, "%s: has disappeared: %s", run, strerror(errno));
  int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  ATL_CHECK(descriptor >= 0, IO, "%s: cannot be written: %s", path, strerror(errno));
  int error = posix_fallocate(descriptor, 0, facts.st_size + REASON_BYTES);
  close(descriptor);
  ATL_CHECK(error != ENOSPC && error != EDQUOT, IO, "%s: writing failed: %s", path, strerror(error));
  return ATL_OK; /* other errors: the file system cannot reserve space; go on without a reserve */
}

/* Called when run.json says how the run ended: releases reserve and lock. Candidates of incomplete prompts stay. */
static void release(const atl_output_t *output) {
  char path[ATL_PATH_BYTES];
  if (get_reserve_path(output, path) == ATL_OK) unlink(path);
  atl_lock_release(output->request.folder);
  if (output->n_complete < output->request.n_prompts || get_candidates_path(output, path) != ATL_OK) return;
  if (atl_file_remove_directory(path) != ATL_OK) ATL_LOG(WARN, "%s", atl_status_message());
}

static atl_status_t init(atl_output_t *output, const atl_output_request_t *request) {
  output->request = *request;
  atl_timer_stamp(output->started);
  ATL_TRY(ATL_TAKE(&output->arena, request->n_prompts, &output->states));
  for (int32_t i = 0; i < request->n_prompts; i++) output->n_total += request->prompts[i].n_samples;
  ATL_TRY(save_run(output, &(run_state_t){.state = "running"}));
  ATL_TRY(save_reserve(output));
  return ATL_OK;
}

/* Removes a folder whose initialization failed. */
static void remove_folder(const atl_output_t *output, const char *folder) {
  char path[ATL_PATH_BYTES];
  release(output);
  if (atl_runfolder_path(folder, "run.json", path) == ATL_OK) unlink(path);
  if (atl_runfolder_path(folder, ".candidates", path) == ATL_OK) rmdir(path);
  rmdir(folder);
}

atl_status_t atl_output_new(const atl_output_request_t *request, atl_output_t **output) {
  *output = NULL;
  ATL_CHECK(request->n_keep >= 1, USAGE, "--top %" PRId32 ": expected at least 1 picture to keep", request->n_keep);
  ATL_TRY(atl_output_check(request->folder));
  ATL_TRY(ATL_NEW(1, output));
  atl_status_t status = atl_lock_take(request->folder);
  if (status == ATL_OK) {
    status = init(*output, request);
    if (status != ATL_OK) remove_folder(*output, request->folder);
  }
  if (status != ATL_OK) atl_output_destroy(output);
  return status;
}

void atl_output_destroy(atl_output_t **output) {
  if (!*output) return;
  for (int32_t i = 0; (*output)->states && i < (*output)->request.n_prompts; i++)
    atl_arena_clear(&(*output)->states[i].arena);
  atl_arena_clear(&(*output)->arena);
  ATL_DESTROY(output);
}

static atl_status_t remove_candidate(const atl_output_t *output, int32_t i_prompt, int32_t sample) {
  char path[ATL_PATH_BYTES];
  ATL_TRY(atl_runfolder_candidate_path(output->request.folder, output->request.prompts[i_prompt].id, sample, path));
  ATL_CHECK(unlink(path) == 0 || errno == ENOENT, IO, "%s: cannot be removed: %s", path, strerror(errno));
  return ATL_OK;
}

/* Moves the best pictures to rank-001.png, ... and records them for the gallery. The state's ranking is sorted. */
static atl_status_t place_pictures(atl_output_t *output, int32_t i_prompt) {
  const char *out = output->request.folder, *id = output->request.prompts[i_prompt].id;
  state_t *state = &output->states[i_prompt];
  char from[ATL_PATH_BYTES], to[ATL_PATH_BYTES];
  ATL_TRY(ATL_TAKE(&output->arena, state->ranking.n, &state->pictures));
  for (int32_t i = 0; i < state->ranking.n; i++) {
    const atl_record_t *record = &state->records[state->ranking.entries[i].sample];
    atl_gallery_picture_t *picture = &state->pictures[i];
    ATL_CHECK(record->is_written, INTERNAL,
              "sample %" PRId32 " of prompt %s is among the best but its picture was not written",
              record->candidate.sample, id);
    ATL_TRY(atl_runfolder_candidate_path(out, id, record->candidate.sample, from));
    ATL_TRY(atl_runfolder_position_path(out, id, i + 1, to));
    ATL_CHECK(rename(from, to) == 0, IO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
    picture->sample = record->candidate.sample;
    picture->score = record->score;
    memcpy(picture->sha256, record->sha256, sizeof picture->sha256);
    snprintf(picture->file, sizeof picture->file, "%s", to + strlen(out) + 1);
  }
  return ATL_OK;
}

/* Writes the contact sheet, which also syncs the folder and with it the moved pictures. */
static atl_status_t save_contact_sheet(atl_output_t *output, int32_t i_prompt, const char *folder) {
  const atl_prompt_t *prompt = &output->request.prompts[i_prompt];
  state_t *state = &output->states[i_prompt];
  atl_contact_picture_t *pictures;
  char path[ATL_PATH_BYTES], *name;
  ATL_TRY(ATL_TAKE(&state->arena, state->ranking.n, &pictures));
  for (int32_t i = 0; i < state->ranking.n; i++) {
    ATL_TRY(atl_arena_printf(&state->arena, &name, "%s/%s", output->request.folder, state->pictures[i].file));
    pictures[i] = (atl_contact_picture_t){name, state->pictures[i].sample, state->pictures[i].score};
  }
  ATL_TRY(atl_runfolder_path(folder, "grid.png", path));
  ATL_TRY(atl_contact_save(path, prompt->text, pictures, state->ranking.n));
  return ATL_OK;
}

static json_t *describe_record(const atl_output_t *output, int32_t i_prompt, const atl_record_t *record,
                               int32_t position) {
  const atl_prompt_t *prompt = &output->request.prompts[i_prompt];
  const state_t *state = &output->states[i_prompt];
  json_t *score = isfinite(record->score) ? json_real((double)record->score) : json_null();
  json_t *file = position <= state->ranking.n ? json_string(state->pictures[position - 1].file) : json_null();
  return json_pack("{ss ss sI si so si so ss}", "prompt_id", prompt->id, "prompt", prompt->text, "seed",
                   (json_int_t)prompt->seed, "sample", record->candidate.sample, "score", score, "rank", position,
                   "file", file, "sha256", record->sha256);
}

static atl_status_t write_lines(const atl_output_t *output, int32_t i_prompt, const atl_ranked_t *sorted, FILE *out) {
  const state_t *state = &output->states[i_prompt];
  for (int32_t i = 0; i < state->ranking.n_samples; i++) {
    json_t *line = describe_record(output, i_prompt, &state->records[sorted[i].sample], i + 1);
    int failed = line ? json_dumpf(line, out, JSON_COMPACT | JSON_REAL_PRECISION(9)) : -1;
    json_decref(line);
    ATL_CHECK(failed == 0 && fputc('\n', out) != EOF, MEMORY, "too little memory for the results of a prompt");
  }
  return ATL_OK;
}

static bool is_complete(const atl_output_t *output, int32_t i_prompt) {
  const state_t *state = &output->states[i_prompt];
  return state->pictures != NULL;
}

static atl_status_t get_lines_path(const atl_output_t *output, int32_t i_prompt, char path[ATL_PATH_BYTES]) {
  char candidates[ATL_PATH_BYTES], name[ATL_FOLDER_BYTES], file[ATL_FOLDER_BYTES + 8];
  ATL_TRY(get_candidates_path(output, candidates));
  snprintf(file, sizeof file, "%s.jsonl", atl_runfolder_name(output->request.prompts[i_prompt].id, name));
  ATL_TRY(atl_runfolder_path(candidates, file, path));
  return ATL_OK;
}

/* Writes the prompt's part of results.jsonl into .candidates, where it stays until the end of the run. */
static atl_status_t save_lines(atl_output_t *output, int32_t i_prompt) {
  state_t *state = &output->states[i_prompt];
  atl_ranked_t *sorted;
  char path[ATL_PATH_BYTES], *text = NULL;
  size_t n = 0;
  ATL_TRY(get_lines_path(output, i_prompt, path));
  ATL_TRY(ATL_TAKE(&state->arena, state->ranking.n_samples, &sorted));
  for (int32_t i = 0; i < state->ranking.n_samples; i++) sorted[i] = (atl_ranked_t){state->records[i].score, i};
  qsort(sorted, (size_t)state->ranking.n_samples, sizeof *sorted, atl_ranked_compare);
  FILE *out = open_memstream(&text, &n);
  ATL_CHECK(out, MEMORY, "too little memory for the results of a prompt");
  atl_status_t status = write_lines(output, i_prompt, sorted, out);
  if (fclose(out) != 0 && status == ATL_OK) status = ATL_FAIL(MEMORY, "too little memory for the results of a prompt");
  if (status == ATL_OK) status = atl_file_write(path, text, n);
  free(text);
  return status;
}

static atl_status_t complete_prompt(atl_output_t *output, int32_t i_prompt) {
  char folder[ATL_PATH_BYTES], name[ATL_FOLDER_BYTES];
  state_t *state = &output->states[i_prompt];
  atl_runfolder_name(output->request.prompts[i_prompt].id, name);
  ATL_TRY(atl_runfolder_path(output->request.folder, name, folder));
  ATL_TRY(atl_file_make_directory(folder));
  atl_ranking_sort(&state->ranking);
  ATL_TRY(place_pictures(output, i_prompt));
  ATL_TRY(save_contact_sheet(output, i_prompt, folder));
  ATL_TRY(save_lines(output, i_prompt));
  atl_arena_clear(&state->arena);
  state->records = NULL;
  output->n_complete++;
  return ATL_OK;
}

static atl_status_t begin_prompt(atl_output_t *output, int32_t i_prompt) {
  state_t *state = &output->states[i_prompt];
  int32_t n_samples = output->request.prompts[i_prompt].n_samples;
  ATL_TRY(atl_ranking_init(&state->ranking, &state->arena, output->request.n_keep, n_samples));
  ATL_TRY(ATL_TAKE(&state->arena, n_samples, &state->records));
  return ATL_OK;
}

atl_status_t atl_output_add_record(atl_output_t *output, const atl_record_t *record) {
  int32_t i_prompt = record->candidate.prompt, sample = record->candidate.sample;
  ATL_CHECK(i_prompt >= 0 && i_prompt < output->request.n_prompts && sample >= 0 &&
                sample < output->request.prompts[i_prompt].n_samples && record->sha256[0],
            INTERNAL, "sample %" PRId32 " of prompt %" PRId32 " has a record but is not in the job", sample, i_prompt);
  state_t *state = &output->states[i_prompt];
  if (state->ranking.n_seen == 0) ATL_TRY(begin_prompt(output, i_prompt));
  ATL_CHECK(state->records && !state->records[sample].sha256[0], INTERNAL,
            "a second record of sample %" PRId32 " of prompt %s", sample, output->request.prompts[i_prompt].id);
  state->records[sample] = *record;
  int32_t loser = atl_ranking_add(&state->ranking, (atl_ranked_t){record->score, sample});
  if (loser >= 0 && state->records[loser].is_written) ATL_TRY(remove_candidate(output, i_prompt, loser));
  output->n_done++;
  if (atl_ranking_is_complete(&state->ranking)) ATL_TRY(complete_prompt(output, i_prompt));
  return ATL_OK;
}

bool atl_output_has_threshold(const atl_output_t *output, int32_t i_prompt, float *threshold) {
  const state_t *state = &output->states[i_prompt];
  return state->records && atl_ranking_has_threshold(&state->ranking, threshold);
}

int64_t atl_output_n_done(const atl_output_t *output) { return output->n_done; }
int64_t atl_output_n_total(const atl_output_t *output) { return output->n_total; }

static atl_status_t append_file(const char *path, atl_file_writer_t *writer) {
  atl_file_map_t map;
  ATL_TRY(atl_file_map(path, &map));
  atl_status_t status = atl_file_append(writer, map.bytes, map.n_bytes);
  atl_file_unmap(&map);
  return status;
}

/* Concatenates the lines of complete prompts in prompt order, then removes the parts. */
static atl_status_t save_results(const atl_output_t *output) {
  char path[ATL_PATH_BYTES];
  atl_file_writer_t writer;
  ATL_TRY(atl_runfolder_path(output->request.folder, "results.jsonl", path));
  ATL_TRY(atl_file_create(path, &writer));
  for (int32_t i = 0; i < output->request.n_prompts; i++) {
    if (!is_complete(output, i)) continue;
    atl_status_t status = get_lines_path(output, i, path);
    if (status == ATL_OK) status = append_file(path, &writer);
    if (status != ATL_OK) atl_file_abandon(&writer);
    ATL_TRY(status);
  }
  ATL_TRY(atl_file_commit(&writer));
  for (int32_t i = 0; i < output->request.n_prompts; i++)
    if (is_complete(output, i) && get_lines_path(output, i, path) == ATL_OK) unlink(path);
  return ATL_OK;
}

static atl_status_t save_gallery(atl_output_t *output) {
  const atl_output_request_t *request = &output->request;
  atl_gallery_prompt_t *prompts;
  ATL_TRY(ATL_TAKE(&output->arena, request->n_prompts, &prompts));
  for (int32_t i = 0; i < request->n_prompts; i++)
    prompts[i] = (atl_gallery_prompt_t){.id = request->prompts[i].id,
                                        .text = request->prompts[i].text,
                                        .seed = request->prompts[i].seed,
                                        .n_samples = request->prompts[i].n_samples,
                                        .pictures = output->states[i].pictures,
                                        .n_pictures = is_complete(output, i) ? output->states[i].ranking.n : 0};
  ATL_TRY(atl_gallery_save(&(atl_gallery_t){.folder = request->folder,
                                            .model = request->model,
                                            .command = request->command,
                                            .made = output->started,
                                            .prompts = prompts,
                                            .n_prompts = request->n_prompts,
                                            .max_embed_bytes = ATL_GALLERY_EMBED_BYTES}));
  return ATL_OK;
}

static atl_status_t save_report(const atl_output_t *output, const atl_run_summary_t *summary) {
  char path[ATL_PATH_BYTES], *text = NULL;
  size_t n = 0;
  ATL_TRY(atl_runfolder_path(output->request.folder, "report.txt", path));
  FILE *out = open_memstream(&text, &n);
  ATL_CHECK(out, MEMORY, "%s: too little memory", path);
  atl_status_t status = atl_report_print(summary, out);
  if (fclose(out) != 0 && status == ATL_OK) status = ATL_FAIL(MEMORY, "%s: too little memory", path);
  if (status == ATL_OK) status = atl_file_write(path, text, n);
  free(text);
  return status;
}

atl_status_t atl_output_finish(atl_output_t *output, const atl_run_summary_t *summary) {
  ATL_CHECK(summary->is_stopped || output->n_complete == output->request.n_prompts, INTERNAL,
            "expected %" PRId64 " candidates at the end of the run, found %" PRId64, output->n_total, output->n_done);
  ATL_TRY(save_results(output));
  ATL_TRY(save_gallery(output));
  ATL_TRY(save_report(output, summary));
  ATL_TRY(save_run(output, &(run_state_t){summary->is_stopped ? "stopped" : "done",
                                          summary->is_stopped && output->reason[0] ? output->reason : NULL, summary}));
  release(output);
  return ATL_OK;
}

void atl_output_abandon(atl_output_t *output, const char *state, const char *reason) {
  snprintf(output->reason, sizeof output->reason, "%s", reason);
  atl_status_t status = save_run(output, &(run_state_t){.state = state, .reason = output->reason});
  if (status != ATL_OK) ATL_LOG(WARN, "run.json still says \"running\": %s", atl_status_message());
  if (strcmp(state, "failed") == 0) release(output);
}
