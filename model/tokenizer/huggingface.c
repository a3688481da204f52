/* Encoding follows the tokenizers library: cut added tokens that are not normalised out of the raw text; normalise the
 * rest; cut added tokens that are normalised out of it; split the rest into words by the pre-tokenizer; merge each
 * word. Post-processors only add start and end tokens, which encode does not return. */
#include <string.h>

#include "common/memory.h"
#include "model/tokenizer/hf_steps.h"
#include "model/tokenizer/tokenizer_private.h"

typedef struct {
  const char *content; /* the text to look for; normalised if is_normalized */
  size_t n_bytes;
  int32_t id;
  bool is_special, is_normalized, strips_left, strips_right;
} added_t;

typedef enum { DECODER_NONE, DECODER_BYTE_LEVEL, DECODER_SUFFIX } decoder_t;

struct atl_huggingface {
  atl_arena_t arena;
  atl_hf_steps_t steps;
  atl_bpe_t *bpe;
  added_t *added; /* (n_added): longest first */
  size_t n_added;
  int32_t unknown; /* symbol of unk_token; -1: units outside the vocabulary are dropped */
  const char *word_suffix;
  bool ignore_merges; /* a word in the vocabulary is not split and merged */
  decoder_t decoder;
  const char *decoder_suffix;
  atl_text_t unit, normalized;
  atl_pieces_t pieces, spare;
  atl_ids_t word;
};

/* ---- reading ---- */

static bool is_set(const json_t *value) {
  if (value == NULL || json_is_null(value) || json_is_false(value)) return false;
  return !(json_is_string(value) && json_string_length(value) == 0) &&
         !(json_is_number(value) && json_number_value(value) == 0);
}

static atl_status_t read_text(atl_huggingface_t *hf, const json_t *object, const char *name, const char **text) {
  *text = "";
  const json_t *value = json_object_get(object, name);
  if (!json_is_string(value)) return ATL_OK;
  char *copy;
  ATL_TRY(atl_arena_strndup(&hf->arena, json_string_value(value), json_string_length(value), &copy));
  *text = copy;
  return ATL_OK;
}

static atl_status_t add_id(atl_huggingface_t *hf, const char *text, const json_t *id, const char *where) {
  json_int_t number = json_is_integer(id) ? json_integer_value(id) : -1;
  ATL_CHECK(number >= 0 && number < ATL_MAX_IDS, INPUT, "%s: expected an id from 0 to %d for \"%.40s\", found %lld",
            where, ATL_MAX_IDS - 1, text, (long long)number);
  size_t n;
  const char *holder = atl_bpe_text(hf->bpe, (int32_t)number, &n);
  ATL_CHECK(holder == NULL || (n == strlen(text) && memcmp(holder, text, n) == 0), INPUT,
            "%s: expected one text per id, found two with id %lld: \"%.*s\" and \"%.40s\"", where, (long long)number,
            holder ? (int)(n < 40 ? n : 40) : 0, holder ? holder : "", text);
  int32_t symbol = atl_bpe_find(hf->bpe, text, strlen(text));
  ATL_CHECK(symbol < 0 || atl_bpe_id(hf->bpe, symbol) == number, INPUT, "%s: \"%.40s\" has two ids", where, text);
  return atl_bpe_add_symbol(hf->bpe, text, strlen(text), (int32_t)number, NULL);
}

static atl_status_t read_vocabulary(atl_huggingface_t *hf, const json_t *model, const char *where) {
  json_t *vocabulary = json_object_get(model, "vocab"), *id;
  ATL_CHECK(json_is_object(vocabulary) && json_object_size(vocabulary) > 0, INPUT,
            "%s: expected an object \"vocab\" that maps texts to ids in \"model\"", where);
  const char *text;
  json_object_foreach(vocabulary, text, id) ATL_TRY(add_id(hf, text, id, where));
  return ATL_OK;
}

/* A merge is "left right" or, in newer files, ["left", "right"]. */
static bool parse_merge(const json_t *merge, const char *side[2], size_t n[2]) {
  if (json_is_string(merge)) {
    const char *space = strchr(json_string_value(merge), ' ');
    if (space == NULL || strchr(space + 1, ' ') != NULL) return false;
    side[0] = json_string_value(merge), n[0] = (size_t)(space - side[0]);
    side[1] = space + 1, n[1] = strlen(space + 1);
  } else {
    for (size_t i = 0; i < 2; i++) {
      const json_t *text = json_array_get(merge, i);
      if (!json_is_string(text) || json_array_size(merge) != 2) return false;
      side[i] = json_string_value(text), n[i] = json_string_length(text);
    }
  }
  return n[0] > 0 && n[1] > 0;
}

