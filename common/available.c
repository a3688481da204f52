/* A cgroup's limit holds for all groups below it, so the walk goes from this process's group up to the mount point. In
 * a container /proc/self/cgroup may hold the host's path, which does not exist here. Missing groups are skipped; the
 * walk always ends at the mount point, which is then the container's own group. */
#include "common/available.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { PATH_BYTES = 4096 };

static void lower(atl_available_t *available, int64_t bytes, const char *limit) {
  if (bytes < 1) bytes = 1;
  if (available->host_bytes != 0 && available->host_bytes <= bytes) return;
  available->host_bytes = bytes;
  available->host_limit = limit;
}

/* Reads the integer that follows `key` at the start of a line of a file; false if there is none. */
static bool find_number(const char *path, const char *key, int64_t *number) {
  FILE *file = fopen(path, "r");
  char line[512];
  bool is_found = false;
  while (file != NULL && !is_found && fgets(line, sizeof line, file) != NULL)
    is_found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%" SCNd64, number) == 1;
  if (file != NULL) fclose(file);
  return is_found;
}

/* Reads an integer from a file of a cgroup; false if it is missing or says "max". */
static bool find_group_number(const char *group, const char *name, const char *key, int64_t *number) {
  char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/%s", group, name);
  return find_number(path, key, number);
}

typedef struct {
  const char *mount, *limits[2], *usage, *cache; /* files; a key of memory.stat */
} hierarchy_t;

static const hierarchy_t cgroup_v1 = {
    "/sys/fs/cgroup/memory", {"memory.limit_in_bytes", NULL}, "memory.usage_in_bytes", "total_inactive_file "};
static const hierarchy_t cgroup_v2 = {
    "/sys/fs/cgroup", {"memory.max", "memory.high"}, "memory.current", "inactive_file "};

static void apply_group_limits(const char *group, const hierarchy_t *hierarchy, atl_available_t *available) {
  int64_t usage, cache = 0, limit;
  if (!find_group_number(group, hierarchy->usage, "", &usage)) return;
  find_group_number(group, "memory.stat", hierarchy->cache, &cache);
  if (cache > usage) cache = usage;
  for (int i = 0; i < 2 && hierarchy->limits[i] != NULL; i++)
    if (find_group_number(group, hierarchy->limits[i], "", &limit))
      lower(available, limit - (usage - cache), "the memory limit of a cgroup");
}

static void walk_up(const char *root, const hierarchy_t *hierarchy, const char *path, atl_available_t *available) {
  char group[PATH_BYTES];
  int n_mount = snprintf(group, sizeof group, "%s%s", root, hierarchy->mount);
  int n = snprintf(group, sizeof group, "%s%s%s", root, hierarchy->mount, path);
  if (n < 0 || (size_t)n >= sizeof group) return;
  for (;;) {
    apply_group_limits(group, hierarchy, available);
    if (strlen(group) <= (size_t)n_mount) return;
    *strrchr(group, '/') = '\0';
  }
}

static bool has_word(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *next = list; next != NULL; next = strchr(next, ',')) {
    next += *next == ',';
    if (strncmp(next, word, n) == 0 && (next[n] == ',' || next[n] == '\0')) return true;
  }
  return false;
}

/* /proc/self/cgroup has lines "4:memory:/path" for cgroup v1 and "0::/path" for v2; a system may have both. */
static void apply_cgroup_limits(const char *root, atl_available_t *available) {
  char path[PATH_BYTES], line[PATH_BYTES];
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  FILE *file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) continue;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (group[0] != '/' || strstr(group, "/..") != NULL) group = (char[]){""};
    if (has_word(controllers + 1, "memory")) walk_up(root, &cgroup_v1, group, available);
    if (controllers[1] == '\0') walk_up(root, &cgroup_v2, group, available);
  }
  if (file != NULL) fclose(file);
}

/* The positive integer in an environment variable, else 0. Slurm writes 0 for "all memory of the node". */
static int64_t get_variable(const char *name) {
  const char *text = getenv(name);
  long long number = text == NULL ? 0 : strtoll(text, NULL, 10);
  return number > 0 && number < INT64_MAX >> 40 ? number : 0;
}

static void apply_slurm_limits(atl_available_t *available) {
  int64_t node_mib = get_variable("SLURM_MEM_PER_NODE"), cpu_mib = get_variable("SLURM_MEM_PER_CPU"),
          n_cpus = get_variable("SLURM_CPUS_ON_NODE");
  if (node_mib > 0) lower(available, node_mib << 20, "SLURM_MEM_PER_NODE");
  if (cpu_mib > 0 && n_cpus > 0) lower(available, (cpu_mib << 20) * n_cpus, "SLURM_MEM_PER_CPU");
}

static int64_t process_bytes(const char *root) {
  struct rlimit limit;
  int64_t mapped_kib;
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "%s/proc/self/status", root);
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
  if (!find_number(path, "VmSize:", &mapped_kib)) mapped_kib = 0;
  int64_t left = (int64_t)(limit.rlim_cur > INT64_MAX ? INT64_MAX : limit.rlim_cur) - mapped_kib * 1024;
  return left > 1 ? left : 1;
}

void atl_available_get(const char *root, atl_available_t *available) {
  char path[PATH_BYTES];
  int64_t free_kib;
  *available = (atl_available_t){.host_limit = "nothing"};
  snprintf(path, sizeof path, "%s/proc/meminfo", root);
  if (find_number(path, "MemAvailable:", &free_kib)) lower(available, free_kib * 1024, "MemAvailable");
  apply_cgroup_limits(root, available);
  apply_slurm_limits(available);
  available->process_bytes = process_bytes(root);
}
