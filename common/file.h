/* Files: read whole, mapped, and written atomically: a reader sees the old file or the new one, never a part.
 *
 *     atl_file_map_t map;
 *     ATL_TRY(atl_file_map("vae.safetensors", &map));      map.bytes, map.n_bytes
 *     atl_file_unmap(&map);
 *     ATL_TRY(atl_file_write("out/report.txt", text, n));
 *
 * All local. Missing or unreadable files are INPUT; failed writes are IO, with the system's reason in the message.
 */
#ifndef ATL_COMMON_FILE_H
#define ATL_COMMON_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

typedef struct {
  const unsigned char *bytes; /* NULL when the file is empty */
  size_t n_bytes;
} atl_file_map_t;

/* Opens a regular file for reading. INPUT when it is missing, unreadable, a folder, a pipe or a device. Caller
 * closes. */
atl_status_t atl_file_open(const char *path, int *descriptor, size_t *n_bytes);
/* Maps a regular file read-only. INPUT as atl_file_open. Caller owns (atl_file_unmap). */
atl_status_t atl_file_map(const char *path, atl_file_map_t *map);
/* Drops the mapped pages that were read so far from this process (MADV_DONTNEED). A later read loads them again. */
void atl_file_release(const atl_file_map_t *map);
void atl_file_unmap(atl_file_map_t *map);
/* Installs a handler of SIGBUS: if a mapped file is truncated while it is read (a copy still under way) or its disk
 * fails, the process prints a message that names the file and exits with 2. Called once, by main. */
void atl_file_catch_truncation(void);
/* Reads a file of at most max_bytes and adds a NUL. INPUT when it is larger. Caller owns *text (ATL_DESTROY). */
atl_status_t atl_file_read(const char *path, size_t max_bytes, char **text, size_t *n_bytes);
/* Writes path.tmp.PID-RANDOM, fsyncs it, renames it to path and fsyncs the folder. On failure (IO: disk full, no
 * permission, ...) the temporary is removed and an existing file stays as it was. Borrows. */
atl_status_t atl_file_write(const char *path, const void *bytes, size_t n_bytes);

/* The same in pieces, for files larger than memory: create, append any number of times, commit. A failed append or
 * commit removes the temporary and closes the writer. A caller that stops for its own reasons calls abandon, which does
 * nothing after commit or a failure. */
typedef struct {
  int descriptor; /* -1 when closed */
  char *path, *temporary;
} atl_file_writer_t;
atl_status_t atl_file_create(const char *path, atl_file_writer_t *writer);
atl_status_t atl_file_append(atl_file_writer_t *writer, const void *bytes, size_t n_bytes);
atl_status_t atl_file_commit(atl_file_writer_t *writer);
void atl_file_abandon(atl_file_writer_t *writer);

bool atl_file_exists(const char *path);
/* Does the name exist, if only as a dangling symbolic link? (lstat; the others follow links.) */
bool atl_file_exists_itself(const char *path);
bool atl_file_is_directory(const char *path);
/* Like mkdir -p. IO. */
atl_status_t atl_file_make_directory(const char *path);
/* Removes a folder and the files in it, one level deep; OK when it is missing. IO, with nothing removed, when it is a
 * symbolic link or contains a folder. */
atl_status_t atl_file_remove_directory(const char *path);
/* Writes the SHA-256 of n_bytes as 64 lower-case hex digits and a NUL. */
void atl_file_sha256(const void *bytes, size_t n_bytes, char text[65]);

#endif
