/* SPDX-License-Identifier: MIT */
/* What the tests of threads and processes share. Plain checks instead of a framework's: most of
 * them run in threads and in children, where a jump back into the framework is not possible. */
#ifndef CONCURRENCY_COMMON_H
#define CONCURRENCY_COMMON_H

#include <canary/canary.h>

#include <stdint.h>
#include <sys/types.h>

#include "../sanitizers.h"

/* Ends the process with a message and status 1 (in children and threads as well). */
void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_at(__FILE__, __LINE__, __VA_ARGS__);                                              \
        }                                                                                          \
    } while (0)
/* For calls that answer a code and fill `error`. */
#define MUST(call, error)                                                                          \
    do {                                                                                           \
        int must_code = (call);                                                                    \
        CHECK(must_code == CANARY_OK, "%s: %s: %s", #call, canary_error_name(must_code),           \
              (error).message);                                                                    \
    } while (0)

/* Ends the test as skipped. */
void skip(const char *why) __attribute__((noreturn));

/* How long what must come is waited for: longer than a crowded machine stops a process for. None of these
 * tests is about how soon it comes, which is measured by bench/. */
enum { PATIENCE_S = 60, PATIENCE_MS = PATIENCE_S * 1000, WATCHDOG_S = 120 };

int64_t now_ns(void);
void sleep_us(int64_t us);

/* A private directory below TMPDIR or /tmp, removed when the process that made it ends. 0755, so
 * that another user can be let in. `path_in` gives static storage, for 64 calls.
 */
const char *private_directory(void);
const char *path_in(const char *name);

/* Seed of CANARY_TEST_SEED or of the clock; printed. */
uint64_t test_seed(void);
uint64_t next_random(uint64_t *state);

/* An id whose unsalted (or salted) bucket lies in [low, high); `number` picks one of many. */
void user_in(const char *salt, uint32_t low, uint32_t high, unsigned number, char *out,
             size_t size);

/* Open descriptors of this process, and mappings. */
int count_descriptors(void);
int count_mappings(void);

/* Forks; the child runs `body` under a watchdog and leaves by _exit(its answer). */
pid_t in_child(int (*body)(void *data), void *data, unsigned watchdog_seconds);
/* Waits for it and fails unless it left with 0. */
void child_succeeded(pid_t pid, const char *what);

/* Runs this very program again as `role`; the process ends with its parent. */
pid_t run_role(const char *role, const char *first, const char *second, const char *third);
void stop_role(pid_t pid);

/* The usual options, but for locks of others, which are waited for with the patience of a test. */
canary_options patient(void);

/* A store at `path` with rollout `name`: ladder 5/25/50/100, at `percentage_bp`. */
canary_store *make_store(const char *path, const char *name, uint32_t percentage_bp);

#endif
