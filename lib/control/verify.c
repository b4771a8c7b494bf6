/* SPDX-License-Identifier: MIT */
/* Proving the store: the trail against itself, and every row against the trail. */
#include <canary/audit.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/evidence.h"
#include "control/overrides.h"
#include "control/row_values.h"
#include "control/rows.h"

enum { CHUNK = 1000 };
#define MINUTE_NS INT64_C(60000000000)

/* What the trail says last of one rollout, or of one flag. */
struct last {
    char name[CANARY_NAME_MAX + 1];
    int is_flag;
    int seen;     /* there is a row for it, or its absence was told */
    int switched; /* the trail says so: `enabled` counts */
    int enabled;
    uint64_t revision;
    uint32_t to_bp;
    int32_t to_stage;
    int policy_known; /* no accept came since: `policy` counts */
    char policy[CANARY__DIGEST_TEXT];
};

struct verification {
    canary_store *store;
    void *transaction;
    struct canary__rows findings;
    struct canary__rows lasts;
    canary_verify_report report;
    uint64_t next_id;
    int64_t at_ns;
    char previous[72];
    uint32_t read;
    int code;
    canary_error error;
};

static __attribute__((format(printf, 7, 8))) void find(struct verification *v, int kind,
                                                       uint64_t id, const char *rollout,
                                                       const char *flag, const char *next,
                                                       const char *format, ...) {
    canary_finding finding = { .size = (uint32_t)sizeof finding, .kind = kind, .change_id = id };
    va_list arguments;

    canary__text_copy(finding.rollout, sizeof finding.rollout, rollout);
    canary__text_copy(finding.flag, sizeof finding.flag, flag);
    canary__text_copy(finding.next, sizeof finding.next, next);
    va_start(arguments, format);
    vsnprintf(finding.message, sizeof finding.message, format, arguments);
    va_end(arguments);
    canary__text_clean(finding.message);
    canary__text_clean(finding.next);
    v->report.findings++;
    (void)canary__rows_add(&v->findings, &finding, sizeof finding);
}

/* -- the trail -- */

static struct last *last_of(struct verification *v, const char *name, int is_flag) {
    struct last fresh = { .is_flag = is_flag };

    for (size_t at = 0; at < v->lasts.used; at += sizeof(struct last)) {
        struct last *last = (struct last *)(void *)(v->lasts.bytes + at);

        if (last->is_flag == is_flag && strcmp(last->name, name) == 0) {
            return last;
        }
    }
    canary__text_copy(fresh.name, sizeof fresh.name, name);
    if (canary__rows_add(&v->lasts, &fresh, sizeof fresh) != 0) {
        return NULL;
    }
    return (struct last *)(void *)(v->lasts.bytes + v->lasts.used - sizeof fresh);
}

static void note_policy(struct last *last, const canary_change *c,
                        const canary_storage_value *evidence) {
    if (strcmp(c->action, "policy") == 0) {
        last->policy_known = 1;
        last->policy[0] = '\0';
        if (evidence != NULL && evidence->size > 0) {
            canary__row_text_digest(evidence->data, (size_t)evidence->size, last->policy);
        }
    } else if (strcmp(c->action, "create") == 0) {
        last->policy_known = 1;
    } else if (strcmp(c->action, "accept") == 0) {
        last->policy_known = 0;
    }
}

static void note_last(struct verification *v, const canary_change *c,
                      const canary_storage_value *evidence) {
    struct last *last;

    if (c->rollout[0] != '\0' && (last = last_of(v, c->rollout, 0)) != NULL) {
        last->revision = c->revision;
        last->to_bp = c->to_percentage_bp;
        last->to_stage = c->to_stage;
        note_policy(last, c, evidence);
    }
    if (strncmp(c->action, "flag_", 5) == 0 && (last = last_of(v, c->flag, 1)) != NULL) {
        last->switched = 1;
        last->enabled = strcmp(c->action, "flag_on") == 0;
    }
    /* An accept signs the flag as it stands, on or off. */
    if (strcmp(c->action, "accept") == 0 && (last = last_of(v, c->flag, 1)) != NULL) {
        last->switched = 0;
    }
}

