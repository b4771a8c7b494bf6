/* SPDX-License-Identifier: MIT */
/* Rows in and out of a transaction. */
#include <string.h>

#include "base/fail.h"
#include "base/hot.h"
#include "base/text.h"
#include "control/row_values.h"

/* -- reading -- */

static int take_rollout(void *user_data, const canary_storage_row *row) {
    canary__row_get_rollout(row, user_data);
    return 1;
}

static int take_stage(void *user_data, const canary_storage_row *row) {
    struct canary__rollout_row *rollout = user_data;
    struct canary__stage_row *stage = &rollout->stages[rollout->stage_count];
    struct canary__row_cursor cursor = { row, 1, 0 };
    char name[CANARY_PHASE_MAX + 1];

    if (rollout->stage_count == CANARY_STAGES_MAX) {
        rollout->intact = 0;
        return 1;
    }
    if (canary__row_take_integer(&cursor, 0, CANARY_STAGES_MAX - 1) != rollout->stage_count) {
        rollout->intact = 0;
    }
    canary__row_take_text(&cursor, name, sizeof name);
    canary__text_copy(stage->name, sizeof stage->name, name);
    stage->percentage_bp = (uint32_t)canary__row_take_integer(&cursor, 0, CANARY_BP_MAX);
    stage->dwell_ns = canary__row_take_integer(&cursor, 0, INT64_MAX);
    rollout->stage_count++;
    if (cursor.misfit) {
        rollout->intact = 0;
    }
    return 0;
}

static canary_storage_range range_of(const canary_storage_value *key) {
    return (canary_storage_range){ .size = (uint32_t)sizeof(canary_storage_range),
                                   .key_count = key != NULL ? 1 : 0,
                                   .key = key };
}

int canary__row_not_found(const char *name, canary_error *error) {
    return canary__fail(error, CANARY_E_NOT_FOUND, 0,
                        "there is no rollout \"%s\"; `canaryctl list` shows what there is", name);
}

int canary__row_read_rollout(const canary_storage_methods *methods, void *transaction,
                             const char *name, struct canary__rollout_row *row,
                             canary_error *error) {
    canary_storage_value key = canary__value_text(name);
    canary_storage_range range = range_of(&key);
    char expected[CANARY__DIGEST_TEXT];
    int code;

    memset(row, 0, sizeof *row);
    code = methods->read(transaction, CANARY_TABLE_ROLLOUTS, &range, take_rollout, row, error);
    if (code == CANARY_OK && row->name[0] == '\0') {
        return canary__row_not_found(name, error);
    }
    if (code == CANARY_OK) {
        code = methods->read(transaction, CANARY_TABLE_STAGES, &range, take_stage, row, error);
    }
    if (code == CANARY_OK) {
        canary__row_rollout_checksum(row, expected);
        row->intact = row->intact && strcmp(expected, row->checksum) == 0;
    }
    return code;
}

int canary__row_read_rollout_again(const canary_storage_methods *methods, void *transaction,
                                   const struct canary__rollout_row *known,
                                   struct canary__rollout_row *row, canary_error *error) {
    canary_storage_value key = canary__value_text(known->name);
    canary_storage_range range = range_of(&key);
    char expected[CANARY__DIGEST_TEXT];
    int code;

    memset(row, 0, sizeof *row);
    code = methods->read(transaction, CANARY_TABLE_ROLLOUTS, &range, take_rollout, row, error);
    if (code == CANARY_OK && row->intact) {
        row->stage_count = known->stage_count;
        memcpy(row->stages, known->stages, sizeof row->stages);
        canary__row_rollout_checksum(row, expected);
        if (strcmp(expected, row->checksum) == 0) {
            return CANARY_OK;
        }
    }
    return code != CANARY_OK
               ? code
               : canary__row_read_rollout(methods, transaction, known->name, row, error);
}

struct flag_reading {
    const struct canary__flag_row *known;
    struct canary__flag_row *row;
};

