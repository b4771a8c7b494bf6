/* SPDX-License-Identifier: MIT */
#include "every.h"

#include <stdio.h>
#include <string.h>

/* -- the calls -- */

static int create(canary_store *store, canary_error *error) {
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "fresh", .salt = "fresh" };

    return canary_create(store, &spec, NULL, NULL, error);
}

static int advance(canary_store *store, canary_error *error) {
    return canary_advance(store, FAULT_ROLLOUT, NULL, NULL, error);
}

static int rollback_to_nothing(canary_store *store, canary_error *error) {
    return canary_rollback(store, FAULT_ROLLOUT, 0, NULL, NULL, error);
}

static int rollback_a_rung(canary_store *store, canary_error *error) {
    return canary_rollback(store, FAULT_ROLLOUT, 1, NULL, NULL, error);
}

static int stage_up(canary_store *store, canary_error *error) {
    return canary_set_stage(store, FAULT_ROLLOUT, 4, NULL, NULL, error);
}

static int stage_down(canary_store *store, canary_error *error) {
    return canary_set_stage(store, FAULT_ROLLOUT, 1, NULL, NULL, error);
}

static int percentage_up(canary_store *store, canary_error *error) {
    return canary_set_percentage(store, FAULT_ROLLOUT, 7500, "more", NULL, NULL, error);
}

static int percentage_down(canary_store *store, canary_error *error) {
    return canary_set_percentage(store, FAULT_ROLLOUT, 100, NULL, NULL, NULL, error);
}

static int emergency(canary_store *store, canary_error *error, uint32_t percentage_bp) {
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;

    options.flags = CANARY_CHANGE_EMERGENCY;
    return canary_set_percentage(store, FAULT_ROLLOUT, percentage_bp, NULL, &options, NULL, error);
}

static int emergency_down(canary_store *store, canary_error *error) {
    return emergency(store, error, 10);
}

static int emergency_up(canary_store *store, canary_error *error) {
    return emergency(store, error, 9000);
}

static int flag_off(canary_store *store, canary_error *error) {
    return canary_flag_set(store, FAULT_FLAG, 0, NULL, NULL, error);
}

static int flag_on(canary_store *store, canary_error *error) {
    return canary_flag_set(store, FAULT_FLAG, 1, NULL, NULL, error);
}

static int pin_new(canary_store *store, canary_error *error) {
    return canary_override_set(store, FAULT_ROLLOUT, "user-20", 7, CANARY_NEW, NULL, NULL, error);
}

static int pin_old(canary_store *store, canary_error *error) {
    return canary_override_set(store, FAULT_ROLLOUT, "user-1", 6, CANARY_OLD, NULL, NULL, error);
}

static int pin_many(canary_store *store, canary_error *error) {
    const void *ids[150];
    uint64_t sizes[150];

    for (int i = 0; i < 150; i++) {
        ids[i] = fault_user(i + 50);
        sizes[i] = strlen(ids[i]);
    }
    return canary_override_set_many(store, FAULT_ROLLOUT, ids, sizes, 150, CANARY_OLD, NULL, NULL,
                                    error);
}

static int unpin_new(canary_store *store, canary_error *error) {
    return canary_override_remove(store, FAULT_ROLLOUT, "user-1", 6, NULL, NULL, error);
}

static int unpin_old(canary_store *store, canary_error *error) {
    return canary_override_remove(store, FAULT_ROLLOUT, "user-5", 6, NULL, NULL, error);
}

static int accept_it(canary_store *store, canary_error *error) {
    return canary_accept(store, FAULT_ROLLOUT, NULL, NULL, error);
}

static int set_policy(canary_store *store, canary_error *error) {
    return canary_rollout_policy_set(store, FAULT_ROLLOUT, "{\"rules\": []}", 13, NULL, NULL,
                                     error);
}

/* There is none: that has to be found out, and is no answer to a failure. */
static int read_policy(canary_store *store, canary_error *error) {
    static const char digest[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    char text[64];
    canary_error own = CANARY_ERROR_INIT;
    int code = canary_rollout_policy_read(store, FAULT_ROLLOUT, digest, text, sizeof text, NULL,
                                          NULL, &own);

    if (code == CANARY_E_NOT_FOUND) {
        return CANARY_OK;
    }
    *error = own;
    return code;
}

static int note(canary_store *store, canary_error *error) {
    return canary_note(store, FAULT_ROLLOUT, "approve", NULL, NULL, error);
}

static int read_evidence(canary_store *store, canary_error *error) {
    char text[64];

    return canary_change_evidence(store, 2, text, sizeof text, NULL, error);
}

static int read_one(canary_store *store, canary_error *error) {
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };
    int code = canary_rollout_read(store, FAULT_ROLLOUT, &rollout, error);

    assert_true(code != CANARY_OK || (rollout.percentage_bp == 2500 && rollout.generation > 1));
    return code;
}

