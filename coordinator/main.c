/* atelier: one binary whose first argument names a command. Only main turns a status into an exit code. */
#include <errno.h>
#include <limits.h>
#include <omp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/version.h"
#include "coordinator/commands/command.h"
#include "partition/comm.h"
#include "workers/worker.h"

typedef struct {
  const char *name, *summary;
  atl_status_t (*run_launched)(int argc, char **argv, const atl_worker_ops_t *worker_ops); /* on every rank */
  atl_status_t (*run_local)(int argc, char **argv);
} command_t;

static const command_t commands[] = {
#define LAUNCHED(name, summary) {#name, summary, atl_command_##name, NULL},
#define LOCAL(name, summary) {#name, summary, NULL, atl_command_##name},
    ATL_COMMANDS(LAUNCHED, LOCAL)
#undef LAUNCHED
#undef LOCAL
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0], MAX_THREADS = 1024 };

static const atl_worker_ops_t worker_ops = {atl_worker_new,   atl_worker_destroy,    atl_worker_poll,
                                            atl_worker_drain, atl_worker_is_stopped, atl_worker_get_reports};

static void print_help(FILE *out) {
  fprintf(out, "atelier %s: text-to-image generation on clusters of CPUs\n\nusage: atelier COMMAND [options]\n\n",
          ATL_VERSION);
  for (int i = 0; i < N_COMMANDS; i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
  fprintf(out,
          "\natelier COMMAND --help describes a command. Exit codes: 0 success; 2 usage or bad input; 3 stopped\n"
          "by a signal; 1 any other failure. Start with: atelier generate --model weights/emoji --prompt \"red heart\" "
          "--out out\n");
}

static atl_status_t run(int argc, char **argv) {
  for (int i = 0; i < N_COMMANDS; i++) {
    const command_t *command = &commands[i];
    if (strcmp(argv[1], command->name) != 0) continue;
    if (command->run_local != NULL) return command->run_local(argc - 1, argv + 1);
    signal(SIGPIPE, SIG_IGN); /* the run goes on when the reader of its output has gone */
    atl_status_t status = command->run_launched(argc - 1, argv + 1, &worker_ops);
    return status == ATL_OK ? ATL_OK : atl_comm_fail_start(status);
  }
  return ATL_FAIL(USAGE, "unknown command '%s'; atelier --help lists the commands", argv[1]);
}

/* Reports memory that a command has not freed. That is always a bug, but only a sanitised build exits with a failure.
 */
static int check_memory(void) {
  if (atl_memory_in_use_bytes() == 0) return 0;
  fprintf(stderr, "atelier: bug: %zu bytes of memory were not freed\n", atl_memory_in_use_bytes());
#ifdef __SANITIZE_ADDRESS__
  return 1;
#else
  return 0;
#endif
}

/* Finds the file that this program was loaded from: the mapping in /proc/self/maps that holds our own code. */
static bool find_own_file(char path[PATH_MAX]) {
  FILE *maps = fopen("/proc/self/maps", "re");
  if (maps == NULL) return false;
  char line[PATH_MAX + 128];
  bool is_found = false;
  while (!is_found && fgets(line, sizeof line, maps) != NULL) {
    unsigned long first, end;
    int at = 0;
    line[strcspn(line, "\n")] = '\0';
    is_found = sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &first, &end, &at) == 2 && at > 0 &&
               (unsigned long)(uintptr_t)find_own_file >= first && (unsigned long)(uintptr_t)find_own_file < end;
    if (is_found) snprintf(path, PATH_MAX, "%s", line + at);
  }
  fclose(maps);
  return is_found;
}

/* By default GNU's OpenMP lets idle threads spin for milliseconds between parallel regions. On shared cores (a laptop,
 * a container, more ranks than cores) this made generate 60 times slower. libgomp reads its settings when it is loaded,
 * before any of our code runs, so the program executes itself once more, under its own name, with a short spin count. A
 * Slurm job owns its cores and keeps the default; so does a user who has set either variable. Under another program
 * (ld.so, valgrind) it does not restart, which would lose that program. */
static void spin_less(char **argv) {
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || getenv("SLURM_JOB_ID")) return;
  const char *preload = getenv("LD_PRELOAD");
  char exe[PATH_MAX] = "", own[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n <= 0 || !find_own_file(own) || strcmp(exe, own) != 0) return;
  if (preload != NULL && strstr(preload, "vgpreload") != NULL) return;
  if (setenv("GOMP_SPINCOUNT", "1000", 1) == 0) execv(exe, argv);
}

/* Refuses more threads than GNU's OpenMP survives: it keeps their records on the stack and crashes without a message
 * when they do not fit. */
static atl_status_t check_threads(void) {
  ATL_CHECK(omp_get_max_threads() <= MAX_THREADS, USAGE, "OMP_NUM_THREADS is %d; expected 1 to %d threads a rank",
            omp_get_max_threads(), MAX_THREADS);
  return ATL_OK;
}

/* Flushes stdout; a command whose output did not reach its reader (a full disk) has failed. */
static atl_status_t flush_results(void) {
  errno = 0;
  int failed = fflush(stdout);
  ATL_CHECK(failed == 0 && !ferror(stdout), IO, "standard output cannot be written: %s",
            errno != 0 ? strerror(errno) : "an earlier write failed");
  return ATL_OK;
}

/* Prints a failure and returns its exit code; returns `code` when there is none to print. */
static int report(atl_status_t status, int code) {
  if (status == ATL_OK) return code;
  /* Once MPI has started, every rank has the same failure. Only rank 0 prints it and exits with its code: if another
   * rank exited with an error first, mpirun would kill rank 0 before it could print. We ask MPI for the rank, not the
   * launcher's environment: srun may have started a shell that runs commands of one process. */
  if (atl_comm_world_rank() > 0) return code;
  fprintf(stderr, "atelier: %s\n", atl_status_message());
  if (atl_status_exit_code(status) == 1) fprintf(stderr, "%s", atl_status_trace());
  return atl_status_exit_code(status);
}

int main(int argc, char **argv) {
  spin_less(argv);
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? atl_status_exit_code(ATL_USAGE) : report(flush_results(), 0);
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("atelier %s (%s)%s\n", ATL_VERSION, ATL_GIT_DESCRIBE,
           atl_comm_has_mpi() ? "" : ", without MPI: one process");
    return report(flush_results(), 0);
  }
  atl_file_catch_truncation();
  signal(SIGXFSZ, SIG_IGN); /* at a file-size limit a write fails, as on a full disk, and the process survives */
  atl_status_t status = check_threads();
  if (status == ATL_OK) status = run(argc, argv);
  if (status == ATL_OK) status = flush_results();
  int code = check_memory();
  return report(status, code);
}
