/* SPDX-License-Identifier: MIT */
/* Reads policies, one a line of standard input, and answers each with a line: "ok", or all its problems
 * separated by tabs. For test_schema.py. */
#include <canary/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

static int tell(void *user_data, const char *place, const char *message) {
    int *count = user_data;

    printf("%s%s: %s", (*count)++ > 0 ? "\t" : "", place, message);
    return 0;
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    while ((size = getline(&line, &room, stdin)) > 0) {
        canary_policy *policy = NULL;
        int count = 0;

        if (line[size - 1] == '\n') {
            size--;
        }
        if (canary_policy_parse(line, (uint64_t)size, &policy, tell, &count, NULL) == CANARY_OK) {
            fputs("ok", stdout);
        }
        putchar('\n');
        canary_policy_close(&policy);
    }
    free(line);
    return 0;
}
