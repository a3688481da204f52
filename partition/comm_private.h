/* Comm's internals, for the modules of partition/ that move bytes themselves: mailbox, hop, clock and place. It is a
 * small transport with two implementations: comm_mpi.c, or comm_serial.c for a single process (make MPI=0). No other
 * module includes this header.
 *
 * A message is started (atl_comm_start_send, atl_comm_start_recv) and tested (atl_comm_test) until it is complete.
 * Messages of one sender, receiver and tag arrive in the order they were sent. A message has at most INT_MAX bytes.
 * Failures are COMM, with MPI's message, the peer and the tag; the serial transport fails with MEMORY, with COMM when a
 * message is too long for its receive, or with INTERNAL when waiting would never end.
 */
#ifndef ATL_PARTITION_COMM_PRIVATE_H
#define ATL_PARTITION_COMM_PRIVATE_H

#include "partition/comm.h"

#ifdef ATL_SERIAL

/* A send or receive that has not yet been tested complete; all zero once it has. */
typedef struct atl_request {
  struct atl_request *next; /* the receive posted after this one on the same communicator */
  char *bytes;
  size_t capacity, n_bytes;
  int tag;
  bool is_active, is_posted; /* is_posted: a receive whose message has not arrived */
} atl_request_t;

typedef struct {
  int source, tag;
  size_t n_bytes;
  struct atl_parcel *parcel;
} atl_arrival_t;

struct atl_comm {
  int rank, size;
  char name[32];
  struct atl_queue *queue; /* messages this process sent to itself, and receives it posted */
};

#else

#include <mpi.h>

typedef MPI_Request atl_request_t;

/* A message that was found but not fetched yet. */
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

/* ---- messages: local; only atl_comm_wait and atl_comm_cancel may block ---- */

/* Makes *request an inactive one. */
void atl_request_init(atl_request_t *request);
bool atl_request_is_active(const atl_request_t *request);
/* Starts a send. Borrows bytes until the request is complete; do not change them before. */
atl_status_t atl_comm_start_send(const atl_comm_t *comm, int to, int tag, const void *bytes, size_t n_bytes,
                                 atl_request_t *request);
/* Posts a receive of at most `capacity` bytes. Borrows bytes, and the request itself must not move in memory, until it
 * is complete or cancelled. */
atl_status_t atl_comm_start_recv(const atl_comm_t *comm, int from, int tag, void *bytes, size_t capacity,
                                 atl_request_t *request);
/* Finds the next message of any sender and tag that no receive was posted for. *is_there: *arrival is one, matched to
 * this call alone, and must be fetched. */
atl_status_t atl_comm_find_arrival(const atl_comm_t *comm, bool *is_there, atl_arrival_t *arrival);
/* Starts receiving the arrival's n_bytes into bytes, borrowed until the request is complete. */
atl_status_t atl_comm_start_fetch(const atl_comm_t *comm, atl_arrival_t *arrival, void *bytes, atl_request_t *request);
/* *is_done: the request is complete; for a receive, *n_bytes (may be NULL) is its length. Also lets MPI make progress.
 */
atl_status_t atl_comm_test(const atl_comm_t *comm, atl_request_t *request, bool *is_done, size_t *n_bytes);
/* Writes the indices of those of the n requests that are newly complete to finished[0 .. *n_finished). */
atl_status_t atl_comm_test_some(const atl_comm_t *comm, int n, atl_request_t *requests, int *finished, int *n_finished);
/* Blocks until the request is complete. */
atl_status_t atl_comm_wait(const atl_comm_t *comm, atl_request_t *request);
/* Cancels a posted receive, unless its message has already arrived. The request is inactive afterwards. */
void atl_comm_cancel(const atl_comm_t *comm, atl_request_t *request);

/* ---- collectives ---- */

/* Splits off the ranks of comm that run on this host. Collective over comm. MEMORY, COMM. Caller owns. */
atl_status_t atl_comm_split_host(const atl_comm_t *comm, atl_comm_t **local);
/* Gathers n_bytes of every rank into all(size, n_bytes) on every rank. Collective. */
atl_status_t atl_comm_all_gather(const atl_comm_t *comm, const void *mine, size_t n_bytes, void *all);
typedef enum { ATL_REDUCE_SUM, ATL_REDUCE_MIN, ATL_REDUCE_MAX } atl_reduction_t;
/* *value <- sum, minimum or maximum of all ranks' *value. Collective. */
atl_status_t atl_comm_all_reduce(const atl_comm_t *comm, atl_reduction_t reduction, double *value);

/* ---- local ---- */

enum { ATL_HOST_NAME_BYTES = 256 };
void atl_comm_get_host_name(char name[ATL_HOST_NAME_BYTES]);
/* Value of a launcher's environment variable; -1 when it is unset or empty. */
long atl_comm_launcher_number(const char *name);
/* Number of tasks srun started in this step; 1 under mpirun (the step's tasks are its daemons) or without Slurm; -1
 * when Slurm does not say. */
long atl_comm_count_srun_tasks(void);

#endif
