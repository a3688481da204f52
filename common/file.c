/* To replace a file: write a temporary beside it, fsync it, rename it over the old one, fsync the folder. The rename is
 * atomic; the first fsync ensures that the new name never refers to bytes that did not reach the disk. */
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/memory.h"
#include "common/utf8.h"

atl_status_t atl_file_open(const char *path, int *descriptor, size_t *n_bytes) {
  *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ATL_CHECK(*descriptor >= 0, INPUT, "%s: expected a readable file: %s", path, strerror(errno));
  struct stat facts;
  int is_known = fstat(*descriptor, &facts) == 0;
  if (!is_known || !S_ISREG(facts.st_mode)) {
    close(*descriptor);
    return ATL_FAIL(INPUT, "%s: expected a file, found %s", path,
                    is_known && S_ISDIR(facts.st_mode) ? "a folder" : "something that is not a plain file");
  }
  *n_bytes = (size_t)facts.st_size;
  return ATL_OK;
}

/* Mapped files, in a fixed table that the SIGBUS handler can read. An entry belongs to a file while `bytes` is set and
 * is complete once n_bytes is not 0. When the table is full, a file is mapped but the handler does not know it. */
enum { MAX_WATCHED = 256, WATCHED_PATH_BYTES = 512 };
static struct {
  _Atomic(const unsigned char *) bytes;
  _Atomic size_t n_bytes;
  char path[WATCHED_PATH_BYTES];
} watched_files[MAX_WATCHED];

static void watch(const char *path, const atl_file_map_t *map) {
  for (int i = 0; i < MAX_WATCHED && map->n_bytes > 0; i++) {
    const unsigned char *unused = NULL;
    if (!atomic_compare_exchange_strong(&watched_files[i].bytes, &unused, map->bytes)) continue;
    snprintf(watched_files[i].path, WATCHED_PATH_BYTES, "%s", path);
    atl_utf8_clean(watched_files[i].path, false);
    watched_files[i].n_bytes = map->n_bytes;
    return;
  }
}

static void unwatch(const atl_file_map_t *map) {
  for (int i = 0; i < MAX_WATCHED; i++)
    if (map->bytes != NULL && watched_files[i].bytes == map->bytes) {
      watched_files[i].n_bytes = 0;
      watched_files[i].bytes = NULL;
      return;
    }
}

static void print_error(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context) {
  (void)context;
  uintptr_t at = (uintptr_t)info->si_addr;
  for (int i = 0; i < MAX_WATCHED; i++) {
    uintptr_t first = (uintptr_t)watched_files[i].bytes;
    if (at < first || at - first >= watched_files[i].n_bytes) continue;
    print_error("atelier: ");
    print_error(watched_files[i].path);
    print_error(": the file became shorter while it was read, or its disk failed; is it still being copied?\n");
    _exit(2);
  }
  signal(signal_number, SIG_DFL); /* not one of our files: the faulting access repeats and ends the process */
}

void atl_file_catch_truncation(void) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}

atl_status_t atl_file_map(const char *path, atl_file_map_t *map) {
  *map = (atl_file_map_t){0};
  int descriptor;
  size_t n_bytes = 0;
  ATL_TRY(atl_file_open(path, &descriptor, &n_bytes));
  void *bytes = n_bytes == 0 ? NULL : mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  int error = errno;
  close(descriptor);
  ATL_CHECK(bytes != MAP_FAILED, INPUT, "%s: its %zu bytes cannot be mapped: %s", path, n_bytes, strerror(error));
  *map = (atl_file_map_t){.bytes = bytes, .n_bytes = n_bytes};
  watch(path, map);
  return ATL_OK;
}

void atl_file_release(const atl_file_map_t *map) {
  if (map->bytes != NULL) (void)madvise((void *)(uintptr_t)map->bytes, map->n_bytes, MADV_DONTNEED);
}

void atl_file_unmap(atl_file_map_t *map) {
  unwatch(map);
  if (map->bytes != NULL) munmap((void *)(uintptr_t)map->bytes, map->n_bytes);
  *map = (atl_file_map_t){0};
}

atl_status_t atl_file_read(const char *path, size_t max_bytes, char **text, size_t *n_bytes) {
  *text = NULL;
  atl_file_map_t map;
  ATL_TRY(atl_file_map(path, &map));
  atl_status_t status = map.n_bytes <= max_bytes ? ATL_NEW(map.n_bytes + 1, text)
                                                 : ATL_FAIL(INPUT, "%s: expected at most %zu bytes, found %zu", path,
                                                            max_bytes, map.n_bytes);
  if (status == ATL_OK) {
    if (map.n_bytes > 0) memcpy(*text, map.bytes, map.n_bytes);
    *n_bytes = map.n_bytes;
  }
  atl_file_unmap(&map);
  return status;
}

/* PATH.tmp.PID-RANDOM; random, because processes of two hosts or containers may have the same PID. */
static atl_status_t name_temporary(const char *path, char **temporary) {
  size_t n = strlen(path) + 48;
  uint32_t random;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) random = (uint32_t)time(NULL);
  ATL_TRY(ATL_NEW(n, temporary));
  snprintf(*temporary, n, "%s.tmp.%ld-%08x", path, (long)getpid(), (unsigned)random);
  return ATL_OK;
}

