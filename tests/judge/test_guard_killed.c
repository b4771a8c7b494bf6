/* SPDX-License-Identifier: MIT */
/* Guards in processes of their own: killed in the middle of acting, and two that know different
 * policies. */
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "judged.h"

enum { KILLS = 30, ROUNDS = 15 };

static void pause_ns(int64_t ns) {
    const struct timespec span = { ns / SECOND, ns % SECOND };

    nanosleep(&span, NULL);
}

/* -- killed -- */

static void tell_parent(void *user_data, const canary_guard_event *event) {
    if (event->type == CANARY_EVENT_VERDICT && event->verdict->action == CANARY_VERDICT_ROLLBACK) {
        (void)!write(*(int *)user_data, "v", 1);
    }
}

/* Ends by a signal, or after its work. */
static void guard_in_child(struct unit *unit, int pipe_end) {
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    canary_store *store = unit_another(unit);

    options.rollout = JUDGED;
    options.callback = tell_parent;
    options.user_data = &pipe_end;
    (void)canary_guard_once(store, &options, NULL);
    (void)!write(pipe_end, "e", 1);
    _exit(0);
}

static int64_t time_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

/* Kills a guard so long after it has decided to act; 1 when it had not come to its end. Below 0: lets it
 * work. Sets `*took_ns` to how long it did from there on, or took at most, where it had. */
static int kill_one(struct unit *unit, int64_t after_ns, int64_t *took_ns) {
    struct pollfd news;
    int ends[2];
    int status;
    char word = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        guard_in_child(unit, ends[1]);
    }
    close(ends[1]);
    news = (struct pollfd){ .fd = ends[0], .events = POLLIN };
    assert_int_equal(poll(&news, 1, 120000), 1);
    assert_int_equal(read(ends[0], &word, 1), 1);
    assert_int_equal(word, 'v');
    if (after_ns < 0) {
        *took_ns = time_now();
        assert_int_equal(read(ends[0], &word, 1), 1);
        *took_ns = time_now() - *took_ns;
    } else {
        pause_ns(after_ns);
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
    /* It may have been measured while the machine had other work to do: then nobody would die at work. */
    if (!WIFSIGNALED(status) && after_ns >= 0 && after_ns < *took_ns) {
        *took_ns = after_ns + 1;
    }
    return WIFSIGNALED(status);
}

static void a_killed_guard_leaves_one_change(void **state) {
    uint64_t seed = unit_seed();
    int64_t took_ns = 0;
    int unfinished = 0;
    int before = 0;

    (void)state;
    for (int i = 0; i <= KILLS; i++) {
        struct unit *unit = judged_new(UNIT_SQLITE, 500);
        canary_change change = { .size = sizeof change };

        judged_plain(unit, "auto", "");
        judged_ticks(unit, 3, 950, 10, 50, 40);
        unfinished += kill_one(
            unit, i == 0 ? -1 : (int64_t)(unit_random(&seed) % ((uint64_t)took_ns * 5 / 4)),
            &took_ns);
        before += judged_changes(unit->store, "rollback", NULL) == 0;
        /* Another guard, when the lease of the dead one is over, finds what there is. */
        judged_pass(unit, 31 * SECOND);
        OK(canary_guard_once(unit->store, NULL, &error));
        OK(canary_guard_once(unit->store, NULL, &error));
        assert_int_equal(judged_changes(unit->store, "rollback", &change), 1);
        assert_int_equal(change.from_percentage_bp, 500);
        assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
        assert_int_equal(unit_read(unit, JUDGED).doubt, 0);
        OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
        unit_free(unit);
    }
    print_message("of %d guards %d were killed at work, %d before they had recorded anything\n",
                  KILLS, unfinished, before);
    assert_true(unfinished > 0);
}

/* -- two processes, two policies -- */

struct shared {
    atomic_llong realtime;
    atomic_int stop;
    atomic_int actions[2];
};

static int64_t shared_clock(void *user_data, int clock) {
    struct shared *shared = user_data;

    (void)clock;
    return atomic_load(&shared->realtime);
}

struct acting {
    struct shared *shared;
    int which;
};

