/* Mutate: feeds a reader thousands of damaged files, the same ones in every run. A target is a program with libFuzzer's
 * entry point, seeds and a bound on memory; this header provides its main function.
 *
 *     // TEST np=1
 *     #include "tests/support/mutate.h"
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) { ... open, use, destroy ...; return 0; }
 *     static void add_seeds(mutate_corpus_t *corpus) { mutate_add_file(corpus, "tests/golden/NAME.bin"); }
 *     MUTATE_MAIN(add_seeds, 1 << 20, 300)       -- bound: 1 MiB + 300 bytes per byte of input, all freed
 *
 * A crash, a hang, memory not freed or memory beyond the bound ends the run, which prints the number of the input.
 * `--only I` runs input I alone, `--write FILE` writes it to FILE, `--runs N` sets the number of inputs [10000] and
 * `--seed S` selects others [1]. `make check-fuzz` builds the same targets with libFuzzer, which searches for new code
 * paths.
 */
#ifndef ATL_TESTS_SUPPORT_MUTATE_H
#define ATL_TESTS_SUPPORT_MUTATE_H

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "common/rng.h"
#include "tests/support/tap.h"

enum {
  MUTATE_MAX_SEEDS = 64,
  MUTATE_MAX_BYTES = 1 << 16, /* size of an input */
  MUTATE_SECONDS =
      60 /* time limit of an input: generous, so that only a hang exceeds it, also with sanitisers on a busy machine */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t
    mutate_n_read; /* inputs that the reader accepted; the target counts them, to show how deep the run went */

typedef struct {
  uint8_t *bytes;
  size_t n;
} mutate_seed_t;

typedef struct {
  mutate_seed_t seeds[MUTATE_MAX_SEEDS];
  size_t n_seeds;
} mutate_corpus_t;

/* Adds a seed of n bytes, which are copied. Asserts n <= MUTATE_MAX_BYTES and at most MUTATE_MAX_SEEDS seeds. */
static inline void mutate_add_seed(mutate_corpus_t *corpus, const void *bytes, size_t n) {
  ATL_ASSERT(corpus->n_seeds < MUTATE_MAX_SEEDS && n <= MUTATE_MAX_BYTES);
  mutate_seed_t *seed = &corpus->seeds[corpus->n_seeds++];
  ATL_ASSERT(ATL_NEW(n, &seed->bytes) == ATL_OK);
  memcpy(seed->bytes, bytes, n);
  seed->n = n;
}

static inline void mutate_add_file(mutate_corpus_t *corpus, const char *path) {
  char *bytes;
  size_t n;
  if (!TAP_STATUS(ATL_OK, atl_file_read(path, MUTATE_MAX_BYTES, &bytes, &n), path)) return;
  mutate_add_seed(corpus, bytes, n);
  ATL_DESTROY(&bytes);
}

/* ---- random numbers, a function of (seed, input, draw) ---- */

typedef struct {
  uint64_t seed, input;
  uint32_t n_draws;
} mutate_random_t;

/* Returns a random number in 0 .. n-1, or 0 if n is 0. */
static inline size_t mutate_draw(mutate_random_t *random, size_t n) {
  const uint32_t counter[4] = {random->n_draws++, (uint32_t)random->input, (uint32_t)(random->input >> 32), 0};
  const uint32_t key[2] = {(uint32_t)random->seed, (uint32_t)(random->seed >> 32)};
  uint32_t words[4];
  atl_rng_philox(counter, key, words);
  return n == 0 ? 0 : (size_t)(((uint64_t)words[0] << 32 | words[1]) % n);
}

/* ---- mutations; no input grows beyond MUTATE_MAX_BYTES ---- */

typedef struct {
  uint8_t bytes[MUTATE_MAX_BYTES];
  size_t n;
} mutate_input_t;

/* Returns one of the values at which lengths, counts and offsets typically overflow or end; n: size of the input. */
static inline uint64_t mutate_number(mutate_random_t *random, size_t n) {
  const uint64_t numbers[] = {0,          1,          2,          3,         7,          8,          16,
                              63,         64,         127,        128,       255,        256,        1023,
                              1024,       4096,       32767,      32768,     65535,      65536,      n,
                              n - 1,      n + 1,      n / 2,      INT32_MAX, 1u << 31,   UINT32_MAX, 1ull << 32,
                              1ull << 40, 1ull << 60, 1ull << 62, INT64_MAX, 1ull << 63, UINT64_MAX};
  return numbers[mutate_draw(random, sizeof numbers / sizeof numbers[0])];
}

static inline void mutate_flip(mutate_input_t *input, mutate_random_t *random) {
  for (size_t i = 1 + mutate_draw(random, 8); i-- > 0 && input->n > 0;)
    input->bytes[mutate_draw(random, input->n)] ^= (uint8_t)(1u << mutate_draw(random, 8));
}

static inline void mutate_overwrite(mutate_input_t *input, mutate_random_t *random) {
  size_t n = 1 + mutate_draw(random, 8);
  for (size_t at = mutate_draw(random, input->n); n-- > 0 && at < input->n; at++)
    input->bytes[at] = (uint8_t)mutate_draw(random, 256);
}

/* Overwrites 1, 2, 4 or 8 bytes with such a value, little- or big-endian. */
static inline void mutate_set_number(mutate_input_t *input, mutate_random_t *random) {
  uint64_t number = mutate_number(random, input->n);
  size_t width = (size_t)1 << mutate_draw(random, 4), is_big = mutate_draw(random, 2);
  if (input->n < width) return;
  uint8_t *at = input->bytes + mutate_draw(random, input->n - width + 1);
  for (size_t i = 0; i < width; i++) at[is_big ? width - 1 - i : i] = (uint8_t)(number >> 8 * i);
}

/* Replaces bytes [at, at + n_old) with n_new bytes of `with`. Does nothing if the result would be too large. */
static inline void mutate_replace(mutate_input_t *input, size_t at, size_t n_old, const void *with, size_t n_new) {
  if (input->n - n_old + n_new > MUTATE_MAX_BYTES) return;
  memmove(input->bytes + at + n_new, input->bytes + at + n_old, input->n - at - n_old);
  memcpy(input->bytes + at, with, n_new);
  input->n += n_new - n_old;
}

/* Replaces the next run of decimal digits with another number, for lengths in JSON and text formats. */
static inline void mutate_set_digits(mutate_input_t *input, mutate_random_t *random) {
  size_t at = mutate_draw(random, input->n), n = 0;
  while (at < input->n && (input->bytes[at] < '0' || input->bytes[at] > '9')) at++;
  while (at + n < input->n && input->bytes[at + n] >= '0' && input->bytes[at + n] <= '9') n++;
  char digits[32];
  int n_digits = snprintf(digits, sizeof digits, "%s%llu", mutate_draw(random, 4) == 0 ? "-" : "",
                          (unsigned long long)mutate_number(random, input->n));
  if (n > 0) mutate_replace(input, at, n, digits, (size_t)n_digits);
}

static inline void mutate_truncate(mutate_input_t *input, mutate_random_t *random) {
  input->n = mutate_draw(random, input->n + 1);
}

static inline void mutate_remove(mutate_input_t *input, mutate_random_t *random) {
  size_t at = mutate_draw(random, input->n), n = 1 + mutate_draw(random, 32);
  if (n > input->n - at) n = input->n - at;
  mutate_replace(input, at, n, "", 0);
}

/* Inserts up to 64 bytes of a random seed, or overwrites as many bytes with them. */
static inline void mutate_insert(mutate_input_t *input, mutate_random_t *random, const mutate_corpus_t *corpus) {
  const mutate_seed_t *seed = &corpus->seeds[mutate_draw(random, corpus->n_seeds)];
  size_t from = mutate_draw(random, seed->n), at = mutate_draw(random, input->n + 1), n = 1 + mutate_draw(random, 64);
  if (n > seed->n - from) n = seed->n - from;
  size_t n_old = mutate_draw(random, 2) == 0 ? 0 : n < input->n - at ? n : input->n - at;
  mutate_replace(input, at, n_old, seed->bytes + from, n);
}

/* Joins the head of the input and the tail of a random seed. */
static inline void mutate_splice(mutate_input_t *input, mutate_random_t *random, const mutate_corpus_t *corpus) {
  const mutate_seed_t *seed = &corpus->seeds[mutate_draw(random, corpus->n_seeds)];
  size_t at = mutate_draw(random, input->n + 1), from = mutate_draw(random, seed->n + 1);
  mutate_replace(input, at, input->n - at, seed->bytes + from, seed->n - from);
}

/* Applies one of the first n_kinds kinds of mutation. The first three move no bytes, so they reach deeper into formats
 * with offsets. */
static inline void mutate_once(mutate_input_t *input, mutate_random_t *random, const mutate_corpus_t *corpus,
                               size_t n_kinds) {
  switch (mutate_draw(random, n_kinds)) {
  case 0: mutate_flip(input, random); break;
  case 1: mutate_overwrite(input, random); break;
  case 2: mutate_set_number(input, random); break;
  case 3: mutate_set_digits(input, random); break;
  case 4: mutate_truncate(input, random); break;
  case 5: mutate_remove(input, random); break;
  case 6: mutate_insert(input, random, corpus); break;
  default: mutate_splice(input, random, corpus);
  }
}

/* Makes input i. The first inputs are the unchanged seeds; the others are a random seed with 1 to 4 mutations, fewer
 * being more likely. */
static inline void mutate_make(const mutate_corpus_t *corpus, uint64_t seed, uint64_t i, mutate_input_t *input) {
  mutate_random_t random = {.seed = seed, .input = i};
  bool is_seed = i < corpus->n_seeds;
  const mutate_seed_t *from = &corpus->seeds[is_seed ? i : mutate_draw(&random, corpus->n_seeds)];
  memcpy(input->bytes, from->bytes, from->n);
  input->n = from->n;
  size_t n_kinds = mutate_draw(&random, 2) == 0 ? 3 : 8;
  for (size_t n = is_seed ? 0 : 1 + mutate_draw(&random, 1 + mutate_draw(&random, 4)); n > 0; n--)
    mutate_once(input, &random, corpus, n_kinds);
}

/* ---- running ---- */

static char mutate_place
    [64]; /* the text that a crash prints; prepared before each input, because a signal handler must not format */

static inline void mutate_say_place(void) {
  ssize_t n = write(STDOUT_FILENO, mutate_place, strlen(mutate_place));
  (void)n;
}

static inline void mutate_on_signal(int number) {
  mutate_say_place();
  signal(number, SIG_DFL);
  raise(number);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
const char *__asan_default_options(void);
/* Under the address sanitiser, bounds single allocations of libraries too (libzip, jansson, libpng), which
 * common/memory does not count. */
const char *__asan_default_options(void) { return "max_allocation_size_mb=256:allocator_may_return_null=0"; }

static inline void mutate_watch(void) {
  const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
  size_t first = 0, n = sizeof signals / sizeof signals[0];
  if (__sanitizer_set_death_callback != NULL) {
    __sanitizer_set_death_callback(mutate_say_place);
    first = n - 1; /* only SIGALRM: the sanitiser reports the others better */
  }
  for (size_t i = first; i < n; i++) signal(signals[i], mutate_on_signal);
}

/* Runs one input, copied into a block of exactly its size so that the sanitiser sees a read beyond it. Was all memory
 * freed, and the peak at most base_bytes + factor bytes per byte of input? */
static inline int mutate_run_one(const mutate_input_t *input, size_t base_bytes, size_t factor) {
  uint8_t *bytes = malloc(input->n);
  ATL_ASSERT(bytes != NULL || input->n == 0);
  if (input->n > 0) memcpy(bytes, input->bytes, input->n);
  size_t before = atl_memory_in_use_bytes();
  atl_memory_reset_peak();
  alarm(MUTATE_SECONDS);
  LLVMFuzzerTestOneInput(bytes, input->n);
  alarm(0);
  free(bytes);
  size_t taken = atl_memory_peak_bytes() - before, kept = atl_memory_in_use_bytes() - before;
  int is_ok = kept == 0 && taken <= base_bytes + factor * input->n;
  if (!is_ok)
    printf("%s# peak of %zu bytes, %zu not freed, for an input of %zu bytes\n", mutate_place, taken, kept, input->n);
  return is_ok;
}

static inline uint64_t mutate_option(int n, char **arguments, const char *name, uint64_t otherwise) {
  for (int i = 1; i + 1 < n; i++)
    if (strcmp(arguments[i], name) == 0) return strtoull(arguments[i + 1], NULL, 10);
  return otherwise;
}

static inline void mutate_write(int n, char **arguments, const mutate_input_t *input) {
  for (int i = 1; i + 1 < n; i++)
    if (strcmp(arguments[i], "--write") == 0) atl_file_write(arguments[i + 1], input->bytes, input->n);
}

static inline int mutate_main(int n_arguments, char **arguments, const mutate_corpus_t *corpus, size_t base_bytes,
                              size_t factor) {
  static mutate_input_t input;
  uint64_t seed = mutate_option(n_arguments, arguments, "--seed", 1), end, n_bad = 0;
  uint64_t first = mutate_option(n_arguments, arguments, "--only", UINT64_MAX);
  end = first == UINT64_MAX ? mutate_option(n_arguments, arguments, "--runs", 10000) : first + 1;
  if (!TAP_OK(corpus->n_seeds > 0, "there are seeds")) return tap_done();
  mutate_watch();
  for (uint64_t i = first == UINT64_MAX ? 0 : first; i < end && n_bad == 0; i++) {
    snprintf(mutate_place, sizeof mutate_place, "# input --seed %llu --only %llu\n", (unsigned long long)seed,
             (unsigned long long)i);
    mutate_make(corpus, seed, i, &input);
    mutate_write(n_arguments, arguments, &input);
    n_bad += !mutate_run_one(&input, base_bytes, factor);
  }
  TAP_OK(n_bad == 0, "damaged files are read or refused within the memory bound");
  TAP_OK(mutate_n_read > 0, "some inputs are read");
  printf("# %llu inputs from %zu seeds, %zu read\n", (unsigned long long)end, corpus->n_seeds, mutate_n_read);
  return tap_done();
}

static inline void mutate_clear(mutate_corpus_t *corpus) {
  for (size_t i = 0; i < corpus->n_seeds; i++) ATL_DESTROY(&corpus->seeds[i].bytes);
}

#ifdef ATL_LIBFUZZER
/* Writes the seeds into libFuzzer's corpus folder, which is the first argument that is not an option. */
static inline int mutate_write_seeds(const mutate_corpus_t *corpus, int n_arguments, char **arguments) {
  int first = 1;
  while (first < n_arguments && arguments[first][0] == '-') first++;
  if (first == n_arguments || !atl_file_is_directory(arguments[first])) return 0;
  for (size_t i = 0; i < corpus->n_seeds; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/seed-%zu", arguments[first], i);
    atl_file_write(path, corpus->seeds[i].bytes, corpus->seeds[i].n);
  }
  return 0;
}

#define MUTATE_MAIN(add_seeds, base_bytes, factor)                                                                     \
  int LLVMFuzzerInitialize(int *n_arguments, char ***arguments);                                                       \
  int LLVMFuzzerInitialize(int *n_arguments, char ***arguments) {                                                      \
    static mutate_corpus_t corpus;                                                                                     \
    add_seeds(&corpus);                                                                                                \
    mutate_write_seeds(&corpus, *n_arguments, *arguments);                                                             \
    mutate_clear(&corpus);                                                                                             \
    return 0;                                                                                                          \
  }
#else
#define MUTATE_MAIN(add_seeds, base_bytes, factor)                                                                     \
  int main(int n_arguments, char **arguments) {                                                                        \
    static mutate_corpus_t corpus;                                                                                     \
    add_seeds(&corpus);                                                                                                \
    int code = mutate_main(n_arguments, arguments, &corpus, base_bytes, factor);                                       \
    mutate_clear(&corpus);                                                                                             \
    return code;                                                                                                       \
  }
#endif

#endif
