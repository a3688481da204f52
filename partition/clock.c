#include "partition/clock.h"

#include <math.h>
#include <string.h>

#include "common/memory.h"
#include "common/timer.h"
#include "partition/comm_private.h"

enum { N_PINGS = 20, TAG_PING = 1, TAG_PONG = 2 };

static atl_status_t send(const atl_comm_t *comm, int to, int tag, double seconds) {
  atl_request_t request;
  ATL_TRY(atl_comm_start_send(comm, to, tag, &seconds, sizeof seconds, &request));
  return atl_comm_wait(comm, &request);
}

static atl_status_t receive(const atl_comm_t *comm, int from, int tag, double *seconds) {
  atl_request_t request;
  ATL_TRY(atl_comm_start_recv(comm, from, tag, seconds, sizeof *seconds, &request));
  return atl_comm_wait(comm, &request);
}

/* Rank 0 answers each ping with its clock. */
static atl_status_t answer(const atl_comm_t *comm, int peer) {
  for (int i = 0; i < N_PINGS; i++) {
    double ping;
    ATL_TRY(receive(comm, peer, TAG_PING, &ping));
    ATL_TRY(send(comm, peer, TAG_PONG, atl_timer_now()));
  }
  return ATL_OK;
}

/* Assumes that rank 0 answered halfway between send and receive. */
static atl_status_t ask(const atl_comm_t *comm, atl_clock_t *clock) {
  double shortest = INFINITY;
  for (int i = 0; i < N_PINGS; i++) {
    double there, start = atl_timer_now();
    ATL_TRY(send(comm, 0, TAG_PING, start));
    ATL_TRY(receive(comm, 0, TAG_PONG, &there));
    double end = atl_timer_now();
    if (end - start >= shortest) continue;
    shortest = end - start;
    *clock = (atl_clock_t){end, there - 0.5 * (start + end), 0.5 * shortest};
  }
  return ATL_OK;
}

/* Is this rank on rank 0's host? */
static atl_status_t find_host(const atl_comm_t *comm, char *is_near) {
  char mine[ATL_HOST_NAME_BYTES], *first = mine;
  size_t n_bytes = sizeof mine;
  memset(mine, 0, sizeof mine);
  atl_comm_get_host_name(mine);
  ATL_TRY(atl_comm_broadcast(comm, 0, &first, &n_bytes));
  *is_near = n_bytes == sizeof mine && memcmp(first, mine, sizeof mine) == 0;
  if (first != mine) ATL_DESTROY(&first);
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
