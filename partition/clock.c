#include "partition/clock.h"

#include <math.h>
#include <string.h>

#include "common/memory.h"
#include "common/timer.h"
#include "partition/comm_private.h"

enum { N_PINGS = 20, TAG_PING = 1, TAG_PONG = 2 };

/* Rank 0 answers each ping with its time. */
static atl_status_t answer(const atl_comm_t *comm, int peer) {
  for (int i = 0; i < N_PINGS; i++) {
    double now;
    ATL_MPI(MPI_Recv(&now, 1, MPI_DOUBLE, peer, TAG_PING, comm->comm, MPI_STATUS_IGNORE), "a ping from rank %d", peer);
    now = atl_timer_now();
    ATL_MPI(MPI_Send(&now, 1, MPI_DOUBLE, peer, TAG_PONG, comm->comm), "answering rank %d's ping", peer);
  }
  return ATL_OK;
}

/* The answer is taken to be from the middle of the ping's way. */
static atl_status_t ask(const atl_comm_t *comm, atl_clock_t *clock) {
  double shortest = INFINITY;
  for (int i = 0; i < N_PINGS; i++) {
    double there, start = atl_timer_now();
    ATL_MPI(MPI_Send(&start, 1, MPI_DOUBLE, 0, TAG_PING, comm->comm), "a ping to rank 0");
    ATL_MPI(MPI_Recv(&there, 1, MPI_DOUBLE, 0, TAG_PONG, comm->comm, MPI_STATUS_IGNORE), "rank 0's answer to a ping");
    double end = atl_timer_now();
    if (end - start >= shortest) continue;
    shortest = end - start;
    *clock = (atl_clock_t){end, there - 0.5 * (start + end), 0.5 * shortest};
  }
  return ATL_OK;
}

/* Is this rank on rank 0's host? */
static atl_status_t find_host(const atl_comm_t *comm, char *is_near) {
  char mine[MPI_MAX_PROCESSOR_NAME] = "", first[MPI_MAX_PROCESSOR_NAME];
  int n;
  ATL_MPI(MPI_Get_processor_name(mine, &n), "asking for this host's name");
  memcpy(first, mine, sizeof first);
  ATL_MPI(MPI_Bcast(first, sizeof first, MPI_CHAR, 0, comm->comm), "telling the name of rank 0's host");
  *is_near = memcmp(first, mine, strlen(first) + 1) == 0;
  return ATL_OK;
}

atl_status_t atl_clock_measure(const atl_comm_t *comm, bool also_on_host, atl_clock_t *clock) {
  char is_near, *all;
  size_t *offsets;
  *clock = (atl_clock_t){atl_timer_now(), 0, 0};
  ATL_TRY(find_host(comm, &is_near));
  if (also_on_host) is_near = 0;
  ATL_TRY(atl_comm_gather(comm, 0, &is_near, 1, &all, &offsets));
  atl_status_t status = ATL_OK;
  if (comm->rank == 0) {
    for (int peer = 1; peer < comm->size && status == ATL_OK; peer++)
      if (!all[peer]) status = answer(comm, peer);
  } else if (!is_near) {
    status = ask(comm, clock);
  }
  atl_memory_destroy((void **)&all);
  atl_memory_destroy((void **)&offsets);
  return status;
}

double atl_clock_align(const atl_clock_t *start, const atl_clock_t *end, double seconds) {
  double passed = end->at - start->at;
  double drift = passed > 0 ? (end->offset - start->offset) / passed : 0;
  return seconds + start->offset + drift * (seconds - start->at);
}
