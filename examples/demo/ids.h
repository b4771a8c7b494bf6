/* SPDX-License-Identifier: MIT */
/* User ids in the shapes real systems use, the same for the same seed on every machine. */
#ifndef DEMO_IDS_H
#define DEMO_IDS_H

#include <stdint.h>

enum { DEMO_SHAPES = 5, DEMO_ID_SIZE = 48 };

/* A well mixed 64-bit number for a 64-bit number; one to one. */
uint64_t demo_mix(uint64_t value);

/* Which shape the id of this number has, 0 to DEMO_SHAPES - 1, and the name of a shape. */
int demo_shape(uint64_t number);
const char *demo_shape_name(int shape);

/* Writes the id of `number` into `out`, NUL-terminated. Different numbers give different ids. */
void demo_id(uint64_t seed, uint64_t number, char out[DEMO_ID_SIZE]);

#endif
