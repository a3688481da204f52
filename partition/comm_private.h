/* Comm's inside, for the modules of partition/ that speak MPI themselves: mailbox, hop, clock, place. Nobody else
 * includes it.
 */
#ifndef ATL_PARTITION_COMM_PRIVATE_H
#define ATL_PARTITION_COMM_PRIVATE_H

#include <mpi.h>

#include "partition/comm.h"

struct atl_comm {
  MPI_Comm comm;
  int rank, size;
  MPI_Request settling; /* atl_comm_settle's barrier, or MPI_REQUEST_NULL */
  char name[32];
};

/* Records MPI's own words and ours; returns COMM. Use through ATL_MPI. */
atl_status_t atl_comm_fail(int error, const char *file, int line, const char *function, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ATL_MPI(MPI_Send(...), "sending %zu bytes to rank %d, tag %d", n, to, tag) */
#define ATL_MPI(call, ...)                                                                                             \
  do {                                                                                                                 \
    int atl_mpi_error = (call);                                                                                        \
    if (atl_mpi_error != MPI_SUCCESS) return atl_comm_fail(atl_mpi_error, __FILE__, __LINE__, __func__, __VA_ARGS__);  \
  } while (0)

#endif