static atl_status_t read_merge(atl_huggingface_t *hf, const json_t *merge, size_t index, const char *where) {
  const char *side[2];
  size_t n[2];
  ATL_CHECK(parse_merge(merge, side, n), INPUT, "%s: merge %zu: expected \"left right\" or [\"left\", \"right\"]",
            where, index);
  ATL_TRY(atl_text_reset(&hf->unit));
  for (int i = 0; i < 2; i++) ATL_TRY(atl_text_append(&hf->unit, side[i], n[i]));
  int32_t left = atl_bpe_find(hf->bpe, side[0], n[0]), right = atl_bpe_find(hf->bpe, side[1], n[1]);
  int32_t merged = atl_bpe_find(hf->bpe, hf->unit.bytes, hf->unit.n);
  ATL_CHECK(left >= 0 && right >= 0 && merged >= 0, INPUT,
            "%s: merge %zu: expected \"%.*s\", \"%.*s\" and their concatenation in the vocabulary; one is missing",
            where, index, (int)(n[0] < 40 ? n[0] : 40), side[0], (int)(n[1] < 40 ? n[1] : 40), side[1]);
  return atl_bpe_add_merge(hf->bpe, left, right, merged);
}

static atl_status_t read_merges(atl_huggingface_t *hf, const json_t *model, const char *where) {
  const json_t *merges = json_object_get(model, "merges");
  ATL_CHECK(json_is_array(merges), INPUT, "%s: expected an array \"merges\" in \"model\"", where);
  for (size_t i = 0; i < json_array_size(merges); i++) {
    const json_t *merge = json_array_get(merges, i);
    if (json_is_string(merge) && strncmp(json_string_value(merge), "#version", 8) == 0) continue;
    ATL_TRY(read_merge(hf, merge, i, where));
  }
  return ATL_OK;
}

static atl_status_t read_model(atl_huggingface_t *hf, const json_t *root, const char *where) {
  const json_t *model = json_object_get(root, "model");
  ATL_CHECK(json_is_object(model), INPUT, "%s: expected a tokenizer.json with an object \"model\", found none", where);
  const char *type = json_string_value(json_object_get(model, "type"));
  bool is_bpe = type ? strcmp(type, "BPE") == 0 : json_object_get(model, "merges") != NULL;
  ATL_CHECK(is_bpe, UNSUPPORTED, "%s: a tokenizer of type %s; only BPE is supported", where, type ? type : "(none)");
  static const char *const unsupported[] = {"dropout", "continuing_subword_prefix", "byte_fallback", "fuse_unk"};
  for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++)
    ATL_CHECK(!is_set(json_object_get(model, unsupported[i])), UNSUPPORTED, "%s: BPE with \"%s\" set is not supported",
              where, unsupported[i]);
  hf->ignore_merges = is_set(json_object_get(model, "ignore_merges"));
  ATL_TRY(read_text(hf, model, "end_of_word_suffix", &hf->word_suffix));
  ATL_TRY(read_vocabulary(hf, model, where));
  ATL_TRY(read_merges(hf, model, where));
  const char *unknown;
  ATL_TRY(read_text(hf, model, "unk_token", &unknown));
  hf->unknown = *unknown ? atl_bpe_find(hf->bpe, unknown, strlen(unknown)) : -1;
  ATL_CHECK(*unknown == 0 || hf->unknown >= 0, INPUT,
            "%s: expected unk_token \"%.40s\" in the vocabulary, but it is missing", where, unknown);
  return ATL_OK;
}

