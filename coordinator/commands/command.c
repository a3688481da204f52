#include "coordinator/commands/command.h"

#include "common/memory.h"

static atl_status_t run(const atl_usage_t *usage, int argc, char **argv, void *settings, atl_text_list_t *operands,
                        atl_command_body_t body) {
  bool wants_help;
  ATL_TRY(atl_options_parse(usage, argc, argv, settings, operands, &wants_help));
  if (!wants_help) return body(settings, operands);
  atl_options_help(usage, stdout);
  return ATL_OK;
}

/* Settings and operands are on the heap: each may hold lists of ATL_MAX_TEXTS pointers, which are too large for the
 * stack. */
atl_status_t atl_command_run(const atl_usage_t *usage, int argc, char **argv, size_t settings_bytes,
                             atl_command_body_t body) {
  void *settings;
  atl_text_list_t *operands = NULL;
  ATL_TRY(atl_memory_new(1, settings_bytes, &settings));
  atl_status_t status = usage->operands != NULL ? ATL_NEW(1, &operands) : ATL_OK;
  if (status == ATL_OK) status = run(usage, argc, argv, settings, operands, body);
  ATL_DESTROY(&operands);
  ATL_DESTROY(&settings);
  return status;
}
