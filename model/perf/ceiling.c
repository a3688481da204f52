#include "model/perf/ceiling.h"

#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "common/memory.h"
#include "common/sort.h"
#include "common/timer.h"
#include "model/perf/ceiling_private.h"

/* Each measurement lasts less than a millisecond and is repeated many times: short enough to fall between other work on
 * the machine. */
enum { WINDOW_BYTES = 8 << 20, HUGE_PAGE_BYTES = 2 << 20 };
enum { N_PASSES = 3, MAX_READS = 192, N_REPEATS = 60, MIN_WINDOWS = 2, N_POLLS = 1000000 };

size_t atl_ceiling_working_set(size_t cache_bytes) {
  if (cache_bytes < ATL_LEAST_WORKING_SET / 4) return ATL_LEAST_WORKING_SET;
  return cache_bytes < ATL_MOST_WORKING_SET / 4 ? 4 * cache_bytes : ATL_MOST_WORKING_SET;
}

bool atl_ceiling_is_cached(size_t working_set_bytes, size_t cache_bytes) { return working_set_bytes / 4 < cache_bytes; }

/* ---- all threads at once ---- */

/* Binds the calling thread to the i-th CPU of the allowed set: left to the system, two threads may share one CPU while
 * other work has the next. Called only when there is a CPU for each thread. */
static void bind_to(int i, const cpu_set_t *allowed) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, allowed) && i-- == 0) CPU_SET(cpu, &mine);
  (void)sched_setaffinity(0, sizeof mine, &mine);
}

/* Waits until all n threads have arrived. They spin for a while before they yield, since a thread that has yielded to
 * other work starts late. */
static void barrier(atomic_int *n_here, int n) {
  atomic_fetch_add(n_here, 1);
  for (int i = 0; atomic_load(n_here) < n; i++)
    if (i > N_POLLS) sched_yield();
}

typedef float (*body_t)(const void *context, int thread);

/* Seconds from the first thread's start to the last one's end, and the number of threads that ran. A barrier lets all
 * begin within a microsecond, which waking them for each measurement would not. */
typedef struct {
  double seconds;
  int n_threads;
} timing_t;

static timing_t run_on_threads(int n_threads, body_t body, const void *context) {
  atomic_int n_here = 0;
  double first = 0, last = 0;
  int n_ran = 0;
  volatile float sink = 0;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  bool is_bound = sched_getaffinity(0, sizeof allowed, &allowed) == 0 && n_threads <= CPU_COUNT(&allowed);
#pragma omp parallel num_threads(n_threads)
  {
    int thread = omp_get_thread_num(), n = omp_get_num_threads();
    if (is_bound) bind_to(thread, &allowed);
    barrier(&n_here, n);
    double start = atl_timer_now();
    float result = body(context, thread);
    double end = atl_timer_now();
    if (is_bound) (void)sched_setaffinity(0, sizeof allowed, &allowed);
#pragma omp critical
    {
      if (n_ran == 0 || start < first) first = start;
      if (end > last) last = end;
      n_ran = n;
      sink = sink + result;
    }
  }
  return (timing_t){last - first, n_ran};
}

/* ---- arithmetic ---- */

static float multiply(const void *context, int thread) {
  const ceiling_loop_t *loop = context;
  (void)thread;
  return loop->run(loop->n_steps);
}

static void measure_flops(int n_threads, atl_dtype_t dtype, double *best, const char **instruction) {
  ceiling_loop_t loops[CEILING_MAX_LOOPS];
  int n_loops = atl_ceiling_loops(atl_cpu_get(), atl_cpu_has_amx(), dtype, loops);
  *best = 0;
  for (int i = 0; i < n_loops * N_REPEATS; i++) {
    const ceiling_loop_t *loop = &loops[i / N_REPEATS];
    timing_t run = run_on_threads(n_threads, multiply, loop);
    double rate = loop->flops_per_step * (double)loop->n_steps * run.n_threads / run.seconds;
    if (rate <= *best) continue;
    *best = rate;
    *instruction = loop->instruction;
  }
}

/* ---- reading ---- */

typedef float lanes_t __attribute__((vector_size(64)));
enum { AHEAD = 2048 / sizeof(lanes_t), N_SUMS = 4 };

/* Sums n vectors, read as n_streams contiguous parts side by side; four accumulators hide the additions behind the
 * reads. */
static inline __attribute__((always_inline)) float read_streams(const lanes_t *x, int64_t n, int n_streams,
                                                                bool has_prefetch) {
  lanes_t sum[N_SUMS] = {{0}};
  int64_t part = n / n_streams, n_together = N_SUMS / n_streams;
  for (int64_t i = 0; i < part; i += n_together) {
#pragma GCC unroll 4
    for (int j = 0; j < N_SUMS; j++) {
      const lanes_t *at = x + j / n_together * part + i + j % n_together;
      if (has_prefetch) __builtin_prefetch(at + AHEAD, 0, 3);
      sum[j] += *at;
    }
  }
  return sum[0][0] + sum[1][1] + sum[2][2] + sum[3][3];
}

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#define READ(name, n_streams, has_prefetch)                                                                            \
  CLONES static float name(const lanes_t *x, int64_t n) { return read_streams(x, n, n_streams, has_prefetch); }
