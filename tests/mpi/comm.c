// TEST np=1,2,4
/* Collectives of the setup phase: one rank's failure fails all with its message; broadcast and gather keep all bytes.
 */
#include <stdlib.h>

#include "common/memory.h"
#include "partition/place.h"
#include "partition/traffic.h"
#include "tests/support/together.h"

static void test_agree(const atl_comm_t *world) {
  int rank = atl_comm_rank(world), size = atl_comm_size(world);
  together(world, atl_comm_agree(world, ATL_OK) == ATL_OK, "ranks agree on success");
  if (size == 1) return;
  atl_status_t status = rank >= size - 2 ? ATL_FAIL(INPUT, "tensor of %d is missing", rank) : ATL_OK;
  status = atl_comm_agree(world, status);
  char want[96];
  snprintf(want, sizeof want, "rank %d: tensor of %d is missing (1 more rank failed too)", size - 2, size - 2);
  int is_named = strcmp(atl_status_message(), want) == 0;
  together(world, status == ATL_INPUT && is_named,
           "every rank gets the lowest failed rank's status, message and number");
}

static void test_broadcast(const atl_comm_t *world, size_t n, const char *name) {
  int rank = atl_comm_rank(world), root = atl_comm_size(world) - 1;
  char *bytes = NULL;
  size_t n_bytes = 0;
  int is_ok = 1;
  if (rank == root) {
    is_ok = ATL_NEW(n, &bytes) == ATL_OK;
    for (size_t i = 0; i < n; i++) bytes[i] = (char)(i * 2654435761u >> 13);
    n_bytes = n;
  }
  is_ok = is_ok && atl_comm_broadcast(world, root, &bytes, &n_bytes) == ATL_OK && n_bytes == n;
  for (size_t i = 0; is_ok && i < n; i++) is_ok = bytes[i] == (char)(i * 2654435761u >> 13);
  together(world, is_ok, name);
  ATL_DESTROY(&bytes);
}

/* Rank r gives r * 1000 bytes of value r; rank 0 gives none. */
static void test_gather(const atl_comm_t *world) {
  int rank = atl_comm_rank(world), size = atl_comm_size(world), root = size / 2;
  char *mine, *all;
  size_t n = (size_t)rank * 1000, *offsets;
  int is_ok = ATL_NEW(n, &mine) == ATL_OK;
  memset(mine, rank, n);
  is_ok = is_ok && atl_comm_gather(world, root, mine, n, &all, &offsets) == ATL_OK;
  if (rank != root) is_ok = is_ok && all == NULL && offsets == NULL;
  for (int r = 0; is_ok && rank == root && r < size; r++) {
    is_ok = offsets[r + 1] - offsets[r] == (size_t)r * 1000;
    for (size_t i = offsets[r]; is_ok && i < offsets[r + 1]; i++) is_ok = all[i] == (char)r;
  }
  together(world, is_ok, "bytes of every rank are gathered in order");
  ATL_DESTROY(&mine);
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
}

/* An allocation that fails on one rank fails on all, and no rank hangs. */
static void test_memory(const atl_comm_t *world) {
  int rank = atl_comm_rank(world), size = atl_comm_size(world);
  char *bytes = rank == 0 ? (char[]){1, 2, 3} : NULL;
  size_t n_bytes = 3;
  if (size == 1) return;
  if (rank == size - 1) atl_memory_fail_after(1);
  atl_status_t status = atl_comm_broadcast(world, 0, &bytes, &n_bytes);
  atl_memory_fail_after(0);
  if (rank != 0) ATL_DESTROY(&bytes);
  together(world, status == ATL_MEMORY, "a rank without memory fails a broadcast on all ranks");
}

/* The last rank's n-th allocation fails, for n = 1, 2, ... until none does: every rank must return, and fail when that
 * one does. A rank that hangs runs into the test's timeout. */
static void test_start_without_memory(atl_comm_t *world) {
  int is_last = atl_comm_rank(world) == atl_comm_size(world) - 1;
  bool is_same = true, is_whole = false;
  int n_failed = 0;
  for (int n = 1; n < 100 && !is_whole; n++) {
    atl_place_t place;
    atl_traffic_t traffic = {0};
    if (is_last) atl_memory_fail_after(n);
    atl_status_t status = atl_place_find(world, &place);
    if (status == ATL_OK) {
      status = atl_traffic_init(world, &traffic);
      atl_memory_fail_after(0);
      atl_traffic_clear(&traffic);
    }
    atl_memory_fail_after(0);
    is_same = is_same && (status == ATL_OK || status == ATL_MEMORY);
    is_whole = atl_comm_agree(world, status) == ATL_OK;
    is_same = is_same && is_whole == (status == ATL_OK);
    n_failed += !is_whole;
  }
  together(world, is_same && is_whole && n_failed >= 8,
           "a rank without memory fails the start on all ranks, whichever allocation fails");
}

static void test_place(const atl_comm_t *world) {
  atl_place_t place;
  atl_status_t status = atl_place_find(world, &place);
  together(world, status == ATL_OK && strstr(place.text, "host ") != NULL && strstr(place.text, "cpus ") != NULL,
           "a rank finds its host and cpus");
  together(world, place.n_cores > 0 && place.n_ranks_on_host >= 1 && place.free_bytes > 0,
           "a rank finds cores and free memory");
  if (atl_comm_rank(world) == 0) printf("# %s, %s\n", place.text, atl_comm_library());
}

int main(int argc, char **argv) {
  bool is_launched = atl_comm_is_launched(), is_unknown = atl_comm_world_rank() == -1;
  atl_comm_t *world, *copy;
  if (atl_comm_start(&argc, &argv, &world) != ATL_OK) return 1;
  together(world, is_unknown && atl_comm_world_rank() == atl_comm_rank(world),
           "the world rank is known after the start, not before");
  together(world, is_launched || atl_comm_size(world) == 1, "a launch is recognised before the start");
  together(world, atl_comm_duplicate(world, "copy", &copy) == ATL_OK && atl_comm_size(copy) == atl_comm_size(world),
           "a communicator is duplicated");
  test_agree(copy);
  test_broadcast(copy, 0, "an empty message is broadcast");
  test_broadcast(copy, 5000, "bytes are broadcast");
  test_broadcast(copy, ((size_t)64 << 20) + 17, "bytes of more than one chunk are broadcast");
  test_gather(copy);
  test_memory(copy);
  test_place(copy);
  test_start_without_memory(copy);
  together(world, atl_comm_barrier(world) == ATL_OK, "ranks pass a barrier");
  atl_comm_destroy(&copy);
  size_t left = atl_memory_in_use_bytes();
  int code = together_done(&world);
  return left > 4096 || atl_memory_in_use_bytes() != 0 ? 1 : code;
}
