/* SPDX-License-Identifier: MIT */
/* Reading a policy while memory runs out, at every allocation of ours and of jansson's in turn: once
 * only, and from then on. */
#include "exhausted.h"
#include "policies.h"

static const char text[] =
    TOP("\"description\":\"a text that is longer than the first buffer of a parser, and then "
        "some\",\"stages\":[{\"percentage\":5,\"dwell\":\"24h\",\"name\":\"EARLY\"}],"
        "\"objectives\":[{\"name\":\"up\",\"statistic\":\"uptime\",\"above\":\"99.9%\"}]");

/* `*failed` 1: an allocation did. */
static canary_policy *read_short(long at, int lastingly, int *code, int *failed) {
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy = NULL;

    exhausted_begin(at, lastingly);
    *code = canary_policy_parse(text, strlen(text), &policy, NULL, NULL, &error);
    *failed = exhausted_end();
    assert_true((*code == CANARY_OK) == (policy != NULL));
    assert_true(*code == CANARY_OK || error.message[0] != '\0');
    return policy;
}

static void every_allocation_may_fail(void **state) {
    canary_policy *whole = policies_read(text);
    long count;
    long out_of_memory = 0;

    (void)state;
    exhausted_jansson(1);
    exhausted_within(1);
    for (int lastingly = 0; lastingly < 2; lastingly++) {
        int failed = 1;
        int code;

        for (count = 0; failed; count++) {
            canary_policy *policy = read_short(count, lastingly, &code, &failed);

            assert_true(failed || code == CANARY_OK);
            assert_int_equal(exhausted_held(), 0);
            if (policy != NULL) {
                /* Found room for all, or did without: nothing of it may be missing. */
                assert_string_equal(policy->digest, whole->digest);
                assert_string_equal(policy->description, whole->description);
                assert_memory_equal(policy->rules, whole->rules, sizeof policy->rules);
                assert_memory_equal(policy->stages, whole->stages, sizeof policy->stages);
                assert_memory_equal(policy->objectives, whole->objectives,
                                    sizeof policy->objectives);
            } else {
                /* jansson takes a byte that it could not keep for a wrong one. */
                assert_true(code == CANARY_E_NOMEM || code == CANARY_E_INVALID);
                out_of_memory += code == CANARY_E_NOMEM;
            }
            canary_policy_close(&policy);
            assert_true(count < 10000);
        }
        assert_true(count > 20 && out_of_memory > 20);
    }
    exhausted_jansson(0);
    canary_policy_close(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
