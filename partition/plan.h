/* Plan: assigns roles to ranks. Pure arithmetic on (model sizes, costs, ranks, memory, options); no MPI.
 *
 *     atl_plan_t plan;
 *     ATL_TRY(atl_plan_make(&request, &plan));
 *     atl_plan_print(&plan, &request, stdout);
 *
 * A plan has P pipelines of S stages, D decoders (decoding and scoring) and one coordinator. No two stages share a
 * rank. Decoders have their own ranks, or share those of stages, spread evenly from the last one down. The coordinator
 * is on rank 0, alone or with other roles. Each stage has a contiguous range of layers, none is empty, and the ranges
 * minimise the time of the slowest stage.
 */
#ifndef ATL_PARTITION_PLAN_H
#define ATL_PARTITION_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/json.h"
#include "common/status.h"

enum { ATL_MAX_STAGES = 256, ATL_MAX_RANKS = 65536, ATL_PLAN_WHY_BYTES = 160 };
enum {
  ATL_PREFILL_ROWS = 64,   /* minimum capacity of a packet, in rows */
  ATL_PLAN_MICROBATCH = 32 /* largest microbatch chosen unless the request sets one */
};

/* Costs in seconds, measured or estimated (partition/cost.h). Costs of a microbatch are for `microbatch` candidates and
 * include their null companions' rows; the fixed part (reading the weights) does not grow with the microbatch. */
typedef struct {
  int32_t microbatch;              /* 0: costs do not depend on the microbatch */
  double layer, head, embed, draw; /* one microbatch: through one layer, the head, the embedding, the sampler */
  double layer_fixed, head_fixed;  /* fixed parts of layer and head */
  double prefill_row;              /* one text row through one layer */
  double hop;                      /* sending one microbatch to the next stage, not overlapped with computing */
  double decode, score;            /* one image */
  bool is_measured;
} atl_costs_t;

/* Bytes of the model's parts, from atl_transformer_get_bytes and the like. */
typedef struct {
  int64_t layer_weights, head_weights, embedding_weights;
  int64_t layer_loading, end_loading; /* extra bytes while a layer, or the head or embedding, is being loaded */
  int64_t per_prefix[ATL_MAX_STAGES]; /* cache of one text store, per layer; attention kinds see different positions */
  int64_t per_sample[ATL_MAX_STAGES]; /* cache of one image store, per layer */
  int64_t scratch, packet;            /* per stage; per packet buffer */
  int64_t decoder;                    /* dVAE and CLIP */
  int64_t process;                    /* of every rank: the program, its libraries, MPI */
} atl_plan_bytes_t;

typedef struct {
  int32_t n_ranks;
  int32_t n_layers;
  int32_t n_drawn;     /* tokens drawn per image: I less the prime */
  int32_t text_length; /* T */
  int64_t n_images;    /* of the whole job */
  int32_t n_prompts;
  bool is_guided;    /* each candidate has a null companion: twice the rows and image stores */
  int32_t n_prime;   /* image tokens given; if any, there is one more image store per text store */
  bool has_decoders; /* false: tokens only (probe) */
  int32_t n_stages, n_pipelines, n_decoders, n_slots, microbatch; /* 0: the plan decides */
  int64_t memory_per_rank;                                        /* bytes; 0: unlimited */
  int64_t cache_per_rank; /* bytes of last-level cache; reading weights that fit costs nothing; 0: unknown */
  atl_costs_t costs;
  atl_plan_bytes_t bytes;
} atl_plan_request_t;

