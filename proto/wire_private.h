/* Wire's internals, shared by its three sources: wire.c (bytes and fields), wire_job.c (the job) and wire_loop.c (the
 * messages of the loop). These three alone see protobuf's generated types. */
#ifndef ATL_PROTO_WIRE_PRIVATE_H
#define ATL_PROTO_WIRE_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/status.h"
#include "proto/atelier.pb-c.h"
#include "proto/wire.h"

/* Memory for the arrays that a generated struct borrows, owned by the buffer until its next use. MEMORY. */
atl_status_t atl_wire_take_scratch(atl_buffer_t *buffer, size_t n_bytes, void **scratch);
/* Replaces the buffer's bytes by the packed message. MEMORY. */
atl_status_t atl_wire_pack(const ProtobufCMessage *message, atl_buffer_t *buffer);
/* Stores a pointer to the unpacked message (the generated type of `descriptor`, owned by the arena) at *message. INPUT
 * when the bytes are not a complete message of this type. */
atl_status_t atl_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const char *bytes, size_t n_bytes,
                             atl_arena_t *arena, void *message);

/* INPUT, naming the field, when its value is outside [min, max], or when a string is missing. */
atl_status_t atl_wire_check_number(const char *name, uint64_t value, uint64_t min, uint64_t max);
atl_status_t atl_wire_check_int(const char *name, int64_t value, int64_t min, int64_t max);
atl_status_t atl_wire_check_text(const char *name, const char *text);

/* Converts integers that are unsigned in messages and signed in our structs. INPUT when they do not fit, or exceed max. */
atl_status_t atl_wire_get_int(const char *name, uint32_t value, int32_t *out);
atl_status_t atl_wire_get_count(const char *name, size_t n, size_t max, int32_t *out);

#endif
