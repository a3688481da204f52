/* Prime: the picture that candidates begin with, as image codes. */
#ifndef ATL_COORDINATOR_PRIME_H
#define ATL_COORDINATOR_PRIME_H

#include "model/model.h"

/* codes(I) <- a PNG of any size: shorter side resized to the VAE's, centre cut out (model/preprocess), encoded. Alpha is
 * dropped or added as the VAE wants. INPUT when the file is not a picture; MEMORY. */
atl_status_t atl_prime_load(const atl_model_t *model, const char *path, int32_t *codes);

#endif
