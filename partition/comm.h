/* Comm: starting and stopping MPI, communicators and collectives. The rest of the program sees MPI only as atl_comm_t.
 *
 *     atl_comm_t *world;
 *     ATL_TRY(atl_comm_start(&argc, &argv, &world));          collective over all ranks
 *     ATL_TRY(atl_comm_duplicate(world, "tokens", &tokens));  one communicator per traffic class
 *     atl_status_t status = load_my_part();
 *     ATL_TRY(atl_comm_agree(world, status));                 one rank's failed load fails all, with its message
 *     atl_comm_stop(&world);
 *
 * MPI errors are returned (all our communicators have MPI_ERRORS_RETURN) as COMM, with MPI's message, the peer and the
 * tag. A build without MPI (make MPI=0) has one rank, which sends to itself; everything said here holds for it too.
 * Functions are local unless marked collective.
 */
#ifndef ATL_PARTITION_COMM_H
#define ATL_PARTITION_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

typedef struct atl_comm atl_comm_t;

/* Calls MPI_Init_thread(FUNNELED), duplicates MPI_COMM_WORLD, and agrees with all ranks that each has come this far
 * (see atl_comm_fail_start). USAGE, with a hint, when srun started several tasks but MPI sees one rank in each (srun
 * without PMIx); a build without MPI fails with USAGE when a launcher started several processes. COMM, MEMORY, or
 * another rank's failure. Collective. Caller owns; end with atl_comm_stop. */
atl_status_t atl_comm_start(int *argc, char ***argv, atl_comm_t **world);
/* Frees the duplicate of MPI_COMM_WORLD and finalises MPI. Collective. */
void atl_comm_stop(atl_comm_t **world);
/* For a command that failed before atl_comm_start, perhaps on this rank alone (for example, only this host lacks a
 * file). Starts MPI, takes part in the agreement of the other ranks' atl_comm_start, so that they fail with this
 * message instead of waiting for ever, and finalises MPI. Returns the failure that all ranks agreed on, or `failure`
 * itself when MPI was already started, there is no launcher, or MPI sees one process. Collective with the others'
 * start. */
atl_status_t atl_comm_fail_start(atl_status_t failure);
/* Do a launcher's environment variables say that this process belongs to a launch? They may be wrong: a shell started
 * by srun passes them on to its single-process commands. May be called before start. */
bool atl_comm_is_launched(void);
/* This process's rank in MPI_COMM_WORLD, even after MPI was finalised; -1 when MPI was never started. */
int atl_comm_world_rank(void);

/* Duplicates comm; the name appears in messages and MPI tools. When one rank fails, all do. Collective. MEMORY, COMM.
 * Caller owns. */
atl_status_t atl_comm_duplicate(const atl_comm_t *comm, const char *name, atl_comm_t **copy);
/* Collective. */
void atl_comm_destroy(atl_comm_t **comm);

int atl_comm_rank(const atl_comm_t *comm);
int atl_comm_size(const atl_comm_t *comm);

/* Returns ATL_OK when every rank's status is ATL_OK. Otherwise every rank returns the status of the lowest failed rank,
 * with that rank's number and message and the count of other failed ranks. Collective. */
atl_status_t atl_comm_agree(const atl_comm_t *comm, atl_status_t status);
/* Sends root's *bytes (*n_bytes) to all ranks, in chunks of 64 MiB; other ranks allocate *bytes. When one rank has no
 * memory, all fail. Collective. MEMORY, COMM. Caller owns. */
atl_status_t atl_comm_broadcast(const atl_comm_t *comm, int root, char **bytes, size_t *n_bytes);
/* Gathers each rank's n_bytes at root, in rank order: rank r's are *all[offsets[r] .. offsets[r + 1]), and *offsets has
 * size + 1 entries. Elsewhere both are NULL. Collective. MEMORY, COMM. Caller owns *all and *offsets. */
atl_status_t atl_comm_gather(const atl_comm_t *comm, int root, const void *bytes, size_t n_bytes, char **all,
                             size_t **offsets);
/* Collective. */
atl_status_t atl_comm_barrier(const atl_comm_t *comm);
/* Ends a phase of uncounted messages (a nonblocking barrier). Each rank keeps receiving and calls this until
 * *is_settled, passing is_idle = true once its own sends are complete. *is_settled then means that every rank's sends
 * are complete, so no message is in transit. Collective. */
atl_status_t atl_comm_settle(atl_comm_t *comm, bool is_idle, bool *is_settled);
/* Ends the whole launch at once with exit_code; the caller has logged the error before. comm may be NULL: the world. */
_Noreturn void atl_comm_abort(const atl_comm_t *comm, int exit_code);

/* For run.json: "open mpi 4.1.4"; "none" in a build without MPI. */
const char *atl_comm_library(void);
bool atl_comm_has_mpi(void);

#endif
