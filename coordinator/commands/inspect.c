/* atelier inspect: lists the contents of files without executing anything in them. */
#include "common/memory.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/inspection.h"

typedef struct {
  bool json, brief, verify;
} settings_t;

static const atl_option_t options[] = {
    {"json", ATL_OPTION_FLAG, offsetof(settings_t, json), NULL, NULL, "print one JSON object per file"},
    {"brief", ATL_OPTION_FLAG, offsetof(settings_t, brief), NULL, NULL, "leave out the table of tensors"},
    {"verify", ATL_OPTION_FLAG, offsetof(settings_t, verify), NULL, NULL,
     "compare the hashes of a model directory's files with its model.json, and check shapes and values of all tensors"},
    {0}};

static const atl_usage_t usage = {
    .command = "inspect",
    .synopsis = "FILE ... [options]",
    .summary = "Lists the contents of files and model directories without executing anything in them.",
    .examples = "  atelier inspect dalle.pt\n"
                "  atelier inspect weights/emoji --verify --brief\n"
                "  atelier inspect out.safetensors --json\n",
    .options = options,
    .operands = "FILE ..."};

static atl_status_t inspect(const settings_t *settings, const char *path) {
  json_t *report;
  ATL_TRY(atl_inspection_new(path, settings->verify, &report));
  if (settings->json) {
    if (settings->brief) json_object_del(report, "tensors");
    json_dumpf(report, stdout, JSON_INDENT(2));
    putchar('\n');
  } else {
    atl_inspection_print(report, !settings->brief, stdout);
  }
  json_decref(report);
  return ATL_OK;
}

static atl_status_t run(const void *settings, const atl_text_list_t *files) {
  ATL_CHECK(files->n > 0, USAGE, "expected a file to inspect, found none; see atelier inspect --help");
  for (int i = 0; i < files->n; i++) ATL_TRY(inspect(settings, files->items[i]));
  return ATL_OK;
}

atl_status_t atl_command_inspect(int argc, char **argv) {
  return atl_command_run(&usage, argc, argv, sizeof(settings_t), run);
}
