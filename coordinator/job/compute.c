#include "coordinator/job/compute.h"

#include <string.h>

#include "common/log.h"
#include "model/transformer/kvcache.h"

atl_status_t atl_compute_parse(const atl_compute_words_t *words, atl_compute_t *compute) {
  compute->dtype = atl_dtype_find(words->dtype, strlen(words->dtype));
  ATL_CHECK(compute->dtype == ATL_F32 || compute->dtype == ATL_BF16, USAGE, "--dtype %s: expected f32 or bf16",
            words->dtype);
  ATL_TRY(atl_status_prefix(atl_kvcache_find_dtype(words->kv, compute->dtype, &compute->kv), "--"));
  ATL_TRY(atl_backend_find(words->kernels, &compute->backend));
  ATL_CHECK(compute->backend == ATL_BACKEND_AUTO || atl_backend_is_available(compute->backend, compute->dtype),
            UNSUPPORTED, "--kernels %s --dtype %s: this CPU or build lacks these kernels; try --kernels auto",
            words->kernels, words->dtype);
  if (!atl_backend_has_independent_rows(compute->backend))
    ATL_LOG_ROOT(WARN, "--kernels %s: the last bits of a result, and so the pictures, may depend on the layout",
                 words->kernels);
  return ATL_OK;
}

const char *atl_compute_dtype_word(atl_dtype_t dtype) {
  if (dtype == ATL_I8) return "int8";
  return dtype == ATL_BF16 ? "bf16" : "f32";
}
