/* libzip reads the archive through our source callback, over the bytes in memory. libzip copies what it reads and does
 * not tell where a member lies. So we read the first byte of a stored member: the offset that the source sees is where
 * the view starts. */
#include "common/torch/zip.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

/* Deflate compresses at most 1032 to 1 (258 bytes in two bits). torch stores its members uncompressed; an archive that
 * was compressed later shrinks by far less than INFLATE_PER_BYTE. */
enum { MAX_EXPANSION = 1032, INFLATE_PER_BYTE = 64, INFLATE_BASE = 64 << 20, LOCAL_HEADER_BYTES = 30, LENGTHS_AT = 26 };

static const size_t NOT_READ = SIZE_MAX;

struct atl_torchzip {
  const unsigned char *bytes;
  size_t n_bytes, at;           /* at: position of the source */
  size_t first_read, last_read; /* offsets of the first read (NOT_READ: none yet) and of the last */
  zip_error_t error;
  const char *where;
  atl_arena_t *arena;
  zip_t *archive;
  char *folder;                  /* "dalle/", or "" */
  const unsigned char **members; /* by index: verified bytes; NULL: not read yet */
  size_t inflate_budget_bytes;
};

static zip_int64_t on_read(atl_torchzip_t *zip, void *out, size_t n) {
  size_t left = zip->n_bytes - zip->at;
  if (n > left) n = left;
  if (zip->first_read == NOT_READ) zip->first_read = zip->at;
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

/* The folder that holds data.pkl; torch names it after the file. A second data.pkl or two members of the same name are
 * rejected, because another reader might use the other one. */
static atl_status_t find_folder(atl_torchzip_t *zip, size_t n_members) {
  for (size_t i = 0; i < n_members; i++) {
    const char *name = zip_get_name(zip->archive, i, ZIP_FL_ENC_RAW);
    if (name == NULL) continue;
    ATL_CHECK(zip_name_locate(zip->archive, name, ZIP_FL_ENC_RAW) == (zip_int64_t)i, INPUT,
              "%s: two files of the archive are named %s; the file is corrupt or hostile", zip->where, name);
    const char *slash = strchr(name, '/'), *last = slash == NULL ? name : slash + 1;
    if (strcmp(last, "data.pkl") != 0) continue;
    ATL_CHECK(zip->folder == NULL, INPUT,
              "%s: the archive has two data.pkl, %sdata.pkl and %s; it was not written by torch", zip->where,
              zip->folder, name);
    ATL_TRY(atl_arena_strndup(zip->arena, name, (size_t)(last - name), &zip->folder));
  }
  ATL_CHECK(zip->folder != NULL, INPUT,
            "%s: expected a PyTorch archive with a data.pkl, found a zip archive of %zu other files", zip->where,
            n_members);
  return ATL_OK;
}

static atl_status_t open_members(atl_torchzip_t *zip) {
  ATL_TRY(open_archive(zip));
  zip_int64_t n = zip_get_num_entries(zip->archive, 0);
  size_t n_members = n < 0 ? 0 : (size_t)n;
  ATL_TRY(ATL_TAKE(zip->arena, n_members, &zip->members));
  return find_folder(zip, n_members);
}

atl_status_t atl_torchzip_open(const unsigned char *bytes, size_t n_bytes, const char *where, atl_arena_t *arena,
                               atl_torchzip_t **zip) {
  ATL_TRY(ATL_NEW(1, zip));
  (*zip)->bytes = bytes;
  (*zip)->n_bytes = n_bytes;
  (*zip)->where = where;
  (*zip)->arena = arena;
  (*zip)->inflate_budget_bytes =
      n_bytes < SIZE_MAX / INFLATE_PER_BYTE / 2 ? n_bytes * INFLATE_PER_BYTE + INFLATE_BASE : SIZE_MAX;
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

/* The index of a member, -1 if there is none. torch writes no names longer than the buffer. */
static zip_int64_t locate(const atl_torchzip_t *zip, const char *name) {
  char path[1024];
  int n = snprintf(path, sizeof path, "%s%s", zip->folder, name);
  return n < 0 || (size_t)n >= sizeof path ? -1 : zip_name_locate(zip->archive, path, ZIP_FL_ENC_RAW);
}

bool atl_torchzip_has(const atl_torchzip_t *zip, const char *name) { return locate(zip, name) >= 0; }

static atl_status_t check_crc(const atl_torchzip_t *zip, const zip_stat_t *stat, const unsigned char *bytes) {
  bool is_same = crc32_z(0, bytes, (size_t)stat->size) == stat->crc;
  ATL_CHECK(is_same || stat->crc != 0, INPUT,
            "%s: %s has no checksum; save the file again with torch.serialization.set_crc32_options(True)", zip->where,
            stat->name);
  ATL_CHECK(is_same, INPUT,
            "%s: the checksum of %s does not match its bytes; the file is corrupt: download or copy it again",
            zip->where, stat->name);
  return ATL_OK;
}

static atl_status_t fail_member(const atl_torchzip_t *zip, const zip_stat_t *stat) {
  return ATL_FAIL(INPUT, "%s: %s cannot be read (%s); the file is truncated or corrupt: download or copy it again",
                  zip->where, stat->name, zip_strerror(zip->archive));
}

/* Is there a local header with this name at byte `at` of the file? */
static bool is_named(const atl_torchzip_t *zip, size_t at, const char *name) {
  size_t n = strlen(name);
  if (at >= zip->n_bytes || zip->n_bytes - at < LOCAL_HEADER_BYTES + n) return false;
  const unsigned char *header = zip->bytes + at;
  return memcmp(header, "PK\3\4", 4) == 0 && (size_t)(header[LENGTHS_AT] | header[LENGTHS_AT + 1] << 8) == n &&
         memcmp(header + LOCAL_HEADER_BYTES, name, n) == 0;
}

/* Opens a member. libzip then reads the local header first, from its start or (1.7) from its length fields. The name in
 * that header must equal the one in the archive's directory. */
static atl_status_t open_member(atl_torchzip_t *zip, const zip_stat_t *stat, zip_flags_t flags, zip_file_t **member) {
  zip->first_read = NOT_READ;
  *member = zip_fopen_index(zip->archive, stat->index, flags);
  if (*member == NULL) return fail_member(zip, stat);
  size_t at = zip->first_read;
  if (is_named(zip, at, stat->name) || (at >= LENGTHS_AT && is_named(zip, at - LENGTHS_AT, stat->name))) return ATL_OK;
  zip_fclose(*member);
  return ATL_FAIL(INPUT,
                  "%s: %s has another name in the archive's directory than before its bytes; the file is hostile",
                  zip->where, stat->name);
}

static atl_status_t view_stored(atl_torchzip_t *zip, const zip_stat_t *stat, const unsigned char **bytes) {
  *bytes = zip->bytes;
  zip_file_t *member;
  ATL_TRY(open_member(zip, stat, ZIP_FL_COMPRESSED, &member));
  char first;
  bool is_read = stat->size == 0 || zip_fread(member, &first, 1) == 1;
  zip_fclose(member);
  bool is_inside = is_read && stat->size == stat->comp_size && stat->size <= zip->n_bytes - zip->last_read;
  ATL_CHECK(is_inside, INPUT, "%s: %s reaches beyond the end of the file; it is truncated: download or copy it again",
            zip->where, stat->name);
  if (stat->size > 0) *bytes = zip->bytes + zip->last_read;
  return check_crc(zip, stat, *bytes);
}

static atl_status_t inflate_into(atl_torchzip_t *zip, const zip_stat_t *stat, unsigned char *out) {
  zip_file_t *member;
  ATL_TRY(open_member(zip, stat, 0, &member));
  size_t n = 0;
  zip_int64_t n_read = 1;
  while (n < stat->size && n_read > 0) {
    n_read = zip_fread(member, out + n, stat->size - n);
    if (n_read > 0) n += (size_t)n_read;
  }
  bool is_at_end = zip_fread(member, &(char){0}, 1) == 0;
  zip_fclose(member);
  ATL_CHECK(n == stat->size && is_at_end, INPUT,
            "%s: %s does not inflate to what the archive says; the file is corrupt: download or copy it again",
            zip->where, stat->name);
  return check_crc(zip, stat, out);
}

static atl_status_t inflate_member(atl_torchzip_t *zip, const zip_stat_t *stat, const unsigned char **bytes) {
  unsigned char *out;
  bool is_sane = stat->comp_size <= zip->n_bytes && stat->size / MAX_EXPANSION <= stat->comp_size &&
                 stat->size <= zip->inflate_budget_bytes;
  ATL_CHECK(is_sane, INPUT, "%s: %s claims to inflate from %llu to %llu bytes; the file is corrupt or hostile",
            zip->where, stat->name, (unsigned long long)stat->comp_size, (unsigned long long)stat->size);
  zip->inflate_budget_bytes -= (size_t)stat->size;
  ATL_TRY(atl_arena_take(zip->arena, (size_t)stat->size, 1, (void **)&out));
  *bytes = out;
  return inflate_into(zip, stat, out);
}

/* Reads a stored or deflated member and verifies it, once per member. */
static atl_status_t read_member(atl_torchzip_t *zip, const zip_stat_t *stat, const unsigned char **bytes) {
  *bytes = zip->members[stat->index];
  if (*bytes != NULL) return ATL_OK;
  ATL_CHECK(stat->comp_method == ZIP_CM_STORE || stat->comp_method == ZIP_CM_DEFLATE, UNSUPPORTED,
            "%s: %s is compressed by method %d; expected stored or deflated", zip->where, stat->name,
            stat->comp_method);
  ATL_TRY(stat->comp_method == ZIP_CM_STORE ? view_stored(zip, stat, bytes) : inflate_member(zip, stat, bytes));
  zip->members[stat->index] = *bytes;
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
            UNSUPPORTED, "%s: %s is encrypted; save the file again without encryption", zip->where, stat.name);
  *n_bytes = (size_t)stat.size;
  return read_member(zip, &stat, bytes);
}
