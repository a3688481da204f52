/* The transport over MPI; the only source file that calls MPI. Collectives are for setup and the end of a run; traffic
 * in between goes through mailbox and hop. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "partition/comm.h"
#include "partition/comm_private.h"

enum { CHUNK_BYTES = 64 << 20, GATHER_TAG = 1, MESSAGE_BYTES = 1024 };

/* Records our message and MPI's; returns COMM. Called through ATL_MPI. */
static atl_status_t fail(int error, const char *file, int line, const char *function, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static atl_status_t fail(int error, const char *file, int line, const char *function, const char *format, ...) {
  char doing[512], words[MPI_MAX_ERROR_STRING] = "";
  int n;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(doing, sizeof doing, format, arguments);
  va_end(arguments);
  MPI_Error_string(error, words, &n);
  return atl_status_fail(ATL_COMM, file, line, function, "%s: %s", doing, words);
}

/* ATL_MPI(MPI_Send(...), "sending %zu bytes to rank %d, tag %d", n, to, tag) */
#define ATL_MPI(call, ...)                                                                                             \
  do {                                                                                                                 \
    int atl_mpi_error = (call);                                                                                        \
    if (atl_mpi_error != MPI_SUCCESS) return fail(atl_mpi_error, __FILE__, __LINE__, __func__, __VA_ARGS__);           \
  } while (0)

static int world_rank = -1; /* kept here because MPI cannot be asked once it is finalised */

int atl_comm_world_rank(void) { return world_rank; }

static atl_status_t check_singletons(long n_tasks, int size) {
  ATL_CHECK(size > 1 || n_tasks <= 1, USAGE,
            "srun started %ld tasks, but MPI sees 1 rank in each: they would all do the same work. srun and MPI must "
            "both use "
            "PMIx; try srun --mpi=pmix (srun --mpi=list shows what this site has), or mpirun inside the job",
            n_tasks);
  return ATL_OK;
}

static void wrap(MPI_Comm handle, const char *name, atl_comm_t *made) {
  made->comm = handle;
  made->settling = MPI_REQUEST_NULL;
  snprintf(made->name, sizeof made->name, "%s", name);
  MPI_Comm_set_errhandler(handle, MPI_ERRORS_RETURN);
  MPI_Comm_set_name(handle, made->name);
  MPI_Comm_rank(handle, &made->rank);
  MPI_Comm_size(handle, &made->size);
}

/* Ranks first agree that all have memory: if one returned alone, the others would wait in MPI_Comm_dup for ever. */
static atl_status_t duplicate(MPI_Comm handle, const char *name, atl_comm_t **copy) {
  MPI_Comm made;
  atl_status_t status = ATL_NEW(1, copy);
  int mine = status != ATL_OK, n_failed = mine;
  int error = MPI_Allreduce(&mine, &n_failed, 1, MPI_INT, MPI_SUM, handle);
  if (error == MPI_SUCCESS && n_failed == 0) error = MPI_Comm_dup(handle, &made);
  if (error == MPI_SUCCESS && n_failed == 0) {
    wrap(made, name, *copy);
    return ATL_OK;
  }
  ATL_DESTROY(copy);
  ATL_TRY(status);
  ATL_MPI(error, "duplicating a communicator as '%s'", name);
  return ATL_FAIL(MEMORY, "%d rank%s had no memory for the communicator '%s'", n_failed, n_failed == 1 ? "" : "s",
                  name);
}

/* Starts MPI and duplicates its world. A failure is returned on the rank that has it, without agreement. */
static atl_status_t start(int *argc, char ***argv, atl_comm_t **world) {
  long n_tasks = atl_comm_count_srun_tasks(); /* before MPI_Init adds its own variables */
  /* Ranks may share cores: one that waits in a collective must yield to those that compute. */
  setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
  int provided, size;
  ATL_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided), "starting MPI");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
  atl_status_t status = check_singletons(n_tasks, size);
  if (status == ATL_OK && provided < MPI_THREAD_FUNNELED)
    status = ATL_FAIL(COMM, "MPI provides thread level %d; expected FUNNELED (%d); use an MPI built with threads",
                      provided, MPI_THREAD_FUNNELED);
  if (status == ATL_OK) status = duplicate(MPI_COMM_WORLD, "atelier", world);
  if (status != ATL_OK) MPI_Finalize();
  return status;
}

/* A rank that failed earlier takes part in this agreement through atl_comm_fail_start. */
atl_status_t atl_comm_start(int *argc, char ***argv, atl_comm_t **world) {
  *world = NULL;
  ATL_TRY(start(argc, argv, world));
  atl_status_t status = atl_comm_agree(*world, ATL_OK);
  if (status != ATL_OK) atl_comm_stop(world);
  return status;
}

