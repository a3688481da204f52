/* Inspection: what a file is and what it holds, as one JSON value, from which `atelier inspect` prints either form.
 *
 *     {"path": ..., "kind": "PyTorch file", "bytes": N,
 *      "values": {...},                  hyperparameters and whatever else is no tensor; or model.json; or metadata
 *      "parts": {"vae": {...}},          of a model directory: parameters, bytes, what it is in words
 *      "tensors": [{"name", "dtype", "shape", "bytes"}], "n_tensors": N, "n_numbers": N, "tensor_bytes": N}
 */
#ifndef ATL_COORDINATOR_COMMANDS_INSPECTION_H
#define ATL_COORDINATOR_COMMANDS_INSPECTION_H

#include <stdio.h>

#include "common/json.h"

/* A PyTorch file, safetensors file, tokenizer or model directory. `verify`: hash a model directory's files against its
 * model.json. INPUT: none of these, corrupt, or a hash that differs. Caller owns *report (json_decref). */
atl_status_t atl_inspection_new(const char *path, bool verify, json_t **report);
/* For people; control characters in names from the file are replaced. with_tensors: a line per tensor. */
void atl_inspection_print(const json_t *report, bool with_tensors, FILE *out);

#endif
