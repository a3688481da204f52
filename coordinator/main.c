/* atelier: one binary, one word for what to do. Turns a status into an exit code, here and nowhere else. */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/version.h"
#include "coordinator/command.h"

static const struct {
  const char *name;
  atl_command_run_t run;
  const char *summary;
} the_commands[] = {
#define X(name, summary) {#name, atl_command_##name, summary},
    ATL_COMMANDS(X)
#undef X
};

enum { N_COMMANDS = sizeof the_commands / sizeof the_commands[0] };

static void print_help(FILE *out) {
  fprintf(out, "atelier %s: images from text, on clusters of CPUs\n\nusage: atelier COMMAND [options]\n\n", ATL_VERSION);
  for (int i = 0; i < N_COMMANDS; i++) fprintf(out, "  %-10s %s\n", the_commands[i].name, the_commands[i].summary);
  fprintf(out, "\natelier COMMAND --help tells about a command. Exit codes: 0 done; 2 usage or bad input; 3 stopped,\n"
               "resumable; 1 anything else. Start with: atelier generate --model weights/emoji --prompt \"red heart\" --out out\n");
}

static atl_status_t run(int argc, char **argv) {
  for (int i = 0; i < N_COMMANDS; i++)
    if (strcmp(argv[1], the_commands[i].name) == 0) return the_commands[i].run(argc - 1, argv + 1);
  return ATL_FAIL(USAGE, "there is no command '%s'; atelier --help lists them", argv[1]);
}

int main(int argc, char **argv) {
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? atl_status_exit_code(ATL_USAGE) : 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("atelier %s (%s)\n", ATL_VERSION, ATL_GIT_DESCRIBE);
    return 0;
  }
  atl_status_t status = run(argc, argv);
  if (status != ATL_OK) {
    fprintf(stderr, "atelier: %s\n", atl_status_message());
    if (atl_status_exit_code(status) == 1) fprintf(stderr, "%s", atl_status_trace());
  }
  return atl_status_exit_code(status);
}
