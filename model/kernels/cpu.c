#include "model/kernels/cpu.h"

#include <stdio.h>

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
