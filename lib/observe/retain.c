/* SPDX-License-Identifier: MIT */
/* Old rows are merged into coarser ones: ticks after two hours into minutes, minutes after seven days
 * into hours; hours go after 400 days. Each row is taken away in the transaction that adds it to the
 * coarser one, so that sums stay the same whoever looks when. */
#include <sodium/randombytes.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "observe/observation.h"
#include "observe/scan.h"

#define WRITERS_FOR (7 * CANARY__DAY_NS) /* who was away for longer may deliver twice */
#define PAUSE CANARY__MINUTE_NS          /* between two looks, when nothing was left over */
#define CALM (10 * CANARY__MINUTE_NS)    /* after a jump of the clock old rows may be new ones */

enum {
    START = 1,
    DATA = 8,
    GROUP = 256,    /* rows of one minute or hour at the most that are taken at once */
    SOME = 128,     /* rows for one look */
    SCATTERED = 64, /* rows of tables that are not in the order of time, for one look */
    ROLLOUTS = 256, /* for one look */
    TEXT = 136,     /* holds a key of those */
};

/* One look. */
struct look {
    canary_store *store;
    void *transaction;
    int64_t now;
    uint32_t left;
    uint32_t moved;
    canary_error *error;
};

/* Rows of one coarser row. */
struct group {
    const struct canary__hooks *hooks;
    int64_t before; /* only rows that start before it */
    int64_t width;
    int64_t start; /* of the coarser row; valid when `count` is not 0 */
    int64_t seen;  /* start of the last row looked at */
    uint32_t left;
    uint32_t count;
    int64_t starts[GROUP];
    struct canary__sheet sheet;
    int code;
};

static int read_rows(struct look *look, int table, const char *rollout, const int64_t *after,
                     canary_storage_sink sink, void *user_data) {
    const canary_storage_value key = canary__value_text(rollout);
    const canary_storage_value from = canary__value_integer(after != NULL ? *after : 0);
    const canary_storage_range range = { .size = (uint32_t)sizeof range,
                                         .key_count = 1,
                                         .key = &key,
                                         .after = after != NULL ? &from : NULL };

    return look->store->methods.read(look->transaction, table, &range, sink, user_data,
                                     look->error);
}

/* A key that is longer than any of ours came out cut short, and names no row: nothing waits for it. */
static int remove_row(struct look *look, int table, const canary_storage_value *key) {
    canary_error own = canary__fail_none;
    int code = look->store->methods.remove(look->transaction, table, key, &own);

    look->moved += code == CANARY_OK;
    if (code == CANARY_OK || code == CANARY_E_NOT_FOUND) {
        return CANARY_OK;
    }
    *look->error = own;
    return code;
}

static int take_away(struct look *look, int table, const char *rollout,
                     canary_storage_value second) {
    const canary_storage_value key[2] = { canary__value_text(rollout), second };

    return remove_row(look, table, key);
}

/* Rows that cannot be read, or do not fit the others, are passed over: they stay where they are until
 * their time is over. */
static int take(void *user_data, const canary_storage_row *row) {
    struct group *group = user_data;
    struct canary__sheet sheet = { 0 };
    canary_error ignored = canary__fail_none;
    int64_t start = row->count > START ? row->values[START].integer : 0;
    int64_t floor = start - start % group->width;
    int code;

    if (start >= group->before || group->left == 0 || group->count == GROUP ||
        (group->count > 0 && floor != group->start)) {
        return 1;
    }
    group->left--;
    group->seen = start;
    if (row->count <= DATA || row->values[DATA].type != CANARY_VALUE_BLOB) {
        return 0;
    }
    code = canary__sheet_decode(group->hooks, row->values[DATA].data,
                                (size_t)row->values[DATA].size, &sheet, &ignored);
    if (code == CANARY_OK) {
        code = canary__sheet_merge(group->hooks, &group->sheet, &sheet);
    }
    canary__sheet_free(group->hooks, &sheet);
    if (code == CANARY_OK) {
        group->start = floor;
        group->starts[group->count++] = start;
    } else if (code == CANARY_E_NOMEM) {
        group->code = code;
    }
    return group->code != CANARY_OK;
}

