/* One step takes a packet, computes it in its buffer, draws tokens on the last stage, and passes the packet on.
 *
 * The first stage gets its packets from the injector and embeds them. Drawn tokens travel from the last stage to the
 * first as messages (slot, then one token per candidate), even when one rank is both. */
#include "workers/stage.h"

#include <stdio.h>
#include <string.h>

#include "common/timer.h"
#include "model/transformer/transformer.h"
#include "partition/hop.h"
#include "partition/tags.h"
#include "workers/injector.h"
#include "workers/token_sampler.h"

struct atl_stage {
  const atl_job_t *job;
  atl_traffic_t *traffic;
  atl_trace_t *trace;
  atl_layout_t layout;
  int32_t i_pipeline, i_stage;
  bool is_first, is_last;
  int32_t text_vocabulary, n_codes; /* V_T, V_i */
  int coordinator_rank, first_rank; /* of this pipeline */
  int64_t row_width;                /* floats of a row of x */
  atl_transformer_t *transformer;
  atl_hop_t *hop;
  atl_injector_t *injector;           /* first stage */
  int32_t *tokens;                    /* (max_rows), first stage */
  atl_token_sampler_t *token_sampler; /* last stage */
  float *logits;                      /* (max_rows, V_i), or (V) for the probe; last stage */
  atl_row_t *rows;                    /* (max_rows) */
  int64_t n_packets;                  /* computed so far; also the next packet's number, equal in all its stages */
  int64_t *of_slot;                   /* (M), first stage: number of the packet that drew the tokens embedded next */
  char *message;                      /* last stage: drawn tokens or a row of logits, packed for sending */
  atl_arena_t arena;                  /* of the unpacked assignment; cleared before each */
  atl_buffer_t buffer;
  atl_report_t report;
};

static atl_status_t init_transformer(atl_stage_t *s, const atl_plan_t *plan, const atl_model_t *model) {
  atl_transformer_part_t part = {
      .first_layer = plan->first_layer[s->i_stage],
      .end_layer = plan->first_layer[s->i_stage + 1],
      .n_prefixes = s->layout.n_prefixes,
      .n_samples = s->layout.n_image_stores,
      .n_together = s->layout.microbatch,
      .max_rows = s->layout.max_rows,
      .dtype = s->job->dtype,
      .kv = s->job->kv,
      .backend = (atl_backend_t)s->job->backend,
  };
  return atl_transformer_new(model, &part, &s->transformer);
}

static atl_status_t init_hop(atl_stage_t *s, const atl_plan_t *plan, const atl_transformer_config_t *config) {
  atl_hop_spec_t spec = {
      .previous_rank = s->is_first ? -1 : atl_plan_stage_rank(plan, s->i_pipeline, s->i_stage - 1),
      .next_rank = s->is_last ? -1 : atl_plan_stage_rank(plan, s->i_pipeline, s->i_stage + 1),
      .tag = s->i_stage,
      .n_buffers = s->layout.n_slots + 2,
      .max_rows = s->layout.max_rows,
      .row_width = atl_transformer_row_width(config),
  };
  return atl_hop_new(s->traffic->ring, &spec, &s->hop);
}

static atl_status_t init_ends(atl_stage_t *s) {
  size_t max_rows = (size_t)s->layout.max_rows, n_all = (size_t)(s->text_vocabulary + s->n_codes);
  ATL_TRY(ATL_NEW(max_rows, &s->rows));
  if (s->is_first) {
    ATL_TRY(atl_injector_new(s->job, &s->layout, &s->injector));
    ATL_TRY(ATL_NEW(max_rows, &s->tokens));
    ATL_TRY(ATL_NEW(s->layout.n_slots, &s->of_slot));
  }
  if (s->is_last) {
    size_t n_logits = s->job->wants_logits ? n_all : max_rows * (size_t)s->n_codes;
    ATL_TRY(atl_token_sampler_new(s->job, &s->layout, s->n_codes, s->text_vocabulary + s->n_codes, &s->token_sampler));
    ATL_TRY(ATL_NEW(n_logits, &s->logits));
    ATL_TRY(ATL_NEW((n_all + max_rows + 2) * sizeof(float), &s->message));
  }
  return ATL_OK;
}

