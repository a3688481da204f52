// TEST np=1
// The coordinator's side of a run folder: candidates are written as a decoder would, records come in a shuffled order,
// and what is left on disk is compared with docs/run-folder.md.
#include "coordinator/runfolder/output.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/image.h"
#include "common/memory.h"
#include "common/rng.h"
#include "proto/runfolder.h"
#include "tests/support/tap.h"

enum { N_PROMPTS = 3, N_KEEP = 4 };

static atl_prompt_t the_prompts[N_PROMPTS] = {
    {.id = "1", .text = "a red heart", .seed = 7, .n_samples = 9},
    {.id = "../evil",
     .text = "</script><img src=x onerror=\"alert(1)\"> & 'quotes' l\xc3\xb6we",
     .seed = 7,
     .n_samples = 3},
    {.id = "three", .text = "owl", .seed = 8, .n_samples = 6}};

static char the_folder[64];

static const char *in_folder(const char *name) {
  static char path[ATL_PATH_BYTES];
  return atl_runfolder_path(the_folder, name, path) == ATL_OK ? path : "";
}

/* Ties among the scores; the last sample has none. */
static float get_score(int32_t i_prompt, int32_t sample) {
  return sample == the_prompts[i_prompt].n_samples - 1 ? NAN : (float)((sample * 5 + i_prompt) % 4) / 8;
}

static atl_status_t write_candidate(int32_t i_prompt, int32_t sample, atl_record_t *record) {
  char path[ATL_PATH_BYTES];
  atl_image_t image;
  uint8_t *bytes = NULL;
  size_t n = 0;
  ATL_TRY(atl_image_init(&image, 8, 8, 3));
  image.pixels[0] = (uint8_t)(10 * i_prompt + sample);
  ATL_TRY(atl_image_encode(&image, 6, NULL, 0, &bytes, &n));
  *record = (atl_record_t){
      .candidate = {i_prompt, sample}, .score = get_score(i_prompt, sample), .n_bytes = n, .is_written = true};
  atl_file_sha256(bytes, n, record->sha256);
  ATL_TRY(atl_runfolder_candidate_path(the_folder, the_prompts[i_prompt].id, sample, path));
  ATL_TRY(atl_file_write(path, bytes, n));
  ATL_DESTROY(&bytes);
  atl_image_clear(&image);
  return ATL_OK;
}

/* Everything on its way, a third of it from each end and the middle. */
static atl_status_t add_all(atl_output_t *output) {
  for (int32_t i = 0; i < 27; i++) {
    int32_t j = i * 10 % 27, i_prompt = j % 3, sample = j / 3;
    atl_record_t record;
    if (sample >= the_prompts[i_prompt].n_samples) continue;
    ATL_TRY(write_candidate(i_prompt, sample, &record));
    ATL_TRY(atl_output_add_record(output, &record));
  }
  return ATL_OK;
}

/* The file of a line is where it says, and has the bytes it says. */
static int check_file(const json_t *line) {
  const char *file = json_string_value(json_object_get(line, "file"));
  if (!file) return json_integer_value(json_object_get(line, "rank")) > N_KEEP;
  atl_file_map_t map;
  char digest[65];
  if (atl_file_map(in_folder(file), &map) != ATL_OK) return 0;
  atl_file_sha256(map.bytes, map.n_bytes, digest);
  atl_file_unmap(&map);
  return strcmp(digest, json_string_value(json_object_get(line, "sha256"))) == 0;
}

static void check_results(void) {
  char *text = NULL;
  size_t n = 0;
  TAP_STATUS(ATL_OK, atl_file_read(in_folder("results.jsonl"), 1 << 20, &text, &n), "results.jsonl is there");
  int n_lines = 0, n_sorted = 0, n_files = 0;
  double last = 0;
  for (char *line = text; line && *line; line += strcspn(line, "\n") + 1, n_lines++) {
    json_t *object = NULL;
    if (atl_json_parse(line, strcspn(line, "\n"), "results.jsonl", &object) != ATL_OK) break;
    const json_t *score = json_object_get(object, "score");
    double value = json_is_null(score) ? -INFINITY : json_real_value(score);
    n_sorted += json_integer_value(json_object_get(object, "rank")) == 1 || value <= last;
    last = value;
    n_files += check_file(object);
    json_decref(object);
  }
  TAP_OK(n_lines == 18, "a line a candidate");
  TAP_OK(n_sorted == 18, "best first within a prompt, none last");
  TAP_OK(n_files == 18, "files are where the lines say, with the digests they say; what is not kept has none");
  static const char the_first[] =
      "{\"prompt_id\":\"1\",\"prompt\":\"a red heart\",\"seed\":7,\"sample\":3,\"score\":0.375,"
      "\"rank\":1,\"file\":\"1/rank-001.png\",\"sha256\":\"";
  TAP_OK(text && strncmp(text, the_first, strlen(the_first)) == 0, "the first line");
  ATL_DESTROY(&text);
}

static int contains(const char *name, const char *words) {
  char *text = NULL;
  size_t n = 0;
  int found = atl_file_read(in_folder(name), 1 << 24, &text, &n) == ATL_OK && strstr(text, words) != NULL;
  ATL_DESTROY(&text);
  return found;
}