static int move_group(struct look *look, int from, int to, const char *rollout,
                      const struct group *group) {
    canary_error own = canary__fail_none;
    int code = canary__merge_sheet(look->store, look->transaction, to, rollout, group->start,
                                   &group->sheet, &own);

    if (code == CANARY_E_CONFLICT) {
        return CANARY_OK; /* they stay */
    }
    if (code != CANARY_OK) {
        *look->error = own;
    }
    for (uint32_t i = 0; i < group->count && code == CANARY_OK; i++) {
        code = take_away(look, from, rollout, canary__value_integer(group->starts[i]));
    }
    return code;
}

/* From the row after `*seen` on, or from the first one with NULL. */
static int fold_from(struct look *look, int from, int to, const char *rollout, struct group *group,
                     const int64_t *seen) {
    int code = CANARY_OK;

    do {
        int64_t after = seen != NULL ? *seen : 0;

        group->count = 0;
        group->left = look->left;
        code = read_rows(look, from, rollout, seen != NULL ? &after : NULL, take, group);
        if (code == CANARY_OK) {
            code = group->code;
        }
        look->left = group->left;
        if (code == CANARY_OK && group->count > 0) {
            code = move_group(look, from, to, rollout, group);
        }
        canary__sheet_free(group->hooks, &group->sheet);
        seen = &group->seen;
    } while (code == CANARY_OK && group->count > 0 && look->left > 0);
    return code;
}

static int fold(struct look *look, int from, int to, const char *rollout, int64_t age,
                int64_t width) {
    struct group group = { .hooks = &look->store->hooks, .width = width };
    int64_t before = look->now - age;
    uint32_t moved = look->moved;
    uint32_t had = look->left;
    int code;

    group.before = before - before % width;
    code = fold_from(look, from, to, rollout, &group, NULL);
    /* Where all that was looked at has to stay, what lies behind it must move all the same: another
     * part of the time in each look. */
    if (code == CANARY_OK && had > 0 && look->left == 0 && look->moved == moved &&
        group.seen >= 0 && group.seen < group.before) {
        uint64_t random = (uint64_t)randombytes_random() << 32 | randombytes_random();
        int64_t place = group.seen + (int64_t)(random % (uint64_t)(group.before - group.seen));

        look->left = had;
        code = fold_from(look, from, to, rollout, &group, &place);
    }
    return code;
}

/* -- what nobody needs any more -- */

struct gone {
    int64_t before;
    uint32_t key;  /* column of the key after the rollout */
    uint32_t time; /* column that tells the age */
    int ordered;   /* by age */
    uint32_t left;
    uint32_t count;
    int64_t numbers[SCATTERED];
    char texts[SCATTERED][TEXT];
};

static int take_gone(void *user_data, const canary_storage_row *row) {
    struct gone *gone = user_data;
    const canary_storage_value *key = &row->values[gone->key];

    if (row->count <= gone->time || gone->left-- == 0) {
        return 1;
    }
    if (row->values[gone->time].integer >= gone->before) {
        return gone->ordered;
    }
    gone->numbers[gone->count] = key->integer;
    if (key->type == CANARY_VALUE_TEXT) {
        canary__text_copy(gone->texts[gone->count], TEXT, key->data);
    }
    return ++gone->count == SCATTERED;
}

static int take_start(void *user_data, const canary_storage_row *row) {
    int64_t *start = user_data;

    *start = row->count > START ? row->values[START].integer : 0;
    return 1;
}

/* What is too old to be kept is told by the newest hour there is, not by this process's clock alone: one
 * that is years ahead must not take everybody's figures away. It would have to run for a week until what
 * it recorded itself becomes an hour. Figures of a rollout that nobody records any more stay. */
