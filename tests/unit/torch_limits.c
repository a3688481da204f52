// TEST np=1 timeout=60
/* Small hostile archives: memory stays within the bounds in docs/formats.md, a member's checksum is computed once, and
 * archives that two readers could interpret differently are rejected. */
#include <stdlib.h>
#include <zip.h>

#include "common/memory.h"
#include "common/torch/torchfile.h"
#include "tests/support/tap.h"

typedef struct {
  const char *name;
  const void *bytes;
  size_t n_bytes;
  int method; /* ZIP_CM_STORE, ZIP_CM_DEFLATE */
} member_t;

/* A zip archive in memory. Caller frees. */
static unsigned char *make_zip(const member_t *members, size_t n_members, size_t *n_bytes) {
  zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, NULL);
  zip_source_keep(target);
  zip_t *archive = zip_open_from_source(target, ZIP_TRUNCATE, NULL);
  for (size_t i = 0; i < n_members; i++) {
    zip_source_t *source = zip_source_buffer(archive, members[i].bytes, members[i].n_bytes, 0);
    zip_int64_t index = zip_file_add(archive, members[i].name, source, ZIP_FL_ENC_UTF_8);
    zip_set_file_compression(archive, (zip_uint64_t)index, members[i].method, 9);
  }
  zip_close(archive);
  zip_stat_t stat;
  zip_source_stat(target, &stat);
  zip_source_open(target);
  unsigned char *bytes = malloc((size_t)stat.size);
  *n_bytes = (size_t)zip_source_read(target, bytes, stat.size);
  zip_source_close(target);
  zip_source_free(target);
  return bytes;
}

/* Opens and closes n_bytes; *peak_bytes is the most that was allocated meanwhile. */
static atl_status_t open_zip(const unsigned char *bytes, size_t n_bytes, size_t *peak_bytes) {
  atl_torchfile_t *file;
  atl_memory_reset_peak();
  atl_status_t status = atl_torchfile_open_bytes(bytes, n_bytes, "hostile.pt", &file);
  *peak_bytes = atl_memory_peak_bytes();
  if (status == ATL_OK) atl_torchfile_destroy(&file);
  return status;
}

/* A pickle of n bytes: a head, `each` repeated, and the STOP opcode. Caller frees. */
static unsigned char *make_pickle(const char *head, size_t n_head, const char *each, size_t n_each, size_t n) {
  unsigned char *pickle = malloc(n);
  memcpy(pickle, head, n_head);
  for (size_t i = n_head; i < n; i++) pickle[i] = (unsigned char)each[(i - n_head) % n_each];
  pickle[n - 1] = '.';
  return pickle;
}

/* A deflated pickle: 30 MB of opcodes in a file of about 30 KB. */
static void check_memory(const char *what, const char *head, size_t n_head, const char *each, size_t n_each) {
  enum { PICKLE_BYTES = 30000000 };
  size_t n_bytes, peak_bytes;
  unsigned char *pickle = make_pickle(head, n_head, each, n_each, PICKLE_BYTES);
  const member_t member = {"x/data.pkl", pickle, PICKLE_BYTES, ZIP_CM_DEFLATE};
  unsigned char *bytes = make_zip(&member, 1, &n_bytes);
  TAP_STATUS(ATL_INPUT, open_zip(bytes, n_bytes, &peak_bytes), what);
  TAP_OK(strstr(atl_status_message(), "far more data than its size warrants") != NULL, "and the message says why");
  /* the inflated pickle, and 256 bytes per byte of the file, times 1.5 while an array grows */
  size_t most = PICKLE_BYTES + (n_bytes * 256 + (1 << 16)) * 3 / 2 + (1 << 20);
  if (!TAP_OK(peak_bytes <= most, "and the memory it takes is bounded by the file's size"))
    printf("# %zu bytes of file, %zu of memory, %zu allowed\n", n_bytes, peak_bytes, most);
  free(bytes);
  free(pickle);
}

/* For stored pickles, memory grows linearly with the file. */
static void check_growth(void) {
  size_t before = 0;
  for (size_t n = 1 << 20; n <= 4 << 20; n *= 2) {
    size_t n_bytes, peak_bytes;
    unsigned char *pickle = make_pickle("\x80\x02N", 3, "2", 1, n);
    const member_t member = {"x/data.pkl", pickle, n, ZIP_CM_STORE};
    unsigned char *bytes = make_zip(&member, 1, &n_bytes);
    TAP_STATUS(ATL_OK, open_zip(bytes, n_bytes, &peak_bytes), "a stored pickle of duplicates is read");
    /* 8 bytes per slot; the stack doubles, and the old one exists while it is copied */
    TAP_OK(peak_bytes <= 24 * n + (1 << 20), "and takes at most 24 bytes of memory per byte");
    TAP_OK(before == 0 || peak_bytes <= 2 * before + (1 << 20), "and memory grows linearly with the file");
    before = peak_bytes;
    free(bytes);
    free(pickle);
  }
}

