/* Files are read through zlib, which passes uncompressed ones through. A JSON object is a tokenizer.json; any other
 * file must be merges. The length of texts is bounded, so no prompt takes long to encode. */
#include "model/tokenizer/tokenizer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/file.h"
#include "common/memory.h"
#include "common/utf8.h"
#include "model/tokenizer/tokenizer_private.h"

/* Tokenizer files compress 3 to 5 times; the largest have about 30 MiB. */
enum {
  MAX_FILE_BYTES = 64 << 20,
  MAX_EXPANSION = 32,
  EXPANSION_BASE = 1 << 20,
  MAX_TEXT_BYTES = 1 << 16,
  READ_BYTES = 1 << 18
};

struct atl_tokenizer {
  atl_clip_bpe_t *clip; /* one of the two is NULL */
  atl_huggingface_t *hf;
  int32_t start_id, end_id; /* -1: the vocabulary has none */
  atl_ids_t ids;
  atl_text_t text;
};

/* Reads and unpacks at most max_bytes. */
static atl_status_t read_all(gzFile file, const char *path, size_t max_bytes, atl_text_t *contents) {
  char *block;
  ATL_TRY(ATL_NEW(READ_BYTES, &block));
  atl_status_t status = ATL_OK;
  int n;
  while (status == ATL_OK && (n = gzread(file, block, READ_BYTES)) > 0) {
    status = atl_text_append(contents, block, (size_t)n);
    if (status == ATL_OK && contents->n > max_bytes)
      status =
          ATL_FAIL(INPUT, "%s: expected a tokenizer of at most %zu MiB, unpacked, found more", path, max_bytes >> 20);
  }
  ATL_DESTROY(&block);
  ATL_TRY(status);
  int code, system_error = errno;
  const char *words = gzerror(file, &code);
  ATL_CHECK(code == Z_OK || code == Z_STREAM_END, INPUT, "%s: cannot be read: %s", path,
            code == Z_ERRNO ? strerror(system_error) : words);
  return ATL_OK;
}

static atl_status_t read_file(const char *path, atl_text_t *contents) {
  ATL_TRY(atl_text_reset(contents));
  int descriptor;
  size_t n_bytes;
  ATL_TRY(atl_file_open(path, &descriptor, &n_bytes));
  gzFile file = gzdopen(descriptor, "rb");
  if (file == NULL) close(descriptor);
  ATL_CHECK(file != NULL, MEMORY, "%s: no memory to unpack it with", path);
  size_t max_bytes =
      n_bytes < MAX_FILE_BYTES / MAX_EXPANSION ? n_bytes * MAX_EXPANSION + EXPANSION_BASE : MAX_FILE_BYTES;
  atl_status_t status = read_all(file, path, max_bytes, contents);
  gzclose(file);
  return status;
}

static bool is_json(const atl_text_t *contents) {
  size_t i = strspn(contents->bytes, " \t\r\n");
  return contents->bytes[i] == '{';
}

static atl_status_t open_contents(const atl_text_t *contents, const char *path, atl_tokenizer_t *t) {
  if (is_json(contents)) {
    ATL_TRY(atl_huggingface_new(contents->bytes, contents->n, path, &t->hf));
    t->start_id = atl_huggingface_added(t->hf, "<|startoftext|>");
    t->end_id = atl_huggingface_added(t->hf, "<|endoftext|>");
    return ATL_OK;
  }
  ATL_TRY(atl_clip_bpe_new(contents->bytes, contents->n, path, &t->clip));
  t->end_id = atl_clip_bpe_n_ids(t->clip) - 1;
  t->start_id = t->end_id - 1;
  return ATL_OK;
}

atl_status_t atl_tokenizer_open(const char *path, atl_tokenizer_t **tokenizer) {
  *tokenizer = NULL;
  atl_text_t contents = {0};
  atl_status_t status = read_file(path, &contents);
  if (status == ATL_OK) status = ATL_NEW(1, tokenizer);
  if (status == ATL_OK) status = open_contents(&contents, path, *tokenizer);
  atl_text_clear(&contents);
  if (status != ATL_OK) atl_tokenizer_destroy(tokenizer);
  ATL_TRY(status);
  return ATL_OK;
}

