// TEST np=1
#include "coordinator/job/ranking.h"

#include <stdlib.h>

#include "common/rng.h"
#include "tests/support/tap.h"

enum { N = 257 };

/* Scores with many ties and some NaN. */
static atl_ranked_t candidate(int32_t sample) {
  uint32_t counter[4] = {(uint32_t)sample}, key[2] = {0}, out[4];
  atl_rng_philox(counter, key, out);
  return (atl_ranked_t){out[0] % 11 == 0 ? NAN : (float)(out[0] % 7), sample};
}

/* The kept of n candidates that come in the order 0, step, 2*step, ... mod n are those of a full sort. */
static int check_keep(int32_t n, int32_t n_keep, int32_t step) {
  atl_arena_t arena = {0};
  atl_ranking_t ranking;
  atl_ranked_t all[N];
  int is_ok = atl_ranking_init(&ranking, &arena, n_keep, n) == ATL_OK, n_lost = 0;
  for (int32_t i = 0; i < n && is_ok; i++) {
    is_ok = !atl_ranking_is_complete(&ranking);
    all[i] = candidate(i);
    n_lost += atl_ranking_add(&ranking, candidate((int32_t)((int64_t)i * step % n))) >= 0;
  }
  qsort(all, (size_t)n, sizeof *all, atl_ranked_compare);
  is_ok =
      is_ok && atl_ranking_is_complete(&ranking) && ranking.n == (n_keep < n ? n_keep : n) && n_lost == n - ranking.n;
  float threshold = -1;
  int has = atl_ranking_has_threshold(&ranking, &threshold);
  is_ok = is_ok && has == !isnan(all[ranking.n - 1].score) && (!has || threshold == all[ranking.n - 1].score);
  atl_ranking_sort(&ranking);
  for (int32_t i = 0; i < ranking.n; i++) is_ok = is_ok && ranking.entries[i].sample == all[i].sample;
  atl_arena_clear(&arena);
  return is_ok;
}

int main(void) {
  static const int32_t the_keeps[] = {1, 2, 7, 8, 33, 256, 257, 400};
  for (size_t i = 0; i < sizeof the_keeps / sizeof the_keeps[0]; i++) {
    char name[64];
    snprintf(name, sizeof name, "the best %d of %d, in three orders of arrival", the_keeps[i], N);
    TAP_OK(check_keep(N, the_keeps[i], 1) && check_keep(N, the_keeps[i], N - 1) && check_keep(N, the_keeps[i], 101),
           name);
  }
  TAP_OK(check_keep(1, 1, 1), "one of one");
  atl_ranked_t high = {2, 5}, low = {1, 1}, tie = {2, 9}, none = {NAN, 0};
  TAP_OK(atl_ranked_compare(&high, &low) < 0, "a higher score comes first");
  TAP_OK(atl_ranked_compare(&high, &tie) < 0, "of equal scores the lower sample comes first");
  TAP_OK(atl_ranked_compare(&none, &low) > 0 && atl_ranked_compare(&low, &none) < 0, "NaN comes last");
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
