/* SPDX-License-Identifier: MIT */
/* Texts and ids that end where the memory ends: no call reads a byte beyond. And what callers hand
 * in as sizes: nothing, one, too much. */
#include "fault.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static canary_store *store;
static canary_ctx *ctx;
static char *edge; /* the first byte that must not be read */

/* `size` bytes of `fill`, the last of them in front of the edge. */
static void *before_edge(size_t size, int fill) {
    return memset(edge - size, fill, size);
}

/* A text of `length` bytes whose end is the last byte of the page. */
static const char *text(size_t length, int fill) {
    char *start = before_edge(length + 1, fill);

    start[length] = '\0';
    return start;
}

static int setup(void **unused) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    canary_options options = fault_options();
    char *pages;

    (void)unused;
    pages = mmap(NULL, 33 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    edge = pages + 32 * page;
    assert_int_equal(mprotect(edge, page, PROT_NONE), 0);
    assert_int_equal(canary_store_open_memory(&options, &store, NULL), CANARY_OK);
    fault_fill(store);
    assert_int_equal(canary_open_in(store, FAULT_ROLLOUT, &options, &ctx, NULL), CANARY_OK);
    return 0;
}

static int teardown(void **unused) {
    (void)unused;
    canary_close(&ctx);
    canary_store_close(&store);
    return 0;
}

static void refused(int code, const canary_error *error, int expected) {
    if (code != expected) {
        fail_msg("%s: %s", canary_error_name(code), error->message);
    }
    fault_named(code, error);
}

static void test_names_at_the_edge(void **unused) {
    static const size_t lengths[] = { 0, 1, 7, 127, 128, 129, 140, 141, 200, 5000 };

    (void)unused;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const char *name = text(lengths[i], 'n');
        int allowed = lengths[i] >= 1 && lengths[i] <= 128;
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *opened = NULL;
        canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = name };
        int code = canary_create(store, &spec, NULL, NULL, &error);

        if (allowed) {
            assert_int_equal(code, CANARY_OK);
            assert_int_equal(canary_open_in(store, name, NULL, &opened, &error), CANARY_OK);
            canary_close(&opened);
            continue;
        }
        refused(code, &error, CANARY_E_INVALID);
        refused(canary_open_in(store, name, NULL, &opened, &error), &error, CANARY_E_INVALID);
        assert_null(opened);
        refused(canary_rollback(store, name, 0, NULL, NULL, &error), &error, CANARY_E_INVALID);
        refused(canary_flag_set(store, name, 0, NULL, NULL, &error), &error, CANARY_E_INVALID);
        refused(canary_accept(store, name, NULL, NULL, &error), &error, CANARY_E_INVALID);
    }
}

static void test_texts_at_the_edge(void **unused) {
    static const size_t lengths[] = { 0, 1, 255, 256, 1023, 1024, 65536, 65537 };
    /* Whole; the first byte of two, of three and of four, with nothing behind. */
    static const int lasts[] = { 'x', 0xc3, 0xe4, 0xf0 };

    (void)unused;
    for (size_t i = 0; i < 4 * sizeof lengths / sizeof lengths[0]; i++) {
        size_t length = lengths[i / 4];
        char *words = (char *)(uintptr_t)text(length, 'x');
        int whole = i % 4 == 0 || length == 0;

        for (int field = 0; field < 3; field++) {
            static const size_t most[] = { 255, 1023, 65536 };
            canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
            canary_error error = CANARY_ERROR_INIT;
            int code;

            if (!whole) {
                words[length - 1] = (char)lasts[i % 4];
            }
            options.by = field == 0 ? words : NULL;
            options.note = field == 1 ? words : NULL;
            options.evidence = field == 2 ? words : NULL;
            options.flags = CANARY_CHANGE_DRY_RUN;
            code = canary_rollback(store, FAULT_ROLLOUT, 0, &options, NULL, &error);
            if (whole && length <= most[field]) {
                assert_int_equal(code, CANARY_OK);
            } else {
                refused(code, &error, CANARY_E_INVALID);
            }
        }
    }
}

