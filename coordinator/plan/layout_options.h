/* Layout options: the parts of the layout that a user may fix. Every command that plans has the same rows in its option
 * table.
 *
 *     typedef struct { ...; atl_layout_options_t layout; } settings_t;
 *     static const atl_option_t options[] = {..., ATL_LAYOUT_OPTIONS(offsetof(settings_t, layout)), {0}};
 *     ATL_TRY(atl_layout_options_check(&settings.layout, settings.plan));
 */
#ifndef ATL_COORDINATOR_PLAN_LAYOUT_OPTIONS_H
#define ATL_COORDINATOR_PLAN_LAYOUT_OPTIONS_H

#include "common/options.h"

typedef struct {
  int64_t stages, pipelines, decoders, slots, microbatch; /* 0: the plan decides */
} atl_layout_options_t;

/* Rows of an option table; at: offset of an atl_layout_options_t in the command's settings. */
#define ATL_LAYOUT_OPTION(at, name, letter, help)                                                                      \
  { #name, ATL_OPTION_INT, (at) + offsetof(atl_layout_options_t, name), letter, "0", help " (0: automatic)" }
#define ATL_LAYOUT_OPTIONS(at)                                                                                         \
  ATL_LAYOUT_OPTION(at, stages, "S", "stages per pipeline"), ATL_LAYOUT_OPTION(at, pipelines, "P", "pipelines"),       \
      ATL_LAYOUT_OPTION(at, decoders, "D", "ranks that decode and score"),                                             \
      ATL_LAYOUT_OPTION(at, slots, "M", "microbatches in flight per pipeline"),                                        \
      ATL_LAYOUT_OPTION(at, microbatch, "B", "candidates per microbatch")

/* USAGE: a count is out of range, or given together with a plan file, which fixes all of them (plan_path; NULL: none).
 * Local. Borrows. */
atl_status_t atl_layout_options_check(const atl_layout_options_t *options, const char *plan_path);

#endif
