/* Injector: the first stage's source of packets. It makes prefill packets (text rows of new prompts, up to max_rows at
 * a time, alternating with the steps of running slots), BEGIN packets of slots, and the next position of each running
 * slot.
 *
 * It owns the table of prefixes: a prompt's text is prefilled once and stays in its store until another prompt needs
 * the store. It knows neither layers nor MPI. All functions are local.
 *
 *     atl_injector_t *injector;
 *     ATL_TRY(atl_injector_new(job, &layout, &injector));
 *     ATL_TRY(atl_injector_assign(injector, &assignment));
 *     if (atl_injector_is_ready(injector)) atl_injector_fill(injector, packet, tokens);
 */
#ifndef ATL_WORKERS_INJECTOR_H
#define ATL_WORKERS_INJECTOR_H

#include "partition/hop.h"
#include "workers/layout.h"

typedef struct atl_injector atl_injector_t;

/* Borrows job and layout for its life. MEMORY. Caller owns. */
atl_status_t atl_injector_new(const atl_job_t *job, const atl_layout_t *layout, atl_injector_t **injector);
void atl_injector_destroy(atl_injector_t **injector);

/* Gives an assignment to a slot that asked for work. INPUT when no slot did, or the assignment does not fit the job. */
atl_status_t atl_injector_assign(atl_injector_t *injector, const atl_assignment_t *assignment);
/* Takes the n tokens just drawn for a slot, which is then ready for its next position, or free. INPUT when the slot
 * does not wait for n tokens. Borrows. */
atl_status_t atl_injector_accept_codes(atl_injector_t *injector, int32_t slot, const int32_t *codes, int32_t n);
/* Returns how many free slots have not asked for work yet, and marks them as asking. */
int32_t atl_injector_ask(atl_injector_t *injector);
/* Can a packet be made now? */
bool atl_injector_is_ready(const atl_injector_t *injector);
/* Makes the next packet: its header, its rows (or stores and candidates) and tokens(max_rows). The injector must be
 * ready. */
void atl_injector_fill(atl_injector_t *injector, atl_packet_t *packet, int32_t *tokens);

#endif
