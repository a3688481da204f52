/* Weights stream through the caches once an application: for each panel, for each block of steps, all groups of rows
 * use the block while it lies in L1. Sums between blocks are stored and reloaded in fp32, which changes no bit, so a
 * row's sum is one chain over i whatever the blocking, the row's place or the number of threads.
 *
 * Threads share the work by panels: no sum is ever split.
 */
#include "model/kernels/linear/linear.h"

#include <string.h>

#include "model/kernels/activation/activation.h"
#include "model/kernels/cpu.h"
#include "model/kernels/lanes.h"
#include "model/kernels/linear/linear_private.h"

static const struct {
  const char *name;
  atl_backend_t backend;
} the_backends[] = {
    {"auto", ATL_BACKEND_AUTO},     {"plain", ATL_BACKEND_PLAIN}, {"avx2", ATL_BACKEND_AVX2},
    {"avx512", ATL_BACKEND_AVX512}, {"amx", ATL_BACKEND_AMX},     {"openblas", ATL_BACKEND_OPENBLAS},
    {"onednn", ATL_BACKEND_ONEDNN},
};
enum { N_BACKENDS = sizeof the_backends / sizeof the_backends[0] };

const char *atl_backend_name(atl_backend_t backend) {
  for (int i = 0; i < N_BACKENDS; i++)
    if (the_backends[i].backend == backend) return the_backends[i].name;
  return "unknown";
}

atl_status_t atl_backend_find(const char *name, atl_backend_t *backend) {
  for (int i = 0; i < N_BACKENDS; i++)
    if (strcmp(the_backends[i].name, name) == 0) {
      *backend = the_backends[i].backend;
      return ATL_OK;
    }
  return ATL_FAIL(USAGE, "there is no backend '%s'; known are auto, plain, avx2, avx512, amx, openblas, onednn", name);
}

bool atl_backend_is_available(atl_backend_t backend, atl_dtype_t dtype) {
  if (dtype != ATL_F32 && dtype != ATL_BF16) return false;
  atl_cpu_t cpu = atl_cpu_get();
  switch (backend) {
  case ATL_BACKEND_AUTO:
  case ATL_BACKEND_PLAIN: return true;
  case ATL_BACKEND_AVX2: return cpu.has_avx2;
  case ATL_BACKEND_AVX512: return dtype == ATL_BF16 ? cpu.has_avx512_bf16 : cpu.has_avx512;
  case ATL_BACKEND_AMX: return dtype == ATL_BF16 && linear_has_amx();
  case ATL_BACKEND_OPENBLAS: return dtype == ATL_F32;
  case ATL_BACKEND_ONEDNN: return dtype == ATL_F32 || cpu.has_avx512; /* its bf16 needs AVX-512, with or without BF16 */
  default: return false;
  }
}

atl_backend_t atl_backend_choose(atl_backend_t wanted, atl_dtype_t dtype) {
  if (wanted != ATL_BACKEND_AUTO) return wanted;
  if (atl_backend_is_available(ATL_BACKEND_AMX, dtype)) return ATL_BACKEND_AMX;
  if (atl_backend_is_available(ATL_BACKEND_AVX512, dtype)) return ATL_BACKEND_AVX512;
  return atl_backend_is_available(ATL_BACKEND_AVX2, dtype) ? ATL_BACKEND_AVX2 : ATL_BACKEND_PLAIN;
}

static atl_status_t take_memory(atl_linear_t *linear) {
  ATL_TRY(ATL_TAKE(&linear->arena, linear->n_panels * linear->n_steps * PANEL, &linear->weights));
  return ATL_TAKE(&linear->arena, linear->n_blocks * CHUNK_ROWS * BLOCK_STEPS, &linear->x);
}

static void set_sizes(atl_linear_t *linear, const atl_linear_spec_t *spec) {
  bool is_geglu = spec->activation == ATL_ACTIVATION_GEGLU;
  linear->dtype = spec->dtype;
  linear->activation = spec->activation;
  linear->n_in = spec->n_in;
  linear->n_results = is_geglu ? spec->n_out / 2 : spec->n_out;
  linear->panel_results = is_geglu ? PANEL / 2 : PANEL;
  linear->n_panels = (linear->n_results + linear->panel_results - 1) / linear->panel_results;
  linear->n_steps = (spec->n_in + linear_items_per_step(spec->dtype) - 1) / linear_items_per_step(spec->dtype);
  linear->n_blocks = (linear->n_steps + BLOCK_STEPS - 1) / BLOCK_STEPS;
  linear->backend = atl_backend_choose(spec->backend, spec->dtype);
  if (linear->backend == ATL_BACKEND_OPENBLAS) linear->calls = &linear_openblas_calls;
  if (linear->backend == ATL_BACKEND_ONEDNN) linear->calls = &linear_onednn_calls;
  if (linear->backend == ATL_BACKEND_AMX) linear->n_steps = (linear->n_steps + AMX_STEPS - 1) / AMX_STEPS * AMX_STEPS;
  linear->tiles = linear->backend == ATL_BACKEND_AMX ? linear_tiles_amx()
                  : spec->dtype == ATL_BF16          ? linear_tiles_bf16(linear->backend)
                                                     : linear_tiles_f32(linear->backend);
}

