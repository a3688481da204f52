/* Random numbers: Philox4x32-10, counter-based (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
 *
 * A number is a pure function of (seed, prompt key, sample, position), so a drawn token does not depend on the number
 * of ranks, on batches or on the order of work.
 *
 *     double u = atl_rng_uniform(seed, atl_rng_prompt_key("heart-1"), sample, position);
 */
#ifndef ATL_COMMON_RNG_H
#define ATL_COMMON_RNG_H

#include <stdint.h>

/* out = Philox4x32-10(counter, key). */
void atl_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A uniform number in [0, 1) with 53 random bits, for one position of one sample. */
double atl_rng_uniform(uint64_t seed, uint64_t prompt_key, uint32_t sample, uint32_t position);

/* The key of a prompt: XXH64 with seed 0 of the bytes of its id. */
uint64_t atl_rng_prompt_key(const char *id);

#endif
