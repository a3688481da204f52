/* Command: what `atelier NAME` runs. Each command is one file in coordinator/commands/ with one function; main.c has
 * the table. A command parses argv[1..] with its own option table and returns a status; it never exits. */
#ifndef ATL_COORDINATOR_COMMANDS_COMMAND_H
#define ATL_COORDINATOR_COMMANDS_COMMAND_H

#include "common/options.h"
#include "common/status.h"
#include "coordinator/job/worker_ops.h"

/* name, summary; a command is added here and as coordinator/commands/NAME.c. LAUNCHED ones run on every rank of an
 * mpirun or srun and are given the roles; LOCAL ones run in one process. */
#define ATL_COMMANDS(LAUNCHED, LOCAL)                                                                                  \
  LAUNCHED(generate, "draw ranked pictures for prompts")                                                               \
  LAUNCHED(probe, "a model's numbers for given inputs, for tests")                                                     \
  LAUNCHED(bench, "what this machine can do, and how near a model comes")                                              \
  LOCAL(plan, "who would do what on so many ranks, and how long it takes")                                             \
  LOCAL(convert, "checkpoints of other programs -> a model directory")                                                 \
  LOCAL(inspect, "what a checkpoint, tensor file, tokenizer or model directory holds")                                 \
  LOCAL(score, "CLIP scores of pictures against texts; the best label of each picture")                                \
  LOCAL(encode, "pictures -> image codes")                                                                             \
  LOCAL(decode, "image codes -> pictures")                                                                             \
  LOCAL(tokenize, "texts -> ids of a model's tokenizer, and back")

#define LAUNCHED(name, summary)                                                                                        \
  atl_status_t atl_command_##name(int argc, char **argv, const atl_worker_ops_t *worker_ops);
#define LOCAL(name, summary) atl_status_t atl_command_##name(int argc, char **argv);
ATL_COMMANDS(LAUNCHED, LOCAL)
#undef LAUNCHED
#undef LOCAL

/* What a LOCAL command does once its words are read: `settings` is a struct of its own; `operands` are NULL unless its
 * usage has some. Borrows. */
typedef atl_status_t (*atl_command_body_t)(const void *settings, const atl_text_list_t *operands);
/* Reads the words into settings_bytes of settings, then prints the help or runs the body. */
atl_status_t atl_command_run(const atl_usage_t *usage, int argc, char **argv, size_t settings_bytes,
                             atl_command_body_t body);

#endif
