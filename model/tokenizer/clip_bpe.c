/* CLIP's vocabulary follows from its merges: the 256 stand-ins for bytes, the same with "</w>" (end of a word), the
 * result of each merge, the start token, the end token. The file has a version line, then one merge per line. Merges
 * after the first 48,894 are ignored, so the 262,145 lines of the published file give a vocabulary of 49,408. */
#include <string.h>

#include "common/memory.h"
#include "common/utf8.h"
#include "model/tokenizer/clean.h"
#include "model/tokenizer/split.h"
#include "model/tokenizer/tokenizer_private.h"

enum { N_BYTES = 256, MAX_MERGES = 49152 - N_BYTES - 2 };

static const char end_of_word[] = "</w>", start_token[] = "<|startoftext|>", end_token[] = "<|endoftext|>";

/* Cleaning has collapsed white space to single spaces. No alternative matches U+0345, a mark that case folding maps to
 * iota, because the reference's pattern does not match it either. */
static const char word_pattern[] =
    "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^ \\p{L}\\p{N}\\x{345}]+";

struct atl_clip_bpe {
  atl_bpe_t *bpe;
  atl_split_t *split;
  int32_t inside[N_BYTES], last[N_BYTES]; /* by byte: its symbol inside a word, and at the end of one */
  int32_t start_id, end_id;
  atl_text_t cleaned;
  atl_ids_t word;
};

/* Adds symbols 0..255 (or 256..511, with "</w>", if is_last). Bytes that stand for themselves come first. */
static atl_status_t add_bytes(atl_clip_bpe_t *clip, bool is_last, atl_text_t *text, int32_t *id) {
  uint32_t codes[N_BYTES];
  atl_bpe_byte_codes(codes);
  for (int pass = 0; pass < 2; pass++)
    for (int byte = 0; byte < N_BYTES; byte++) {
      if ((codes[byte] >= N_BYTES) != pass) continue;
      ATL_TRY(atl_text_reset(text));
      ATL_TRY(atl_text_append_code(text, codes[byte]));
      if (is_last) ATL_TRY(atl_text_append(text, end_of_word, sizeof end_of_word - 1));
      int32_t *symbol = is_last ? &clip->last[byte] : &clip->inside[byte];
      ATL_TRY(atl_bpe_add_symbol(clip->bpe, text->bytes, text->n, (*id)++, symbol));
    }
  return ATL_OK;
}

/* A side of a merge may be a text that no earlier line produces. The merge then never applies, but its sides still need
 * symbols. */
static atl_status_t symbol_of(atl_clip_bpe_t *clip, const char *text, size_t n, int32_t id, int32_t *symbol) {
  *symbol = atl_bpe_find(clip->bpe, text, n);
  if (*symbol < 0) ATL_TRY(atl_bpe_add_symbol(clip->bpe, text, n, id, symbol));
  return ATL_OK;
}

static atl_status_t add_merge(atl_clip_bpe_t *clip, const char *line, size_t n, const char *where, int32_t n_line,
                              atl_text_t *text, int32_t id) {
  const char *space = memchr(line, ' ', n);
  size_t n_left = space ? (size_t)(space - line) : 0, n_right = space ? n - n_left - 1 : 0;
  ATL_CHECK(n_left > 0 && n_right > 0 && memchr(space + 1, ' ', n_right) == NULL, INPUT,
            "%s, line %d: expected a merge, two symbols separated by a space, found '%.*s'", where, n_line,
            (int)(n < 60 ? n : 60), line);
  int32_t left, right, merged;
  ATL_TRY(symbol_of(clip, line, n_left, id, &left));
  ATL_TRY(symbol_of(clip, space + 1, n_right, id, &right));
  ATL_TRY(atl_text_reset(text));
  ATL_TRY(atl_text_append(text, line, n_left));
  ATL_TRY(atl_text_append(text, space + 1, n_right));
  ATL_TRY(atl_bpe_add_symbol(clip->bpe, text->bytes, text->n, id, &merged));
  return atl_bpe_add_merge(clip->bpe, left, right, merged);
}

static atl_status_t add_merges(atl_clip_bpe_t *clip, const char *contents, size_t n, const char *where,
                               atl_text_t *text, int32_t *id) {
  size_t i = 0;
  for (int32_t n_line = 1; i < n && n_line <= MAX_MERGES + 1; n_line++) {
    const char *newline = memchr(contents + i, '\n', n - i);
    size_t n_bytes = newline ? (size_t)(newline - contents) - i : n - i;
    const char *line = contents + i;
    i += n_bytes + 1;
    if (n_bytes > 0 && line[n_bytes - 1] == '\r') n_bytes--;
    if (n_line > 1) ATL_TRY(add_merge(clip, line, n_bytes, where, n_line, text, (*id)++));
  }
  ATL_CHECK(*id > 2 * N_BYTES, INPUT, "%s: expected merges after the version line, found none", where);
  return ATL_OK;
}

