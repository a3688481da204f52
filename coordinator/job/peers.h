/* Peers: the ranks of a launch as rank 0 sees them: where each runs, and when it was last heard from. Any message is a
 * sign of life; in the loop every rank with a role reports about once a second. A rank that computes for long without
 * polling its messages is silent too, so silence by itself only causes warnings.
 *
 *     ATL_TRY(atl_peers_new(world, patience, &peers));          on all ranks; the calls below are rank 0's
 *     atl_peers_begin(peers, "load its part");                  from now on each rank is expected to speak
 *     atl_peers_hear(peers, message.source);
 *     ATL_TRY(atl_peers_check(peers, atl_mailbox_source(box)));                         between two pieces of work
 *     int rank = atl_peers_find_dead(peers);                    when asked to stop: has a rank died?
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

/* Begins a phase in which every rank but rank 0 is expected to speak. `what` completes "rank 2 has not been heard from
 * for 30 s; it should ..."; borrowed until the next phase. Local, as are all functions below. */
void atl_peers_begin(atl_peers_t *peers, const char *what);
/* Ignores this rank's silence until the next phase: it has finished this one, or has no role. */
void atl_peers_excuse(atl_peers_t *peers, int rank);
/* Notes a sign of life. */
void atl_peers_hear(atl_peers_t *peers, int rank);
/* Warns about ranks that have been silent for 30 s, or half the patience if that is less, and again whenever the
 * silence has doubled. COMM: one has been silent for the whole patience. Silence does not count while rank 0 does not
 * call this, nor, except for `source`, while the mailbox is receiving a long message from `source` (atl_mailbox_source;
 * -1: from none). Cheap: it looks four times a second at most. */
atl_status_t atl_peers_check(atl_peers_t *peers, int source);
/* A rank whose process has died, -1: none. Sees only processes on this host. */
int atl_peers_find_dead(const atl_peers_t *peers);
/* The rank that has been silent longest, of those silent for at least `seconds`; -1: none. */
int atl_peers_find_silent(const atl_peers_t *peers, double seconds);
/* Writes "rank 2 (process 123 on node5)" into text and returns it. */
const char *atl_peers_describe(const atl_peers_t *peers, int rank, char text[ATL_PEER_BYTES]);

#endif