static const char restore[] = "compare with a backup; the trail itself cannot be mended";

static int check_change(void *user_data, const canary_storage_row *stored) {
    struct verification *v = user_data;
    struct canary__change_row row;
    const canary_change *c = &row.public;

    canary__row_get_change(stored, &row);
    v->read++;
    v->report.changes++;
    if (c->id != v->next_id) {
        find(v, CANARY_FINDING_GAP, v->next_id, c->rollout, "", restore,
             "changes %llu to %llu are missing", (unsigned long long)v->next_id,
             (unsigned long long)c->id - 1);
    } else if (strcmp(c->previous_hash, v->previous) != 0) {
        find(v, CANARY_FINDING_LINK, c->id, c->rollout, "", restore,
             "change %llu follows %.12s..., but the change before it is %.12s...",
             (unsigned long long)c->id, c->previous_hash, v->previous);
    }
    if (!row.intact) {
        find(v, CANARY_FINDING_HASH, c->id, c->rollout, "", restore,
             "change %llu (%s of \"%s\") was edited: its content does not match its hash",
             (unsigned long long)c->id, c->action, c->rollout);
    }
    /* As unsigned numbers: an edited row may hold any time, and the difference must not overflow. */
    if (c->at_ns < v->at_ns && (uint64_t)v->at_ns - (uint64_t)c->at_ns > (uint64_t)MINUTE_NS) {
        find(v, CANARY_FINDING_TIME, c->id, c->rollout, "",
             "check the clock of the machine it was made on",
             "change %llu is dated %llu s before the change it follows", (unsigned long long)c->id,
             (unsigned long long)(((uint64_t)v->at_ns - (uint64_t)c->at_ns) / 1000000000));
    }
    note_last(v, c, canary__evidence_of(stored));
    v->next_id = c->id + 1;
    v->at_ns = c->at_ns;
    canary__text_copy(v->previous, sizeof v->previous, c->hash);
    return 0;
}

/* -- the rows -- */

static void next_accept(char *out, size_t size, const char *rollout) {
    snprintf(out, size, "look at it, then `canaryctl accept --rollout %s`", rollout);
}

static void check_rollout(struct verification *v, const char *name) {
    struct canary__rollout_row row;
    struct canary__flag_row flag;
    struct last *last;
    char next[240];
    int matches = 1;

    v->code = canary__row_read_rollout(&v->store->methods, v->transaction, name, &row, &v->error);
    if (v->code != CANARY_OK) {
        return;
    }
    v->report.rollouts++;
    next_accept(next, sizeof next, name);
    last = last_of(v, name, 0);
    if (last == NULL) {
        return;
    }
    last->seen = 1;
    if (!row.intact) {
        find(v, CANARY_FINDING_ROLLOUT, 0, name, "", next,
             "rollout \"%s\" was changed outside, its row is not the signed one: it stands at "
             "%u.%02u %%, the trail says %u.%02u %% at revision %llu",
             name, row.percentage_bp / 100, row.percentage_bp % 100, last->to_bp / 100,
             last->to_bp % 100, (unsigned long long)last->revision);
    } else if (last->revision != row.revision || last->to_bp != row.percentage_bp ||
               last->to_stage != row.stage) {
        find(v, CANARY_FINDING_HEAD, 0, name, "", next,
             "rollout \"%s\" is at revision %llu, %u.%02u %%, but its last change is revision "
             "%llu, %u.%02u %%: rows of the trail were cut off, or an old row put back",
             name, (unsigned long long)row.revision, row.percentage_bp / 100,
             row.percentage_bp % 100, (unsigned long long)last->revision, last->to_bp / 100,
             last->to_bp % 100);
    } else if (last->policy_known && strcmp(last->policy, row.policy) != 0) {
        find(v, CANARY_FINDING_HEAD, 0, name, "", next,
             "rollout \"%s\" names the policy %.12s..., but the trail last set %.12s...", name,
             row.policy[0] != '\0' ? row.policy : "none",
             last->policy[0] != '\0' ? last->policy : "none");
    }
    v->code = canary__overrides_verify(v->store, v->transaction, &row, &matches, &v->error);
    if (v->code == CANARY_OK && !matches) {
        find(v, CANARY_FINDING_OVERRIDES, 0, name, "", next,
             "overrides of \"%s\" were changed outside: they do not match their digest", name);
    }
    if (v->code == CANARY_OK) {
        v->code =
            canary__row_read_flag(&v->store->methods, v->transaction, row.flag, &flag, &v->error);
    }
    if (v->code == CANARY_OK && !flag.present) {
        find(v, CANARY_FINDING_FLAG, 0, name, row.flag, next,
             "flag \"%s\" of \"%s\" is missing, which counts as off", row.flag, name);
        last = last_of(v, row.flag, 1);
        if (last != NULL) {
            last->seen = 1;
        }
    }
}

