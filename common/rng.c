/* Philox4x32-10: ten rounds of two 32x32 -> 64 bit products, keys bumped by Weyl constants (Salmon et al., SC11,
 * section 4.3 and table 2). The seed is the key; (position, sample, prompt key) is the counter. */
#include "common/rng.h"

#include <string.h>
#include <xxhash.h>

enum { N_ROUNDS = 10 };

static const uint32_t multipliers[2] = {0xD2511F53u, 0xCD9E8D57u};
static const uint32_t weyl_steps[2] = {0x9E3779B9u, 0xBB67AE85u};

void atl_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]};
  uint32_t k[2] = {key[0], key[1]};
  for (int i = 0; i < N_ROUNDS; i++) {
    uint64_t a = (uint64_t)multipliers[0] * x[0];
    uint64_t b = (uint64_t)multipliers[1] * x[2];
    x[0] = (uint32_t)(b >> 32) ^ x[1] ^ k[0];
    x[1] = (uint32_t)b;
    x[2] = (uint32_t)(a >> 32) ^ x[3] ^ k[1];
    x[3] = (uint32_t)a;
    k[0] += weyl_steps[0];
    k[1] += weyl_steps[1];
  }
  memcpy(out, x, sizeof x);
}

double atl_rng_uniform(uint64_t seed, uint64_t prompt_key, uint32_t sample, uint32_t position) {
  const uint32_t counter[4] = {position, sample, (uint32_t)prompt_key, (uint32_t)(prompt_key >> 32)};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t words[4];
  atl_rng_philox(counter, key, words);
  uint64_t bits = (uint64_t)words[0] << 32 | words[1];
  return (double)(bits >> 11) * 0x1p-53;
}

uint64_t atl_rng_prompt_key(const char *id) { return XXH64(id, strlen(id), 0); }
