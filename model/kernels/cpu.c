#include "model/kernels/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__linux__)
enum { MAX_CACHE_INDEX = 8 };

/* Reads the first line of a file that describes a cache; false if there is none. */
static bool read_cache_file(int cpu, int index, const char *name, char *line, int line_bytes) {
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/%s", cpu, index, name);
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  bool is_read = fgets(line, line_bytes, file) != NULL;
  fclose(file);
  return is_read;
}

/* Bytes of a CPU's last-level cache, the one with the highest index (sysfs writes "32768K"); 0 if it was counted with
 * another CPU that shares it. */
static size_t count_cache(int cpu, cpu_set_t *counted) {
  char size[32], shared[256], *unit;
  int index = MAX_CACHE_INDEX;
  while (index >= 0 && !read_cache_file(cpu, index, "size", size, sizeof size)) index--;
  if (index < 0) return 0;
  bool is_listed = read_cache_file(cpu, index, "shared_cpu_list", shared, sizeof shared);
  size_t first = is_listed ? (size_t)strtoull(shared, NULL, 10) : (size_t)cpu;
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

const char *atl_cpu_lacks_avx2(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) return "avx2";
  return __builtin_cpu_supports("fma") ? NULL : "fma";
}

const char *atl_cpu_lacks_avx512(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f")) return "avx512f";
  if (!__builtin_cpu_supports("avx512bw")) return "avx512bw";
  if (!__builtin_cpu_supports("avx512vl")) return "avx512vl";
  return __builtin_cpu_supports("avx512dq") ? NULL : "avx512dq";
}

/* Read from leaf 7.1, because gcc knows the name "avx512bf16" and clang 14 does not. */
const char *atl_cpu_lacks_avx512_bf16(void) {
  unsigned eax, ebx, ecx, edx;
  if (atl_cpu_lacks_avx512() != NULL) return atl_cpu_lacks_avx512();
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 5 & 1) ? NULL : "avx512_bf16";
}

/* Tiles are 8 KiB of state that Linux saves only for processes that request it: feature 18 of arch_prctl 0x1023. */
const char *atl_cpu_lacks_amx(void) {
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, TILE = 1 << 24, TILE_BF16 = 1 << 22 };
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(edx & TILE)) return "amx_tile";
  if (!(edx & TILE_BF16)) return "amx_bf16";
#if defined(__linux__)
  if (syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0) return NULL;
#endif
  return "the system's permission to use amx";
}

/* The brand string is 48 bytes in leaves 0x80000002 to 0x80000004, padded with blanks on both sides. */
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
const char *atl_cpu_lacks_avx2(void) { return "avx2"; }
const char *atl_cpu_lacks_avx512(void) { return "avx512f"; }
const char *atl_cpu_lacks_avx512_bf16(void) { return "avx512_bf16"; }
const char *atl_cpu_lacks_amx(void) { return "amx_tile"; }

const char *atl_cpu_describe(char *text, size_t text_bytes) {
  snprintf(text, text_bytes, "unknown processor");
  return text;
}
#endif

const char *atl_cpu_lacks_nothing(void) { return NULL; }

atl_cpu_t atl_cpu_get(void) {
  return (atl_cpu_t){.has_avx2 = atl_cpu_lacks_avx2() == NULL,
                     .has_avx512 = atl_cpu_lacks_avx512() == NULL,
                     .has_avx512_bf16 = atl_cpu_lacks_avx512_bf16() == NULL};
}

bool atl_cpu_has_amx(void) { return atl_cpu_lacks_amx() == NULL; }
