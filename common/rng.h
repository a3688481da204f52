/* Random numbers: Philox4x32-10, counter-based (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
 *
 * A number is a pure function of what it is for: (seed, prompt key, sample, position). So a drawn token never depends
 * on ranks, batches or the order of work.
 */
#ifndef ATL_COMMON_RNG_H
#define ATL_COMMON_RNG_H

#include <stdint.h>

/* out = Philox4x32-10(counter, key). */
void atl_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A uniform number in [0, 1) with 53 bits for one draw of one sample. */
double atl_rng_uniform(uint64_t seed, uint64_t prompt_key, uint32_t sample, uint32_t position);

/* The prompt key of a prompt id: 64-bit hash (xxh64, seed 0) of its bytes. */
uint64_t atl_rng_prompt_key(const char *id);

#endif
