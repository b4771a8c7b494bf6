/* SPDX-License-Identifier: MIT */
/* Pinning users. */
#include "control/overrides.h"

#include <canary/bucket.h>
#include <canary/decide.h>
#include <canary/rollout.h>

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"

enum { USER_ID_MAX = 4096 };

struct tally {
    const char *rollout;
    uint8_t digest[32];
    uint32_t news;
    uint32_t olds;
};

static int tally_row(void *user_data, const canary_storage_row *row) {
    struct tally *tally = user_data;
    int cohort;

    if (row->count < 3 || row->values[1].type != CANARY_VALUE_BLOB ||
        row->values[2].type != CANARY_VALUE_INTEGER) {
        tally->digest[0] ^= 1; /* whatever it is, it is not what was signed */
        return 0;
    }
    cohort = row->values[2].integer == CANARY_NEW ? CANARY_NEW : CANARY_OLD;
    canary__row_toggle(tally->digest, tally->rollout, row->values[1].data, row->values[1].size,
                       (int)row->values[2].integer);
    if (cohort == CANARY_NEW) {
        tally->news++;
    } else {
        tally->olds++;
    }
    return 0;
}

static int count(canary_store *store, void *transaction, const char *rollout, struct tally *tally,
                 canary_error *error) {
    canary_storage_value key = canary__value_text(rollout);
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 1, .key = &key };

    memset(tally, 0, sizeof *tally);
    tally->rollout = rollout;
    return store->methods.read(transaction, CANARY_TABLE_OVERRIDES, &range, tally_row, tally,
                               error);
}

int canary__overrides_count(struct canary__edit *edit, struct canary__rollout_row *row) {
    struct tally tally;
    int code = count(edit->store, edit->transaction, row->name, &tally, edit->error);

    if (code == CANARY_OK) {
        canary__text_hex(tally.digest, sizeof tally.digest, row->overrides_digest);
        row->overrides_new = tally.news;
        row->overrides_old = tally.olds;
    }
    return code;
}

int canary__overrides_verify(canary_store *store, void *transaction,
                             const struct canary__rollout_row *row, int *matches,
                             canary_error *error) {
    struct tally tally;
    char text[CANARY__DIGEST_TEXT];
    int code = count(store, transaction, row->name, &tally, error);

    if (code == CANARY_OK) {
        canary__text_hex(tally.digest, sizeof tally.digest, text);
        *matches = strcmp(text, row->overrides_digest) == 0 && tally.news == row->overrides_new &&
                   tally.olds == row->overrides_old;
    }
    return code;
}

/* -- changing -- */

struct pinning {
    struct canary__edit *edit;
    struct canary__rollout_row *row;
    uint8_t digest[32];
};

static int take_cohort(void *user_data, const canary_storage_row *row) {
    if (row->count >= 3 && row->values[2].type == CANARY_VALUE_INTEGER) {
        *(int *)user_data = row->values[2].integer == CANARY_NEW ? CANARY_NEW : CANARY_OLD;
    }
    return 1;
}

/* -1 in `*cohort` when the user is not pinned. */
static int look_up(struct pinning *p, const void *id, uint64_t size, int *cohort) {
    canary_storage_value key[2] = { canary__value_text(p->row->name),
                                    canary__value_blob(id, size) };
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 2, .key = key };

    *cohort = -1;
    return p->edit->store->methods.read(p->edit->transaction, CANARY_TABLE_OVERRIDES, &range,
                                        take_cohort, cohort, p->edit->error);
}

static void toggle(struct pinning *p, const void *id, uint64_t size, int cohort, uint32_t by) {
    canary__row_toggle(p->digest, p->row->name, id, size, cohort);
    if (cohort == CANARY_NEW) {
        p->row->overrides_new += by;
    } else {
        p->row->overrides_old += by;
    }
}

/* `cohort` -1 removes. */
static int pin(struct pinning *p, const void *id, uint64_t size, int cohort) {
    const canary_storage_methods *methods = &p->edit->store->methods;
    int dry = (p->edit->options.flags & CANARY_CHANGE_DRY_RUN) != 0;
    int before;
    int code = look_up(p, id, size, &before);

    if (code != CANARY_OK || before == cohort) {
        if (code == CANARY_OK && cohort < 0) {
            code = canary__fail(p->edit->error, CANARY_E_NOT_FOUND, 0,
                                "this user is not pinned in \"%s\"; `canaryctl override list` "
                                "shows who is",
                                p->row->name);
        }
        return code;
    }
    if (before >= 0) {
        toggle(p, id, size, before, UINT32_MAX); /* minus one */
    }
    if (cohort >= 0) {
        toggle(p, id, size, cohort, 1);
    }
    if (dry) {
        return CANARY_OK;
    }
    if (cohort < 0) {
        return canary__row_remove_override(methods, p->edit->transaction, p->row->name, id, size,
                                           p->edit->error);
    }
    return canary__row_write_override(methods, p->edit->transaction, p->row->name, id, size, cohort,
                                      p->edit->error);
}

