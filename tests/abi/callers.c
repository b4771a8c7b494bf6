/* SPDX-License-Identifier: MIT */
/* Programs of another age: an old caller, whose structs end before today's do, and a future caller,
 * whose structs go on behind them. Every struct lies against a page that may not be touched, so one
 * byte read or written too many ends the test. */
#include <canary/canary.h>
#include <canary/storage.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ages.h"

/* Sizes of 0.1: the least that a library of any age must accept from a caller who wants a result.
 * Numbers, not sizeof: that grows with the structs, and would refuse the very callers tested. */
enum { FIRST_DECISION = 48, FIRST_CTX_INFO = 920, FIRST_ROLLOUT = 5536, FIRST_BELL_INFO = 4120 };

static canary_store *open_store(void) {
    canary_store *store = NULL;

    assert_int_equal(canary_store_open_memory(NULL, &store, NULL), 0);
    return store;
}

static canary_store *open_store_with_rollout(void) {
    canary_store *store = open_store();
    canary_rollout_spec spec = { .size = sizeof spec, .name = "checkout" };

    assert_int_equal(canary_create(store, &spec, NULL, NULL, NULL), 0);
    return store;
}

/* -- inputs -- */

static int open_memory_with(const void *options) {
    canary_store *store = NULL;
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_store_open_memory(options, &store, &error);

    if (code == 0) {
        assert_non_null(store);
        canary_store_close(&store);
    } else {
        assert_null(store);
        assert_int_equal(error.code, code);
        assert_string_not_equal(error.message, "");
    }
    return code;
}

static void options_of_every_age(void **state) {
    static const size_t ages[] = {
        offsetof(canary_options, tick_ns),     offsetof(canary_options, busy_timeout_ns),
        offsetof(canary_options, kill_switch), offsetof(canary_options, log),
        offsetof(canary_options, clock),       offsetof(canary_options, allocate),
        offsetof(canary_options, log_level),   sizeof(canary_options),
        sizeof(canary_options) + FUTURE
    };
    canary_options known = CANARY_OPTIONS_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        assert_int_equal(open_memory_with(input(&known, sizeof known, ages[i])), 0);
    }
}

static void options_of_no_age(void **state) {
    canary_options known = CANARY_OPTIONS_INIT;
    unsigned char *future = input(&known, sizeof known, sizeof known + FUTURE);
    uint32_t huge = UINT32_MAX;
    void *rubbish = exact(sizeof known);

    (void)state;
    future[sizeof known + FUTURE - 1] = 1; /* asks for something this library cannot do */
    assert_int_equal(open_memory_with(future), CANARY_E_INVALID);
    assert_int_equal(open_memory_with(too_small()), CANARY_E_INVALID);
    memcpy(rubbish, &huge, sizeof huge);
    assert_int_equal(open_memory_with(rubbish), CANARY_E_INVALID);
    memset(rubbish, 0, 4);
    assert_int_equal(open_memory_with(rubbish), CANARY_E_INVALID);
}

static void changes_of_every_age(void **state) {
    /* The fields beyond `note` say -1 for "expect nothing". Taken as zero they would mean revision
     * 0, and an old caller could never change anything. */
    static const size_t ages[] = { offsetof(canary_change_options, by),
                                   offsetof(canary_change_options, note),
                                   offsetof(canary_change_options, evidence),
                                   offsetof(canary_change_options, expected_revision),
                                   offsetof(canary_change_options, expected_stage),
                                   sizeof(canary_change_options),
                                   sizeof(canary_change_options) + FUTURE };
    canary_store *store = open_store_with_rollout();
    canary_change_options known = CANARY_CHANGE_OPTIONS_INIT;

    (void)state;
    known.by = "alice";
    known.note = "a note";
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        canary_change change = { .size = sizeof change };
        uint32_t percentage = (uint32_t)(i + 1) * 100;

        assert_int_equal(canary_set_percentage(store, "checkout", percentage, NULL,
                                               input(&known, sizeof known, ages[i]), &change, NULL),
                         0);
        assert_int_equal(change.to_percentage_bp, percentage);
        assert_string_equal(change.by,
                            ages[i] > offsetof(canary_change_options, by) ? "alice" : "unknown");
        assert_string_equal(change.note,
                            ages[i] > offsetof(canary_change_options, note) ? "a note" : "");
    }
    canary_store_close(&store);
}