typedef struct {
  int32_t n_ranks, n_pipelines, n_stages, n_decoders, n_slots, microbatch;
  int32_t n_prefixes;                      /* text stores per pipeline, including one for the null text */
  int32_t first_layer[ATL_MAX_STAGES + 1]; /* stage s owns [first_layer[s], first_layer[s+1]) */
  int32_t coordinator_rank;
  int32_t first_stage_rank;   /* stage s of pipeline p is on rank first_stage_rank + p*S + s */
  int32_t first_decoder_rank; /* >= 0: decoder d is on rank first_decoder_rank + d; -1: decoders share stage ranks */
  double seconds, images_per_second, stage_seconds[ATL_MAX_STAGES]; /* predicted */
  double balance;                                                   /* mean / max of stage seconds */
  double bubble;      /* share of the stages' time without work: fill, drain, imbalance, too few slots, tail */
  int64_t rank_bytes; /* of the fullest rank */
  /* Its parts: of every rank, of each stage, of a decoder. */
  int64_t process_bytes, stage_bytes[ATL_MAX_STAGES], decoder_bytes;
  int64_t sample_bytes; /* cache of one candidate in flight, summed over the stages of its pipeline */
  char reason[256];     /* why this layout was chosen */
} atl_plan_t;

/* Makes the plan predicted to finish first, among those whose roles fit the ranks and their memory; on a tie, the one
 * with the fewest stages. Counts that the request fixes are kept. INPUT when the request is impossible (for example,
 * more stages than layers or ranks), MEMORY when no layout fits the memory of a rank; the message says what would work.
 * Caller owns *plan, plain data. */
atl_status_t atl_plan_make(const atl_plan_request_t *request, atl_plan_t *plan);
/* Are its counts in range, its layers cut without gaps, its roles on existing ranks, and no two stages and no two
 * decoders on one rank? With a request (may be NULL): does it also fit the request's ranks, layers, decoders and
 * prompts? If not, `why` says what was expected and found. Memory and predictions are not checked. */
bool atl_plan_is_valid(const atl_plan_t *plan, const atl_plan_request_t *request, char why[ATL_PLAN_WHY_BYTES]);
/* Computes the predictions (seconds to bubble, and all bytes) of a plan whose roles, layers and sizes are set. */
void atl_plan_predict(const atl_plan_request_t *request, atl_plan_t *plan);
/* Predicted seconds of one step of stage i_stage with `microbatch` candidates. */
double atl_plan_stage_seconds(const atl_plan_t *plan, const atl_plan_request_t *request, int32_t i_stage,
                              int32_t microbatch);
/* Bytes of a rank with stage i_stage (-1: none) and, if has_decoder, a decoder. */
int64_t atl_plan_rank_bytes(const atl_plan_t *plan, const atl_plan_request_t *request, int32_t i_stage,
                            bool has_decoder);
/* Bytes of rank `rank`, from the bytes stored in the plan. */
int64_t atl_plan_bytes_of_rank(const atl_plan_t *plan, int32_t rank);
/* The rank of a stage; the rank of a decoder. */
int32_t atl_plan_stage_rank(const atl_plan_t *plan, int32_t i_pipeline, int32_t i_stage);
int32_t atl_plan_decoder_rank(const atl_plan_t *plan, int32_t i_decoder);
/* Index of the stage on a rank and its *i_pipeline, or -1; index of the decoder on a rank, or -1. */
int32_t atl_plan_find_stage(const atl_plan_t *plan, int32_t rank, int32_t *i_pipeline);
int32_t atl_plan_find_decoder(const atl_plan_t *plan, int32_t rank);
/* Prints the plan as a table. */
void atl_plan_print(const atl_plan_t *plan, const atl_plan_request_t *request, FILE *out);
/* Converts the plan to JSON (for run.json and --plan FILE). MEMORY. Caller owns *object. */
atl_status_t atl_plan_to_json(const atl_plan_t *plan, json_t **object);
/* Reads a plan from JSON; `where` names its source in messages. INPUT unless it is valid (atl_plan_is_valid). With a
 * request (may be NULL), MEMORY unless it fits the memory of a rank, and its predictions are computed again. */
atl_status_t atl_plan_from_json(const json_t *object, const char *where, const atl_plan_request_t *request,
                                atl_plan_t *plan);

#endif
