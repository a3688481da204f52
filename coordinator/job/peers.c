#include "coordinator/job/peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/timer.h"

/* What each rank sends about itself at the start. */
typedef struct {
  char host[ATL_HOST_BYTES];
  int64_t pid, start_ticks; /* common/process */
} address_t;

typedef struct {
  address_t address;
  bool is_expected, is_watchable; /* watchable: its process is visible from this host */
  double heard;                   /* time of the last message, in seconds of common/timer */
  double warned;                  /* seconds of silence at the last warning; 0: no warning since the last message */
} peer_t;

struct atl_peers {
  peer_t *items;
  int n;
  double patience, checked;
  const char *what;
};

static const double check_interval = 0.25; /* seconds */

static void init_peers(atl_peers_t *p, const address_t *addresses, const address_t *mine) {
  for (int i = 0; i < p->n; i++) {
    const address_t *address = &addresses[i];
    p->items[i].address = *address;
    p->items[i].is_watchable = strcmp(address->host, mine->host) == 0 && address->start_ticks != 0 &&
                               atl_process_start(address->pid) == address->start_ticks;
  }
}

atl_status_t atl_peers_new(const atl_comm_t *world, double patience, atl_peers_t **peers) {
  address_t mine = {.pid = getpid(), .start_ticks = atl_process_start(getpid())};
  atl_process_host(mine.host);
  char *all = NULL;
  size_t *offsets = NULL;
  int n = atl_comm_size(world);
  atl_status_t status = ATL_NEW(1, peers);
  if (status == ATL_OK) status = ATL_NEW(n, &(*peers)->items);
  status = atl_comm_agree(world, status);
  if (status == ATL_OK) status = atl_comm_gather(world, 0, &mine, sizeof mine, &all, &offsets);
  if (status == ATL_OK) {
    (*peers)->n = n;
    (*peers)->patience = patience;
    if (all != NULL) init_peers(*peers, (const address_t *)(const void *)all, &mine);
  }
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
  if (status != ATL_OK) atl_peers_destroy(peers);
  return status;
}

void atl_peers_destroy(atl_peers_t **peers) {
  if (*peers == NULL) return;
  ATL_DESTROY(&(*peers)->items);
  ATL_DESTROY(peers);
}

void atl_peers_begin(atl_peers_t *p, const char *what) {
  p->what = what;
  p->checked = atl_timer_now();
  for (int i = 1; i < p->n; i++) {
    p->items[i].is_expected = true;
    p->items[i].heard = p->checked;
    p->items[i].warned = 0;
  }
}

void atl_peers_excuse(atl_peers_t *p, int rank) { p->items[rank].is_expected = false; }

void atl_peers_hear(atl_peers_t *p, int rank) {
  peer_t *peer = &p->items[rank];
  char text[ATL_PEER_BYTES];
  double now = atl_timer_now();
  if (peer->warned > 0)
    ATL_LOG(WARN, "%s is heard again, after %.0f s", atl_peers_describe(p, rank, text), now - peer->heard);
  peer->heard = now;
  peer->warned = 0;
}

const char *atl_peers_describe(const atl_peers_t *p, int rank, char text[ATL_PEER_BYTES]) {
  const address_t *address = &p->items[rank].address;
  snprintf(text, ATL_PEER_BYTES, "rank %d (process %" PRId64 " on %s)", rank, address->pid, address->host);
  return text;
}

static double first_warning(const atl_peers_t *p) {
  return p->patience > 0 && p->patience / 2 < ATL_PATIENCE_WARNING ? p->patience / 2 : ATL_PATIENCE_WARNING;
}

static atl_status_t check_peer(atl_peers_t *p, int rank, double now) {
  peer_t *peer = &p->items[rank];
  double silent = now - peer->heard;
  char text[ATL_PEER_BYTES];
  if (!peer->is_expected || silent < first_warning(p)) return ATL_OK;
  atl_peers_describe(p, rank, text);
  ATL_CHECK(
      p->patience == 0 || silent < p->patience, COMM,
      "%s has not been heard from for %.0f s, the --patience of this run; it should %s. Is its host down, its file "
      "system hung, or the process stopped?",
      text, silent, p->what);
  if (silent < 2 * peer->warned) return ATL_OK;
  peer->warned = silent;
  ATL_LOG(WARN, "%s has not been heard from for %.0f s; it should %s%s", text, silent, p->what,
          p->patience > 0 ? "" : " (--patience SECONDS would end the run)");
  return ATL_OK;
}

atl_status_t atl_peers_check(atl_peers_t *p, int source) {
  double now = atl_timer_now(), since = now - p->checked;
  if (since < check_interval) return ATL_OK;
  p->checked = now;
  for (int i = 1; i < p->n; i++) {
    bool is_heard = since < 2 * check_interval && (source < 0 || source == i);
    if (!is_heard) p->items[i].heard += since; /* rank 0 was not listening to it */
    ATL_TRY(check_peer(p, i, now));
  }
  return ATL_OK;
}

int atl_peers_find_dead(const atl_peers_t *p) {
  for (int i = 1; i < p->n; i++) {
    const peer_t *peer = &p->items[i];
    if (peer->is_watchable && atl_process_start(peer->address.pid) != peer->address.start_ticks) return i;
  }
  return -1;
}

int atl_peers_find_silent(const atl_peers_t *p, double seconds) {
  double latest = atl_timer_now() - seconds;
  int found = -1;
  for (int i = 1; i < p->n; i++)
    if (p->items[i].is_expected && p->items[i].heard <= latest) {
      latest = p->items[i].heard;
      found = i;
    }
  return found;
}
