/* SPDX-License-Identifier: MIT */
#include "control/row.h"

#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"

canary_storage_value canary__value_text(const char *text) {
    return (canary_storage_value){ CANARY_VALUE_TEXT, 0, 0, text, strlen(text) };
}

canary_storage_value canary__value_integer(int64_t integer) {
    return (canary_storage_value){ CANARY_VALUE_INTEGER, 0, integer, NULL, 0 };
}

canary_storage_value canary__value_blob(const void *data, uint64_t size) {
    return (canary_storage_value){ CANARY_VALUE_BLOB, 0, 0, data, size };
}

/* -- digests -- */

static void digest_begin(crypto_hash_sha256_state *state, int table) {
    static const char tag[] = "canary-row-1";
    const char *name = canary_storage_table_get(table)->name;

    crypto_hash_sha256_init(state);
    crypto_hash_sha256_update(state, (const unsigned char *)tag, sizeof tag);
    crypto_hash_sha256_update(state, (const unsigned char *)name, strlen(name) + 1);
}

static void digest_values(crypto_hash_sha256_state *state, const canary_storage_value *values,
                          uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const canary_storage_value *value = &values[i];
        uint64_t number =
            value->type == CANARY_VALUE_INTEGER ? (uint64_t)value->integer : value->size;
        unsigned char head[9];

        head[0] = value->type == CANARY_VALUE_INTEGER ? 'I'
                  : value->type == CANARY_VALUE_TEXT  ? 'T'
                                                      : 'B';
        for (int byte = 0; byte < 8; byte++) {
            head[1 + byte] = (unsigned char)(number >> (56 - 8 * byte));
        }
        crypto_hash_sha256_update(state, head, sizeof head);
        if (value->type != CANARY_VALUE_INTEGER && value->size > 0) {
            crypto_hash_sha256_update(state, value->data, value->size);
        }
    }
}