static atl_status_t read_added(atl_huggingface_t *hf, const json_t *token, const char *where, added_t *added) {
  const char *content = json_string_value(json_object_get(token, "content"));
  ATL_CHECK(content && *content, INPUT, "%s: added_tokens: expected a string \"content\"", where);
  ATL_TRY(add_id(hf, content, json_object_get(token, "id"), where));
  ATL_CHECK(!is_set(json_object_get(token, "single_word")), UNSUPPORTED,
            "%s: added token \"%.40s\" with single_word set is not supported", where, content);
  *added = (added_t){.id = (int32_t)json_integer_value(json_object_get(token, "id")),
                     .is_special = is_set(json_object_get(token, "special")),
                     .is_normalized = is_set(json_object_get(token, "normalized")),
                     .strips_left = is_set(json_object_get(token, "lstrip")),
                     .strips_right = is_set(json_object_get(token, "rstrip"))};
  ATL_TRY(atl_text_reset(&hf->unit));
  if (added->is_normalized)
    ATL_TRY(atl_hf_steps_normalize(&hf->steps, content, strlen(content), &hf->unit));
  else
    ATL_TRY(atl_text_append(&hf->unit, content, strlen(content)));
  char *copy;
  ATL_TRY(atl_arena_strndup(&hf->arena, hf->unit.bytes, hf->unit.n, &copy));
  added->content = copy;
  added->n_bytes = hf->unit.n;
  return ATL_OK;
}

static int is_longer(const void *a, const void *b) {
  size_t x = ((const added_t *)a)->n_bytes, y = ((const added_t *)b)->n_bytes;
  return x > y ? -1 : x < y;
}

static atl_status_t read_all_added(atl_huggingface_t *hf, const json_t *root, const char *where) {
  const json_t *tokens = json_object_get(root, "added_tokens");
  ATL_TRY(ATL_TAKE(&hf->arena, json_array_size(tokens) + 1, &hf->added));
  for (; hf->n_added < json_array_size(tokens); hf->n_added++)
    ATL_TRY(read_added(hf, json_array_get(tokens, hf->n_added), where, &hf->added[hf->n_added]));
  qsort(hf->added, hf->n_added, sizeof *hf->added, is_longer);
  return ATL_OK;
}

static atl_status_t read_decoder(atl_huggingface_t *hf, const json_t *root, const char *where) {
  const json_t *decoder = json_object_get(root, "decoder");
  const char *type = json_string_value(json_object_get(decoder, "type"));
  hf->decoder_suffix = "";
  if (!is_set(decoder)) return ATL_OK;
  bool is_bytes = type && strcmp(type, "ByteLevel") == 0;
  if (is_bytes) hf->decoder_suffix = hf->word_suffix;
  ATL_CHECK(is_bytes || (type && strcmp(type, "BPEDecoder") == 0), UNSUPPORTED,
            "%s: decoder %s; ByteLevel and BPEDecoder are supported", where, type ? type : "(none)");
  hf->decoder = is_bytes ? DECODER_BYTE_LEVEL : DECODER_SUFFIX;
  return is_bytes ? ATL_OK : read_text(hf, decoder, "suffix", &hf->decoder_suffix);
}

static atl_status_t load(atl_huggingface_t *hf, const json_t *root, const char *where) {
  ATL_TRY(atl_bpe_new(false, &hf->bpe));
  ATL_TRY(read_model(hf, root, where));
  ATL_TRY(atl_hf_steps_load(json_object_get(root, "normalizer"), json_object_get(root, "pre_tokenizer"), where,
                            &hf->steps));
  ATL_TRY(read_all_added(hf, root, where));
  return read_decoder(hf, root, where);
}

atl_status_t atl_huggingface_new(const char *contents, size_t n, const char *where, atl_huggingface_t **hf) {
  json_t *root;
  ATL_TRY(atl_json_parse(contents, n, where, &root));
  atl_status_t status = ATL_NEW(1, hf);
  if (status == ATL_OK) status = load(*hf, root, where);
  json_decref(root);
  if (status != ATL_OK) atl_huggingface_destroy(hf);
  ATL_TRY(status);
  return ATL_OK;
}

void atl_huggingface_destroy(atl_huggingface_t **hf) {
  atl_huggingface_t *h = *hf;
  if (h == NULL) return;
  atl_bpe_destroy(&h->bpe);
  atl_hf_steps_clear(&h->steps);
  atl_text_clear(&h->unit);
  atl_text_clear(&h->normalized);
  atl_pieces_clear(&h->pieces);
  atl_pieces_clear(&h->spare);
  atl_ids_clear(&h->word);
  atl_arena_clear(&h->arena);
  ATL_DESTROY(hf);
}

int32_t atl_huggingface_n_ids(const atl_huggingface_t *hf) { return atl_bpe_n_ids(hf->bpe); }

static const added_t *added_with(const atl_huggingface_t *hf, int32_t id) {
  for (size_t i = 0; i < hf->n_added; i++)
    if (hf->added[i].id == id) return &hf->added[i];
  return NULL;
}

