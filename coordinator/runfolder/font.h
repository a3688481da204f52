/* Font: bitmaps of the printable ASCII characters for contact sheets; any other character is a box. Local. */
#ifndef ATL_COORDINATOR_RUNFOLDER_FONT_H
#define ATL_COORDINATOR_RUNFOLDER_FONT_H

#include <stdint.h>

enum { ATL_FONT_COLUMNS = 5, ATL_FONT_ROWS = 9 };

/* Returns ATL_FONT_ROWS rows, top first; bit 4 of a row is its left column. Borrowed, static. */
const uint8_t *atl_font_get(uint32_t code);

#endif
