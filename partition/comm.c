/* Shared by builds with and without MPI: the launcher's environment variables, and rank and size of a communicator. */
#include "partition/comm.h"

#include <stdlib.h>

#include "partition/comm_private.h"

long atl_comm_launcher_number(const char *name) {
  const char *text = getenv(name);
  return text == NULL || *text == '\0' ? -1 : strtol(text, NULL, 10);
}

bool atl_comm_is_launched(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (atl_comm_launcher_number(names[i]) >= 0) return true;
  return false;
}

long atl_comm_count_srun_tasks(void) {
  if (atl_comm_launcher_number("OMPI_COMM_WORLD_SIZE") >= 0 || atl_comm_launcher_number("SLURM_PROCID") < 0) return 1;
  return atl_comm_launcher_number("SLURM_STEP_NUM_TASKS");
}

int atl_comm_rank(const atl_comm_t *comm) { return comm->rank; }

int atl_comm_size(const atl_comm_t *comm) { return comm->size; }
