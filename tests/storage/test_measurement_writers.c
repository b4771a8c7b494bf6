/* SPDX-License-Identifier: MIT */
/* Several who make and write one store of measurements: processes, threads, a forked child. */
#include "figures.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- how it is made -- */

static int make_one(struct place *place) {
    struct place figures;
    int code = place_open(place, 0);

    if (code == CANARY_OK) {
        code = figures_open(place, 1, &figures);
    }
    for (int i = 0; i < 300000 && code == CANARY_OK; i++) {
        code = figures_commit(&figures, "r", getpid(), 1);
        if (code != CANARY_E_BUSY) {
            break;
        }
        usleep(200);
        code = CANARY_OK;
    }
    if (code != CANARY_OK) {
        printf("%s\n", figures.error.message);
    }
    return code != CANARY_OK;
}

static void many_makers(void **state) {
    struct place *place = *state;
    struct place figures;
    int status = 0;
    int failed = 0;

    place_create(place);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            _exit(make_one(place));
        }
    }
    while (wait(&status) > 0) {
        failed += status != 0;
    }
    assert_int_equal(failed, 0);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(figures_open(place, 0, &figures), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 8);
    place_close(&figures);
}

static void killed_makers(void **state) {
    struct place *place = *state;
    struct place figures;
    char journal[160];

    place_create(place);
    snprintf(journal, sizeof journal, "%s-metrics-journal", place->path);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            _exit(make_one(place));
        }
        usleep((useconds_t)i * 60);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(place_open(place, 0), CANARY_OK);
        assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
        assert_int_equal(figures_commit(&figures, "mine", i, 1), CANARY_OK);
        assert_int_equal(figures_requests(&figures, "mine"), 1);
        assert_int_equal(place_number(&figures, "SELECT count(*) FROM pragma_integrity_check "
                                                "WHERE integrity_check <> 'ok'"),
                         0);
        place_close(&figures);
        place_close(place);
        assert_int_equal(unlink(figures.path), 0);
        unlink(journal);
    }
}

/* -- in memory -- */

enum { ADDITIONS = 2000 };

static int take_requests(void *user_data, const canary_storage_row *row) {
    *(int64_t *)user_data = row->values[2].integer;
    return 0;
}

/* One more in the only tick, in one transaction. */
static int add_one(struct place *figures) {
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    int64_t requests = 0;
    int code;

    while ((code = place_begin(figures, CANARY_STORAGE_WRITE)) == CANARY_E_BUSY) {
        sched_yield();
    }
    if (code != CANARY_OK) {
        return code;
    }
    code = figures->methods.read(figures->transaction, CANARY_TABLE_TICKS, &all, take_requests,
                                 &requests, &figures->error);
    if (code == CANARY_OK) {
        code = figures_put(figures, CANARY_TABLE_TICKS, "r", 0, requests + 1, 700);
    }
    return code == CANARY_OK ? place_end(figures, 1) : code;
}

static void *add_up(void *argument) {
    for (int i = 0; i < ADDITIONS; i++) {
        if (add_one(argument) != CANARY_OK) {
            return argument;
        }
    }
    return NULL;
}

/* Handles on one store in memory have a lock each, so two threads are in it at once. */
static void memory_of_two_threads(void **state) {
    struct place *place = *state;
    struct place figures[2];
    pthread_t threads[2];

    assert_int_equal(
        canary__memory_open(&place->hooks, &place->methods, &place->store, &place->error),
        CANARY_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(figures_open(place, 1, &figures[i]), CANARY_OK);
    }
    place_close(place);
    memset(&place->hooks, 0, sizeof place->hooks);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_up, &figures[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(figures_requests(&figures[0], "r"), 2 * ADDITIONS);
    place_close(&figures[0]);
    assert_int_equal(figures_requests(&figures[1], "r"), 2 * ADDITIONS);
    place_close(&figures[1]);
}

/* -- fork -- */

static int write_in_child(struct place *figures) {
    for (int i = 0; i < 50; i++) {
        int code;

        while ((code = figures_commit(figures, "child", i, 1)) == CANARY_E_BUSY) {
        }
        if (code != CANARY_OK) {
            printf("%s\n", figures->error.message);
            return 1;
        }
    }
    return figures_requests(figures, "child") == 50 ? 0 : 2;
}

/* Both go on writing through what they had before, and neither spoils the other's locks. */
static void written_by_a_child(void **state) {
    struct place figures;
    int status = 0;
    pid_t pid;

    figures_make(*state, &figures);
    assert_int_equal(figures_commit(&figures, "parent", -1, 1), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "parent"), 1);
    figures.methods.before_fork(figures.store);
    pid = fork();
    if (pid == 0) {
        _exit(write_in_child(&figures));
    }
    for (int i = 0; i < 50; i++) {
        int code;

        while ((code = figures_commit(&figures, "parent", i, 1)) == CANARY_E_BUSY) {
        }
        assert_int_equal(code, CANARY_OK);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(figures_requests(&figures, "parent"), 51);
    assert_int_equal(figures_requests(&figures, "child"), 50);
    place_close(&figures);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
#define QUICK(name) cmocka_unit_test_setup_teardown(name, place_setup_in_memory, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(many_makers),
        QUICK(killed_makers),
        TEST(memory_of_two_threads),
        QUICK(written_by_a_child),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
