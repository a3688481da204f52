/* A cgroup's limit holds for all groups below it, so the walk goes from this process's group up to the mount point. In
 * a container the path in /proc/self/cgroup may be the host's and not exist here: what is missing is passed over, and
 * the mount point itself, which every walk ends with, is then the container's own group. */
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

/* The number after `key` at the start of a line of a file; false when there is none. */
static bool find_number(const char *path, const char *key, int64_t *number) {
  FILE *file = fopen(path, "r");
  char line[512];
  bool is_found = false;
  while (file != NULL && !is_found && fgets(line, sizeof line, file) != NULL)
    is_found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%" SCNd64, number) == 1;
  if (file != NULL) fclose(file);
  return is_found;
}

/* The number in a file of a cgroup; false when it is missing or says "max". */
static bool find_group_number(const char *group, const char *name, const char *key, int64_t *number) {
  char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/%s", group, name);
  return find_number(path, key, number);
}

typedef struct {
  const char *mount, *limits[2], *usage, *cache; /* cache: the key of memory.stat */
} hierarchy_t;

static const hierarchy_t the_v1 = {
    "/sys/fs/cgroup/memory", {"memory.limit_in_bytes", NULL}, "memory.usage_in_bytes", "total_inactive_file "};
static const hierarchy_t the_v2 = {"/sys/fs/cgroup", {"memory.max", "memory.high"}, "memory.current", "inactive_file "};

static void look_at_group(const char *group, const hierarchy_t *hierarchy, atl_available_t *available) {
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
    look_at_group(group, hierarchy, available);
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

/* Lines "4:memory:/path" of cgroup v1 and "0::/path" of v2; both may be there. */
static void look_at_groups(const char *root, atl_available_t *available) {
  char path[PATH_BYTES], line[PATH_BYTES];
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  FILE *file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) continue;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (group[0] != '/' || strstr(group, "/..") != NULL) group = (char[]){""};
    if (has_word(controllers + 1, "memory")) walk_up(root, &the_v1, group, available);
    if (controllers[1] == '\0') walk_up(root, &the_v2, group, available);
  }
  if (file != NULL) fclose(file);
}

/* A variable's positive number; 0 when it is not set or says 0, which for Slurm means the whole node. */
static int64_t get_variable(const char *name) {
  const char *text = getenv(name);
  long long number = text == NULL ? 0 : strtoll(text, NULL, 10);
  return number > 0 && number < INT64_MAX >> 40 ? number : 0;
}

static void look_at_slurm(atl_available_t *available) {
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
  look_at_groups(root, available);
  look_at_slurm(available);
  available->process_bytes = process_bytes(root);
}
