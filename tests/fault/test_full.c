/* SPDX-License-Identifier: MIT */
/* A full disk: rollbacks go through on the space kept for them, what does not is named, nothing is
 * lost, and a rollback that cannot be recorded is in effect. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROLLBACKS = 100, CHANGES = 2000 };

static char mounted[FAULT_PATH];
static char place[FAULT_PATH];
static char filler[FAULT_PATH];
static int by_limit; /* no file system of our own: a limit on the size of files instead */

static int mount_small(void) {
    fault_path(mounted, "small");
    if (mkdir(mounted, 0755) != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("small", mounted, "tmpfs", 0, "size=1536k") != 0) {
        return -1;
    }
    return 0;
}

static void fill_up(void) {
    static const char bytes[512];
    struct rlimit limit;
    int fd;

    if (by_limit) {
        getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = fault_size(place);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        return;
    }
    fd = open(filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static void make_room(void) {
    struct rlimit limit;

    if (by_limit) {
        getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    } else {
        assert_int_equal(unlink(filler), 0);
    }
}

static uint64_t changes_of(canary_store *store) {
    canary_verify_report report = { .size = (uint32_t)sizeof report };
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_verify(store, NULL, NULL, &report, &error);

    if (code != CANARY_OK && code != CANARY_E_TAMPERED) {
        fail_msg("verify: %s", error.message);
    }
    return report.changes;
}

static void test_full(void **unused) {
    canary_options options = fault_options();
    canary_change_options long_note = CANARY_CHANGE_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    char note[CANARY_NOTE_MAX + 1];
    uint8_t before[FAULT_USERS];
    uint8_t got[FAULT_USERS];
    canary_ctx *ctx = NULL;
    canary_ctx *elsewhere = NULL;
    canary_store *store;
    uint64_t made;
    int code = CANARY_OK;

    (void)unused;
    memset(note, 'n', sizeof note - 1);
    note[sizeof note - 1] = '\0';
    long_note.note = note;
    assert_int_equal(canary_open(place, FAULT_ROLLOUT, &options, &ctx, &error), CANARY_OK);
    assert_int_equal(canary_open(place, FAULT_ROLLOUT, &options, &elsewhere, &error), CANARY_OK);
    store = canary_ctx_store(ctx);
    made = changes_of(store);
    fill_up();

    for (int i = 0; i < ROLLBACKS; i++) {
        code = canary_rollback(store, FAULT_ROLLOUT, i == 0 ? 1 : 0, NULL, NULL, &error);
        if (code != CANARY_OK) {
            fail_msg("rollback %d on a full disk: %s: %s", i, canary_error_name(code),
                     error.message);
        }
        made++;
        fault_decide(ctx, got);
        assert_true(fault_count(got) <= FAULT_USERS / 10);
    }
    assert_int_equal(changes_of(store), made);

    /* Up again, with long notes, until nothing fits any more. */
    for (int i = 0; i < CHANGES && code == CANARY_OK; i++) {
        fault_decide(ctx, before);
        code = canary_set_percentage(store, FAULT_ROLLOUT, 2000 + (uint32_t)i, NULL, &long_note,
                                     NULL, &error);
        made += code == CANARY_OK;
    }
    assert_int_equal(code, CANARY_E_FULL);
    fault_named(code, &error);
    assert_int_equal(error.in_effect, 0);
    (void)canary_refresh(store, &error);
    fault_decide(ctx, got);
    assert_memory_equal(got, before, FAULT_USERS);
    assert_int_equal(changes_of(store), made);
    assert_int_equal(fault_verify(store), CANARY_OK);

    /* The last of the space goes to rollbacks; then they are in effect all the same. */
    for (int i = 0; i < CHANGES && code != CANARY_OK; i++) {
        canary_error_init(&error, sizeof error);
        code = canary_rollback(store, FAULT_ROLLOUT, 0, &long_note, NULL, &error);
        if (code == CANARY_OK) {
            made++;
            code = CANARY_E_FULL;
            continue;
        }
        assert_int_equal(code, CANARY_E_FULL);
        fault_named(code, &error);
        assert_int_equal(error.in_effect, 1);
        break;
    }
    fault_decide(ctx, got);
    assert_true(fault_count(got) <= 4);
    (void)canary_refresh(canary_ctx_store(elsewhere), &error);
    fault_decide(elsewhere, got);
    assert_true(fault_count(got) <= 4);
    assert_int_equal(changes_of(store), made);

    make_room();
    assert_int_equal(canary_rollback(store, FAULT_ROLLOUT, 0, NULL, NULL, &error), CANARY_OK);
    assert_int_equal(canary_advance(store, FAULT_ROLLOUT, NULL, NULL, &error), CANARY_OK);
    assert_int_equal(changes_of(store), made + 2);
    assert_int_equal(fault_verify(store), CANARY_OK);
    canary_close(&ctx);
    canary_close(&elsewhere);
}

/* Nothing fits at all: no store, no rollout, and a name for it. */
static void test_no_room_for_a_store(void **unused) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;
    char fresh[FAULT_PATH];
    struct rlimit limit;
    int code;

    (void)unused;
    snprintf(fresh, sizeof fresh, "%.480s-fresh", place);
    options.flags |= CANARY_OPEN_CREATE;
    fill_up();
    if (by_limit) {
        getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = 1000;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    }
    code = canary_store_open(fresh, &options, &store, &error);
    assert_int_equal(code, CANARY_E_FULL);
    fault_named(code, &error);
    make_room();
    assert_int_equal(canary_store_open(fresh, &options, &store, &error), CANARY_OK);
    canary_store_close(&store);
}

static int setup(void **unused) {
    (void)unused;
    fault_make(place, 0);
    return 0;
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_no_room_for_a_store),
    };
    int failed;

    signal(SIGXFSZ, SIG_IGN);
    by_limit = (count > 1 && strcmp(arguments[1], "limit") == 0) || mount_small() != 0;
    if (by_limit) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_FSIZE, &limit) != 0) {
            puts(
                "skipped: neither a file system of our own nor a limit on file sizes is to be had");
            fault_clean();
            return 77;
        }
    }
    printf("full by %s\n", by_limit ? "RLIMIT_FSIZE" : "a small tmpfs");
    snprintf(place, sizeof place, "%.400s/full.db", by_limit ? fault_directory() : mounted);
    snprintf(filler, sizeof filler, "%.400s/filler", mounted);
    failed = cmocka_run_group_tests(tests, setup, NULL);
    if (!by_limit) {
        umount2(mounted, MNT_DETACH);
    }
    fault_clean();
    return failed;
}
