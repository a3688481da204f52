/* Wire: messages as plain C structs that mirror proto/atelier.proto field by field, and their conversion to bytes. Only
 * wire.c uses the generated protobuf types. The structs are also the in-memory form of a job. All local.
 *
 *     atl_buffer_t buffer = {0};                                   reused: allocates nothing in the steady state
 *     ATL_TRY(atl_wire_pack_assignment(&assignment, &buffer));
 *     ATL_TRY(atl_mailbox_send(box, to, ATL_TAG_ASSIGN, buffer.bytes, buffer.n));
 *     atl_buffer_clear(&buffer);
 *
 *     atl_arena_t arena = {0};                                     one per message; owns the decoded data
 *     ATL_TRY(atl_wire_unpack_assignment(message.bytes, message.n_bytes, &arena, &assignment));
 *     atl_arena_clear(&arena);
 *
 * Unpacking validates everything it can: INPUT when the bytes are incomplete, a required field is missing or a value is
 * out of range. Values that depend on the model (token < V_i, T ids) are validated by callers that know the model.
 */
#ifndef ATL_PROTO_WIRE_H
#define ATL_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/sampling.h"
#include "common/status.h"
#include "common/tensor.h"
#include "proto/role.h"

enum {
  ATL_MAX_PROMPTS = 1 << 24,  /* of a job */
  ATL_MAX_SAMPLES = 1 << 24,  /* of a prompt */
  ATL_MAX_CODES = 1 << 20,    /* image tokens of a token grid; ids of a text */
  ATL_MAX_MICROBATCH = 65536, /* candidates of an assignment */
  ATL_MAX_ROLES_PER_RANK = 3, /* stage, decoder, coordinator; also the reports in a message */
};

typedef struct {
  const char *id, *text;
  uint64_t key; /* atl_rng_prompt_key(id) */
  uint64_t seed;
  int32_t n_samples;  /* >= 1 */
  const int32_t *ids; /* T text ids */
  int32_t n_ids;
  const int32_t *clip_ids; /* ids of CLIP's context; n_clip_ids is 0 without CLIP */
  int32_t n_clip_ids;
} atl_prompt_t;

typedef struct {
  const int32_t *codes;
  int32_t n_codes;
} atl_forced_image_t;

/* Everything that all ranks must know before they start. */
typedef struct {
  const char *model, *out; /* model directory; run folder, or "" */
  atl_sampling_t sampling;
  const atl_prompt_t *prompts;
  int32_t n_prompts;
  const int32_t *null_ids; /* T ids of the null text or negative prompt; none without guidance */
  int32_t n_null_ids;
  const int32_t *prime; /* image tokens that every candidate begins with */
  int32_t n_prime;
  atl_dtype_t dtype;                /* of the weights: F32 or BF16 */
  atl_dtype_t kv;                   /* of the image part of the cache: F32, BF16 or I8 */
  int32_t backend;                  /* of the kernels: an atl_backend_t, validated by users of model/ */
  bool is_ranked;                   /* CLIP scores */
  bool wants_logits;                /* probe */
  const atl_forced_image_t *forced; /* probe: image tokens of candidate i */
  int32_t n_forced;
  int32_t n_keep;              /* top K */
  const char *trace;           /* file, or NULL */
  int32_t png_level;           /* 0..9 */
  int32_t measured_microbatch; /* all ranks first measure the costs of a step of this many candidates; 0: none */
} atl_job_t;

/* A sample of a prompt; `prompt` is an index into the job's prompts. */
typedef struct {
  int32_t prompt, sample;
} atl_candidate_t;

/* Stage 0 of pipeline `role` has n more free slots, or decoder `role` can take n more token grids. */
typedef struct {
  int32_t role, n;
} atl_ask_t;

typedef struct {
  const atl_candidate_t *candidates;
  int32_t n_candidates;
} atl_assignment_t;

