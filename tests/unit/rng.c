// TEST np=1
#include "common/rng.h"

#include "tests/support/tap.h"

/* Known answers published with Random123 (kat_vectors, philox4x32 10). */
static void check_known_answers(void) {
  static const struct {
    uint32_t counter[4], key[2], want[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint32_t got[4];
    atl_rng_philox(cases[i].counter, cases[i].key, got);
    TAP_OK(memcmp(got, cases[i].want, sizeof got) == 0, "Philox4x32-10 gives the published answer");
  }
}

/* Chi-square over 256 bins of the 2^16 first draws: 255 degrees of freedom, mean 255, deviation 22.6; 330.5 is exceeded
 * with probability 0.001. The seed is fixed, so the verdict is too. */
static void check_uniform(void) {
  enum { N = 1 << 16, N_BINS = 256 };
  double n[N_BINS] = {0}, chi2 = 0, lowest = 1, highest = 0;
  for (uint32_t i = 0; i < N; i++) {
    double u = atl_rng_uniform(7, 11, i >> 8, i & 255);
    n[(int)(u * N_BINS)]++;
    lowest = fmin(lowest, u);
    highest = fmax(highest, u);
  }
  for (int i = 0; i < N_BINS; i++) chi2 += (n[i] - N / N_BINS) * (n[i] - N / N_BINS) / (N / N_BINS);
  printf("# chi-square %.1f\n", chi2);
  TAP_OK(chi2 < 330.5, "draws are uniform");
  TAP_OK(lowest >= 0 && highest < 1, "draws lie in [0, 1)");
}

static void check_keys(void) {
  double u = atl_rng_uniform(1, 2, 3, 4);
  TAP_OK(u == atl_rng_uniform(1, 2, 3, 4), "the same arguments give the same draw");
  TAP_OK(u != atl_rng_uniform(2, 2, 3, 4) && u != atl_rng_uniform(1, 3, 3, 4) && u != atl_rng_uniform(1, 2, 4, 4) &&
             u != atl_rng_uniform(1, 2, 3, 5) && u != atl_rng_uniform(1ull << 32 | 1, 2, 3, 4) &&
             u != atl_rng_uniform(1, 1ull << 32 | 2, 3, 4),
         "every argument matters, including the high halves");
  /* XXH64 of "" with seed 0, published with the algorithm. */
  TAP_OK(atl_rng_prompt_key("") == 0xef46db3751d8e999ull, "the prompt key is XXH64");
}

int main(void) {
  check_known_answers();
  check_uniform();
  check_keys();
  return tap_done();
}
