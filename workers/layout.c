#include "workers/layout.h"

bool atl_layout_is_valid(const atl_layout_t *l) {
  int64_t n_slot_stores = (int64_t)l->n_slots * l->n_streams * l->microbatch;
  bool is_guided = l->n_streams == 2, is_primed = l->n_prime > 0;
  return l->text_length >= 0 && l->image_length >= 1 && l->microbatch >= 1 && l->n_slots >= 1 &&
         (is_guided || l->n_streams == 1) && l->n_prefixes >= l->n_streams &&
         l->null_prefix == (is_guided ? l->n_prefixes - 1 : -1) && l->n_prime >= 0 && l->n_prime < l->image_length &&
         l->n_image_stores == n_slot_stores + (is_primed ? l->n_prefixes : 0) &&
         l->max_rows >= l->n_streams * l->microbatch && l->max_rows >= ATL_PREFILL_ROWS;
}

void atl_layout_init(const atl_job_t *job, const atl_plan_t *plan, const atl_transformer_config_t *config,
                     atl_layout_t *layout) {
  bool is_guided = job->n_null_ids > 0;
  *layout = (atl_layout_t){
      .text_length = config->text_length,
      .image_length = atl_config_image_length(config),
      .microbatch = plan->microbatch,
      .n_slots = plan->n_slots,
      .n_streams = is_guided ? 2 : 1,
      .n_prefixes = plan->n_prefixes,
      .null_prefix = is_guided ? plan->n_prefixes - 1 : -1,
      .n_prime = job->n_prime,
  };
  layout->n_image_stores = layout->n_slots * layout->n_streams * layout->microbatch;
  if (layout->n_prime > 0) layout->n_image_stores += layout->n_prefixes;
  layout->max_rows = layout->n_streams * layout->microbatch;
  if (layout->max_rows < ATL_PREFILL_ROWS) layout->max_rows = ATL_PREFILL_ROWS;
  ATL_ASSERT(atl_layout_is_valid(layout));
}