void atl_tokenizer_destroy(atl_tokenizer_t **tokenizer) {
  atl_tokenizer_t *t = *tokenizer;
  if (t == NULL) return;
  atl_clip_bpe_destroy(&t->clip);
  atl_huggingface_destroy(&t->hf);
  atl_ids_clear(&t->ids);
  atl_text_clear(&t->text);
  ATL_DESTROY(tokenizer);
}

int32_t atl_tokenizer_n_ids(const atl_tokenizer_t *t) {
  return t->clip ? atl_clip_bpe_n_ids(t->clip) : atl_huggingface_n_ids(t->hf);
}

atl_status_t atl_tokenizer_encode(atl_tokenizer_t *t, const char *text, const int32_t **ids, size_t *n_ids) {
  size_t n = strlen(text), bad = atl_utf8_find_error(text, n);
  ATL_CHECK(n <= MAX_TEXT_BYTES, INPUT, "expected a text of at most %d bytes, found %zu", MAX_TEXT_BYTES, n);
  ATL_CHECK(bad == n, INPUT,
            "expected UTF-8 text, but byte %zu (0x%02x) is malformed; convert it, for example with iconv -t UTF-8", bad,
            (unsigned)(unsigned char)text[bad]);
  t->ids.n = 0;
  ATL_TRY(t->clip ? atl_clip_bpe_encode(t->clip, text, n, &t->ids) : atl_huggingface_encode(t->hf, text, n, &t->ids));
  *ids = t->ids.items;
  *n_ids = t->ids.n;
  return ATL_OK;
}

atl_status_t atl_tokenizer_decode(atl_tokenizer_t *t, const int32_t *ids, size_t n_ids, const char **text) {
  while (t->clip && n_ids > 0 && ids[n_ids - 1] == 0) n_ids--;
  ATL_TRY(atl_text_reset(&t->text));
  ATL_TRY(t->clip ? atl_clip_bpe_decode(t->clip, ids, n_ids, &t->text)
                  : atl_huggingface_decode(t->hf, ids, n_ids, &t->text));
  *text = t->text.bytes;
  return ATL_OK;
}

/* out(length) <- zeros with up to length - n_before - n_after ids at n_before; *n_used is the number of ids. The caller
 * fills the positions around them. */
static atl_status_t fill(atl_tokenizer_t *t, const char *text, bool truncate, int32_t *out, int32_t length,
                         int32_t n_before, int32_t n_after, int32_t *n_used) {
  const int32_t *ids;
  size_t n;
  ATL_TRY(atl_tokenizer_encode(t, text, &ids, &n));
  ATL_CHECK(n > 0, INPUT, "the text is empty: expected at least one token, found none in \"%.60s\"", text);
  size_t room = length > n_before + n_after ? (size_t)(length - n_before - n_after) : 0;
  ATL_CHECK(truncate || n <= room, INPUT,
            "the text has %zu tokens, the model takes %zu; shorten it or try --truncate: \"%.60s\"", n, room, text);
  if (n > room) n = room;
  memset(out, 0, (size_t)length * sizeof *out);
  if (n > 0) memcpy(out + n_before, ids, n * sizeof *out);
  *n_used = (int32_t)n;
  return ATL_OK;
}

atl_status_t atl_tokenizer_fill(atl_tokenizer_t *t, const char *text, bool truncate, int32_t *out, int32_t length) {
  int32_t n_used;
  return fill(t, text, truncate, out, length, 0, 0, &n_used);
}

atl_status_t atl_tokenizer_fill_clip(atl_tokenizer_t *t, const char *text, bool truncate, int32_t *out,
                                     int32_t length) {
  int32_t n_used;
  ATL_CHECK(t->start_id >= 0 && t->end_id >= 0, UNSUPPORTED,
            "CLIP needs a tokenizer with <|startoftext|> and <|endoftext|>; this one does not have both");
  ATL_ASSERT(length >= 2);
  ATL_TRY(fill(t, text, truncate, out, length, 1, 1, &n_used));
  out[0] = t->start_id;
  out[n_used + 1] = t->end_id;
  return ATL_OK;
}
