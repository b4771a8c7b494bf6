/* SPDX-License-Identifier: MIT */
/* In which order a fork takes locks: those of decisions are not held while that of a metrics database,
 * where a commit may take long, is waited for. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork.h"
#include "measured.h"

static sem_t reached;
static sem_t go_on;
static int prepared;

static void slow_prepare(struct canary__fork_member *member) {
    (void)member;
    sem_post(&reached);
    sem_wait(&go_on);
}

static void fast_prepare(struct canary__fork_member *member) {
    (void)member;
    prepared++;
}

static void nothing(struct canary__fork_member *member) {
    (void)member;
}

static void *forks(void *argument) {
    pid_t child = fork();

    (void)argument;
    if (child == 0) {
        _exit(0);
    }
    return child > 0 && waitpid(child, NULL, 0) == child ? NULL : &prepared;
}

static void test_order(void **state) {
    struct canary__fork_member members[3] = {
        { .prepare = fast_prepare, .parent = nothing, .child = nothing },
        { .prepare = slow_prepare, .parent = nothing, .child = nothing },
        { .prepare = fast_prepare, .parent = nothing, .child = nothing },
    };
    pthread_t thread;
    void *failed = &thread;

    (void)state;
    sem_init(&reached, 0, 0);
    sem_init(&go_on, 0, 0);
    for (int i = 0; i < 3; i++) {
        OK(canary__fork_join(&members[i], &error));
    }
    canary__fork_patient(&members[1]);
    assert_int_equal(pthread_create(&thread, NULL, forks, NULL), 0);
    while (sem_wait(&reached) != 0 && errno == EINTR) {
    }
    assert_int_equal(prepared, 0);
    sem_post(&go_on);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(prepared, 2);
    for (int i = 0; i < 3; i++) {
        canary__fork_leave(&members[i]);
    }
}

static void test_measurements(void **state) {
    struct unit *unit = *state;

    assert_int_equal(measured_store(unit)->member.patient, 1);
    assert_int_equal(unit->store->member.patient, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        MEASURED_BOTH(test_measurements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