atl_status_t atl_stage_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                           atl_traffic_t *traffic, atl_trace_t *trace, int32_t i_pipeline, int32_t i_stage,
                           atl_stage_t **stage) {
  const atl_transformer_config_t *config = &model->transformer_config;
  *stage = NULL;
  ATL_TRY(ATL_NEW(1, stage));
  atl_stage_t *s = *stage;
  s->job = job;
  s->traffic = traffic;
  s->trace = trace;
  s->i_pipeline = i_pipeline;
  s->i_stage = i_stage;
  s->is_first = i_stage == 0;
  s->is_last = i_stage == plan->n_stages - 1;
  s->text_vocabulary = atl_config_text_vocabulary(config);
  s->n_codes = config->n_image_tokens;
  s->row_width = atl_transformer_row_width(config);
  s->coordinator_rank = plan->coordinator_rank;
  s->first_rank = atl_plan_stage_rank(plan, i_pipeline, 0);
  s->report.role = (atl_role_t){.kind = ATL_ROLE_STAGE, .i_pipeline = i_pipeline, .i_stage = i_stage};
  s->report.rank = atl_comm_rank(traffic->world);
  atl_layout_init(job, plan, config, &s->layout);
  atl_status_t status = init_transformer(s, plan, model);
  if (status == ATL_OK) status = init_hop(s, plan, config);
  if (status == ATL_OK) status = init_ends(s);
  if (status != ATL_OK) atl_stage_destroy(stage);
  return status;
}

void atl_stage_retire(atl_stage_t *s) {
  atl_hop_destroy(&s->hop);
  atl_transformer_destroy(&s->transformer);
  atl_injector_destroy(&s->injector);
  atl_token_sampler_destroy(&s->token_sampler);
  ATL_DESTROY(&s->tokens);
  ATL_DESTROY(&s->of_slot);
  ATL_DESTROY(&s->logits);
  ATL_DESTROY(&s->rows);
  ATL_DESTROY(&s->message);
}

void atl_stage_destroy(atl_stage_t **stage) {
  if (*stage == NULL) return;
  atl_stage_t *s = *stage;
  atl_stage_retire(s);
  atl_buffer_clear(&s->buffer);
  atl_arena_clear(&s->arena);
  ATL_DESTROY(stage);
}

atl_status_t atl_stage_assign(atl_stage_t *s, const atl_message_t *message) {
  atl_assignment_t assignment;
  atl_arena_clear(&s->arena);
  ATL_TRY(atl_wire_unpack_assignment(message->bytes, message->n_bytes, &s->arena, &assignment));
  return atl_injector_assign(s->injector, &assignment);
}

atl_status_t atl_stage_accept_codes(atl_stage_t *s, const atl_message_t *message) {
  if (s->injector == NULL) return ATL_OK; /* retired: these are the last slot's last tokens */
  int32_t slot;
  size_t n = message->n_bytes / sizeof(int32_t);
  ATL_CHECK(message->n_bytes % sizeof(int32_t) == 0 && n >= 2 && n - 1 <= (size_t)s->layout.microbatch, INPUT,
            "message of drawn tokens: expected 1 to %d of them, found %zu bytes", (int)s->layout.microbatch,
            message->n_bytes);
  memcpy(&slot, message->bytes, sizeof slot);
  return atl_injector_accept_codes(s->injector, slot, (const int32_t *)(const void *)(message->bytes + sizeof slot),
                                   (int32_t)(n - 1));
}

static atl_status_t ask_for_work(atl_stage_t *s) {
  int32_t n_free = atl_injector_ask(s->injector);
  if (n_free == 0) return ATL_OK;
  ATL_TRY(atl_wire_pack_ask(&(atl_ask_t){s->i_pipeline, n_free}, &s->buffer));
  return atl_mailbox_send(s->traffic->results, s->coordinator_rank, ATL_TAG_ASK_WORK, s->buffer.bytes, s->buffer.n);
}

/* Sends the slot's drawn tokens to the first stage, and its token grids to the coordinator once they are complete. */
static atl_status_t send_codes(atl_stage_t *s, int32_t slot) {
  int32_t n;
  const int32_t *codes = atl_token_sampler_codes(s->token_sampler, slot, &n);
  memcpy(s->message, &slot, sizeof slot);
  memcpy(s->message + sizeof slot, codes, (size_t)n * sizeof *codes);
  ATL_TRY(
      atl_mailbox_send(s->traffic->tokens, s->first_rank, ATL_TAG_TOKENS, s->message, ((size_t)n + 1) * sizeof slot));
  if (!atl_token_sampler_is_whole(s->token_sampler, slot)) return ATL_OK;
  atl_grids_t grids = atl_token_sampler_grids(s->token_sampler, slot);
  ATL_TRY(atl_wire_pack_grids(&grids, &s->buffer));
  return atl_mailbox_send(s->traffic->results, s->coordinator_rank, ATL_TAG_DRAWN, s->buffer.bytes, s->buffer.n);
}

