/* The transport of a single process, in builds without MPI (make MPI=0). Its one rank sends every message to itself: a
 * send copies its bytes into a posted receive of the same tag, or into a parcel that a later receive or probe takes.
 * Parcels are reused, so the steady state allocates nothing.
 *
 * Only such builds define ATL_SERIAL; make lint compiles this source too. */
#ifndef ATL_SERIAL
#define ATL_SERIAL
#endif

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memory.h"
#include "partition/comm.h"
#include "partition/comm_private.h"

typedef struct atl_parcel {
  struct atl_parcel *next;
  int tag;
  size_t n_bytes, capacity;
  char *bytes;
} parcel_t;

struct atl_queue {
  parcel_t *first, *last;                    /* sent but not received, in order */
  parcel_t *spare;                           /* for reuse */
  atl_request_t *first_posted, *last_posted; /* receives whose messages have not arrived, in order */
};

static int world_rank = -1;

/* Number of processes in this launch according to the launcher's variables; *variable is the one that says so. */
static long count_launched(const char **variable) {
  static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    *variable = names[i];
    if (atl_comm_launcher_number(names[i]) > 1) return atl_comm_launcher_number(names[i]);
  }
  *variable = "SLURM_STEP_NUM_TASKS";
  return atl_comm_count_srun_tasks();
}

/* This process's rank in the launch, so that only rank 0 prints the error. */
static int find_launch_rank(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (atl_comm_launcher_number(names[i]) >= 0) return (int)atl_comm_launcher_number(names[i]);
  return 0;
}

static atl_status_t make(const char *name, atl_comm_t **comm) {
  ATL_TRY(ATL_NEW(1, comm));
  atl_status_t status = ATL_NEW(1, &(*comm)->queue);
  if (status != ATL_OK) {
    ATL_DESTROY(comm);
    return status;
  }
  (*comm)->size = 1;
  snprintf((*comm)->name, sizeof(*comm)->name, "%s", name);
  return ATL_OK;
}

atl_status_t atl_comm_start(int *argc, char ***argv, atl_comm_t **world) {
  (void)argc;
  (void)argv;
  const char *variable;
  long n_launched = count_launched(&variable);
  *world = NULL;
  world_rank = n_launched > 1 ? find_launch_rank() : 0;
  ATL_CHECK(n_launched <= 1, USAGE,
            "this atelier was built without MPI (make MPI=0) and runs as a single process, but %s says that %ld were "
            "started; each would do all the work. Start one process, or build with MPI (make)",
            variable, n_launched);
  return make("atelier", world);
}

atl_status_t atl_comm_fail_start(atl_status_t failure) { return failure; }

void atl_comm_stop(atl_comm_t **world) { atl_comm_destroy(world); }

int atl_comm_world_rank(void) { return world_rank; }

atl_status_t atl_comm_duplicate(const atl_comm_t *comm, const char *name, atl_comm_t **copy) {
  (void)comm;
  return make(name, copy);
}

static void destroy_parcels(parcel_t *parcel) {
  while (parcel != NULL) {
    parcel_t *next = parcel->next;
    ATL_DESTROY(&parcel->bytes);
    ATL_DESTROY(&parcel);
    parcel = next;
  }
}

void atl_comm_destroy(atl_comm_t **comm) {
  if (comm == NULL || *comm == NULL) return;
  destroy_parcels((*comm)->queue->first);
  destroy_parcels((*comm)->queue->spare);
  ATL_DESTROY(&(*comm)->queue);
  ATL_DESTROY(comm);
}

/* ---- messages ---- */

void atl_request_init(atl_request_t *request) { *request = (atl_request_t){0}; }

bool atl_request_is_active(const atl_request_t *request) { return request->is_active; }

/* The smallest spare parcel that has room, or a new one. */
static atl_status_t take_parcel(struct atl_queue *queue, size_t n_bytes, parcel_t **parcel) {
  parcel_t **best = NULL;
  for (parcel_t **at = &queue->spare; *at != NULL; at = &(*at)->next)
    if ((*at)->capacity >= n_bytes && (best == NULL || (*at)->capacity < (*best)->capacity)) best = at;
  if (best != NULL) {
    *parcel = *best;
    *best = (*best)->next;
    return ATL_OK;
  }
  ATL_TRY(ATL_NEW(1, parcel));
  atl_status_t status = ATL_NEW(n_bytes, &(*parcel)->bytes);
  if (status != ATL_OK)
    ATL_DESTROY(parcel);
  else
    (*parcel)->capacity = n_bytes;
  return status;
}