/* 100,000 references to a storage of 4 MB: 400 GB if each computed the checksum, minutes beyond this test's timeout. */
static void check_references(void) {
  enum { N_REFERENCES = 100000, STORAGE_BYTES = 4 << 20, N_HEAD = 67 };
  static const char head[] = "\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
                             "0X\x03\0\0\0cpuJ\0\0\x10\0tq\0N"; /* 2^20 floats */
  size_t n_head = sizeof head - 1, n = n_head + 4 * N_REFERENCES + 1, n_bytes, peak_bytes;
  unsigned char *pickle = make_pickle(head, n_head, "h\0Q0", 4, n), *storage = calloc(1, STORAGE_BYTES);
  const member_t members[] = {{"x/data.pkl", pickle, n, ZIP_CM_STORE},
                              {"x/data/0", storage, STORAGE_BYTES, ZIP_CM_STORE}};
  unsigned char *bytes = make_zip(members, 2, &n_bytes);
  TAP_STATUS(ATL_OK, open_zip(bytes, n_bytes, &peak_bytes), "a storage with 100,000 references is read");
  free(bytes);
  free(storage);
  free(pickle);
}

/* ---- archives that another reader could read differently ---- */

static unsigned char *make_good(size_t *n_bytes) {
  static const member_t members[] = {{"x/data.pkl", "\x80\x02N.", 4, ZIP_CM_STORE},
                                     {"x/other.pk", "\x80\x02K\x01.", 5, ZIP_CM_STORE}};
  return make_zip(members, 2, n_bytes);
}

/* Replaces the k-th occurrence (from 0) of n bytes, or all if k < 0; returns the number of occurrences. */
static int patch(unsigned char *bytes, size_t n_bytes, const void *from, const void *to, size_t n, int k) {
  int n_found = 0;
  for (size_t i = 0; i + n <= n_bytes; i++)
    if (memcmp(bytes + i, from, n) == 0 && (n_found++ == k || k < 0)) memcpy(bytes + i, to, n);
  return n_found;
}

static void check_tampered(const char *what, const char *words, const void *from, const void *to, size_t n, int k) {
  size_t n_bytes, peak_bytes;
  unsigned char *bytes = make_good(&n_bytes);
  TAP_OK(patch(bytes, n_bytes, from, to, n, k) > k, "the archive contains the bytes to change");
  TAP_STATUS(ATL_INPUT, open_zip(bytes, n_bytes, &peak_bytes), what);
  if (!TAP_OK(strstr(atl_status_message(), words) != NULL, "and the message says why"))
    printf("# %s\n", atl_status_message());
  free(bytes);
}

static void check_all_tampered(void) {
  size_t n_bytes, peak_bytes;
  unsigned char *bytes = make_good(&n_bytes), *crc = NULL;
  TAP_STATUS(ATL_OK, open_zip(bytes, n_bytes, &peak_bytes), "an unmodified archive is read");
  for (size_t i = 0; i + 20 < n_bytes && crc == NULL; i++) /* the directory's first entry has it at byte 16 */
    if (memcmp(bytes + i, "PK\1\2", 4) == 0) crc = bytes + i + 16;
  TAP_OK(crc != NULL, "the archive has a directory");
  if (crc != NULL) check_tampered("a member without a checksum is refused", "has no checksum", crc, "\0\0\0\0", 4, -1);
  free(bytes);
  check_tampered("a member of another name in its local header is refused", "another name", "x/data.pkl", "x/miss.pkl",
                 10, 0);
  check_tampered("two members of one name are refused", "are named x/data.pkl", "x/other.pk", "x/data.pkl", 10, -1);
  check_tampered("two data.pkl are refused", "two data.pkl", "x/other.pk", "y/data.pkl", 10, -1);
}

int main(void) {
  check_memory("a pickle that fills the stack is refused", "\x80\x02N", 3, "2", 1);
  check_memory("a pickle that fills the marks is refused", "\x80\x02N", 3, "(", 1);
  check_memory("a pickle that fills the memo is refused", "\x80\x02Nr\0\xc0\xc9\x01", 8, "0N",
               2); /* 30,000,000 - 9088 */
  check_growth();
  check_references();
  check_all_tampered();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
