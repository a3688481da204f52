// TEST np=1
/* Saved tensors read back unchanged, and malformed headers are rejected. */
#include "common/safetensors.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "tests/support/tap.h"

/* Opens a file with this header and n_data bytes of zeros; returns the status. */
static atl_status_t open_header(const char *header, size_t n_data) {
  static unsigned char bytes[4096];
  size_t n = strlen(header);
  memset(bytes, 0, sizeof bytes);
  for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)(n >> (8 * i));
  memcpy(bytes + 8, header, n);
  atl_safetensors_t *file;
  atl_status_t status = atl_safetensors_open_bytes(bytes, 8 + n + n_data, "t.safetensors", &file);
  atl_safetensors_destroy(&file);
  return status;
}

#define ENTRY(dtype, shape, offsets)                                                                                   \
  "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void test_malformed(void) {
  static const struct {
    const char *header;
    size_t n_data;
    atl_status_t want;
    const char *name;
  } cases[] = {
      {"{}", 0, ATL_OK, "a file without tensors is valid"},
      {"{}   ", 0, ATL_OK, "spaces after the header are padding"},
      {ENTRY("F32", "[2]", "[0,8]"), 8, ATL_OK, "two floats"},
      {ENTRY("F32", "[]", "[0,4]"), 4, ATL_OK, "a scalar"},
      {ENTRY("F32", "[0,3]", "[0,0]"), 0, ATL_OK, "an empty tensor"},
      {ENTRY("F32", "[2]", "[0,8]"), 7, ATL_INPUT, "data cut by one byte"},
      {ENTRY("F32", "[2]", "[0,8]"), 9, ATL_INPUT, "a byte after the last tensor"},
      {ENTRY("F32", "[2]", "[4,12]"), 12, ATL_INPUT, "a gap before the first tensor"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
       "\"data_offsets\":[3,5]}}",
       5, ATL_INPUT, "a gap between tensors"},
      {"{}", 1, ATL_INPUT, "a byte of data without tensors"},
      {ENTRY("F32", "[2]", "[0,12]"), 12, ATL_INPUT, "more bytes than the shape"},
      {ENTRY("F32", "[3]", "[0,8]"), 8, ATL_INPUT, "fewer bytes than the shape"},
      {ENTRY("F32", "[2]", "[8,0]"), 8, ATL_INPUT, "end before begin"},
      {ENTRY("F32", "[2]", "[-8,0]"), 8, ATL_INPUT, "a negative begin"},
      {ENTRY("F32", "[2]", "[0]"), 8, ATL_INPUT, "one offset"},
      {ENTRY("F32", "[2]", "[0,8.0]"), 8, ATL_INPUT, "an offset with a fraction"},
      {ENTRY("F32", "[-2]", "[0,8]"), 8, ATL_INPUT, "a negative size"},
      {ENTRY("F32", "[4294967296,4294967296]", "[0,0]"), 0, ATL_INPUT, "a product that overflows to zero"},
      {ENTRY("F64", "[2305843009213693952]", "[0,0]"), 0, ATL_INPUT, "bytes that overflow to zero"},
      {ENTRY("F32", "[9223372036854775808]", "[0,8]"), 8, ATL_INPUT, "a size beyond 64 bits"},
      {ENTRY("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, ATL_INPUT, "nine dimensions"},
      {ENTRY("F32", "2", "[0,8]"), 8, ATL_INPUT, "a shape that is not a list"},
      {ENTRY("F32", "[\"2\"]", "[0,8]"), 8, ATL_INPUT, "a size that is a string"},
      {ENTRY("C64", "[1]", "[0,8]"), 8, ATL_UNSUPPORTED, "an unknown dtype"},
      {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, ATL_UNSUPPORTED, "no dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, ATL_INPUT, "no shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, ATL_INPUT, "no offsets"},
      {"{\"a\":7}", 4, ATL_INPUT, "an entry that is a number"},
      {"[1]", 0, ATL_INPUT, "a header that is a list"},
      {"{\"a\":", 0, ATL_INPUT, "JSON that stops"},
      {"", 0, ATL_INPUT, "an empty header"},
      {"{\"__metadata__\":{\"k\":1}}", 0, ATL_INPUT, "metadata that is a number"},
      {"{\"__metadata__\":[]}", 0, ATL_INPUT, "metadata that is a list"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
       "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}",
       8, ATL_INPUT, "tensors that overlap"},
      {"{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]},"
       "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
       8, ATL_OK, "tensors in another order than their data"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
       "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
       8, ATL_INPUT, "one name twice"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    TAP_STATUS(cases[i].want, open_header(cases[i].header, cases[i].n_data), cases[i].name);
}

static void test_lengths(void) {
  static const unsigned char huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
  atl_safetensors_t *file;
  TAP_STATUS(ATL_INPUT, atl_safetensors_open_bytes(huge, 16, "t", &file), "a header length of 2^64-1");
  for (size_t n = 0; n < 8; n++)
    if (atl_safetensors_open_bytes(huge, n, "t", &file) != ATL_INPUT) TAP_OK(0, "a file shorter than its length field");
  TAP_STATUS(ATL_INPUT, atl_safetensors_open("/nonexistent.safetensors", &file), "a missing file");
  TAP_OK(file == NULL, "leaves NULL");
}

/* A header of 100 MB and one byte, all zeros: untouched pages take no memory. */
static void test_long_header(void) {
  enum { N = 100000001 };
  unsigned char *bytes = calloc(N + 8, 1);
  atl_safetensors_t *file;
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)N >> (8 * i));
  TAP_STATUS(ATL_INPUT, atl_safetensors_open_bytes(bytes, N + 8, "t", &file), "a header longer than 100 MB");
  TAP_OK(strstr(atl_status_message(), "at most 100000000 bytes") != NULL, "is refused for its length");
  free(bytes);
}

static void check_written(const char *path, const float *numbers) {
  atl_safetensors_t *file;
  if (!TAP_STATUS(ATL_OK, atl_safetensors_open(path, &file), "what was written opens")) return;
  TAP_OK(atl_safetensors_n_tensors(file) == 3, "with its tensors");
  TAP_OK(strcmp(atl_safetensors_get(file, 1)->name, "second") == 0, "in their order");
  const atl_tensor_t *first = atl_safetensors_find(file, "first");
  TAP_OK(first != NULL && atl_tensor_has_shape(first, 2, (int64_t[]){2, 3}) && memcmp(first->data, numbers, 24) == 0,
         "and their values");
  TAP_OK((uintptr_t)first->data % 64 == 0, "the data begins at a multiple of 64");
  TAP_OK(atl_safetensors_find(file, "fourth") == NULL, "a name that is not there is not found");
  const char *value = atl_safetensors_metadata(file, "who");
  TAP_OK(value != NULL && strcmp(value, "we") == 0 && atl_safetensors_metadata(file, "x") == NULL, "and its metadata");
  atl_safetensors_destroy(&file);
}

static void test_round_trip(const char *path) {
  static const float numbers[6] = {1, -2, 0.1F, 65504, 1e-5F, 3};
  static const uint8_t bytes[3] = {1, 2, 3};
  const atl_tensor_t tensors[] = {
      {"first", ATL_F32, 2, {2, 3}, numbers}, {"second", ATL_U8, 1, {3}, bytes}, {"third", ATL_F32, 1, {0}, numbers}};
  static const atl_dtype_t stored[] = {ATL_F16, ATL_U8, ATL_BF16};
  const char *const metadata[][2] = {{"who", "we"}};
  TAP_STATUS(ATL_OK, atl_safetensors_save(path, tensors, 3, metadata, 1), "tensors are saved");
  check_written(path, numbers);
  TAP_STATUS(ATL_OK, atl_safetensors_save_as(path, tensors, stored, 3, NULL, 0), "tensors are saved as f16");
  atl_safetensors_t *file;
  TAP_STATUS(ATL_OK, atl_safetensors_open(path, &file), "which opens");
  float got[6];
  atl_tensor_get_f32(atl_safetensors_find(file, "first"), 0, 6, got);
  TAP_OK(atl_safetensors_find(file, "first")->dtype == ATL_F16, "with floats in f16");
  TAP_OK(atl_safetensors_find(file, "second")->dtype == ATL_U8, "and bytes as they were");
  TAP_CLOSE(got, numbers, 6, 5e-5, "f16 keeps 11 bits: half a unit of 0.1 is 3e-5");
  atl_safetensors_destroy(&file);
  const atl_tensor_t twice[] = {tensors[0], tensors[0]};
  TAP_STATUS(ATL_INTERNAL, atl_safetensors_save(path, twice, 2, NULL, 0), "one name twice is a bug of the caller");
  TAP_STATUS(ATL_IO, atl_safetensors_save("/nonexistent/x", tensors, 3, NULL, 0), "an unwritable path is reported");
}

static void test_many(const char *path) {
  enum { N = 5000 };
  static atl_tensor_t tensors[N];
  static char names[N][16];
  static const int32_t zero;
  for (int i = 0; i < N; i++) {
    snprintf(names[i], sizeof names[i], "t%d", i);
    tensors[i] = (atl_tensor_t){.name = names[i], .dtype = ATL_I32, .data = &zero};
  }
  atl_safetensors_t *file;
  TAP_STATUS(ATL_OK, atl_safetensors_save(path, tensors, N, NULL, 0), "five thousand tensors are saved");
  TAP_STATUS(ATL_OK, atl_safetensors_open(path, &file), "the file is opened");
  int n_found = 0;
  for (int i = 0; i < N; i++) {
    const atl_tensor_t *found = atl_safetensors_find(file, names[i]);
    n_found += found != NULL && strcmp(found->name, names[i]) == 0;
  }
  TAP_OK(n_found == N, "and each is found by its name");
  atl_safetensors_destroy(&file);
}

/* Opens every prefix of a file, and the file with every single bit flipped: no prefix may open, nothing may crash. */
static void test_damage(const char *path) {
  static const float numbers[4];
  const atl_tensor_t tensors[] = {{"x", ATL_F32, 2, {2, 2}, numbers}, {"y", ATL_F32, 0, {0}, numbers}};
  if (atl_safetensors_save(path, tensors, 2, NULL, 0) != ATL_OK) return;
  char *bytes;
  size_t n, n_opened = 0;
  atl_safetensors_t *file;
  if (atl_file_read(path, 4096, &bytes, &n) != ATL_OK) return;
  for (size_t cut = 0; cut < n; cut++) {
    n_opened += atl_safetensors_open_bytes(bytes, cut, "cut", &file) == ATL_OK;
    atl_safetensors_destroy(&file);
  }
  TAP_OK(n_opened == 0, "no prefix of a file opens");
  for (size_t bit = 0; bit < 8 * n; bit++) {
    bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    (void)atl_safetensors_open_bytes(bytes, n, "flipped", &file);
    atl_safetensors_destroy(&file);
    bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
  }
  TAP_OK(1, "no flipped bit crashes");
  ATL_DESTROY(&bytes);
}

static void test_no_memory(const char *path) {
  atl_status_t status = ATL_MEMORY;
  int64_t n = 0;
  atl_safetensors_t *file = NULL;
  while (status == ATL_MEMORY && n < 100) {
    atl_memory_fail_after(++n);
    status = atl_safetensors_open(path, &file);
  }
  atl_memory_fail_after(0);
  TAP_OK(status == ATL_OK && n > 1, "opening with the n-th allocation failing fails cleanly until it succeeds");
  atl_safetensors_destroy(&file);
}

int main(void) {
  char path[] = "/tmp/atelier-safetensors-XXXXXX";
  close(mkstemp(path));
  test_malformed();
  test_lengths();
  test_long_header();
  test_round_trip(path);
  test_many(path);
  test_damage(path);
  test_no_memory(path);
  unlink(path);
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is given back");
  return tap_done();
}
