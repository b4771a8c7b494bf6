/* SPDX-License-Identifier: MIT */
/* What the fault tests share: a store with a past, users to decide for, and files to damage. */
#ifndef FAULT_H
#define FAULT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <canary/canary.h>

enum { FAULT_USERS = 400, FAULT_PATH = 512 };

#define FAULT_ROLLOUT "pay"
#define FAULT_OTHER "search"
#define FAULT_FLAG "pay-flag"

/* -- randomness, from CANARY_TEST_SEED -- */

/* Prints the seed once. */
void fault_seed(void);
uint64_t fault_random(void);
uint64_t fault_below(uint64_t bound);

/* -- files -- */

/* A directory of this test's own, removed by fault_clean(). Every path in it fits FAULT_PATH. */
const char *fault_directory(void);
void fault_clean(void);
int fault_teardown(void **unused); /* the same for cmocka */
void fault_path(char *out, const char *name);
void fault_bell(char *out, const char *path);

/* Whole files, by new inode: what stood at `to` goes on existing for who has it open. */
void fault_copy(const char *from, const char *to);
/* A store and its bell. */
void fault_copy_store(const char *from, const char *to);
uint64_t fault_size(const char *path);
void fault_read(const char *path, uint64_t at, void *bytes, size_t size);
void fault_write(const char *path, uint64_t at, const void *bytes, size_t size);
void fault_flip(const char *path, uint64_t bit);
/* Counts the database's header up, as every writer does: without, nobody need look at the file. */
void fault_bump(const char *path);

/* Runs SQL as a shell without any guard would, triggers of ours dropped first where asked. */
void fault_sql(const char *path, const char *sql);

/* -- a store -- */

#define FAULT_PAST_FLAG_OFF 1u /* the flag is off now and was on before */
#define FAULT_PAST_PENDING 2u  /* a rollback to 0 % was rung and is not recorded */

/* Makes a store at `path`: the rollout at 25 % after 50 and 100, its flag off and on again, users
 * pinned either way, and another rollout beside it. */
void fault_make(const char *path, unsigned past);
/* The same in an open store; `path` of the bell or NULL. */
void fault_fill(canary_store *store);

/* -- decisions -- */

/* User `i`: 0 to 3 are pinned to new, 4 to 7 to old. */
const char *fault_user(int i);
/* One byte a user. */
void fault_decide(canary_ctx *ctx, uint8_t *cohorts);
/* Fails, naming user and `what`, when anyone has `new` now who had not. */
void fault_never_raised(const uint8_t *before, const uint8_t *after, const char *what);
uint32_t fault_count(const uint8_t *cohorts);

/* Options without a watcher and with short waits. */
canary_options fault_options(void);
/* A code that the headers name, and a message that says something. */
void fault_named(int code, const canary_error *error);
/* 0 when everything verifies. */
int fault_verify(canary_store *store);
/* Kinds of the findings as a set of bits. */
uint32_t fault_findings(canary_store *store);

#endif