static void digest_end(crypto_hash_sha256_state *state, char text[CANARY__DIGEST_TEXT]) {
    unsigned char digest[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_final(state, digest);
    canary__text_hex(digest, sizeof digest, text);
}

void canary__row_toggle(uint8_t digest[32], const char *rollout, const void *id, uint64_t size,
                        int cohort) {
    canary_storage_value values[3] = { canary__value_text(rollout), canary__value_blob(id, size),
                                       canary__value_integer(cohort) };
    crypto_hash_sha256_state state;
    unsigned char one[crypto_hash_sha256_BYTES];

    digest_begin(&state, CANARY_TABLE_OVERRIDES);
    digest_values(&state, values, 3);
    crypto_hash_sha256_final(&state, one);
    for (int i = 0; i < 32; i++) {
        digest[i] ^= one[i];
    }
}

int canary__row_digest_parse(const char *text, uint8_t digest[32]) {
    memset(digest, 0, 32);
    if (strlen(text) != 64) {
        return -1;
    }
    for (int i = 0; i < 64; i++) {
        char c = text[i];
        int nibble = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (nibble < 0) {
            memset(digest, 0, 32);
            return -1;
        }
        digest[i / 2] = (uint8_t)(digest[i / 2] << 4 | nibble);
    }
    return 0;
}

/* -- values in and out of a struct -- */

/* Reads the values of a row one after the other; anything that does not fit its place is
 * remembered, and the row then counts as changed outside. */
struct cursor {
    const canary_storage_row *row;
    uint32_t next;
    int misfit;
};

static int64_t take_integer(struct cursor *cursor, int64_t low, int64_t high) {
    const canary_storage_value *value;

    if (cursor->next >= cursor->row->count) {
        return 0;
    }
    value = &cursor->row->values[cursor->next++];
    if (value->type != CANARY_VALUE_INTEGER || value->integer < low || value->integer > high) {
        cursor->misfit = 1;
        return low > 0 ? low : 0;
    }
    return value->integer;
}

static void take_text(struct cursor *cursor, char *out, size_t size) {
    const canary_storage_value *value;

    out[0] = '\0';
    if (cursor->next >= cursor->row->count) {
        return;
    }
    value = &cursor->row->values[cursor->next++];
    if (value->type != CANARY_VALUE_TEXT || value->size >= size ||
        (value->size > 0 && memchr(value->data, 0, value->size) != NULL)) {
        cursor->misfit = 1;
        return;
    }
    if (value->size > 0) {
        memcpy(out, value->data, value->size);
    }
    out[value->size] = '\0';
}

static uint32_t rollout_values(const struct canary__rollout_row *row, canary_storage_value *v) {
    uint32_t n = 0;

    v[n++] = canary__value_text(row->name);
    v[n++] = canary__value_integer(row->stage);
    v[n++] = canary__value_text(row->phase);
    v[n++] = canary__value_integer(row->percentage_bp);
    v[n++] = canary__value_text(row->salt);
    v[n++] = canary__value_integer(row->algorithm);
    v[n++] = canary__value_text(row->flag);
    v[n++] = canary__value_text(row->policy);
    v[n++] = canary__value_integer((int64_t)row->revision);
    v[n++] = canary__value_integer(row->updated_at);
    v[n++] = canary__value_text(row->updated_by);
    v[n++] = canary__value_text(row->note);
    v[n++] = canary__value_integer(row->overrides_new);
    v[n++] = canary__value_integer(row->overrides_old);
    v[n++] = canary__value_text(row->overrides_digest);
    v[n++] = canary__value_text(row->checksum);
    return n;
}

static uint32_t stage_values(const struct canary__rollout_row *row, uint32_t stage,
                             canary_storage_value *v) {
    uint32_t n = 0;

    v[n++] = canary__value_text(row->name);
    v[n++] = canary__value_integer(stage);
    v[n++] = canary__value_text(row->stages[stage].name);
    v[n++] = canary__value_integer(row->stages[stage].percentage_bp);
    v[n++] = canary__value_integer(row->stages[stage].dwell_ns);
    return n;
}

static uint32_t flag_values(const struct canary__flag_row *row, canary_storage_value *v) {
    uint32_t n = 0;

    v[n++] = canary__value_text(row->name);
    v[n++] = canary__value_integer(row->enabled);
    v[n++] = canary__value_integer(row->updated_at);
    v[n++] = canary__value_text(row->updated_by);
    v[n++] = canary__value_text(row->note);
    v[n++] = canary__value_text(row->checksum);
    return n;
}

static uint32_t change_values(const struct canary__change_row *row, canary_storage_value *v) {
    const canary_change *c = &row->public;
    uint32_t n = 0;

    v[n++] = canary__value_integer((int64_t)c->id);
    v[n++] = canary__value_text(c->rollout);
    v[n++] = canary__value_integer((int64_t)c->revision);
    v[n++] = canary__value_text(c->action);
    v[n++] = canary__value_integer(c->from_stage);
    v[n++] = canary__value_integer(c->to_stage);
    v[n++] = canary__value_integer(c->from_percentage_bp);
    v[n++] = canary__value_integer(c->to_percentage_bp);
    v[n++] = canary__value_text(c->flag);
    v[n++] = canary__value_integer(c->user_hash);
    v[n++] = canary__value_integer(c->at_ns);
    v[n++] = canary__value_text(c->by);
    v[n++] = canary__value_text(c->note);
    v[n++] = canary__value_text(row->evidence != NULL ? row->evidence : "");
    v[n++] = canary__value_text(c->previous_hash);
    v[n++] = canary__value_text(c->hash);
    return n;
}

static void rollout_checksum(const struct canary__rollout_row *row,
                             char text[CANARY__DIGEST_TEXT]) {
    canary_storage_value values[CANARY__ROW_COLUMNS];
    crypto_hash_sha256_state state;

    digest_begin(&state, CANARY_TABLE_ROLLOUTS);
    digest_values(&state, values, rollout_values(row, values) - 1);
    for (uint32_t stage = 0; stage < row->stage_count; stage++) {
        digest_values(&state, values, stage_values(row, stage, values));
    }
    digest_end(&state, text);
}

static void plain_checksum(int table, const canary_storage_value *values, uint32_t count,
                           char text[CANARY__DIGEST_TEXT]) {
    crypto_hash_sha256_state state;

    digest_begin(&state, table);
    digest_values(&state, values, count - 1);
    digest_end(&state, text);
}

void canary__row_get_rollout(const canary_storage_row *from, struct canary__rollout_row *row) {
    struct cursor cursor = { from, 0, 0 };

    memset(row, 0, sizeof *row);
    take_text(&cursor, row->name, sizeof row->name);
    row->stage = (int32_t)take_integer(&cursor, 0, CANARY_STAGES_MAX - 1);
    take_text(&cursor, row->phase, sizeof row->phase);
    row->percentage_bp = (uint32_t)take_integer(&cursor, 0, CANARY_BP_MAX);
    take_text(&cursor, row->salt, sizeof row->salt);
    row->algorithm = (uint32_t)take_integer(&cursor, 0, UINT32_MAX);
    take_text(&cursor, row->flag, sizeof row->flag);
    take_text(&cursor, row->policy, sizeof row->policy);
    row->revision = (uint64_t)take_integer(&cursor, 0, INT64_MAX);
    row->updated_at = take_integer(&cursor, INT64_MIN, INT64_MAX);
    take_text(&cursor, row->updated_by, sizeof row->updated_by);
    take_text(&cursor, row->note, sizeof row->note);
    row->overrides_new = (uint32_t)take_integer(&cursor, 0, UINT32_MAX);
    row->overrides_old = (uint32_t)take_integer(&cursor, 0, UINT32_MAX);
    take_text(&cursor, row->overrides_digest, sizeof row->overrides_digest);
    take_text(&cursor, row->checksum, sizeof row->checksum);
    row->intact = !cursor.misfit;
}

void canary__row_get_flag(const canary_storage_row *from, struct canary__flag_row *row) {
    struct cursor cursor = { from, 0, 0 };
    canary_storage_value values[CANARY__ROW_COLUMNS];
    char expected[CANARY__DIGEST_TEXT];

    memset(row, 0, sizeof *row);
    row->present = 1;
    take_text(&cursor, row->name, sizeof row->name);
    row->enabled = (int)take_integer(&cursor, 0, 1);
    row->updated_at = take_integer(&cursor, INT64_MIN, INT64_MAX);
    take_text(&cursor, row->updated_by, sizeof row->updated_by);
    take_text(&cursor, row->note, sizeof row->note);
    take_text(&cursor, row->checksum, sizeof row->checksum);
    plain_checksum(CANARY_TABLE_FLAGS, values, flag_values(row, values), expected);
    row->intact = !cursor.misfit && strcmp(expected, row->checksum) == 0;
}

void canary__row_get_change(const canary_storage_row *from, struct canary__change_row *row) {
    struct cursor cursor = { from, 0, 0 };
    canary_change *c = &row->public;
    uint32_t evidence;
    char expected[CANARY__DIGEST_TEXT];
    canary_storage_value values[CANARY__ROW_COLUMNS];

    memset(row, 0, sizeof *row);
    c->size = (uint32_t)sizeof *c;
    c->id = (uint64_t)take_integer(&cursor, 0, INT64_MAX);
    take_text(&cursor, c->rollout, sizeof c->rollout);
    c->revision = (uint64_t)take_integer(&cursor, 0, INT64_MAX);
    take_text(&cursor, c->action, sizeof c->action);
    c->from_stage = (int32_t)take_integer(&cursor, -1, CANARY_STAGES_MAX - 1);
    c->to_stage = (int32_t)take_integer(&cursor, -1, CANARY_STAGES_MAX - 1);
    c->from_percentage_bp = (uint32_t)take_integer(&cursor, 0, CANARY_BP_MAX);
    c->to_percentage_bp = (uint32_t)take_integer(&cursor, 0, CANARY_BP_MAX);
    take_text(&cursor, c->flag, sizeof c->flag);
    c->user_hash = (uint32_t)take_integer(&cursor, 0, UINT32_MAX);
    c->at_ns = take_integer(&cursor, INT64_MIN, INT64_MAX);
    take_text(&cursor, c->by, sizeof c->by);
    take_text(&cursor, c->note, sizeof c->note);
    evidence = cursor.next++;
    take_text(&cursor, c->previous_hash, sizeof c->previous_hash);
    take_text(&cursor, c->hash, sizeof c->hash);
    if (cursor.misfit || from->count < CANARY__ROW_COLUMNS) {
        return;
    }
    (void)change_values(row, values);
    /* Evidence can be long: it is hashed where it lies and not kept. */
    values[evidence] = from->values[evidence];
    if (values[evidence].type == CANARY_VALUE_TEXT) {
        plain_checksum(CANARY_TABLE_CHANGES, values, CANARY__ROW_COLUMNS, expected);
        row->intact = strcmp(expected, c->hash) == 0;
    }
}

/* -- reading -- */

static int take_rollout(void *user_data, const canary_storage_row *row) {
    canary__row_get_rollout(row, user_data);
    return 1;
}

static int take_stage(void *user_data, const canary_storage_row *row) {
    struct canary__rollout_row *rollout = user_data;
    struct canary__stage_row *stage = &rollout->stages[rollout->stage_count];
    struct cursor cursor = { row, 1, 0 };
    char name[CANARY_PHASE_MAX + 1];

    if (rollout->stage_count == CANARY_STAGES_MAX) {
        rollout->intact = 0;
        return 1;
    }
    if (take_integer(&cursor, 0, CANARY_STAGES_MAX - 1) != rollout->stage_count) {
        rollout->intact = 0;
    }
    take_text(&cursor, name, sizeof name);
    canary__text_copy(stage->name, sizeof stage->name, name);
    stage->percentage_bp = (uint32_t)take_integer(&cursor, 0, CANARY_BP_MAX);
    stage->dwell_ns = take_integer(&cursor, 0, INT64_MAX);
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
        rollout_checksum(row, expected);
        row->intact = row->intact && strcmp(expected, row->checksum) == 0;
    }
    return code;
}

