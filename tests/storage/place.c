/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static const canary_error no_error = CANARY_ERROR_INIT;

static int setup(void **state, const char *base) {
    struct place *place = calloc(1, sizeof *place);
    canary_options options = CANARY_OPTIONS_INIT;

    if (place == NULL) {
        return -1;
    }
    snprintf(place->directory, sizeof place->directory, "%s/canary-storage.XXXXXX", base);
    if (mkdtemp(place->directory) == NULL || chmod(place->directory, 0755) != 0) {
        return -1;
    }
    snprintf(place->path, sizeof place->path, "%s/store.db", place->directory);
    canary__hooks_init(&place->hooks, &options);
    place->error = no_error;
    *state = place;
    return 0;
}

int place_setup(void **state) {
    return setup(state, "/tmp");
}

int place_setup_in_memory(void **state) {
    return setup(state, access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
}

int place_teardown(void **state) {
    struct place *place = *state;
    char command[256];

    place_close(place);
    snprintf(command, sizeof command, "chmod -R u+rwX %s && rm -rf %s", place->directory,
             place->directory);
    if (system(command) != 0) {
        return -1;
    }
    free(place);
    return 0;
}

int place_open(struct place *place, uint32_t flags) {
    int code;

    place->error = no_error;
    place->transaction = NULL;
    code = canary__sqlite_open(place->path, flags, &place->hooks, &place->methods, &place->store,
                               &place->error);
    if (code != CANARY_OK) {
        place->store = NULL;
    }
    return code;
}

void place_close(struct place *place) {
    if (place->store != NULL) {
        if (place->transaction != NULL) {
            place_end(place, 0);
        }
        place->methods.close(place->store);
        place->store = NULL;
    }
}

int place_begin(struct place *place, int mode) {
    int code;

    place->error = no_error;
    code = place->methods.begin(place->store, mode, &place->transaction, &place->error);
    if (code != CANARY_OK) {
        place->transaction = NULL;
    }
    return code;
}

int place_end(struct place *place, int commit) {
    void *transaction = place->transaction;

    place->error = no_error;
    place->transaction = NULL;
    return place->methods.end(transaction, commit, &place->error);
}

static canary_storage_value text(const char *data) {
    canary_storage_value value = { CANARY_VALUE_TEXT, 0, 0, data, strlen(data) };

    return value;
}

static canary_storage_value integer(int64_t number) {
    canary_storage_value value = { CANARY_VALUE_INTEGER, 0, number, NULL, 0 };

    return value;
}

int place_put_flag(struct place *place, const char *name, int64_t at) {
    canary_storage_value values[] = { text(name), integer(1),   integer(at),
                                      text("me"), text("note"), text("") };
    canary_storage_row row = { (uint32_t)sizeof row, CANARY_TABLE_FLAGS, 6, 0, values };

    place->error = no_error;
    return place->methods.write(place->transaction, &row, &place->error);
}

int place_put_override(struct place *place, const char *rollout, const void *id, size_t size) {
    canary_storage_value values[] = { text(rollout),
                                      { CANARY_VALUE_BLOB, 0, 0, id, size },
                                      integer(1) };
    canary_storage_row row = { (uint32_t)sizeof row, CANARY_TABLE_OVERRIDES, 3, 0, values };

    place->error = no_error;
    return place->methods.write(place->transaction, &row, &place->error);
}

int place_commit_flag(struct place *place, const char *name, int64_t at) {
    int code = place_begin(place, CANARY_STORAGE_WRITE);

    if (code == CANARY_OK) {
        canary_error first;

        code = place_put_flag(place, name, at);
        first = place->error;
        if (code == CANARY_OK) {
            return place_end(place, 1);
        }
        place_end(place, 0);
        place->error = first;
    }
    return code;
}

static int take_number(void *user_data, const canary_storage_row *row) {
    *(int64_t *)user_data = row->values[2].integer;
    return 0;
}

int place_try_flag(struct place *place, const char *name, int64_t *at) {
    canary_storage_value key = text(name);
    canary_storage_range range = { (uint32_t)sizeof range, 1, 0, 0, 0, &key, NULL, NULL };
    int code = place_begin(place, CANARY_STORAGE_READ);
    canary_error first;

    *at = -1;
    if (code != CANARY_OK) {
        return code;
    }
    code = place->methods.read(place->transaction, CANARY_TABLE_FLAGS, &range, take_number, at,
                               &place->error);
    first = place->error;
    place_end(place, 0);
    place->error = first;
    return code;
}

int64_t place_flag(struct place *place, const char *name) {
    int64_t at;
    int code = place_try_flag(place, name, &at);

    if (code != CANARY_OK) {
        fail_msg("cannot read the flag: %s", place->error.message);
    }
    return at;
}

uint64_t place_token(struct place *place) {
    uint64_t token = 0;

    assert_int_equal(place_begin(place, CANARY_STORAGE_READ), CANARY_OK);
    assert_int_equal(place->methods.token(place->transaction, &token, &place->error), CANARY_OK);
    assert_int_equal(place_end(place, 0), CANARY_OK);
    return token;
}

void place_create(struct place *place) {
    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    place_close(place);
}

int64_t place_number(struct place *place, const char *sql) {
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    int rc = sqlite3_open(place->path, &db);

    while (rc == SQLITE_OK && *sql != '\0') {
        rc = sqlite3_prepare_v2(db, sql, -1, &statement, &sql);
        if (rc == SQLITE_OK && statement != NULL) {
            rc = sqlite3_step(statement);
            if (rc == SQLITE_ROW) {
                number = sqlite3_column_int64(statement, 0);
            }
            rc = sqlite3_finalize(statement);
        }
    }
    if (rc != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

void place_sql(struct place *place, const char *sql) {
    place_number(place, sql);
}

void place_refuses_sql(struct place *place, const char *sql, const char *part) {
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    if (strstr(sqlite3_errmsg(db), part) == NULL) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void place_expect(struct place *place, int code, int wanted, const char *part) {
    if (code != wanted || (code != CANARY_OK && strstr(place->error.message, part) == NULL)) {
        fail_msg("got %s \"%s\", expected %s \"...%s...\"", canary_error_name(code),
                 code == CANARY_OK ? "" : place->error.message, canary_error_name(wanted), part);
    }
    if (code != CANARY_OK) {
        assert_int_equal(place->error.code, code);
    }
}

void place_child(struct place *place, int (*work)(struct place *place), int nobody) {
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (nobody && geteuid() == 0 &&
            (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
            _exit(99);
        }
        _exit(work(place));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child %s %d", WIFEXITED(status) ? "returned" : "died by signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}

void place_copy(const char *from, const char *to) {
    char command[512];

    snprintf(command, sizeof command, "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
}
