/* Peers: the ranks of a launch as rank 0 sees them: where each runs, and when it was last heard. Every message counts
 * as a sign of life; roles report about every second while the loop runs, however long one piece of work takes the
 * others. A rank that computes for long without looking at its messages is silent too, so silence alone only warns.
 *
 *     ATL_TRY(atl_peers_new(world, patience, &peers));          all ranks; what follows is rank 0's
 *     atl_peers_begin(peers, "load its part");                  from now on each rank is expected to say something
 *     atl_peers_hear(peers, message.source);
 *     ATL_TRY(atl_peers_check(peers, atl_mailbox_source(box)));                         between two pieces of work
 *     int rank = atl_peers_find_dead(peers);                    when asked to stop: has somebody died?
 */
#ifndef ATL_COORDINATOR_JOB_PEERS_H
#define ATL_COORDINATOR_JOB_PEERS_H

#include <stdbool.h>

#include "partition/comm.h"

typedef struct atl_peers atl_peers_t;

enum { ATL_PEER_BYTES = 400, ATL_PATIENCE_WARNING = 30 /* seconds of silence after which a rank is named */ };

/* patience: seconds of silence that end the job; 0: warnings only. Collective over world. MEMORY, COMM. Caller owns. */
atl_status_t atl_peers_new(const atl_comm_t *world, double patience, atl_peers_t **peers);
void atl_peers_destroy(atl_peers_t **peers);

/* A phase begins, in which every rank but rank 0 is expected to speak. `what` completes "rank 2 has not been heard from
 * for 30 s; it should ..."; borrowed. */
void atl_peers_begin(atl_peers_t *peers, const char *what);
/* This rank need not speak any more, or has no role: until the next phase its silence means nothing. */
void atl_peers_excuse(atl_peers_t *peers, int rank);
void atl_peers_hear(atl_peers_t *peers, int rank);
/* Warns about silent ranks, by name, at 30 s (half the patience, when that is less) and whenever the silence has
 * doubled; COMM when one has used up the patience. Time in which rank 0 itself did not come here does not count, nor for
 * the others the time in which the mailbox waits for the rest of a message of `source` (atl_mailbox_source; -1: it does
 * not). Cheap: looks once in a while. */
atl_status_t atl_peers_check(atl_peers_t *peers, int source);
/* A rank whose process is gone; only those on this host can be seen. -1: none. */
int atl_peers_find_dead(const atl_peers_t *peers);
/* The rank that has been silent longest of those that have been for `seconds`. -1: none. */
int atl_peers_find_silent(const atl_peers_t *peers, double seconds);
/* "rank 2 (process 123 on node5)" into text. Returns text. */
const char *atl_peers_describe(const atl_peers_t *peers, int rank, char text[ATL_PEER_BYTES]);

#endif
