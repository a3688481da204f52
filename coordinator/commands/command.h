/* Commands: one function and one file NAME.c in coordinator/commands/ for each `atelier NAME`. coordinator/main.c
 * builds its table of commands from ATL_COMMANDS. A command parses argv[1..] with its own option table and returns a
 * status; it never exits. */
#ifndef ATL_COORDINATOR_COMMANDS_COMMAND_H
#define ATL_COORDINATOR_COMMANDS_COMMAND_H

#include "common/options.h"
#include "common/status.h"
#include "coordinator/job/worker_ops.h"

/* Name and summary of every command. To add one, add a line here and a file coordinator/commands/NAME.c. LAUNCHED
 * commands run on every rank of an mpirun or srun and receive the functions of a worker; LOCAL commands run in one
 * process. */
#define ATL_COMMANDS(LAUNCHED, LOCAL)                                                                                  \
  LAUNCHED(generate, "draw pictures for text prompts, score and rank them")                                            \
  LAUNCHED(probe, "compute logits, pixels and features from given tensors, for tests")                                 \
  LAUNCHED(bench, "measure this machine's ceilings and how close a model comes to them")                               \
  LOCAL(plan, "assign roles to ranks and predict time and memory")                                                     \
  LOCAL(convert, "convert checkpoints into a model directory")                                                         \
  LOCAL(inspect, "list the contents of a checkpoint, tensor file, tokenizer or model directory")                       \
  LOCAL(score, "score pictures against texts with CLIP, or find each picture's best label")                            \
  LOCAL(encode, "turn pictures into image tokens")                                                                     \
  LOCAL(decode, "turn image tokens into pictures")                                                                     \
  LOCAL(tokenize, "show the token ids of texts")

#define LAUNCHED(name, summary)                                                                                        \
  atl_status_t atl_command_##name(int argc, char **argv, const atl_worker_ops_t *worker_ops);
#define LOCAL(name, summary) atl_status_t atl_command_##name(int argc, char **argv);
ATL_COMMANDS(LAUNCHED, LOCAL)
#undef LAUNCHED
#undef LOCAL

/* The body of a LOCAL command, called after its arguments are parsed. settings: the command's own struct. operands:
 * NULL unless its usage names operands. Borrows both. */
typedef atl_status_t (*atl_command_body_t)(const void *settings, const atl_text_list_t *operands);
/* Allocates settings_bytes of settings and parses argv into them; then prints the help page if it was asked for, else
 * calls the body. USAGE, MEMORY, or the body's status. */
atl_status_t atl_command_run(const atl_usage_t *usage, int argc, char **argv, size_t settings_bytes,
                             atl_command_body_t body);

#endif
