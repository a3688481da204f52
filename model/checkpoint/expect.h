/* Expect: the tensors a network of a given configuration has: every name with its shape, in the order of the pipeline.
 * What a checkpoint is checked against and what a new one is made of. Names are canonical (names.h): without the
 * wrappers that differ between versions; the dVAE's without "vae.".
 *
 *     atl_expected_list_t list = {0};
 *     ATL_TRY(atl_expect_transformer(&config, &list));
 *     list.items[0].name, list.items[0].shape ...
 *     atl_expect_clear(&list);
 */
#ifndef ATL_MODEL_CHECKPOINT_EXPECT_H
#define ATL_MODEL_CHECKPOINT_EXPECT_H

#include "model/checkpoint/config.h"
#include "model/nn/table.h"

typedef atl_table_entry_t atl_expected_t;
typedef atl_table_list_t atl_expected_list_t;

/* Append to the list; MEMORY. Layers that share another's weights expect only what is their own. Caller clears. */
atl_status_t atl_expect_transformer(const atl_transformer_config_t *config, atl_expected_list_t *list);
atl_status_t atl_expect_vae(const atl_vae_config_t *config, atl_expected_list_t *list);
atl_status_t atl_expect_clip(const atl_clip_config_t *config, atl_expected_list_t *list);
void atl_expect_clear(atl_expected_list_t *list);

#endif