static int take_rollout(void *user_data, const canary_rollout *entry) {
    *(int *)user_data += entry->name[0] != '\0';
    return 0;
}

static int take_flag(void *user_data, const canary_flag *entry) {
    *(int *)user_data += entry->name[0] != '\0';
    return 0;
}

static int take_override(void *user_data, const void *id, uint64_t size, int cohort) {
    (void)id;
    *(int *)user_data += size > 0 && cohort <= 1;
    return 0;
}

static int take_change(void *user_data, const canary_change *entry) {
    *(int *)user_data += entry->id > 0;
    return 0;
}

/* A list is whole or it is an error. */
static int whole(int code, int found, int expected) {
    if (code == CANARY_OK) {
        assert_int_equal(found, expected);
    }
    return code;
}

static int list_rollouts(canary_store *store, canary_error *error) {
    int found = 0;
    int code = canary_rollout_list(store, take_rollout, &found, error);

    return whole(code, found, 2);
}

static int list_flags(canary_store *store, canary_error *error) {
    int found = 0;
    int code = canary_flag_list(store, take_flag, &found, error);

    return whole(code, found, 2);
}

static int list_overrides(canary_store *store, canary_error *error) {
    int found = 0;
    int code = canary_override_list(store, FAULT_ROLLOUT, take_override, &found, error);

    return whole(code, found, 8);
}

static int list_history(canary_store *store, canary_error *error) {
    int found = 0;
    int code = canary_history(store, NULL, 0, 0, take_change, &found, error);

    return whole(code, found, 16);
}

static int verify(canary_store *store, canary_error *error) {
    canary_verify_report report = { .size = (uint32_t)sizeof report };
    int code = canary_verify(store, NULL, NULL, &report, error);

    assert_int_not_equal(code, CANARY_E_TAMPERED);
    assert_true(code != CANARY_OK || report.changes == 16);
    return code;
}

static int open_another(canary_store *store, canary_error *error) {
    canary_options options = fault_options();
    canary_ctx *ctx = NULL;
    int code = canary_open_in(store, FAULT_ROLLOUT, &options, &ctx, error);

    assert_int_equal(code == CANARY_OK, ctx != NULL);
    if (ctx != NULL) {
        assert_int_equal(canary_should_use_new(ctx, fault_user(5)), CANARY_OLD);
    }
    canary_close(&ctx);
    return code;
}

/* Whether it lowers, only a look at the store tells: in effect when that look came about. */
enum { EITHER = -1 };

const struct every_call every_calls[] = {
    { "create", create, 0, 0 },
    { "advance", advance, 1, 0 },
    { "rollback to nothing", rollback_to_nothing, 1, 1 },
    { "rollback a rung", rollback_a_rung, 1, 1 },
    { "stage up", stage_up, 1, 0 },
    { "stage down", stage_down, 1, EITHER },
    { "percentage up", percentage_up, 1, 0 },
    { "percentage down", percentage_down, 1, 0 },
    { "emergency down", emergency_down, 1, 1 },
    { "emergency up", emergency_up, 1, EITHER },
    { "flag off", flag_off, 1, 0 },
    { "flag on", flag_on, 1, 0 },
    { "pin new", pin_new, 1, 0 },
    { "pin old", pin_old, 1, 0 },
    { "pin many", pin_many, 1, 0 },
    { "unpin new", unpin_new, 1, 0 },
    { "unpin old", unpin_old, 1, 0 },
    { "accept", accept_it, 1, 0 },
    { "set policy", set_policy, 1, 0 },
    { "note", note, 1, 0 },
    { "read policy", read_policy, 0, 0 },
    { "read evidence", read_evidence, 0, 0 },
    { "read", read_one, 0, 0 },
    { "list rollouts", list_rollouts, 0, 0 },
    { "list flags", list_flags, 0, 0 },
    { "list overrides", list_overrides, 0, 0 },
    { "history", list_history, 0, 0 },
    { "verify", verify, 0, 0 },
    { "open", open_another, 0, 0 },
};
const size_t every_call_count = sizeof every_calls / sizeof every_calls[0];

/* -- what must hold -- */

struct world {
    const struct every_bench *bench;
    const struct every_call *call;
    uint64_t n;
    canary_store *store;
    canary_ctx *ctx;
    uint8_t before[FAULT_USERS];
    uint8_t wanted[FAULT_USERS]; /* after the call, done */
    uint64_t revision;
    char what[160];
};

static void must(int code, const canary_error *error, const struct world *w, const char *doing) {
    if (code != CANARY_OK) {
        fail_msg("%s: %s: %s: %s", w->what, doing, canary_error_name(code), error->message);
    }
}

static uint64_t revision_of(const struct world *w) {
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };
    canary_error error = CANARY_ERROR_INIT;

    must(canary_rollout_read(w->store, FAULT_ROLLOUT, &rollout, &error), &error, w, "read");
    return rollout.revision;
}

