/* Comm's inside, for the modules of partition/ that move bytes themselves: mailbox, hop, clock and place. It is a small
 * transport with two implementations, of which a build has one: comm_mpi.c, and comm_serial.c for a process alone
 * (make MPI=0). Nobody else includes it.
 *
 * A message is started (atl_comm_start_send, atl_comm_start_recv) and tested (atl_comm_test) until it has ended.
 * Between one sender and one receiver, messages of one tag arrive in the order they were sent. Failures are COMM with
 * the transport's own words, the peer and the tag; the serial transport fails with MEMORY only. A message has at most
 * INT_MAX bytes.
 */
#ifndef ATL_PARTITION_COMM_PRIVATE_H
#define ATL_PARTITION_COMM_PRIVATE_H

#include "partition/comm.h"

#ifdef ATL_SERIAL

/* A receive that was started and not tested to its end; one that has ended is all zero. */
typedef struct atl_request {
  struct atl_request *next; /* posted after it on the same communicator */
  char *bytes;
  size_t capacity, n_bytes;
  int tag;
  bool is_active, is_posted; /* is_posted: nothing has arrived for it */
} atl_request_t;

typedef struct {
  int source, tag;
  size_t n_bytes;
  struct atl_parcel *parcel;
} atl_arrival_t;

struct atl_comm {
  int rank, size;
  char name[32];
  struct atl_queue *queue; /* what this process sends to itself */
};

#else

#include <mpi.h>

typedef MPI_Request atl_request_t;

/* A message that was found and is not yet fetched. */
typedef struct {
  int source, tag;
  size_t n_bytes;
  MPI_Message message;
} atl_arrival_t;

struct atl_comm {
  MPI_Comm comm;
  int rank, size;
  MPI_Request settling; /* atl_comm_settle's barrier, or MPI_REQUEST_NULL */
  char name[32];
};

#endif

/* ---- messages: local, never block but for atl_comm_wait ---- */

/* Makes *request one that has ended. */
void atl_request_init(atl_request_t *request);
bool atl_request_is_active(const atl_request_t *request);
/* bytes stay as they are until the request has ended. */
atl_status_t atl_comm_start_send(const atl_comm_t *comm, int to, int tag, const void *bytes, size_t n_bytes,
                                 atl_request_t *request);
/* A message of at most `capacity` bytes; the request does not move in memory until it has ended. */
atl_status_t atl_comm_start_recv(const atl_comm_t *comm, int from, int tag, void *bytes, size_t capacity,
                                 atl_request_t *request);
/* The next message of any sender and tag, when one is there: it is then this call's, and must be fetched. */
atl_status_t atl_comm_find_arrival(const atl_comm_t *comm, bool *is_there, atl_arrival_t *arrival);
/* arrival->n_bytes to bytes. */
atl_status_t atl_comm_start_fetch(const atl_comm_t *comm, atl_arrival_t *arrival, void *bytes, atl_request_t *request);
/* Has the request ended? Then *n_bytes (may be NULL) of a receive. Also gives the transport a chance to progress. */
atl_status_t atl_comm_test(const atl_comm_t *comm, atl_request_t *request, bool *is_done, size_t *n_bytes);
/* Indices of the n requests that have ended since they were last tested -> finished[0 .. n_finished). */
atl_status_t atl_comm_test_some(const atl_comm_t *comm, int n, atl_request_t *requests, int *finished, int *n_finished);
atl_status_t atl_comm_wait(const atl_comm_t *comm, atl_request_t *request);
/* Withdraws a receive, unless its message has arrived; the request has ended. */
void atl_comm_cancel(const atl_comm_t *comm, atl_request_t *request);

/* ---- collectives ---- */

/* The ranks of comm that run on this host. Collective over comm. Caller owns. */
atl_status_t atl_comm_split_host(const atl_comm_t *comm, atl_comm_t **local);
/* n_bytes of every rank -> all (size, n_bytes). Collective. */
atl_status_t atl_comm_all_gather(const atl_comm_t *comm, const void *mine, size_t n_bytes, void *all);
typedef enum { ATL_REDUCE_SUM, ATL_REDUCE_MIN, ATL_REDUCE_MAX } atl_reduction_t;
/* *value <- the reduction of every rank's. Collective. */
atl_status_t atl_comm_all_reduce(const atl_comm_t *comm, atl_reduction_t reduction, double *value);

/* ---- local ---- */

enum { ATL_HOST_NAME_BYTES = 256 };
void atl_comm_get_host_name(char name[ATL_HOST_NAME_BYTES]);
/* A launcher's variable as a number; -1 when it is not set. */
long atl_comm_launcher_number(const char *name);
/* How many tasks srun itself started with us; 1 under mpirun, whose daemons are the step's tasks. */
long atl_comm_count_srun_tasks(void);

#endif