/* Makes a rename in the folder of `path` durable. Errors are ignored: some network file systems cannot sync a
 * folder. */
static void sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char folder[4096];
  if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof folder) {
    snprintf(folder, sizeof folder, "%s", slash == path ? "/" : ".");
  } else {
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
  }
  int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  close(descriptor);
}

atl_status_t atl_file_create(const char *path, atl_file_writer_t *writer) {
  *writer = (atl_file_writer_t){.descriptor = -1};
  atl_status_t status = atl_memory_strdup(path, &writer->path);
  if (status == ATL_OK) status = name_temporary(path, &writer->temporary);
  if (status == ATL_OK) {
    writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (writer->descriptor < 0) {
      status = ATL_FAIL(IO, "%s: cannot be written: %s", path, strerror(errno));
      ATL_DESTROY(&writer->temporary); /* we did not create it: abandon must not remove it */
    }
  }
  if (status != ATL_OK) atl_file_abandon(writer);
  return status;
}

void atl_file_abandon(atl_file_writer_t *writer) {
  if (writer->descriptor >= 0) close(writer->descriptor);
  if (writer->temporary != NULL) unlink(writer->temporary);
  ATL_DESTROY(&writer->temporary);
  ATL_DESTROY(&writer->path);
  writer->descriptor = -1;
}

static atl_status_t fail_and_abandon(atl_file_writer_t *writer, const char *what) {
  atl_status_t status = ATL_FAIL(IO, "%s: %s failed: %s", writer->path, what, strerror(errno));
  atl_file_abandon(writer);
  return status;
}

atl_status_t atl_file_append(atl_file_writer_t *writer, const void *bytes, size_t n_bytes) {
  const char *next = bytes;
  while (n_bytes > 0) {
    ssize_t n = write(writer->descriptor, next, n_bytes < (1u << 30) ? n_bytes : (1u << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_and_abandon(writer, "writing");
    next += n;
    n_bytes -= (size_t)n;
  }
  return ATL_OK;
}

atl_status_t atl_file_commit(atl_file_writer_t *writer) {
  if (fsync(writer->descriptor) != 0) return fail_and_abandon(writer, "syncing to disk");
  int descriptor = writer->descriptor;
  writer->descriptor = -1;
  if (close(descriptor) != 0) return fail_and_abandon(writer, "closing");
  if (rename(writer->temporary, writer->path) != 0) return fail_and_abandon(writer, "renaming into place");
  sync_folder(writer->path);
  ATL_DESTROY(&writer->temporary);
  ATL_DESTROY(&writer->path);
  return ATL_OK;
}

atl_status_t atl_file_write(const char *path, const void *bytes, size_t n_bytes) {
  atl_file_writer_t writer;
  ATL_TRY(atl_file_create(path, &writer));
  ATL_TRY(atl_file_append(&writer, bytes, n_bytes));
  ATL_TRY(atl_file_commit(&writer));
  return ATL_OK;
}

bool atl_file_exists(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0;
}

bool atl_file_exists_itself(const char *path) {
  struct stat facts;
  return lstat(path, &facts) == 0;
}

bool atl_file_is_directory(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static atl_status_t make_one(const char *path) {
  if (mkdir(path, 0777) == 0 || (errno == EEXIST && atl_file_is_directory(path))) return ATL_OK;
  return ATL_FAIL(IO, "%s: the folder cannot be made: %s", path, strerror(errno));
}

atl_status_t atl_file_make_directory(const char *path) {
  char *part;
  ATL_TRY(atl_memory_strdup(path, &part));
  atl_status_t status = ATL_OK;
  for (char *slash = part + 1; *part != '\0' && status == ATL_OK && (slash = strchr(slash, '/')) != NULL; slash++) {
    *slash = '\0';
    status = make_one(part);
    *slash = '/';
  }
  if (status == ATL_OK) status = make_one(path);
  ATL_DESTROY(&part);
  return status;
}

/* True if no entry is a folder; else errno is EISDIR. */
static bool has_only_files(DIR *folder) {
  struct stat facts;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode)) {
      errno = EISDIR;
      return false;
    }
  }
  rewinddir(folder);
  return true;
}

atl_status_t atl_file_remove_directory(const char *path) {
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return ATL_OK;
  DIR *folder = descriptor < 0 ? NULL : fdopendir(descriptor);
  ATL_CHECK(folder != NULL, IO, "%s: the folder cannot be read: %s", path, strerror(errno));
  bool is_ok = has_only_files(folder);
  for (struct dirent *entry = is_ok ? readdir(folder) : NULL; entry != NULL && is_ok; entry = readdir(folder))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      is_ok = unlinkat(dirfd(folder), entry->d_name, 0) == 0;
  if (is_ok) is_ok = rmdir(path) == 0;
  int error = errno;
  closedir(folder);
  ATL_CHECK(is_ok, IO, "%s: the folder cannot be removed: %s", path, strerror(error));
  return ATL_OK;
}

void atl_file_sha256(const void *bytes, size_t n_bytes, char text[65]) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(n_bytes == 0 ? (const void *)"" : bytes, n_bytes, digest);
  for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