static void changes_of_no_age(void **state) {
    canary_store *store = open_store_with_rollout();
    canary_change_options known = CANARY_CHANGE_OPTIONS_INIT;
    unsigned char *future = input(&known, sizeof known, sizeof known + FUTURE);

    (void)state;
    future[sizeof known] = 1;
    assert_int_equal(canary_advance(store, "checkout", (void *)future, NULL, NULL),
                     CANARY_E_INVALID);
    assert_int_equal(canary_advance(store, "checkout", too_small(), NULL, NULL), CANARY_E_INVALID);
    canary_store_close(&store);
}

static void specs_of_every_age(void **state) {
    static const size_t ages[] = {
        offsetof(canary_rollout_spec, stages_bp), offsetof(canary_rollout_spec, stage_names),
        offsetof(canary_rollout_spec, dwell_ns),  offsetof(canary_rollout_spec, salt),
        offsetof(canary_rollout_spec, flag),      sizeof(canary_rollout_spec),
        sizeof(canary_rollout_spec) + FUTURE
    };
    canary_rollout_spec known = { .size = sizeof known, .name = "checkout", .salt = "s" };

    (void)state;
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        canary_store *store = open_store();
        canary_rollout rollout = { .size = sizeof rollout };

        assert_int_equal(
            canary_create(store, input(&known, sizeof known, ages[i]), NULL, NULL, NULL), 0);
        assert_int_equal(canary_rollout_read(store, "checkout", &rollout, NULL), 0);
        assert_int_equal(rollout.stage_count, 5);
        assert_string_equal(rollout.salt, ages[i] > offsetof(canary_rollout_spec, salt) ? "s" : "");
        assert_string_equal(rollout.flag, "checkout");
        canary_store_close(&store);
    }
}

static void specs_of_no_age(void **state) {
    canary_store *store = open_store();
    canary_rollout_spec known = { .size = sizeof known, .name = "checkout" };
    unsigned char *future = input(&known, sizeof known, sizeof known + FUTURE);

    (void)state;
    future[sizeof known + 7] = 1;
    assert_int_equal(canary_create(store, (void *)future, NULL, NULL, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_create(store, input(&known, sizeof known, 8), NULL, NULL, NULL),
                     CANARY_E_INVALID); /* no name in it */
    canary_store_close(&store);
}

/* -- results -- */

static void errors_of_every_age(void **state) {
    static const size_t ages[] = { 8, offsetof(canary_error, message), sizeof(canary_error),
                                   sizeof(canary_error) + FUTURE };
    canary_store *store = open_store();
    canary_error reference = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(canary_open_in(store, "none", NULL, &ctx, &reference), CANARY_E_NOT_FOUND);
    assert_int_equal(reference.code, CANARY_E_NOT_FOUND);
    assert_string_not_equal(reference.message, "");
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        canary_error *error = exact(ages[i]);

        canary_error_init(error, (uint32_t)ages[i]);
        assert_int_equal(canary_open_in(store, "none", NULL, &ctx, error), CANARY_E_NOT_FOUND);
        assert_filled_like(error, ages[i], &reference, sizeof reference);
    }
    canary_store_close(&store);
}

static void a_cut_message_ends(void **state) {
    size_t size = offsetof(canary_error, message) + 16;
    canary_store *store = open_store();
    canary_error *error = result(size);
    canary_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(canary_open_in(store, "none", NULL, &ctx, error), CANARY_E_NOT_FOUND);
    assert_true(strnlen(error->message, 16) < 16);
    canary_store_close(&store);
}

static void decisions_of_every_age(void **state) {
    static const size_t ages[] = { FIRST_DECISION, sizeof(canary_decision),
                                   sizeof(canary_decision) + FUTURE };
    canary_store *store = open_store_with_rollout();
    canary_ctx *ctx = NULL;
    canary_decision now = CANARY_DECISION_INIT;

    (void)state;
    assert_int_equal(canary_open_in(store, "checkout", NULL, &ctx, NULL), 0);
    assert_int_equal(canary_explain(ctx, "alice", 5, &now), 0);
    assert_int_equal(now.bucket, 178);
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        canary_decision *other = result(ages[i]);

        assert_int_equal(canary_explain(ctx, "alice", 5, other), 0);
        now.age_ns = other->age_ns; /* time went on */
        assert_filled_like(other, ages[i], &now, sizeof now);
    }
    assert_int_equal(canary_explain(ctx, "alice", 5, result(FIRST_DECISION - 8)), CANARY_E_INVALID);
    canary_close(&ctx);
    canary_store_close(&store);
}

