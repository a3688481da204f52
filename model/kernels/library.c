#include "model/kernels/library.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

static const char *name_of(dnnl_cpu_isa_t isa) {
  switch ((unsigned)isa) {
  case 0x1: return "sse41";
  case 0x3: return "avx";
  case 0x7: return "avx2";
  case 0x407: return "avx2_vnni";
  case 0x27: return "avx512_core";
  case 0x67: return "avx512_core_vnni";
  case 0xe7: return "avx512_core_bf16";
  case 0x1ef: return "avx512_core_fp16";
  case 0x3e7:
  case 0xfef: return "avx512_core_amx";
  default: return NULL;
  }
}

const char *atl_library_describe_onednn(char *text, size_t text_bytes) {
  const dnnl_version_t *version = dnnl_version();
  dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  const char *name = name_of(isa);
  int n = snprintf(text, text_bytes, "%d.%d.%d ", version->major, version->minor, version->patch);
  if (n > 0 && (size_t)n < text_bytes && name != NULL) snprintf(text + n, text_bytes - (size_t)n, "%s", name);
  if (n > 0 && (size_t)n < text_bytes && name == NULL)
    snprintf(text + n, text_bytes - (size_t)n, "isa 0x%x", (unsigned)isa);
  return text;
}