static int check_ids(const void *const *ids, const uint64_t *sizes, uint64_t number,
                     canary_error *error) {
    if (ids == NULL || sizes == NULL || number == 0) {
        return canary__fail(error, CANARY_E_INVALID, 0, "overrides: no user id was given");
    }
    for (uint64_t i = 0; i < number; i++) {
        if (ids[i] == NULL || sizes[i] == 0 || sizes[i] > USER_ID_MAX) {
            return canary__fail(error, CANARY_E_INVALID, 0,
                                "overrides: user id %llu of %llu has %llu bytes; allowed are 1 to "
                                "%d",
                                (unsigned long long)i + 1, (unsigned long long)number,
                                (unsigned long long)(ids[i] == NULL ? 0 : sizes[i]), USER_ID_MAX);
        }
    }
    return CANARY_OK;
}

static const char *action_of(int cohort) {
    return cohort == CANARY_NEW   ? "override_new"
           : cohort == CANARY_OLD ? "override_old"
                                  : "override_remove";
}

/* Overrides of a row in doubt are left alone: to sign them is to sign what somebody edited. */
static int may_change(struct canary__edit *edit, const struct canary__rollout_row *row, int cohort,
                      uint64_t number) {
    int code = canary__edit_expect(edit, row);

    if (code == CANARY_OK && (cohort != CANARY_OLD || !row->intact)) {
        code = canary__edit_may_raise(edit, row);
    }
    if (code == CANARY_OK && number > UINT32_MAX - row->overrides_new - row->overrides_old) {
        code = canary__fail(edit->error, CANARY_E_INVALID, 0, "overrides: too many users");
    }
    return code;
}

static int change_pins(canary_store *store, const char *rollout, const void *const *ids,
                       const uint64_t *sizes, uint64_t number, int cohort,
                       const canary_change_options *options, canary_change *out,
                       canary_error *error) {
    struct canary__edit edit;
    struct canary__rollout_row row;
    struct canary__rollout_row before;
    struct pinning pinning = { .edit = &edit, .row = &row };
    uint32_t hash = 0;
    char counted[48];
    int code = canary__edit_admit(&edit, store, rollout, options, error);

    if (code == CANARY_OK) {
        code = check_ids(ids, sizes, number, error);
    }
    if (code == CANARY_OK) {
        code = canary__edit_start(&edit);
    }
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__edit_load(&edit, rollout, &row);
    if (code == CANARY_OK) {
        code = may_change(&edit, &row, cohort, number);
    }
    if (code == CANARY_OK) {
        before = row;
        (void)canary__row_digest_parse(row.overrides_digest, pinning.digest);
        for (uint64_t i = 0; i < number && code == CANARY_OK; i++) {
            code = pin(&pinning, ids[i], sizes[i], cohort);
        }
    }
    if (code == CANARY_OK) {
        canary__text_hex(pinning.digest, sizeof pinning.digest, row.overrides_digest);
        /* The trail cannot be erased, so it names no user: a hash for one, a count for many. */
        if (number == 1) {
            (void)canary_hash_user(row.salt, ids[0], sizes[0], &hash);
        } else if (edit.options.evidence[0] == '\0') {
            snprintf(counted, sizeof counted, "users=%llu", (unsigned long long)number);
            edit.options.evidence = counted;
        }
        code = canary__edit_write(&edit, &row, &before, action_of(cohort), "", hash);
    }
    return canary__edit_end(&edit, code, out);
}

static int check_cohort(int cohort, canary_error *error) {
    if (cohort != CANARY_OLD && cohort != CANARY_NEW) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "cohort %d: allowed are 0 (old) and 1 (new)", cohort);
    }
    return CANARY_OK;
}

int canary_override_set(canary_store *store, const char *rollout, const void *user_id,
                        uint64_t user_id_size, int cohort, const canary_change_options *options,
                        canary_change *out, canary_error *error) {
    int code = check_cohort(cohort, error);

    return code != CANARY_OK ? code
                             : change_pins(store, rollout, &user_id, &user_id_size, 1, cohort,
                                           options, out, error);
}

int canary_override_set_many(canary_store *store, const char *rollout, const void *const *user_ids,
                             const uint64_t *user_id_sizes, uint64_t number, int cohort,
                             const canary_change_options *options, canary_change *out,
                             canary_error *error) {
    int code = check_cohort(cohort, error);

    return code != CANARY_OK ? code
                             : change_pins(store, rollout, user_ids, user_id_sizes, number, cohort,
                                           options, out, error);
}

int canary_override_remove(canary_store *store, const char *rollout, const void *user_id,
                           uint64_t user_id_size, const canary_change_options *options,
                           canary_change *out, canary_error *error) {
    return change_pins(store, rollout, &user_id, &user_id_size, 1, -1, options, out, error);
}
