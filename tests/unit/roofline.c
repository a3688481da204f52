// TEST np=1
/* Bounds of a step and of a whole image against values worked out by hand, for a model small enough for that. */
#include "model/perf/roofline.h"
#include "tests/support/tap.h"

/* width 4, 2 heads of 2 (H*E = 4), 3 text positions with the begin symbol, a picture of 2x2, 10 image tokens. A layer's
 * weights: 3*4*4 + 4*4 + 8*4*4 + 4*4*4 = 48 + 16 + 128 + 64 = 256; the head's: 40. */
static atl_transformer_config_t tiny(int32_t n_layers) {
  atl_transformer_config_t c = {.width = 4,
                                .n_layers = n_layers,
                                .n_heads = 2,
                                .head_size = 2,
                                .text_length = 2,
                                .image_side = 2,
                                .n_image_tokens = 10};
  for (int32_t i = 0; i < n_layers; i++) c.attention_owner[i] = c.feed_forward_owner[i] = i;
  return c;
}

static int is_near(double got, double want) {
  if (fabs(got - want) <= 1e-12 * fabs(want)) return 1; /* sums of a few exact values */
  printf("# got %.17g, want %.17g\n", got, want);
  return 0;
}

/* Full attention sees 1, 2, 3, 4 image keys; a row takes 16 floats and 32 flops per key and value. */
static void test_step(void) {
  const atl_transformer_config_t c = tiny(1);
  const atl_roofline_part_t part = {
      .end_layer = 1, .has_head = true, .n_samples = 5, .dtype = ATL_BF16, .kv = ATL_BF16};
  const atl_roof_t roof = {.flops = 1000, .bytes = 100};
  atl_bound_t step = atl_roofline_step(&roof, &c, &part, 2);
  /* 2*5*(256+40) of linears, 2*5*2*4*(3+3) of attention; 2 bytes of 296 weights and of 2*4*(3 + 5*3) keys, values */
  TAP_OK(is_near(step.flops, 2960 + 480) && is_near(step.bytes, 592 + 288), "flops and bytes of a step");
  TAP_OK(is_near(step.seconds, 8.8), "reading bounds the step");
  /* to_qkv .96 of reading, attention 2.88, to_out .32, net.0 2.56, net.3 1.28, head .8; arithmetic is less in each */
  TAP_OK(is_near(step.by_kernel_seconds, 8.8), "reading bounds every kernel");
  const atl_roof_t slow = {.flops = 400, .bytes = 100};
  step = atl_roofline_step(&slow, &c, &part, 2);
  TAP_OK(is_near(step.seconds, 8.8), "reading still bounds the step when arithmetic takes 8.6 s");
  /* linears: 2*5*n/400 = n/40 s against 2*n/100 = n/50 s: 296/40 = 7.4; attention stays at 2.88 */
  TAP_OK(is_near(step.by_kernel_seconds, 7.4 + 2.88), "while arithmetic bounds each linear layer");
}

static void test_image(void) {
  const atl_transformer_config_t c = tiny(1);
  const atl_roofline_part_t part = {
      .end_layer = 1, .has_head = true, .n_samples = 5, .dtype = ATL_BF16, .kv = ATL_BF16};
  const atl_roof_t roof = {.flops = 400, .bytes = 100};
  atl_bound_t image = atl_roofline_image(&roof, &c, &part);
  /* at position p: 2960 + 80*(3+p+1) flops, 592 + 16*(3 + 5*(p+1)) bytes; the mean of p+1 is 2.5 */
  TAP_OK(is_near(image.flops, 2960 + 80 * 5.5) && is_near(image.bytes, 592 + 16 * 15.5),
         "flops and bytes of an image's mean step");
  /* flops/400: 8.2 8.4 8.6 8.8; bytes/100: 7.2 8.0 8.8 9.6 */
  TAP_OK(is_near(image.seconds, (8.2 + 8.4 + 8.8 + 9.6) / 4), "its bound is the larger of both at each position");
  TAP_OK(is_near(image.by_kernel_seconds, 7.4 + 0.16 * 15.5), "its bound by kernel");
}

static double keys(atl_attention_kind_t kind, int32_t side, int32_t position) {
  atl_transformer_config_t c = tiny(1);
  c.image_side = side;
  const atl_roofline_part_t part = {.n_samples = 1, .dtype = ATL_F32};
  const atl_roof_t roof = {1, 1};
  return atl_roofline_attention(&roof, &c, kind, &part, position).bytes / (4 * 2 * 4) - 3;
}

static void test_kinds(void) {
  TAP_OK(is_near(keys(ATL_ATTENTION_FULL, 8, 20), 21), "full sees every token before it");
  TAP_OK(is_near(keys(ATL_ATTENTION_AXIAL_ROW, 8, 20), 5), "axial_row sees its row");
  TAP_OK(is_near(keys(ATL_ATTENTION_AXIAL_COL, 8, 20), 3), "axial_col sees its column");
  TAP_OK(is_near(keys(ATL_ATTENTION_CONV_LIKE, 8, 20), 15) && is_near(keys(ATL_ATTENTION_CONV_LIKE, 8, 63), 25) &&
             is_near(keys(ATL_ATTENTION_CONV_LIKE, 8, 0), 1),
         "conv_like sees the part of its 5x5 window inside the picture");
}

/* Two layers that share weights read them once and multiply by them twice. */
static void test_shared(void) {
  atl_transformer_config_t c = tiny(2);
  const atl_roofline_part_t part = {.end_layer = 2, .n_samples = 1, .dtype = ATL_F32};
  const atl_roof_t roof = {1, 1};
  double cached = 4 * 2 * 4 * 4;
  TAP_OK(is_near(atl_roofline_step(&roof, &c, &part, 0).bytes, 2 * (4 * 256 + cached)),
         "two layers read their own weights");
  c.attention_owner[1] = c.feed_forward_owner[1] = 0;
  TAP_OK(is_near(atl_roofline_step(&roof, &c, &part, 0).bytes, 4 * 256 + 2 * cached), "shared weights are read once");
  TAP_OK(is_near(atl_roofline_step(&roof, &c, &part, 0).flops, 2 * (2 * 256 + 2 * 2 * 4 * 4)),
         "shared weights are used twice");
  const atl_roofline_part_t second = {.first_layer = 1, .end_layer = 2, .n_samples = 1, .dtype = ATL_F32};
  TAP_OK(is_near(atl_roofline_step(&roof, &c, &second, 0).bytes, 4 * 256 + cached),
         "a part without the owner reads them too");
}

int main(void) {
  test_step();
  test_image();
  test_kinds();
  test_shared();
  return tap_done();
}
