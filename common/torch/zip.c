/* libzip reads the archive through a source of ours, over the bytes in memory. libzip copies what it reads, and does
 * not say where a member lies; but when the first byte of a stored member is read, our source sees at which offset.
 * That is where the view starts. */
#include "common/torch/zip.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

/* Deflate shrinks at most 1032 to 1 (258 bytes in two bits). */
enum { MAX_EXPANSION = 1032 };

struct atl_torchzip {
  const unsigned char *bytes;
  size_t n_bytes, at, last_read; /* of the source: position, and where it was read from last */
  zip_error_t error;
  const char *where;
  atl_arena_t *arena;
  zip_t *archive;
  char *folder;             /* "dalle/", or "" */
  unsigned char **inflated; /* by member; NULL when not yet */
  size_t inflate_budget_bytes;
};

static zip_int64_t on_read(atl_torchzip_t *zip, void *out, size_t n) {
  size_t left = zip->n_bytes - zip->at;
  if (n > left) n = left;
  zip->last_read = zip->at;
  memcpy(out, zip->bytes + zip->at, n);
  zip->at += n;
  return (zip_int64_t)n;
}

static zip_int64_t on_stat(const atl_torchzip_t *zip, zip_stat_t *stat) {
  zip_stat_init(stat);
  stat->size = zip->n_bytes;
  stat->valid |= ZIP_STAT_SIZE;
  return (zip_int64_t)sizeof *stat;
}

static zip_int64_t on_source(void *context, void *data, zip_uint64_t n, zip_source_cmd_t command) {
  atl_torchzip_t *zip = context;
  switch (command) {
  case ZIP_SOURCE_OPEN: zip->at = 0; return 0;
  case ZIP_SOURCE_READ: return on_read(zip, data, (size_t)n);
  case ZIP_SOURCE_STAT: return on_stat(zip, data);
  case ZIP_SOURCE_TELL: return (zip_int64_t)zip->at;
  case ZIP_SOURCE_ERROR: return zip_error_to_data(&zip->error, data, n);
  case ZIP_SOURCE_CLOSE:
  case ZIP_SOURCE_FREE: return 0;
  case ZIP_SOURCE_SEEK: {
    zip_int64_t at = zip_source_seek_compute_offset(zip->at, zip->n_bytes, data, n, &zip->error);
    if (at < 0) return -1;
    zip->at = (size_t)at;
    return 0;
  }
  case ZIP_SOURCE_SUPPORTS:
    return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                          ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL,
                                          ZIP_SOURCE_SUPPORTS, -1);
  default: zip_error_set(&zip->error, ZIP_ER_OPNOTSUPP, 0); return -1;
  }
}

static atl_status_t open_archive(atl_torchzip_t *zip) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_function_create(on_source, zip, &error);
  if (source != NULL) zip->archive = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (zip->archive == NULL) {
    atl_status_t status =
        ATL_FAIL(INPUT,
                 "%s: expected a PyTorch zip archive, found one that cannot be read (%s); the file is truncated "
                 "or corrupt: download or copy it again",
                 zip->where, zip_error_strerror(&error));
    zip_source_free(source);
    zip_error_fini(&error);
    return status;
  }
  zip_error_fini(&error);
  return ATL_OK;
}

/* The folder is the one that holds data.pkl; torch names it after the file. */
static atl_status_t find_folder(atl_torchzip_t *zip, size_t n_members) {
  for (size_t i = 0; i < n_members; i++) {
    const char *name = zip_get_name(zip->archive, i, ZIP_FL_ENC_RAW);
    if (name == NULL) continue;
    const char *slash = strchr(name, '/'), *last = slash == NULL ? name : slash + 1;
    if (strcmp(last, "data.pkl") == 0) return atl_arena_strndup(zip->arena, name, (size_t)(last - name), &zip->folder);
  }
  return ATL_FAIL(INPUT, "%s: expected a PyTorch archive with a data.pkl, found a zip archive of %zu other files",
                  zip->where, n_members);
}

static atl_status_t open_members(atl_torchzip_t *zip) {
  ATL_TRY(open_archive(zip));
  zip_int64_t n = zip_get_num_entries(zip->archive, 0);
  size_t n_members = n < 0 ? 0 : (size_t)n;
  ATL_TRY(ATL_TAKE(zip->arena, n_members, &zip->inflated));
  return find_folder(zip, n_members);
}

atl_status_t atl_torchzip_open(const unsigned char *bytes, size_t n_bytes, const char *where, atl_arena_t *arena,
                               atl_torchzip_t **zip) {
  ATL_TRY(ATL_NEW(1, zip));
  (*zip)->bytes = bytes;
  (*zip)->n_bytes = n_bytes;
  (*zip)->where = where;
  (*zip)->arena = arena;
  if (__builtin_mul_overflow(n_bytes, (size_t)MAX_EXPANSION, &(*zip)->inflate_budget_bytes))
    (*zip)->inflate_budget_bytes = SIZE_MAX;
  zip_error_init(&(*zip)->error);
  atl_status_t status = open_members(*zip);
  if (status != ATL_OK) atl_torchzip_destroy(zip);
  ATL_TRY(status);
  return ATL_OK;
}

