// TEST np=1
/* Damaged tokenizers: CLIP's merges, plain and gzipped, and tokenizer.json. Those that open encode and decode a
 * text. */
#include "model/tokenizer/tokenizer.h"

#include <sys/mman.h>
#include <zlib.h>

#include "tests/support/mutate.h"

static void use(atl_tokenizer_t *tokenizer) {
  mutate_n_read++;
  const int32_t *ids;
  size_t n;
  const char *text;
  int32_t filled[16];
  if (atl_tokenizer_encode(tokenizer, "The red heart's 12 &amp; gr\xc3\xbc\xc3\x9f", &ids, &n) == ATL_OK) {
    int32_t few[8];
    n = n < 8 ? n : 8;
    memcpy(few, ids, n * sizeof few[0]);
    atl_tokenizer_decode(tokenizer, few, n, &text);
  }
  const int32_t every[] = {0, 1, 97, 300, 511, 512, 513, atl_tokenizer_n_ids(tokenizer) - 1};
  atl_tokenizer_decode(tokenizer, every, sizeof every / sizeof every[0], &text);
  atl_tokenizer_fill(tokenizer, "heart the red", true, filled, 16);
  atl_tokenizer_fill_clip(tokenizer, "heart the red", true, filled, 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char path[64];
  int descriptor = memfd_create("fuzz", 0);
  if (descriptor < 0 || write(descriptor, data, n) != (ssize_t)n) abort();
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  atl_tokenizer_t *tokenizer;
  if (atl_tokenizer_open(path, &tokenizer) == ATL_OK) use(tokenizer);
  atl_tokenizer_destroy(&tokenizer);
  close(descriptor);
  return 0;
}

static void add_text(mutate_corpus_t *corpus, const char *text) {
  mutate_add_seed(corpus, text, strlen(text));
  uint8_t packed[2048];
  z_stream stream = {.next_in = (Bytef *)text, .avail_in = (uInt)strlen(text), .next_out = packed};
  stream.avail_out = sizeof packed;
  if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return; /* 16: gzip */
  if (deflate(&stream, Z_FINISH) == Z_STREAM_END) mutate_add_seed(corpus, packed, stream.total_out);
  deflateEnd(&stream);
}

static void add_seeds(mutate_corpus_t *corpus) {
  add_text(corpus, "#version: 0.2\na r\nr e\nre d</w>\nh e\nhe a\nhea r\nhear t</w>\ni n\nt h\nth e</w>\n");
  add_text(corpus, "\"bpe_simple_vocab_16e6.txt#version: 0.2\ni n\nt h\n\xc3\xa0 \xc3\xa1</w>\ni n</w>\nin g</w>\n");
  add_text(corpus, "#version: 0.2\n");
  add_text(corpus,
           "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":9,\"content\":\"<|endoftext|>\",\"special\":true,"
           "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false}],"
           "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Lowercase\"}]},"
           "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true},"
           "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"unk_token\":null,\"vocab\":"
           "{\"h\":0,\"e\":1,\"a\":2,\"r\":3,\"t\":4,\"he\":5,\"ar\":6,\"hear\":7,\"hea\":8},"
           "\"merges\":[\"h e\",\"a r\",\"he ar\"]}}");
  add_text(corpus, "{\"added_tokens\":[],\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s+\"},"
                   "\"content\":\" \"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
                   "\"pattern\":{\"Regex\":\"'s|[\\\\p{L}]+|[\\\\p{N}]|[^\\\\s\\\\p{L}\\\\p{N}]+\"},"
                   "\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\"}]},\"model\":{\"type\":\"BPE\","
                   "\"end_of_word_suffix\":\"</w>\",\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b</w>\":2,"
                   "\"ab</w>\":3},\"merges\":[[\"a\",\"b</w>\"]]}}");
}

/* A gzip file unpacks up to 1032 to 1; a line of merges is at least four bytes and takes about 200 in the tables. The
 * base is the block that files are read in, CLIP's 512 symbols, and an id up to ATL_MAX_IDS in the table of ids. */
MUTATE_MAIN(add_seeds, 32 << 20, 1032 * 64)