static int find_oldest(struct look *look, const char *rollout, int64_t *oldest) {
    const canary_storage_value key = canary__value_text(rollout);
    const canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 1, .key = &key, .descending = 1, .limit = 1
    };
    int64_t newest = INT64_MIN + CANARY__HOURS_NS;
    int code = look->store->methods.read(look->transaction, CANARY_TABLE_HOURS, &range, take_start,
                                         &newest, look->error);

    *oldest = (newest < look->now ? newest : look->now) - CANARY__HOURS_NS;
    return code;
}

static int remove_old(struct look *look, int table, const char *rollout, int64_t oldest) {
    struct gone gone = {
        .before = oldest, .key = START, .time = START, .ordered = 1, .left = look->left
    };
    int code = read_rows(look, table, rollout, NULL, take_gone, &gone);

    look->left -= gone.count < look->left ? gone.count : look->left;
    for (uint32_t i = 0; i < gone.count && code == CANARY_OK; i++) {
        code = take_away(look, table, rollout, canary__value_integer(gone.numbers[i]));
    }
    return code;
}

/* Tables whose keys say nothing of time are looked through from another place each time. */
static int remove_scattered(struct look *look, int table, const char *rollout, uint32_t time,
                            int64_t age) {
    static const char letters[] = "0123456789abcdef";
    const char place[2] = { letters[randombytes_random() % 16], '\0' };
    const canary_storage_value key = canary__value_text(rollout != NULL ? rollout : "");
    const canary_storage_value from = canary__value_text(place);
    const canary_storage_range range = { .size = (uint32_t)sizeof range,
                                         .key_count = rollout != NULL,
                                         .key = rollout != NULL ? &key : NULL,
                                         .after = randombytes_random() % 4 != 0 ? &from : NULL };
    struct gone gone = {
        .before = look->now - age, .key = rollout != NULL, .time = time, .left = SCATTERED
    };
    int code =
        look->store->methods.read(look->transaction, table, &range, take_gone, &gone, look->error);

    for (uint32_t i = 0; i < gone.count && code == CANARY_OK; i++) {
        const canary_storage_value text = canary__value_text(gone.texts[i]);
        const canary_storage_value whole[2] = { rollout != NULL ? key : text, text };

        code = remove_row(look, table, whole);
    }
    return code;
}

/* -- rollouts, one after another -- */

static int take_name(void *user_data, const canary_storage_row *row) {
    char *first = user_data;

    if (row->count > 0 && row->values[0].type == CANARY_VALUE_TEXT &&
        (first[0] == '\0' || strcmp(row->values[0].data, first) < 0)) {
        canary__text_copy(first, CANARY_NAME_MAX + 1, row->values[0].data);
    }
    return 1;
}

/* The first name after `after` in any of the tables; "" when there is none. */
static int first_after(struct look *look, const char *after, char *first) {
    const canary_storage_value from = canary__value_text(after);
    const canary_storage_range range = { .size = (uint32_t)sizeof range,
                                         .limit = 1,
                                         .after = &from };
    int code = CANARY_OK;

    first[0] = '\0';
    for (int table = CANARY_TABLE_TICKS; table <= CANARY_TABLE_HOURS && code == CANARY_OK;
         table++) {
        code = look->store->methods.read(look->transaction, table, &range, take_name, first,
                                         look->error);
    }
    return code;
}

/* The first rollout after `*rollout` that has rows; "" when there is none. A name that no rollout can
 * have, too long or with a zero in it, comes out cut short; what cannot be a name follows behind all
 * that begin so, that the same is not found for ever. */
