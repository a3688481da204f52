// TEST np=1
/* Every file of tests/golden/torchfile reads as in PyTorch, or is rejected with the status and words in its .txt.
 * Truncated files are rejected, and nothing leaks. tests/golden/torchfile/make.py creates the files. */
#include "common/torch/torchfile.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/file.h"
#include "tests/support/tap.h"

static const char the_folder[] = "tests/golden/torchfile";

/* ---- values as text, in the notation of the script ---- */

static void print_value(FILE *out, const atl_value_t *value);

static void print_hex(FILE *out, const void *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) fprintf(out, "%02x", ((const unsigned char *)bytes)[i]);
}

static void print_text(FILE *out, const char *text, size_t n) {
  fputc('"', out);
  for (size_t i = 0; i < n; i++) {
    unsigned char byte = (unsigned char)text[i];
    bool is_plain = byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
    fprintf(out, is_plain ? "%c" : "\\%02x", byte);
  }
  fputc('"', out);
}

static void print_tensor(FILE *out, const atl_tensor_t *tensor) {
  size_t n_bytes = 0;
  atl_tensor_n_bytes(tensor, &n_bytes);
  fprintf(out, "%s[", atl_dtype_name(tensor->dtype));
  for (int i = 0; i < tensor->n_dims; i++) fprintf(out, "%s%" PRId64, i ? "," : "", tensor->shape[i]);
  fputc(']', out);
  print_hex(out, tensor->data, n_bytes);
}

static void print_items(FILE *out, const atl_value_t *value) {
  for (size_t i = 0; i < value->n_items; i++) {
    if (i > 0) fputc(',', out);
    if (value->keys != NULL) {
      print_value(out, value->keys[i]);
      fputc(':', out);
    }
    print_value(out, value->items[i]);
  }
}

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static char *describe(const atl_value_t *value) {
  char *text;
  size_t n;
  FILE *out = open_memstream(&text, &n);
  print_value(out, value);
  fclose(out);
  return text;
}

static void print_set(FILE *out, const atl_value_t *value) {
  char *texts[8]; /* the golden files have smaller sets */
  size_t n = value->n_items < 8 ? value->n_items : 8;
  for (size_t i = 0; i < n; i++) texts[i] = describe(value->items[i]);
  qsort(texts, n, sizeof texts[0], compare_texts);
  fputs("s{", out);
  for (size_t i = 0; i < n; i++) {
    fprintf(out, "%s%s", i ? "," : "", texts[i]);
    free(texts[i]);
  }
  fputc('}', out);
}

static void print_enclosed(FILE *out, const char *before, const atl_value_t *value, const char *after) {
  fputs(before, out);
  print_items(out, value);
  fputs(after, out);
}

static void print_value(FILE *out, const atl_value_t *value) {
  uint64_t bits;
  switch (value->kind) {
  case ATL_VALUE_NONE: fputs("None", out); break;
  case ATL_VALUE_BOOL: fputs(value->boolean ? "True" : "False", out); break;
  case ATL_VALUE_INT: fprintf(out, "%" PRId64, value->integer); break;
  case ATL_VALUE_REAL:
    memcpy(&bits, &value->real, sizeof bits);
    fprintf(out, "f%016" PRIx64, bits);
    break;
  case ATL_VALUE_TEXT: print_text(out, value->text, value->n_bytes); break;
  case ATL_VALUE_BYTES:
    fputc('b', out);
    print_hex(out, value->text, value->n_bytes);
    break;
  case ATL_VALUE_LIST: print_enclosed(out, "[", value, "]"); break;
  case ATL_VALUE_TUPLE: print_enclosed(out, "(", value, ")"); break;
  case ATL_VALUE_SET: print_set(out, value); break;
  case ATL_VALUE_DICT: print_enclosed(out, "{", value, "}"); break;
  case ATL_VALUE_OBJECT:
    fprintf(out, "<%s", value->text);
    print_enclosed(out, value->n_items > 0 ? "|" : "", value, ">");
    break;
  case ATL_VALUE_TENSOR: print_tensor(out, &value->tensor); break;
  }
}

static char *describe_list(const atl_tensor_list_t *list) {
  char *text;
  size_t n;
  FILE *out = open_memstream(&text, &n);
  for (size_t i = 0; i < list->n_tensors; i++) {
    fputs(i ? "," : "{", out);
    print_text(out, list->tensors[i].name, strlen(list->tensors[i].name));
    fputc(':', out);
    print_tensor(out, &list->tensors[i]);
  }
  fputc('}', out);
  fclose(out);
  return text;
}

/* ---- golden files ---- */

static void check_text(char *got, const char *want, const char *name) {
  if (!TAP_OK(strcmp(got, want) == 0, name)) printf("# got  %s\n# want %s\n", got, want);
  free(got);
}

/* `want` is "STATUS words": the name of the status and words of the message. */
static void check_refused(atl_status_t status, const char *want, const char *name) {
  size_t n = strcspn(want, " ");
  const char *found = atl_status_name(status), *message = status == ATL_OK ? "" : atl_status_message();
  bool is_right = strlen(found) == n && strncmp(found, want, n) == 0 && strstr(message, want + n + 1) != NULL;
  if (!TAP_OK(is_right, name)) printf("# got  %s %s\n# want %s\n", found, message, want);
}

/* `want` begins with "! " if opening fails, with "= ! " if listing the tensors fails, with "= " before the list of
 * tensors; otherwise it is the root. */
