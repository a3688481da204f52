/* Traffic: the communicators of a run, one per class of messages, created together at start.
 *
 * `ring` carries packets of activations (partition/hop). The others are mailboxes, each with one reader per rank: the
 * worker reads `tokens` (drawn tokens, from the last stage back to the first) and `control` (messages of the
 * coordinator); the coordinator reads `results`. So a rank with all roles needs no dispatcher between them, and no role
 * receives another's message.
 *
 *     atl_traffic_t traffic;
 *     atl_status_t status = atl_traffic_init(world, &traffic);
 *     atl_traffic_clear(&traffic);                                 also after a failure
 */
#ifndef ATL_PARTITION_TRAFFIC_H
#define ATL_PARTITION_TRAFFIC_H

#include "partition/mailbox.h"

typedef struct {
  atl_comm_t *world; /* borrowed */
  atl_comm_t *ring;
  atl_mailbox_t *tokens, *control, *results;
  atl_comm_t *comms[3]; /* of the mailboxes, in the same order */
} atl_traffic_t;

/* Duplicates world four times and opens the mailboxes. Borrows world. Collective. MEMORY, COMM. Caller clears, also
 * after a failure. */
atl_status_t atl_traffic_init(atl_comm_t *world, atl_traffic_t *traffic);
/* Waits for this rank's sends to complete, then frees. Collective. */
void atl_traffic_clear(atl_traffic_t *traffic);

#endif
