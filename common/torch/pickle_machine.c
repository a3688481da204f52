/* Stack, marks and memo grow by doubling and count against the pool's budget, as an opcode of one byte can grow
 * each. */
#include "common/torch/pickle_private.h"

#include <string.h>

/* ---- reading ---- */

atl_status_t atl_pickle_read_bytes(atl_pickle_machine_t *machine, uint64_t n, const unsigned char **bytes) {
  ATL_CHECK(n <= machine->n_bytes - machine->at, INPUT,
            "%s: the pickle ends early: %llu bytes expected at byte %zu, %zu are left; the file is truncated",
            machine->pool->where, (unsigned long long)n, machine->at, machine->n_bytes - machine->at);
  *bytes = machine->bytes + machine->at;
  machine->at += (size_t)n;
  return ATL_OK;
}

atl_status_t atl_pickle_read_number(atl_pickle_machine_t *machine, unsigned width, uint64_t *number) {
  const unsigned char *bytes;
  ATL_TRY(atl_pickle_read_bytes(machine, width, &bytes));
  *number = 0;
  for (unsigned i = 0; i < width; i++) *number |= (uint64_t)bytes[i] << 8 * i;
  return ATL_OK;
}

atl_status_t atl_pickle_read_line(atl_pickle_machine_t *machine, const unsigned char **line, size_t *n) {
  size_t left = machine->n_bytes - machine->at;
  *line = machine->bytes + machine->at;
  const unsigned char *end = left == 0 ? NULL : memchr(*line, '\n', left);
  ATL_CHECK(end != NULL, INPUT, "%s: the pickle ends within a name; the file is truncated", machine->pool->where);
  *n = (size_t)(end - *line);
  machine->at += *n + 1;
  return ATL_OK;
}

/* ---- stack ---- */

atl_status_t atl_pickle_push(atl_pickle_machine_t *machine, atl_value_t *value) {
  if (machine->n_stack == machine->stack_capacity) {
    size_t capacity = machine->stack_capacity == 0 ? 64 : 2 * machine->stack_capacity;
    ATL_TRY(atl_value_charge(machine->pool, (capacity - machine->stack_capacity) * sizeof *machine->stack));
    ATL_TRY(ATL_RESIZE(capacity, &machine->stack));
    machine->stack_capacity = capacity;
  }
  machine->stack[machine->n_stack++] = value;
  return ATL_OK;
}

atl_status_t atl_pickle_push_mark(atl_pickle_machine_t *machine) {
  if (machine->n_marks == machine->marks_capacity) {
    size_t capacity = machine->marks_capacity == 0 ? 64 : 2 * machine->marks_capacity;
    ATL_TRY(atl_value_charge(machine->pool, (capacity - machine->marks_capacity) * sizeof *machine->marks));
    ATL_TRY(ATL_RESIZE(capacity, &machine->marks));
    machine->marks_capacity = capacity;
  }
  machine->marks[machine->n_marks++] = machine->n_stack;
  return ATL_OK;
}

atl_status_t atl_pickle_expect(const atl_pickle_machine_t *machine, size_t n) {
  size_t floor = machine->n_marks == 0 ? 0 : machine->marks[machine->n_marks - 1];
  ATL_CHECK(machine->n_stack - floor >= n, INPUT,
            "%s: byte %zu of the pickle takes more values than there are; the file is corrupt", machine->pool->where,
            machine->at);
  return ATL_OK;
}

atl_status_t atl_pickle_pop(atl_pickle_machine_t *machine, atl_value_t **value) {
  ATL_TRY(atl_pickle_expect(machine, 1));
  *value = machine->stack[--machine->n_stack];
  return ATL_OK;
}

atl_status_t atl_pickle_get_top(const atl_pickle_machine_t *machine, atl_value_t **value) {
  ATL_TRY(atl_pickle_expect(machine, 1));
  *value = machine->stack[machine->n_stack - 1];
  return ATL_OK;
}

atl_status_t atl_pickle_pop_mark(atl_pickle_machine_t *machine, size_t *first) {
  ATL_CHECK(machine->n_marks > 0, INPUT,
            "%s: byte %zu of the pickle needs a mark and there is none; the file is corrupt", machine->pool->where,
            machine->at);
  *first = machine->marks[--machine->n_marks];
  return ATL_OK;
}

/* ---- memo ---- */

/* Every put takes at least a byte, so a number beyond the pickle's size is corrupt. */
atl_status_t atl_pickle_put_memo(atl_pickle_machine_t *machine, uint64_t number) {
  ATL_CHECK(number < machine->n_bytes, INPUT, "%s: memo number %llu is impossible in a pickle of %zu bytes",
            machine->pool->where, (unsigned long long)number, machine->n_bytes);
  if (number >= machine->memo_capacity) {
    size_t capacity = machine->memo_capacity == 0 ? 64 : 2 * machine->memo_capacity;
    if (capacity <= number) capacity = (size_t)number + 1;
    ATL_TRY(atl_value_charge(machine->pool, (capacity - machine->memo_capacity) * sizeof *machine->memo));
    ATL_TRY(ATL_RESIZE(capacity, &machine->memo));
    machine->memo_capacity = capacity;
  }
  atl_value_t *value;
  ATL_TRY(atl_pickle_get_top(machine, &value));
  if (machine->memo[number] == NULL) machine->n_memo++;
  machine->memo[number] = value;
  return ATL_OK;
}

atl_status_t atl_pickle_get_memo(const atl_pickle_machine_t *machine, uint64_t number, atl_value_t **value) {
  ATL_CHECK(number < machine->memo_capacity && machine->memo[number] != NULL, INPUT,
            "%s: byte %zu of the pickle refers to memo %llu, which was never put; the file is corrupt",
            machine->pool->where, machine->at, (unsigned long long)number);
  *value = machine->memo[number];
  return ATL_OK;
}

void atl_pickle_machine_clear(atl_pickle_machine_t *machine) {
  ATL_DESTROY(&machine->stack);
  ATL_DESTROY(&machine->marks);
  ATL_DESTROY(&machine->memo);
}
