/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/bell.h"

/* -- randomness -- */

static uint64_t state;

void fault_seed(void) {
    const char *given = getenv("CANARY_TEST_SEED");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    state = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec;
    printf("CANARY_TEST_SEED=%llu\n", (unsigned long long)state);
    fflush(stdout);
}

/* splitmix64 */
uint64_t fault_random(void) {
    uint64_t value = state += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

uint64_t fault_below(uint64_t bound) {
    return fault_random() % bound;
}

/* -- files -- */

static char directory[FAULT_PATH / 2];

const char *fault_directory(void) {
    if (directory[0] == '\0') {
        const char *base = getenv("TMPDIR");

        /* Thousands of stores are made here, and none has to outlive the machine. */
        if (base == NULL || strlen(base) > 100) {
            base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
        }
        snprintf(directory, sizeof directory, "%s/canary-fault-XXXXXX", base);
        assert_non_null(mkdtemp(directory));
    }
    return directory;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void fault_clean(void) {
    if (directory[0] != '\0') {
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        directory[0] = '\0';
    }
}

int fault_teardown(void **unused) {
    (void)unused;
    fault_clean();
    return 0;
}

void fault_path(char *out, const char *name) {
    snprintf(out, FAULT_PATH, "%s/%s", fault_directory(), name);
}

void fault_bell(char *out, const char *path) {
    snprintf(out, FAULT_PATH + 16, "%s-doorbell", path);
}

uint64_t fault_size(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

void fault_read(const char *path, uint64_t at, void *bytes, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, bytes, size, (off_t)at), (ssize_t)size);
    close(fd);
}

void fault_write(const char *path, uint64_t at, const void *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)at), (ssize_t)size);
    close(fd);
}

void fault_flip(const char *path, uint64_t bit) {
    unsigned char byte;

    fault_read(path, bit / 8, &byte, 1);
    byte = (unsigned char)(byte ^ 1u << bit % 8);
    fault_write(path, bit / 8, &byte, 1);
}

void fault_bump(const char *path) {
    unsigned char counter[4];

    fault_read(path, 24, counter, sizeof counter);
    counter[3]++;
    counter[2] = (unsigned char)(counter[2] + 1);
    fault_write(path, 24, counter, sizeof counter);
    fault_write(path, 92, counter, sizeof counter);
}

void fault_copy(const char *from, const char *to) {
    uint64_t size = fault_size(from);
    char temporary[FAULT_PATH + 32];
    char *bytes = malloc(size + 1);
    int fd;

    assert_non_null(bytes);
    fault_read(from, 0, bytes, size);
    snprintf(temporary, sizeof temporary, "%s.copy", to);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    assert_int_equal(rename(temporary, to), 0);
    free(bytes);
}

void fault_copy_store(const char *from, const char *to) {
    char from_bell[FAULT_PATH + 16];
    char to_bell[FAULT_PATH + 16];
    char journal[FAULT_PATH + 16];

    fault_bell(from_bell, from);
    fault_bell(to_bell, to);
    snprintf(journal, sizeof journal, "%s-journal", to);
    unlink(journal);
    fault_copy(from_bell, to_bell);
    fault_copy(from, to);
}