/* Handles a BEGIN packet: binds the slot's image stores to their texts, or copies the prime's stores into them. */
static atl_status_t begin_slot(atl_stage_t *s, const atl_packet_t *packet) {
  const atl_layout_t *l = &s->layout;
  int32_t n_stores = packet->header->n_rows;
  ATL_CHECK(packet->header->slot >= 0 && packet->header->slot < l->n_slots && n_stores % l->n_streams == 0 &&
                n_stores <= l->n_streams * l->microbatch,
            INPUT, "BEGIN packet for slot %d of %d has %d stores; expected at most %d", packet->header->slot,
            l->n_slots, n_stores, l->n_streams * l->microbatch);
  for (int32_t i = 0; i < n_stores; i++) {
    int32_t store = packet->stores[i].store, prefix = packet->stores[i].prefix;
    ATL_CHECK(store >= 0 && store < l->n_image_stores && prefix >= 0 && prefix < l->n_prefixes, INPUT,
              "BEGIN packet names image store %d of %d and text store %d of %d", store, l->n_image_stores, prefix,
              l->n_prefixes);
    if (l->n_prime > 0)
      atl_transformer_copy(s->transformer, store, atl_layout_prime_store(l, prefix), l->n_prime);
    else
      atl_transformer_bind(s->transformer, store, prefix);
  }
  if (!s->is_last || s->job->wants_logits) return ATL_OK;
  ATL_TRY(atl_token_sampler_begin(s->token_sampler, packet));
  return send_codes(s, packet->header->slot);
}

/* Checks the packet's rows and copies them to s->rows. With a prime, a prefix's first row also binds its prime store.
 */
static atl_status_t read_rows(atl_stage_t *s, const atl_packet_t *packet) {
  const atl_layout_t *l = &s->layout;
  for (int32_t i = 0; i < packet->header->n_rows; i++) {
    atl_row_t row = {packet->rows[i].sequence, packet->rows[i].position};
    int32_t n_sequences = row.position <= l->text_length ? l->n_prefixes : l->n_image_stores;
    ATL_CHECK(row.position >= 0 && row.position <= l->text_length + l->image_length && row.sequence >= 0 &&
                  row.sequence < n_sequences,
              INPUT, "packet row names sequence %d of %d at position %d", row.sequence, n_sequences, row.position);
    if (row.position == 0 && l->n_prime > 0)
      atl_transformer_bind(s->transformer, atl_layout_prime_store(l, row.sequence), row.sequence);
    s->rows[i] = row;
  }
  return ATL_OK;
}

/* Stores the image logits of each prefix whose last row is in the packet. */
static void draw_prefill(atl_stage_t *s, const atl_packet_t *packet) {
  const atl_layout_t *l = &s->layout;
  for (int32_t i = 0; i < packet->header->n_rows; i++) {
    if (s->rows[i].position != atl_layout_last_prefix_position(l)) continue;
    int32_t prefix = l->n_prime > 0 ? s->rows[i].sequence - atl_layout_prime_store(l, 0) : s->rows[i].sequence;
    atl_transformer_image_logits(s->transformer, s->logits, packet->x + i * s->row_width, 1);
    atl_token_sampler_keep_prefix(s->token_sampler, prefix, s->logits);
  }
}

/* Probe: sends one message per row: sequence, position, logits over all V ids. */
static atl_status_t send_logits(atl_stage_t *s, const atl_packet_t *packet) {
  size_t n_logits = (size_t)(s->text_vocabulary + s->n_codes), head = sizeof(atl_row_t);
  for (int32_t i = 0; i < packet->header->n_rows; i++) {
    atl_transformer_all_logits(s->transformer, s->logits, packet->x + i * s->row_width, &s->rows[i], 1);
    memcpy(s->message, &s->rows[i], head);
    memcpy(s->message + head, s->logits, n_logits * sizeof *s->logits);
    ATL_TRY(atl_mailbox_send(s->traffic->results, s->coordinator_rank, ATL_TAG_LOGITS, s->message,
                             head + n_logits * sizeof *s->logits));
  }
  return ATL_OK;
}

static atl_status_t draw(atl_stage_t *s, const atl_packet_t *packet) {
  if (s->job->wants_logits) return send_logits(s, packet);
  if (packet->header->slot < 0) {
    draw_prefill(s, packet);
    return ATL_OK;
  }
  ATL_CHECK(packet->header->slot < s->layout.n_slots, INPUT, "packet names slot %d of %d", packet->header->slot,
            s->layout.n_slots);
  atl_transformer_image_logits(s->transformer, s->logits, packet->x, packet->header->n_rows);
  ATL_TRY(atl_token_sampler_step(s->token_sampler, packet->header->slot, s->logits));
  return send_codes(s, packet->header->slot);
}