static int next_rollout(struct look *look, char *rollout) {
    char after[CANARY_NAME_MAX + 2];
    char first[CANARY_NAME_MAX + 1];
    size_t length = strlen(rollout);
    int code = first_after(look, rollout, first);

    if (code == CANARY_OK && first[0] != '\0' && strcmp(first, rollout) <= 0) {
        memcpy(after, rollout, length);
        after[length] = length < CANARY_NAME_MAX ? '\1' : '\177';
        after[length + 1] = '\0';
        code = first_after(look, after, first);
        if (strcmp(first, rollout) <= 0) {
            first[0] = '\0';
        }
    }
    canary__text_copy(rollout, CANARY_NAME_MAX + 1, first);
    return code;
}

static int retain_rollout(struct look *look, const char *rollout) {
    int64_t oldest = 0;
    int code = find_oldest(look, rollout, &oldest);

    /* The coarse ones first: what comes into them now is not moved on at once. */
    for (int table = CANARY_TABLE_HOURS; table >= CANARY_TABLE_TICKS && code == CANARY_OK;
         table--) {
        code = remove_old(look, table, rollout, oldest);
    }
    if (code == CANARY_OK) {
        code = fold(look, CANARY_TABLE_MINUTES, CANARY_TABLE_HOURS, rollout, CANARY__MINUTES_NS,
                    CANARY__HOUR_NS);
    }
    if (code == CANARY_OK) {
        code = fold(look, CANARY_TABLE_TICKS, CANARY_TABLE_MINUTES, rollout, CANARY__TICKS_NS,
                    CANARY__MINUTE_NS);
    }
    return code == CANARY_OK
               ? remove_scattered(look, CANARY_TABLE_IMPORTS, rollout, 4, CANARY__HOURS_NS)
               : code;
}

int canary__retain_some(canary_store *measurements, int64_t now_ns, uint32_t most, char *rollout,
                        uint32_t *moved, canary_error *error) {
    const canary_storage_methods *methods = &measurements->methods;
    struct look look = { .store = measurements, .now = now_ns, .left = most, .error = error };
    char name[CANARY_NAME_MAX + 1];
    uint32_t rollouts = ROLLOUTS;
    int code;
    int ended;

    *moved = 0;
    canary__text_copy(name, sizeof name, rollout);
    canary__store_lock(measurements);
    code = methods->begin(measurements->implementation, CANARY_STORAGE_WRITE, &look.transaction,
                          error);
    if (code != CANARY_OK) {
        canary__store_unlock(measurements);
        return code;
    }
    do {
        code = next_rollout(&look, name);
        if (code == CANARY_OK && name[0] != '\0') {
            code = retain_rollout(&look, name);
        }
    } while (code == CANARY_OK && name[0] != '\0' && look.left > 0 && --rollouts > 0);
    if (code == CANARY_OK) {
        code = remove_scattered(&look, CANARY_TABLE_WRITERS, NULL, 2, WRITERS_FOR);
    }
    ended = methods->end(look.transaction, code == CANARY_OK && look.moved > 0, error);
    canary__store_unlock(measurements);
    if (code == CANARY_OK && ended == CANARY_OK) {
        canary__text_copy(rollout, CANARY_NAME_MAX + 1, name);
        *moved = look.moved;
    }
    return code != CANARY_OK ? code : ended;
}

void canary__retain(struct canary__observation *observation, canary_store *measurements) {
    struct canary__observation_page *page = observation->page;
    canary_error error = canary__fail_none;
    int64_t monotonic = page->monotonic_at;
    uint32_t moved;
    int code;

    if ((page->clock_jumps > 0 && monotonic - page->jumped_at < CALM) ||
        (page->retained && monotonic - page->retained_at < PAUSE)) {
        return;
    }
    code = canary__retain_some(measurements, page->real_at, SOME, page->rollout, &moved, &error);
    /* What is left over is for the next flush, and a store in trouble tells so there. */
    page->retained = code == CANARY_OK && moved < SOME / 2 && page->rollout[0] == '\0';
    page->retained_at = monotonic;
}