static void append(struct atl_queue *queue, parcel_t *parcel) {
  parcel->next = NULL;
  if (queue->last != NULL)
    queue->last->next = parcel;
  else
    queue->first = parcel;
  queue->last = parcel;
}

/* Unlinks the parcel *at from the queue; `before` is its predecessor, NULL for the first. */
static parcel_t *remove_parcel(struct atl_queue *queue, parcel_t **at, parcel_t *before) {
  parcel_t *parcel = *at;
  *at = parcel->next;
  if (queue->last == parcel) queue->last = before;
  return parcel;
}

static void give_back(struct atl_queue *queue, parcel_t *parcel) {
  parcel->next = queue->spare;
  queue->spare = parcel;
}

static void remove_posted(struct atl_queue *queue, const atl_request_t *request) {
  atl_request_t *before = NULL;
  for (atl_request_t *at = queue->first_posted; at != request; at = at->next) before = at;
  if (before == NULL)
    queue->first_posted = request->next;
  else
    before->next = request->next;
  if (queue->last_posted == request) queue->last_posted = before;
}

static atl_status_t deliver(const atl_comm_t *comm, atl_request_t *request, int tag, const char *bytes,
                            size_t n_bytes) {
  ATL_CHECK(n_bytes <= request->capacity, COMM,
            "message of %zu bytes, tag %d, on '%s' is longer than its receive (%zu bytes)", n_bytes, tag, comm->name,
            request->capacity);
  if (n_bytes > 0) memcpy(request->bytes, bytes, n_bytes);
  request->n_bytes = n_bytes;
  request->is_posted = false;
  return ATL_OK;
}

atl_status_t atl_comm_start_send(const atl_comm_t *comm, int to, int tag, const void *bytes, size_t n_bytes,
                                 atl_request_t *request) {
  ATL_ASSERT(to == 0 && n_bytes <= INT_MAX);
  *request = (atl_request_t){.is_active = true}; /* until tested; the bytes are copied below */
  struct atl_queue *queue = comm->queue;
  for (atl_request_t *posted = queue->first_posted; posted != NULL; posted = posted->next)
    if (posted->tag == tag) {
      remove_posted(queue, posted);
      return deliver(comm, posted, tag, bytes, n_bytes);
    }
  parcel_t *parcel;
  ATL_TRY(take_parcel(queue, n_bytes, &parcel));
  if (n_bytes > 0) memcpy(parcel->bytes, bytes, n_bytes);
  parcel->n_bytes = n_bytes;
  parcel->tag = tag;
  append(queue, parcel);
  return ATL_OK;
}

atl_status_t atl_comm_start_recv(const atl_comm_t *comm, int from, int tag, void *bytes, size_t capacity,
                                 atl_request_t *request) {
  ATL_ASSERT(from == 0);
  struct atl_queue *queue = comm->queue;
  *request = (atl_request_t){.bytes = bytes, .capacity = capacity, .tag = tag, .is_active = true};
  parcel_t *before = NULL;
  for (parcel_t **at = &queue->first; *at != NULL; before = *at, at = &(*at)->next)
    if ((*at)->tag == tag) {
      parcel_t *parcel = remove_parcel(queue, at, before);
      atl_status_t status = deliver(comm, request, tag, parcel->bytes, parcel->n_bytes);
      give_back(queue, parcel);
      return status;
    }
  request->is_posted = true;
  if (queue->last_posted != NULL)
    queue->last_posted->next = request;
  else
    queue->first_posted = request;
  queue->last_posted = request;
  return ATL_OK;
}

atl_status_t atl_comm_find_arrival(const atl_comm_t *comm, bool *is_there, atl_arrival_t *arrival) {
  struct atl_queue *queue = comm->queue;
  *is_there = queue->first != NULL;
  if (!*is_there) return ATL_OK;
  parcel_t *parcel = remove_parcel(queue, &queue->first, NULL);
  *arrival = (atl_arrival_t){.source = 0, .tag = parcel->tag, .n_bytes = parcel->n_bytes, .parcel = parcel};
  return ATL_OK;
}

