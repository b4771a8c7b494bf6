/* SPDX-License-Identifier: MIT */
/* Rows as values and back, and the digests over them: what row.c stands on. */
#ifndef CANARY__ROW_VALUES_H
#define CANARY__ROW_VALUES_H

#include "control/row.h"

/* Reads the values of a row one after the other; anything that does not fit its place is
 * remembered, and the row then counts as changed outside. */
struct canary__row_cursor {
    const canary_storage_row *row;
    uint32_t next;
    int misfit;
};

int64_t canary__row_take_integer(struct canary__row_cursor *cursor, int64_t low, int64_t high);
void canary__row_take_text(struct canary__row_cursor *cursor, char *out, size_t size);

/* Each fills `v` (CANARY__ROW_COLUMNS long) and answers how many. */
uint32_t canary__row_rollout_values(const struct canary__rollout_row *row, canary_storage_value *v);
uint32_t canary__row_stage_values(const struct canary__rollout_row *row, uint32_t stage,
                                  canary_storage_value *v);
uint32_t canary__row_flag_values(const struct canary__flag_row *row, canary_storage_value *v);
uint32_t canary__row_change_values(const struct canary__change_row *row, canary_storage_value *v);

void canary__row_rollout_checksum(const struct canary__rollout_row *row,
                                  char text[CANARY__DIGEST_TEXT]);
/* Over all of `count` values but the last, which is the checksum itself. */
void canary__row_checksum(int table, const canary_storage_value *values, uint32_t count,
                          char text[CANARY__DIGEST_TEXT]);

/* SHA-256 of a text, as 64 hex digits. */
void canary__row_text_digest(const void *bytes, size_t size, char text[CANARY__DIGEST_TEXT]);

/* Columns of a change. */
enum { CANARY__CHANGE_ROLLOUT = 1, CANARY__CHANGE_ACTION = 3, CANARY__CHANGE_EVIDENCE = 13 };

/* Is this value of a stored row this text? */
int canary__row_says(const canary_storage_row *row, uint32_t column, const char *text);

#endif
