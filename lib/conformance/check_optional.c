/* SPDX-License-Identifier: MIT */
/* What a store may leave out; what it does offer must hold. */
#include <string.h>
#include <time.h>

#include "conformance/suite.h"

static int skip(struct canary__suite *suite, const char *operation) {
    canary__suite_fail(suite, "the store has no %s", operation);
    return CANARY__SUITE_SKIPPED;
}

static int put_number(struct canary__suite *suite, struct canary__suite_handle *handle,
                      const char *name, int commit) {
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(canary__suite_put(
        suite, handle, canary__suite_row_new(suite, suite->tables->numbers, name, 0, NULL, 0)));
    return canary__suite_end(suite, handle, commit);
}

static int get_token(struct canary__suite *suite, struct canary__suite_handle *handle,
                     uint64_t *token) {
    int code;

    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
    code = handle->methods.token(handle->transaction, token, &suite->error);
    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK, "token returned %s: %s",
                          canary_error_name(code), suite->error.message);
    return canary__suite_end(suite, handle, 0);
}

/* Commits by `writer`; `watcher` must notice each, and nothing else. */
static int follow(struct canary__suite *suite, struct canary__suite_handle *writer,
                  struct canary__suite_handle *watcher) {
    uint64_t before = 0;
    uint64_t after = 0;

    CANARY__SUITE_TRY(get_token(suite, watcher, &before));
    for (int i = 0; i < 10; i++) {
        CANARY__SUITE_TRY(get_token(suite, watcher, &after));
        CANARY__SUITE_REQUIRE(suite, before == after,
                              "the token moved although nothing was committed");
        CANARY__SUITE_TRY(put_number(suite, writer, "a", 0));
        CANARY__SUITE_TRY(get_token(suite, watcher, &after));
        CANARY__SUITE_REQUIRE(suite, before == after, "the token moved after a rollback");
        CANARY__SUITE_TRY(put_number(suite, writer, "a", 1));
        CANARY__SUITE_TRY(get_token(suite, watcher, &after));
        CANARY__SUITE_REQUIRE(suite, before != after, "the token did not move after a commit");
        before = after;
    }
    return 1;
}

int canary__suite_check_token(struct canary__suite *suite) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    return handle->methods.token == NULL ? skip(suite, "token") : follow(suite, handle, handle);
}

int canary__suite_check_token_of_others(struct canary__suite *suite) {
    struct canary__suite_handle *writer;
    struct canary__suite_handle *watcher;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &writer));
    CANARY__SUITE_TRY(canary__suite_open(suite, 0, &watcher));
    return writer->methods.token == NULL ? skip(suite, "token") : follow(suite, writer, watcher);
}

int canary__suite_check_before_fork(struct canary__suite *suite) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    if (handle->methods.before_fork == NULL) {
        return skip(suite, "before_fork");
    }
    handle->methods.before_fork(handle->store);
    CANARY__SUITE_TRY(put_number(suite, handle, "a", 1));
    handle->methods.before_fork(handle->store);
    handle->methods.before_fork(handle->store);
    return canary__suite_counts(suite, handle, suite->tables->numbers, 1, "after before_fork");
}

int canary__suite_check_doorbell(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    const char *path;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    if (handle->methods.doorbell == NULL) {
        return skip(suite, "doorbell");
    }
    path = handle->methods.doorbell(handle->store);
    CANARY__SUITE_REQUIRE(suite, path == NULL || path[0] == '/',
                          "the doorbell's path must be absolute: programs change their directory");
    CANARY__SUITE_TRY(put_number(suite, handle, "a", 1));
    CANARY__SUITE_REQUIRE(suite, path == handle->methods.doorbell(handle->store),
                          "the doorbell's path must live as long as the store");
    return 1;
}

static int complain(void *user_data, const char *message) {
    struct canary__suite *suite = user_data;

    canary__suite_fail(suite, "check complains about a healthy store: %s", message);
    return 0;
}

int canary__suite_check_integrity(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    int code;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    if (handle->methods.check == NULL) {
        return skip(suite, "check");
    }
    CANARY__SUITE_TRY(put_number(suite, handle, "a", 1));
    code = handle->methods.check(handle->store, complain, suite, &suite->error);
    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK, "check returned %s: %s",
                          canary_error_name(code), suite->error.message);
    return suite->detail[0] == '\0';
}

int canary__suite_check_wait(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    struct timespec start = { 0, 0 };
    struct timespec now = { 0, 0 };
    int code;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    if (handle->methods.wait == NULL) {
        return skip(suite, "wait");
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    code = handle->methods.wait(handle->store, 50 * 1000 * 1000, &suite->error);
    clock_gettime(CLOCK_MONOTONIC, &now);
    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK, "wait returned %s: %s", canary_error_name(code),
                          suite->error.message);
    CANARY__SUITE_REQUIRE(suite, now.tv_sec - start.tv_sec < 10, "wait outlasted its timeout");
    return 1;
}

static int get_secret(struct canary__suite *suite, struct canary__suite_handle *handle, int mode,
                      uint8_t *secret) {
    static const uint8_t nothing[CANARY__SUITE_SECRET];
    int code;

    memset(secret, 0, CANARY__SUITE_SECRET);
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, mode));
    code = handle->methods.secret(handle->transaction, secret, &suite->error);
    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK, "secret returned %s: %s",
                          canary_error_name(code), suite->error.message);
    CANARY__SUITE_REQUIRE(suite, memcmp(secret, nothing, sizeof nothing) != 0,
                          "the secret is all zero");
    return canary__suite_end(suite, handle, mode == CANARY_STORAGE_WRITE);
}

static int same_secret(struct canary__suite *suite, struct canary__suite_handle *first,
                       struct canary__suite_handle *second) {
    uint8_t made[CANARY__SUITE_SECRET];
    uint8_t seen[CANARY__SUITE_SECRET];

    CANARY__SUITE_TRY(get_secret(suite, first, CANARY_STORAGE_WRITE, made));
    CANARY__SUITE_TRY(put_number(suite, first, "a", 1));
    CANARY__SUITE_TRY(get_secret(suite, second, CANARY_STORAGE_READ, seen));
    CANARY__SUITE_REQUIRE(suite, memcmp(made, seen, sizeof made) == 0,
                          "the secret is another one each time");
    CANARY__SUITE_TRY(get_secret(suite, first, CANARY_STORAGE_WRITE, seen));
    CANARY__SUITE_REQUIRE(suite, memcmp(made, seen, sizeof made) == 0,
                          "a write transaction changed the secret, which was there");
    return 1;
}

int canary__suite_check_secret(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    uint8_t one[CANARY__SUITE_SECRET];
    uint8_t other[CANARY__SUITE_SECRET];

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    if (handle->methods.secret == NULL) {
        return skip(suite, "secret");
    }
    CANARY__SUITE_TRY(same_secret(suite, handle, handle));
    CANARY__SUITE_TRY(get_secret(suite, handle, CANARY_STORAGE_READ, one));
    canary__suite_close(handle);
    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(get_secret(suite, handle, CANARY_STORAGE_WRITE, other));
    CANARY__SUITE_REQUIRE(suite, memcmp(one, other, sizeof one) != 0,
                          "two stores have the same secret");
    return 1;
}

int canary__suite_check_secret_of_others(struct canary__suite *suite) {
    struct canary__suite_handle *first;
    struct canary__suite_handle *second;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &first));
    CANARY__SUITE_TRY(canary__suite_open(suite, 0, &second));
    return first->methods.secret == NULL ? skip(suite, "secret")
                                         : same_secret(suite, first, second);
}
