/* Contact sheet: the best pictures of one prompt in one PNG, with the prompt at the top, and position and score below
 * each picture. Local. */
#ifndef ATL_COORDINATOR_RUNFOLDER_CONTACT_H
#define ATL_COORDINATOR_RUNFOLDER_CONTACT_H

#include <stdint.h>

#include "common/status.h"

typedef struct {
  const char *path; /* of a PNG */
  int32_t sample;
  float score; /* NaN: the sample is shown instead */
} atl_contact_picture_t;

/* Reads the pictures, best first, and writes the sheet to `path`. They may differ in size; small ones are enlarged by
 * integer factors, wide sheets reduced. INPUT: a picture cannot be read. IO, MEMORY. Borrows. */
atl_status_t atl_contact_save(const char *path, const char *caption, const atl_contact_picture_t *pictures,
                              int32_t n_pictures);

#endif