static void check_folder(void) {
  char evil[ATL_FOLDER_BYTES], path[ATL_FOLDER_BYTES + 32];
  snprintf(path, sizeof path, "%s/grid.png", atl_runfolder_name("../evil", evil));
  TAP_OK(atl_file_exists(in_folder("1/grid.png")) && atl_file_exists(in_folder(path)), "a contact sheet a prompt");
  TAP_OK(atl_file_exists(in_folder("1/rank-004.png")) && !atl_file_exists(in_folder("1/rank-005.png")),
         "the best four are kept");
  TAP_OK(!atl_file_exists(in_folder(".candidates")), "nothing is left of the others");
  TAP_OK(contains("run.json", "\"state\": \"done\"") && contains("run.json", "\"temperature\": 0.5"),
         "run.json is done");
  TAP_OK(contains("run.json", "\"cores\": 2.0"), "with the cores it had");
  TAP_OK(contains("report.txt", "images/s/core"), "report.txt is there");
  TAP_OK(contains("index.html", "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; &#39;quotes&#39;"),
         "a hostile prompt is text");
  TAP_OK(!contains("index.html", "<img src=x") && !contains("index.html", "{{"),
         "and nothing else; the page is filled");
  TAP_OK(contains("index.html", "src=\"data:image/png;base64,iVBORw0KGgo"), "few pictures are embedded");
}

static void test_run(const atl_output_request_t *request) {
  atl_output_t *output = NULL;
  float threshold = 0;
  TAP_STATUS(ATL_OK, atl_output_new(request, &output), "a run folder");
  TAP_OK(contains("run.json", "\"state\": \"running\""), "run.json says that it runs");
  TAP_STATUS(ATL_INPUT, atl_output_check(the_folder), "the folder is taken now");
  TAP_OK(!atl_output_has_threshold(output, 0, &threshold), "every candidate is welcome at first");
  TAP_OK(atl_output_n_total(output) == 18 && atl_output_n_done(output) == 0, "18 to come");
  atl_run_summary_t summary = {.seconds = 9, .n_images = 18, .n_drawn = 4, .n_cores = 2};
  TAP_STATUS(ATL_INTERNAL, atl_output_finish(output, &summary), "too early to finish");
  TAP_STATUS(ATL_OK, add_all(output), "all candidates");
  TAP_OK(atl_output_n_done(output) == 18, "18 came");
  atl_record_t again = {.candidate = {0, 0}, .sha256 = "x"}, strange = {.candidate = {0, 9}, .sha256 = "x"};
  TAP_STATUS(ATL_INTERNAL, atl_output_add_record(output, &again), "a record comes once");
  TAP_STATUS(ATL_INTERNAL, atl_output_add_record(output, &strange), "a sample that nobody asked for");
  TAP_STATUS(ATL_OK, atl_output_finish(output, &summary), "the end");
  atl_output_destroy(&output);
}

/* Scores 0.25, 0.5, 0.75, ...: after four the threshold is the least, and what is driven out is removed. */
static void test_threshold(const atl_output_request_t *request) {
  atl_output_t *output = NULL;
  atl_record_t record;
  char path[ATL_PATH_BYTES];
  float threshold = 0;
  int is_ok = atl_output_new(request, &output) == ATL_OK;
  for (int32_t i = 0; i < 5 && is_ok; i++) {
    is_ok = write_candidate(0, i, &record) == ATL_OK;
    record.score = 0.25f * (float)(i + 1);
    is_ok = is_ok && atl_output_add_record(output, &record) == ATL_OK;
  }
  TAP_OK(is_ok && atl_output_has_threshold(output, 0, &threshold) && threshold == 0.5f, "the threshold rises");
  TAP_OK(atl_runfolder_candidate_path(the_folder, "1", 0, path) == ATL_OK && !atl_file_exists(path),
         "the worst is removed");
  TAP_OK(atl_runfolder_candidate_path(the_folder, "1", 1, path) == ATL_OK && atl_file_exists(path), "the others wait");
  if (is_ok) atl_output_abandon(output, "failed", "no space left");
  TAP_OK(contains("run.json", "\"state\": \"failed\"") && contains("run.json", "\"reason\": \"no space left\""),
         "a run that fails says so");
  atl_output_destroy(&output);
}

static void test_check(void) {
  char path[ATL_PATH_BYTES];
  TAP_STATUS(ATL_USAGE, atl_output_check(""), "a folder has a name");
  TAP_STATUS(ATL_INPUT, atl_output_check("Makefile"), "a file is no folder");
  TAP_STATUS(ATL_INPUT, atl_output_check("Makefile/out"), "nor holds one");
  TAP_STATUS(ATL_INPUT, atl_output_check("tests"), "a folder with something in it");
  snprintf(path, sizeof path, "%s/a/b/c", the_folder);
  TAP_STATUS(ATL_OK, atl_output_check(path), "a folder deep down can be made");
  TAP_STATUS(ATL_OK, atl_output_check("new"), "and one right here");
  TAP_OK(!atl_file_exists("new") && !atl_file_exists(path), "asking makes nothing");
}

int main(void) {
  char root[] = "/tmp/atelier-output-XXXXXX", command[64];
  if (!mkdtemp(root)) return 1;
  snprintf(the_folder, sizeof the_folder, "%s/run", root);
  json_t *pixels = json_pack("{sf}", "temperature", 0.5);
  atl_output_request_t request = {.folder = the_folder,
                                  .prompts = the_prompts,
                                  .n_prompts = N_PROMPTS,
                                  .n_keep = N_KEEP,
                                  .is_ranked = true,
                                  .model = "emoji",
                                  .command = "atelier generate --model m",
                                  .pixels = pixels};
  test_check();
  test_run(&request);
  check_results();
  check_folder();
  snprintf(the_folder, sizeof the_folder, "%s/second", root);
  test_threshold(&request);
  json_decref(pixels);
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  snprintf(command, sizeof command, "rm -rf %s", root);
  return system(command) != 0 || tap_done();
}
