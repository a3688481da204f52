/* Measure: what the ring costs by itself on this machine: packets pass from rank to rank through hops, codes come back
 * by message, and nobody computes. The hop's seconds go into the plan's costs.
 *
 *     atl_ring_load_t load = {.n_rows = 32, .row_width = 512, .n_slots = 5, .n_rounds = 200};
 *     ATL_TRY(atl_measure_ring(world, &load, &times));                     collective over world
 */
#ifndef ATL_PARTITION_MEASURE_H
#define ATL_PARTITION_MEASURE_H

#include "partition/comm.h"

typedef struct {
  int32_t n_rows;    /* of a packet: b, twice that when guided */
  int64_t row_width; /* floats: D, twice that when reversible */
  int32_t n_slots;   /* in flight */
  int32_t n_rounds;  /* of each slot */
} atl_ring_load_t;

typedef struct {
  double round;      /* median seconds from a slot's start on the first rank to its codes' return */
  double hop;        /* of it, a rank's share: what costs.hop means when n_slots is 1 */
  double microbatch; /* seconds a slot-step of the whole ring takes when slots follow one another */
  double bytes;      /* of a packet */
} atl_ring_times_t;

/* The ring goes through all ranks in order; one rank alone measures its messages to itself. Every rank gets the times.
 * Collective. */
atl_status_t atl_measure_ring(const atl_comm_t *comm, const atl_ring_load_t *load, atl_ring_times_t *times);

#endif
