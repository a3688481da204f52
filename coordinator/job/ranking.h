/* Ranking: the best K of one prompt's candidates, in an order that does not depend on when they came: score descending,
 * then sample ascending; NaN after every number.
 *
 *     ATL_TRY(atl_ranking_init(&ranking, arena, n_keep, n_samples));
 *     int32_t loser = atl_ranking_add(&ranking, (atl_ranked_t){score, sample});      -- its picture is not needed
 *     if (atl_ranking_is_complete(&ranking)) atl_ranking_sort(&ranking);             -- entries[0] is the best
 *
 * A heap whose root is the worst of the kept; adding costs O(log K).
 */
#ifndef ATL_COORDINATOR_JOB_RANKING_H
#define ATL_COORDINATOR_JOB_RANKING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"

typedef struct {
  float score;
  int32_t sample;
} atl_ranked_t;

typedef struct {
  atl_ranked_t *entries; /* n of at most n_keep */
  int32_t n, n_keep;
  int32_t n_seen, n_samples;
} atl_ranking_t;

/* < 0 when a comes before b, > 0 when after, 0 for the same sample. Fits qsort. */
int atl_ranked_compare(const void *a, const void *b);

/* Entries come from the arena. MEMORY. */
atl_status_t atl_ranking_init(atl_ranking_t *ranking, atl_arena_t *arena, int32_t n_keep, int32_t n_samples);
/* Returns the sample that is not among the best K now: the added one, one that it drove out, or -1 for none. */
int32_t atl_ranking_add(atl_ranking_t *ranking, atl_ranked_t entry);
/* Are K candidates known, and the worst of them a number? Then a lower score than *threshold is not worth keeping; an
 * equal one may be. */
bool atl_ranking_has_threshold(const atl_ranking_t *ranking, float *threshold);
bool atl_ranking_is_complete(const atl_ranking_t *ranking);
/* Best first. Nothing is added after. */
void atl_ranking_sort(atl_ranking_t *ranking);

#endif
