#include "coordinator/runfolder/lock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/process.h"
#include "common/timer.h"
#include "proto/runfolder.h"

static atl_status_t save_record(const char *path) {
  char host[ATL_HOST_BYTES], started[32];
  json_int_t pid = getpid();
  json_t *record = json_pack("{ss sI sI ss}", "host", atl_process_host(host), "pid", pid, "start_ticks",
                             (json_int_t)atl_process_start(pid), "started", atl_timer_stamp(started));
  ATL_CHECK(record != NULL, MEMORY, "%s: too little memory for the lock", path);
  atl_status_t status = atl_json_save(record, path);
  json_decref(record);
  return status;
}

static atl_status_t get_paths(const char *folder, char candidates[ATL_PATH_BYTES], char record[ATL_PATH_BYTES]) {
  ATL_TRY(atl_runfolder_path(folder, ".candidates", candidates));
  return atl_runfolder_path(candidates, "lock.json", record);
}

atl_status_t atl_lock_take(const char *folder) {
  char candidates[ATL_PATH_BYTES], record[ATL_PATH_BYTES], holder[1024];
  ATL_TRY(get_paths(folder, candidates, record));
  ATL_TRY(atl_file_make_directory(folder));
  int failed = mkdir(candidates, 0777), error = errno;
  if (failed && error == EEXIST && !atl_lock_explain(folder, holder, sizeof holder))
    snprintf(holder, sizeof holder, "it is in use by another run that has just started; choose another --out");
  ATL_CHECK(!failed || error != EEXIST, INPUT, "--out %s: %s", folder, holder);
  ATL_CHECK(!failed, IO, "%s: the folder cannot be made: %s", candidates, strerror(error));
  atl_status_t status = save_record(record);
  if (status != ATL_OK) rmdir(candidates);
  return status;
}

void atl_lock_release(const char *folder) {
  char candidates[ATL_PATH_BYTES], record[ATL_PATH_BYTES];
  if (get_paths(folder, candidates, record) == ATL_OK) unlink(record);
}

/* The last heartbeat in run.json; for a holder on another host, whose process we cannot see. */
static const char *get_heartbeat(const char *folder, char heartbeat[32]) {
  char path[ATL_PATH_BYTES];
  const char *text;
  json_t *run = NULL;
  snprintf(heartbeat, 32, "unknown");
  if (atl_runfolder_path(folder, "run.json", path) != ATL_OK || atl_json_load(path, &run) != ATL_OK) return heartbeat;
  if (atl_json_get_text(run, path, "heartbeat", &text) == ATL_OK) snprintf(heartbeat, 32, "%s", text);
  json_decref(run);
  return heartbeat;
}

/* False when the lock cannot be read: its run was killed while taking it, or another program wrote it. */
static bool read_record(const char *path, json_t **record, const char **host, const char **started, int64_t *pid,
                        int64_t *start_ticks) {
  if (atl_json_load(path, record) != ATL_OK) return false;
  return atl_json_get_text(*record, path, "host", host) == ATL_OK &&
         atl_json_get_text(*record, path, "started", started) == ATL_OK &&
         atl_json_get_int(*record, path, "pid", 1, INT32_MAX, pid) == ATL_OK &&
         atl_json_get_int(*record, path, "start_ticks", 0, INT64_MAX, start_ticks) == ATL_OK;
}

bool atl_lock_explain(const char *folder, char *text, size_t text_bytes) {
  char candidates[ATL_PATH_BYTES], path[ATL_PATH_BYTES], here[ATL_HOST_BYTES], heartbeat[32], now[32];
  const char *host = "?", *started = "?";
  int64_t pid = 0, start_ticks = 0;
  json_t *record = NULL;
  if (get_paths(folder, candidates, path) != ATL_OK || !atl_file_exists(path)) return false;
  bool is_read = read_record(path, &record, &host, &started, &pid, &start_ticks);
  bool is_here = is_read && strcmp(host, atl_process_host(here)) == 0;
  bool is_alive = is_here && start_ticks != 0 && atl_process_start(pid) == start_ticks;
  if (is_alive)
    snprintf(text, text_bytes,
             "it is in use by another run (process %" PRId64 " on %s, since %s); choose another --out", pid, host,
             started);
  else if (is_here)
    snprintf(text, text_bytes,
             "it was left by a run that was killed (process %" PRId64
             " on %s, started %s). Pictures of complete prompts are in %s, their result lines in %s/*.jsonl. Choose "
             "another --out for the other prompts, or remove the folder",
             pid, host, started, folder, candidates);
  else
    snprintf(
        text, text_bytes,
        "it is in use by a run on %s (process %" PRId64
        ", since %s), or was left by one that was killed: its last heartbeat was at %s, now it is %s. Choose another "
        "--out, or remove the folder if that run is gone",
        host, pid, started, get_heartbeat(folder, heartbeat), atl_timer_stamp(now));
  json_decref(record);
  return true;
}
