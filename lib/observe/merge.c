/* SPDX-License-Identifier: MIT */
/* Rows of the measurement store that hold sheets and samples. */
#include "observe/merge.h"

#include <sodium/randombytes.h>
#include <string.h>

#include "base/fail.h"

enum {
    COLUMNS = 9,
    DATA = 8,
    BESIDE = 16, /* rows beside a damaged one that are tried */
    SECOND = 1000000000,
    USERS_DATA = 5,
    GENERATIONS = 64, /* of a rollout whose users are kept, the newest ones */
};

struct found {
    const struct canary__hooks *hooks;
    uint32_t column;
    struct canary__sheet *sheet;
    struct canary__sample *users;
    int present;
    int code;
    canary_error *error;
};

static int take(void *user_data, const canary_storage_row *row) {
    struct found *found = user_data;
    const canary_storage_value *data = &row->values[found->column];

    found->present = 1;
    if (row->count <= found->column || data->type != CANARY_VALUE_BLOB) {
        found->code = canary__fail(found->error, CANARY_E_CORRUPT, 0, "it holds no figures");
    } else if (found->sheet != NULL) {
        found->code = canary__sheet_decode(found->hooks, data->data, (size_t)data->size,
                                           found->sheet, found->error);
    } else {
        found->code = canary__sample_decode(found->hooks, data->data, (size_t)data->size,
                                            found->users, found->error);
    }
    return 1;
}

/* What stands in the row (rollout, number); `found->code` tells of the row, the answer of the store. */
static int find(canary_store *store, void *transaction, int table, const char *rollout,
                int64_t number, struct found *found, canary_error *error) {
    const canary_storage_value key[2] = { canary__value_text(rollout),
                                          canary__value_integer(number) };
    const canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 2, .limit = 1, .key = key
    };

    found->hooks = &store->hooks;
    found->present = 0;
    found->code = CANARY_OK;
    return store->methods.read(transaction, table, &range, take, found, error);
}

static int put(canary_store *store, void *transaction, int table,
               const canary_storage_value *values, uint32_t count, canary_error *error) {
    const canary_storage_row row = {
        .size = (uint32_t)sizeof row, .table = table, .count = count, .values = values
    };

    return store->methods.write(transaction, &row, error);
}

static int no_memory(canary_error *error) {
    return canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for figures");
}

uint64_t canary__merge_events(const struct canary__tally *tally) {
    uint64_t sum = tally->overflow;

    for (int i = 0; i < CANARY__TALLY_COUNTS; i++) {
        sum += tally->counts[i];
    }
    for (int i = 0; tally->buckets != NULL && i < CANARY__HISTOGRAM_BUCKETS; i++) {
        sum += tally->buckets[i];
    }
    return sum;
}

/* -- sheets -- */

static canary_storage_value number(uint64_t count) {
    return canary__value_integer(count > INT64_MAX ? INT64_MAX : (int64_t)count);
}

static int write_sheet(canary_store *store, void *transaction, int table, const char *rollout,
                       int64_t start_ns, const struct canary__sheet *sheet, canary_error *error) {
    uint64_t requests[2] = { 0 };
    uint64_t counts[2][3] = { { 0 } };
    canary_storage_value values[COLUMNS];
    uint8_t *data = NULL;
    size_t size = 0;
    int code = canary__sheet_encode(&store->hooks, sheet, &data, &size);

    if (code != CANARY_OK) {
        return code == CANARY_E_NOMEM
                   ? no_memory(error)
                   : canary__fail(error, code, 0,
                                  "figures could not be put into their stored form");
    }
    for (uint32_t i = 0; i < sheet->count; i++) {
        const struct canary__entry *entry = &sheet->entries[i];

        if (entry->tally.kind == CANARY__TALLY_STATUS) {
            requests[entry->cohort & 1] += canary__merge_events(&entry->tally);
            for (int status = 0; status < 3; status++) {
                counts[entry->cohort & 1][status] += entry->tally.counts[status];
            }
        }
    }
    values[0] = canary__value_text(rollout);
    values[1] = canary__value_integer(start_ns);
    for (int cohort = 0; cohort < 2; cohort++) {
        values[2 + cohort] = number(requests[cohort]);
        values[4 + cohort] = number(counts[cohort][CANARY_STATUS_ERROR]);
        values[6 + cohort] = number(counts[cohort][CANARY_STATUS_TIMEOUT]);
    }
    values[DATA] = canary__value_blob(data, size);
    code = put(store, transaction, table, values, COLUMNS, error);
    canary__free(&store->hooks, data, size);
    return code;
}

