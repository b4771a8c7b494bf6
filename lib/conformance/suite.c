/* SPDX-License-Identifier: MIT */
/* Running the checks, one after the other, each on a store of its own. */
#include "conformance/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    HANDLES = 1, /* needs several handles or processes on one store */
    DECISIONS = 2,
    FIGURES = 4,
    BOTH = DECISIONS | FIGURES,
};

static const struct {
    const char *name;
    int (*run)(struct canary__suite *suite);
    int applies;
} checks[] = {
    { "methods", canary__suite_check_methods, BOTH },
    { "empty", canary__suite_check_empty, BOTH },
    { "round-trip", canary__suite_check_round_trip, BOTH },
    { "blobs", canary__suite_check_blobs, BOTH },
    { "texts", canary__suite_check_texts, BOTH },
    { "integers", canary__suite_check_integers, BOTH },
    { "replace", canary__suite_check_replace, BOTH },
    { "remove", canary__suite_check_remove, BOTH },
    { "append-only", canary__suite_check_append_only, DECISIONS },
    { "text-order", canary__suite_check_text_order, BOTH },
    { "blob-order", canary__suite_check_blob_order, DECISIONS },
    { "integer-order", canary__suite_check_integer_order, BOTH },
    { "ranges", canary__suite_check_ranges, BOTH },
    { "early-end", canary__suite_check_early_end, BOTH },
    { "large", canary__suite_check_large, BOTH },
    { "own-reads", canary__suite_check_own_reads, BOTH },
    { "rollback", canary__suite_check_rollback, BOTH },
    { "random", canary__suite_check_random, BOTH },
    { "token", canary__suite_check_token, BOTH },
    { "before-fork", canary__suite_check_before_fork, BOTH },
    { "doorbell", canary__suite_check_doorbell, DECISIONS },
    { "integrity", canary__suite_check_integrity, BOTH },
    { "wait", canary__suite_check_wait, DECISIONS },
    { "secret", canary__suite_check_secret, DECISIONS },
    { "persistence", canary__suite_check_persistence, BOTH | HANDLES },
    { "isolation", canary__suite_check_isolation, BOTH | HANDLES },
    { "exclusion", canary__suite_check_exclusion, BOTH | HANDLES },
    { "token-of-others", canary__suite_check_token_of_others, BOTH | HANDLES },
    { "secret-of-others", canary__suite_check_secret_of_others, DECISIONS | HANDLES },
    { "two-writers", canary__suite_check_two_writers, BOTH | HANDLES },
    { "one-state", canary__suite_check_one_state, BOTH | HANDLES },
    { "unfinished", canary__suite_check_unfinished, BOTH | HANDLES },
    { "crash", canary__suite_check_crash, BOTH | HANDLES },
    { "library", canary__suite_check_library, DECISIONS },
    { "making", canary__suite_check_making, FIGURES },
    { "sharing", canary__suite_check_sharing, FIGURES },
    { "apart", canary__suite_check_apart, FIGURES },
};

static const struct canary__suite_tables decisions = { CANARY_TABLE_ROLLOUTS, CANARY_TABLE_COUNT,
                                                       CANARY_TABLE_FLAGS, "updated_at",
                                                       CANARY_TABLE_CHANGES };
static const struct canary__suite_tables figures = { CANARY_TABLE_FIRST_MEASUREMENT,
                                                     CANARY_TABLE_LAST_MEASUREMENT,
                                                     CANARY_TABLE_WRITERS, "merged_at",
                                                     CANARY_TABLE_HOURS };

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

static int run(struct canary__suite *suite, size_t number) {
    const char *prefix = suite->measurements ? "measurements: " : "";
    char title[64];
    int passed = CANARY__SUITE_SKIPPED;

    snprintf(title, sizeof title, "%s%s", prefix, checks[number].name);
    snprintf(suite->name, sizeof suite->name, "%s%s", suite->measurements ? "measurements-" : "",
             checks[number].name);
    suite->detail[0] = '\0';
    if ((checks[number].applies & HANDLES) != 0 &&
        (suite->config.flags & CANARY_CONFORMANCE_ONE_HANDLE) != 0) {
        canary__suite_fail(suite, "the store lives in one handle");
    } else {
        passed = checks[number].run(suite);
    }
    canary__suite_close_all(suite);
    report(suite, title, passed, suite->detail);
    return passed == 0;
}

/* Whether the store has an operation that keeps measurements. */
static int keeps_measurements(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    int keeps;

    snprintf(suite->name, sizeof suite->name, "measurements");
    suite->detail[0] = '\0';
    if (!canary__suite_open(suite, 1, &handle)) {
        report(suite, "measurements", 0, suite->detail);
        return -1;
    }
    keeps = handle->methods.measurements != NULL;
    canary__suite_close_all(suite);
    if (!keeps) {
        report(suite, "measurements", CANARY__SUITE_SKIPPED, "the store has no measurements");
    }
    return keeps;
}

int canary_conformance_run(const canary_conformance *config) {
    static const struct canary__suite_tables *const both[] = { &decisions, &figures };
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
    for (int part = 0; part < 2; part++) {
        int keeps = part == 0 ? 1 : keeps_measurements(&suite);

        failed += keeps < 0;
        suite.tables = both[part];
        suite.measurements = part;
        for (size_t i = 0; keeps > 0 && i < sizeof checks / sizeof checks[0]; i++) {
            if ((checks[i].applies & (part == 0 ? DECISIONS : FIGURES)) != 0) {
                failed += run(&suite, i);
            }
        }
    }
    return failed;
}
