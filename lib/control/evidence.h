/* SPDX-License-Identifier: MIT */
/* Long texts of the trail on their way to a caller. */
#ifndef CANARY__EVIDENCE_H
#define CANARY__EVIDENCE_H

#include <canary/storage.h>

/* The evidence in a row of the changes; NULL when it holds no text there. */
const canary_storage_value *canary__evidence_of(const canary_storage_row *row);

/* What a caller gave to be filled. */
struct canary__evidence_room {
    char *buffer;
    uint64_t capacity;
    uint64_t length; /* of the text put, or that did not fit */
    int full;
};

/* Puts the text and a NUL, or finds that there is no room. */
void canary__evidence_put(struct canary__evidence_room *room, const canary_storage_value *text);

/* CANARY_OK or CANARY_E_FULL; tells the length in both cases. `what` names the text. */
int canary__evidence_told(const struct canary__evidence_room *room, const char *what,
                          uint64_t *size, canary_error *error);

#endif
