/* Mailbox: messages of any size between any two ranks, also to oneself, without ever blocking: the control, token
 * and result planes. Payloads are packed by proto/wire or are plain numbers; the tag says which (partition/tags.h).
 *
 *     ATL_TRY(atl_mailbox_send(box, to, ATL_TAG_GRIDS, bytes, n_bytes));    copies, returns at once
 *     ATL_TRY(atl_mailbox_poll(box, &message));                              message.bytes NULL: nothing came
 *
 * Messages of one sender arrive in the order they were sent.
 */
#ifndef ATL_PARTITION_MAILBOX_H
#define ATL_PARTITION_MAILBOX_H

#include "partition/comm.h"

typedef struct atl_mailbox atl_mailbox_t;

typedef struct {
  int source, tag;
  const char *bytes; /* borrowed until the next poll; never NULL for a message, also an empty one */
  size_t n_bytes;
} atl_message_t;

/* Collective over comm, which it borrows and must be used by nothing else. Caller owns. */
atl_status_t atl_mailbox_new(const atl_comm_t *comm, atl_mailbox_t **box);
/* Waits for its own sends to complete, then frees. Local. */
void atl_mailbox_destroy(atl_mailbox_t **box);
/* Copies the bytes (at most INT_MAX) and starts a send. Buffers are reused: no allocation in the steady state. */
atl_status_t atl_mailbox_send(atl_mailbox_t *box, int to, int tag, const void *bytes, size_t n_bytes);
/* The next message, if one is there. Local, never blocks. */
atl_status_t atl_mailbox_poll(atl_mailbox_t *box, atl_message_t *message);
/* The rank whose bytes are being fetched, -1 when none are: until they are here, nothing of another rank is. Local. */
int atl_mailbox_source(const atl_mailbox_t *box);
/* Are all sends complete? Also moves them on. */
bool atl_mailbox_is_idle(atl_mailbox_t *box);

#endif
