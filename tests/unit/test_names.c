/* SPDX-License-Identifier: MIT */
/* Versions, names and texts: what people and programs of other languages read. */
#include "support.h"

static const struct {
    int code;
    int number;
    const char *name;
} codes[] = {
    { CANARY_OK, 0, "CANARY_OK" },
    { CANARY_E_INVALID, -1, "CANARY_E_INVALID" },
    { CANARY_E_NOMEM, -2, "CANARY_E_NOMEM" },
    { CANARY_E_NOT_FOUND, -3, "CANARY_E_NOT_FOUND" },
    { CANARY_E_EXISTS, -4, "CANARY_E_EXISTS" },
    { CANARY_E_CONFLICT, -5, "CANARY_E_CONFLICT" },
    { CANARY_E_REFUSED, -6, "CANARY_E_REFUSED" },
    { CANARY_E_TIMEOUT, -7, "CANARY_E_TIMEOUT" },
    { CANARY_E_BUSY, -8, "CANARY_E_BUSY" },
    { CANARY_E_IO, -9, "CANARY_E_IO" },
    { CANARY_E_CORRUPT, -10, "CANARY_E_CORRUPT" },
    { CANARY_E_NOT_A_STORE, -11, "CANARY_E_NOT_A_STORE" },
    { CANARY_E_NEWER, -12, "CANARY_E_NEWER" },
    { CANARY_E_READ_ONLY, -13, "CANARY_E_READ_ONLY" },
    { CANARY_E_FULL, -14, "CANARY_E_FULL" },
    { CANARY_E_REPLACED, -15, "CANARY_E_REPLACED" },
    { CANARY_E_NO_STORE, -16, "CANARY_E_NO_STORE" },
    { CANARY_E_PERMISSION, -17, "CANARY_E_PERMISSION" },
    { CANARY_E_HOSTILE, -18, "CANARY_E_HOSTILE" },
    { CANARY_E_TAMPERED, -19, "CANARY_E_TAMPERED" },
    { CANARY_E_UNSUPPORTED, -20, "CANARY_E_UNSUPPORTED" },
    { CANARY_E_SYSTEM, -21, "CANARY_E_SYSTEM" },
    { CANARY_E_STORAGE, -22, "CANARY_E_STORAGE" },
};

static void version(void **state) {
    char expected[32];

    (void)state;
    snprintf(expected, sizeof expected, "%d.%d.%d", CANARY_VERSION_MAJOR, CANARY_VERSION_MINOR,
             CANARY_VERSION_PATCH);
    assert_string_equal(CANARY_VERSION, expected);
    assert_string_equal(canary_version(), expected);
    assert_int_equal(canary_version_number(), CANARY_VERSION_MAJOR * 1000000 +
                                                  CANARY_VERSION_MINOR * 1000 +
                                                  CANARY_VERSION_PATCH);
    assert_ptr_equal(canary_version(), canary_version());
}

static void every_code_has_a_name(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        assert_int_equal(codes[i].code, codes[i].number);
        assert_int_equal(codes[i].number, -(int)i);
        assert_string_equal(canary_error_name(codes[i].code), codes[i].name);
        assert_ptr_equal(canary_error_name(codes[i].code), canary_error_name(codes[i].code));
    }
    assert_string_equal(canary_error_name(1), "CANARY_E_UNKNOWN");
    assert_string_equal(canary_error_name(-(int)COUNT(codes)), "CANARY_E_UNKNOWN");
    assert_string_equal(canary_error_name(INT32_MIN), "CANARY_E_UNKNOWN");
    assert_string_equal(canary_error_name(INT32_MAX), "CANARY_E_UNKNOWN");
}

/* Different codes say different things, in one line. */
static void every_code_has_a_sentence(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        const char *text = canary_strerror(codes[i].code);

        assert_non_null(text);
        assert_true(strlen(text) > 3);
        assert_null(strchr(text, '\n'));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(text, canary_strerror(codes[j].code));
        }
    }
    assert_non_null(canary_strerror(12345));
    assert_true(canary_strerror(12345)[0] != '\0');
}

static void reasons_and_cohorts(void **state) {
    static const struct {
        int reason;
        int number;
        const char *name;
    } reasons[] = {
        { CANARY_REASON_INVALID, 1, "invalid" },     { CANARY_REASON_KILLED, 2, "killed" },
        { CANARY_REASON_NOT_READY, 3, "not_ready" }, { CANARY_REASON_STALE, 4, "stale" },
        { CANARY_REASON_OVERRIDE, 5, "override" },   { CANARY_REASON_STATIC, 6, "static" },
        { CANARY_REASON_SPLIT, 7, "split" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(reasons); i++) {
        assert_int_equal(reasons[i].reason, reasons[i].number);
        assert_string_equal(canary_reason_name(reasons[i].reason), reasons[i].name);
    }
    assert_string_equal(canary_reason_name(0), "unknown");
    assert_string_equal(canary_reason_name(8), "unknown");
    assert_string_equal(canary_reason_name(-1), "unknown");
    assert_string_equal(canary_reason_name(INT32_MIN), "unknown");
    assert_string_equal(canary_cohort_name(CANARY_OLD), "old");
    assert_string_equal(canary_cohort_name(CANARY_NEW), "new");
    assert_string_equal(canary_cohort_name(2), "unknown");
    assert_string_equal(canary_cohort_name(-1), "unknown");
    assert_ptr_equal(canary_reason_name(7), canary_reason_name(7));
}

/* Macros have twins for languages without a preprocessor; both make the same bytes. */
static void initialisers_have_twins(void **state) {
    canary_error error_macro = CANARY_ERROR_INIT;
    canary_options options_macro = CANARY_OPTIONS_INIT;
    canary_change_options change_macro = CANARY_CHANGE_OPTIONS_INIT;
    canary_error error;
    canary_options options;
    canary_change_options change;

    (void)state;
    memset(&error, 0xa5, sizeof error);
    memset(&options, 0xa5, sizeof options);
    memset(&change, 0xa5, sizeof change);
    canary_error_init(&error, sizeof error);
    canary_options_init(&options, sizeof options);
    canary_change_options_init(&change, sizeof change);
    assert_memory_equal(&error, &error_macro, sizeof error);
    assert_memory_equal(&options, &options_macro, sizeof options);
    assert_memory_equal(&change, &change_macro, sizeof change);
    assert_int_equal(change.expected_revision, CANARY_ANY_REVISION);
    assert_int_equal(change.expected_stage, CANARY_ANY_STAGE);
    canary_error_init(NULL, sizeof error);
    canary_options_init(NULL, sizeof options);
    canary_change_options_init(NULL, sizeof change);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version),
        cmocka_unit_test(every_code_has_a_name),
        cmocka_unit_test(every_code_has_a_sentence),
        cmocka_unit_test(reasons_and_cohorts),
        cmocka_unit_test(initialisers_have_twins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