static void count_actions(void *user_data, const canary_guard_event *event) {
    struct acting *acting = user_data;

    if (event->type == CANARY_EVENT_ACTION) {
        atomic_fetch_add(&acting->shared->actions[acting->which], 1);
    }
}

static void guard_on(struct unit *unit, struct shared *shared, int which) {
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    struct acting acting = { shared, which };
    canary_store *store = unit_another(unit);

    options.rollout = JUDGED;
    options.callback = count_actions;
    options.user_data = &acting;
    while (!atomic_load(&shared->stop)) {
        (void)canary_guard_once(store, &options, NULL);
        pause_ns(500000);
    }
    canary_store_close(&store);
    _exit(0);
}

static void say(struct unit *unit, struct shared *shared, int64_t ns) {
    judged_pass(unit, ns);
    atomic_store(&shared->realtime, unit->realtime);
}

struct checking {
    canary_store *store;
    uint32_t rollbacks;
    uint64_t newer; /* revision that the verdict of the rollback after this one was about */
};

/* Newest first: no two rollbacks rest on verdicts about one state. A verdict may be a revision behind when
 * somebody else was quicker than the rollback, which is never refused. */
static int check_row(void *user_data, const canary_change *change) {
    static char evidence[65536];
    struct checking *checking = user_data;
    uint64_t revision;
    uint64_t size = 0;
    json_t *root;

    if (strcmp(change->action, "rollback") != 0) {
        return 0;
    }
    OK(canary_change_evidence(checking->store, change->id, evidence, sizeof evidence, &size,
                              &error));
    root = json_loadb(evidence, (size_t)size, 0, NULL);
    assert_non_null(root);
    revision = (uint64_t)json_integer_value(json_object_get(root, "revision"));
    assert_true(revision < change->revision);
    assert_true(checking->newer == 0 || checking->newer > change->revision);
    assert_int_equal(change->from_percentage_bp, 500);
    assert_int_equal(change->to_percentage_bp, 0);
    json_decref(root);
    checking->newer = revision;
    checking->rollbacks++;
    return 0;
}

static void two_policies_act_once_each_verdict(void **state) {
    struct unit *unit = judged_new(UNIT_SQLITE, 0);
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct checking checking = { 0 };
    pid_t children[2];
    uint64_t seed = unit_seed();

    (void)state;
    assert_true(shared != MAP_FAILED);
    atomic_store(&shared->realtime, unit->realtime);
    judged_plain(unit, "auto", ",\"cooldown\":\"0s\",\"attempts\":0");
    unit->options.clock = shared_clock;
    unit->options.clock_data = shared;
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            guard_on(unit, shared, i);
        }
    }
    for (int i = 0; i < ROUNDS; i++) {
        unit_set(unit, JUDGED, 500);
        judged_pass(unit, TICK);
        judged_outcomes(unit, 950, 10, 50, 45);
        say(unit, shared, 0);
        /* While they judge by one policy another one comes into force. */
        for (int waited = 0; unit_read(unit, JUDGED).percentage_bp > 0; waited++) {
            assert_true(waited < 60000);
            if (unit_random(&seed) % 4 == 0) {
                judged_plain(unit, "auto",
                             unit_random(&seed) % 2 == 0
                                 ? ",\"cooldown\":\"0s\",\"attempts\":0"
                                 : ",\"cooldown\":\"1m\",\"attempts\":0,\"alpha\":0.04");
            }
            pause_ns(2000000);
        }
    }
    pause_ns(20000000);
    atomic_store(&shared->stop, 1);
    for (int i = 0; i < 2; i++) {
        int status = -1;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    checking.store = unit->store;
    OK(canary_history(unit->store, JUDGED, 0, 0, check_row, &checking, &error));
    assert_int_equal(checking.rollbacks, ROUNDS);
    print_message("one acted %d times, the other one %d times\n", atomic_load(&shared->actions[0]),
                  atomic_load(&shared->actions[1]));
    assert_int_equal(atomic_load(&shared->actions[0]) + atomic_load(&shared->actions[1]), ROUNDS);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    munmap(shared, sizeof *shared);
    unit_free(unit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_guard_leaves_one_change),
        cmocka_unit_test(two_policies_act_once_each_verdict),
    };

    return cmocka_run_group_tests_name("guards in processes", tests, NULL, NULL);
}
