#include "model/kernels/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__linux__)
enum { MAX_CACHE_INDEX = 8 };

/* The first line of a cache's file; false when there is none. */
static bool read_cache_file(int cpu, int index, const char *name, char *line, int line_bytes) {
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/%s", cpu, index, name);
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  bool is_read = fgets(line, line_bytes, file) != NULL;
  fclose(file);
  return is_read;
}

/* "32768K" of the cache with the highest index, which is the last level, unless another processor that shares it has
 * been counted. */
static size_t count_cache(int cpu, cpu_set_t *counted) {
  char size[32], shared[256], *unit;
  int index = MAX_CACHE_INDEX;
  while (index >= 0 && !read_cache_file(cpu, index, "size", size, sizeof size)) index--;
  if (index < 0) return 0;
  bool is_said = read_cache_file(cpu, index, "shared_cpu_list", shared, sizeof shared);
  size_t first = is_said ? (size_t)strtoull(shared, NULL, 10) : (size_t)cpu;
  if (first >= CPU_SETSIZE || CPU_ISSET(first, counted)) return 0;
  CPU_SET(first, counted);
  size_t n = (size_t)strtoull(size, &unit, 10);
  return *unit == 'K' ? n << 10 : *unit == 'M' ? n << 20 : n;
}

size_t atl_cpu_cache_bytes(void) {
  cpu_set_t allowed, counted;
  size_t bytes = 0;
  CPU_ZERO(&allowed);
  CPU_ZERO(&counted);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET((size_t)cpu, &allowed)) bytes += count_cache(cpu, &counted);
  return bytes;
}
#else
size_t atl_cpu_cache_bytes(void) { return 0; }
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

atl_cpu_t atl_cpu_get(void) {
  __builtin_cpu_init();
  atl_cpu_t cpu = {.has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")};
  cpu.has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  unsigned eax, ebx, ecx, edx;
  /* leaf 7.1: gcc knows the name "avx512bf16", clang 14 does not */
  bool has_bf16 = __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 5 & 1);
  cpu.has_avx512_bf16 = cpu.has_avx512 && has_bf16;
  return cpu;
}

/* Tiles are 8 KiB of state that Linux saves only for processes that ask: feature 18 of arch_prctl 0x1023. */
bool atl_cpu_has_amx(void) {
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, TILE = 1 << 24, TILE_BF16 = 1 << 22 };
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  if (!(edx & TILE) || !(edx & TILE_BF16)) return false;
#if defined(__linux__)
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
  return false;
#endif
}

/* The brand string is 48 bytes in leaves 0x80000002..4, padded with blanks on either side. */
const char *atl_cpu_describe(char *text, size_t text_bytes) {
  unsigned brand[13] = {0};
  for (unsigned i = 0; i < 3; i++) {
    unsigned *part = brand + 4 * i;
    if (!__get_cpuid(0x80000002u + i, part, part + 1, part + 2, part + 3)) break;
  }
  char name[sizeof brand];
  memcpy(name, brand, sizeof brand);
  size_t first = strspn(name, " "), n = strlen(name);
  while (n > first && name[n - 1] == ' ') n--;
  snprintf(text, text_bytes, "%.*s", (int)(n - first), name + first);
  return text;
}
#else
atl_cpu_t atl_cpu_get(void) { return (atl_cpu_t){0}; }

bool atl_cpu_has_amx(void) { return false; }

const char *atl_cpu_describe(char *text, size_t text_bytes) {
  snprintf(text, text_bytes, "unknown processor");
  return text;
}
#endif
