/* SPDX-License-Identifier: MIT */
/* Rows of the store as structs, and the checksums that sign them.
 *
 * The digest of a row is SHA-256 over
 *     "canary-row-1" 0x00, the table's name, 0x00,
 *     then each value in column order:  'I' and 8 bytes big-endian two's complement, or
 *                                       'T' or 'B', the size as 8 bytes big-endian, the bytes.
 * A rollout's checksum runs over its columns but the last, then over the columns of its stages rows
 * in order; a flag's over its columns but the last; a change's hash over its columns but the last.
 * The digest of a set of overrides is the XOR of the digests of its rows, so that adding and
 * removing one costs one digest whatever the size of the set; 64 zeros for the empty set. */
#ifndef CANARY__ROW_H
#define CANARY__ROW_H

#include <canary/bucket.h>
#include <canary/rollout.h>
#include <canary/storage.h>

#include <stddef.h>
#include <stdint.h>

#define CANARY__DIGEST_TEXT 65 /* 64 hex digits and the end */
#define CANARY__ROW_COLUMNS 16 /* at least the columns of any table */

struct canary__stage_row {
    char name[CANARY_PHASE_MAX + 1];
    uint32_t percentage_bp;
    int64_t dwell_ns;
};

struct canary__rollout_row {
    char name[CANARY_NAME_MAX + 1];
    int32_t stage;
    char phase[CANARY_PHASE_MAX + 1];
    uint32_t percentage_bp;
    char salt[CANARY_SALT_MAX + 1];
    uint32_t algorithm;
    char flag[CANARY_NAME_MAX + 1];
    char policy[CANARY__DIGEST_TEXT];
    uint64_t revision;
    int64_t updated_at;
    char updated_by[CANARY_ACTOR_MAX + 1];
    char note[CANARY_NOTE_MAX + 1];
    uint32_t overrides_new;
    uint32_t overrides_old;
    char overrides_digest[CANARY__DIGEST_TEXT];
    char checksum[CANARY__DIGEST_TEXT];
    uint32_t stage_count;
    struct canary__stage_row stages[CANARY_STAGES_MAX];
    int intact; /* every value fits its place and the checksum matches */
};

struct canary__flag_row {
    char name[CANARY_NAME_MAX + 1];
    int present;
    int enabled;
    int64_t updated_at;
    char updated_by[CANARY_ACTOR_MAX + 1];
    char note[CANARY_NOTE_MAX + 1];
    char checksum[CANARY__DIGEST_TEXT];
    int intact;
};

struct canary__change_row {
    canary_change public;
    const char *evidence; /* when writing */
    int intact;           /* when read: the hash matches the content */
};

/* Reading. `name` is a valid name. Each needs a transaction. NOT_FOUND when there is no such
 * rollout; a flag that is missing is no error, but not `present`. */
int canary__row_read_rollout(const canary_storage_methods *methods, void *transaction,
                             const char *name, struct canary__rollout_row *row,
                             canary_error *error);
int canary__row_read_flag(const canary_storage_methods *methods, void *transaction,
                          const char *name, struct canary__flag_row *row, canary_error *error);

/* The error for a rollout that is not there. */
int canary__row_not_found(const char *name, canary_error *error);

/* The same for who has read both before and is in a hurry. The ladder never changes, so the one of
 * `known` is tried first: if the checksum holds with it, the stages need not be read. */
int canary__row_read_rollout_again(const canary_storage_methods *methods, void *transaction,
                                   const struct canary__rollout_row *known,
                                   struct canary__rollout_row *row, canary_error *error);
int canary__row_read_flag_again(const canary_storage_methods *methods, void *transaction,
                                const struct canary__flag_row *known, struct canary__flag_row *row,
                                canary_error *error);

/* How the newest change of the store hangs on the one before; its content is not looked at. */
struct canary__link {
    uint64_t id; /* 0: there is none */
    int64_t at_ns;
    char previous_hash[CANARY__DIGEST_TEXT];
    char hash[CANARY__DIGEST_TEXT];
};
int canary__row_read_link(const canary_storage_methods *methods, void *transaction,
                          struct canary__link *link, canary_error *error);

/* The newest change of the store, or with `id` not 0 that one. `row->public.id` is 0 when there is
 * none. */
int canary__row_read_change(const canary_storage_methods *methods, void *transaction, uint64_t id,
                            struct canary__change_row *row, canary_error *error);

/* The newest change of one rollout, as far back as it takes; id 0 when there is none. */
int canary__row_read_last(const canary_storage_methods *methods, void *transaction,
                          const char *rollout, struct canary__change_row *row, canary_error *error);

/* The newest switching of one flag; id 0 when it was never switched. */
int canary__row_read_last_flag(const canary_storage_methods *methods, void *transaction,
                               const char *flag, struct canary__change_row *row,
                               canary_error *error);

/* From a sink's row. */
void canary__row_get_rollout(const canary_storage_row *from, struct canary__rollout_row *row);
/* `known` may be NULL: a row equal to one that was intact is not hashed again. */
void canary__row_get_flag(const canary_storage_row *from, const struct canary__flag_row *known,
                          struct canary__flag_row *row);
void canary__row_get_change(const canary_storage_row *from, struct canary__change_row *row);

/* Writing; checksums and hashes are computed here. Stages are written with `with_stages`. A
 * rollout that is not `intact` keeps the checksum it has: a change to a row that somebody edited
 * must not sign the edits. */
int canary__row_write_rollout(const canary_storage_methods *methods, void *transaction,
                              struct canary__rollout_row *row, int with_stages,
                              canary_error *error);
int canary__row_write_flag(const canary_storage_methods *methods, void *transaction,
                           struct canary__flag_row *row, canary_error *error);
int canary__row_write_change(const canary_storage_methods *methods, void *transaction,
                             struct canary__change_row *row, canary_error *error);
int canary__row_write_override(const canary_storage_methods *methods, void *transaction,
                               const char *rollout, const void *id, uint64_t size, int cohort,
                               canary_error *error);
int canary__row_remove_override(const canary_storage_methods *methods, void *transaction,
                                const char *rollout, const void *id, uint64_t size,
                                canary_error *error);

/* XORs one override into a set's digest of 32 bytes: adds it, or takes it away again. */
void canary__row_toggle(uint8_t digest[32], const char *rollout, const void *id, uint64_t size,
                        int cohort);
/* 64 hex digits to 32 bytes; anything else becomes zeros and answers -1. */
int canary__row_digest_parse(const char *text, uint8_t digest[32]);

canary_storage_value canary__value_text(const char *text);
canary_storage_value canary__value_integer(int64_t integer);
canary_storage_value canary__value_blob(const void *data, uint64_t size);

/* Highest rung not above the percentage. */
int32_t canary__row_stage_of(const struct canary__rollout_row *row, uint32_t percentage_bp);

#endif
