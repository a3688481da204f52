#include "partition/traffic.h"

#include <string.h>

atl_status_t atl_traffic_init(atl_comm_t *world, atl_traffic_t *traffic) {
  static const char *const names[] = {"tokens", "control", "results"};
  memset(traffic, 0, sizeof *traffic);
  traffic->world = world;
  ATL_TRY(atl_comm_duplicate(world, "ring", &traffic->ring));
  atl_mailbox_t **const boxes[] = {&traffic->tokens, &traffic->control, &traffic->results};
  for (int i = 0; i < 3; i++) {
    ATL_TRY(atl_comm_duplicate(world, names[i], &traffic->comms[i]));
    ATL_TRY(atl_comm_agree(world, atl_mailbox_new(traffic->comms[i], boxes[i])));
  }
  return ATL_OK;
}

void atl_traffic_clear(atl_traffic_t *traffic) {
  atl_mailbox_destroy(&traffic->tokens);
  atl_mailbox_destroy(&traffic->control);
  atl_mailbox_destroy(&traffic->results);
  for (int i = 0; i < 3; i++) atl_comm_destroy(&traffic->comms[i]);
  atl_comm_destroy(&traffic->ring);
}