READ(read_1, 1, false)
READ(read_2, 2, false)
READ(read_4, 4, false)
READ(read_1_ahead, 1, true)
READ(read_2_ahead, 2, true)
READ(read_4_ahead, 4, true)

static const struct {
  const char *name;
  float (*read)(const lanes_t *x, int64_t n);
} access_patterns[] = {{"1 stream", read_1},
                       {"2 streams", read_2},
                       {"4 streams", read_4},
                       {"1 stream, prefetched", read_1_ahead},
                       {"2 streams, prefetched", read_2_ahead},
                       {"4 streams, prefetched", read_4_ahead}};
enum { N_PATTERNS = sizeof access_patterns / sizeof access_patterns[0] };

/* Each thread reads, window by window, what it wrote first. All windows together are the working set, so none is in a
 * cache when it is read again. */
typedef struct {
  char *mapping, *first; /* first(n_threads,n_windows,WINDOW_BYTES), aligned to a huge page */
  size_t mapping_bytes;
  int64_t n_windows, i_window; /* per thread; the one to read next */
  int pattern;
} reading_t;

static char *window_of(const reading_t *r, int thread, int64_t i_window) {
  return r->first + (thread * r->n_windows + i_window) * WINDOW_BYTES;
}

static float fill(const void *context, int thread) {
  const reading_t *r = context;
  memset(window_of(r, thread, 0), 1, (size_t)r->n_windows * WINDOW_BYTES);
  return 0;
}

static float read_window(const void *context, int thread) {
  const reading_t *r = context;
  return access_patterns[r->pattern].read((const lanes_t *)(void *)window_of(r, thread, r->i_window),
                                          WINDOW_BYTES / (int64_t)sizeof(lanes_t));
}

/* Asks for huge pages: they are read faster, and kernels' weights may lie in them. */
static atl_status_t reading_init(reading_t *r, int n_threads, size_t working_set_bytes) {
  int64_t wanted = (int64_t)working_set_bytes / WINDOW_BYTES / n_threads;
  *r = (reading_t){.n_windows = wanted > MIN_WINDOWS ? wanted : MIN_WINDOWS};
  size_t n_bytes = (size_t)n_threads * (size_t)r->n_windows * WINDOW_BYTES;
  r->mapping_bytes = n_bytes + HUGE_PAGE_BYTES;
  void *mapping = mmap(NULL, r->mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ATL_CHECK(mapping != MAP_FAILED, MEMORY,
            "needed %zu bytes to measure the bandwidth of memory; try a smaller working set", r->mapping_bytes);
  r->mapping = mapping;
  r->first = r->mapping + (HUGE_PAGE_BYTES - (uintptr_t)mapping % HUGE_PAGE_BYTES);
#ifdef MADV_HUGEPAGE
  (void)madvise(r->first, n_bytes, MADV_HUGEPAGE);
#endif
  run_on_threads(n_threads, fill, r);
  return ATL_OK;
}

/* Windows that each access pattern reads: a few passes over the working set, but at least the whole of a large one. */
static int64_t count_reads(const reading_t *r) {
  int64_t n = N_PASSES * r->n_windows;
  if (n <= MAX_READS) return n;
  return r->n_windows > MAX_READS ? r->n_windows : MAX_READS;
}

/* rates(count_reads) of one access pattern, slowest first. */
static void measure_pattern(reading_t *r, int n_threads, int pattern, double *rates) {
  int64_t n = count_reads(r);
  r->pattern = pattern;
  for (int64_t i = 0; i < n; i++) {
    r->i_window = i % r->n_windows;
    timing_t run = run_on_threads(n_threads, read_window, r);
    rates[i] = (double)WINDOW_BYTES * run.n_threads / run.seconds;
  }
  atl_sort_doubles(rates, (size_t)n);
}

static atl_status_t measure_reading(int n_threads, size_t working_set_bytes, atl_ceiling_t *ceiling) {
  reading_t r;
  double *rates;
  ATL_TRY(reading_init(&r, n_threads, working_set_bytes));
  int64_t n = count_reads(&r);
  atl_status_t status = ATL_NEW(n, &rates);
  ceiling->read_bytes = 0;
  for (int pattern = 0; pattern < N_PATTERNS && status == ATL_OK; pattern++) {
    measure_pattern(&r, n_threads, pattern, rates);
    if (rates[n - 1] <= ceiling->read_bytes) continue;
    ceiling->read_bytes = rates[n - 1];
    ceiling->usual_read_bytes = atl_sort_median(rates, (size_t)n);
    ceiling->read_way = access_patterns[pattern].name;
  }
  ATL_DESTROY(&rates);
  munmap(r.mapping, r.mapping_bytes);
  return status;
}

atl_status_t atl_ceiling_get(int n_threads, size_t working_set_bytes, atl_ceiling_t *ceiling) {
  ATL_TRY(measure_reading(n_threads, working_set_bytes, ceiling));
  measure_flops(n_threads, ATL_F32, &ceiling->f32_flops, &ceiling->f32_instruction);
  measure_flops(n_threads, ATL_BF16, &ceiling->bf16_flops, &ceiling->bf16_instruction);
  return ATL_OK;
}
