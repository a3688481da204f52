/* At most one nonblocking receive is in progress: a poll finds a message, grows the buffer and starts the receive;
 * later polls test it, so a sender that is busy computing never blocks the poller. Sends are copied into pooled
 * buffers; the pool grows to the largest number of sends ever in progress at once. */
#include "partition/mailbox.h"

#include <limits.h>
#include <string.h>

#include "common/memory.h"
#include "partition/comm_private.h"

enum { MIN_BYTES = 512, MIN_SENDS = 8 };

typedef struct {
  char *bytes;
  size_t capacity;
} slab_t;

struct atl_mailbox {
  const atl_comm_t *comm;
  slab_t in;
  atl_request_t receiving; /* active while a message is being fetched */
  atl_arrival_t arrival;   /* that message */
  int n_sends;             /* length of slabs, requests, idle and finished; a send uses one index */
  int n_idle;
  slab_t *slabs;
  atl_request_t *requests;
  int *idle;     /* stack of indices without a send in progress */
  int *finished; /* output of atl_comm_test_some */
};

static atl_status_t slab_reserve(slab_t *slab, size_t n_bytes) {
  if (n_bytes <= slab->capacity && slab->bytes != NULL) return ATL_OK;
  size_t capacity = MIN_BYTES;
  while (capacity < n_bytes) capacity *= 2;
  ATL_DESTROY(&slab->bytes);
  slab->capacity = 0;
  ATL_TRY(ATL_NEW(capacity, &slab->bytes));
  slab->capacity = capacity;
  return ATL_OK;
}

static atl_status_t grow_sends(atl_mailbox_t *box) {
  int n = box->n_sends == 0 ? MIN_SENDS : 2 * box->n_sends;
  ATL_TRY(ATL_RESIZE(n, &box->slabs));
  ATL_TRY(ATL_RESIZE(n, &box->requests));
  ATL_TRY(ATL_RESIZE(n, &box->idle));
  ATL_TRY(ATL_RESIZE(n, &box->finished));
  for (; box->n_sends < n; box->n_sends++) {
    atl_request_init(&box->requests[box->n_sends]);
    box->idle[box->n_idle++] = box->n_sends;
  }
  return ATL_OK;
}

atl_status_t atl_mailbox_new(const atl_comm_t *comm, atl_mailbox_t **box) {
  atl_mailbox_t *made;
  *box = NULL;
  ATL_TRY(ATL_NEW(1, &made));
  made->comm = comm;
  atl_request_init(&made->receiving);
  atl_status_t status = slab_reserve(&made->in, MIN_BYTES);
  if (status == ATL_OK) status = grow_sends(made);
  if (status != ATL_OK) atl_mailbox_destroy(&made);
  *box = made;
  return status;
}

void atl_mailbox_destroy(atl_mailbox_t **box) {
  if (box == NULL || *box == NULL) return;
  atl_mailbox_t *b = *box;
  /* Complete a receive in progress: its sender waits for it. */
  (void)atl_comm_wait(b->comm, &b->receiving);
  for (int i = 0; i < b->n_sends; i++) (void)atl_comm_wait(b->comm, &b->requests[i]);
  for (int i = 0; i < b->n_sends; i++) ATL_DESTROY(&b->slabs[i].bytes);
  ATL_DESTROY(&b->slabs);
  ATL_DESTROY(&b->requests);
  ATL_DESTROY(&b->idle);
  ATL_DESTROY(&b->finished);
  ATL_DESTROY(&b->in.bytes);
  ATL_DESTROY(box);
}

static atl_status_t collect_sends(atl_mailbox_t *box) {
  int n_finished;
  if (box->n_idle == box->n_sends) return ATL_OK;
  ATL_TRY(atl_comm_test_some(box->comm, box->n_sends, box->requests, box->finished, &n_finished));
  for (int i = 0; i < n_finished; i++) box->idle[box->n_idle++] = box->finished[i];
  return ATL_OK;
}

atl_status_t atl_mailbox_send(atl_mailbox_t *box, int to, int tag, const void *bytes, size_t n_bytes) {
  ATL_CHECK(n_bytes <= INT_MAX, INPUT, "message of %zu bytes (tag %d) is too long; expected at most %d", n_bytes, tag,
            INT_MAX);
  ATL_TRY(collect_sends(box));
  if (box->n_idle == 0) ATL_TRY(grow_sends(box));
  int i = box->idle[box->n_idle - 1];
  ATL_TRY(slab_reserve(&box->slabs[i], n_bytes));
  if (n_bytes > 0) memcpy(box->slabs[i].bytes, bytes, n_bytes);
  ATL_TRY(atl_comm_start_send(box->comm, to, tag, box->slabs[i].bytes, n_bytes, &box->requests[i]));
  box->n_idle--;
  return ATL_OK;
}

/* Starts to fetch the next message, if there is one. */
static atl_status_t match(atl_mailbox_t *box) {
  bool is_there;
  ATL_TRY(atl_comm_find_arrival(box->comm, &is_there, &box->arrival));
  if (!is_there) return ATL_OK;
  ATL_TRY(slab_reserve(&box->in, box->arrival.n_bytes));
  return atl_comm_start_fetch(box->comm, &box->arrival, box->in.bytes, &box->receiving);
}

atl_status_t atl_mailbox_poll(atl_mailbox_t *box, atl_message_t *message) {
  *message = (atl_message_t){.source = -1, .tag = -1};
  if (!atl_request_is_active(&box->receiving)) ATL_TRY(match(box));
  if (!atl_request_is_active(&box->receiving)) return ATL_OK;
  bool is_here;
  const atl_arrival_t *arrival = &box->arrival;
  ATL_TRY(atl_comm_test(box->comm, &box->receiving, &is_here, NULL));
  if (is_here) *message = (atl_message_t){arrival->source, arrival->tag, box->in.bytes, arrival->n_bytes};
  return ATL_OK;
}

int atl_mailbox_source(const atl_mailbox_t *box) {
  return atl_request_is_active(&box->receiving) ? box->arrival.source : -1;
}

bool atl_mailbox_is_idle(atl_mailbox_t *box) { return collect_sends(box) == ATL_OK && box->n_idle == box->n_sends; }
