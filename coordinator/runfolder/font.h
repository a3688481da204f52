/* Font: bitmaps of ASCII for contact sheets; any other character is a box. */
#ifndef ATL_COORDINATOR_RUNFOLDER_FONT_H
#define ATL_COORDINATOR_RUNFOLDER_FONT_H

#include <stdint.h>

enum { ATL_FONT_COLUMNS = 5, ATL_FONT_ROWS = 9 };

/* ATL_FONT_ROWS rows from the top; bit 4 of a row is its left column. */
const uint8_t *atl_font_get(uint32_t code);

#endif
