/* SPDX-License-Identifier: MIT */
/* Reading a policy while memory runs out, at every allocation of ours and of jansson's in turn: once
 * only, and from then on. Linked with malloc() and calloc() wrapped. */
#include "policies.h"

#include <jansson.h>
#include <stdlib.h>

static long left; /* allocations until one fails */
static int stays; /* and then all do */
static int armed;
static long live; /* blocks that nobody has freed */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int fails(void) {
    if (!armed || left > 0) {
        left -= armed;
        return 0;
    }
    left--;
    return left == -1 || stays;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

static void *jansson_malloc(size_t size) {
    void *block = fails() ? NULL : __real_malloc(size);

    live += block != NULL;
    return block;
}

static void jansson_free(void *block) {
    live -= block != NULL;
    free(block);
}

static const char text[] =
    TOP("\"description\":\"a text that is longer than the first buffer of a parser, and then "
        "some\",\"stages\":[{\"percentage\":5,\"dwell\":\"24h\",\"name\":\"EARLY\"}],"
        "\"objectives\":[{\"name\":\"up\",\"statistic\":\"uptime\",\"above\":\"99.9%\"}]");

static canary_policy *read_armed(int *code) {
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy = NULL;

    armed = 1;
    *code = canary_policy_parse(text, strlen(text), &policy, NULL, NULL, &error);
    armed = 0;
    assert_true((*code == CANARY_OK) == (policy != NULL));
    assert_true(*code == CANARY_OK || error.message[0] != '\0');
    return policy;
}

static void every_allocation_may_fail(void **state) {
    canary_policy *whole = policies_read(text);
    long count;
    long out_of_memory = 0;

    (void)state;
    json_set_alloc_funcs(jansson_malloc, jansson_free);
    for (stays = 0; stays < 2; stays++) {
        int code = CANARY_E_NOMEM;

        for (count = 0; code != CANARY_OK || left < 0; count++) {
            canary_policy *policy;

            left = count;
            live = 0;
            policy = read_armed(&code);
            assert_int_equal(live, 0);
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
    json_set_alloc_funcs(malloc, free);
    canary_policy_close(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
