/* After all checks, OUT is renamed to OUT.old.PID and the new directory to OUT; then other files move over and the old
 * model's own files are deleted. Folders are opened without following links, and their entries are accessed through the
 * descriptor, so that nothing outside them can be touched. */
#include "model/checkpoint/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

enum { PATH_BYTES = 4096 };

static atl_status_t read_index(const char *folder, json_t **root) {
  char path[PATH_BYTES];
  int n = snprintf(path, sizeof path, "%s/model.json", folder);
  ATL_CHECK(n > 0 && n < PATH_BYTES, INPUT, "%s: the path is too long", folder);
  ATL_CHECK(atl_file_exists(path), INPUT, "%s: --force replaces model directories only, but this has no model.json",
            folder);
  return atl_json_load(path, root);
}

/* Is `name` model.json or a file that model.json names? A path with folders never equals the plain name of an entry. */
static bool is_of_model(const json_t *root, const char *name) {
  const char *part;
  json_t *value;
  if (strcmp(name, "model.json") == 0) return true;
  json_object_foreach((json_t *)root, part, value) {
    const char *file = json_string_value(json_object_get(value, "file"));
    if (file != NULL && strcmp(file, name) == 0) return true;
  }
  return false;
}

static bool is_directory_at(DIR *folder, const char *name) {
  struct stat facts;
  return fstatat(dirfd(folder), name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode);
}

static atl_status_t open_folder(const char *path, DIR **folder) {
  *folder = NULL;
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor >= 0) *folder = fdopendir(descriptor);
  if (descriptor >= 0 && *folder == NULL) close(descriptor);
  ATL_CHECK(*folder != NULL, INPUT, "%s: expected a readable model directory: %s", path, strerror(errno));
  return ATL_OK;
}

/* The next entry other than "." and "..", or NULL. */
static const char *next_name(DIR *folder) {
  struct dirent *entry = readdir(folder);
  while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0))
    entry = readdir(folder);
  return entry == NULL ? NULL : entry->d_name;
}

/* Checks that there is no subdirectory, and no file to be kept whose name is also in `made` (NULL: not known yet). */
static atl_status_t check_entries(DIR *folder, const json_t *root, const char *out, const char *made) {
  rewinddir(folder);
  for (const char *name = next_name(folder); name != NULL; name = next_name(folder)) {
    ATL_CHECK(
        !is_directory_at(folder, name), INPUT,
        "%s: --force replaces model directories only, but this one has a folder %s; nothing was changed: move it away, "
        "or choose another --out",
        out, name);
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", made == NULL ? "" : made, name);
    ATL_CHECK(n > 0 && n < PATH_BYTES, INPUT, "%s: the path of %s is too long", out, name);
    ATL_CHECK(made == NULL || is_of_model(root, name) || !atl_file_exists(path), INPUT,
              "%s/%s is not part of the old model, and the new model has a file of that name; nothing was changed: "
              "move it away",
              out, name);
  }
  return ATL_OK;
}

/* Opens an existing `out` for replacement. Caller closes both. */
static atl_status_t open_old(const char *out, const char *made, DIR **folder, json_t **root) {
  struct stat facts;
  *folder = NULL;
  *root = NULL;
  ATL_CHECK(lstat(out, &facts) == 0, INPUT, "%s: cannot be accessed: %s", out, strerror(errno));
  ATL_CHECK(!S_ISLNK(facts.st_mode), INPUT,
            "%s: is a symbolic link, but --force replaces model directories only; nothing was changed: name the "
            "directory it points to, or remove the link",
            out);
  ATL_CHECK(S_ISDIR(facts.st_mode), INPUT, "%s: --force replaces model directories only, but this is a file", out);
  ATL_TRY(read_index(out, root));
  ATL_TRY(open_folder(out, folder));
  return check_entries(*folder, *root, out, made);
}

static void close_old(DIR **folder, json_t **root) {
  if (*folder != NULL) closedir(*folder);
  json_decref(*root);
}

atl_status_t atl_replace_check(const char *out) {
  DIR *folder;
  json_t *root;
  atl_status_t status = open_old(out, NULL, &folder, &root);
  close_old(&folder, &root);
  return status;
}

/* Deletes the old model's files, moves others to `out`, and removes the folder `old`, which is open as `folder`. */
static atl_status_t empty(DIR *folder, const json_t *root, const char *old, const char *out) {
  int target = open(out, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bool is_ok = target >= 0;
  rewinddir(folder);
  for (const char *name = next_name(folder); is_ok && name != NULL; name = next_name(folder)) {
    if (is_of_model(root, name)) {
      is_ok = unlinkat(dirfd(folder), name, 0) == 0;
      continue;
    }
    is_ok = renameat(dirfd(folder), name, target, name) == 0;
    if (is_ok) ATL_LOG(INFO, "%s/%s is not part of the old model and is kept", out, name);
  }
  int error = errno;
  if (target >= 0) close(target);
  if (is_ok && rmdir(old) == 0) return ATL_OK;
  return ATL_FAIL(IO, "%s: the new model is in place, but the old one in %s cannot be removed: %s", out, old,
                  strerror(is_ok ? errno : error));
}

static atl_status_t exchange(const char *made, const char *out, DIR *folder, const json_t *root) {
  char old[PATH_BYTES];
  int n = snprintf(old, sizeof old, "%s.old.%ld", out, (long)getpid());
  ATL_CHECK(n > 0 && n < PATH_BYTES, INPUT, "%s: the path is too long", out);
  ATL_CHECK(rename(out, old) == 0, IO, "%s: cannot be renamed to %s: %s", out, old, strerror(errno));
  if (rename(made, out) != 0) {
    int error = errno;
    (void)rename(old, out);
    return ATL_FAIL(IO, "%s: cannot be created: %s", out, strerror(error));
  }
  return empty(folder, root, old, out);
}

atl_status_t atl_replace_run(const char *made, const char *out) {
  struct stat facts;
  if (lstat(out, &facts) != 0) {
    ATL_CHECK(rename(made, out) == 0, IO, "%s: cannot be created: %s", out, strerror(errno));
    return ATL_OK;
  }
  DIR *folder;
  json_t *root;
  atl_status_t status = open_old(out, made, &folder, &root);
  if (status == ATL_OK) status = exchange(made, out, folder, root);
  close_old(&folder, &root);
  return status;
}
