// TEST np=1
/* Shapes as text, and random models: a written model opens and runs, and writing it twice gives the same files. */
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "model/checkpoint/random.h"
#include "model/checkpoint/shape.h"
#include "model/transformer/transformer.h"
#include "tests/support/tap.h"

static void test_shapes(void) {
  atl_shape_t shape;
  TAP_STATUS(ATL_OK, atl_shape_parse("dalle-1024-sparse", "tiny", &shape), "dalle-1024-sparse is a known shape");
  const atl_transformer_config_t *c = &shape.transformer;
  TAP_OK(c->width == 1024 && c->n_layers == 12 && c->n_heads == 16 && c->head_size == 64 && c->text_length == 256 &&
             c->n_text_tokens == 10000 && c->image_side == 32 && c->n_image_tokens == 8192 && c->rotary &&
             c->shift_tokens && !c->reversible,
         "dalle-1024-sparse has its sizes");
  TAP_OK(c->attention[0] == ATL_ATTENTION_AXIAL_ROW && c->attention[1] == ATL_ATTENTION_AXIAL_COL &&
             c->attention[5] == ATL_ATTENTION_AXIAL_COL && c->attention[11] == ATL_ATTENTION_CONV_LIKE,
         "dalle-1024-sparse has its kinds of attention");
  TAP_STATUS(ATL_OK, atl_shape_parse("mindalle-1.3b,layers=5,attention=full:axial_col,clip=1", "tiny", &shape),
             "a named shape with overrides is parsed");
  TAP_OK(c->n_layers == 5 && c->width == 1536 && c->attention[2] == ATL_ATTENTION_FULL &&
             c->attention[3] == ATL_ATTENTION_AXIAL_COL && shape.has_clip && shape.vae.image_size == 256,
         "overrides take effect, and attention is repeated over the layers");
  static const char *const refused[] = {"dalle-9",          "tiny,depth=3",
                                        "tiny,layers=x",    "tiny,layers=0",
                                        "layers=2,tiny",    "tiny,attention=half",
                                        "tiny,layers=",     "tiny,side=-1",
                                        "tiny,attention=:", "tiny,width=99999999999999999999"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    TAP_STATUS(ATL_USAGE, atl_shape_parse(refused[i], "tiny", &shape), refused[i]);
  TAP_STATUS(ATL_OK, atl_shape_parse("layers=3,width=96,heads=6,head-size=8,text-ids=50", "dalle-512", &shape),
             "overrides without a name apply to the base shape, and keys may have hyphens");
  TAP_OK(c->n_layers == 3 && c->head_size == 8 && c->n_text_tokens == 50 && c->text_length == 256,
         "other sizes are those of the base shape");
  TAP_STATUS(ATL_OK, atl_shape_parse("width=96,heads=6", "dalle-512", &shape), "the head size may be left out");
  TAP_OK(c->head_size == 16, "the default head size is width / heads");
  TAP_STATUS(ATL_INPUT, atl_shape_parse("tiny,side=1048576,vae_layers=15", "tiny", &shape),
             "an image size that overflows is refused");
  TAP_STATUS(ATL_INPUT, atl_shape_parse("tiny,vae_layers=16", "tiny", &shape), "a dVAE of 16 layers is refused");
  TAP_STATUS(ATL_INPUT, atl_shape_parse("tiny,width=0", "tiny", &shape), "width 0 is refused");
}

/* All logits of the begin symbol and of one text row must be finite. */
static void test_run(const atl_model_t *model) {
  atl_transformer_part_t part = {.end_layer = model->transformer_config.n_layers,
                                 .n_prefixes = 1,
                                 .n_samples = 1,
                                 .max_rows = 2,
                                 .dtype = ATL_F32};
  atl_transformer_t *transformer;
  if (!TAP_STATUS(ATL_OK, atl_transformer_new(model, &part, &transformer),
                  "a transformer is built from the random model"))
    return;
  float x[2 * 64], logits[2 * 256];
  const atl_row_t rows[2] = {{0, 0}, {0, 1}};
  const int32_t tokens[2] = {0, 7};
  int32_t n_logits = 2 * atl_config_vocabulary(&model->transformer_config);
  ATL_ASSERT(n_logits <= (int32_t)(sizeof logits / sizeof logits[0]));
  atl_transformer_embed(transformer, x, rows, tokens, 2);
  atl_transformer_run(transformer, x, rows, 2, NULL, NULL);
  atl_transformer_all_logits(transformer, logits, x, rows, 2);
  bool is_finite = true;
  for (int32_t i = 0; i < n_logits; i++) is_finite = is_finite && isfinite(logits[i]);
  TAP_OK(is_finite, "a random model gives finite logits");
  atl_transformer_destroy(&transformer);
}

static atl_status_t write_tiny(atl_dtype_t storage, const char *path) {
  return atl_random_model_write(&(atl_random_model_t){.shape = "tiny", .storage = storage, .directory = path});
}

static void test_model(const char *folder) {
  char first[512], second[512];
  atl_model_t *model, *again;
  snprintf(first, sizeof first, "%s/first", folder);
  snprintf(second, sizeof second, "%s/second", folder);
  TAP_STATUS(ATL_OK, write_tiny(ATL_BF16, first), "a tiny model is written");
  TAP_STATUS(ATL_INPUT, write_tiny(ATL_BF16, first), "an existing directory is not overwritten");
  TAP_STATUS(ATL_OK, write_tiny(ATL_BF16, second), "the same model is written a second time");
  if (TAP_STATUS(ATL_OK, atl_model_open(first, &model), "the first model opens")) {
    test_run(model);
    if (TAP_STATUS(ATL_OK, atl_model_open(second, &again), "the second model opens")) {
      TAP_OK(strcmp(model->digest, again->digest) == 0, "both models have the same digest");
      atl_model_destroy(&again);
    }
    atl_model_destroy(&model);
  }
  TAP_STATUS(ATL_OK, atl_file_remove_directory(first), "the first model is removed");
  TAP_STATUS(ATL_OK, atl_file_remove_directory(second), "the second model is removed");
}

int main(void) {
  char folder[] = "/tmp/atelier-random-XXXXXX";
  test_shapes();
  if (mkdtemp(folder) == NULL) return 1;
  test_model(folder);
  rmdir(folder);
  TAP_OK(atl_memory_in_use_bytes() == 0, "no memory is leaked");
  return tap_done();
}
