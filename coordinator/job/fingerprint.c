#include "coordinator/job/fingerprint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/process.h"
#include "coordinator/job/compute.h"
#include "model/kernels/library.h"

enum { BLOCK_BYTES = 4096, N_BLOCKS = 64 };

typedef struct {
  const char *path;
  int descriptor;
  int64_t n_bytes;
} source_t;

static atl_status_t read_at(const source_t *source, int64_t offset, void *bytes, size_t n_bytes) {
  ssize_t n = pread(source->descriptor, bytes, n_bytes, offset);
  ATL_CHECK(n == (ssize_t)n_bytes, INPUT, "%s: expected %zu bytes at offset %" PRId64 ", found %zd: %s", source->path,
            n_bytes, offset, n, n < 0 ? strerror(errno) : "the file has been truncated");
  return ATL_OK;
}

/* Hashes the bytes from `begin` to `end`: all of them, block by block, or N_BLOCKS blocks spread over them. */
static atl_status_t hash_blocks(const source_t *source, int64_t begin, int64_t end, bool takes_all, uint64_t *hash) {
  char block[BLOCK_BYTES];
  int64_t n_all = (end - begin + BLOCK_BYTES - 1) / BLOCK_BYTES, n = takes_all || n_all < N_BLOCKS ? n_all : N_BLOCKS;
  *hash = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t i_block = n > 1 ? i * (n_all - 1) / (n - 1) : 0, offset = begin + i_block * BLOCK_BYTES;
    size_t n_bytes = (size_t)(end - offset < BLOCK_BYTES ? end - offset : BLOCK_BYTES);
    ATL_TRY(read_at(source, offset, block, n_bytes));
    *hash = XXH64(block, n_bytes, *hash);
  }
  return ATL_OK;
}

/* A safetensors file: u64 header size, header, data. common/safetensors has already checked it. */
static atl_status_t describe_source(const source_t *source, atl_arena_t *arena, char **text) {
  uint64_t n_header, header, samples;
  ATL_TRY(read_at(source, 0, &n_header, sizeof n_header));
  ATL_CHECK(n_header <= (uint64_t)source->n_bytes - sizeof n_header, INPUT, "%s: the file has been truncated",
            source->path);
  int64_t begin = (int64_t)(sizeof n_header + n_header);
  ATL_TRY(hash_blocks(source, 0, begin, true, &header));
  ATL_TRY(hash_blocks(source, begin, source->n_bytes, false, &samples));
  return atl_arena_printf(arena, text, "%" PRId64 " bytes, header %016" PRIx64 ", samples of weights %016" PRIx64,
                          source->n_bytes, header, samples);
}

static atl_status_t describe_file(const atl_safetensors_t *file, atl_arena_t *arena, char **text) {
  struct stat facts;
  source_t source = {.path = atl_safetensors_path(file)};
  source.descriptor = open(source.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ATL_CHECK(source.descriptor >= 0, INPUT, "%s: expected a readable file: %s", source.path, strerror(errno));
  atl_status_t status = fstat(source.descriptor, &facts) == 0 && facts.st_size >= 8
                            ? ATL_OK
                            : ATL_FAIL(INPUT, "%s: the file has been truncated", source.path);
  source.n_bytes = status == ATL_OK ? facts.st_size : 0;
  if (status == ATL_OK) status = describe_source(&source, arena, text);
  close(source.descriptor);
  return status;
}

atl_status_t atl_fingerprint_make(const atl_model_t *model, const atl_job_t *job, atl_arena_t *arena, char **text) {
  const struct {
    const char *name;
    const atl_safetensors_t *file;
  } files[] = {{"transformer.safetensors", model->transformer},
               {"vae.safetensors", model->vae},
               {"clip.safetensors", model->clip}};
  char onednn[64], *line;
  const char *kernels = atl_backend_name(atl_backend_choose((atl_backend_t)job->backend, job->dtype));
  ATL_TRY(atl_arena_printf(arena, text, "model.json\tsha256 %s\n", model->digest));
  for (int i = 0; i < 3; i++) {
    if (files[i].file == NULL) continue;
    ATL_TRY(describe_file(files[i].file, arena, &line));
    ATL_TRY(atl_arena_printf(arena, text, "%s%s\t%s\n", *text, files[i].name, line));
  }
  return atl_arena_printf(arena, text, "%skernels\t%s-%s\noneDNN\t%s\n", *text, kernels,
                          atl_compute_dtype_word(job->dtype), atl_library_describe_onednn(onednn, sizeof onednn));
}

/* Lines are "NAME\tVALUE\n", in the same order on every rank. */
atl_status_t atl_fingerprint_compare(const char *expected, const char *found, const char *directory) {
  char host[ATL_HOST_BYTES];
  while (*expected != '\0' || *found != '\0') {
    int n_expected = (int)strcspn(expected, "\n"), n_found = (int)strcspn(found, "\n");
    if (n_expected == n_found && memcmp(expected, found, (size_t)n_found) == 0) {
      expected += n_expected + (expected[n_expected] == '\n');
      found += n_found + (found[n_found] == '\n');
      continue;
    }
    int n_name = (int)strcspn(expected, "\t\n"), at_expected = n_name + (n_name < n_expected),
        at_found = (int)strcspn(found, "\t\n");
    at_found += at_found < n_found;
    atl_process_host(host);
    ATL_CHECK(
        strncmp(expected, "kernels\t", 8) != 0, INPUT,
        "host %s would compute with kernels %.*s, rank 0 with %.*s: the pictures would depend on which rank draws "
        "them; choose kernels that every host has (--kernels avx2)",
        host, n_found - at_found, found + at_found, n_expected - at_expected, expected + at_expected);
    ATL_CHECK(
        strncmp(expected, "oneDNN\t", 7) != 0, INPUT,
        "on host %s oneDNN is %.*s, on rank 0's %.*s: the pictures would depend on which rank decodes them; install "
        "one version, and set ONEDNN_MAX_CPU_ISA (AVX2, ...) to an instruction set that every host has",
        host, n_found - at_found, found + at_found, n_expected - at_expected, expected + at_expected);
    return ATL_FAIL(
        INPUT,
        "host %s has another model than rank 0: %s/%.*s: expected %.*s, found %.*s; all ranks need the same "
        "files: copy the model again, or read it from a shared file system",
        host, directory, n_name, expected, n_expected - at_expected, expected + at_expected, n_found - at_found,
        found + at_found);
  }
  return ATL_OK;
}