static void infos_of_every_age(void **state) {
    static const size_t ages[] = { FIRST_CTX_INFO, sizeof(canary_ctx_info),
                                   sizeof(canary_ctx_info) + FUTURE };
    canary_store *store = open_store_with_rollout();
    canary_ctx *ctx = NULL;
    canary_ctx_info now = CANARY_CTX_INFO_INIT;

    (void)state;
    assert_int_equal(canary_open_in(store, "checkout", NULL, &ctx, NULL), 0);
    assert_int_equal(canary_info(ctx, &now), 0);
    assert_string_equal(now.rollout, "checkout");
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        canary_ctx_info *other = result(ages[i]);

        assert_int_equal(canary_info(ctx, other), 0);
        now.age_ns = other->age_ns;
        assert_filled_like(other, ages[i], &now, sizeof now);
    }
    assert_int_equal(canary_info(ctx, result(FIRST_CTX_INFO - 8)), CANARY_E_INVALID);
    canary_close(&ctx);
    canary_store_close(&store);
}

static void change_results_of_every_age(void **state) {
    static const size_t ages[] = { offsetof(canary_change, id), offsetof(canary_change, rollout),
                                   offsetof(canary_change, hash), sizeof(canary_change) + FUTURE };
    canary_store *store = open_store_with_rollout();

    (void)state;
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        canary_change *other = result(ages[i]);
        canary_change now = { .size = sizeof now };
        canary_change_options dry = CANARY_CHANGE_OPTIONS_INIT;

        /* Two dry runs from one state differ in nothing but their moment. */
        dry.flags = CANARY_CHANGE_DRY_RUN;
        assert_int_equal(canary_advance(store, "checkout", &dry, &now, NULL), 0);
        assert_int_equal(now.to_percentage_bp, 500);
        assert_int_equal(canary_advance(store, "checkout", &dry, other, NULL), 0);
        if (ages[i] > offsetof(canary_change, at_ns)) {
            now.at_ns = other->at_ns;
        }
        assert_filled_like(other, ages[i], &now, sizeof now);
    }
    canary_store_close(&store);
}

static void rollouts_of_every_age(void **state) {
    static const size_t ages[] = { FIRST_ROLLOUT, sizeof(canary_rollout),
                                   sizeof(canary_rollout) + FUTURE };
    canary_store *store = open_store_with_rollout();
    canary_rollout now = { .size = sizeof now };

    (void)state;
    assert_int_equal(canary_rollout_read(store, "checkout", &now, NULL), 0);
    assert_string_equal(now.name, "checkout");
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        void *other = result(ages[i]);

        assert_int_equal(canary_rollout_read(store, "checkout", other, NULL), 0);
        assert_filled_like(other, ages[i], &now, sizeof now);
    }
    assert_int_equal(canary_rollout_read(store, "checkout", result(FIRST_ROLLOUT - 8), NULL),
                     CANARY_E_INVALID);
    canary_store_close(&store);
}

static void reports_of_every_age(void **state) {
    static const size_t ages[] = { offsetof(canary_verify_report, changes),
                                   offsetof(canary_verify_report, rollouts),
                                   sizeof(canary_verify_report) + FUTURE };
    canary_store *store = open_store_with_rollout();
    canary_verify_report now = { .size = sizeof now };

    (void)state;
    assert_int_equal(canary_verify(store, NULL, NULL, &now, NULL), 0);
    assert_int_equal(now.changes, 1);
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        void *other = result(ages[i]);

        assert_int_equal(canary_verify(store, NULL, NULL, other, NULL), 0);
        assert_filled_like(other, ages[i], &now, sizeof now);
    }
    canary_store_close(&store);
}

static void bells_of_every_age(void **state) {
    static const size_t ages[] = { FIRST_BELL_INFO, sizeof(canary_bell_info),
                                   sizeof(canary_bell_info) + FUTURE };
    canary_store *store = open_store_with_rollout();
    canary_bell_info *now = result(sizeof *now);

    (void)state;
    assert_int_equal(canary_bell_check(store, now, NULL), 0);
    assert_string_equal(now->path, ""); /* a store in memory has none */
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        void *other = result(ages[i]);

        assert_int_equal(canary_bell_check(store, other, NULL), 0);
        assert_filled_like(other, ages[i], now, sizeof *now);
    }
    canary_store_close(&store);
}