atl_status_t atl_comm_fail_start(atl_status_t failure) {
  if (world_rank >= 0 || !atl_comm_is_launched()) return failure;
  char message[ATL_MESSAGE_BYTES];
  snprintf(message, sizeof message, "%s", atl_status_message());
  atl_comm_t *world;
  atl_status_t started = start(NULL, NULL, &world);
  if (started != ATL_OK || world->size == 1)
    failure = atl_status_fail(failure, __FILE__, __LINE__, __func__, "%s", message);
  else {
    atl_status_fail(failure, __FILE__, __LINE__, __func__, "%s", message);
    failure = atl_comm_agree(world, failure);
  }
  if (started == ATL_OK) atl_comm_stop(&world);
  return failure;
}

void atl_comm_stop(atl_comm_t **world) {
  if (world == NULL || *world == NULL) return;
  atl_comm_destroy(world);
  MPI_Finalize();
}

atl_status_t atl_comm_duplicate(const atl_comm_t *comm, const char *name, atl_comm_t **copy) {
  return duplicate(comm->comm, name, copy);
}

void atl_comm_destroy(atl_comm_t **comm) {
  if (comm == NULL || *comm == NULL) return;
  MPI_Comm_free(&(*comm)->comm);
  ATL_DESTROY(comm);
}

atl_status_t atl_comm_agree(const atl_comm_t *comm, atl_status_t status) {
  if (comm->size == 1) return status;
  int mine = status == ATL_OK ? comm->size : comm->rank, culprit, n_mine = status != ATL_OK, n_failed;
  ATL_MPI(MPI_Allreduce(&mine, &culprit, 1, MPI_INT, MPI_MIN, comm->comm), "agreeing on '%s'", comm->name);
  if (culprit == comm->size) return ATL_OK;
  ATL_MPI(MPI_Allreduce(&n_mine, &n_failed, 1, MPI_INT, MPI_SUM, comm->comm), "agreeing on '%s'", comm->name);
  struct {
    int status;
    char message[MESSAGE_BYTES];
  } verdict = {.status = (int)status};
  if (comm->rank == culprit) snprintf(verdict.message, sizeof verdict.message, "%s", atl_status_message());
  ATL_MPI(MPI_Bcast(&verdict, (int)sizeof verdict, MPI_BYTE, culprit, comm->comm), "agreeing on '%s'", comm->name);
  char others[48] = "";
  if (n_failed > 1)
    snprintf(others, sizeof others, " (%d more rank%s failed too)", n_failed - 1, n_failed > 2 ? "s" : "");
  return atl_status_fail((atl_status_t)verdict.status, __FILE__, __LINE__, __func__, "rank %d: %s%s", culprit,
                         verdict.message, others);
}

static int chunk_at(size_t offset, size_t n_bytes) {
  return (int)(n_bytes - offset < CHUNK_BYTES ? n_bytes - offset : CHUNK_BYTES);
}

static atl_status_t broadcast_chunks(const atl_comm_t *comm, int root, char *bytes, size_t n_bytes) {
  for (size_t i = 0; i < n_bytes; i += CHUNK_BYTES)
    ATL_MPI(MPI_Bcast(bytes + i, chunk_at(i, n_bytes), MPI_BYTE, root, comm->comm),
            "broadcasting %zu bytes from rank %d", n_bytes, root);
  return ATL_OK;
}

atl_status_t atl_comm_broadcast(const atl_comm_t *comm, int root, char **bytes, size_t *n_bytes) {
  uint64_t n = comm->rank == root ? *n_bytes : 0;
  bool is_root = comm->rank == root;
  if (!is_root) *bytes = NULL;
  ATL_MPI(MPI_Bcast(&n, 1, MPI_UINT64_T, root, comm->comm), "broadcasting a size from rank %d", root);
  ATL_TRY(atl_comm_agree(comm, is_root ? ATL_OK : ATL_NEW(n, bytes)));
  atl_status_t status = broadcast_chunks(comm, root, *bytes, (size_t)n);
  if (status != ATL_OK && !is_root) ATL_DESTROY(bytes);
  *n_bytes = (size_t)n;
  return status;
}

static atl_status_t gather_sizes(const atl_comm_t *comm, int root, size_t n_bytes, size_t *offsets) {
  uint64_t mine = n_bytes, total = 0;
  uint64_t *sizes = NULL;
  if (comm->rank == root) ATL_TRY(ATL_NEW(comm->size, &sizes));
  int error = MPI_Gather(&mine, 1, MPI_UINT64_T, sizes, 1, MPI_UINT64_T, root, comm->comm);
  for (int i = 0; sizes != NULL && i < comm->size; i++) {
    offsets[i] = (size_t)total;
    total += sizes[i];
  }
  if (offsets != NULL) offsets[comm->size] = (size_t)total;
  ATL_DESTROY(&sizes);
  ATL_MPI(error, "gathering sizes at rank %d", root);
  return ATL_OK;
}

