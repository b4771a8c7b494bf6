/* SPDX-License-Identifier: MIT */
/* A store that is read whole and written whole, in memory, with measurements: all that depends on keys
 * is canary_storage_make_whole()'s. */
#ifndef TESTS_STORAGE_BOX_H
#define TESTS_STORAGE_BOX_H

#include <canary/storage.h>

int box_open(canary_storage_methods *methods, void **implementation, canary_error *error);

#endif
