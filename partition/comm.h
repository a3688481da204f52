/* Comm: communicators, collectives and the launch; the rest of the program sees MPI as atl_comm_t only.
 *
 *     atl_comm_t *world;
 *     ATL_TRY(atl_comm_start(&argc, &argv, &world));        collective over all ranks
 *     ATL_TRY(atl_comm_duplicate(world, "tokens", &tokens));  one communicator per traffic class
 *     atl_status_t status = load_my_part();
 *     ATL_TRY(atl_comm_agree(world, status));               one rank's failed load is one clear error on all
 *     atl_comm_stop(&world);
 *
 * Errors return (MPI_ERRORS_RETURN on every communicator of ours) as COMM with MPI's own words, peer and tag. A build
 * without MPI (make MPI=0) has one rank, which sends to itself; all that is said here holds for it, too.
 */
#ifndef ATL_PARTITION_COMM_H
#define ATL_PARTITION_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

typedef struct atl_comm atl_comm_t;

/* MPI_Init_thread(FUNNELED) and a duplicate of world, then an agreement that every rank has come so far (below). Fails
 * with a hint when the Slurm task count says that ranks are missing (silent singletons: srun without PMIx); a build without MPI fails with USAGE when a launcher started several
 * processes. Collective. */
atl_status_t atl_comm_start(int *argc, char ***argv, atl_comm_t **world);
/* Frees the world's duplicate and finalises MPI. Collective. */
void atl_comm_stop(atl_comm_t **world);
/* A launched command has failed before atl_comm_start, perhaps on this rank alone (a file that only this host lacks).
 * Starts MPI to take part in the agreement of the other ranks' start, so that they fail with this message and do not
 * wait for ever, and ends MPI. Returns the failure that all agreed on; `failure` itself when MPI was started before,
 * or when no launcher is there or MPI sees this process alone. Collective. */
atl_status_t atl_comm_fail_start(atl_status_t failure);
/* Do a launcher's variables say that this process is one of a launch? They may be wrong: a shell that srun started for
 * commands of one process hands them down. Local, also before start. */
bool atl_comm_is_launched(void);
/* This process's rank in MPI's world, also after MPI has ended; -1 when MPI was not started. Local. */
int atl_comm_world_rank(void);

/* Collective over comm; the name shows in tools and messages. Caller owns. */
atl_status_t atl_comm_duplicate(const atl_comm_t *comm, const char *name, atl_comm_t **copy);
void atl_comm_destroy(atl_comm_t **comm);

int atl_comm_rank(const atl_comm_t *comm);
int atl_comm_size(const atl_comm_t *comm);

/* Collective. ATL_OK when every rank's status is OK; otherwise on every rank the failure of the lowest failed rank, its
 * message and rank named, and the others' count. */
atl_status_t atl_comm_agree(const atl_comm_t *comm, atl_status_t status);
/* Collective. On `root` *bytes, *n_bytes are sent (64 MiB chunks); elsewhere *bytes is allocated. Caller owns. */
atl_status_t atl_comm_broadcast(const atl_comm_t *comm, int root, char **bytes, size_t *n_bytes);
/* Collective. Each rank's n_bytes are gathered in rank order at root into *all (n_all bytes, offsets[size+1]);
 * elsewhere *all is NULL. Caller owns *all and *offsets. */
atl_status_t atl_comm_gather(const atl_comm_t *comm, int root, const void *bytes, size_t n_bytes, char **all,
                             size_t **offsets);
atl_status_t atl_comm_barrier(const atl_comm_t *comm);
/* Ends a phase of messages that nobody counts: each rank keeps receiving and calls this until *is_settled, with is_idle
 * once its own sends are complete. Then every rank's are, and nothing is under way (a barrier that does not block). */
atl_status_t atl_comm_settle(atl_comm_t *comm, bool is_idle, bool *is_settled);
/* Ends the whole job at once, with the trace already logged. */
_Noreturn void atl_comm_abort(const atl_comm_t *comm, int exit_code);

/* "open mpi 4.1.4" for run.json; "none" in a build without MPI, which is for one process (make MPI=0). */
const char *atl_comm_library(void);
bool atl_comm_has_mpi(void);

#endif
