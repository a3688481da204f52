/* Bytes and fields: what every message needs. Unpacking allocates in the caller's arena through protobuf-c's allocator
 * hook, so a malformed message leaks nothing; protobuf-c's NULL becomes a status here. */
#include "proto/wire.h"

#include <string.h>

#include "common/memory.h"
#include "proto/wire_private.h"

void atl_buffer_clear(atl_buffer_t *buffer) {
  ATL_DESTROY(&buffer->bytes);
  atl_memory_destroy(&buffer->scratch);
  *buffer = (atl_buffer_t){0};
}

atl_status_t atl_wire_take_scratch(atl_buffer_t *buffer, size_t n_bytes, void **scratch) {
  if (n_bytes > buffer->scratch_bytes) {
    atl_memory_destroy(&buffer->scratch);
    buffer->scratch_bytes = 0;
    ATL_TRY(atl_memory_new(2 * n_bytes, 1, &buffer->scratch));
    buffer->scratch_bytes = 2 * n_bytes;
  }
  *scratch = buffer->scratch;
  return ATL_OK;
}

atl_status_t atl_wire_pack(const ProtobufCMessage *message, atl_buffer_t *buffer) {
  size_t n = protobuf_c_message_get_packed_size(message);
  if (n > buffer->capacity || buffer->bytes == NULL) {
    ATL_DESTROY(&buffer->bytes);
    buffer->capacity = 0;
    ATL_TRY(ATL_NEW(2 * n + 64, &buffer->bytes));
    buffer->capacity = 2 * n + 64;
  }
  buffer->n = protobuf_c_message_pack(message, (uint8_t *)buffer->bytes);
  return ATL_OK;
}

typedef struct {
  atl_arena_t *arena;
  atl_status_t status; /* of the first failed allocation */
} source_t;

static void *allocate(void *context, size_t n_bytes) {
  source_t *source = context;
  void *block = NULL;
  if (source->status == ATL_OK) source->status = atl_arena_take(source->arena, n_bytes, 1, &block);
  return block;
}

/* The arena frees all blocks at once. */
static void release(void *context, void *block) {
  (void)context;
  (void)block;
}

atl_status_t atl_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const char *bytes, size_t n_bytes,
                             atl_arena_t *arena, void *message) {
  source_t source = {arena, ATL_OK};
  ProtobufCAllocator allocator = {allocate, release, &source};
  ProtobufCMessage *made = protobuf_c_message_unpack(descriptor, &allocator, n_bytes, (const uint8_t *)bytes);
  ATL_TRY(source.status);
  ATL_CHECK(made != NULL, INPUT,
            "%zu bytes are not a complete %s message: truncated, corrupt or from another version of atelier", n_bytes,
            descriptor->short_name);
  memcpy(message, &made, sizeof made);
  return ATL_OK;
}

atl_status_t atl_wire_check_number(const char *name, uint64_t value, uint64_t min, uint64_t max) {
  ATL_CHECK(value >= min && value <= max, INPUT, "message field %s: expected %llu to %llu, found %llu", name,
            (unsigned long long)min, (unsigned long long)max, (unsigned long long)value);
  return ATL_OK;
}

atl_status_t atl_wire_check_int(const char *name, int64_t value, int64_t min, int64_t max) {
  ATL_CHECK(value >= min && value <= max, INPUT, "message field %s: expected %lld to %lld, found %lld", name,
            (long long)min, (long long)max, (long long)value);
  return ATL_OK;
}

atl_status_t atl_wire_check_text(const char *name, const char *text) {
  ATL_CHECK(text != NULL, INPUT, "message field %s: expected a string, found none", name);
  return ATL_OK;
}

atl_status_t atl_wire_get_int(const char *name, uint32_t value, int32_t *out) {
  ATL_TRY(atl_wire_check_number(name, value, 0, INT32_MAX));
  *out = (int32_t)value;
  return ATL_OK;
}

atl_status_t atl_wire_get_count(const char *name, size_t n, size_t max, int32_t *out) {
  ATL_TRY(atl_wire_check_number(name, n, 0, max));
  *out = (int32_t)n;
  return ATL_OK;
}
