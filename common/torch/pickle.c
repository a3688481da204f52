/* A stack machine (pickle_machine.c): opcodes push values, collect them from the last mark on, and store them in a
 * memo. There is no recursion, so nesting takes no C stack. See CPython's pickletools for the opcodes of protocols 2 to
 * 5. */
#include "common/torch/pickle.h"

#include <string.h>

#include "common/torch/pickle_private.h"
#include "common/utf8.h"

static bool is_utf8(const void *text, size_t n) { return atl_utf8_find_error(text, n) == n; }

/* ---- scalars ---- */

static atl_status_t push_new(atl_pickle_machine_t *machine, atl_value_kind_t kind) {
  atl_value_t *value;
  ATL_TRY(atl_value_new(machine->pool, kind, &value));
  return atl_pickle_push(machine, value);
}

static atl_status_t push_bool(atl_pickle_machine_t *machine, bool boolean) {
  ATL_TRY(push_new(machine, ATL_VALUE_BOOL));
  machine->stack[machine->n_stack - 1]->boolean = boolean;
  return ATL_OK;
}

static atl_status_t push_int(atl_pickle_machine_t *machine, int64_t integer) {
  ATL_TRY(push_new(machine, ATL_VALUE_INT));
  machine->stack[machine->n_stack - 1]->integer = integer;
  return ATL_OK;
}

static atl_status_t run_int(atl_pickle_machine_t *machine, unsigned width) {
  uint64_t number;
  ATL_TRY(atl_pickle_read_number(machine, width, &number));
  return push_int(machine, width == 4 ? (int32_t)(uint32_t)number : (int64_t)number);
}

/* A two's complement integer of any length, little-endian. Beyond 64 bits (a random seed; we do not compute with it) it
 * becomes an object that holds its bytes. */
static atl_status_t run_long(atl_pickle_machine_t *machine, unsigned width) {
  uint64_t n;
  const unsigned char *bytes;
  ATL_TRY(atl_pickle_read_number(machine, width, &n));
  ATL_TRY(atl_pickle_read_bytes(machine, n, &bytes));
  if (n <= 8) {
    uint64_t bits = n > 0 && bytes[n - 1] >= 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++) bits = (bits & ~((uint64_t)0xff << 8 * i)) | (uint64_t)bytes[i] << 8 * i;
    int64_t integer;
    memcpy(&integer, &bits, sizeof integer);
    return push_int(machine, integer);
  }
  atl_value_t *object, *key, *item;
  ATL_TRY(atl_value_new_text(machine->pool, ATL_VALUE_OBJECT, "builtins.int", 12, &object));
  ATL_TRY(atl_value_new_text(machine->pool, ATL_VALUE_TEXT, "little_endian", 13, &key));
  ATL_TRY(atl_value_new_text(machine->pool, ATL_VALUE_BYTES, bytes, (size_t)n, &item));
  ATL_TRY(atl_value_put(machine->pool, object, key, item));
  return atl_pickle_push(machine, object);
}

static atl_status_t run_float(atl_pickle_machine_t *machine) {
  const unsigned char *bytes; /* big-endian */
  ATL_TRY(atl_pickle_read_bytes(machine, 8, &bytes));
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) bits = bits << 8 | bytes[i];
  ATL_TRY(push_new(machine, ATL_VALUE_REAL));
  memcpy(&machine->stack[machine->n_stack - 1]->real, &bits, sizeof bits);
  return ATL_OK;
}

/* Bytes after a length of `width` bytes. Python 2 strings (`is_either`) are text if they are UTF-8, else bytes. */
static atl_status_t run_text(atl_pickle_machine_t *machine, atl_value_kind_t kind, unsigned width, bool is_either) {
  uint64_t n;
  const unsigned char *bytes;
  atl_value_t *value;
  ATL_TRY(atl_pickle_read_number(machine, width, &n));
  ATL_TRY(atl_pickle_read_bytes(machine, n, &bytes));
  bool is_text = kind == ATL_VALUE_TEXT && is_utf8(bytes, (size_t)n);
  ATL_CHECK(kind == ATL_VALUE_BYTES || is_text || is_either, INPUT,
            "%s: byte %zu of the pickle: expected text in UTF-8; the file is corrupt", machine->pool->where,
            machine->at - (size_t)n);
  ATL_TRY(atl_value_new_text(machine->pool, is_text ? ATL_VALUE_TEXT : ATL_VALUE_BYTES, bytes, (size_t)n, &value));
  return atl_pickle_push(machine, value);
}

