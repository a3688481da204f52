/* Feed: what the first stage puts into the ring, packet by packet: the text of prompts it has not seen (prefill, a few
 * rows at a time between the steps of running slots), the beginning of slots, and the next position of each running
 * slot.
 *
 * It keeps the table of prefixes: a prompt's text is prefilled once and its store kept until another prompt needs it.
 * Knows neither layers nor MPI; the stage asks it for the next packet.
 */
#ifndef ATL_WORKERS_FEED_H
#define ATL_WORKERS_FEED_H

#include "partition/hop.h"
#include "workers/layout.h"

typedef struct atl_feed atl_feed_t;

/* Borrows job and layout. Caller owns. */
atl_status_t atl_feed_new(const atl_job_t *job, const atl_layout_t *layout, atl_feed_t **feed);
void atl_feed_destroy(atl_feed_t **feed);

/* Work for one slot that was asked for. INPUT when the assignment does not fit the job. */
atl_status_t atl_feed_assign(atl_feed_t *feed, const atl_assignment_t *assignment);
/* The codes drawn for a slot: it is ready for its next position, or done. INPUT when the slot is not waiting for n. */
atl_status_t atl_feed_accept_codes(atl_feed_t *feed, int32_t slot, const int32_t *codes, int32_t n);
/* How many slots are free and not yet asked for; marks them as asked for. */
int32_t atl_feed_ask(atl_feed_t *feed);
/* Is there a packet to be made now? */
bool atl_feed_is_ready(const atl_feed_t *feed);
/* Fills header, rows and tokens[max_rows] of the next packet (feed is ready). */
void atl_feed_fill(atl_feed_t *feed, atl_packet_t *packet, int32_t *tokens);

#endif