static atl_status_t receive_all(const atl_comm_t *comm, const void *own, char *all, const size_t *offsets) {
  for (int from = 0; from < comm->size; from++) {
    size_t n = offsets[from + 1] - offsets[from];
    if (from == comm->rank && n > 0) memcpy(all + offsets[from], own, n);
    for (size_t i = 0; from != comm->rank && i < n; i += CHUNK_BYTES)
      ATL_MPI(
          MPI_Recv(all + offsets[from] + i, chunk_at(i, n), MPI_BYTE, from, GATHER_TAG, comm->comm, MPI_STATUS_IGNORE),
          "gathering %zu bytes from rank %d", n, from);
  }
  return ATL_OK;
}

static atl_status_t gather_bytes(const atl_comm_t *comm, int root, const char *bytes, size_t n_bytes, char *all,
                                 const size_t *offsets) {
  if (comm->rank == root) return receive_all(comm, bytes, all, offsets);
  for (size_t i = 0; i < n_bytes; i += CHUNK_BYTES)
    ATL_MPI(MPI_Send(bytes + i, chunk_at(i, n_bytes), MPI_BYTE, root, GATHER_TAG, comm->comm),
            "gathering %zu bytes at rank %d", n_bytes, root);
  return ATL_OK;
}

atl_status_t atl_comm_gather(const atl_comm_t *comm, int root, const void *bytes, size_t n_bytes, char **all,
                             size_t **offsets) {
  bool is_root = comm->rank == root;
  *all = NULL;
  *offsets = NULL;
  atl_status_t status = is_root ? ATL_NEW(comm->size + 1, offsets) : ATL_OK;
  status = atl_comm_agree(comm, status);
  if (status == ATL_OK) {
    status = gather_sizes(comm, root, n_bytes, *offsets);
    if (status == ATL_OK && is_root) status = ATL_NEW((*offsets)[comm->size], all);
    status = atl_comm_agree(comm, status);
  }
  if (status == ATL_OK) status = gather_bytes(comm, root, bytes, n_bytes, *all, *offsets);
  if (status != ATL_OK) {
    ATL_DESTROY(all);
    ATL_DESTROY(offsets);
  }
  return status;
}

atl_status_t atl_comm_barrier(const atl_comm_t *comm) {
  ATL_MPI(MPI_Barrier(comm->comm), "waiting for all ranks of '%s'", comm->name);
  return ATL_OK;
}

atl_status_t atl_comm_settle(atl_comm_t *comm, bool is_idle, bool *is_settled) {
  *is_settled = false;
  if (comm->settling == MPI_REQUEST_NULL) {
    if (!is_idle) return ATL_OK;
    ATL_MPI(MPI_Ibarrier(comm->comm, &comm->settling), "beginning to settle");
  }
  int is_done;
  ATL_MPI(MPI_Test(&comm->settling, &is_done, MPI_STATUS_IGNORE), "settling");
  *is_settled = is_done;
  return ATL_OK;
}

_Noreturn void atl_comm_abort(const atl_comm_t *comm, int exit_code) {
  fflush(NULL);
  MPI_Abort(comm == NULL ? MPI_COMM_WORLD : comm->comm, exit_code);
  _Exit(exit_code);
}

/* ---- messages ---- */

void atl_request_init(atl_request_t *request) { *request = MPI_REQUEST_NULL; }

bool atl_request_is_active(const atl_request_t *request) { return *request != MPI_REQUEST_NULL; }

atl_status_t atl_comm_start_send(const atl_comm_t *comm, int to, int tag, const void *bytes, size_t n_bytes,
                                 atl_request_t *request) {
  ATL_ASSERT(n_bytes <= INT_MAX);
  ATL_MPI(MPI_Isend(bytes, (int)n_bytes, MPI_BYTE, to, tag, comm->comm, request),
          "sending %zu bytes to rank %d, tag %d, on '%s'", n_bytes, to, tag, comm->name);
  return ATL_OK;
}

atl_status_t atl_comm_start_recv(const atl_comm_t *comm, int from, int tag, void *bytes, size_t capacity,
                                 atl_request_t *request) {
  ATL_ASSERT(capacity <= INT_MAX);
  ATL_MPI(MPI_Irecv(bytes, (int)capacity, MPI_BYTE, from, tag, comm->comm, request),
          "posting a receive from rank %d, tag %d, on '%s'", from, tag, comm->name);
  return ATL_OK;
}

atl_status_t atl_comm_find_arrival(const atl_comm_t *comm, bool *is_there, atl_arrival_t *arrival) {
  int is_found, n_bytes;
  MPI_Status status;
  *is_there = false;
  ATL_MPI(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm->comm, &is_found, &arrival->message, &status),
          "looking for messages on '%s'", comm->name);
  if (!is_found) return ATL_OK;
  MPI_Get_count(&status, MPI_BYTE, &n_bytes);
  *is_there = true;
  arrival->source = status.MPI_SOURCE;
  arrival->tag = status.MPI_TAG;
  arrival->n_bytes = (size_t)n_bytes;
  return ATL_OK;
}

