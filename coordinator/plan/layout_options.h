/* Layout options: what a user may fix of who does what. The commands that plan have the same rows in their tables.
 *
 *     typedef struct { ...; atl_layout_options_t layout; } settings_t;
 *     static const atl_option_t the_options[] = {..., ATL_LAYOUT_OPTIONS(offsetof(settings_t, layout)), {0}};
 *     ATL_TRY(atl_layout_options_check(&settings.layout, settings.plan));
 */
#ifndef ATL_COORDINATOR_PLAN_LAYOUT_OPTIONS_H
#define ATL_COORDINATOR_PLAN_LAYOUT_OPTIONS_H

#include "common/options.h"

typedef struct {
  int64_t stages, pipelines, decoders, slots, microbatch; /* 0: decide */
} atl_layout_options_t;

/* A row of an option table whose struct lies `at` so many bytes from the start of the settings. */
#define ATL_LAYOUT_OPTION(at, name, letter, help)                                                                      \
  { #name, ATL_OPTION_INT, (at) + offsetof(atl_layout_options_t, name), letter, "0", help " (0: decide)" }
#define ATL_LAYOUT_OPTIONS(at)                                                                                         \
  ATL_LAYOUT_OPTION(at, stages, "S", "stages per pipeline"), ATL_LAYOUT_OPTION(at, pipelines, "P", "pipelines"),       \
      ATL_LAYOUT_OPTION(at, decoders, "D", "ranks that decode and score"),                                             \
      ATL_LAYOUT_OPTION(at, slots, "M", "microbatches in flight per pipeline"),                                        \
      ATL_LAYOUT_OPTION(at, microbatch, "B", "candidates per microbatch")

/* USAGE: a count out of range, or one beside a file with a plan, which decides all of them (NULL: no file). */
atl_status_t atl_layout_options_check(const atl_layout_options_t *options, const char *plan_path);

#endif
