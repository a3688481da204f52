/* Files: read whole, mapped, and written so that a reader sees the old file or the new one and nothing between. */
#ifndef ATL_COMMON_FILE_H
#define ATL_COMMON_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

typedef struct {
  const unsigned char *bytes; /* NULL when the file is empty */
  size_t n_bytes;
} atl_file_map_t;

/* Opens a regular file for reading; INPUT when it is missing, a folder, a pipe or a device. Caller closes. */
atl_status_t atl_file_open(const char *path, int *descriptor, size_t *n_bytes);
/* Maps a regular file read-only; INPUT when it is missing, a folder or unreadable. Caller clears. */
atl_status_t atl_file_map(const char *path, atl_file_map_t *map);
/* Drops the pages that reading has brought into this process; reading on brings them back. */
void atl_file_release(const atl_file_map_t *map);
void atl_file_unmap(atl_file_map_t *map);
/* From now on a mapped file that becomes shorter while it is read (a copy still under way), or whose disk fails, ends the
 * process with a message that names it and with exit code 2. Without, SIGBUS ends it without a word. For main. */
void atl_file_catch_truncation(void);
/* Reads a whole file of at most max_bytes and adds a NUL. Caller owns *text (ATL_DESTROY). */
atl_status_t atl_file_read(const char *path, size_t max_bytes, char **text, size_t *n_bytes);
/* Writes path.tmp.PID-RANDOM, fsyncs, renames to path, fsyncs the folder; removes the temporary on failure (IO: full disk,
 * no permission, ... with the system's words). */
atl_status_t atl_file_write(const char *path, const void *bytes, size_t n_bytes);

/* The same in pieces, for files larger than memory: create, append as often as needed, commit. A failed append or
 * commit has already removed the temporary; abandon does it for a caller that stops for reasons of its own (and is
 * harmless after commit). */
typedef struct {
  int descriptor; /* -1 when closed */
  char *path, *temporary;
} atl_file_writer_t;
atl_status_t atl_file_create(const char *path, atl_file_writer_t *writer);
atl_status_t atl_file_append(atl_file_writer_t *writer, const void *bytes, size_t n_bytes);
atl_status_t atl_file_commit(atl_file_writer_t *writer);
void atl_file_abandon(atl_file_writer_t *writer);

bool atl_file_exists(const char *path);
/* Is there anything of this name, even a link that leads nowhere? */
bool atl_file_exists_itself(const char *path);
bool atl_file_is_directory(const char *path);
/* mkdir -p. */
atl_status_t atl_file_make_directory(const char *path);
/* Removes a folder and the files in it (one level); nothing when it is missing. IO, with nothing removed, when it is a
 * symbolic link or has a folder in it. */
atl_status_t atl_file_remove_directory(const char *path);
/* Lower-case hex SHA-256 of bytes into text[65] (libcrypto). */
void atl_file_sha256(const void *bytes, size_t n_bytes, char text[65]);

#endif