static void check_file(const char *path, const char *want, const char *name) {
  atl_torchfile_t *file;
  atl_status_t status = atl_torchfile_open(path, &file);
  if (strncmp(want, "! ", 2) == 0) {
    check_refused(status, want + 2, name);
  } else if (status != ATL_OK) {
    TAP_STATUS(ATL_OK, status, name);
  } else if (strncmp(want, "= ", 2) == 0) {
    atl_tensor_list_t list;
    status = atl_torchfile_list_tensors(file, atl_torchfile_root(file), &list);
    if (strncmp(want, "= ! ", 4) == 0)
      check_refused(status, want + 4, name);
    else if (TAP_STATUS(ATL_OK, status, name))
      check_text(describe_list(&list), want + 2, name);
  } else {
    check_text(describe(atl_torchfile_root(file)), want, name);
  }
  atl_torchfile_destroy(&file);
}

/* Truncates the file at every byte (every 7th byte of large files): it must be rejected, without a leak. */
static void check_cuts(const char *path, const char *name) {
  char *bytes, label[300];
  size_t n, n_opened = 0, before = atl_memory_in_use_bytes();
  if (atl_file_read(path, 1 << 20, &bytes, &n) != ATL_OK) return;
  size_t in_use = atl_memory_in_use_bytes();
  for (size_t cut = 0; cut<n; cut += n> 4096 ? 7 : 1) {
    char *part;
    if (ATL_NEW(cut, &part) != ATL_OK) break; /* a block of its own, so that sanitizers detect reads beyond it */
    memcpy(part, bytes, cut);
    atl_torchfile_t *file;
    if (atl_torchfile_open_bytes(part, cut, "cut", &file) == ATL_OK) n_opened++;
    atl_torchfile_destroy(&file);
    ATL_DESTROY(&part);
  }
  snprintf(label, sizeof label, "%s: every truncated copy is rejected", name);
  TAP_OK(n_opened == 0, label);
  snprintf(label, sizeof label, "%s: nothing leaks", name);
  TAP_OK(atl_memory_in_use_bytes() == in_use, label);
  ATL_DESTROY(&bytes);
  TAP_OK(atl_memory_in_use_bytes() == before, label);
}

static void check_golden(const char *name) {
  char path[300], *want;
  size_t n;
  snprintf(path, sizeof path, "%s/%s.txt", the_folder, name);
  if (!TAP_STATUS(ATL_OK, atl_file_read(path, 1 << 20, &want, &n), path)) return;
  want[strcspn(want, "\n")] = '\0';
  snprintf(path, sizeof path, "%s/%s.pt", the_folder, name);
  check_file(path, want, name);
  if (*want != '!') check_cuts(path, name);
  ATL_DESTROY(&want);
}

static void check_all(void) {
  DIR *folder = opendir(the_folder);
  TAP_OK(folder != NULL, the_folder);
  size_t n = 0;
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    char name[256];
    size_t length = strlen(entry->d_name);
    if (length < 4 || strcmp(entry->d_name + length - 3, ".pt") != 0) continue;
    snprintf(name, sizeof name, "%.*s", (int)(length - 3), entry->d_name);
    check_golden(name);
    n++;
  }
  if (folder != NULL) closedir(folder);
  TAP_OK(n >= 60, "the golden files are there");
}

/* Each allocation fails once: MEMORY, and nothing leaks. */
static void check_memory_failures(void) {
  size_t before = atl_memory_in_use_bytes(), n_wrong = 0;
  int64_t n = 0;
  atl_status_t status = ATL_MEMORY;
  for (; status != ATL_OK && n < 1000; n++) {
    atl_torchfile_t *file;
    atl_memory_fail_after(n + 1);
    status = atl_torchfile_open("tests/golden/torchfile/strided.pt", &file);
    atl_memory_fail_after(0);
    if (status != ATL_OK && status != ATL_MEMORY) n_wrong++;
    atl_torchfile_destroy(&file);
    if (atl_memory_in_use_bytes() != before) n_wrong++;
  }
  TAP_OK(n > 5 && n < 1000 && n_wrong == 0, "an allocation that fails is reported and leaks nothing");
}

static void check_find(void) {
  atl_torchfile_t *file;
  TAP_STATUS(ATL_OK, atl_torchfile_open("tests/golden/torchfile/checkpoint-2.pt", &file), "a checkpoint opens");
  const atl_value_t *hparams = atl_value_find(atl_torchfile_root(file), "hparams");
  const atl_value_t *dim = atl_value_find(hparams, "dim");
  TAP_OK(dim != NULL && dim->kind == ATL_VALUE_INT && dim->integer == 4, "a nested number is found");
  TAP_OK(atl_value_find(hparams, "missing") == NULL, "a missing key is not");
  TAP_OK(atl_value_find(dim, "x") == NULL && atl_value_find(NULL, "x") == NULL, "nor one of a number or of nothing");
  atl_torchfile_destroy(&file);
  TAP_STATUS(ATL_INPUT, atl_torchfile_open("tests/golden/torchfile/none.pt", &file), "a missing file is INPUT");
  TAP_OK(file == NULL, "and gives no file");
  TAP_STATUS(ATL_INPUT, atl_torchfile_open_bytes("hello", 5, "greeting", &file), "other bytes are INPUT");
}

int main(void) {
  check_find();
  check_all();
  check_memory_failures();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
