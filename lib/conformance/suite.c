/* SPDX-License-Identifier: MIT */
/* Running the checks, one after the other, each on a store of its own. */
#include "conformance/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    int (*run)(struct canary__suite *suite);
    int handles; /* needs several handles or processes on one store */
} checks[] = {
    { "methods", canary__suite_check_methods, 0 },
    { "empty", canary__suite_check_empty, 0 },
    { "round-trip", canary__suite_check_round_trip, 0 },
    { "blobs", canary__suite_check_blobs, 0 },
    { "texts", canary__suite_check_texts, 0 },
    { "integers", canary__suite_check_integers, 0 },
    { "replace", canary__suite_check_replace, 0 },
    { "remove", canary__suite_check_remove, 0 },
    { "append-only", canary__suite_check_append_only, 0 },
    { "text-order", canary__suite_check_text_order, 0 },
    { "blob-order", canary__suite_check_blob_order, 0 },
    { "integer-order", canary__suite_check_integer_order, 0 },
    { "ranges", canary__suite_check_ranges, 0 },
    { "early-end", canary__suite_check_early_end, 0 },
    { "large", canary__suite_check_large, 0 },
    { "own-reads", canary__suite_check_own_reads, 0 },
    { "rollback", canary__suite_check_rollback, 0 },
    { "random", canary__suite_check_random, 0 },
    { "token", canary__suite_check_token, 0 },
    { "before-fork", canary__suite_check_before_fork, 0 },
    { "doorbell", canary__suite_check_doorbell, 0 },
    { "integrity", canary__suite_check_integrity, 0 },
    { "wait", canary__suite_check_wait, 0 },
    { "secret", canary__suite_check_secret, 0 },
    { "persistence", canary__suite_check_persistence, 1 },
    { "isolation", canary__suite_check_isolation, 1 },
    { "exclusion", canary__suite_check_exclusion, 1 },
    { "token-of-others", canary__suite_check_token_of_others, 1 },
    { "secret-of-others", canary__suite_check_secret_of_others, 1 },
    { "two-writers", canary__suite_check_two_writers, 1 },
    { "one-state", canary__suite_check_one_state, 1 },
    { "unfinished", canary__suite_check_unfinished, 1 },
    { "crash", canary__suite_check_crash, 1 },
    { "library", canary__suite_check_library, 0 },
};

int canary__suite_fail(struct canary__suite *suite, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(suite->detail, sizeof suite->detail, format, arguments);
    va_end(arguments);
    return 0;
}

uint64_t canary__suite_random(struct canary__suite *suite) {
    uint64_t value = suite->random += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

uint64_t canary__suite_below(struct canary__suite *suite, uint64_t bound) {
    return canary__suite_random(suite) % bound;
}

static void report(const struct canary__suite *suite, const char *check, int passed,
                   const char *detail) {
    if (suite->config.report != NULL) {
        suite->config.report(suite->config.report_data, check, passed, detail);
    }
}

static uint64_t seed_of_clock(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int canary_conformance_run(const canary_conformance *config) {
    struct canary__suite suite = { 0 };
    char line[64];
    int failed = 0;

    if (config == NULL || config->size < offsetof(canary_conformance, report) ||
        config->open == NULL) {
        return CANARY_E_INVALID;
    }
    memcpy(&suite.config, config,
           config->size < sizeof suite.config ? config->size : sizeof suite.config);
    suite.random = suite.config.seed != 0 ? suite.config.seed : seed_of_clock();
    snprintf(line, sizeof line, "%llu", (unsigned long long)suite.random);
    report(&suite, "seed", 1, line);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int passed = CANARY__SUITE_SKIPPED;

        suite.name = checks[i].name;
        suite.detail[0] = '\0';
        if (checks[i].handles && (suite.config.flags & CANARY_CONFORMANCE_ONE_HANDLE) != 0) {
            canary__suite_fail(&suite, "the store lives in one handle");
        } else {
            passed = checks[i].run(&suite);
        }
        canary__suite_close_all(&suite);
        report(&suite, checks[i].name, passed, suite.detail);
        failed += passed == 0;
    }
    return failed;
}