void fault_sql(const char *path, const char *sql) {
    sqlite3 *db = NULL;
    char *message = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* -- a store -- */

const char *fault_user(int i) {
    static char names[FAULT_USERS][24];

    snprintf(names[i], sizeof names[i], "user-%d", i);
    return names[i];
}

static void done(int code, const canary_error *error) {
    if (code != CANARY_OK) {
        fail_msg("%s: %s", canary_error_name(code), error->message);
    }
}

void fault_fill(canary_store *store) {
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec,
                                 .name = FAULT_ROLLOUT,
                                 .flag = FAULT_FLAG };
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;

    options.by = "fault";
    options.note = "a past to go back to";
    done(canary_create(store, &spec, &options, NULL, &error), &error);
    spec.name = FAULT_OTHER;
    spec.flag = NULL;
    spec.salt = "other";
    done(canary_create(store, &spec, &options, NULL, &error), &error);
    done(canary_set_percentage(store, FAULT_OTHER, 10000, NULL, &options, NULL, &error), &error);
    done(canary_set_percentage(store, FAULT_ROLLOUT, 5000, NULL, &options, NULL, &error), &error);
    done(canary_set_percentage(store, FAULT_ROLLOUT, 10000, NULL, &options, NULL, &error), &error);
    for (int i = 0; i < 8; i++) {
        done(canary_override_set(store, FAULT_ROLLOUT, fault_user(i), strlen(fault_user(i)),
                                 i < 4 ? CANARY_NEW : CANARY_OLD, &options, NULL, &error),
             &error);
    }
    done(canary_flag_set(store, FAULT_FLAG, 0, &options, NULL, &error), &error);
    done(canary_flag_set(store, FAULT_FLAG, 1, &options, NULL, &error), &error);
    done(canary_rollback(store, FAULT_ROLLOUT, 2, &options, NULL, &error), &error);
}

void fault_make(const char *path, unsigned past) {
    canary_options options = fault_options();
    canary_store *store = NULL;
    canary_error error = CANARY_ERROR_INIT;
    char bell[FAULT_PATH + 16];

    options.flags |= CANARY_OPEN_CREATE;
    done(canary_store_open(path, &options, &store, &error), &error);
    fault_fill(store);
    if ((past & FAULT_PAST_FLAG_OFF) != 0) {
        done(canary_flag_set(store, FAULT_FLAG, 0, NULL, NULL, &error), &error);
    }
    canary_store_close(&store);
    if ((past & FAULT_PAST_PENDING) != 0) {
        fault_bell(bell, path);
        done(canary__bell_put(bell, canary__bell_key(FAULT_ROLLOUT), 0, 0, CANARY__BELL_PENDING,
                              &error),
             &error);
    }
}

/* -- decisions -- */

void fault_decide(canary_ctx *ctx, uint8_t *cohorts) {
    for (int i = 0; i < FAULT_USERS; i++) {
        cohorts[i] = (uint8_t)canary_should_use_new(ctx, fault_user(i));
    }
}

void fault_never_raised(const uint8_t *before, const uint8_t *after, const char *what) {
    for (int i = 0; i < FAULT_USERS; i++) {
        if (after[i] > before[i]) {
            fail_msg("%s: %s gets `new`, who got `old` before", what, fault_user(i));
        }
    }
}

uint32_t fault_count(const uint8_t *cohorts) {
    uint32_t count = 0;

    for (int i = 0; i < FAULT_USERS; i++) {
        count += cohorts[i];
    }
    return count;
}

canary_options fault_options(void) {
    canary_options options = CANARY_OPTIONS_INIT;

    options.flags = CANARY_OPEN_NO_WATCHER;
    options.busy_timeout_ns = 20 * 1000 * 1000;
    return options;
}

void fault_named(int code, const canary_error *error) {
    assert_true(code < 0);
    assert_string_not_equal(canary_error_name(code), "CANARY_E_UNKNOWN");
    assert_int_equal(error->code, code);
    if (strlen(error->message) < 10) {
        fail_msg("%s without a message: \"%s\"", canary_error_name(code), error->message);
    }
}

static int take_finding(void *user_data, const canary_finding *finding) {
    *(uint32_t *)user_data |= 1u << finding->kind;
    assert_true(finding->message[0] != '\0');
    assert_true(finding->next[0] != '\0');
    return 0;
}

uint32_t fault_findings(canary_store *store) {
    uint32_t kinds = 0;
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_verify(store, take_finding, &kinds, NULL, &error);

    if (code != CANARY_OK && code != CANARY_E_TAMPERED) {
        fail_msg("verify: %s: %s", canary_error_name(code), error.message);
    }
    assert_int_equal(code == CANARY_E_TAMPERED, kinds != 0);
    return kinds;
}

int fault_verify(canary_store *store) {
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_verify(store, NULL, NULL, NULL, &error);

    if (code != CANARY_OK) {
        print_message("verify: %s: %s\n", canary_error_name(code), error.message);
    }
    return code;
}