/* ---- containers ---- */

/* Replaces the top n values, all above the last mark, by one container of them. */
static atl_status_t collect(atl_pickle_machine_t *machine, atl_value_kind_t kind, size_t n) {
  ATL_TRY(atl_pickle_expect(machine, n));
  atl_value_t *value;
  ATL_TRY(atl_value_new(machine->pool, kind, &value));
  machine->n_stack -= n;
  for (size_t i = 0; i < n; i++) ATL_TRY(atl_value_append(machine->pool, value, machine->stack[machine->n_stack + i]));
  return atl_pickle_push(machine, value);
}

static atl_status_t collect_from_mark(atl_pickle_machine_t *machine, atl_value_kind_t kind) {
  size_t first;
  ATL_TRY(atl_pickle_pop_mark(machine, &first));
  return collect(machine, kind, machine->n_stack - first);
}

/* Appends to a LIST or SET. An instance of a subclass of list stores its items under their indices. */
static atl_status_t append(atl_pickle_machine_t *machine, atl_value_t *target, atl_value_t *item) {
  if (target->kind == ATL_VALUE_LIST || target->kind == ATL_VALUE_SET)
    return atl_value_append(machine->pool, target, item);
  ATL_CHECK(target->kind == ATL_VALUE_OBJECT && target->mark == ATL_PICKLE_BAG, INPUT,
            "%s: byte %zu of the pickle adds an item to something other than a list; the file is corrupt",
            machine->pool->where, machine->at);
  atl_value_t *key;
  ATL_TRY(atl_value_new(machine->pool, ATL_VALUE_INT, &key));
  key->integer = (int64_t)target->n_items;
  return atl_value_put(machine->pool, target, key, item);
}

static atl_status_t set_item(atl_pickle_machine_t *machine, atl_value_t *target, atl_value_t *key, atl_value_t *item) {
  ATL_CHECK(target->kind == ATL_VALUE_DICT || (target->kind == ATL_VALUE_OBJECT && target->mark == ATL_PICKLE_BAG),
            INPUT, "%s: byte %zu of the pickle sets an item of something other than a dictionary; the file is corrupt",
            machine->pool->where, machine->at);
  return atl_value_put(machine->pool, target, key, item);
}

/* Pops stack[first .. n_stack) and adds the values to the container below them, as (key, item) pairs if is_pairs. */
static atl_status_t add_from(atl_pickle_machine_t *machine, size_t first, bool is_pairs) {
  size_t n = machine->n_stack - first;
  machine->n_stack = first;
  atl_value_t *target;
  ATL_TRY(atl_pickle_get_top(machine, &target));
  atl_value_t **added = machine->stack + first;
  ATL_CHECK(!is_pairs || n % 2 == 0, INPUT, "%s: byte %zu of the pickle: a key without an item; the file is corrupt",
            machine->pool->where, machine->at);
  for (size_t i = 0; i < n; i += is_pairs ? 2 : 1) {
    if (is_pairs)
      ATL_TRY(set_item(machine, target, added[i], added[i + 1]));
    else
      ATL_TRY(append(machine, target, added[i]));
  }
  return ATL_OK;
}

static atl_status_t add_top(atl_pickle_machine_t *machine, size_t n, bool is_pairs) {
  ATL_TRY(atl_pickle_expect(machine, n + 1));
  return add_from(machine, machine->n_stack - n, is_pairs);
}

static atl_status_t add_from_mark(atl_pickle_machine_t *machine, bool is_pairs) {
  size_t first;
  ATL_TRY(atl_pickle_pop_mark(machine, &first));
  return add_from(machine, first, is_pairs);
}

static atl_status_t collect_dict(atl_pickle_machine_t *machine) {
  size_t first;
  ATL_TRY(atl_pickle_pop_mark(machine, &first));
  atl_value_t *dict;
  ATL_TRY(atl_value_new(machine->pool, ATL_VALUE_DICT, &dict));
  ATL_TRY(atl_pickle_push(machine, dict)); /* then moved below its items */
  memmove(machine->stack + first + 1, machine->stack + first, (machine->n_stack - 1 - first) * sizeof dict);
  machine->stack[first] = dict;
  return add_from(machine, first + 1, true);
}