static void begin(struct world *w) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;

    snprintf(w->what, sizeof w->what, "%s, %s, step %llu", w->bench->name, w->call->name,
             (unsigned long long)w->n);
    w->store = w->bench->open();
    must(canary_open_in(w->store, FAULT_ROLLOUT, &options, &w->ctx, &error), &error, w, "open");
    fault_decide(w->ctx, w->before);
    w->revision = revision_of(w);
}

static void finish(struct world *w) {
    canary_close(&w->ctx);
    canary_store_close(&w->store);
    if (w->bench->after != NULL) {
        w->bench->after();
    }
}

static void expect(struct world *w, canary_ctx *ctx, const uint8_t *wanted, const char *whose) {
    uint8_t got[FAULT_USERS];

    fault_decide(ctx, got);
    if (memcmp(got, wanted, FAULT_USERS) != 0) {
        fail_msg("%s: %s lets %u users in, not %u", w->what, whose, fault_count(got),
                 fault_count(wanted));
    }
}

static void expect_everywhere(struct world *w, const uint8_t *wanted) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *fresh = NULL;

    must(canary_refresh(w->store, &error), &error, w, "refresh");
    expect(w, w->ctx, wanted, "a running context");
    must(canary_open_in(w->store, FAULT_ROLLOUT, &options, &fresh, &error), &error, w, "open");
    expect(w, fresh, wanted, "a fresh context");
    canary_close(&fresh);
}

/* Nobody above what either state gives him, at no time. */
static void expect_no_more(struct world *w) {
    uint8_t most[FAULT_USERS];
    uint8_t got[FAULT_USERS];

    for (int i = 0; i < FAULT_USERS; i++) {
        most[i] = w->before[i] | w->wanted[i];
    }
    fault_decide(w->ctx, got);
    fault_never_raised(most, got, w->what);
}

static void failed(struct world *w, int code, const canary_error *error) {
    int held = w->call->lowers && error->in_effect;
    canary_error again = CANARY_ERROR_INIT;
    uint32_t findings;

    fault_named(code, error);
    if (w->bench->code != 0 && code != w->bench->code) {
        fail_msg("%s: %s (%s) instead of %s", w->what, canary_error_name(code), error->message,
                 canary_error_name(w->bench->code));
    }
    if (w->call->lowers != EITHER && (int)error->in_effect != w->call->lowers) {
        fail_msg("%s: in_effect is %u", w->what, error->in_effect);
    }
    if (held) {
        uint8_t got[FAULT_USERS];

        fault_decide(w->ctx, got);
        fault_never_raised(w->wanted, got, w->what);
    }
    assert_int_equal(canary_refresh(w->store, &again), CANARY_OK);
    if (!held) {
        expect_everywhere(w, w->before);
    } else {
        uint8_t got[FAULT_USERS];

        /* Where the target was not known everybody is held at 0 %. */
        fault_decide(w->ctx, got);
        fault_never_raised(w->wanted, got, w->what);
        fault_never_raised(w->before, got, w->what);
    }
    assert_int_equal(revision_of(w), w->revision);
    findings = fault_findings(w->store);
    if ((findings & ~(held ? 1u << CANARY_FINDING_BELL : 0)) != 0) {
        fail_msg("%s: findings 0x%x", w->what, findings);
    }
    /* Nothing stands in the way of doing it again. */
    code = w->call->run(w->store, &again);
    if (w->call->run == emergency_up && held && code == CANARY_E_REFUSED) {
        /* Nobody could tell that it was no lowering, so it waits like one. */
        must(canary_rollback(w->store, FAULT_ROLLOUT, 2, NULL, NULL, &again), &again, w, "lift");
        w->revision++;
        code = w->call->run(w->store, &again);
    }
    must(code, &again, w, "again");
}

uint64_t every_step(const struct every_bench *bench, const struct every_call *call) {
    struct world w = { .bench = bench, .call = call };
    canary_error error = CANARY_ERROR_INIT;
    uint64_t steps = 0;
    int fired;

    begin(&w);
    must(call->run(w.store, &error), &error, &w, "untouched");
    fault_decide(w.ctx, w.wanted);
    assert_int_equal(revision_of(&w), w.revision + (uint64_t)call->revisions);
    finish(&w);
    do {
        int code;

        w.n += bench->stride != 0 && w.n > 100 ? 1 + fault_below(2 * bench->stride) : 1;
        steps++;
        begin(&w);
        canary_error_init(&error, sizeof error);
        bench->arm(w.n);
        code = call->run(w.store, &error);
        fired = bench->disarm();
        expect_no_more(&w);
        if (code != CANARY_OK) {
            assert_true(fired);
            failed(&w, code, &error);
        }
        expect_everywhere(&w, w.wanted);
        assert_int_equal(revision_of(&w), w.revision + (uint64_t)call->revisions);
        if (fault_verify(w.store) != CANARY_OK) {
            fail_msg("%s: verify", w.what);
        }
        finish(&w);
    } while (fired && w.n < 100000);
    return steps - 1;
}