static int gather_rollout(void *user_data, const canary_storage_row *stored) {
    struct canary__rollout_row row;

    canary__row_get_rollout(stored, &row);
    return canary__rows_add(user_data, row.name, sizeof row.name);
}

static int check_flag(void *user_data, const canary_storage_row *stored) {
    struct verification *v = user_data;
    struct canary__flag_row flag;
    struct last *last;
    char next[240];

    canary__row_get_flag(stored, NULL, &flag);
    v->report.flags++;
    last = last_of(v, flag.name, 1);
    if (last != NULL) {
        last->seen = 1;
    }
    snprintf(next, sizeof next, "say what it shall be: `canaryctl flag on %.128s`, or off",
             flag.name);
    if (!flag.intact) {
        find(v, CANARY_FINDING_FLAG, 0, "", flag.name, next,
             "flag \"%s\" was changed outside: it is %s now", flag.name,
             flag.enabled ? "on" : "off");
        return 0;
    }
    /* A flag that was never switched has no row of its own in the trail: it is on since its making,
     * or signed as off by an accept. */
    if (last != NULL && last->switched && last->enabled != flag.enabled) {
        find(v, CANARY_FINDING_FLAG, 0, "", flag.name, next,
             "flag \"%s\" is %s, but the trail last switched it %s", flag.name,
             flag.enabled ? "on" : "off", last->enabled ? "on" : "off");
    }
    return 0;
}

/* Nothing in the trail is ever removed by libcanary: what it names must still be there. */
static void check_missing(struct verification *v) {
    for (size_t at = 0; at < v->lasts.used; at += sizeof(struct last)) {
        struct last last;

        memcpy(&last, v->lasts.bytes + at, sizeof last);
        if (last.seen) {
            continue;
        }
        if (last.is_flag) {
            find(v, CANARY_FINDING_FLAG, 0, "", last.name,
                 "switch it as it shall be: `canaryctl flag on NAME`, or off",
                 "flag \"%s\" is in the trail and missing from the store", last.name);
        } else {
            find(v, CANARY_FINDING_ROLLOUT, 0, last.name, "", "put its rows back from a backup",
                 "rollout \"%s\" is in the trail and missing from the store, last at %u.%02u %%",
                 last.name, last.to_bp / 100, last.to_bp % 100);
        }
    }
}

static void check_rows(struct verification *v) {
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    struct canary__rows names = { .hooks = &v->store->hooks };

    v->code = v->store->methods.read(v->transaction, CANARY_TABLE_ROLLOUTS, &all, gather_rollout,
                                     &names, &v->error);
    for (size_t at = 0; at < names.used && v->code == CANARY_OK; at += CANARY_NAME_MAX + 1) {
        check_rollout(v, (const char *)names.bytes + at);
    }
    v->lasts.out_of_memory |= names.out_of_memory;
    canary__rows_free(&names);
    if (v->code == CANARY_OK) {
        v->code = v->store->methods.read(v->transaction, CANARY_TABLE_FLAGS, &all, check_flag, v,
                                         &v->error);
    }
    if (v->code == CANARY_OK) {
        check_missing(v);
    }
}