static atl_status_t pop_or_unmark(atl_pickle_machine_t *machine) {
  size_t first;
  atl_value_t *value;
  bool is_mark = machine->n_marks > 0 && machine->marks[machine->n_marks - 1] == machine->n_stack;
  return is_mark ? atl_pickle_pop_mark(machine, &first) : atl_pickle_pop(machine, &value);
}

static atl_status_t drop_to_mark(atl_pickle_machine_t *machine) {
  size_t first;
  ATL_TRY(atl_pickle_pop_mark(machine, &first));
  machine->n_stack = first;
  return ATL_OK;
}

/* ---- memo, names, calls, instances ---- */

static atl_status_t run_put(atl_pickle_machine_t *machine, unsigned width) {
  uint64_t number;
  ATL_TRY(atl_pickle_read_number(machine, width, &number));
  return atl_pickle_put_memo(machine, number);
}

static atl_status_t run_get(atl_pickle_machine_t *machine, unsigned width) {
  atl_value_t *value;
  uint64_t number;
  ATL_TRY(atl_pickle_read_number(machine, width, &number));
  ATL_TRY(atl_pickle_get_memo(machine, number, &value));
  return atl_pickle_push(machine, value);
}

/* Python 2's module names are mapped to Python 3's. */
static atl_status_t push_global(atl_pickle_machine_t *machine, const void *module, size_t n_module, const void *name,
                                size_t n) {
  static const struct { const char *old, *now; } renamed[] = {{"__builtin__", "builtins"}, {"copy_reg", "copyreg"}};
  ATL_CHECK(is_utf8(module, n_module) && is_utf8(name, n), INPUT,
            "%s: byte %zu of the pickle: a class name is not text; the file is corrupt", machine->pool->where,
            machine->at);
  for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
    if (n_module == strlen(renamed[i].old) && memcmp(module, renamed[i].old, n_module) == 0) {
      module = renamed[i].now;
      n_module = strlen(renamed[i].now);
      break;
    }
  atl_value_t *global;
  char *text;
  ATL_TRY(atl_value_take_bytes(machine->pool, n_module + n + 2, (void **)&text));
  memcpy(text, module, n_module);
  text[n_module] = '.';
  memcpy(text + n_module + 1, name, n);
  ATL_TRY(atl_value_new(machine->pool, ATL_VALUE_OBJECT, &global));
  global->text = text;
  global->mark = ATL_PICKLE_GLOBAL;
  return atl_pickle_push(machine, global);
}

static atl_status_t run_global(atl_pickle_machine_t *machine) {
  const unsigned char *module, *name;
  size_t n_module, n;
  ATL_TRY(atl_pickle_read_line(machine, &module, &n_module));
  ATL_TRY(atl_pickle_read_line(machine, &name, &n));
  return push_global(machine, module, n_module, name, n);
}

static atl_status_t run_stack_global(atl_pickle_machine_t *machine) {
  atl_value_t *module, *name;
  ATL_TRY(atl_pickle_pop(machine, &name));
  ATL_TRY(atl_pickle_pop(machine, &module));
  ATL_CHECK(module->kind == ATL_VALUE_TEXT && name->kind == ATL_VALUE_TEXT, INPUT,
            "%s: byte %zu of the pickle: a class name is not text; the file is corrupt", machine->pool->where,
            machine->at);
  return push_global(machine, module->text, module->n_bytes, name->text, name->n_bytes);
}

static atl_status_t pop_call(atl_pickle_machine_t *machine, atl_value_t **callable, atl_value_t **arguments) {
  ATL_TRY(atl_pickle_pop(machine, arguments));
  ATL_TRY(atl_pickle_pop(machine, callable));
  ATL_CHECK((*callable)->kind == ATL_VALUE_OBJECT && (*callable)->mark == ATL_PICKLE_GLOBAL &&
                (*arguments)->kind == ATL_VALUE_TUPLE,
            INPUT, "%s: byte %zu of the pickle: a call needs a name and a tuple of arguments; the file is corrupt",
            machine->pool->where, machine->at);
  return ATL_OK;
}

static atl_status_t run_reduce(atl_pickle_machine_t *machine) {
  atl_value_t *callable, *arguments, *result;
  ATL_TRY(pop_call(machine, &callable, &arguments));
  ATL_TRY(machine->hooks->call(machine->hooks->context, callable, arguments, &result));
  return atl_pickle_push(machine, result);
}

