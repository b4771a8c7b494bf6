/* SPDX-License-Identifier: MIT */
#ifndef JSON_STORE_H
#define JSON_STORE_H

#include <canary/storage.h>

/* Methods and implementation of a store in DIRECTORY/rollouts.json, for canary_store_open_custom();
 * the directory must be there. Returns a CANARY_E_ code. */
int json_store_open(const char *directory, canary_storage_methods *methods, void **implementation,
                    canary_error *error);

#endif
