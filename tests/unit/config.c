// TEST np=1
/* Configurations survive a round trip through JSON, and a field that is missing, mistyped or out of range is named. */
#include "model/checkpoint/config.h"

#include <string.h>

#include "common/memory.h"
#include "tests/support/tap.h"

static const atl_transformer_config_t good_transformer = {
    .width = 64,
    .n_layers = 3,
    .n_heads = 2,
    .head_size = 32,
    .text_length = 8,
    .n_text_tokens = 120,
    .image_side = 4,
    .n_image_tokens = 96,
    .shift_tokens = true,
    .rotary = true,
    .attention = {ATL_ATTENTION_FULL, ATL_ATTENTION_CONV_LIKE, ATL_ATTENTION_FULL},
    .attention_owner = {0, 1, 0},
    .feed_forward_owner = {0, 1, 1}};
static const atl_vae_config_t good_vae = {32, 3, 1, 96, 48, 32, 3, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}};
static const atl_clip_config_t good_vit = {.embedding_width = 48,
                                           .image_size = 32,
                                           .vision_width = 64,
                                           .vision_layers = 2,
                                           .patch_size = 8,
                                           .vision_heads = 1,
                                           .context_length = 16,
                                           .vocabulary = 200,
                                           .text_width = 64,
                                           .text_heads = 1,
                                           .text_layers = 2};

static void test_round_trips(void) {
  json_t *object;
  atl_transformer_config_t transformer;
  TAP_STATUS(ATL_OK, atl_transformer_config_to_json(&good_transformer, &object),
             "a transformer's configuration is written as JSON");
  TAP_STATUS(ATL_OK, atl_transformer_config_from_json(object, "m", &transformer),
             "a transformer's configuration is read from JSON");
  TAP_OK(memcmp(&transformer, &good_transformer, sizeof transformer) == 0,
         "a transformer's configuration is unchanged by the round trip");
  json_decref(object);
  atl_vae_config_t vae;
  TAP_STATUS(ATL_OK, atl_vae_config_to_json(&good_vae, &object), "a dVAE's configuration is written as JSON");
  TAP_STATUS(ATL_OK, atl_vae_config_from_json(object, "m", &vae), "a dVAE's configuration is read from JSON");
  TAP_OK(memcmp(&vae, &good_vae, sizeof vae) == 0, "a dVAE's configuration is unchanged by the round trip");
  json_decref(object);
  atl_clip_config_t clip;
  TAP_STATUS(ATL_OK, atl_clip_config_to_json(&good_vit, &object), "a ViT CLIP's configuration is written as JSON");
  TAP_STATUS(ATL_OK, atl_clip_config_from_json(object, "m", &clip), "a ViT CLIP's configuration is read from JSON");
  TAP_OK(memcmp(&clip, &good_vit, sizeof clip) == 0, "a ViT CLIP's configuration is unchanged by the round trip");
  json_decref(object);
  atl_clip_config_t resnet = {.is_resnet = true,
                              .embedding_width = 1024,
                              .image_size = 224,
                              .vision_width = 64,
                              .vision_blocks = {3, 4, 6, 3},
                              .vision_heads = 32,
                              .context_length = 77,
                              .vocabulary = 49408,
                              .text_width = 512,
                              .text_heads = 8,
                              .text_layers = 12};
  TAP_STATUS(ATL_OK, atl_clip_config_to_json(&resnet, &object), "a ResNet CLIP's configuration is written as JSON");
  TAP_STATUS(ATL_OK, atl_clip_config_from_json(object, "m", &clip), "a ResNet CLIP's configuration is read from JSON");
  TAP_OK(memcmp(&clip, &resnet, sizeof clip) == 0, "a ResNet CLIP's configuration is unchanged by the round trip");
  json_decref(object);
}

/* Changes one field of the good transformer object, or removes it (text NULL), and expects `words` in the message. */
static void refuse(const char *field, const char *text, const char *words) {
  json_t *object;
  atl_transformer_config_t config;
  if (atl_transformer_config_to_json(&good_transformer, &object) != ATL_OK) return;
  if (text == NULL)
    json_object_del(object, field);
  else
    json_object_set_new(object, field, json_loads(text, JSON_DECODE_ANY, NULL));
  atl_status_t status = atl_transformer_config_from_json(object, "model.json", &config);
  bool is_named = strstr(atl_status_message(), words) != NULL && strstr(atl_status_message(), "model.json") != NULL;
  if (!TAP_OK(status != ATL_OK && is_named, words)) printf("# %s: %s\n", field, atl_status_message());
  json_decref(object);
}

static void test_transformer_refusals(void) {
  refuse("width", NULL, "\"width\"");
  refuse("width", "0", "found 0");
  refuse("n_layers", "257", "from 1 to 256");
  refuse("n_layers", "2", "list of 2 items, found 3");
  refuse("head_size", "\"x\"", "\"head_size\" should be an integer, found a string");
  refuse("head_size", "5", "rotary positions need a head size of 6");
  refuse("n_heads", "4096", "wider than");
  refuse("rotary", "1", "\"rotary\" should be true or false");
  refuse("attention", "[\"full\", \"sparse\", \"full\"]", "attention of layer 1");
  refuse("attention", "[\"full\", 3, \"full\"]", "found no text");
  refuse("attention", "[\"full\", \"full\", \"axial_row\"]", "must be of the same kind");
  refuse("attention_owner", "[0, 2, 2]", "shares the weights of");
  refuse("attention_owner", "[0, -1, 2]", "item 1 of \"attention_owner\"");
  refuse("feed_forward_owner", "[0, 0, 1]", "must come first and own theirs");
}

static void test_other_refusals(void) {
  atl_vae_config_t vae = good_vae;
  vae.image_size = 48;
  TAP_STATUS(ATL_INPUT, atl_vae_config_check(&vae, "m"), "an image size that is not a power of 2 is refused");
  vae.image_size = 4;
  TAP_STATUS(ATL_INPUT, atl_vae_config_check(&vae, "m"),
             "an image size that cannot be halved n_layers times is refused");
  vae = good_vae;
  vae.std[2] = 0;
  TAP_STATUS(ATL_INPUT, atl_vae_config_check(&vae, "m"), "a standard deviation of zero is refused");
  atl_clip_config_t clip = good_vit;
  clip.text_heads = 3;
  TAP_STATUS(ATL_INPUT, atl_clip_config_check(&clip, "m"), "heads that do not divide the width are refused");
  clip = good_vit;
  clip.patch_size = 5;
  TAP_STATUS(ATL_INPUT, atl_clip_config_check(&clip, "m"), "patches that do not tile the image are refused");
  TAP_STATUS(ATL_INPUT, atl_clip_config_from_json(NULL, "m", &clip), "a missing configuration is refused");
}

int main(void) {
  test_round_trips();
  test_transformer_refusals();
  test_other_refusals();
  TAP_OK(atl_memory_in_use_bytes() == 0, "no memory is leaked");
  return tap_done();
}
