/* Sampling: the settings that decide how a token is drawn from logits. A job carries them, model/transformer/sampler
 * follows them.
 *
 *     atl_sampling_t sampling = {.temperature = 0.7, .top_p = 1, .filter_thres = -1, .guidance = 1};
 *     ATL_TRY(atl_sampling_check(&sampling));
 */
#ifndef ATL_COMMON_SAMPLING_H
#define ATL_COMMON_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

typedef struct {
  bool greedy;         /* argmax, lowest code on a tie; everything below but guidance is ignored */
  double temperature;  /* at least FLT_MIN, so that 1/T is a finite float */
  int32_t top_k;       /* 0 = all */
  double top_p;        /* 1 = all */
  double filter_thres; /* DALLE-pytorch's fraction: k = max(floor((1-f) (V_T+V_i)), 1) on all ids; < 0 = off */
  double guidance;     /* 1 = none */
} atl_sampling_t;

/* USAGE: a setting is out of range; the message begins with the setting's name and value. */
atl_status_t atl_sampling_check(const atl_sampling_t *sampling);

#endif
