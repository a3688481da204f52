/* Measure: the cost of a pipeline's communication alone on this machine. Packets pass from rank to rank through hops
 * and an answer returns by message, without any computation between. The hop's seconds go into the plan's costs.
 *
 *     atl_ring_load_t load = {.n_rows = 32, .row_width = 512, .n_slots = 5, .n_rounds = 200};
 *     ATL_TRY(atl_measure_ring(world, &load, &times));                     collective over world
 */
#ifndef ATL_PARTITION_MEASURE_H
#define ATL_PARTITION_MEASURE_H

#include "partition/comm.h"

typedef struct {
  int32_t n_rows;    /* rows of a packet: b, or 2b when guided */
  int64_t row_width; /* floats of a row: D, or 2D when reversible */
  int32_t n_slots;   /* packets in flight */
  int32_t n_rounds;  /* rounds per slot */
} atl_ring_load_t;

typedef struct {
  double round;      /* median seconds from a slot's start on the first rank until its answer is back there */
  double hop;        /* round / number of ranks; with n_slots = 1 it is the hop of atl_costs_t */
  double microbatch; /* total seconds / (n_slots * n_rounds): seconds per packet with n_slots in flight */
  double bytes;      /* of a packet's activations */
} atl_ring_times_t;

/* Measures a ring through all ranks in order; a single rank measures its messages to itself. Every rank gets the same
 * times. Collective. INPUT when there is no slot or round; MEMORY, COMM. */
atl_status_t atl_measure_ring(const atl_comm_t *comm, const atl_ring_load_t *load, atl_ring_times_t *times);

#endif
