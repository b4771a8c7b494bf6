/* SPDX-License-Identifier: MIT */
#include "control/evidence.h"

#include <canary/audit.h>

#include <string.h>

#include "base/fail.h"
#include "control/row_values.h"
#include "control/rows.h"

const canary_storage_value *canary__evidence_of(const canary_storage_row *row) {
    const canary_storage_value *value =
        row->count > CANARY__CHANGE_EVIDENCE ? &row->values[CANARY__CHANGE_EVIDENCE] : NULL;

    return value != NULL && value->type == CANARY_VALUE_TEXT ? value : NULL;
}

void canary__evidence_put(struct canary__evidence_room *room, const canary_storage_value *text) {
    room->length = text->size;
    room->full = room->buffer == NULL || room->capacity <= text->size;
    if (!room->full) {
        if (text->size > 0) {
            memcpy(room->buffer, text->data, (size_t)text->size);
        }
        room->buffer[text->size] = '\0';
    }
}

int canary__evidence_told(const struct canary__evidence_room *room, const char *what,
                          uint64_t *size, canary_error *error) {
    if (size != NULL) {
        *size = room->length;
    }
    if (!room->full) {
        return CANARY_OK;
    }
    return canary__fail(error, CANARY_E_FULL, 0,
                        "%s has %llu bytes and needs room for one more; the buffer has %llu", what,
                        (unsigned long long)room->length,
                        (unsigned long long)(room->buffer == NULL ? 0 : room->capacity));
}

struct search {
    struct canary__evidence_room room;
    uint64_t id;
    int found;
};

static int take(void *user_data, const canary_storage_row *stored) {
    static const canary_storage_value none = { .type = CANARY_VALUE_TEXT, .data = "" };
    const canary_storage_value *text = canary__evidence_of(stored);
    struct search *search = user_data;

    if (stored->count == 0 || (uint64_t)stored->values[0].integer != search->id) {
        return 0;
    }
    search->found = 1;
    canary__evidence_put(&search->room, text != NULL ? text : &none);
    return 1;
}

int canary_change_evidence(canary_store *store, uint64_t change_id, char *buffer, uint64_t capacity,
                           uint64_t *size, canary_error *error) {
    canary_error unheard = canary__fail_none;
    canary_storage_value key = canary__value_integer((int64_t)change_id);
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 1, .key = &key };
    struct search search = { .room = { .buffer = buffer, .capacity = capacity }, .id = change_id };
    void *transaction;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    code = canary__rows_begin(store, NULL, &transaction, error);
    if (code != CANARY_OK) {
        return code;
    }
    if (change_id > 0 && change_id <= INT64_MAX) {
        code = store->methods.read(transaction, CANARY_TABLE_CHANGES, &range, take, &search, error);
    }
    code = canary__rows_end(store, transaction, code, error);
    if (code == CANARY_OK && !search.found) {
        code = canary__fail(error, CANARY_E_NOT_FOUND, 0,
                            "there is no change %llu; `canaryctl history` shows what there is",
                            (unsigned long long)change_id);
    }
    return code != CANARY_OK ? code
                             : canary__evidence_told(&search.room, "the evidence", size, error);
}