static atl_status_t fill(atl_linear_t *linear, const atl_linear_spec_t *spec) {
  set_sizes(linear, spec);
  ATL_TRY(ATL_TAKE(&linear->arena, linear->n_panels * PANEL, &linear->bias));
  if (linear->calls != NULL) return linear_library_fill(linear, spec);
  ATL_TRY(take_memory(linear));
#pragma omp parallel for schedule(static)
  for (int64_t i_panel = 0; i_panel < linear->n_panels; i_panel++) linear_pack_panel(linear, spec, i_panel);
  return ATL_OK;
}

atl_status_t atl_linear_new(const atl_linear_spec_t *spec, atl_linear_t **linear) {
  *linear = NULL;
  ATL_CHECK(spec->n_out > 0 && spec->n_in > 0 && spec->n_out < INT32_MAX && spec->n_in < INT32_MAX, INPUT,
            "a linear layer needs 1 to 2^31 outputs and inputs, found %lld and %lld", (long long)spec->n_out,
            (long long)spec->n_in);
  ATL_CHECK(spec->activation != ATL_ACTIVATION_GEGLU || spec->n_out % 2 == 0, INPUT,
            "a GEGLU layer needs as many gates as values, found %lld rows", (long long)spec->n_out);
  ATL_CHECK(atl_backend_is_available(spec->backend, spec->dtype), UNSUPPORTED,
            "backend %s does not run %s on this processor; try auto", atl_backend_name(spec->backend),
            atl_dtype_name(spec->dtype));
  ATL_TRY(ATL_NEW(1, linear));
  atl_status_t status = fill(*linear, spec);
  if (status != ATL_OK) atl_linear_destroy(linear);
  return status;
}

void atl_linear_destroy(atl_linear_t **linear) {
  if (*linear == NULL) return;
  if ((*linear)->calls != NULL) (*linear)->calls->clear(*linear);
  atl_arena_clear(&(*linear)->arena);
  ATL_DESTROY(linear);
}

size_t atl_linear_bytes(const atl_linear_t *linear) {
  if (linear->calls != NULL) return (size_t)(linear->n_panels * PANEL * linear->n_in) * atl_dtype_bytes(linear->dtype);
  return (size_t)(linear->n_panels * linear->n_steps * PANEL) * sizeof *linear->weights;
}

size_t atl_linear_get_bytes(const atl_linear_spec_t *spec) {
  atl_linear_t linear = {0};
  set_sizes(&linear, spec);
  size_t n_words =
      (size_t)(linear.n_panels * PANEL * (linear.n_steps + 1) + linear.n_blocks * BLOCK_STEPS * CHUNK_ROWS);
  return sizeof linear + n_words * sizeof *linear.weights;
}

ATL_LANES_CLONES static void add_bias(float *sums, int64_t ld_sums, const float *bias, int64_t n_rows) {
  for (int64_t m = 0; m < n_rows; m++)
    for (int j = 0; j < PANEL; j += ATL_LANES)
      lanes_store(sums + m * ld_sums + j, lanes_load(sums + m * ld_sums + j) + lanes_load(bias + j));
}

static void activate(float *sums, int64_t ld_sums, int64_t n_rows, atl_activation_t activation) {
  if (activation == ATL_ACTIVATION_GEGLU) {
    atl_activation_geglu(sums, ld_sums, n_rows, PANEL / 2);
    return;
  }
  for (float *row = sums; row < sums + n_rows * ld_sums; row += ld_sums)
    atl_activation_apply(row, row, PANEL, activation);
}

/* y(n) <- residual(n) + scale(n) * (value(n) + bias(n)), each but value NULL for none; room for PANEL of bias. */
ATL_LANES_INLINE void write_row(float *y, const float *value, int64_t n, const float *bias, const float *scale,
                                const float *residual) {
  int64_t j = 0;
  for (; j + ATL_LANES <= n; j += ATL_LANES) {
    atl_lanes_t lanes = lanes_load(value + j);
    if (bias != NULL) lanes += lanes_load(bias + j);
    if (scale != NULL) lanes *= lanes_load(scale + j);
    if (residual != NULL) lanes += lanes_load(residual + j);
    lanes_store(y + j, lanes);
  }
  if (j == n) return;
  atl_lanes_t tail = lanes_load(value + j);
  if (bias != NULL) tail += lanes_load(bias + j);
  if (scale != NULL) tail *= lanes_load_tail(scale + j, n - j, 0);
  if (residual != NULL) tail += lanes_load_tail(residual + j, n - j, 0);
  lanes_store_tail(y + j, tail, n - j);
}

ATL_LANES_CLONES static void write_rows(float *y, int64_t ldy, const float *values, int64_t ld_values, int64_t n,
                                        int64_t n_rows, const float *bias, const float *scale, const float *residual,
                                        int64_t ld_residual) {
  for (int64_t m = 0; m < n_rows; m++)
    write_row(y + m * ldy, values + m * ld_values, n, bias, scale,
              residual == NULL ? NULL : residual + m * ld_residual);
}

