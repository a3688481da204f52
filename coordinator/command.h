/* Command: what `atelier NAME` runs. Each command is one file in coordinator/commands/ with one function; main.c has
 * the table. A command parses argv[1..] with its own option table and returns a status; it never exits. */
#ifndef ATL_COORDINATOR_COMMAND_H
#define ATL_COORDINATOR_COMMAND_H

#include "common/status.h"

typedef atl_status_t (*atl_command_run_t)(int argc, char **argv);

/* name, summary; a command is added here and as coordinator/commands/NAME.c. The last two run on every rank of a launch. */
#define ATL_COMMANDS(X)                                                                                                \
  X(tokenize, "texts -> ids of a model's tokenizer, and back")

#define X(name, summary) atl_status_t atl_command_##name(int argc, char **argv);
ATL_COMMANDS(X)
#undef X

#endif