static int take_flag(void *user_data, const canary_storage_row *row) {
    canary__row_get_flag(row, user_data);
    return 1;
}

int canary__row_read_flag(const canary_storage_methods *methods, void *transaction,
                          const char *name, struct canary__flag_row *row, canary_error *error) {
    canary_storage_value key = canary__value_text(name);
    canary_storage_range range = range_of(&key);

    memset(row, 0, sizeof *row);
    canary__text_copy(row->name, sizeof row->name, name);
    return methods->read(transaction, CANARY_TABLE_FLAGS, &range, take_flag, row, error);
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
    canary_storage_range range = range_of(NULL);

    range.descending = 1;
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
        rollout_checksum(row, row->checksum);
    }
    code = write_values(methods, transaction, CANARY_TABLE_ROLLOUTS, values,
                        rollout_values(row, values), error);
    for (uint32_t stage = 0; with_stages && code == CANARY_OK && stage < row->stage_count;
         stage++) {
        code = write_values(methods, transaction, CANARY_TABLE_STAGES, values,
                            stage_values(row, stage, values), error);
    }
    return code;
}

int canary__row_write_flag(const canary_storage_methods *methods, void *transaction,
                           struct canary__flag_row *row, canary_error *error) {
    canary_storage_value values[CANARY__ROW_COLUMNS];
    uint32_t count = flag_values(row, values);

    plain_checksum(CANARY_TABLE_FLAGS, values, count, row->checksum);
    row->present = 1;
    row->intact = 1;
    return write_values(methods, transaction, CANARY_TABLE_FLAGS, values, flag_values(row, values),
                        error);
}

int canary__row_write_change(const canary_storage_methods *methods, void *transaction,
                             struct canary__change_row *row, canary_error *error) {
    canary_storage_value values[CANARY__ROW_COLUMNS];
    uint32_t count = change_values(row, values);
    char hash[CANARY__DIGEST_TEXT];

    plain_checksum(CANARY_TABLE_CHANGES, values, count, hash);
    canary__text_copy(row->public.hash, sizeof row->public.hash, hash);
    return write_values(methods, transaction, CANARY_TABLE_CHANGES, values,
                        change_values(row, values), error);
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

int32_t canary__row_stage_of(const struct canary__rollout_row *row, uint32_t percentage_bp) {
    int32_t stage = 0;

    for (uint32_t i = 1; i < row->stage_count; i++) {
        if (row->stages[i].percentage_bp <= percentage_bp) {
            stage = (int32_t)i;
        }
    }
    return stage;
}
