// TEST np=1
/* Memory limits of this process, read from files in a temporary folder that replaces "/". */
#include "common/available.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/file.h"
#include "tests/support/tap.h"

static const int64_t mib = 1 << 20;

/* Writes root/path and creates its folders. */
static void put(const char *root, const char *path, const char *text) {
  char full[512], folder[512];
  snprintf(full, sizeof full, "%s/%s", root, path);
  snprintf(folder, sizeof folder, "%s", full);
  *strrchr(folder, '/') = '\0';
  if (atl_file_make_directory(folder) != ATL_OK || atl_file_write(full, text, strlen(text)) != ATL_OK) exit(1);
}

static int64_t host_mib(const char *root, const char *limit) {
  atl_available_t available;
  atl_available_get(root, &available);
  printf("# %lld bytes by %s\n", (long long)available.host_bytes, available.host_limit);
  return strcmp(available.host_limit, limit) == 0 ? available.host_bytes / mib : -1;
}

static void test_v2(const char *root) {
  put(root, "proc/self/cgroup", "0::/job_1/step_0\n");
  put(root, "sys/fs/cgroup/job_1/memory.current", "104857600\n");
  put(root, "sys/fs/cgroup/job_1/memory.max", "314572800\n");
  put(root, "sys/fs/cgroup/job_1/step_0/memory.current", "1048576\n");
  put(root, "sys/fs/cgroup/job_1/step_0/memory.max", "max\n");
  TAP_OK(host_mib(root, "the memory limit of a cgroup") == 200, "cgroup v2: the limit of the parent group counts");
  put(root, "sys/fs/cgroup/job_1/memory.stat", "anon 5\nactive_file 7340032\ninactive_file 52428800\n");
  TAP_OK(host_mib(root, "the memory limit of a cgroup") == 250, "cgroup v2: inactive page cache counts as free");
  put(root, "sys/fs/cgroup/job_1/step_0/memory.high", "31457280\n");
  TAP_OK(host_mib(root, "the memory limit of a cgroup") == 29, "cgroup v2: memory.high counts");
  put(root, "sys/fs/cgroup/job_1/step_0/memory.current", "41943040\n");
  TAP_OK(host_mib(root, "the memory limit of a cgroup") == 0, "cgroup v2: an exhausted limit leaves nothing");
  put(root, "proc/self/cgroup", "0::/not/here\n");
  put(root, "sys/fs/cgroup/memory.current", "0\n");
  put(root, "sys/fs/cgroup/memory.max", "73400320\n");
  TAP_OK(host_mib(root, "the memory limit of a cgroup") == 70,
         "cgroup v2: a path that exists only on the host falls back to the container's own group");
}

static void test_v1(const char *root) {
  put(root, "proc/self/cgroup", "12:cpu,cpuacct:/a\n4:hugetlb,memory:/slurm/job_2\n1:name=systemd:/\n");
  put(root, "sys/fs/cgroup/memory/slurm/job_2/memory.usage_in_bytes", "20971520\n");
  put(root, "sys/fs/cgroup/memory/slurm/job_2/memory.limit_in_bytes", "9223372036854771712\n");
  TAP_OK(host_mib(root, "MemAvailable") == 1000, "cgroup v1: a group without a limit does not count");
  put(root, "sys/fs/cgroup/memory/slurm/memory.usage_in_bytes", "20971520\n");
  put(root, "sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "125829120\n");
  put(root, "sys/fs/cgroup/memory/slurm/memory.stat", "inactive_file 1\ntotal_inactive_file 10485760\n");
  TAP_OK(host_mib(root, "the memory limit of a cgroup") == 110, "cgroup v1: the limit of the parent group counts");
}

static void test_slurm(const char *root) {
  setenv("SLURM_MEM_PER_NODE", "90", 1);
  TAP_OK(host_mib(root, "SLURM_MEM_PER_NODE") == 90, "Slurm: memory of a node");
  setenv("SLURM_MEM_PER_NODE", "0", 1);
  setenv("SLURM_MEM_PER_CPU", "20", 1);
  setenv("SLURM_CPUS_ON_NODE", "4", 1);
  TAP_OK(host_mib(root, "SLURM_MEM_PER_CPU") == 80, "Slurm: memory of the job's CPUs; 0 for a node means no limit");
  unsetenv("SLURM_MEM_PER_NODE");
  unsetenv("SLURM_MEM_PER_CPU");
  unsetenv("SLURM_CPUS_ON_NODE");
}

static void test_process(const char *root) {
  atl_available_t available;
  struct rlimit old, limit;
  getrlimit(RLIMIT_AS, &old);
  put(root, "proc/self/status", "Name:\tatelier\nVmSize:\t 1048576 kB\n");
  limit = (struct rlimit){(rlim_t)5 << 30, old.rlim_max};
  if (setrlimit(RLIMIT_AS, &limit) != 0) {
    TAP_SKIP("RLIMIT_AS cannot be set here");
    return;
  }
  atl_available_get(root, &available);
  setrlimit(RLIMIT_AS, &old);
  TAP_OK(available.process_bytes == (int64_t)4 << 30, "RLIMIT_AS bounds the process, less what it has mapped");
}

int main(void) {
  char root[] = "/tmp/atelier-available-XXXXXX";
  if (mkdtemp(root) == NULL) return 1;
  unsetenv("SLURM_MEM_PER_NODE");
  unsetenv("SLURM_MEM_PER_CPU");
  atl_available_t here;
  atl_available_get(root, &here);
  TAP_OK(here.host_bytes == 0, "without the files the limit is unknown");
  put(root, "proc/meminfo", "MemTotal: 9999999 kB\nMemAvailable:    1024000 kB\n");
  TAP_OK(host_mib(root, "MemAvailable") == 1000, "the host's free memory");
  test_v1(root);
  test_slurm(root);
  test_v2(root);
  test_process(root);
  atl_available_get("", &here);
  TAP_OK(here.host_bytes > 0, "this machine's free memory is known");
  printf("# %lld bytes by %s\n", (long long)here.host_bytes, here.host_limit);
  char command[600];
  snprintf(command, sizeof command, "rm -rf %s", root);
  return system(command) == 0 ? tap_done() : 1;
}
