/* Inspection: the kind and contents of a file as one JSON object, from which `atelier inspect` prints text or JSON.
 *
 *     {"path": ..., "kind": "PyTorch file", "bytes": N,
 *      "values": {...},                  all but the tensors, such as hyperparameters; or model.json; or metadata
 *      "parts": {"vae": {...}},          of a model directory: parameters, bytes, description
 *      "tensors": [{"name", "dtype", "shape", "bytes"}], "n_tensors": N, "n_numbers": N, "tensor_bytes": N}
 */
#ifndef ATL_COORDINATOR_COMMANDS_INSPECTION_H
#define ATL_COORDINATOR_COMMANDS_INSPECTION_H

#include <stdio.h>

#include "common/json.h"

/* Reads a PyTorch file, safetensors file, tokenizer or model directory. verify: compares the hashes of a model
 * directory's files with its model.json and checks its tensors. INPUT: another kind of file, a corrupt one, or a hash
 * that differs. Caller owns *report (json_decref). Local. */
atl_status_t atl_inspection_new(const char *path, bool verify, json_t **report);
/* Prints the report as text; control characters in names are replaced. with_tensors: one line per tensor. Borrows. */
void atl_inspection_print(const json_t *report, bool with_tensors, FILE *out);

#endif
