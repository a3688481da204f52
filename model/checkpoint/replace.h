/* Replace: replaces a model directory by a finished new one. It deletes only the old model's files, which are
 * model.json and the files it names, and moves other files into the new directory. A symbolic link and a directory with
 * subdirectories are refused before anything changes.
 *
 *     ATL_TRY(atl_replace_check("mymodel"));                       -- before the work
 *     ... write the new model into "mymodel.tmp.PID" ...
 *     ATL_TRY(atl_replace_run("mymodel.tmp.PID", "mymodel"));
 */
#ifndef ATL_MODEL_CHECKPOINT_REPLACE_H
#define ATL_MODEL_CHECKPOINT_REPLACE_H

#include "common/status.h"

/* Checks that `out` may be replaced. INPUT: it is a symbolic link or not a directory, has no readable model.json, or
 * has a subdirectory. */
atl_status_t atl_replace_check(const char *out);
/* Renames `made` to `out`. An existing `out` is checked again and is deleted only after the new one is in place. INPUT
 * as atl_replace_check, and when a file to be kept has the name of a new one; IO. */
atl_status_t atl_replace_run(const char *made, const char *out);

#endif
