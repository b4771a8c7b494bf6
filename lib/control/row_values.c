/* SPDX-License-Identifier: MIT */
#include "control/row_values.h"

#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "base/hot.h"
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

/* A row is many short values: they are gathered, because a call of the hash costs as much as hashing
 * what most of them hold. */
struct digest {
    crypto_hash_sha256_state state;
    size_t used;
    unsigned char bytes[1024];
};

static void digest_add(struct digest *digest, const void *bytes, size_t size) {
    if (size > sizeof digest->bytes - digest->used) {
        crypto_hash_sha256_update(&digest->state, digest->bytes, digest->used);
        digest->used = 0;
    }
    if (size > sizeof digest->bytes) {
        crypto_hash_sha256_update(&digest->state, bytes, size);
    } else if (size > 0) {
        memcpy(digest->bytes + digest->used, bytes, size);
        digest->used += size;
    }
}

static void digest_begin(struct digest *digest, int table) {
    static const char tag[] = "canary-row-1";
    const char *name = canary_storage_table_get(table)->name;

    crypto_hash_sha256_init(&digest->state);
    digest->used = 0;
    digest_add(digest, tag, sizeof tag);
    digest_add(digest, name, strlen(name) + 1);
}

static void digest_values(struct digest *digest, const canary_storage_value *values,
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
        digest_add(digest, head, sizeof head);
        if (value->type != CANARY_VALUE_INTEGER) {
            digest_add(digest, value->data, value->size);
        }
    }
}

static void digest_bytes(struct digest *digest, unsigned char out[crypto_hash_sha256_BYTES]) {
    crypto_hash_sha256_update(&digest->state, digest->bytes, digest->used);
    crypto_hash_sha256_final(&digest->state, out);
}

static void digest_end(struct digest *digest, char text[CANARY__DIGEST_TEXT]) {
    unsigned char bytes[crypto_hash_sha256_BYTES];

    digest_bytes(digest, bytes);
    canary__text_hex(bytes, sizeof bytes, text);
}