static void test_ids_at_the_edge(void **unused) {
    (void)unused;
    for (size_t size = 0; size < 300; size++) {
        const void *id = before_edge(size, (int)size);
        canary_user user = { id, size };
        canary_decision decision = CANARY_DECISION_INIT;
        uint8_t cohort = 9;
        int answer = canary_should_use_new_n(ctx, id, size);

        assert_int_equal(canary_explain(ctx, id, size, &decision), CANARY_OK);
        assert_int_equal(decision.cohort, answer);
        assert_int_equal(canary_decide_many(ctx, &user, 1, &cohort), (uint64_t)answer);
        assert_int_equal(cohort, answer);
        assert_true(size > 0 || answer == CANARY_OLD);
    }
    for (size_t length = 0; length < 300; length++) {
        const char *id = text(length, 'u');

        assert_int_equal(canary_should_use_new(ctx, id), canary_should_use_new_n(ctx, id, length));
    }
}

static void test_sizes_of_ids(void **unused) {
    static const uint64_t sizes[] = { 0, 4097, UINT32_MAX, UINT64_C(1) << 40, UINT64_MAX };
    canary_error error = CANARY_ERROR_INIT;
    const void *id = before_edge(1, 'i');

    (void)unused;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        refused(
            canary_override_set(store, FAULT_ROLLOUT, id, sizes[i], CANARY_NEW, NULL, NULL, &error),
            &error, CANARY_E_INVALID);
        refused(canary_override_set_many(store, FAULT_ROLLOUT, &id, &sizes[i], 1, CANARY_OLD, NULL,
                                         NULL, &error),
                &error, CANARY_E_INVALID);
        refused(canary_override_remove(store, FAULT_ROLLOUT, id, sizes[i], NULL, NULL, &error),
                &error, CANARY_E_INVALID);
    }
    assert_int_equal(canary_override_set(store, FAULT_ROLLOUT, before_edge(4096, 'i'), 4096,
                                         CANARY_OLD, NULL, NULL, &error),
                     CANARY_OK);
    assert_int_equal(canary_should_use_new_n(ctx, before_edge(4096, 'i'), 4096), CANARY_OLD);
}

static void test_numbers(void **unused) {
    static const int stages[] = { INT_MIN, -1, 32, 1000, INT_MAX };
    static const uint32_t percentages[] = { 10001, INT32_MAX, UINT32_MAX };
    static const int others[] = { INT_MIN, -1, 2, INT_MAX };
    canary_error error = CANARY_ERROR_INIT;
    canary_change out;
    canary_change untouched;

    (void)unused;
    memset(&out, 0xa5, sizeof out);
    out.size = (uint32_t)sizeof out;
    untouched = out;
    for (int i = 0; i < 5; i++) {
        refused(canary_rollback(store, FAULT_ROLLOUT, stages[i], NULL, &out, &error), &error,
                CANARY_E_INVALID);
        refused(canary_set_stage(store, FAULT_ROLLOUT, stages[i], NULL, &out, &error), &error,
                CANARY_E_INVALID);
        assert_int_equal(canary_should_use_new_bucket(ctx, (uint32_t)stages[i] | 0x8000), 0);
    }
    for (int i = 0; i < 3; i++) {
        refused(
            canary_set_percentage(store, FAULT_ROLLOUT, percentages[i], NULL, NULL, &out, &error),
            &error, CANARY_E_INVALID);
    }
    for (int i = 0; i < 4; i++) {
        refused(canary_flag_set(store, FAULT_FLAG, others[i], NULL, &out, &error), &error,
                CANARY_E_INVALID);
        refused(canary_override_set(store, FAULT_ROLLOUT, "u", 1, others[i], NULL, &out, &error),
                &error, CANARY_E_INVALID);
    }
    refused(canary_history(store, NULL, 1, UINT64_MAX, NULL, NULL, &error), &error,
            CANARY_E_INVALID);
    assert_memory_equal(&out, &untouched, sizeof out);
    assert_int_equal(fault_verify(store), CANARY_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_at_the_edge), cmocka_unit_test(test_texts_at_the_edge),
        cmocka_unit_test(test_ids_at_the_edge),   cmocka_unit_test(test_sizes_of_ids),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