/* -- initialisers -- */

static void initialisers_of_every_age(void **state) {
    static const size_t ages[] = { 8, 16, 32, 256 };

    (void)state;
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        canary_options zero = { 0 };
        canary_options *options = exact(ages[i]);
        canary_change_options *change = exact(ages[i]);
        canary_error *error = exact(ages[i]);

        canary_options_init(options, (uint32_t)ages[i]);
        assert_filled_like(options, ages[i], &zero, sizeof zero);
        canary_error_init(error, (uint32_t)ages[i]);
        assert_int_equal(error->size, ages[i]);
        assert_int_equal(error->code, 0);
        canary_change_options_init(change, (uint32_t)ages[i]);
        assert_int_equal(change->size, ages[i]);
        assert_int_equal(change->flags, 0);
    }
    canary_options_init(NULL, 8);
    canary_change_options_init(NULL, 8);
    canary_error_init(NULL, 8);
}

/* -- a store's methods -- */

static int empty_begin(void *store, int mode, void **transaction, canary_error *error) {
    (void)mode, (void)error;
    *transaction = store;
    return 0;
}

static int empty_read(void *transaction, int table, const canary_storage_range *range,
                      canary_storage_sink sink, void *user_data, canary_error *error) {
    (void)transaction, (void)table, (void)range, (void)sink, (void)user_data, (void)error;
    return 0;
}

static int empty_write(void *transaction, const canary_storage_row *row, canary_error *error) {
    (void)transaction, (void)row;
    return canary_storage_fail(error, CANARY_E_READ_ONLY, 0, "an empty store stays empty");
}

static int empty_remove(void *transaction, int table, const canary_storage_value *key,
                        canary_error *error) {
    (void)transaction, (void)table, (void)key;
    return canary_storage_fail(error, CANARY_E_NOT_FOUND, 0, "an empty store has no row");
}

static int empty_end(void *transaction, int commit, canary_error *error) {
    (void)transaction, (void)commit, (void)error;
    return 0;
}

static void empty_close(void *store) {
    (void)store;
}

static int open_custom_with(const void *methods) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    static int implementation;
    int code;

    options.flags = CANARY_OPEN_NO_WATCHER;
    code = canary_store_open_custom(methods, &implementation, &options, &store, NULL);
    canary_store_close(&store);
    return code;
}

static void methods_of_every_age(void **state) {
    canary_storage_methods known = { .size = sizeof known,
                                     .version = CANARY_STORAGE_VERSION,
                                     .name = "empty",
                                     .begin = empty_begin,
                                     .read = empty_read,
                                     .write = empty_write,
                                     .remove = empty_remove,
                                     .end = empty_end,
                                     .close = empty_close };
    size_t required = offsetof(canary_storage_methods, token);
    unsigned char *future = input(&known, sizeof known, sizeof known + FUTURE);

    (void)state;
    assert_int_equal(open_custom_with(input(&known, sizeof known, required)), 0);
    assert_int_equal(open_custom_with(input(&known, sizeof known, required + 8)), 0);
    assert_int_equal(open_custom_with(input(&known, sizeof known, sizeof known)), 0);
    /* A later release may only add optional operations: not calling them is right. */
    memset(future + sizeof known, 1, FUTURE);
    assert_int_equal(open_custom_with(future), 0);
    assert_int_equal(open_custom_with(input(&known, sizeof known, required - 8)), CANARY_E_INVALID);
    known.version++;
    assert_int_equal(open_custom_with(input(&known, sizeof known, sizeof known)),
                     CANARY_E_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_every_age),        cmocka_unit_test(options_of_no_age),
        cmocka_unit_test(changes_of_every_age),        cmocka_unit_test(changes_of_no_age),
        cmocka_unit_test(specs_of_every_age),          cmocka_unit_test(specs_of_no_age),
        cmocka_unit_test(errors_of_every_age),         cmocka_unit_test(a_cut_message_ends),
        cmocka_unit_test(decisions_of_every_age),      cmocka_unit_test(infos_of_every_age),
        cmocka_unit_test(change_results_of_every_age), cmocka_unit_test(rollouts_of_every_age),
        cmocka_unit_test(reports_of_every_age),        cmocka_unit_test(bells_of_every_age),
        cmocka_unit_test(initialisers_of_every_age),   cmocka_unit_test(methods_of_every_age),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
