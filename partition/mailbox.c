/* One nonblocking receive at most is under way: a letter is matched (Improbe), its buffer grown, its bytes fetched
 * (Imrecv) and tested for on later polls, so that a sender busy computing never holds up whoever polls. Sends are
 * copied into pooled buffers; the pool grows to the largest number of letters that were ever under way at once. */
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
  MPI_Request receiving; /* MPI_REQUEST_NULL: nothing is being fetched */
  MPI_Status matched;    /* of the letter being fetched */
  size_t n_matched;      /* its bytes */
  int n_sends;           /* slabs, requests, idle have this many; a send lives in one index */
  int n_idle;
  slab_t *slabs;
  MPI_Request *requests;
  int *idle;     /* stack of indices without a send under way */
  int *finished; /* scratch of Testsome */
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
    box->requests[box->n_sends] = MPI_REQUEST_NULL;
    box->idle[box->n_idle++] = box->n_sends;
  }
  return ATL_OK;
}

atl_status_t atl_mailbox_new(const atl_comm_t *comm, atl_mailbox_t **box) {
  atl_mailbox_t *made;
  *box = NULL;
  ATL_TRY(ATL_NEW(1, &made));
  made->comm = comm;
  made->receiving = MPI_REQUEST_NULL;
  atl_status_t status = slab_reserve(&made->in, MIN_BYTES);
  if (status == ATL_OK) status = grow_sends(made);
  if (status != ATL_OK) atl_mailbox_destroy(&made);
  *box = made;
  return status;
}

void atl_mailbox_destroy(atl_mailbox_t **box) {
  if (box == NULL || *box == NULL) return;
  atl_mailbox_t *b = *box;
  /* A matched letter's sender waits for it to be fetched. */
  MPI_Wait(&b->receiving, MPI_STATUS_IGNORE);
  if (b->n_sends > 0) MPI_Waitall(b->n_sends, b->requests, MPI_STATUSES_IGNORE);
  for (int i = 0; i < b->n_sends; i++) ATL_DESTROY(&b->slabs[i].bytes);
  ATL_DESTROY(&b->slabs);
  ATL_DESTROY(&b->requests);
  ATL_DESTROY(&b->idle);
  ATL_DESTROY(&b->finished);
  ATL_DESTROY(&b->in.bytes);
  ATL_DESTROY(box);
}

static atl_status_t collect_sends(atl_mailbox_t *box) {
  int n_finished = 0;
  if (box->n_idle == box->n_sends) return ATL_OK;
  ATL_MPI(MPI_Testsome(box->n_sends, box->requests, &n_finished, box->finished, MPI_STATUSES_IGNORE),
          "completing sends of '%s'", box->comm->name);
  for (int i = 0; n_finished != MPI_UNDEFINED && i < n_finished; i++) box->idle[box->n_idle++] = box->finished[i];
  return ATL_OK;
}

atl_status_t atl_mailbox_send(atl_mailbox_t *box, int to, int tag, const void *bytes, size_t n_bytes) {
  ATL_CHECK(n_bytes <= INT_MAX, INPUT, "a letter of %zu bytes (tag %d) is too long, at most %d", n_bytes, tag, INT_MAX);
  ATL_TRY(collect_sends(box));
  if (box->n_idle == 0) ATL_TRY(grow_sends(box));
  int i = box->idle[box->n_idle - 1];
  ATL_TRY(slab_reserve(&box->slabs[i], n_bytes));
  if (n_bytes > 0) memcpy(box->slabs[i].bytes, bytes, n_bytes);
  ATL_MPI(MPI_Isend(box->slabs[i].bytes, (int)n_bytes, MPI_BYTE, to, tag, box->comm->comm, &box->requests[i]),
          "sending %zu bytes to rank %d, tag %d, on '%s'", n_bytes, to, tag, box->comm->name);
  box->n_idle--;
  return ATL_OK;
}

/* Starts to fetch the next letter if there is one. */
static atl_status_t match(atl_mailbox_t *box) {
  int is_there, n_bytes;
  MPI_Message message;
  ATL_MPI(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, box->comm->comm, &is_there, &message, &box->matched),
          "looking for letters on '%s'", box->comm->name);
  if (!is_there) return ATL_OK;
  MPI_Get_count(&box->matched, MPI_BYTE, &n_bytes);
  box->n_matched = (size_t)n_bytes;
  ATL_TRY(slab_reserve(&box->in, box->n_matched));
  ATL_MPI(MPI_Imrecv(box->in.bytes, n_bytes, MPI_BYTE, &message, &box->receiving),
          "receiving %d bytes from rank %d, tag %d, on '%s'", n_bytes, box->matched.MPI_SOURCE, box->matched.MPI_TAG,
          box->comm->name);
  return ATL_OK;
}

atl_status_t atl_mailbox_poll(atl_mailbox_t *box, atl_letter_t *letter) {
  *letter = (atl_letter_t){.source = -1, .tag = -1};
  if (box->receiving == MPI_REQUEST_NULL) ATL_TRY(match(box));
  if (box->receiving == MPI_REQUEST_NULL) return ATL_OK;
  int is_here;
  ATL_MPI(MPI_Test(&box->receiving, &is_here, MPI_STATUS_IGNORE), "receiving %zu bytes from rank %d, tag %d, on '%s'",
          box->n_matched, box->matched.MPI_SOURCE, box->matched.MPI_TAG, box->comm->name);
  if (is_here) *letter = (atl_letter_t){box->matched.MPI_SOURCE, box->matched.MPI_TAG, box->in.bytes, box->n_matched};
  return ATL_OK;
}

int atl_mailbox_source(const atl_mailbox_t *box) {
  return box->receiving == MPI_REQUEST_NULL ? -1 : box->matched.MPI_SOURCE;
}

bool atl_mailbox_is_idle(atl_mailbox_t *box) { return collect_sends(box) == ATL_OK && box->n_idle == box->n_sends; }
