#include "coordinator/job/priming.h"

#include "model/vae/prime.h"

static const double default_share = 0.4375; /* as in DALLE-pytorch: 14 of 32 rows */

static atl_status_t count_tokens(const atl_priming_t *p, int32_t side, int32_t *n_primed) {
  int32_t n_tokens = side * side;
  ATL_CHECK(p->n_tokens >= 0 && p->n_tokens < n_tokens, USAGE,
            "--prime-tokens %lld: expected 1 to %d: a picture has %d, and at least one must be left to draw",
            (long long)p->n_tokens, n_tokens - 1, n_tokens);
  ATL_CHECK(p->n_rows >= 0 && p->n_rows < side, USAGE,
            "--prime-rows %lld: expected 1 to %d: a picture has %d, and at least one must be left to draw",
            (long long)p->n_rows, side - 1, side);
  int64_t n = (int64_t)(default_share * n_tokens);
  if (p->n_rows > 0) n = p->n_rows * side;
  if (p->n_tokens > 0) n = p->n_tokens;
  ATL_CHECK(n > 0, USAGE, "43.75 %% of %d tokens is less than one token; give a number with --prime-tokens N",
            n_tokens);
  *n_primed = (int32_t)n;
  return ATL_OK;
}

atl_status_t atl_priming_load(const atl_priming_t *priming, const atl_model_t *model, atl_arena_t *arena,
                              atl_job_t *job) {
  int32_t side = model->transformer_config.image_side, n_primed, *tokens;
  if (priming->path == NULL) return ATL_OK;
  ATL_TRY(count_tokens(priming, side, &n_primed));
  ATL_TRY(ATL_TAKE(arena, side * side, &tokens));
  ATL_TRY(atl_prime_load(model, priming->path, tokens));
  job->prime = tokens;
  job->n_prime = n_primed;
  return ATL_OK;
}