void linear_finish(const atl_linear_t *linear, float *y, int64_t ldy, float *sums, int64_t ld_sums, int64_t i_panel,
                   int64_t n_rows, const atl_epilogue_t *epilogue) {
  int64_t first = i_panel * linear->panel_results, rest = linear->n_results - first;
  int64_t n = rest < linear->panel_results ? rest : linear->panel_results;
  const float *scale = epilogue->scale == NULL ? NULL : epilogue->scale + first;
  const float *residual = epilogue->residual == NULL ? NULL : epilogue->residual + first;
  const float *bias = linear->bias + i_panel * PANEL;
  if (linear->activation != ATL_ACTIVATION_NONE) {
    add_bias(sums, ld_sums, bias, n_rows);
    activate(sums, ld_sums, n_rows, linear->activation);
    bias = NULL;
  }
  write_rows(y + first, ldy, sums, ld_sums, n, n_rows, bias, scale, residual, epilogue->ld_residual);
}

/* How a chunk's rows are cut into groups: as few as there can be, of nearly equal height. */
typedef struct {
  int64_t n_rows, n_groups;
} cut_t;

static int64_t first_row(cut_t cut, int64_t i_group) { return i_group * cut.n_rows / cut.n_groups; }

static uint32_t *packed_row(const atl_linear_t *linear, int64_t i_block, int64_t row) {
  return linear->x + (i_block * CHUNK_ROWS + row) * BLOCK_STEPS;
}

/* One group reads front to back, fetching its own weights into L2 some way before; few rows outrun a long way. Of
 * several groups the first fetches the block after the next into L2, and each its share of the next block into L1. */
static ahead_t look_ahead(const uint32_t *block, int64_t n_steps, cut_t cut, int64_t i_group) {
  const char *here = (const char *)block;
  if (cut.n_groups == 1) return (ahead_t){here, 0, cut.n_rows < 6 ? 1024 : 16384};
  int64_t block_bytes = n_steps * STEP_BYTES, share = block_bytes / cut.n_groups;
  return (ahead_t){here + block_bytes + i_group * share, share / n_steps, i_group == 0 ? 2 * block_bytes : 0};
}

static void run_panel(const atl_linear_t *linear, float *sums, cut_t cut, int64_t i_panel) {
  const uint32_t *block = linear->weights + i_panel * linear->n_steps * PANEL;
  for (int64_t i_block = 0; i_block < linear->n_blocks; i_block++, block += BLOCK_STEPS * PANEL) {
    int64_t rest = linear->n_steps - i_block * BLOCK_STEPS, n_steps = rest < BLOCK_STEPS ? rest : BLOCK_STEPS;
    for (int64_t i = 0; i < cut.n_groups; i++) {
      int64_t first = first_row(cut, i), n = first_row(cut, i + 1) - first;
      linear->tiles.tile(sums + first * PANEL, block, packed_row(linear, i_block, first), n_steps, (int)n,
                         look_ahead(block, n_steps, cut, i));
    }
  }
}

static void apply_chunk(const atl_linear_t *linear, float *y, int64_t ldy, const float *x, int64_t ldx, int64_t n_rows,
                        const atl_epilogue_t *epilogue) {
  cut_t cut = {n_rows, (n_rows + linear->tiles.group_rows - 1) / linear->tiles.group_rows};
#pragma omp parallel
  {
#pragma omp for collapse(2) schedule(static)
    for (int64_t m = 0; m < n_rows; m++)
      for (int64_t i = 0; i < linear->n_blocks; i++)
        linear_pack_block(linear, packed_row(linear, i, m), x + m * ldx, i);
#pragma omp for schedule(static)
    for (int64_t i_panel = 0; i_panel < linear->n_panels; i_panel++) {
      _Alignas(64) float sums[CHUNK_ROWS * PANEL];
      memset(sums, 0, (size_t)n_rows * PANEL * sizeof *sums);
      run_panel(linear, sums, cut, i_panel);
      linear_finish(linear, y, ldy, sums, PANEL, i_panel, n_rows, epilogue);
    }
  }
}

void atl_linear_apply(const atl_linear_t *linear, float *y, int64_t ldy, const float *x, int64_t ldx, int64_t n_rows,
                      const atl_epilogue_t *epilogue) {
  bool is_own = linear->calls == NULL;
  int64_t chunk_rows = is_own ? CHUNK_ROWS : LIBRARY_ROWS;
  for (int64_t m = 0; m < n_rows; m += chunk_rows) {
    atl_epilogue_t here = epilogue != NULL ? *epilogue : (atl_epilogue_t){0};
    if (here.residual != NULL) here.residual += m * here.ld_residual;
    int64_t rest = n_rows - m;
    (is_own ? apply_chunk : linear_library_apply)(linear, y + m * ldy, ldy, x + m * ldx, ldx,
                                                  rest < chunk_rows ? rest : chunk_rows, &here);
  }
}