static int take_flag(void *user_data, const canary_storage_row *row) {
    struct flag_reading *reading = user_data;

    canary__row_get_flag(row, reading->known, reading->row);
    return 1;
}

static int read_flag(const canary_storage_methods *methods, void *transaction, const char *name,
                     const struct canary__flag_row *known, struct canary__flag_row *row,
                     canary_error *error) {
    canary_storage_value key = canary__value_text(name);
    canary_storage_range range = range_of(&key);
    struct flag_reading reading = { known, row };

    memset(row, 0, sizeof *row);
    canary__text_copy(row->name, sizeof row->name, name);
    return methods->read(transaction, CANARY_TABLE_FLAGS, &range, take_flag, &reading, error);
}

int canary__row_read_flag_again(const canary_storage_methods *methods, void *transaction,
                                const struct canary__flag_row *known, struct canary__flag_row *row,
                                canary_error *error) {
    return read_flag(methods, transaction, known->name, known, row, error);
}

int canary__row_read_flag(const canary_storage_methods *methods, void *transaction,
                          const char *name, struct canary__flag_row *row, canary_error *error) {
    return read_flag(methods, transaction, name, NULL, row, error);
}

static int take_change(void *user_data, const canary_storage_row *row) {
    canary__row_get_change(row, user_data);
    return 1;
}

int canary__row_read_change(const canary_storage_methods *methods, void *transaction, uint64_t id,
                            struct canary__change_row *row, canary_error *error) {
    canary_storage_value key = canary__value_integer((int64_t)id);
    canary_storage_range range = range_of(id != 0 ? &key : NULL);

    range.descending = 1;
    range.limit = 1;
    memset(row, 0, sizeof *row);
    return methods->read(transaction, CANARY_TABLE_CHANGES, &range, take_change, row, error);
}

static int take_link(void *user_data, const canary_storage_row *row) {
    struct canary__row_cursor number = { row, 0, 0 };
    struct canary__row_cursor time = { row, 10, 0 };
    struct canary__row_cursor hashes = { row, 14, 0 };
    struct canary__link *link = user_data;

    link->id = (uint64_t)canary__row_take_integer(&number, 0, INT64_MAX);
    link->at_ns = canary__row_take_integer(&time, INT64_MIN, INT64_MAX);
    canary__row_take_text(&hashes, link->previous_hash, sizeof link->previous_hash);
    canary__row_take_text(&hashes, link->hash, sizeof link->hash);
    return 1;
}

int canary__row_read_link(const canary_storage_methods *methods, void *transaction,
                          struct canary__link *link, canary_error *error) {
    canary_storage_range range = range_of(NULL);

    range.descending = 1;
    range.limit = 1;
    memset(link, 0, sizeof *link);
    return methods->read(transaction, CANARY_TABLE_CHANGES, &range, take_link, link, error);
}

struct last_search {
    const char *name;
    uint32_t column;    /* where the name is looked for: 1 the rollout's, 8 the flag's */
    const char *action; /* prefix of the action wanted */
    struct canary__change_row *row;
};

static int text_is(const canary_storage_row *row, uint32_t column, const char *text, size_t size) {
    const canary_storage_value *value = &row->values[column];

    return value->type == CANARY_VALUE_TEXT && value->size >= size &&
           memcmp(value->data, text, size) == 0;
}

static int take_last(void *user_data, const canary_storage_row *row) {
    struct last_search *search = user_data;
    size_t length = strlen(search->name);

    if (row->count <= search->column || row->values[search->column].size != length ||
        !text_is(row, search->column, search->name, length) ||
        !text_is(row, 3, search->action, strlen(search->action))) {
        return 0;
    }
    canary__row_get_change(row, search->row);
    return 1;
}

static int find_last(const canary_storage_methods *methods, void *transaction,
                     struct last_search *search, canary_error *error) {
    canary_storage_value name = canary__value_text(search->name);
    canary_storage_range range = range_of(NULL);

    range.descending = 1;
    range.where_column = search->column;
    range.where_value = &name;
    memset(search->row, 0, sizeof *search->row);
    return methods->read(transaction, CANARY_TABLE_CHANGES, &range, take_last, search, error);
}

