/* The names come from torch/_utils.py, torch/_tensor.py and torch/storage.py (1.0 to 2.x), from TorchScript's pickler,
 * and from the __reduce__ of Python's own types. */
#include "common/torch/globals.h"

#include <string.h>

/* Storage classes, without "torch.", "torch.cuda." or "torch.storage.", and dtype names, without "torch.". */
static const struct {
  const char *storage, *name, *alias;
  atl_dtype_t dtype;
} types[] = {
    {"FloatStorage", "float32", "float", ATL_F32},  {"DoubleStorage", "float64", "double", ATL_F64},
    {"HalfStorage", "float16", "half", ATL_F16},    {"BFloat16Storage", "bfloat16", "bfloat16", ATL_BF16},
    {"LongStorage", "int64", "long", ATL_I64},      {"IntStorage", "int32", "int", ATL_I32},
    {"ShortStorage", "int16", "short", ATL_I16},    {"CharStorage", "int8", "int8", ATL_I8},
    {"ByteStorage", "uint8", "uint8", ATL_U8},      {"BoolStorage", "bool", "bool", ATL_BOOL},
    {"UInt16Storage", "uint16", "uint16", ATL_U16}, {"UntypedStorage", "", "", ATL_N_DTYPES},
    {"_UntypedStorage", "", "", ATL_N_DTYPES},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

static bool has_prefix(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static bool is_global(const atl_value_t *value) {
  return value->kind == ATL_VALUE_OBJECT && value->mark == ATL_PICKLE_GLOBAL;
}

static atl_status_t find_storage_type(const atl_torchtensors_t *tensors, const char *name, atl_dtype_t *dtype) {
  static const char *const prefixes[] = {"torch.storage.", "torch.cuda.", "torch."};
  const char *last = name;
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && last == name; i++)
    if (has_prefix(name, prefixes[i])) last = name + strlen(prefixes[i]);
  for (int i = 0; i < N_TYPES && last != name; i++)
    if (strcmp(last, types[i].storage) == 0) {
      *dtype = types[i].dtype;
      return ATL_OK;
    }
  return ATL_FAIL(UNSUPPORTED,
                  "%s: a storage of type %s; expected torch's float, half, bfloat16, double, integer or bool storages",
                  tensors->pool->where, name);
}

static atl_status_t find_dtype(const atl_torchtensors_t *tensors, const atl_value_t *global, atl_dtype_t *dtype) {
  if (is_global(global) && has_prefix(global->text, "torch.")) {
    const char *name = global->text + strlen("torch.");
    for (int i = 0; i < N_TYPES; i++)
      if (*name != '\0' && (strcmp(name, types[i].name) == 0 || strcmp(name, types[i].alias) == 0)) {
        *dtype = types[i].dtype;
        return ATL_OK;
      }
  }
  return ATL_FAIL(UNSUPPORTED,
                  "%s: a tensor of type %s; expected torch's float, half, bfloat16, double, integer or bool",
                  tensors->pool->where, is_global(global) ? global->text : "unknown");
}

/* ---- builders: (callable, arguments) -> result ---- */

typedef atl_status_t build_t(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                             atl_value_t **result);

static atl_status_t need(const atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                         size_t n) {
  ATL_CHECK(arguments->n_items >= n, INPUT, "%s: %s has %zu arguments and needs %zu; the file is corrupt",
            tensors->pool->where, callable->text, arguments->n_items, n);
  return ATL_OK;
}

/* An object with the name of its class; the arguments become the attribute "args". */
static atl_status_t new_bag(atl_torchtensors_t *tensors, const char *class_name, const atl_value_t *arguments,
                            atl_value_t **result) {
  atl_value_t *key;
  ATL_TRY(atl_value_new(tensors->pool, ATL_VALUE_OBJECT, result));
  (*result)->text = class_name;
  if (arguments->n_items == 0) return ATL_OK;
  ATL_TRY(atl_value_new_text(tensors->pool, ATL_VALUE_TEXT, "args", 4, &key));
  return atl_value_put(tensors->pool, *result, key, arguments);
}

static atl_status_t build_bag(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                              atl_value_t **result) {
  return new_bag(tensors, callable->text, arguments, result);
}

/* The class is the first argument of copyreg._reconstructor, copyreg.__newobj__ and numpy's _reconstruct. */
static atl_status_t build_instance(atl_torchtensors_t *tensors, const atl_value_t *callable,
                                   const atl_value_t *arguments, atl_value_t **result) {
  ATL_TRY(need(tensors, callable, arguments, 1));
  ATL_CHECK(is_global(arguments->items[0]), INPUT, "%s: %s without a class; the file is corrupt", tensors->pool->where,
            callable->text);
  return new_bag(tensors, arguments->items[0]->text, arguments, result);
}

static atl_status_t build_first_argument(atl_torchtensors_t *tensors, const atl_value_t *callable,
                                         const atl_value_t *arguments, atl_value_t **result) {
  ATL_TRY(need(tensors, callable, arguments, 1));
  *result = (atl_value_t *)arguments->items[0];
  return ATL_OK;
}

static atl_status_t copy_items(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                               atl_value_kind_t kind, atl_value_t **result) {
  ATL_TRY(atl_value_new(tensors->pool, kind, result));
  if (arguments->n_items == 0) return ATL_OK;
  const atl_value_t *from = arguments->items[0];
  ATL_CHECK(from->kind == ATL_VALUE_LIST || from->kind == ATL_VALUE_TUPLE || from->kind == ATL_VALUE_SET, INPUT,
            "%s: %s of something other than a list; the file is corrupt", tensors->pool->where, callable->text);
  for (size_t i = 0; i < from->n_items; i++) ATL_TRY(atl_value_append(tensors->pool, *result, from->items[i]));
  return ATL_OK;
}

static atl_status_t build_list(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                               atl_value_t **result) {
  return copy_items(tensors, callable, arguments, ATL_VALUE_LIST, result);
}

static atl_status_t build_tuple(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                                atl_value_t **result) {
  return copy_items(tensors, callable, arguments, ATL_VALUE_TUPLE, result);
}

static atl_status_t build_set(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                              atl_value_t **result) {
  return copy_items(tensors, callable, arguments, ATL_VALUE_SET, result);
}

/* dict(), dict({...}), dict([(key, item), ...]). */
static atl_status_t build_dict(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                               atl_value_t **result) {
  ATL_TRY(atl_value_new(tensors->pool, ATL_VALUE_DICT, result));
  if (arguments->n_items == 0) return ATL_OK;
  const atl_value_t *from = arguments->items[0];
  for (size_t i = 0; i < from->n_items; i++) {
    const atl_value_t *item = from->items[i];
    if (from->kind == ATL_VALUE_DICT) {
      ATL_TRY(atl_value_put(tensors->pool, *result, from->keys[i], item));
      continue;
    }
    ATL_CHECK((item->kind == ATL_VALUE_LIST || item->kind == ATL_VALUE_TUPLE) && item->n_items == 2, INPUT,
              "%s: %s of something other than pairs; the file is corrupt", tensors->pool->where, callable->text);
    ATL_TRY(atl_value_put(tensors->pool, *result, item->items[0], item->items[1]));
  }
  return ATL_OK;
}

/* defaultdict(factory): the factory is ignored, as it only creates missing items. */
static atl_status_t build_default_dict(atl_torchtensors_t *tensors, const atl_value_t *callable,
                                       const atl_value_t *arguments, atl_value_t **result) {
  (void)callable, (void)arguments;
  return atl_value_new(tensors->pool, ATL_VALUE_DICT, result);
}

/* Protocol 2 writes bytes as text whose code points are the bytes: _codecs.encode(text, "latin1"), bytearray(text,
 * "latin-1"). Without an argument there are no bytes. */
static atl_status_t build_bytes(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                                atl_value_t **result) {
  if (arguments->n_items == 0) return atl_value_new_text(tensors->pool, ATL_VALUE_BYTES, "", 0, result);
  const atl_value_t *from = arguments->items[0];
  ATL_CHECK(from->kind == ATL_VALUE_TEXT || from->kind == ATL_VALUE_BYTES, INPUT,
            "%s: %s of something other than a string; the file is corrupt", tensors->pool->where, callable->text);
  ATL_TRY(atl_value_new_text(tensors->pool, ATL_VALUE_BYTES, from->text, from->n_bytes, result));
  if (from->kind == ATL_VALUE_BYTES) return ATL_OK;
  unsigned char *bytes = (unsigned char *)(*result)->text;
  size_t n = 0;
  for (size_t i = 0; i < from->n_bytes; i++, n++) {
    unsigned first = (unsigned char)from->text[i];
    if (first >= 0x80) {
      ATL_CHECK(first <= 0xc3, INPUT, "%s: %s of text that is not latin-1; the file is corrupt", tensors->pool->where,
                callable->text);
      first = (first & 3) << 6 | ((unsigned char)from->text[++i] & 0x3fu); /* UTF-8 was checked: two bytes */
    }
    bytes[n] = (unsigned char)first;
  }
  bytes[n] = '\0';
  (*result)->n_bytes = n;
  return ATL_OK;
}

/* ---- tensors ---- */

/* (storage, offset, size, stride, ...) with a dtype, or ATL_N_DTYPES for the storage's own. */
static atl_status_t build_view(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                               atl_dtype_t dtype, atl_value_t **result) {
  ATL_TRY(need(tensors, callable, arguments, 4));
  const atl_value_t *storage = arguments->items[0], *offset = arguments->items[1];
  bool is_storage = storage->kind == ATL_VALUE_OBJECT && storage->mark == ATL_PICKLE_STORAGE;
  ATL_CHECK(is_storage && offset->kind == ATL_VALUE_INT, INPUT,
            "%s: %s without storage and offset; the file is corrupt", tensors->pool->where, callable->text);
  if (dtype == ATL_N_DTYPES) dtype = tensors->storages[storage->integer].dtype;
  ATL_CHECK(dtype != ATL_N_DTYPES, INPUT, "%s: a tensor in an untyped storage has no dtype; the file is corrupt",
            tensors->pool->where);
  return atl_torchtensors_add_view(tensors, storage, dtype, offset->integer, arguments->items[2], arguments->items[3],
                                   result);
}

static atl_status_t build_tensor(atl_torchtensors_t *tensors, const atl_value_t *callable, const atl_value_t *arguments,
                                 atl_value_t **result) {
  return build_view(tensors, callable, arguments, ATL_N_DTYPES, result);
}

/* _rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None) */
static atl_status_t build_tensor_v3(atl_torchtensors_t *tensors, const atl_value_t *callable,
                                    const atl_value_t *arguments, atl_value_t **result) {
  ATL_TRY(need(tensors, callable, arguments, 7));
  atl_dtype_t dtype;
  ATL_TRY(find_dtype(tensors, arguments->items[6], &dtype));
  return build_view(tensors, callable, arguments, dtype, result);
}

static atl_status_t build_parameter(atl_torchtensors_t *tensors, const atl_value_t *callable,
                                    const atl_value_t *arguments, atl_value_t **result) {
  ATL_TRY(build_first_argument(tensors, callable, arguments, result));
  ATL_CHECK((*result)->kind == ATL_VALUE_TENSOR, INPUT, "%s: a parameter that is not a tensor; the file is corrupt",
            tensors->pool->where);
  return ATL_OK;
}

static build_t build_from_type;

static const struct {
  const char *name;
  build_t *build;
} globals[] = {
    {"torch._utils._rebuild_tensor_v2", build_tensor},
    {"torch._utils._rebuild_tensor", build_tensor},
    {"torch._utils._rebuild_tensor_v3", build_tensor_v3},
    {"torch._utils._rebuild_parameter", build_parameter},
    {"torch._utils._rebuild_parameter_with_state", build_parameter},
    {"torch._tensor._rebuild_from_type_v2", build_from_type},
    {"torch.Size", build_tuple},
    {"torch.device", build_bag},
    {"torch.serialization._get_layout", build_bag},
    {"torch.jit._pickle.build_intlist", build_first_argument},
    {"torch.jit._pickle.build_doublelist", build_first_argument},
    {"torch.jit._pickle.build_boollist", build_first_argument},
    {"torch.jit._pickle.build_tensorlist", build_first_argument},
    {"torch.jit._pickle.restore_type_tag", build_first_argument},
    {"collections.OrderedDict", build_dict},
    {"collections.Counter", build_dict},
    {"collections.defaultdict", build_default_dict},
    {"collections.deque", build_list},
    {"builtins.dict", build_dict},
    {"builtins.list", build_list},
    {"builtins.tuple", build_tuple},
    {"builtins.set", build_set},
    {"builtins.frozenset", build_set},
    {"builtins.bytes", build_bytes},
    {"builtins.bytearray", build_bytes},
    {"_codecs.encode", build_bytes},
    {"builtins.complex", build_bag},
    {"builtins.range", build_bag},
    {"builtins.xrange", build_bag},
    {"builtins.slice", build_bag},
    {"copyreg._reconstructor", build_instance},
    {"copyreg.__newobj__", build_instance},
    {"numpy.core.multiarray._reconstruct", build_instance},
    {"numpy._core.multiarray._reconstruct", build_instance},
    {"numpy.core.multiarray.scalar", build_bag},
    {"numpy._core.multiarray.scalar", build_bag},
    {"numpy.dtype", build_bag},
    {"pathlib.Path", build_bag},
    {"pathlib.PosixPath", build_bag},
    {"pathlib.WindowsPath", build_bag},
    {"pathlib.PurePath", build_bag},
    {"pathlib.PurePosixPath", build_bag},
    {"pathlib.PureWindowsPath", build_bag},
    {"datetime.datetime", build_bag},
    {"datetime.date", build_bag},
    {"datetime.time", build_bag},
    {"datetime.timedelta", build_bag},
    {"datetime.timezone", build_bag},
    {"decimal.Decimal", build_bag},
    {"fractions.Fraction", build_bag},
    {"functools.partial", build_bag},
};

static build_t *find_global(const char *name) {
  for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
    if (strcmp(globals[i].name, name) == 0) return globals[i].build;
  return NULL;
}

/* _rebuild_from_type_v2(function, type, arguments, state): a tensor with Python attributes. The function must be
 * another one of the list. */
static atl_status_t build_from_type(atl_torchtensors_t *tensors, const atl_value_t *callable,
                                    const atl_value_t *arguments, atl_value_t **result) {
  ATL_TRY(need(tensors, callable, arguments, 3));
  const atl_value_t *function = arguments->items[0], *inner = arguments->items[2];
  build_t *build = is_global(function) ? find_global(function->text) : NULL;
  ATL_CHECK(build != NULL && build != build_from_type && inner->kind == ATL_VALUE_TUPLE, UNSUPPORTED,
            "%s: the pickle asks to run %s; only plain data and tensors are read, and nothing is run",
            tensors->pool->where, is_global(function) ? function->text : "an unknown function");
  return build(tensors, function, inner, result);
}

/* ---- hooks ---- */

static atl_status_t call(void *context, const atl_value_t *callable, const atl_value_t *arguments,
                         atl_value_t **result) {
  atl_torchtensors_t *tensors = context;
  build_t *build = find_global(callable->text);
  ATL_CHECK(
      build != NULL, UNSUPPORTED,
      "%s: the pickle asks to run %s; only plain data and tensors are read, and nothing was run. If you trust the "
      "file, load it in PyTorch and save its state_dict()",
      tensors->pool->where, callable->text);
  return build(tensors, callable, arguments, result);
}

static atl_status_t create(void *context, const atl_value_t *class_name, const atl_value_t *arguments,
                           atl_value_t **result) {
  return new_bag(context, class_name->text, arguments, result);
}

/* ("storage", class, key, location, count[, view]); legacy files wrap classes: ("module", class, file, source). */
static atl_status_t persist(void *context, const atl_value_t *id, atl_value_t **result) {
  atl_torchtensors_t *tensors = context;
  const atl_value_t *const *items = id->items;
  bool is_tuple =
      id->kind == ATL_VALUE_TUPLE && id->n_items >= 2 && items[0]->kind == ATL_VALUE_TEXT && is_global(items[1]);
  if (is_tuple && strcmp(items[0]->text, "module") == 0) {
    *result = (atl_value_t *)items[1];
    return ATL_OK;
  }
  bool is_storage = is_tuple && strcmp(items[0]->text, "storage") == 0 && id->n_items >= 5 &&
                    items[2]->kind == ATL_VALUE_TEXT && items[4]->kind == ATL_VALUE_INT;
  ATL_CHECK(is_storage, INPUT, "%s: a persistent id that names no storage; the file is corrupt or not PyTorch's",
            tensors->pool->where);
  ATL_CHECK(id->n_items == 5 || items[5]->kind == ATL_VALUE_NONE, UNSUPPORTED,
            "%s: storage %s is a part of another, as PyTorch before 0.4 saved it; load and save the file again",
            tensors->pool->where, items[2]->text);
  atl_dtype_t dtype;
  ATL_TRY(find_storage_type(tensors, items[1]->text, &dtype));
  return atl_torchtensors_add_storage(tensors, items[1]->text, items[2]->text, dtype, items[4]->integer, result);
}

atl_pickle_hooks_t atl_torchglobals_hooks(atl_torchtensors_t *tensors) {
  atl_pickle_hooks_t hooks = {.context = tensors, .call = call, .create = create, .persist = persist};
  return hooks;
}
