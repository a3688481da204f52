#include "model/perf/roofline.h"

#include "model/kernels/attention/attention.h"

static double larger(double a, double b) { return a > b ? a : b; }

atl_bound_t atl_roofline_kernel(const atl_roof_t *roof, double flops, double bytes) {
  double seconds = larger(flops / roof->flops, bytes / roof->bytes);
  return (atl_bound_t){flops, bytes, seconds, seconds};
}

static void add(atl_bound_t *sum, atl_bound_t one) {
  sum->flops += one.flops;
  sum->bytes += one.bytes;
  sum->seconds += one.seconds;
  sum->by_kernel_seconds += one.by_kernel_seconds;
}

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/* Image keys that a row reads at an image position (model/transformer/kvcache.h). */
static double keys_seen(const atl_transformer_config_t *c, atl_attention_kind_t kind, int32_t position) {
  int32_t row = position / c->image_side, column = position % c->image_side;
  switch (kind) {
  case ATL_ATTENTION_AXIAL_ROW: return column + 1;
  case ATL_ATTENTION_AXIAL_COL: return row + 1;
  case ATL_ATTENTION_CONV_LIKE: return (double)smaller(row + 1, ATL_CONV_KERNEL) * smaller(column + 1, ATL_CONV_KERNEL);
  default: return position + 1;
  }
}

atl_bound_t atl_roofline_attention(const atl_roof_t *roof, const atl_transformer_config_t *c, atl_attention_kind_t kind,
                                   const atl_roofline_part_t *part, int32_t position) {
  double inner = (double)c->n_heads * c->head_size, batch = part->n_samples;
  double text_keys = c->text_length + 1, image_keys = keys_seen(c, kind, position);
  double flops = 2 * batch * 2 * inner * (text_keys + image_keys);
  double text_bytes = (double)atl_dtype_bytes(part->dtype) * 2 * inner * text_keys;
  double item_bytes = (double)atl_attention_block_bytes(part->kv, c->head_size) / (ATL_KEY_BLOCK * c->head_size);
  double bytes = text_bytes + item_bytes * 2 * inner * batch * image_keys;
  return atl_roofline_kernel(roof, flops, bytes);
}

/* is_read is false when an earlier layer of the part has read the same weights. */
static atl_bound_t linear(const atl_roof_t *roof, const atl_roofline_part_t *part, double n_weights, bool is_read) {
  double bytes = is_read ? n_weights * (double)atl_dtype_bytes(part->dtype) : 0;
  return atl_roofline_kernel(roof, 2 * part->n_samples * n_weights, bytes);
}

/* True if layer i is the first of the part that has its owner's weights. */
static bool is_first(const int32_t *owners, const atl_roofline_part_t *part, int32_t i) {
  for (int32_t j = part->first_layer; j < i; j++)
    if (owners[j] == owners[i]) return false;
  return true;
}

atl_bound_t atl_roofline_step(const atl_roof_t *roof, const atl_transformer_config_t *c,
                              const atl_roofline_part_t *part, int32_t position) {
  double width = c->width, inner = (double)c->n_heads * c->head_size;
  atl_bound_t sum = {0};
  for (int32_t i = part->first_layer; i < part->end_layer; i++) {
    bool reads_attention = is_first(c->attention_owner, part, i);
    bool reads_feed_forward = is_first(c->feed_forward_owner, part, i);
    add(&sum, linear(roof, part, 3 * inner * width, reads_attention)); /* to_qkv */
    add(&sum, atl_roofline_attention(roof, c, c->attention[i], part, position));
    add(&sum, linear(roof, part, inner * width, reads_attention));        /* to_out */
    add(&sum, linear(roof, part, 8 * width * width, reads_feed_forward)); /* net.0 */
    add(&sum, linear(roof, part, 4 * width * width, reads_feed_forward)); /* net.3 */
  }
  if (part->has_head) add(&sum, linear(roof, part, width * c->n_image_tokens, true));
  sum.seconds = larger(sum.flops / roof->flops, sum.bytes / roof->bytes);
  return sum;
}

atl_bound_t atl_roofline_image(const atl_roof_t *roof, const atl_transformer_config_t *c,
                               const atl_roofline_part_t *part) {
  int32_t n = atl_config_image_length(c);
  atl_bound_t mean = {0};
  for (int32_t position = 0; position < n; position++) add(&mean, atl_roofline_step(roof, c, part, position));
  return (atl_bound_t){mean.flops / n, mean.bytes / n, mean.seconds / n, mean.by_kernel_seconds / n};
}