void canary__row_text_digest(const void *bytes, size_t size, char text[CANARY__DIGEST_TEXT]) {
    unsigned char digest[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(digest, bytes, size);
    canary__text_hex(digest, sizeof digest, text);
}

void canary__row_toggle(uint8_t digest[32], const char *rollout, const void *id, uint64_t size,
                        int cohort) {
    canary_storage_value values[3] = { canary__value_text(rollout), canary__value_blob(id, size),
                                       canary__value_integer(cohort) };
    struct digest all;
    unsigned char one[crypto_hash_sha256_BYTES];

    digest_begin(&all, CANARY_TABLE_OVERRIDES);
    digest_values(&all, values, 3);
    digest_bytes(&all, one);
    for (int i = 0; i < 32; i++) {
        digest[i] ^= one[i];
    }
}

CANARY__HOT int canary__row_digest_parse(const char *text, uint8_t digest[32]) {
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

int64_t canary__row_take_integer(struct canary__row_cursor *cursor, int64_t low, int64_t high) {
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

int canary__row_says(const canary_storage_row *row, uint32_t column, const char *text) {
    size_t length = strlen(text);

    return row->count > column && row->values[column].type == CANARY_VALUE_TEXT &&
           row->values[column].size == length &&
           memcmp(row->values[column].data, text, length) == 0;
}

void canary__row_take_text(struct canary__row_cursor *cursor, char *out, size_t size) {
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

static void add_text(canary_storage_value **end, const char *text) {
    *(*end)++ = canary__value_text(text);
}

static void add_integer(canary_storage_value **end, int64_t integer) {
    *(*end)++ = canary__value_integer(integer);
}

uint32_t canary__row_rollout_values(const struct canary__rollout_row *row,
                                    canary_storage_value *v) {
    canary_storage_value *end = v;

    add_text(&end, row->name);
    add_integer(&end, row->stage);
    add_text(&end, row->phase);
    add_integer(&end, row->percentage_bp);
    add_text(&end, row->salt);
    add_integer(&end, row->algorithm);
    add_text(&end, row->flag);
    add_text(&end, row->policy);
    add_integer(&end, (int64_t)row->revision);
    add_integer(&end, row->updated_at);
    add_text(&end, row->updated_by);
    add_text(&end, row->note);
    add_integer(&end, row->overrides_new);
    add_integer(&end, row->overrides_old);
    add_text(&end, row->overrides_digest);
    add_text(&end, row->checksum);
    return (uint32_t)(end - v);
}

uint32_t canary__row_stage_values(const struct canary__rollout_row *row, uint32_t stage,
                                  canary_storage_value *v) {
    canary_storage_value *end = v;

    add_text(&end, row->name);
    add_integer(&end, stage);
    add_text(&end, row->stages[stage].name);
    add_integer(&end, row->stages[stage].percentage_bp);
    add_integer(&end, row->stages[stage].dwell_ns);
    return (uint32_t)(end - v);
}

uint32_t canary__row_flag_values(const struct canary__flag_row *row, canary_storage_value *v) {
    canary_storage_value *end = v;

    add_text(&end, row->name);
    add_integer(&end, row->enabled);
    add_integer(&end, row->updated_at);
    add_text(&end, row->updated_by);
    add_text(&end, row->note);
    add_text(&end, row->checksum);
    return (uint32_t)(end - v);
}

uint32_t canary__row_change_values(const struct canary__change_row *row, canary_storage_value *v) {
    const canary_change *c = &row->public;
    canary_storage_value *end = v;

    add_integer(&end, (int64_t)c->id);
    add_text(&end, c->rollout);
    add_integer(&end, (int64_t)c->revision);
    add_text(&end, c->action);
    add_integer(&end, c->from_stage);
    add_integer(&end, c->to_stage);
    add_integer(&end, c->from_percentage_bp);
    add_integer(&end, c->to_percentage_bp);
    add_text(&end, c->flag);
    add_integer(&end, c->user_hash);
    add_integer(&end, c->at_ns);
    add_text(&end, c->by);
    add_text(&end, c->note);
    add_text(&end, row->evidence != NULL ? row->evidence : "");
    add_text(&end, c->previous_hash);
    add_text(&end, c->hash);
    return (uint32_t)(end - v);
}

void canary__row_rollout_checksum(const struct canary__rollout_row *row,
                                  char text[CANARY__DIGEST_TEXT]) {
    canary_storage_value values[CANARY__ROW_COLUMNS];
    struct digest digest;

    digest_begin(&digest, CANARY_TABLE_ROLLOUTS);
    digest_values(&digest, values, canary__row_rollout_values(row, values) - 1);
    for (uint32_t stage = 0; stage < row->stage_count; stage++) {
        digest_values(&digest, values, canary__row_stage_values(row, stage, values));
    }
    digest_end(&digest, text);
}

void canary__row_checksum(int table, const canary_storage_value *values, uint32_t count,
                          char text[CANARY__DIGEST_TEXT]) {
    struct digest digest;

    digest_begin(&digest, table);
    digest_values(&digest, values, count - 1);
    digest_end(&digest, text);
}

void canary__row_get_rollout(const canary_storage_row *from, struct canary__rollout_row *row) {
    struct canary__row_cursor cursor = { from, 0, 0 };

    memset(row, 0, sizeof *row);
    canary__row_take_text(&cursor, row->name, sizeof row->name);
    row->stage = (int32_t)canary__row_take_integer(&cursor, 0, CANARY_STAGES_MAX - 1);
    canary__row_take_text(&cursor, row->phase, sizeof row->phase);
    row->percentage_bp = (uint32_t)canary__row_take_integer(&cursor, 0, CANARY_BP_MAX);
    canary__row_take_text(&cursor, row->salt, sizeof row->salt);
    row->algorithm = (uint32_t)canary__row_take_integer(&cursor, 0, UINT32_MAX);
    canary__row_take_text(&cursor, row->flag, sizeof row->flag);
    canary__row_take_text(&cursor, row->policy, sizeof row->policy);
    row->revision = (uint64_t)canary__row_take_integer(&cursor, 0, INT64_MAX);
    row->updated_at = canary__row_take_integer(&cursor, INT64_MIN, INT64_MAX);
    canary__row_take_text(&cursor, row->updated_by, sizeof row->updated_by);
    canary__row_take_text(&cursor, row->note, sizeof row->note);
    row->overrides_new = (uint32_t)canary__row_take_integer(&cursor, 0, UINT32_MAX);
    row->overrides_old = (uint32_t)canary__row_take_integer(&cursor, 0, UINT32_MAX);
    canary__row_take_text(&cursor, row->overrides_digest, sizeof row->overrides_digest);
    canary__row_take_text(&cursor, row->checksum, sizeof row->checksum);
    row->intact = !cursor.misfit;
}

/* Every field but `present` and `intact`. */
static int same_flag(const struct canary__flag_row *a, const struct canary__flag_row *b) {
    return a->enabled == b->enabled && a->updated_at == b->updated_at &&
           strcmp(a->name, b->name) == 0 && strcmp(a->updated_by, b->updated_by) == 0 &&
           strcmp(a->note, b->note) == 0 && strcmp(a->checksum, b->checksum) == 0;
}

void canary__row_get_flag(const canary_storage_row *from, const struct canary__flag_row *known,
                          struct canary__flag_row *row) {
    struct canary__row_cursor cursor = { from, 0, 0 };
    canary_storage_value values[CANARY__ROW_COLUMNS];
    char expected[CANARY__DIGEST_TEXT];

    memset(row, 0, sizeof *row);
    row->present = 1;
    canary__row_take_text(&cursor, row->name, sizeof row->name);
    row->enabled = (int)canary__row_take_integer(&cursor, 0, 1);
    row->updated_at = canary__row_take_integer(&cursor, INT64_MIN, INT64_MAX);
    canary__row_take_text(&cursor, row->updated_by, sizeof row->updated_by);
    canary__row_take_text(&cursor, row->note, sizeof row->note);
    canary__row_take_text(&cursor, row->checksum, sizeof row->checksum);
    if (!cursor.misfit && known != NULL && known->intact && same_flag(row, known)) {
        row->intact = 1;
        return;
    }
    canary__row_checksum(CANARY_TABLE_FLAGS, values, canary__row_flag_values(row, values),
                         expected);
    row->intact = !cursor.misfit && strcmp(expected, row->checksum) == 0;
}

void canary__row_get_change(const canary_storage_row *from, struct canary__change_row *row) {
    struct canary__row_cursor cursor = { from, 0, 0 };
    canary_change *c = &row->public;
    uint32_t evidence;
    char expected[CANARY__DIGEST_TEXT];
    canary_storage_value values[CANARY__ROW_COLUMNS];

    memset(row, 0, sizeof *row);
    c->size = (uint32_t)sizeof *c;
    c->id = (uint64_t)canary__row_take_integer(&cursor, 0, INT64_MAX);
    canary__row_take_text(&cursor, c->rollout, sizeof c->rollout);
    c->revision = (uint64_t)canary__row_take_integer(&cursor, 0, INT64_MAX);
    canary__row_take_text(&cursor, c->action, sizeof c->action);
    c->from_stage = (int32_t)canary__row_take_integer(&cursor, -1, CANARY_STAGES_MAX - 1);
    c->to_stage = (int32_t)canary__row_take_integer(&cursor, -1, CANARY_STAGES_MAX - 1);
    c->from_percentage_bp = (uint32_t)canary__row_take_integer(&cursor, 0, CANARY_BP_MAX);
    c->to_percentage_bp = (uint32_t)canary__row_take_integer(&cursor, 0, CANARY_BP_MAX);
    canary__row_take_text(&cursor, c->flag, sizeof c->flag);
    c->user_hash = (uint32_t)canary__row_take_integer(&cursor, 0, UINT32_MAX);
    c->at_ns = canary__row_take_integer(&cursor, INT64_MIN, INT64_MAX);
    canary__row_take_text(&cursor, c->by, sizeof c->by);
    canary__row_take_text(&cursor, c->note, sizeof c->note);
    evidence = cursor.next++;
    canary__row_take_text(&cursor, c->previous_hash, sizeof c->previous_hash);
    canary__row_take_text(&cursor, c->hash, sizeof c->hash);
    if (cursor.misfit || from->count < CANARY__ROW_COLUMNS) {
        return;
    }
    (void)canary__row_change_values(row, values);
    /* Evidence can be long: it is hashed where it lies and not kept. */
    values[evidence] = from->values[evidence];
    if (values[evidence].type == CANARY_VALUE_TEXT) {
        canary__row_checksum(CANARY_TABLE_CHANGES, values, CANARY__ROW_COLUMNS, expected);
        row->intact = strcmp(expected, c->hash) == 0;
    }
}
