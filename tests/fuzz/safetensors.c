// TEST np=1
/* Damaged safetensors files: headers, sizes and offsets. The seeds are created here. */
#include "common/safetensors.h"

#include "tests/support/mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  atl_safetensors_t *file;
  if (atl_safetensors_open_bytes(data, n, "fuzz", &file) != ATL_OK) return 0;
  mutate_n_read++;
  for (size_t i = 0; i < atl_safetensors_n_tensors(file); i++) {
    const atl_tensor_t *tensor = atl_safetensors_get(file, i);
    size_t n_items;
    float value;
    if (atl_tensor_n_items(tensor, &n_items) != ATL_OK || n_items == 0) continue;
    atl_tensor_get_f32(tensor, 0, 1, &value);
    atl_tensor_get_f32(tensor, n_items - 1, 1, &value);
    if (atl_safetensors_find(file, tensor->name) == NULL) abort();
  }
  atl_safetensors_metadata(file, "format");
  atl_safetensors_destroy(&file);
  return 0;
}

/* u64 header size, header, zeros. */
static void add_header(mutate_corpus_t *corpus, const char *header, size_t n_data) {
  uint8_t bytes[2048] = {0};
  size_t n = strlen(header);
  ATL_ASSERT(8 + n + n_data <= sizeof bytes);
  bytes[0] = (uint8_t)n;
  bytes[1] = (uint8_t)(n >> 8);
  memcpy(bytes + 8, header, n);
  mutate_add_seed(corpus, bytes, 8 + n + n_data);
}

static void add_seeds(mutate_corpus_t *corpus) {
  add_header(corpus, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24);
  add_header(corpus,
             "{\"__metadata__\":{\"format\":\"pt\"},\"w.x\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[0,8]},"
             "\"w.y\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[8,16]},"
             "\"none\":{\"dtype\":\"U8\",\"shape\":[0,7],\"data_offsets\":[16,16]},"
             "\"flag\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[16,19]}}  ",
             19);
  add_header(corpus, "{}", 0);
  add_header(corpus,
             "{\"d\":{\"dtype\":\"F64\",\"shape\":[1,1,1,1,1,1,1,2],\"data_offsets\":[0,16]},\"\\u00e9\":"
             "{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[16,26]}}",
             26);
}

/* A tensor takes at least 40 bytes of header, and 512 of memory with its name and its slot in the hash table. */
MUTATE_MAIN(add_seeds, 1 << 18, 64)
