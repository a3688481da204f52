#include "coordinator/job/ranking.h"

#include <math.h>
#include <stdlib.h>

int atl_ranked_compare(const void *a, const void *b) {
  const atl_ranked_t *x = a, *y = b;
  bool is_nan_x = isnan(x->score), is_nan_y = isnan(y->score);
  if (is_nan_x != is_nan_y) return is_nan_x ? 1 : -1;
  if (!is_nan_x && x->score != y->score) return x->score > y->score ? -1 : 1;
  return (x->sample > y->sample) - (x->sample < y->sample);
}

atl_status_t atl_ranking_init(atl_ranking_t *ranking, atl_arena_t *arena, int32_t n_keep, int32_t n_samples) {
  *ranking = (atl_ranking_t){.n_keep = n_keep < n_samples ? n_keep : n_samples, .n_samples = n_samples};
  ATL_TRY(ATL_TAKE(arena, ranking->n_keep, &ranking->entries));
  return ATL_OK;
}

static bool is_worse(const atl_ranking_t *ranking, int32_t i, int32_t j) {
  return atl_ranked_compare(&ranking->entries[i], &ranking->entries[j]) > 0;
}

static void swap(atl_ranking_t *ranking, int32_t i, int32_t j) {
  atl_ranked_t entry = ranking->entries[i];
  ranking->entries[i] = ranking->entries[j];
  ranking->entries[j] = entry;
}

static void sift_up(atl_ranking_t *ranking, int32_t i) {
  for (int32_t parent; i > 0 && is_worse(ranking, i, parent = (i - 1) / 2); i = parent) swap(ranking, i, parent);
}

static void sift_down(atl_ranking_t *ranking) {
  for (int32_t i = 0, worst;; i = worst) {
    int32_t left = 2 * i + 1;
    worst = i;
    if (left < ranking->n && is_worse(ranking, left, worst)) worst = left;
    if (left + 1 < ranking->n && is_worse(ranking, left + 1, worst)) worst = left + 1;
    if (worst == i) return;
    swap(ranking, i, worst);
  }
}

int32_t atl_ranking_add(atl_ranking_t *ranking, atl_ranked_t entry) {
  ranking->n_seen++;
  if (ranking->n < ranking->n_keep) {
    ranking->entries[ranking->n++] = entry;
    sift_up(ranking, ranking->n - 1);
    return -1;
  }
  if (ranking->n == 0 || atl_ranked_compare(&entry, &ranking->entries[0]) > 0) return entry.sample;
  int32_t loser = ranking->entries[0].sample;
  ranking->entries[0] = entry;
  sift_down(ranking);
  return loser;
}

bool atl_ranking_has_threshold(const atl_ranking_t *ranking, float *threshold) {
  if (ranking->n < ranking->n_keep || ranking->n == 0 || isnan(ranking->entries[0].score)) return false;
  *threshold = ranking->entries[0].score;
  return true;
}

bool atl_ranking_is_complete(const atl_ranking_t *ranking) { return ranking->n_seen == ranking->n_samples; }

void atl_ranking_sort(atl_ranking_t *ranking) {
  qsort(ranking->entries, (size_t)ranking->n, sizeof *ranking->entries, atl_ranked_compare);
}
