/* Replace: puts a finished model directory in the place of another one, deleting only what belongs to the old model:
 * model.json and the files it names. Other files move into the new directory. A symbolic link or a directory that has
 * subdirectories is refused before anything changes.
 *
 *     ATL_TRY(atl_replace_check("mymodel"));                       -- before the work
 *     ... write the new model into "mymodel.tmp.PID" ...
 *     ATL_TRY(atl_replace_run("mymodel.tmp.PID", "mymodel"));
 */
#ifndef ATL_MODEL_CHECKPOINT_REPLACE_H
#define ATL_MODEL_CHECKPOINT_REPLACE_H

#include "common/status.h"

/* May the directory `out` be replaced? INPUT: a symbolic link, no directory, no readable model.json, a subdirectory. */
atl_status_t atl_replace_check(const char *out);
/* `made` becomes `out`; an existing `out` is checked again and gone only once the new one stands. INPUT as above, or when
 * a file that is kept has the name of a new one; IO. */
atl_status_t atl_replace_run(const char *made, const char *out);

#endif
