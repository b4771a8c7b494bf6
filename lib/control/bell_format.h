/* SPDX-License-Identifier: MIT */
/* What the reader and the writer of the bell share. */
#ifndef CANARY__BELL_FORMAT_H
#define CANARY__BELL_FORMAT_H

#include "control/bell.h"

#define CANARY__BELL_MAGIC "CANBELL1"
#define CANARY__BELL_MAGIC_AT CANARY__BELL_NEWS
#define CANARY__BELL_STAMP_AT (CANARY__BELL_MAGIC_AT + 8u)

_Static_assert(sizeof(struct canary__bell_entry) == 32, "an entry is 32 bytes");
_Static_assert(CANARY__BELL_FIRST + CANARY__BELL_ENTRIES * 32u == CANARY__BELL_SIZE,
               "the entries fill the page");

uint64_t canary__bell_check_of(const struct canary__bell_entry *entry);
int canary__bell_empty(const struct canary__bell_entry *entry);
int canary__bell_valid(const struct canary__bell_entry *entry);

#endif