/* Keyword arguments are dropped, as the constructor is not called. */
static atl_status_t run_new_object(atl_pickle_machine_t *machine, bool has_keywords) {
  atl_value_t *class_name, *arguments, *keywords, *result;
  if (has_keywords) ATL_TRY(atl_pickle_pop(machine, &keywords));
  ATL_TRY(pop_call(machine, &class_name, &arguments));
  ATL_TRY(machine->hooks->create(machine->hooks->context, class_name, arguments, &result));
  return atl_pickle_push(machine, result);
}

static atl_status_t copy_attributes(atl_pickle_machine_t *machine, atl_value_t *object, const atl_value_t *dict) {
  for (size_t i = 0; i < dict->n_items; i++)
    ATL_TRY(atl_value_put(machine->pool, object, dict->keys[i], dict->items[i]));
  return ATL_OK;
}

/* A state that is a dictionary, or a pair of them (the second for slots), sets attributes; any other becomes the
 * attribute "state". Attributes of lists, dictionaries and tensors (a state_dict's _metadata) are dropped. */
static atl_status_t run_build(atl_pickle_machine_t *machine) {
  atl_value_t *state, *object, *key;
  ATL_TRY(atl_pickle_pop(machine, &state));
  ATL_TRY(atl_pickle_get_top(machine, &object));
  if (object->kind != ATL_VALUE_OBJECT) return ATL_OK;
  ATL_CHECK(object->mark == ATL_PICKLE_BAG, UNSUPPORTED,
            "%s: the pickle asks to change %s itself; only plain data and tensors are read", machine->pool->where,
            object->text);
  if (state->kind == ATL_VALUE_DICT) return copy_attributes(machine, object, state);
  bool is_pair = state->kind == ATL_VALUE_TUPLE && state->n_items == 2 && state->items[1]->kind == ATL_VALUE_DICT &&
                 (state->items[0]->kind == ATL_VALUE_DICT || state->items[0]->kind == ATL_VALUE_NONE);
  if (is_pair) {
    ATL_TRY(copy_attributes(machine, object, state->items[0]));
    return copy_attributes(machine, object, state->items[1]);
  }
  ATL_TRY(atl_value_new_text(machine->pool, ATL_VALUE_TEXT, "state", 5, &key));
  return atl_value_put(machine->pool, object, key, state);
}

static atl_status_t run_persistent(atl_pickle_machine_t *machine) {
  atl_value_t *id, *result;
  ATL_TRY(atl_pickle_pop(machine, &id));
  ATL_TRY(machine->hooks->persist(machine->hooks->context, id, &result));
  return atl_pickle_push(machine, result);
}

/* ---- the opcodes ---- */

static atl_status_t run_protocol(atl_pickle_machine_t *machine) {
  uint64_t protocol;
  ATL_TRY(atl_pickle_read_number(machine, 1, &protocol));
  ATL_CHECK(protocol >= 2 && protocol <= 5, UNSUPPORTED,
            "%s: pickle protocol %d; expected 2 to 5: save again with torch.save's default", machine->pool->where,
            (int)protocol);
  return ATL_OK;
}

static atl_status_t run_frame(atl_pickle_machine_t *machine) {
  uint64_t n;
  ATL_TRY(atl_pickle_read_number(machine, 8, &n));
  ATL_CHECK(n <= machine->n_bytes - machine->at, INPUT,
            "%s: the pickle ends early: a frame of %llu bytes at byte %zu, %zu are left; the file is truncated",
            machine->pool->where, (unsigned long long)n, machine->at, machine->n_bytes - machine->at);
  return ATL_OK;
}

static atl_status_t run_duplicate(atl_pickle_machine_t *machine) {
  atl_value_t *value;
  ATL_TRY(atl_pickle_get_top(machine, &value));
  return atl_pickle_push(machine, value);
}

static atl_status_t refuse(atl_pickle_machine_t *machine, unsigned opcode) {
  ATL_CHECK(opcode != 0 && strchr("FILPSVgiop\x82\x83\x84\x97\x98", (int)opcode) != NULL && opcode < 256, INPUT,
            "%s: byte %zu of the pickle, 0x%02x, is not an opcode; the file is corrupt", machine->pool->where,
            machine->at - 1, opcode);
  return ATL_FAIL(UNSUPPORTED,
                  "%s: pickle opcode 0x%02x at byte %zu is not one that torch.save writes; expected pickle protocol 2 "
                  "to 5: load and save the file again with PyTorch",
                  machine->pool->where, opcode, machine->at - 1);
}