/* One after another, so that those which do not fit can be left out and counted. */
static int merge_entries(const struct canary__hooks *hooks, struct canary__sheet *to,
                         const struct canary__sheet *from, uint64_t *refused) {
    for (uint32_t i = 0; i < from->count; i++) {
        const struct canary__entry *entry = &from->entries[i];
        struct canary__tally *tally =
            canary__sheet_at(hooks, to, entry->generation, entry->cohort, entry->metric);
        int code =
            tally != NULL ? canary__tally_merge(hooks, tally, &entry->tally) : CANARY_E_NOMEM;

        if (code == CANARY_E_CONFLICT) {
            uint64_t events = canary__merge_events(&entry->tally);

            tally =
                canary__sheet_at(hooks, to, entry->generation, CANARY_OLD, CANARY__SHEET_LOSSES);
            if (tally == NULL) {
                return CANARY_E_NOMEM;
            }
            tally->kind = CANARY__TALLY_LOSSES;
            tally->counts[CANARY_REJECTED_KIND] += events;
            *refused += events;
        } else if (code != CANARY_OK) {
            return code;
        }
    }
    return CANARY_OK;
}

/* Finds the place for figures of `start_ns`: in the row, or beside it. Where all the places next to it
 * hold damage, somewhere in the second after them: one spoilt step must not keep back all others. */
static int load(canary_store *store, void *transaction, int table, const char *rollout,
                int64_t *start_ns, struct canary__sheet *sheet, canary_error *error) {
    const int64_t beside = *start_ns + BESIDE;
    const int64_t last = beside + 2 * (int64_t)SECOND;

    for (;; *start_ns += *start_ns < beside ? 1 : 1 + randombytes_random() % SECOND) {
        canary_error own = canary__fail_none;
        struct found found = { .column = DATA, .sheet = sheet, .error = &own };
        int code = find(store, transaction, table, rollout, *start_ns, &found, error);

        if (code != CANARY_OK) {
            return code;
        }
        if ((found.code != CANARY_E_CORRUPT && found.code != CANARY_E_NEWER) || *start_ns >= last) {
            if (found.code != CANARY_OK) {
                canary__fail_copy(error, &own);
            }
            return found.code;
        }
        canary__log(&store->hooks, CANARY_LOG_WARNING,
                    "canary: figures of \"%s\" at %lld cannot be read: %s; they stay, and new ones "
                    "go beside them",
                    rollout, (long long)*start_ns, own.message);
    }
}

