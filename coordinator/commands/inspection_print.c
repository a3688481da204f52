/* Prints an inspection as text: values as an indented outline, tensors as a table. */
#include <stdint.h>
#include <string.h>

#include "common/bytes.h"
#include "common/utf8.h"
#include "coordinator/commands/inspection.h"

enum { MAX_LIST = 16, TEXT_BYTES = 160 };

/* Prints at most TEXT_BYTES bytes, cut between characters, and replaces control characters: names from a file must not
 * control the terminal. */
static void print_text(FILE *out, const char *text) {
  char copy[TEXT_BYTES + 1];
  size_t n = strlen(text), n_kept = n < TEXT_BYTES ? n : TEXT_BYTES;
  while (n_kept < n && n_kept > 0 && ((unsigned char)text[n_kept] & 0xc0) == 0x80) n_kept--;
  memcpy(copy, text, n_kept);
  copy[n_kept] = '\0';
  atl_utf8_clean(copy, false);
  fputs(copy, out);
  if (n_kept < n) fputs("...", out);
}

static bool is_nested(const json_t *value) {
  if (json_is_object(value)) return json_object_size(value) > 0;
  for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++)
    if (json_is_object(json_array_get(value, i)) || json_is_array(json_array_get(value, i))) return true;
  return false;
}

static void print_scalar(FILE *out, const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_STRING: print_text(out, json_string_value(value)); break;
  case JSON_INTEGER: fprintf(out, "%lld", (long long)json_integer_value(value)); break;
  case JSON_REAL: fprintf(out, "%g", json_real_value(value)); break;
  case JSON_TRUE: fputs("true", out); break;
  case JSON_FALSE: fputs("false", out); break;
  case JSON_NULL: fputs("none", out); break;
  case JSON_OBJECT: fputs("{}", out); break;
  case JSON_ARRAY:
    for (size_t i = 0; i < json_array_size(value) && i <= MAX_LIST; i++) {
      if (i > 0) fputs(", ", out);
      if (i == MAX_LIST)
        fprintf(out, "... (%zu)", json_array_size(value));
      else
        print_scalar(out, json_array_get(value, i));
    }
    if (json_array_size(value) == 0) fputs("[]", out);
  }
}

static void print_value(FILE *out, const char *name, const json_t *value, int depth) {
  fprintf(out, "%*s", 2 * depth, "");
  print_text(out, name);
  if (!is_nested(value)) {
    fputs(": ", out);
    print_scalar(out, value);
    putc('\n', out);
    return;
  }
  fputs(":\n", out);
  const char *key;
  json_t *item;
  size_t i;
  json_object_foreach((json_t *)(uintptr_t)value, key, item) print_value(out, key, item, depth + 1);
  json_array_foreach(value, i, item) print_value(out, "-", item, depth + 1);
}

static void print_tensor(FILE *out, const json_t *tensor) {
  const json_t *shape = json_object_get(tensor, "shape");
  char text[TEXT_BYTES] = "[", bytes[32];
  for (size_t i = 0; i < json_array_size(shape); i++) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s%lld", i ? ", " : "",
             (long long)json_integer_value(json_array_get(shape, i)));
  }
  strncat(text, "]", sizeof text - strlen(text) - 1);
  fprintf(out, "  %-4s %-21s %12s  ", json_string_value(json_object_get(tensor, "dtype")), text,
          atl_bytes_format(json_integer_value(json_object_get(tensor, "bytes")), bytes));
  print_text(out, json_string_value(json_object_get(tensor, "name")));
  putc('\n', out);
}

static void print_parts(FILE *out, const json_t *parts) {
  const char *name;
  json_t *part;
  char bytes[32];
  json_object_foreach((json_t *)(uintptr_t)parts, name, part) fprintf(
      out, "  %-12s %lld parameters, %s: %s\n", name, (long long)json_integer_value(json_object_get(part, "n_numbers")),
      atl_bytes_format(json_integer_value(json_object_get(part, "bytes")), bytes),
      json_string_value(json_object_get(part, "description")));
}

void atl_inspection_print(const json_t *report, bool with_tensors, FILE *out) {
  const json_t *tensors = json_object_get(report, "tensors"), *values = json_object_get(report, "values"), *tensor;
  const json_t *bytes = json_object_get(report, "bytes");
  char text[32];
  print_text(out, json_string_value(json_object_get(report, "path")));
  fprintf(out, ": %s", json_string_value(json_object_get(report, "kind")));
  if (bytes != NULL) fprintf(out, ", %s", atl_bytes_format(json_integer_value(bytes), text));
  fputs(json_object_get(report, "verified") != NULL ? ", all files match model.json\n" : "\n", out);
  print_parts(out, json_object_get(report, "parts"));
  if (values != NULL) print_value(out, "values", values, 1);
  if (tensors == NULL) return;
  fprintf(out, "  tensors: %zu with %lld elements, %s\n", json_array_size(tensors),
          (long long)json_integer_value(json_object_get(report, "n_numbers")),
          atl_bytes_format(json_integer_value(json_object_get(report, "tensor_bytes")), text));
  size_t i;
  if (with_tensors) json_array_foreach(tensors, i, tensor) print_tensor(out, tensor);
}
