/* Ranking: the best K of one prompt's candidates. The order does not depend on arrival: scores descending, then samples
 * ascending; NaN after every number.
 *
 *     ATL_TRY(atl_ranking_init(&ranking, arena, n_keep, n_samples));
 *     int32_t loser = atl_ranking_add(&ranking, (atl_ranked_t){score, sample});      -- its picture is not needed
 *     if (atl_ranking_is_complete(&ranking)) atl_ranking_sort(&ranking);             -- entries[0] is the best
 *
 * A binary heap with the worst kept candidate at its root; adding one costs O(log K). Local.
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
  atl_ranked_t *entries; /* (n_keep), the first n in use */
  int32_t n, n_keep;
  int32_t n_seen, n_samples;
} atl_ranking_t;

/* Negative when a is better, positive when b is, 0 for the same sample. Comparison function for qsort. */
int atl_ranked_compare(const void *a, const void *b);

/* Takes the entries from the arena. MEMORY. */
atl_status_t atl_ranking_init(atl_ranking_t *ranking, atl_arena_t *arena, int32_t n_keep, int32_t n_samples);
/* Returns the sample that is no longer, or not, among the best K: the added one or one it displaced; -1 for none. */
int32_t atl_ranking_add(atl_ranking_t *ranking, atl_ranked_t entry);
/* True when K candidates are known and the worst of them is not NaN. Then a score below *threshold cannot be kept; an
 * equal one still may be. */
bool atl_ranking_has_threshold(const atl_ranking_t *ranking, float *threshold);
bool atl_ranking_is_complete(const atl_ranking_t *ranking);
/* Sorts the entries, best first. Nothing may be added afterwards. */
void atl_ranking_sort(atl_ranking_t *ranking);

#endif
