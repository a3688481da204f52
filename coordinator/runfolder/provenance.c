#include "coordinator/runfolder/provenance.h"

#include <stdio.h>

#include "coordinator/job/compute.h"
#include "model/kernels/library.h"
#include "partition/comm.h"

/* "amx-bf16": the kernels and their precision, which together decide the last bits. `auto` is resolved on this rank. */
static void describe_kernels(const atl_job_t *job, char *text, size_t text_bytes) {
  atl_backend_t backend = atl_backend_choose((atl_backend_t)job->backend, job->dtype);
  snprintf(text, text_bytes, "%s-%s", atl_backend_name(backend), atl_compute_dtype_word(job->dtype));
}

atl_status_t atl_provenance_of_pixels(const atl_job_t *job, const atl_model_t *model, const char *negative,
                                      json_t **object) {
  const atl_sampling_t *s = &job->sampling;
  const char *dtype = atl_compute_dtype_word(job->dtype), *kv = atl_compute_dtype_word(job->kv);
  char kernels[64], onednn[64];
  describe_kernels(job, kernels, sizeof kernels);
  json_t *tokens = json_array();
  for (int32_t i = 0; i < job->n_prime; i++) json_array_append_new(tokens, json_integer(job->prime[i]));
  *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:f, s:i, s:f, s:f, s:f, s:s?, s:i, s:o, s:s}", "model",
                      model->name, "model_digest", model->digest, "dtype", dtype, "kv", kv, "kernels", kernels,
                      "greedy", s->greedy, "temperature", s->temperature, "top_k", s->top_k, "top_p", s->top_p,
                      "filter_thres", s->filter_thres, "guidance", s->guidance, "negative", negative, "n_prime",
                      job->n_prime, "prime", tokens, "onednn", atl_library_describe_onednn(onednn, sizeof onednn));
  ATL_CHECK(*object != NULL, MEMORY, "too little memory for run.json");
  return ATL_OK;
}

atl_status_t atl_provenance_of_machine(int n_ranks, json_t **object) {
  *object = json_pack("{s:s, s:i}", "mpi", atl_comm_library(), "ranks", n_ranks);
  ATL_CHECK(*object != NULL, MEMORY, "too little memory for run.json");
  return ATL_OK;
}