int32_t atl_huggingface_added(const atl_huggingface_t *hf, const char *content) {
  int32_t symbol = atl_bpe_find(hf->bpe, content, strlen(content));
  const added_t *added = symbol < 0 ? NULL : added_with(hf, atl_bpe_id(hf->bpe, symbol));
  return added ? added->id : -1;
}

/* ---- text -> ids ---- */

/* Looks up the unit (a byte's stand-in or a character, with the suffix if it ends a word) and appends its symbol. */
static atl_status_t append_unit(atl_huggingface_t *hf, bool is_last) {
  if (is_last) ATL_TRY(atl_text_append(&hf->unit, hf->word_suffix, strlen(hf->word_suffix)));
  int32_t symbol = atl_bpe_find(hf->bpe, hf->unit.bytes, hf->unit.n);
  if (symbol < 0) symbol = hf->unknown;
  return symbol < 0 ? ATL_OK : atl_ids_append(&hf->word, symbol);
}

static atl_status_t read_units(atl_huggingface_t *hf, const char *piece, size_t n) {
  uint32_t codes[256];
  atl_bpe_byte_codes(codes);
  hf->word.n = 0;
  for (size_t i = 0; i < n;) {
    size_t at = i;
    uint32_t code = hf->steps.is_byte_level ? codes[(unsigned char)piece[i++]] : atl_text_read(piece, n, &i);
    ATL_ASSERT(i > at);
    ATL_TRY(atl_text_reset(&hf->unit));
    ATL_TRY(atl_text_append_code(&hf->unit, code));
    ATL_TRY(append_unit(hf, i == n));
  }
  return ATL_OK;
}

/* The symbol of a whole word, or -1 if the vocabulary does not contain it. */
static atl_status_t find_whole(atl_huggingface_t *hf, const char *piece, size_t n, int32_t *symbol) {
  uint32_t codes[256];
  atl_bpe_byte_codes(codes);
  ATL_TRY(atl_text_reset(&hf->unit));
  if (!hf->steps.is_byte_level) ATL_TRY(atl_text_append(&hf->unit, piece, n));
  for (size_t i = 0; hf->steps.is_byte_level && i < n; i++)
    ATL_TRY(atl_text_append_code(&hf->unit, codes[(unsigned char)piece[i]]));
  *symbol = atl_bpe_find(hf->bpe, hf->unit.bytes, hf->unit.n);
  return ATL_OK;
}

static atl_status_t encode_word(atl_huggingface_t *hf, const char *piece, size_t n, atl_ids_t *ids) {
  int32_t whole = -1;
  if (hf->ignore_merges) ATL_TRY(find_whole(hf, piece, n, &whole));
  if (whole >= 0) return atl_ids_append(ids, atl_bpe_id(hf->bpe, whole));
  ATL_TRY(read_units(hf, piece, n));
  ATL_TRY(atl_bpe_merge(hf->bpe, &hf->word));
  for (size_t i = 0; i < hf->word.n; i++) ATL_TRY(atl_ids_append(ids, atl_bpe_id(hf->bpe, hf->word.items[i])));
  return ATL_OK;
}

static atl_status_t encode_words(atl_huggingface_t *hf, const char *text, size_t n, atl_ids_t *ids) {
  ATL_TRY(atl_hf_steps_cut(&hf->steps, text, n, &hf->pieces, &hf->spare));
  for (size_t i = 0, start = 0; i < hf->pieces.n; start = hf->pieces.ends[i++])
    ATL_TRY(encode_word(hf, hf->pieces.text.bytes + start, hf->pieces.ends[i] - start, ids));
  return ATL_OK;
}

/* The longest added token of this kind at s, or NULL. */
static const added_t *added_at(const atl_huggingface_t *hf, bool is_normalized, const char *s, size_t n) {
  for (size_t i = 0; i < hf->n_added; i++) {
    const added_t *a = &hf->added[i];
    if (a->is_normalized == is_normalized && a->n_bytes > 0 && a->n_bytes <= n && a->content[0] == s[0] &&
        memcmp(a->content, s, a->n_bytes) == 0)
      return a;
  }
  return NULL;
}

static bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

typedef atl_status_t (*encode_rest_t)(atl_huggingface_t *hf, const char *text, size_t n, atl_ids_t *ids);

/* Appends the ids of the added tokens of this kind and passes the text between them to `rest`. Tokens that strip also
 * remove the ASCII white space next to them. */
