#include "model/tokenizer/hf_steps.h"

#include <string.h>

#include "common/memory.h"
#include "model/tokenizer/unicode.h"

/* GPT-2's words: contractions; letters, digits or symbols with an optional leading space; white space except its last
 * character, which belongs to the next word. White space is listed explicitly, as PCRE2's \s also matches U+180E. */
#define SPACE "\\x09-\\x0D\\x20\\x85\\xA0\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
static const char gpt2_words[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE "\\p{L}\\p{N}]+|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";

/* ---- reading ---- */

static const char *type_of(const json_t *step) {
  const char *type = json_string_value(json_object_get(step, "type"));
  return type ? type : "(no type)";
}

static bool flag(const json_t *step, const char *name, bool fallback) {
  const json_t *value = json_object_get(step, name);
  return json_is_boolean(value) ? json_is_true(value) : fallback;
}

static atl_status_t copy_text(atl_hf_steps_t *steps, const json_t *text, const char **copy) {
  char *taken;
  ATL_TRY(atl_arena_strndup(&steps->arena, json_string_value(text), json_string_length(text), &taken));
  *copy = taken;
  return ATL_OK;
}

/* {"String": "x"} sets *text, {"Regex": "x"} sets *split. If `text` is NULL, a string becomes a quoted pattern. */
static atl_status_t read_pattern(atl_hf_steps_t *steps, const json_t *step, const char *where, const char **text,
                                 atl_split_t **split) {
  const json_t *pattern = json_object_get(step, "pattern");
  const json_t *plain = json_object_get(pattern, "String"), *regex = json_object_get(pattern, "Regex");
  if (json_is_string(regex)) return atl_split_new(json_string_value(regex), false, where, split);
  ATL_CHECK(json_is_string(plain) && json_string_length(plain) > 0, INPUT,
            "%s: %s: expected a pattern, {\"String\": ...} or {\"Regex\": ...}", where, type_of(step));
  if (text != NULL) return copy_text(steps, plain, text);
  ATL_CHECK(strstr(json_string_value(plain), "\\E") == NULL, UNSUPPORTED,
            "%s: Split at a string that contains \\E is not supported", where);
  char *quoted;
  ATL_TRY(atl_arena_printf(&steps->arena, &quoted, "\\Q%s\\E", json_string_value(plain)));
  return atl_split_new(quoted, false, where, split);
}

static atl_status_t add_normalizer(atl_hf_steps_t *steps, const json_t *step, const char *where, const char *type) {
  static const char *const forms[] = {"NFC", "NFD", "NFKC", "NFKD"};
  ATL_CHECK(steps->n_normalizers < ATL_MAX_HF_STEPS, UNSUPPORTED, "%s: more than %d normalizers", where,
            ATL_MAX_HF_STEPS);
  atl_hf_normalizer_t *n = &steps->normalizers[steps->n_normalizers++];
  for (int i = 0; i < 4; i++)
    if (strcmp(type, forms[i]) == 0) {
      *n = (atl_hf_normalizer_t){.kind = ATL_HF_FORM, .form = i};
      return ATL_OK;
    }
  if (strcmp(type, "Lowercase") == 0) {
    n->kind = ATL_HF_LOWER;
    return ATL_OK;
  }
  if (strcmp(type, "Strip") == 0) {
    *n = (atl_hf_normalizer_t){
        .kind = ATL_HF_STRIP, .left = flag(step, "strip_left", true), .right = flag(step, "strip_right", true)};
    return ATL_OK;
  }
  bool is_replace = strcmp(type, "Replace") == 0;
  ATL_CHECK(is_replace || strcmp(type, "Prepend") == 0, UNSUPPORTED,
            "%s: normalizer %s; NFC, NFD, NFKC, NFKD, Lowercase, Strip, Replace, Prepend and Sequence are supported",
            where, type);
  n->kind = is_replace ? ATL_HF_REPLACE : ATL_HF_PREPEND;
  const json_t *content = json_object_get(step, is_replace ? "content" : "prepend");
  ATL_CHECK(json_is_string(content), INPUT, "%s: %s: expected the replacement as a string", where, type);
  ATL_TRY(copy_text(steps, content, &n->content));
  return is_replace ? read_pattern(steps, step, where, &n->pattern, &n->split) : ATL_OK;
}

/* Split: Isolated keeps both matches and the text between them; Removed keeps one of the two. */
static atl_status_t read_split(atl_hf_steps_t *steps, const json_t *step, const char *where, atl_hf_cutter_t *c) {
  const char *behaviour = json_string_value(json_object_get(step, "behavior"));
  bool is_removed = behaviour && strcmp(behaviour, "Removed") == 0;
  ATL_CHECK(is_removed || (behaviour && strcmp(behaviour, "Isolated") == 0), UNSUPPORTED,
            "%s: Split with behavior %s; Isolated and Removed are supported", where, behaviour ? behaviour : "(none)");
  bool is_inverted = flag(step, "invert", false);
  c->keeps_matches = !is_removed || is_inverted;
  c->keeps_gaps = !is_removed || !is_inverted;
  return read_pattern(steps, step, where, NULL, &c->split);
}

static atl_status_t add_cutter(atl_hf_steps_t *steps, const json_t *step, const char *where, const char *type) {
  ATL_CHECK(steps->n_cutters < ATL_MAX_HF_STEPS, UNSUPPORTED, "%s: more than %d pre-tokenizers", where,
            ATL_MAX_HF_STEPS);
  ATL_CHECK(!steps->is_byte_level, UNSUPPORTED, "%s: pre-tokenizer %s after ByteLevel, which must be the last", where,
            type);
  atl_hf_cutter_t *c = &steps->cutters[steps->n_cutters++];
  *c = (atl_hf_cutter_t){.keeps_matches = true, .keeps_gaps = true};
  if (strcmp(type, "Split") == 0) return read_split(steps, step, where, c);
  if (strcmp(type, "ByteLevel") == 0) {
    steps->is_byte_level = true;
    c->add_prefix_space = flag(step, "add_prefix_space", true);
    return flag(step, "use_regex", true) ? atl_split_new(gpt2_words, false, where, &c->split) : ATL_OK;
  }
  if (strcmp(type, "Digits") == 0)
    return atl_split_new(flag(step, "individual_digits", false) ? "\\p{N}" : "\\p{N}+", false, where, &c->split);
  if (strcmp(type, "WhitespaceSplit") == 0) {
    c->keeps_matches = false;
    return atl_split_new("[" SPACE "]+", false, where, &c->split);
  }
  c->keeps_gaps = false;
  if (strcmp(type, "Whitespace") == 0)
    return atl_split_new("[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}]+|[^" SPACE "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}]+", false,
                         where, &c->split);
  return ATL_FAIL(
      UNSUPPORTED,
      "%s: pre-tokenizer %s; ByteLevel, Split, Digits, Whitespace, WhitespaceSplit and Sequence are supported", where,
      type);
}

typedef atl_status_t (*add_t)(atl_hf_steps_t *steps, const json_t *step, const char *where, const char *type);

/* Adds a step, or the steps of a Sequence in its array `items`. Nested sequences are flattened, at most 8 deep. */
static atl_status_t add_all(atl_hf_steps_t *steps, const json_t *step, const char *items, const char *where, add_t add,
                            int depth) {
  if (step == NULL || json_is_null(step)) return ATL_OK;
  ATL_CHECK(depth < 8, INPUT, "%s: sequences nested more than 8 deep", where);
  if (strcmp(type_of(step), "Sequence") != 0) return add(steps, step, where, type_of(step));
  const json_t *array = json_object_get(step, items);
  ATL_CHECK(json_is_array(array), INPUT, "%s: Sequence: expected an array \"%s\"", where, items);
  for (size_t i = 0; i < json_array_size(array); i++)
    ATL_TRY(add_all(steps, json_array_get(array, i), items, where, add, depth + 1));
  return ATL_OK;
}

atl_status_t atl_hf_steps_load(const json_t *normalizer, const json_t *pre_tokenizer, const char *where,
                               atl_hf_steps_t *steps) {
  ATL_TRY(add_all(steps, normalizer, "normalizers", where, add_normalizer, 0));
  return add_all(steps, pre_tokenizer, "pretokenizers", where, add_cutter, 0);
}

void atl_hf_steps_clear(atl_hf_steps_t *steps) {
  for (int i = 0; i < steps->n_normalizers; i++) atl_split_destroy(&steps->normalizers[i].split);
  for (int i = 0; i < steps->n_cutters; i++) atl_split_destroy(&steps->cutters[i].split);
  atl_arena_clear(&steps->arena);
  *steps = (atl_hf_steps_t){0};
}

/* ---- normalising ---- */

static atl_status_t append_bounded(atl_text_t *out, const char *bytes, size_t n) {
  ATL_CHECK(n <= ATL_MAX_NORMALIZED_BYTES && out->n <= ATL_MAX_NORMALIZED_BYTES - n, INPUT,
            "the tokenizer's normalizer expands a text to more than %d KiB", ATL_MAX_NORMALIZED_BYTES >> 10);
  return atl_text_append(out, bytes, n);
}

static atl_status_t strip(const atl_hf_normalizer_t *step, const char *text, size_t n, atl_text_t *out) {
  size_t first = n, end = 0;
  for (size_t i = 0; i < n;) {
    size_t start = i;
    if (atl_unicode_is_space(atl_text_read(text, n, &i))) continue;
    if (first == n) first = start;
    end = i;
  }
  if (!step->left) first = 0;
  if (!step->right) end = n;
  return first < end ? atl_text_append(out, text + first, end - first) : ATL_OK;
}

static atl_status_t find_next(const atl_hf_normalizer_t *step, const char *text, size_t n, size_t *start, size_t *end,
                              bool *is_found) {
  if (step->split != NULL) return atl_split_next(step->split, text, n, start, end, is_found);
  const char *found = memmem(text + *end, n - *end, step->pattern, strlen(step->pattern));
  *is_found = found != NULL;
  if (found == NULL) return ATL_OK;
  *start = (size_t)(found - text);
  *end = *start + strlen(step->pattern);
  return ATL_OK;
}

static atl_status_t replace(const atl_hf_normalizer_t *step, const char *text, size_t n, atl_text_t *out) {
  size_t start, end = 0;
  for (bool is_found = true;;) {
    size_t before = end;
    ATL_TRY(find_next(step, text, n, &start, &end, &is_found));
    ATL_TRY(append_bounded(out, text + before, (is_found ? start : n) - before));
    if (!is_found) return ATL_OK;
    ATL_TRY(append_bounded(out, step->content, strlen(step->content)));
  }
}

static atl_status_t normalize_one(const atl_hf_normalizer_t *step, const char *text, size_t n, atl_text_t *out) {
  switch (step->kind) {
  case ATL_HF_FORM: return atl_unicode_normalize(text, n, (atl_unicode_form_t)step->form, out);
  case ATL_HF_LOWER: return atl_unicode_lower(text, n, false, out);
  case ATL_HF_STRIP: return strip(step, text, n, out);
  case ATL_HF_REPLACE: return replace(step, text, n, out);
  case ATL_HF_PREPEND:
    if (n == 0) return ATL_OK;
    ATL_TRY(append_bounded(out, step->content, strlen(step->content)));
    return append_bounded(out, text, n);
  }
  return ATL_FAIL(INTERNAL, "normalizer of kind %d", (int)step->kind);
}

atl_status_t atl_hf_steps_normalize(const atl_hf_steps_t *steps, const char *text, size_t n, atl_text_t *out) {
  atl_text_t now = {0}, next = {0};
  atl_status_t status = append_bounded(&now, text, n);
  for (int i = 0; i < steps->n_normalizers && status == ATL_OK; i++) {
    status = atl_text_reset(&next);
    if (status == ATL_OK) status = normalize_one(&steps->normalizers[i], now.bytes, now.n, &next);
    if (status == ATL_OK) status = append_bounded(&next, "", 0);
    atl_text_t swap = now;
    now = next;
    next = swap;
  }
  if (status == ATL_OK) status = atl_text_append(out, now.bytes, now.n);
  atl_text_clear(&now);
  atl_text_clear(&next);
  return status;
}

/* ---- cutting ---- */

void atl_pieces_clear(atl_pieces_t *pieces) {
  atl_text_clear(&pieces->text);
  ATL_DESTROY(&pieces->ends);
  *pieces = (atl_pieces_t){0};
}

static atl_status_t reset(atl_pieces_t *pieces) {
  pieces->n = 0;
  return atl_text_reset(&pieces->text);
}

static atl_status_t append_piece(atl_pieces_t *pieces, const char *bytes, size_t n) {
  if (n == 0) return ATL_OK;
  if (pieces->n == pieces->capacity) {
    size_t capacity = pieces->capacity ? 2 * pieces->capacity : 64;
    ATL_TRY(ATL_RESIZE(capacity, &pieces->ends));
    pieces->capacity = capacity;
  }
  ATL_TRY(atl_text_append(&pieces->text, bytes, n));
  pieces->ends[pieces->n++] = pieces->text.n;
  return ATL_OK;
}

static atl_status_t cut_piece(const atl_hf_cutter_t *cutter, const char *text, size_t n, atl_pieces_t *out) {
  size_t start, end = 0;
  if (cutter->split == NULL) return append_piece(out, text, n);
  for (bool is_found = true;;) {
    size_t before = end;
    ATL_TRY(atl_split_next(cutter->split, text, n, &start, &end, &is_found));
    if (cutter->keeps_gaps) ATL_TRY(append_piece(out, text + before, (is_found ? start : n) - before));
    if (!is_found) return ATL_OK;
    if (cutter->keeps_matches) ATL_TRY(append_piece(out, text + start, end - start));
  }
}

/* Applies a cutter to all pieces of `in`; `line` holds a piece with its prefix space. */
static atl_status_t cut_all(const atl_hf_cutter_t *cutter, const atl_pieces_t *in, atl_text_t *line,
                            atl_pieces_t *out) {
  ATL_TRY(reset(out));
  for (size_t i = 0, start = 0; i < in->n; start = in->ends[i++]) {
    const char *text = in->text.bytes + start;
    size_t n = in->ends[i] - start;
    ATL_TRY(atl_text_reset(line));
    if (cutter->add_prefix_space && text[0] != ' ') ATL_TRY(atl_text_append(line, " ", 1));
    ATL_TRY(atl_text_append(line, text, n));
    ATL_TRY(cut_piece(cutter, line->bytes, line->n, out));
  }
  return ATL_OK;
}

atl_status_t atl_hf_steps_cut(const atl_hf_steps_t *steps, const char *text, size_t n, atl_pieces_t *pieces,
                              atl_pieces_t *spare) {
  ATL_TRY(reset(pieces));
  ATL_TRY(append_piece(pieces, text, n));
  atl_text_t line = {0};
  atl_status_t status = ATL_OK;
  for (int i = 0; i < steps->n_cutters && status == ATL_OK; i++) {
    status = cut_all(&steps->cutters[i], pieces, &line, spare);
    atl_pieces_t swap = *pieces;
    *pieces = *spare;
    *spare = swap;
  }
  atl_text_clear(&line);
  return status;
}