static void progress(void *context) {
  atl_stage_t *s = context;
  double start = atl_timer_now();
  atl_hop_progress(s->hop);
  s->report.progress += atl_timer_now() - start;
}

static void trace(const atl_stage_t *s, atl_trace_kind_t kind, const atl_packet_t *packet, double start, double end) {
  if (s->trace == NULL) return;
  int32_t slot = packet->header->slot;
  bool is_begin = packet->header->kind == ATL_PACKET_BEGIN;
  atl_trace_add(s->trace,
                &(atl_trace_event_t){.kind = (int16_t)kind,
                                     .role = ATL_TRACE_STAGE,
                                     .start = start,
                                     .end = end,
                                     .slot = slot,
                                     .position = is_begin || packet->header->n_rows == 0 ? -1 : s->rows[0].position,
                                     .n = packet->header->n_rows,
                                     .packet = s->n_packets,
                                     .cause = kind == ATL_TRACE_EMBED && slot >= 0 ? s->of_slot[slot] : -1});
}

static void run_layers(atl_stage_t *s, const atl_packet_t *packet, double start) {
  int32_t n = packet->header->n_rows;
  if (s->is_first) {
    atl_transformer_embed(s->transformer, packet->x, s->rows, s->tokens, n);
    double embedded = atl_timer_now();
    trace(s, ATL_TRACE_EMBED, packet, start, embedded);
    start = embedded;
  }
  atl_transformer_run(s->transformer, packet->x, s->rows, n, progress, s);
  trace(s, packet->header->slot < 0 ? ATL_TRACE_PREFILL : ATL_TRACE_RUN, packet, start, atl_timer_now());
  s->report.n_rows += (uint64_t)n;
  s->report.n_steps++;
  s->report.n_prefills += packet->header->slot < 0;
}

static atl_status_t compute(atl_stage_t *s, const atl_packet_t *packet) {
  double start = atl_timer_now(), drawn = start;
  bool is_begin = packet->header->kind == ATL_PACKET_BEGIN;
  if (is_begin) {
    ATL_TRY(begin_slot(s, packet));
  } else {
    ATL_TRY(read_rows(s, packet));
    run_layers(s, packet, start);
    drawn = atl_timer_now();
    if (s->is_last) ATL_TRY(draw(s, packet));
  }
  double end = atl_timer_now();
  if (is_begin) trace(s, ATL_TRACE_BEGIN, packet, start, end);
  if (s->is_last && !is_begin) trace(s, ATL_TRACE_DRAW, packet, drawn, end);
  if (s->is_first && packet->header->slot >= 0) s->of_slot[packet->header->slot] = s->n_packets;
  s->n_packets++;
  s->report.busy += end - start;
  if (s->is_last) s->report.draw += end - drawn;
  if (packet->header->slot < 0) s->report.prefill += end - start;
  return ATL_OK;
}

atl_status_t atl_stage_step(atl_stage_t *s, atl_did_t *did) {
  *did = ATL_DID_WAIT_FOR_INPUT;
  if (s->transformer == NULL) return ATL_OK; /* retired */
  if (s->is_first) {
    ATL_TRY(ask_for_work(s));
    if (!atl_injector_is_ready(s->injector)) return ATL_OK;
  }
  atl_packet_t *packet;
  ATL_TRY(atl_hop_take(s->hop, &packet));
  if (packet == NULL) {
    if (s->is_first) *did = ATL_DID_WAIT_FOR_BUFFER;
    return ATL_OK;
  }
  *did = ATL_DID_WORK;
  if (s->is_first) atl_injector_fill(s->injector, packet, s->tokens);
  ATL_TRY(compute(s, packet));
  return s->is_last ? atl_hop_release(s->hop, packet) : atl_hop_send(s->hop, packet);
}

atl_status_t atl_stage_drain(atl_stage_t *s, bool *is_idle) {
  atl_packet_t *packet = NULL;
  *is_idle = true;
  if (s->hop == NULL) return ATL_OK;
  *is_idle = atl_hop_is_idle(s->hop);
  if (!s->is_first) ATL_TRY(atl_hop_take(s->hop, &packet));
  return packet == NULL ? ATL_OK : atl_hop_release(s->hop, packet);
}

void atl_stage_get_report(const atl_stage_t *s, atl_report_t *report) { *report = s->report; }
