/* SPDX-License-Identifier: MIT */
#include "policies.h"

#include <stdio.h>

int policies_tell(void *user_data, const char *place, const char *message) {
    struct policies_told *told = user_data;
    int wrote = snprintf(told->text + told->size, sizeof told->text - told->size, "%s: %s\n", place,
                         message);

    assert_true(wrote > 0 && (size_t)wrote < sizeof told->text - told->size);
    assert_true(place[0] != '\0' && message[0] != '\0');
    for (const unsigned char *at = (const unsigned char *)told->text + told->size; *at != '\0';
         at++) {
        assert_true((*at >= 0x20 && *at < 0x7f) || *at == '\n'); /* whatever the text held */
    }
    told->size += (size_t)wrote;
    told->count++;
    return told->count == told->stop_after;
}

canary_policy *policies_read(const char *text) {
    struct policies_told told = { .size = 0 };
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy = NULL;

    if (canary_policy_parse(text, strlen(text), &policy, policies_tell, &told, &error) !=
        CANARY_OK) {
        fail_msg("%s\n%s", error.message, told.text);
    }
    assert_int_equal(told.count, 0);
    assert_non_null(policy);
    return policy;
}