atl_status_t atl_comm_start_fetch(const atl_comm_t *comm, atl_arrival_t *arrival, void *bytes, atl_request_t *request) {
  *request = (atl_request_t){.bytes = bytes, .capacity = arrival->n_bytes, .tag = arrival->tag, .is_active = true};
  atl_status_t status = deliver(comm, request, arrival->tag, arrival->parcel->bytes, arrival->n_bytes);
  give_back(comm->queue, arrival->parcel);
  return status;
}

atl_status_t atl_comm_test(const atl_comm_t *comm, atl_request_t *request, bool *is_done, size_t *n_bytes) {
  (void)comm;
  *is_done = !request->is_posted;
  if (!*is_done) return ATL_OK;
  if (n_bytes != NULL) *n_bytes = request->n_bytes;
  atl_request_init(request);
  return ATL_OK;
}

atl_status_t atl_comm_test_some(const atl_comm_t *comm, int n, atl_request_t *requests, int *finished,
                                int *n_finished) {
  *n_finished = 0;
  for (int i = 0; i < n; i++) {
    bool is_done;
    if (!requests[i].is_active) continue;
    ATL_TRY(atl_comm_test(comm, &requests[i], &is_done, NULL));
    if (is_done) finished[(*n_finished)++] = i;
  }
  return ATL_OK;
}

/* Waiting for a receive without a message would never end. */
atl_status_t atl_comm_wait(const atl_comm_t *comm, atl_request_t *request) {
  ATL_CHECK(!request->is_posted, INTERNAL,
            "waiting on '%s' for a message that was not sent; only this process could send it", comm->name);
  atl_request_init(request);
  return ATL_OK;
}

void atl_comm_cancel(const atl_comm_t *comm, atl_request_t *request) {
  if (request->is_posted) remove_posted(comm->queue, request);
  atl_request_init(request);
}

/* ---- collectives of one rank ---- */

atl_status_t atl_comm_agree(const atl_comm_t *comm, atl_status_t status) {
  (void)comm;
  return status;
}

atl_status_t atl_comm_broadcast(const atl_comm_t *comm, int root, char **bytes, size_t *n_bytes) {
  (void)comm;
  (void)bytes;
  (void)n_bytes;
  ATL_ASSERT(root == 0);
  return ATL_OK;
}

atl_status_t atl_comm_gather(const atl_comm_t *comm, int root, const void *bytes, size_t n_bytes, char **all,
                             size_t **offsets) {
  (void)comm;
  ATL_ASSERT(root == 0);
  *all = NULL;
  *offsets = NULL;
  atl_status_t status = ATL_NEW(2, offsets);
  if (status == ATL_OK) status = ATL_NEW(n_bytes, all);
  if (status != ATL_OK) {
    ATL_DESTROY(offsets);
    return status;
  }
  if (n_bytes > 0) memcpy(*all, bytes, n_bytes);
  (*offsets)[1] = n_bytes;
  return ATL_OK;
}

atl_status_t atl_comm_barrier(const atl_comm_t *comm) {
  (void)comm;
  return ATL_OK;
}

atl_status_t atl_comm_settle(atl_comm_t *comm, bool is_idle, bool *is_settled) {
  (void)comm;
  *is_settled = is_idle;
  return ATL_OK;
}

atl_status_t atl_comm_split_host(const atl_comm_t *comm, atl_comm_t **local) {
  return atl_comm_duplicate(comm, "host", local);
}

atl_status_t atl_comm_all_gather(const atl_comm_t *comm, const void *mine, size_t n_bytes, void *all) {
  (void)comm;
  memcpy(all, mine, n_bytes);
  return ATL_OK;
}

atl_status_t atl_comm_all_reduce(const atl_comm_t *comm, atl_reduction_t reduction, double *value) {
  (void)comm;
  (void)reduction;
  (void)value;
  return ATL_OK;
}

/* ---- local ---- */

_Noreturn void atl_comm_abort(const atl_comm_t *comm, int exit_code) {
  (void)comm;
  fflush(NULL);
  _Exit(exit_code);
}

void atl_comm_get_host_name(char name[ATL_HOST_NAME_BYTES]) {
  if (gethostname(name, ATL_HOST_NAME_BYTES - 1) != 0) snprintf(name, ATL_HOST_NAME_BYTES, "?");
  name[ATL_HOST_NAME_BYTES - 1] = '\0';
}

const char *atl_comm_library(void) { return "none"; }

bool atl_comm_has_mpi(void) { return false; }