typedef struct {
  atl_candidate_t candidate;
  const uint16_t *codes; /* (I): image tokens */
  int32_t n_codes;
  bool has_threshold; /* K scores are known already, and `threshold` is the lowest of them */
  float threshold;
} atl_grid_t;

typedef struct {
  const atl_grid_t *grids;
  int32_t n_grids;
} atl_grids_t;

typedef struct {
  atl_candidate_t candidate;
  float score;     /* NaN when the job is not ranked */
  char sha256[65]; /* of the PNG bytes, 64 lower-case hex digits */
  uint64_t n_bytes;
  bool is_written;
} atl_record_t;

/* Seconds and counts of one role since its loop began. */
typedef struct {
  int32_t rank;
  atl_role_t role;
  double busy;
  double waiting; /* no role of its rank had work */
  double draw;    /* of busy: logits and drawing tokens */
  double io;      /* encoding and writing PNGs; not in busy */
  uint64_t n_rows, n_steps;
  uint64_t peak_bytes;     /* of its rank: peak of the bytes allocated */
  uint64_t resident_bytes; /* of its rank: peak resident set size; 0: unknown */
  double progress;         /* of busy: MPI progress between layers */
  double prefill;          /* of busy: packets of text */
  double backpressure;     /* of waiting: work was there but no packet buffer was free */
  double before, after;    /* of waiting: before the first step, and after the last */
  double last;             /* end of the last step, in seconds since the loop began */
  double score;            /* of busy: scoring with CLIP */
  uint64_t n_prefills;     /* of n_steps: packets of text tokens */
} atl_report_t;

typedef struct {
  const atl_report_t *reports;
  int32_t n_reports;
} atl_reports_t;

/* Why a rank cannot go on. */
typedef struct {
  atl_status_t status; /* not ATL_OK */
  const char *message;
} atl_failure_t;

/* Bytes that grow and are reused; all zero is an empty buffer. */
typedef struct {
  char *bytes;
  size_t n, capacity;
  void *scratch; /* workspace of wire.c */
  size_t scratch_bytes;
} atl_buffer_t;

void atl_buffer_clear(atl_buffer_t *buffer);

/* Replace the buffer's contents by the packed message. INPUT when the message is invalid; MEMORY. Borrow the message;
 * the buffer owns the bytes. */
atl_status_t atl_wire_pack_ask(const atl_ask_t *ask, atl_buffer_t *buffer);
atl_status_t atl_wire_pack_assignment(const atl_assignment_t *assignment, atl_buffer_t *buffer);
atl_status_t atl_wire_pack_grids(const atl_grids_t *grids, atl_buffer_t *buffer);
atl_status_t atl_wire_pack_record(const atl_record_t *record, atl_buffer_t *buffer);
atl_status_t atl_wire_pack_report(const atl_report_t *report, atl_buffer_t *buffer);
atl_status_t atl_wire_pack_reports(const atl_reports_t *reports, atl_buffer_t *buffer);
atl_status_t atl_wire_pack_failure(const atl_failure_t *failure, atl_buffer_t *buffer);
/* Packs a job, once per run. INPUT, MEMORY. Borrows the job; caller owns *bytes (ATL_DESTROY). */
atl_status_t atl_wire_pack_job(const atl_job_t *job, char **bytes, size_t *n_bytes);

/* Unpack into structs whose pointers are owned by the arena. INPUT, MEMORY. Borrow the bytes during the call. */
atl_status_t atl_wire_unpack_ask(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_ask_t *ask);
atl_status_t atl_wire_unpack_assignment(const char *bytes, size_t n_bytes, atl_arena_t *arena,
                                        atl_assignment_t *assignment);
atl_status_t atl_wire_unpack_grids(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_grids_t *grids);
atl_status_t atl_wire_unpack_record(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_record_t *record);
atl_status_t atl_wire_unpack_report(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_report_t *report);
atl_status_t atl_wire_unpack_reports(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_reports_t *reports);
atl_status_t atl_wire_unpack_failure(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_failure_t *failure);
atl_status_t atl_wire_unpack_job(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_job_t *job);

#endif
