/* SPDX-License-Identifier: MIT */
/* Percentages as people write them, in basis points inside; integers only. */
#ifndef CTL_PERCENT_H
#define CTL_PERCENT_H

#include <stdint.h>

#define PERCENT_SIZE 24

/* Reads "25", "7.5", "7.5%", "7.5 %". Returns NULL, or why it is none, as the rest of a sentence
 * that begins with the value. */
const char *percent_parse(const char *string, uint32_t *bp);

/* Writes "25", "7.5", "0.05". */
void percent_format(uint32_t bp, char out[PERCENT_SIZE]);

#endif
