#include "workers/layout.h"

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
}