static int merge_into(canary_store *store, void *transaction, int table, const char *rollout,
                      int64_t start_ns, const struct canary__sheet *sheet, uint64_t *refused,
                      canary_error *error) {
    struct canary__sheet have = { 0 };
    int code = load(store, transaction, table, rollout, &start_ns, &have, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = refused != NULL ? merge_entries(&store->hooks, &have, sheet, refused)
                           : canary__sheet_merge(&store->hooks, &have, sheet);
    if (code == CANARY_E_CONFLICT) {
        (void)canary__fail(error, code, 0,
                           "a metric of \"%s\" was recorded with another kind or resolution before",
                           rollout);
    } else if (code != CANARY_OK) {
        (void)no_memory(error);
    } else {
        code = write_sheet(store, transaction, table, rollout, start_ns, &have, error);
    }
    canary__sheet_free(&store->hooks, &have);
    return code;
}

int canary__merge_sheet(canary_store *measurements, void *transaction, int table,
                        const char *rollout, int64_t start_ns, const struct canary__sheet *sheet,
                        canary_error *error) {
    return merge_into(measurements, transaction, table, rollout, start_ns, sheet, NULL, error);
}

int canary__merge_what_fits(canary_store *measurements, void *transaction, int table,
                            const char *rollout, int64_t start_ns,
                            const struct canary__sheet *sheet, uint64_t *refused,
                            canary_error *error) {
    return merge_into(measurements, transaction, table, rollout, start_ns, sheet, refused, error);
}

/* -- users -- */

static int64_t estimate(const struct canary__sample *sample) {
    double users = 0;
    double deviation = 0;

    canary__sample_estimate(sample, &users, &deviation);
    return (int64_t)users;
}

static int write_users(canary_store *store, void *transaction, const char *rollout,
                       uint64_t generation, const struct canary__sample users[2],
                       canary_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    int code = canary__sample_encode(&store->hooks, users, &data, &size);

    if (code != CANARY_OK) {
        return no_memory(error);
    }
    {
        const canary_storage_value values[] = {
            canary__value_text(rollout),
            number(generation),
            canary__value_integer(users[0].level > users[1].level ? users[0].level
                                                                  : users[1].level),
            canary__value_integer(estimate(&users[CANARY_OLD])),
            canary__value_integer(estimate(&users[CANARY_NEW])),
            canary__value_blob(data, size),
        };

        code = put(store, transaction, CANARY_TABLE_SUBJECTS, values,
                   (uint32_t)(sizeof values / sizeof *values), error);
    }
    canary__free(&store->hooks, data, size);
    return code;
}

struct oldest {
    uint32_t count;
    int64_t generation;
};

static int take_oldest(void *user_data, const canary_storage_row *row) {
    struct oldest *oldest = user_data;

    oldest->count++;
    oldest->generation = row->count > 1 ? row->values[1].integer : 0;
    return 0;
}

/* After a new generation has come: one goes. */
static int forget_oldest(canary_store *store, void *transaction, const char *rollout,
                         canary_error *error) {
    const canary_storage_value key = canary__value_text(rollout);
    const canary_storage_range range = { .size = (uint32_t)sizeof range,
                                         .key_count = 1,
                                         .descending = 1,
                                         .limit = GENERATIONS + 1,
                                         .key = &key };
    struct oldest oldest = { 0 };
    int code = store->methods.read(transaction, CANARY_TABLE_SUBJECTS, &range, take_oldest, &oldest,
                                   error);

    if (code == CANARY_OK && oldest.count > GENERATIONS) {
        const canary_storage_value whole[2] = { key, canary__value_integer(oldest.generation) };

        code = store->methods.remove(transaction, CANARY_TABLE_SUBJECTS, whole, error);
    }
    return code;
}

int canary__merge_users(canary_store *measurements, void *transaction, const char *rollout,
                        uint64_t generation, const struct canary__sample users[2],
                        canary_error *error) {
    const struct canary__hooks *hooks = &measurements->hooks;
    struct canary__sample have[2] = { { 0 }, { 0 } };
    canary_error own = canary__fail_none;
    struct found found = { .column = USERS_DATA, .users = have, .error = &own };
    int changed = 0;
    int code = find(measurements, transaction, CANARY_TABLE_SUBJECTS, rollout,
                    number(generation).integer, &found, error);

    if (code != CANARY_OK) {
        return code;
    }
    if (found.code == CANARY_E_CORRUPT) {
        /* Every process delivers its whole sample of the present generation again and again. */
        canary__log(&measurements->hooks, CANARY_LOG_WARNING,
                    "canary: the users of \"%s\" in generation %llu cannot be read: %s; they are "
                    "collected anew",
                    rollout, (unsigned long long)generation, own.message);
    } else if (found.code == CANARY_E_NEWER) {
        return CANARY_OK; /* a later library's processes keep them; an estimate can do without ours */
    } else if (found.code != CANARY_OK) {
        canary__fail_copy(error, &own);
        return found.code;
    }
    for (int cohort = 0; cohort < 2 && code == CANARY_OK; cohort++) {
        int other = 0;

        code = canary__sample_merge(hooks, &have[cohort], &users[cohort], &other);
        changed |= other;
    }
    if (code != CANARY_OK) {
        (void)no_memory(error);
    } else if (changed || found.code != CANARY_OK) {
        code = write_users(measurements, transaction, rollout, generation, have, error);
        if (code == CANARY_OK && !found.present) {
            code = forget_oldest(measurements, transaction, rollout, error);
        }
    }
    canary__sample_free(hooks, &have[0]);
    canary__sample_free(hooks, &have[1]);
    return code;
}
