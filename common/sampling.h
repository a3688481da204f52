/* Sampling: the settings for drawing a token from logits. A job carries them; model/transformer/sampler applies them.
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
  bool greedy;         /* argmax, lowest token on a tie; of the fields below only guidance applies */
  double temperature;  /* >= FLT_MIN, so that 1/T is a finite float */
  int32_t top_k;       /* 0: all */
  double top_p;        /* in (0, 1]; 1: all */
  double filter_thres; /* f < 1, as in DALLE-pytorch: k = max(floor((1-f) (V_T+V_i)), 1) of all ids; < 0: off */
  double guidance;     /* G; 1: none */
} atl_sampling_t;

/* USAGE when a setting is out of range; the message begins with its name and value. Borrows. Local. */
atl_status_t atl_sampling_check(const atl_sampling_t *sampling);

#endif
