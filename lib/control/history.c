/* SPDX-License-Identifier: MIT */
/* Reading the audit trail, newest first. */
#include <canary/audit.h>

#include <string.h>

#include "base/fail.h"
#include "control/rows.h"

struct search {
    struct canary__rows rows;
    const char *rollout; /* NULL: all */
    uint64_t left;
    uint64_t lowest; /* id of the last row looked at */
    int more;
};

/* Few enough rows at a time that a long history does not keep writers waiting. */
enum { CHUNK = 1000 };

static int gather_change(void *user_data, const canary_storage_row *stored) {
    struct search *search = user_data;
    struct canary__change_row row;

    canary__row_get_change(stored, &row);
    search->lowest = row.public.id;
    search->more++;
    if (search->rollout != NULL && strcmp(row.public.rollout, search->rollout) != 0) {
        return 0;
    }
    if (canary__rows_add(&search->rows, &row.public, sizeof row.public) != 0) {
        return 1;
    }
    return --search->left == 0;
}

static int read_chunk(canary_store *store, struct search *search, uint64_t before,
                      canary_error *error) {
    canary_storage_value after = canary__value_integer((int64_t)before);
    canary_storage_range range = { .size = (uint32_t)sizeof range,
                                   .descending = 1,
                                   .limit = CHUNK,
                                   .after = before != 0 ? &after : NULL };
    void *transaction;
    int code = canary__rows_begin(store, NULL, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    search->more = 0;
    code = store->methods.read(transaction, CANARY_TABLE_CHANGES, &range, gather_change, search,
                               error);
    if (code == CANARY_OK && search->rows.out_of_memory) {
        code = canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for the history");
    }
    return canary__rows_end(store, transaction, code, error);
}

static int rollout_exists(canary_store *store, const char *rollout, canary_error *error) {
    struct canary__rollout_row row;
    void *transaction;
    int code = canary__rows_begin(store, rollout, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = canary__row_read_rollout(&store->methods, transaction, rollout, &row, error);
    return canary__rows_end(store, transaction, code, error);
}

int canary_history(canary_store *store, const char *rollout, uint64_t limit, uint64_t before,
                   canary_change_fn callback, void *user_data, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct search search = { .rollout = rollout, .left = limit != 0 ? limit : UINT64_MAX };
    int stopped = 0;
    int code = CANARY_OK;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (store == NULL || callback == NULL || before > INT64_MAX) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_history: store or callback is NULL, or before is above %lld",
                            (long long)INT64_MAX);
    }
    if (rollout != NULL) {
        code = rollout_exists(store, rollout, error);
    }
    search.rows.hooks = &store->hooks;
    while (code == CANARY_OK && !stopped) {
        code = read_chunk(store, &search, before, error);
        for (size_t at = 0; at < search.rows.used && code == CANARY_OK && !stopped;
             at += sizeof(canary_change)) {
            stopped = callback(user_data, (const canary_change *)(void *)(search.rows.bytes + at));
        }
        search.rows.used = 0;
        before = search.lowest;
        if (search.more < CHUNK || search.left == 0 || before <= 1) {
            break;
        }
    }
    canary__rows_free(&search.rows);
    return code;
}