static atl_status_t fill(atl_clip_bpe_t *clip, const char *contents, size_t n, const char *where, atl_text_t *text) {
  size_t bad = atl_utf8_find_error(contents, n);
  const char *newline = n ? memchr(contents, '\n', n) : NULL;
  ATL_CHECK(newline != NULL && memmem(contents, (size_t)(newline - contents), "#version", 8) != NULL, INPUT,
            "%s: expected a tokenizer: merges whose first line contains '#version', plain or .gz, or a tokenizer.json",
            where);
  ATL_CHECK(bad == n, INPUT, "%s: expected UTF-8, but byte %zu is malformed", where, bad);
  int32_t id = 0;
  ATL_TRY(atl_bpe_new(true, &clip->bpe));
  ATL_TRY(add_bytes(clip, false, text, &id));
  ATL_TRY(add_bytes(clip, true, text, &id));
  ATL_TRY(add_merges(clip, contents, n, where, text, &id));
  clip->start_id = id++;
  clip->end_id = id;
  ATL_TRY(atl_bpe_add_symbol(clip->bpe, start_token, sizeof start_token - 1, clip->start_id, NULL));
  ATL_TRY(atl_bpe_add_symbol(clip->bpe, end_token, sizeof end_token - 1, clip->end_id, NULL));
  return atl_split_new(word_pattern, true, where, &clip->split);
}

atl_status_t atl_clip_bpe_new(const char *contents, size_t n, const char *where, atl_clip_bpe_t **clip) {
  ATL_TRY(ATL_NEW(1, clip));
  atl_text_t text = {0};
  atl_status_t status = fill(*clip, contents, n, where, &text);
  atl_text_clear(&text);
  if (status != ATL_OK) atl_clip_bpe_destroy(clip);
  ATL_TRY(status);
  return ATL_OK;
}

void atl_clip_bpe_destroy(atl_clip_bpe_t **clip) {
  atl_clip_bpe_t *c = *clip;
  if (c == NULL) return;
  atl_bpe_destroy(&c->bpe);
  atl_split_destroy(&c->split);
  atl_text_clear(&c->cleaned);
  atl_ids_clear(&c->word);
  ATL_DESTROY(clip);
}

int32_t atl_clip_bpe_n_ids(const atl_clip_bpe_t *clip) { return clip->end_id + 1; }

static bool is_text(const char *piece, size_t n, const char *text) {
  return n == strlen(text) && memcmp(piece, text, n) == 0;
}

static atl_status_t encode_piece(atl_clip_bpe_t *clip, const char *piece, size_t n, atl_ids_t *ids) {
  if (is_text(piece, n, start_token)) return atl_ids_append(ids, clip->start_id);
  if (is_text(piece, n, end_token)) return atl_ids_append(ids, clip->end_id);
  clip->word.n = 0;
  for (size_t i = 0; i < n; i++) {
    unsigned char byte = (unsigned char)piece[i];
    ATL_TRY(atl_ids_append(&clip->word, i + 1 < n ? clip->inside[byte] : clip->last[byte]));
  }
  ATL_TRY(atl_bpe_merge(clip->bpe, &clip->word));
  for (size_t i = 0; i < clip->word.n; i++) ATL_TRY(atl_ids_append(ids, atl_bpe_id(clip->bpe, clip->word.items[i])));
  return ATL_OK;
}

atl_status_t atl_clip_bpe_encode(atl_clip_bpe_t *clip, const char *text, size_t n, atl_ids_t *ids) {
  ATL_TRY(atl_text_reset(&clip->cleaned));
  ATL_TRY(atl_clean_text(text, n, &clip->cleaned));
  const atl_text_t *cleaned = &clip->cleaned;
  size_t start, end = 0;
  for (bool is_found = true;;) {
    ATL_TRY(atl_split_next(clip->split, cleaned->bytes, cleaned->n, &start, &end, &is_found));
    if (!is_found) return ATL_OK;
    ATL_TRY(encode_piece(clip, cleaned->bytes + start, end - start, ids));
  }
}

/* Every "</w>" becomes a space, even one that was in the text. */
static atl_status_t append_words(const char *text, size_t n, atl_text_t *out) {
  for (size_t i = 0; i < n;) {
    const char *mark = memmem(text + i, n - i, end_of_word, sizeof end_of_word - 1);
    size_t end = mark ? (size_t)(mark - text) : n;
    ATL_TRY(atl_text_append_lossy(out, text + i, end - i));
    if (mark == NULL) break;
    ATL_TRY(atl_text_append(out, " ", 1));
    i = end + sizeof end_of_word - 1;
  }
  return ATL_OK;
}

atl_status_t atl_clip_bpe_decode(const atl_clip_bpe_t *clip, const int32_t *ids, size_t n, atl_text_t *text) {
  atl_text_t bytes = {0};
  atl_status_t status = ATL_OK;
  for (size_t i = 0; i < n && status == ATL_OK; i++) {
    size_t n_bytes;
    const char *symbol = atl_bpe_text(clip->bpe, ids[i], &n_bytes);
    status = symbol != NULL ? atl_bpe_append_bytes(symbol, n_bytes, &bytes)
                            : ATL_FAIL(INPUT, "id %d: expected one below %d", ids[i], atl_clip_bpe_n_ids(clip));
  }
  if (status == ATL_OK) status = append_words(bytes.bytes, bytes.n, text);
  atl_text_clear(&bytes);
  return status;
}