static void check_bell(struct verification *v) {
    const struct canary__bell_image *image = &v->store->image;

    canary__bell_read(&v->store->bell, 1, &v->store->image);
    if (image->damaged > 0) {
        find(v, CANARY_FINDING_BELL, 0, "", "", "`canaryctl accept` with any rollout mends it",
             "the bell is damaged (%u entries): everybody gets `old` until it is mended",
             image->damaged);
    }
    if (image->pending > 0) {
        find(v, CANARY_FINDING_BELL, 0, "", "", "run `canaryctl rollback` once more to record it",
             "%u rollbacks were rung and are not recorded", image->pending);
    }
}

static int complain(void *user_data, const char *message) {
    struct verification *v = user_data;

    find(v, CANARY_FINDING_STORE, 0, "", "",
         "restore the file from a backup, or copy what can be read: `sqlite3 FILE .recover`",
         "%.400s", message);
    return 0;
}

/* One chunk of the trail; with the last one, in the same transaction, everything it is held
 * against. */
static int check_chunk(struct verification *v, int *done, canary_error *error) {
    canary_storage_value after = canary__value_integer((int64_t)v->next_id - 1);
    canary_storage_range range = { .size = (uint32_t)sizeof range,
                                   .limit = CHUNK,
                                   .after = v->next_id > 1 ? &after : NULL };

    v->code = canary__rows_begin(v->store, NULL, &v->transaction, &v->error);
    if (v->code != CANARY_OK) {
        canary__fail_copy(error, &v->error);
        return v->code;
    }
    v->read = 0;
    v->code = v->store->methods.read(v->transaction, CANARY_TABLE_CHANGES, &range, check_change, v,
                                     &v->error);
    *done = v->read < CHUNK;
    if (v->code == CANARY_OK && *done) {
        check_rows(v);
        check_bell(v);
    }
    if (v->code == CANARY_OK && (v->findings.out_of_memory || v->lasts.out_of_memory)) {
        v->code = canary__fail(&v->error, CANARY_E_NOMEM, 0, "out of memory while verifying");
    }
    v->code = canary__rows_end(v->store, v->transaction, v->code, &v->error);
    if (v->code != CANARY_OK) {
        canary__fail_copy(error, &v->error);
    }
    return v->code;
}

static int check_store(struct verification *v, canary_error *error) {
    int code = CANARY_OK;

    if (v->store->methods.check != NULL) {
        canary__store_lock(v->store);
        code = v->store->methods.check(v->store->implementation, complain, v, error);
        canary__store_unlock(v->store);
    }
    return code;
}

int canary_verify(canary_store *store, canary_finding_fn callback, void *user_data,
                  canary_verify_report *out, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct verification v = {
        .store = store, .next_id = 1, .at_ns = INT64_MIN, .error = canary__fail_none
    };
    int done = 0;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (store == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_verify: store is NULL");
    }
    memset(v.previous, '0', 64);
    v.report.size = (uint32_t)sizeof v.report;
    v.findings.hooks = &store->hooks;
    v.lasts.hooks = &store->hooks;
    do {
        code = check_chunk(&v, &done, error);
    } while (code == CANARY_OK && !done);
    if (code == CANARY_OK) {
        code = check_store(&v, error);
    }
    canary__text_copy(v.report.head_hash, sizeof v.report.head_hash, v.previous);
    for (size_t at = 0; callback != NULL && code == CANARY_OK && at < v.findings.used;
         at += sizeof(canary_finding)) {
        if (callback(user_data, (const canary_finding *)(void *)(v.findings.bytes + at)) != 0) {
            break;
        }
    }
    canary__rows_free(&v.findings);
    canary__rows_free(&v.lasts);
    if (code == CANARY_OK && out != NULL) {
        canary__sized_out(out, &v.report, sizeof v.report);
    }
    if (code == CANARY_OK && v.report.findings > 0) {
        code = canary__fail(error, CANARY_E_TAMPERED, 0, "%u findings in %llu changes",
                            v.report.findings, (unsigned long long)v.report.changes);
    }
    return code;
}
