/* SPDX-License-Identifier: MIT */
/* What the unit tests share: stores to run on, a clock that stands still, a log that is kept, numbers
 * that can be repeated. */
#ifndef UNIT_SUPPORT_H
#define UNIT_SUPPORT_H

#include <canary/canary.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* -- stores -- */

#define UNIT_MEMORY 0
#define UNIT_SQLITE 1

#define UNIT_NOW INT64_C(1790000000000000000) /* 2026-09-21T14:13:20Z */

struct unit {
    int kind;
    canary_store *store;
    canary_options options;
    char path[512]; /* "" in memory */
    int64_t realtime;
    int64_t monotonic;
    char log[65536];
    size_t log_used;
    int log_level; /* of the last line */
};

/* A new, empty store with its clock at UNIT_NOW, everything logged, no watcher. */
struct unit *unit_new(int kind);
void unit_free(struct unit *unit);

/* A SQLite store with the content of another one, which is at rest. Copies the files. */
struct unit *unit_copy(const struct unit *from);

/* One more handle on a SQLite store. */
canary_store *unit_another(struct unit *unit);

/* cmocka's setup and teardown; `*state` becomes a struct unit. */
int unit_setup_memory(void **state);
int unit_setup_sqlite(void **state);
int unit_teardown(void **state);

/* A test on both stores. */
#define UNIT_BOTH(function)                                                                        \
    { #function " (memory)", function, unit_setup_memory, unit_teardown, NULL }, {                 \
#function " (sqlite)", function, unit_setup_sqlite, unit_teardown, NULL                    \
    }
#define UNIT_SQLITE_ONLY(function)                                                                 \
    cmocka_unit_test_setup_teardown(function, unit_setup_sqlite, unit_teardown)
#define UNIT_MEMORY_ONLY(function)                                                                 \
    cmocka_unit_test_setup_teardown(function, unit_setup_memory, unit_teardown)

/* -- shorthand that fails the test with the library's own message -- */

#define OK(call)                                                                                   \
    do {                                                                                           \
        canary_error error = CANARY_ERROR_INIT;                                                    \
        int code_ = (call);                                                                        \
        if (code_ != CANARY_OK) {                                                                  \
            fail_msg("%s: %s: %s", #call, canary_error_name(code_), error.message);                \
        }                                                                                          \
        if (error.code != 0 || error.message[0] != '\0') {                                         \
            fail_msg("%s succeeded and yet wrote an error: %s", #call, error.message);             \
        }                                                                                          \
    } while (0)

/* The call uses `&error`; the message must hold each of the texts, which may be "". */
#define FAILS(expected, first, second, call)                                                       \
    do {                                                                                           \
        canary_error error = CANARY_ERROR_INIT;                                                    \
        int code_ = (call);                                                                        \
        if (code_ != (expected)) {                                                                 \
            fail_msg("%s: %s instead of %s: %s", #call, canary_error_name(code_),                  \
                     canary_error_name(expected), error.message);                                  \
        }                                                                                          \
        unit_check_error(#call, &error, expected, first, second);                                  \
    } while (0)

void unit_check_error(const char *call, const canary_error *error, int code, const char *first,
                      const char *second);

void unit_create(struct unit *unit, const char *name);
void unit_set(struct unit *unit, const char *name, uint32_t percentage_bp);
canary_ctx *unit_open(struct unit *unit, const char *name);
canary_rollout unit_read(struct unit *unit, const char *name);
/* Creates a rollout that alice@example.com sets to a percentage, with a note; how it stands then. */
canary_rollout unit_begin_at(struct unit *unit, const char *name, uint32_t percentage_bp);
/* Everything of a rollout is what it was. */
void unit_unchanged(struct unit *unit, const canary_rollout *before);
canary_ctx_info unit_info(canary_ctx *ctx);
canary_change_options unit_by(const char *who);

/* 1 when all `size` bytes are `byte`. */
int unit_all(const void *bytes, size_t size, int byte);

/* -- numbers that can be repeated: printed once, taken from CANARY_TEST_SEED when it is set -- */

uint64_t unit_seed(void);
uint64_t unit_random(uint64_t *seed);

/* -- users -- */

/* The first of `<prefix>0`, `<prefix>1`, ... whose bucket under the salt lies in [from, to). */
void unit_user_in(const char *salt, const char *prefix, uint32_t from, uint32_t to, char *out,
                  size_t size);
uint32_t unit_bucket(const char *salt, const void *id, size_t size);

#endif
