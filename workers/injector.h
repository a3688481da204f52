/* Injector: makes the packets that the first stage puts into the ring: the text of prompts it has not seen (prefill, a
 * few rows at a time between the steps of running slots), the beginning of slots, and the next position of each running
 * slot.
 *
 * It keeps the table of prefixes: a prompt's text is prefilled once and its store kept until another prompt needs it.
 * Knows neither layers nor MPI; the stage asks it for the next packet.
 */
#ifndef ATL_WORKERS_INJECTOR_H
#define ATL_WORKERS_INJECTOR_H

#include "partition/hop.h"
#include "workers/layout.h"

typedef struct atl_injector atl_injector_t;

/* Borrows job and layout. Caller owns. */
atl_status_t atl_injector_new(const atl_job_t *job, const atl_layout_t *layout, atl_injector_t **injector);
void atl_injector_destroy(atl_injector_t **injector);

/* Work for one slot that was asked for. INPUT when the assignment does not fit the job. */
atl_status_t atl_injector_assign(atl_injector_t *injector, const atl_assignment_t *assignment);
/* The codes drawn for a slot: it is ready for its next position, or done. INPUT when the slot is not waiting for n. */
atl_status_t atl_injector_accept_codes(atl_injector_t *injector, int32_t slot, const int32_t *codes, int32_t n);
/* How many slots are free and not yet asked for; marks them as asked for. */
int32_t atl_injector_ask(atl_injector_t *injector);
/* Is there a packet to be made now? */
bool atl_injector_is_ready(const atl_injector_t *injector);
/* Fills header, rows and tokens[max_rows] of the next packet (injector is ready). */
void atl_injector_fill(atl_injector_t *injector, atl_packet_t *packet, int32_t *tokens);

#endif
