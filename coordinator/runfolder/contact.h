/* Contact sheet: the best pictures of one prompt in one PNG, rank and score beneath each, the prompt on top. */
#ifndef ATL_COORDINATOR_RUNFOLDER_CONTACT_H
#define ATL_COORDINATOR_RUNFOLDER_CONTACT_H

#include <stdint.h>

#include "common/status.h"

typedef struct {
  const char *path; /* of the PNG */
  int32_t sample;
  float score; /* NaN: not shown */
} atl_contact_picture_t;

/* Reads the pictures, best first, and writes the sheet. They may differ in size; small ones are enlarged by whole
 * factors. INPUT when one cannot be read; IO. Borrows. */
atl_status_t atl_contact_save(const char *path, const char *caption, const atl_contact_picture_t *pictures,
                              int32_t n_pictures);

#endif