static atl_status_t run_opcode(atl_pickle_machine_t *machine, unsigned opcode) {
  switch (opcode) {
  case 0x80: return run_protocol(machine);
  case 0x95: return run_frame(machine);
  case 'N': return push_new(machine, ATL_VALUE_NONE);
  case 0x88: return push_bool(machine, true);
  case 0x89: return push_bool(machine, false);
  case 'K': return run_int(machine, 1);
  case 'M': return run_int(machine, 2);
  case 'J': return run_int(machine, 4);
  case 0x8a: return run_long(machine, 1);
  case 0x8b: return run_long(machine, 4);
  case 'G': return run_float(machine);
  case 'U': return run_text(machine, ATL_VALUE_TEXT, 1, true);
  case 'T': return run_text(machine, ATL_VALUE_TEXT, 4, true);
  case 0x8c: return run_text(machine, ATL_VALUE_TEXT, 1, false);
  case 'X': return run_text(machine, ATL_VALUE_TEXT, 4, false);
  case 0x8d: return run_text(machine, ATL_VALUE_TEXT, 8, false);
  case 'C': return run_text(machine, ATL_VALUE_BYTES, 1, false);
  case 'B': return run_text(machine, ATL_VALUE_BYTES, 4, false);
  case 0x8e:
  case 0x96: return run_text(machine, ATL_VALUE_BYTES, 8, false);
  case ']': return push_new(machine, ATL_VALUE_LIST);
  case ')': return push_new(machine, ATL_VALUE_TUPLE);
  case '}': return push_new(machine, ATL_VALUE_DICT);
  case 0x8f: return push_new(machine, ATL_VALUE_SET);
  case '(': return atl_pickle_push_mark(machine);
  case 'l': return collect_from_mark(machine, ATL_VALUE_LIST);
  case 't': return collect_from_mark(machine, ATL_VALUE_TUPLE);
  case 'd': return collect_dict(machine);
  case 0x91: return collect_from_mark(machine, ATL_VALUE_SET);
  case 0x85: return collect(machine, ATL_VALUE_TUPLE, 1);
  case 0x86: return collect(machine, ATL_VALUE_TUPLE, 2);
  case 0x87: return collect(machine, ATL_VALUE_TUPLE, 3);
  case 'a': return add_top(machine, 1, false);
  case 's': return add_top(machine, 2, true);
  case 'e':
  case 0x90: return add_from_mark(machine, false);
  case 'u': return add_from_mark(machine, true);
  case '0': return pop_or_unmark(machine);
  case '1': return drop_to_mark(machine);
  case '2': return run_duplicate(machine);
  case 'q': return run_put(machine, 1);
  case 'r': return run_put(machine, 4);
  case 0x94: return atl_pickle_put_memo(machine, machine->n_memo);
  case 'h': return run_get(machine, 1);
  case 'j': return run_get(machine, 4);
  case 'c': return run_global(machine);
  case 0x93: return run_stack_global(machine);
  case 'R': return run_reduce(machine);
  case 0x81: return run_new_object(machine, false);
  case 0x92: return run_new_object(machine, true);
  case 'b': return run_build(machine);
  case 'Q': return run_persistent(machine);
  default: return refuse(machine, opcode);
  }
}

static atl_status_t run(atl_pickle_machine_t *machine, atl_value_t **root) {
  for (;;) {
    uint64_t opcode;
    ATL_TRY(atl_pickle_read_number(machine, 1, &opcode));
    if (opcode == '.') break;
    ATL_TRY(run_opcode(machine, (unsigned)opcode));
  }
  ATL_TRY(atl_pickle_pop(machine, root));
  return ATL_OK;
}

atl_status_t atl_pickle_load(atl_value_pool_t *pool, const unsigned char *bytes, size_t n_bytes,
                             const atl_pickle_hooks_t *hooks, size_t *n_used, atl_value_t **root) {
  atl_pickle_machine_t machine = {.pool = pool, .hooks = hooks, .bytes = bytes, .n_bytes = n_bytes};
  atl_status_t status = run(&machine, root);
  *n_used = machine.at;
  atl_pickle_machine_clear(&machine);
  ATL_TRY(status);
  return ATL_OK;
}
