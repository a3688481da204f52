/* Plan: decides which rank does what. Pure arithmetic on (model sizes, costs, ranks, memory, options); no MPI.
 *
 *     atl_plan_t plan;
 *     ATL_TRY(atl_plan_make(&request, &plan));
 *     atl_plan_print(&plan, &request, stdout);
 *
 * P pipelines of S stages, D decoders (decode + score), one coordinator. Every stage has a rank of its own. Decoders
 * have ranks of their own when there are enough, else they share stage ranks, spread from the last one down; the
 * coordinator has rank 0, alone when a rank is to spare. Layers are cut contiguously to minimise the slowest stage; no
 * stage is empty.
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
  ATL_PREFILL_ROWS = 64,   /* a packet of text has room for at least so many rows */
  ATL_PLAN_MICROBATCH = 32 /* the largest that is chosen unasked: weights are read once for so many rows */
};

/* Seconds, measured or estimated (partition/cost.h). Those of a microbatch are for `microbatch` candidates (all their
 * rows, also guidance's); the part called fixed, reading the weights, does not grow with them. */
typedef struct {
  int32_t microbatch;              /* 0: as they are, for any microbatch */
  double layer, head, embed, draw; /* one microbatch through one layer; the head; embedding; sampling */
  double layer_fixed, head_fixed;  /* of layer and head */
  double prefill_row;              /* one text row through one layer */
  double hop;                      /* not overlapped, per microbatch */
  double decode, score;            /* one image */
  bool is_measured;
} atl_costs_t;

/* Bytes of the model's pieces, from atl_transformer_get_bytes and friends. */
typedef struct {
  int64_t layer_weights, head_weights, embedding_weights;
  int64_t layer_loading, end_loading; /* for a while beside the weights, of a layer, of head or embedding */
  int64_t per_prefix[ATL_MAX_STAGES]; /* cache of each layer for a text store; they see different positions */
  int64_t per_sample[ATL_MAX_STAGES]; /* likewise for an image store */
  int64_t scratch, packet;            /* per stage; per packet buffer */
  int64_t decoder;                    /* dVAE + CLIP */
  int64_t process;                    /* of any rank: the program, its libraries, MPI */
} atl_plan_bytes_t;

typedef struct {
  int32_t n_ranks;
  int32_t n_layers;
  int32_t n_drawn;     /* tokens drawn an image: I without priming */
  int32_t text_length; /* T */
  int64_t n_images;    /* of the whole job */
  int32_t n_prompts;
  bool is_guided;    /* a null companion for each candidate: twice the rows and image stores */
  int32_t n_prime;   /* image tokens given with a text; then there is an image store more per text store */
  bool has_decoders; /* false: tokens only (probe) */
  int32_t n_stages, n_pipelines, n_decoders, n_slots, microbatch; /* 0: decide */
  int64_t memory_per_rank;                                        /* bytes; 0: unlimited */
  int64_t cache_per_rank; /* last-level cache: weights that fit are read for free; 0: none known */
  atl_costs_t costs;
  atl_plan_bytes_t bytes;
} atl_plan_request_t;

typedef struct {
  int32_t n_ranks, n_pipelines, n_stages, n_decoders, n_slots, microbatch;
  int32_t n_prefixes;                      /* text stores a pipeline keeps; the last for guidance's null text */
  int32_t first_layer[ATL_MAX_STAGES + 1]; /* stage s owns [first_layer[s], first_layer[s+1]) */
  int32_t coordinator_rank;
  int32_t first_stage_rank;   /* stage (p, s) is on rank first_stage_rank + p*S + s */
  int32_t first_decoder_rank; /* >= 0: decoder d is on rank first_decoder_rank + d; -1: on stage ranks */
  double seconds, images_per_second, stage_seconds[ATL_MAX_STAGES]; /* predicted */
  double balance;                                                   /* mean / max of stage seconds */
  double bubble;      /* share of the stages' time without work: fill, drain, imbalance, too few slots, tail */
  int64_t rank_bytes; /* the fullest rank */
  /* What it is made of: of any rank, of a stage, of a decoder. */
  int64_t process_bytes, stage_bytes[ATL_MAX_STAGES], decoder_bytes;
  int64_t sample_bytes; /* of those: what a candidate in flight takes, in all stages of its pipeline together */
  char reason[256];     /* why this layout, one sentence */
} atl_plan_t;

/* The plan that is done first, among those whose roles fit the ranks and their memory; of equals the one with the
 * fewest stages. What the request fixes is kept. INPUT, with what would work, when the request cannot be met (more
 * stages than layers or ranks, too little memory). */
atl_status_t atl_plan_make(const atl_plan_request_t *request, atl_plan_t *plan);
/* Are its counts in range, its layers cut without gaps, its roles on ranks that exist, no two stages or decoders on one
 * rank? And, with a request (NULL: none), does it suit the request's ranks, layers, decoders and prompts? Otherwise why
 * says what was expected and found. Its memory and its predictions are not judged. */
bool atl_plan_is_valid(const atl_plan_t *plan, const atl_plan_request_t *request, char why[ATL_PLAN_WHY_BYTES]);
/* Fills in the predictions (seconds to bubble, rank_bytes) of a plan whose roles, layers and sizes are decided. */
void atl_plan_predict(const atl_plan_request_t *request, atl_plan_t *plan);
/* Seconds of stage i_stage for `microbatch` candidates. */
double atl_plan_stage_seconds(const atl_plan_t *plan, const atl_plan_request_t *request, int32_t i_stage,
                              int32_t microbatch);
/* Bytes of a rank with this stage (-1: none) and maybe a decoder. */
int64_t atl_plan_rank_bytes(const atl_plan_t *plan, const atl_plan_request_t *request, int32_t i_stage,
                            bool has_decoder);
/* The same of rank `rank`, from the plan's own numbers. */
int64_t atl_plan_bytes_of_rank(const atl_plan_t *plan, int32_t rank);
int32_t atl_plan_stage_rank(const atl_plan_t *plan, int32_t i_pipeline, int32_t i_stage);
int32_t atl_plan_decoder_rank(const atl_plan_t *plan, int32_t i_decoder);
/* Index of the first decoder / the stage on a rank, or -1. */
int32_t atl_plan_find_stage(const atl_plan_t *plan, int32_t rank, int32_t *i_pipeline);
int32_t atl_plan_find_decoder(const atl_plan_t *plan, int32_t rank);
void atl_plan_print(const atl_plan_t *plan, const atl_plan_request_t *request, FILE *out);
/* The plan as JSON (run.json, --plan FILE). Caller owns. */
atl_status_t atl_plan_to_json(const atl_plan_t *plan, json_t **object);
/* And back: INPUT unless it is valid (atl_plan_is_valid); with a request (NULL: none) MEMORY unless it fits the memory
 * of a rank, and the predictions are made anew. */
atl_status_t atl_plan_from_json(const json_t *object, const char *where, const atl_plan_request_t *request,
                                atl_plan_t *plan);

#endif