int canary__row_read_last(const canary_storage_methods *methods, void *transaction,
                          const char *rollout, struct canary__change_row *row,
                          canary_error *error) {
    struct last_search search = { rollout, 1, "", row };

    return find_last(methods, transaction, &search, error);
}

int canary__row_read_last_flag(const canary_storage_methods *methods, void *transaction,
                               const char *flag, struct canary__change_row *row,
                               canary_error *error) {
    struct last_search search = { flag, 8, "flag_", row };

    return find_last(methods, transaction, &search, error);
}

/* -- writing -- */

static int write_values(const canary_storage_methods *methods, void *transaction, int table,
                        const canary_storage_value *values, uint32_t count, canary_error *error) {
    canary_storage_row row = { (uint32_t)sizeof row, table, count, 0, values };

    return methods->write(transaction, &row, error);
}

int canary__row_write_rollout(const canary_storage_methods *methods, void *transaction,
                              struct canary__rollout_row *row, int with_stages,
                              canary_error *error) {
    canary_storage_value values[CANARY__ROW_COLUMNS];
    int code;

    if (row->intact) {
        canary__row_rollout_checksum(row, row->checksum);
    }
    code = write_values(methods, transaction, CANARY_TABLE_ROLLOUTS, values,
                        canary__row_rollout_values(row, values), error);
    for (uint32_t stage = 0; with_stages && code == CANARY_OK && stage < row->stage_count;
         stage++) {
        code = write_values(methods, transaction, CANARY_TABLE_STAGES, values,
                            canary__row_stage_values(row, stage, values), error);
    }
    return code;
}

int canary__row_write_flag(const canary_storage_methods *methods, void *transaction,
                           struct canary__flag_row *row, canary_error *error) {
    canary_storage_value values[CANARY__ROW_COLUMNS];
    uint32_t count = canary__row_flag_values(row, values);

    canary__row_checksum(CANARY_TABLE_FLAGS, values, count, row->checksum);
    row->present = 1;
    row->intact = 1;
    return write_values(methods, transaction, CANARY_TABLE_FLAGS, values,
                        canary__row_flag_values(row, values), error);
}

int canary__row_write_change(const canary_storage_methods *methods, void *transaction,
                             struct canary__change_row *row, canary_error *error) {
    canary_storage_value values[CANARY__ROW_COLUMNS];
    uint32_t count = canary__row_change_values(row, values);
    char hash[CANARY__DIGEST_TEXT];

    canary__row_checksum(CANARY_TABLE_CHANGES, values, count, hash);
    canary__text_copy(row->public.hash, sizeof row->public.hash, hash);
    return write_values(methods, transaction, CANARY_TABLE_CHANGES, values,
                        canary__row_change_values(row, values), error);
}

int canary__row_write_override(const canary_storage_methods *methods, void *transaction,
                               const char *rollout, const void *id, uint64_t size, int cohort,
                               canary_error *error) {
    canary_storage_value values[3] = { canary__value_text(rollout), canary__value_blob(id, size),
                                       canary__value_integer(cohort) };

    return write_values(methods, transaction, CANARY_TABLE_OVERRIDES, values, 3, error);
}

int canary__row_remove_override(const canary_storage_methods *methods, void *transaction,
                                const char *rollout, const void *id, uint64_t size,
                                canary_error *error) {
    canary_storage_value key[2] = { canary__value_text(rollout), canary__value_blob(id, size) };

    return methods->remove(transaction, CANARY_TABLE_OVERRIDES, key, error);
}

CANARY__HOT int32_t canary__row_stage_of(const struct canary__rollout_row *row,
                                         uint32_t percentage_bp) {
    int32_t stage = 0;

    for (uint32_t i = 1; i < row->stage_count; i++) {
        if (row->stages[i].percentage_bp <= percentage_bp) {
            stage = (int32_t)i;
        }
    }
    return stage;
}
