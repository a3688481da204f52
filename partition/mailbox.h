/* Mailbox: nonblocking messages of any size between any two ranks, including to oneself. It carries the control, token
 * and result planes. Payloads are packed by proto/wire or are plain arrays; the tag says which (partition/tags.h).
 *
 *     ATL_TRY(atl_mailbox_send(box, to, ATL_TAG_GRIDS, bytes, n_bytes));     copies, returns at once
 *     ATL_TRY(atl_mailbox_poll(box, &message));                              message.bytes NULL: none has arrived
 *
 * Messages of one sender arrive in the order they were sent.
 */
#ifndef ATL_PARTITION_MAILBOX_H
#define ATL_PARTITION_MAILBOX_H

#include "partition/comm.h"

typedef struct atl_mailbox atl_mailbox_t;

typedef struct {
  int source, tag;
  const char *bytes; /* borrowed until the next poll; not NULL even for an empty message */
  size_t n_bytes;
} atl_message_t;

/* Borrows comm for its life; nothing else may use comm. Local. MEMORY. Caller owns. */
atl_status_t atl_mailbox_new(const atl_comm_t *comm, atl_mailbox_t **box);
/* Waits for its own sends, and a message being fetched, to complete, then frees. Local. */
void atl_mailbox_destroy(atl_mailbox_t **box);
/* Copies the bytes (at most INT_MAX) and starts a send. Buffers are reused, so the steady state allocates nothing.
 * Local, never blocks. INPUT when too long; MEMORY, COMM. */
atl_status_t atl_mailbox_send(atl_mailbox_t *box, int to, int tag, const void *bytes, size_t n_bytes);
/* *message <- the next message, if one has arrived; its bytes are NULL otherwise. Local, never blocks. MEMORY, COMM. */
atl_status_t atl_mailbox_poll(atl_mailbox_t *box, atl_message_t *message);
/* The rank whose message is being fetched, or -1. Until it is complete, messages of other ranks are not received.
 * Local.
 */
int atl_mailbox_source(const atl_mailbox_t *box);
/* Are all sends complete? Also lets MPI make progress. Local. */
bool atl_mailbox_is_idle(atl_mailbox_t *box);

#endif