atl_status_t atl_comm_start_fetch(const atl_comm_t *comm, atl_arrival_t *arrival, void *bytes, atl_request_t *request) {
  ATL_MPI(MPI_Imrecv(bytes, (int)arrival->n_bytes, MPI_BYTE, &arrival->message, request),
          "receiving %zu bytes from rank %d, tag %d, on '%s'", arrival->n_bytes, arrival->source, arrival->tag,
          comm->name);
  return ATL_OK;
}

atl_status_t atl_comm_test(const atl_comm_t *comm, atl_request_t *request, bool *is_done, size_t *n_bytes) {
  int is_finished, n;
  MPI_Status status;
  *is_done = false;
  ATL_MPI(MPI_Test(request, &is_finished, &status), "completing a message on '%s'", comm->name);
  *is_done = is_finished;
  if (!is_finished || n_bytes == NULL) return ATL_OK;
  MPI_Get_count(&status, MPI_BYTE, &n);
  *n_bytes = (size_t)n;
  return ATL_OK;
}

atl_status_t atl_comm_test_some(const atl_comm_t *comm, int n, atl_request_t *requests, int *finished,
                                int *n_finished) {
  *n_finished = 0;
  ATL_MPI(MPI_Testsome(n, requests, n_finished, finished, MPI_STATUSES_IGNORE), "completing messages on '%s'",
          comm->name);
  if (*n_finished == MPI_UNDEFINED) *n_finished = 0;
  return ATL_OK;
}

atl_status_t atl_comm_wait(const atl_comm_t *comm, atl_request_t *request) {
  ATL_MPI(MPI_Wait(request, MPI_STATUS_IGNORE), "waiting for a message on '%s'", comm->name);
  return ATL_OK;
}

void atl_comm_cancel(const atl_comm_t *comm, atl_request_t *request) {
  (void)comm;
  if (*request != MPI_REQUEST_NULL) MPI_Cancel(request);
  MPI_Wait(request, MPI_STATUS_IGNORE);
}

/* ---- hosts ---- */

atl_status_t atl_comm_split_host(const atl_comm_t *comm, atl_comm_t **local) {
  MPI_Comm made;
  atl_status_t status = atl_comm_agree(comm, ATL_NEW(1, local));
  if (status == ATL_OK) {
    int error = MPI_Comm_split_type(comm->comm, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &made);
    if (error == MPI_SUCCESS) {
      wrap(made, "host", *local);
      return ATL_OK;
    }
    status = fail(error, __FILE__, __LINE__, __func__, "finding the ranks of this host");
  }
  ATL_DESTROY(local);
  return status;
}

atl_status_t atl_comm_all_gather(const atl_comm_t *comm, const void *mine, size_t n_bytes, void *all) {
  ATL_ASSERT(n_bytes <= INT_MAX);
  ATL_MPI(MPI_Allgather(mine, (int)n_bytes, MPI_BYTE, all, (int)n_bytes, MPI_BYTE, comm->comm),
          "gathering %zu bytes from every rank of '%s'", n_bytes, comm->name);
  return ATL_OK;
}

atl_status_t atl_comm_all_reduce(const atl_comm_t *comm, atl_reduction_t reduction, double *value) {
  MPI_Op op = reduction == ATL_REDUCE_SUM ? MPI_SUM : reduction == ATL_REDUCE_MIN ? MPI_MIN : MPI_MAX;
  double mine = *value;
  ATL_MPI(MPI_Allreduce(&mine, value, 1, MPI_DOUBLE, op, comm->comm), "reducing a number over '%s'", comm->name);
  return ATL_OK;
}

void atl_comm_get_host_name(char name[ATL_HOST_NAME_BYTES]) {
  char mpi_name[MPI_MAX_PROCESSOR_NAME] = "?";
  int n;
  MPI_Get_processor_name(mpi_name, &n);
  snprintf(name, ATL_HOST_NAME_BYTES, "%.*s", ATL_HOST_NAME_BYTES - 1, mpi_name);
}

#define QUOTE(x) #x
#define TEXT(x) QUOTE(x)

const char *atl_comm_library(void) {
#ifdef OPEN_MPI
  return "open mpi " TEXT(OMPI_MAJOR_VERSION) "." TEXT(OMPI_MINOR_VERSION) "." TEXT(OMPI_RELEASE_VERSION);
#else
  return "mpi " TEXT(MPI_VERSION) "." TEXT(MPI_SUBVERSION);
#endif
}

bool atl_comm_has_mpi(void) { return true; }
