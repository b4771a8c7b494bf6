/* SPDX-License-Identifier: MIT */
/* JSON to text. */
#ifndef CANARY__JUDGE_DUMP_H
#define CANARY__JUDGE_DUMP_H

#include <jansson.h>
#include <stddef.h>

/* As many digits as a double needs to come back as it was. */
#define CANARY__DUMP_EXACT (JSON_COMPACT | JSON_REAL_PRECISION(17))

/* The text of a value in a form of json_dumpb(), and a NUL; free(). `*size` (may be NULL) is without the
 * NUL. NULL without memory, and for NULL. Not json_dumps(): whose memory its text is depends on
 * what the program has told jansson. */
char *canary__judge_dump(const json_t *value, size_t form, size_t *size);

#endif
