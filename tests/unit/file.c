// TEST np=1
/* Files are written completely or not at all. */
#include "common/file.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/memory.h"
#include "tests/support/tap.h"

static void test_writing(const char *folder) {
  char path[256], *text = NULL;
  size_t n = 0;
  snprintf(path, sizeof path, "%s/a/b/c.txt", folder);
  TAP_STATUS(ATL_IO, atl_file_write(path, "x", 1), "a file in a missing folder is refused");
  snprintf(path, sizeof path, "%s/a/b", folder);
  TAP_STATUS(ATL_OK, atl_file_make_directory(path), "folders are made with their parents");
  TAP_STATUS(ATL_OK, atl_file_make_directory(path), "an existing folder is fine");
  snprintf(path, sizeof path, "%s/a/b/c.txt", folder);
  TAP_STATUS(ATL_OK, atl_file_write(path, "hello", 5), "a file is written");
  TAP_STATUS(ATL_OK, atl_file_write(path, "world!", 6), "and replaced");
  TAP_STATUS(ATL_OK, atl_file_read(path, 100, &text, &n), "and read");
  TAP_OK(n == 6 && text != NULL && strcmp(text, "world!") == 0, "with what was written and a NUL");
  ATL_DESTROY(&text);
  TAP_STATUS(ATL_INPUT, atl_file_read(path, 5, &text, &n), "a file longer than allowed is refused");
  atl_file_writer_t writer;
  TAP_STATUS(ATL_OK, atl_file_create(path, &writer), "a writer begins");
  TAP_STATUS(ATL_OK, atl_file_append(&writer, "half", 4), "appends");
  atl_file_abandon(&writer);
  TAP_STATUS(ATL_OK, atl_file_read(path, 100, &text, &n), "and after it is abandoned");
  TAP_OK(n == 6 && strcmp(text, "world!") == 0, "the old file stands");
  ATL_DESTROY(&text);
  snprintf(path, sizeof path, "%s/a/b", folder);
  TAP_STATUS(ATL_OK, atl_file_remove_directory(path),
             "a folder and its one file are removed: no temporary is left over");
  TAP_OK(!atl_file_exists(path), "the folder is gone");
  TAP_STATUS(ATL_OK, atl_file_remove_directory(path), "removing a missing folder is fine");
}

static void test_removing(const char *folder) {
  char path[256], file[300], other[300];
  snprintf(path, sizeof path, "%s/full/inner", folder);
  snprintf(file, sizeof file, "%s/full/file", folder);
  snprintf(other, sizeof other, "%s/link", folder);
  atl_file_make_directory(path);
  atl_file_write(file, "x", 1);
  *strrchr(path, '/') = '\0';
  TAP_STATUS(ATL_IO, atl_file_remove_directory(path), "a folder with a folder in it is not removed");
  TAP_OK(atl_file_exists(file), "nor is any file in it");
  TAP_OK(symlink(path, other) == 0, "a symbolic link to a folder");
  TAP_STATUS(ATL_IO, atl_file_remove_directory(other), "is not followed when a folder is removed");
  TAP_OK(atl_file_exists(file), "and the folder behind it keeps its files");
}

/* Two processes with one PID (two hosts, two containers) must not share a temporary. */
static void test_temporaries(const char *folder) {
  char path[256];
  atl_file_writer_t first, second;
  snprintf(path, sizeof path, "%s/shared", folder);
  TAP_STATUS(ATL_OK, atl_file_create(path, &first), "a writer of a file");
  TAP_STATUS(ATL_OK, atl_file_create(path, &second), "and a second one of the same file");
  TAP_OK(strcmp(first.temporary, second.temporary) != 0, "have temporaries of their own");
  atl_file_abandon(&first);
  atl_file_abandon(&second);
}

static void test_mapping(const char *folder) {
  atl_file_map_t map;
  TAP_STATUS(ATL_INPUT, atl_file_map(folder, &map), "a folder is not mapped");
  TAP_STATUS(ATL_INPUT, atl_file_map("/nonexistent", &map), "a missing file is refused");
  TAP_STATUS(ATL_INPUT, atl_file_map("/dev/zero", &map), "a device is refused");
  char path[256];
  snprintf(path, sizeof path, "%s/empty", folder);
  TAP_STATUS(ATL_OK, atl_file_write(path, "", 0), "an empty file is written");
  TAP_STATUS(ATL_OK, atl_file_map(path, &map), "and mapped");
  TAP_OK(map.bytes == NULL && map.n_bytes == 0, "as no bytes");
  atl_file_unmap(&map);
}

/* A file that is truncated while it is mapped gives one message and exit code 2. */
static void test_shrinking(const char *folder) {
  char path[256], messages[300], *text = NULL;
  size_t n = 0;
  snprintf(path, sizeof path, "%s/shrinking", folder);
  snprintf(messages, sizeof messages, "%s/messages", folder);
  char *bytes = calloc(1 << 20, 1);
  TAP_STATUS(ATL_OK, atl_file_write(path, bytes, 1 << 20), "a file of a megabyte");
  free(bytes);
  pid_t child = fork();
  if (child == 0) {
    atl_file_map_t map;
    if (freopen(messages, "w", stderr) == NULL || atl_file_map(path, &map) != ATL_OK) _exit(9);
    atl_file_catch_truncation();
    if (truncate(path, 10) != 0) _exit(9);
    volatile unsigned char byte = map.bytes[500000];
    _exit(byte);
  }
  int status = 0;
  waitpid(child, &status, 0);
  TAP_OK(WIFEXITED(status) && WEXITSTATUS(status) == 2, "that becomes shorter while it is read ends with exit code 2");
  TAP_STATUS(ATL_OK, atl_file_read(messages, 1000, &text, &n), "and a message");
  TAP_OK(text != NULL && strstr(text, path) != NULL && strstr(text, "became shorter") != NULL, "that names the file");
  ATL_DESTROY(&text);
}

int main(void) {
  char folder[] = "/tmp/atelier-file-XXXXXX", text[65];
  if (mkdtemp(folder) == NULL) return 1;
  test_writing(folder);
  test_removing(folder);
  test_temporaries(folder);
  test_shrinking(folder);
  test_mapping(folder);
  atl_file_sha256("abc", 3, text);
  TAP_OK(strcmp(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0,
         "SHA-256 gives the digest of the example in FIPS 180-2");
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", folder);
  TAP_OK(system(command) == 0, "the test cleans up");
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
