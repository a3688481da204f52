/* Traffic: the communicators of a run, one per class of messages, made together at start.
 *
 * The ring carries packets of activations (partition/hop). The others are mailboxes, each read by one party: `tokens`
 * (drawn codes, back to the first stage) and `control` (the coordinator's orders) by a rank's worker, `results` by the
 * coordinator. So a rank that carries every role needs no dispatcher, and nobody reads another's message.
 */
#ifndef ATL_PARTITION_TRAFFIC_H
#define ATL_PARTITION_TRAFFIC_H

#include "partition/mailbox.h"

typedef struct {
  atl_comm_t *world; /* borrowed */
  atl_comm_t *ring;
  atl_mailbox_t *tokens, *control, *results;
  atl_comm_t *comms[3]; /* under the mailboxes, same order */
} atl_traffic_t;

/* Collective over world, which it borrows. Caller clears, also after a failure. */
atl_status_t atl_traffic_init(atl_comm_t *world, atl_traffic_t *traffic);
/* Waits for this rank's own sends. Collective. */
void atl_traffic_clear(atl_traffic_t *traffic);

#endif