static atl_status_t cut_added(atl_huggingface_t *hf, bool is_normalized, const char *text, size_t n, encode_rest_t rest,
                              atl_ids_t *ids) {
  size_t done = 0;
  for (size_t i = 0; i < n;) {
    const added_t *added = added_at(hf, is_normalized, text + i, n - i);
    if (added == NULL) {
      i++;
      continue;
    }
    size_t end = i;
    while (added->strips_left && end > done && is_ascii_space(text[end - 1])) end--;
    if (end > done) ATL_TRY(rest(hf, text + done, end - done, ids));
    ATL_TRY(atl_ids_append(ids, added->id));
    i += added->n_bytes;
    while (added->strips_right && i < n && is_ascii_space(text[i])) i++;
    done = i;
  }
  return done < n ? rest(hf, text + done, n - done, ids) : ATL_OK;
}

static atl_status_t encode_raw(atl_huggingface_t *hf, const char *text, size_t n, atl_ids_t *ids) {
  ATL_TRY(atl_text_reset(&hf->normalized));
  ATL_TRY(atl_hf_steps_normalize(&hf->steps, text, n, &hf->normalized));
  return cut_added(hf, true, hf->normalized.bytes, hf->normalized.n, encode_words, ids);
}

atl_status_t atl_huggingface_encode(atl_huggingface_t *hf, const char *text, size_t n, atl_ids_t *ids) {
  return cut_added(hf, false, text, n, encode_raw, ids);
}

/* ---- ids -> text ---- */

/* Appends a token with its suffixes replaced by spaces, or removed if it is the last token. */
static atl_status_t append_without_suffix(const atl_huggingface_t *hf, const char *token, size_t n, bool is_last,
                                          atl_text_t *out) {
  size_t n_suffix = strlen(hf->decoder_suffix);
  for (size_t i = 0; i < n;) {
    const char *found = n_suffix ? memmem(token + i, n - i, hf->decoder_suffix, n_suffix) : NULL;
    size_t end = found ? (size_t)(found - token) : n;
    ATL_TRY(atl_text_append(out, token + i, end - i));
    if (found && !is_last) ATL_TRY(atl_text_append(out, " ", 1));
    i = found ? end + n_suffix : n;
  }
  return ATL_OK;
}

static atl_status_t append_token(const atl_huggingface_t *hf, const char *token, size_t n, bool is_first, bool is_last,
                                 atl_text_t *out) {
  if (hf->decoder != DECODER_NONE) return append_without_suffix(hf, token, n, is_last, out);
  if (!is_first) ATL_TRY(atl_text_append(out, " ", 1));
  return atl_text_append(out, token, n);
}

static bool is_special(const atl_huggingface_t *hf, int32_t id) {
  const added_t *added = added_with(hf, id);
  return added != NULL && added->is_special;
}

static atl_status_t append_tokens(const atl_huggingface_t *hf, const int32_t *ids, size_t n, atl_text_t *out) {
  bool is_first = true;
  while (n > 0 && is_special(hf, ids[n - 1])) n--;
  for (size_t i = 0; i < n; i++) {
    size_t n_bytes;
    const char *token = atl_bpe_text(hf->bpe, ids[i], &n_bytes);
    ATL_CHECK(token != NULL, INPUT, "id %d: expected one of the vocabulary's %d", ids[i], atl_huggingface_n_ids(hf));
    if (is_special(hf, ids[i])) continue;
    ATL_TRY(append_token(hf, token, n_bytes, is_first, i + 1 == n, out));
    is_first = false;
  }
  return ATL_OK;
}

atl_status_t atl_huggingface_decode(atl_huggingface_t *hf, const int32_t *ids, size_t n, atl_text_t *text) {
  atl_text_t bytes = {0};
  atl_text_t spelled = {0};
  atl_status_t status = append_tokens(hf, ids, n, &spelled);
  if (status == ATL_OK && hf->decoder == DECODER_BYTE_LEVEL)
    status = atl_bpe_append_bytes(spelled.bytes, spelled.n, &bytes);
  const atl_text_t *raw = hf->decoder == DECODER_BYTE_LEVEL ? &bytes : &spelled;
  if (status == ATL_OK) status = atl_text_append_lossy(text, raw->bytes, raw->n);
  atl_text_clear(&bytes);
  atl_text_clear(&spelled);
  return status;
}
