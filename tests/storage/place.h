/* SPDX-License-Identifier: MIT */
/* A directory of its own for each test, and short words for what storage tests do over and over. */
#ifndef TESTS_STORAGE_PLACE_H
#define TESTS_STORAGE_PLACE_H

#include <canary/storage.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hooks.h"
#include "storage/stores.h"

struct place {
    char directory[64];
    char path[128]; /* of the store */
    struct canary__hooks hooks;
    canary_storage_methods methods;
    void *store; /* or NULL */
    void *transaction;
    canary_error error;
};

/* cmocka fixtures: an empty directory in *state, and its removal. */
int place_setup(void **state);
/* The same in memory where that is possible: for tests that commit thousands of times. */
int place_setup_in_memory(void **state);
int place_teardown(void **state);

/* Each returns the code; `place->error` explains. */
int place_open(struct place *place, uint32_t flags);
void place_close(struct place *place);
int place_begin(struct place *place, int mode);
int place_end(struct place *place, int commit);
int place_put_flag(struct place *place, const char *name, int64_t at); /* within a transaction */
int place_put_override(struct place *place, const char *rollout, const void *id, size_t size);
int place_commit_flag(struct place *place, const char *name, int64_t at);
/* `updated_at` of a flag in a transaction of its own; fails the test when that cannot be read. */
int64_t place_flag(struct place *place, const char *name);
/* The same, or the code of what went wrong. */
int place_try_flag(struct place *place, const char *name, int64_t *at);
uint64_t place_token(struct place *place);

/* A new store with the flag "a" at 1, closed again. */
void place_create(struct place *place);
/* Runs SQL on the file as any shell would. */
void place_sql(struct place *place, const char *sql);
/* The same, refused with this part of a message. */
void place_refuses_sql(struct place *place, const char *sql, const char *part);
int64_t place_number(struct place *place, const char *sql);
/* The code and a part of the message. */
void place_expect(struct place *place, int code, int wanted, const char *part);
/* Runs `work` in a child process and expects that it returns 0 there. As nobody with `nobody`. */
void place_child(struct place *place, int (*work)(struct place *place), int nobody);
void place_copy(const char *from, const char *to);

#endif
