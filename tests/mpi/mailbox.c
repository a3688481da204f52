// TEST np=1,2,4
/* Messages of all sizes between all pairs of ranks, including to oneself, arrive complete and in each sender's order.
 */
#include <stdlib.h>

#include "common/memory.h"
#include "partition/mailbox.h"
#include "tests/support/together.h"

enum { N_MESSAGES = 40, LONGEST = 3 << 20 };

/* From 0 bytes, past the eager limit, to megabytes. */
static size_t size_of(int i) {
  static const size_t sizes[] = {0, 1, 63, 511, 512, 4096, 65537, 1 << 20};
  return i == N_MESSAGES / 2 ? LONGEST : sizes[i % 8] / (size_t)(i % 3 == 2 ? 2 : 1);
}

static unsigned char byte_of(int from, int i, size_t at) {
  return (unsigned char)(from * 31 + i * 7 + (int)(at % 251));
}

static int send_round(atl_mailbox_t *box, int from, int size, int i, unsigned char *scratch) {
  size_t n = size_of(i);
  for (size_t at = 0; at < n; at++) scratch[at] = byte_of(from, i, at);
  for (int to = 0; to < size; to++)
    if (atl_mailbox_send(box, to, 1 + i % 5, scratch, n) != ATL_OK) return 0;
  return 1;
}

static int is_message(const atl_message_t *message, int i) {
  int is_ok = message->tag == 1 + i % 5 && message->n_bytes == size_of(i);
  for (size_t at = 0; is_ok && at < message->n_bytes; at++)
    is_ok = (unsigned char)message->bytes[at] == byte_of(message->source, i, at);
  return is_ok;
}

/* Every rank sends to every rank, and receives in between or only after all sends. */
static int exchange(atl_mailbox_t *box, int rank, int size, int reads_late) {
  unsigned char *scratch;
  int n_sent = 0, n_got = 0, is_ok = ATL_NEW(LONGEST, &scratch) == ATL_OK, next[64] = {0};
  while (is_ok && (n_sent < N_MESSAGES || n_got < N_MESSAGES * size)) {
    if (n_sent < N_MESSAGES) is_ok = send_round(box, rank, size, n_sent++, scratch);
    if (reads_late && n_sent < N_MESSAGES) continue;
    atl_message_t message;
    is_ok = is_ok && atl_mailbox_poll(box, &message) == ATL_OK;
    if (!is_ok || message.bytes == NULL) continue;
    is_ok = is_message(&message, next[message.source]++);
    n_got++;
  }
  ATL_DESTROY(&scratch);
  return is_ok;
}

static int is_silent(atl_mailbox_t *box) {
  atl_message_t message;
  for (int i = 0; i < 100; i++)
    if (atl_mailbox_poll(box, &message) != ATL_OK || message.bytes != NULL) return 0;
  return 1;
}

int main(int argc, char **argv) {
  atl_comm_t *world, *comm;
  atl_mailbox_t *box = NULL;
  if (atl_comm_start(&argc, &argv, &world) != ATL_OK) return 1;
  int rank = atl_comm_rank(world), size = atl_comm_size(world);
  together(world, atl_comm_duplicate(world, "control", &comm) == ATL_OK && atl_mailbox_new(comm, &box) == ATL_OK,
           "a mailbox opens");
  together(world, is_silent(box) && atl_mailbox_is_idle(box), "an empty mailbox is silent and idle");
  together(world, exchange(box, rank, size, 0), "messages received as they come are complete and in order");
  together(world, exchange(box, rank, size, 1), "messages received after all sends are complete and in order");
  while (!atl_mailbox_is_idle(box)) continue;
  size_t before = atl_memory_in_use_bytes();
  together(world, exchange(box, rank, size, 1) && is_silent(box), "a mailbox carries a second exchange");
  while (!atl_mailbox_is_idle(box)) continue;
  together(world, atl_memory_in_use_bytes() <= before + ((size_t)LONGEST << 2) * (size_t)size,
           "a second exchange reuses the mailbox's buffers");
  atl_mailbox_destroy(&box);
  atl_comm_destroy(&comm);
  int code = together_done(&world);
  return atl_memory_in_use_bytes() != 0 ? 1 : code;
}