void atl_torchzip_destroy(atl_torchzip_t **zip) {
  if (zip == NULL || *zip == NULL) return;
  if ((*zip)->archive != NULL) zip_discard((*zip)->archive);
  zip_error_fini(&(*zip)->error);
  ATL_DESTROY(zip);
}

/* The member's index, -1 when there is none; names longer than any of torch's do not exist. */
static zip_int64_t locate(const atl_torchzip_t *zip, const char *name) {
  char path[1024];
  int n = snprintf(path, sizeof path, "%s%s", zip->folder, name);
  return n < 0 || (size_t)n >= sizeof path ? -1 : zip_name_locate(zip->archive, path, ZIP_FL_ENC_RAW);
}

bool atl_torchzip_has(const atl_torchzip_t *zip, const char *name) { return locate(zip, name) >= 0; }

/* crc 0: written by torch with checksums turned off. */
static atl_status_t check_crc(const atl_torchzip_t *zip, const zip_stat_t *stat, const unsigned char *bytes) {
  ATL_CHECK(stat->crc == 0 || crc32_z(0, bytes, (size_t)stat->size) == stat->crc, INPUT,
            "%s: the checksum of %s does not match its bytes; the file is corrupt: download or copy it again",
            zip->where, stat->name);
  return ATL_OK;
}

static atl_status_t fail_member(const atl_torchzip_t *zip, const zip_stat_t *stat) {
  return ATL_FAIL(INPUT, "%s: %s cannot be read (%s); the file is truncated or corrupt: download or copy it again",
                  zip->where, stat->name, zip_strerror(zip->archive));
}

static atl_status_t view_stored(atl_torchzip_t *zip, const zip_stat_t *stat, const unsigned char **bytes) {
  *bytes = zip->bytes;
  if (stat->size == 0) return ATL_OK;
  zip_file_t *member = zip_fopen_index(zip->archive, stat->index, ZIP_FL_COMPRESSED);
  if (member == NULL) return fail_member(zip, stat);
  char first;
  bool is_read = zip_fread(member, &first, 1) == 1;
  zip_fclose(member);
  bool is_inside = is_read && stat->size == stat->comp_size && stat->size <= zip->n_bytes - zip->last_read;
  ATL_CHECK(is_inside, INPUT, "%s: %s reaches beyond the end of the file; it is truncated: download or copy it again",
            zip->where, stat->name);
  *bytes = zip->bytes + zip->last_read;
  return check_crc(zip, stat, *bytes);
}

static atl_status_t inflate_member(atl_torchzip_t *zip, const zip_stat_t *stat, const unsigned char **bytes) {
  unsigned char *out = zip->inflated[stat->index];
  *bytes = out;
  if (out != NULL) return ATL_OK;
  bool is_sane = stat->comp_size <= zip->n_bytes && stat->size / MAX_EXPANSION <= stat->comp_size &&
                 stat->size <= zip->inflate_budget_bytes;
  ATL_CHECK(is_sane, INPUT, "%s: %s claims to inflate from %llu to %llu bytes; the file is corrupt or hostile",
            zip->where, stat->name, (unsigned long long)stat->comp_size, (unsigned long long)stat->size);
  zip->inflate_budget_bytes -= (size_t)stat->size;
  ATL_TRY(atl_arena_take(zip->arena, (size_t)stat->size, 1, (void **)&out));
  zip_file_t *member = zip_fopen_index(zip->archive, stat->index, 0);
  if (member == NULL) return fail_member(zip, stat);
  size_t n = 0;
  zip_int64_t n_read = 1;
  while (n < stat->size && n_read > 0) {
    n_read = zip_fread(member, out + n, stat->size - n);
    if (n_read > 0) n += (size_t)n_read;
  }
  bool is_at_end = zip_fread(member, &(char){0}, 1) == 0; /* libzip checks the checksum there */
  zip_fclose(member);
  ATL_CHECK(n == stat->size && is_at_end, INPUT,
            "%s: %s does not inflate to what the archive says; the file is corrupt: download or copy it again",
            zip->where, stat->name);
  *bytes = zip->inflated[stat->index] = out;
  return ATL_OK;
}

atl_status_t atl_torchzip_get(atl_torchzip_t *zip, const char *name, const unsigned char **bytes, size_t *n_bytes) {
  zip_int64_t index = locate(zip, name);
  zip_stat_t stat;
  const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
  ATL_CHECK(index >= 0 && zip_stat_index(zip->archive, (zip_uint64_t)index, 0, &stat) == 0 &&
                (stat.valid & needed) == needed,
            INPUT, "%s: expected %s%s in the archive and found none; the file is incomplete: download or copy it again",
            zip->where, zip->folder, name);
  ATL_CHECK(stat.size <= SIZE_MAX &&
                (stat.encryption_method == ZIP_EM_NONE || !(stat.valid & ZIP_STAT_ENCRYPTION_METHOD)),
            UNSUPPORTED, "%s: %s is encrypted; save the file again without", zip->where, stat.name);
  *n_bytes = (size_t)stat.size;
  if (stat.comp_method == ZIP_CM_STORE) return view_stored(zip, &stat, bytes);
  ATL_CHECK(stat.comp_method == ZIP_CM_DEFLATE, UNSUPPORTED,
            "%s: %s is compressed by method %d; expected stored or deflated", zip->where, stat.name, stat.comp_method);
  return inflate_member(zip, &stat, bytes);
}
