/* SPDX-License-Identifier: MIT */
/* Children of fork(): they decide at once with the last known state, follow by themselves, leak
 * nothing and never hang, whatever parent, writer and other threads are doing at that moment. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

/* As many forks as a slow machine or disk comes to in so long, but no fewer than FORKS_LEAST. */
enum { FORKS = 1500, FORKS_LEAST = 60, FORKS_S = 60, AT_ONCE = 3 };

static const char name[] = "main";
static const char *path;
static canary_store *store;
static canary_ctx *ctx;
static int fds_closed; /* open descriptors before the store was opened */
static int fds_open;   /* and with it */
static atomic_int stop;

static char low[48];
static char high[48];
static char pinned_new[48];
static char pinned_old[48];

static canary_decision explain(const char *id) {
    canary_decision d = CANARY_DECISION_INIT;

    CHECK(canary_explain(ctx, id, strlen(id), &d) == CANARY_OK, "explain");
    return d;
}

/* Of a rollout that stays between 10 % and 90 % and has pins. */
static uint64_t decide_at_once(void) {
    canary_decision d;

    CHECK(canary_should_use_new(ctx, low) == CANARY_NEW, "low user");
    CHECK(canary_should_use_new(ctx, high) == CANARY_OLD, "high user");
    CHECK(canary_should_use_new(ctx, pinned_new) == CANARY_NEW, "pinned to new");
    CHECK(canary_should_use_new(ctx, pinned_old) == CANARY_OLD, "pinned to old");
    d = explain(pinned_old);
    CHECK(d.reason == CANARY_REASON_OVERRIDE, "pinned: %s", canary_reason_name(d.reason));
    d = explain(low);
    CHECK(d.reason == CANARY_REASON_SPLIT, "low: %s", canary_reason_name(d.reason));
    return d.revision;
}

/* Waits for a state that was recorded after `revision` and, with `bp`, has this percentage. */
static void follow(uint64_t revision, uint32_t bp, const char *what) {
    int64_t end = now_ns() + PATIENCE_S * INT64_C(1000000000);
    canary_decision d;

    do {
        d = explain(low);
        if (d.revision > revision && (bp == 0 || d.percentage_bp == bp)) {
            return;
        }
        sleep_us(200);
    } while (now_ns() < end);
    CHECK(0, "%s: still at revision %llu, %u bp; forked at %llu", what,
          (unsigned long long)d.revision, d.percentage_bp, (unsigned long long)revision);
}

static void close_all(void) {
    canary_close(&ctx);
    canary_store_close(&store);
    CHECK(ctx == NULL && store == NULL, "not closed");
    CHECK(count_descriptors() == fds_closed, "%d descriptors after closing, %d before opening",
          count_descriptors(), fds_closed);
}

/* -- the writer: another process, changing without pause, every other change a rollback -- */

static int write_for_ever(const char *at) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *own = NULL;
    uint64_t random = 1;

    options.flags = CANARY_OPEN_NO_WATCHER;
    MUST(canary_store_open(at, &options, &own, &error), error);
    for (;;) {
        uint32_t to = 3000 + (uint32_t)(next_random(&random) % 6001);

        MUST(canary_set_percentage(own, name, to, NULL, NULL, NULL, &error), error);
        MUST(canary_rollback(own, name, 2, NULL, NULL, &error), error);
    }
}

/* -- many forks -- */

struct birth {
    uint64_t revision; /* what the parent had seen */
    int nested;
};

static int child_of_loop(void *data) {
    struct birth *birth = data;
    uint64_t revision;

    CHECK(count_descriptors() <= fds_open, "inherited %d descriptors of %d", count_descriptors(),
          fds_open);
    revision = decide_at_once();
    CHECK(revision >= birth->revision, "revision %llu, the parent had %llu",
          (unsigned long long)revision, (unsigned long long)birth->revision);
    if (birth->nested > 0) {
        struct birth next = { revision, birth->nested - 1 };

        /* Once before and once after this process has a watcher of its own. */
        child_succeeded(in_child(child_of_loop, &next, WATCHDOG_S), "grandchild");
        follow(revision, 2500, "nested child");
        next.revision = decide_at_once();
        child_succeeded(in_child(child_of_loop, &next, WATCHDOG_S), "later grandchild");
    }
    follow(revision, 2500, "child");
    decide_at_once();
    close_all();
    return 0;
}

static int enough(int forks, int most, int64_t began) {
    return forks >= most ||
           (forks >= FORKS_LEAST && now_ns() - began > FORKS_S * INT64_C(1000000000));
}

/* Any thread of the parent may fork; each reaps its own. */
static void *fork_in_loop(void *forks) {
    pid_t running[AT_ONCE] = { 0 };
    int64_t began = now_ns();

    for (int i = 0; !enough(i, FORKS / 2, began); i++) {
        struct birth birth = { explain(low).revision, i % 50 == 49 ? 2 : 0 };

        if (running[i % AT_ONCE] != 0) {
            child_succeeded(running[i % AT_ONCE], "child");
        }
        running[i % AT_ONCE] = in_child(child_of_loop, &birth, WATCHDOG_S);
        atomic_fetch_add((atomic_int *)forks, 1);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        child_succeeded(running[i], "child");
    }
    return NULL;
}

static void *decide_for_ever(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        decide_at_once();
        sleep_us(20);
    }
    return NULL;
}

static int many_forks(void) {
    atomic_int forks = 0;
    pid_t writer = run_role("writer", path, NULL, NULL);
    pthread_t readers[2];
    pthread_t forker;

    follow(explain(low).revision, 2500, "parent before");
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&readers[i], NULL, decide_for_ever, NULL) == 0, "pthread_create");
    }
    CHECK(pthread_create(&forker, NULL, fork_in_loop, &forks) == 0, "pthread_create");
    fork_in_loop(&forks);
    pthread_join(forker, NULL);
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
    }
    atomic_store(&stop, 0);
    follow(explain(low).revision, 2500, "parent after");
    stop_role(writer);
    return forks;
}

/* -- stores that come and go while another thread forks -- */

static void *open_and_close(void *unused) {
    canary_options options = patient();

    (void)unused;
    while (!atomic_load(&stop)) {
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *own = NULL;

        MUST(canary_open(path, name, &options, &own, &error), error);
        CHECK(canary_should_use_new(own, low) == CANARY_NEW, "low user");
        canary_close(&own);
    }
    return NULL;
}

static int child_beside_openers(void *data) {
    struct birth *birth = data;
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    uint64_t revision = decide_at_once();
    canary_ctx *own = NULL;

    CHECK(revision >= birth->revision, "older than the parent's state");
    follow(revision, 0, "child beside openers");
    MUST(canary_open(path, name, &options, &own, &error), error);
    CHECK(canary_should_use_new(own, low) == CANARY_NEW, "low user of another store");
    canary_close(&own);
    canary_close(&ctx);
    canary_store_close(&store);
    return 0;
}

static int forks_beside_openers(void) {
    pid_t writer = run_role("writer", path, NULL, NULL);
    pthread_t openers[2];
    pid_t running[AT_ONCE] = { 0 };
    int64_t began = now_ns();
    int forks = 0;

    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&openers[i], NULL, open_and_close, NULL) == 0, "pthread_create");
    }
    for (; !enough(forks, FORKS / 5, began); forks++) {
        struct birth birth = { explain(low).revision, 0 };

        if (running[forks % AT_ONCE] != 0) {
            child_succeeded(running[forks % AT_ONCE], "child beside openers");
        }
        running[forks % AT_ONCE] = in_child(child_beside_openers, &birth, WATCHDOG_S);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        child_succeeded(running[i], "child beside openers");
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++) {
        pthread_join(openers[i], NULL);
    }
    atomic_store(&stop, 0);
    stop_role(writer);
    return forks;
}

/* -- one at a time: what a child does first, and what it is told later -- */

/* Two pipes: the parent says go, the child says done. */
static int to_child[2];
static int to_parent[2];

static void make_pipes(void) {
    CHECK(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe: %s", strerror(errno));
}

static void close_pipes(void) {
    close(to_child[0]);
    close(to_child[1]);
    close(to_parent[0]);
    close(to_parent[1]);
}

static void say(const int *pipe_ends) {
    CHECK(write(pipe_ends[1], "x", 1) == 1, "write: %s", strerror(errno));
}

static void hear(const int *pipe_ends) {
    char c;

    CHECK(read(pipe_ends[0], &c, 1) == 1, "read: %s", strerror(errno));
}

static void set(uint32_t bp) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_set_percentage(store, name, bp, NULL, NULL, NULL, &error), error);
}

static void wait_for_bp(uint32_t bp, const char *what) {
    int64_t end = now_ns() + PATIENCE_S * INT64_C(1000000000);

    while (explain(low).percentage_bp != bp) {
        CHECK(now_ns() < end, "%s: at %u bp, not %u", what, explain(low).percentage_bp, bp);
        sleep_us(200);
    }
}

static int child_refreshes_first(void *unused) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx_info info = CANARY_CTX_INFO_INIT;

    (void)unused;
    hear(to_child); /* the state has changed since the fork */
    MUST(canary_refresh(store, &error), error);
    CHECK(explain(low).percentage_bp == 4000, "refreshed to %u", explain(low).percentage_bp);
    canary_info(ctx, &info);
    CHECK(info.watcher == 1, "no watcher");
    say(to_parent);
    wait_for_bp(6000, "child that refreshed first");
    return 0;
}

static int child_changes_first(void *unused) {
    (void)unused;
    hear(to_child);
    set(4500);
    CHECK(explain(low).percentage_bp == 4500, "changed to %u", explain(low).percentage_bp);
    say(to_parent);
    wait_for_bp(6000, "child that changed first");
    return 0;
}

static int child_of_no_watcher(void *unused) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx_info info = CANARY_CTX_INFO_INIT;

    (void)unused;
    decide_at_once();
    CHECK(explain(low).percentage_bp == 5000, "inherited %u", explain(low).percentage_bp);
    canary_info(ctx, &info);
    CHECK(info.watcher == 0 && info.source == CANARY_SOURCE_FORK, "watcher %d, source %d",
          info.watcher, info.source);
    say(to_parent);
    hear(to_child);
    CHECK(explain(low).percentage_bp == 5000, "followed without a watcher");
    MUST(canary_refresh(store, &error), error);
    CHECK(explain(low).percentage_bp == 6000, "refreshed to %u", explain(low).percentage_bp);
    decide_at_once();
    return 0;
}

static int child_is_killed(void *unused) {
    (void)unused;
    CHECK(canary_should_use_new(ctx, low) == CANARY_OLD, "the local kill was not inherited");
    CHECK(explain(low).reason == CANARY_REASON_KILLED, "reason");
    canary_revive(ctx);
    decide_at_once();
    canary_kill(ctx);
    CHECK(canary_should_use_new(ctx, low) == CANARY_OLD, "killed again");
    return 0;
}

/* Kills before it has decided anything, while its page is still blank. */
static int child_kills_first(void *unused) {
    (void)unused;
    canary_kill(ctx);
    CHECK(canary_should_use_new(ctx, low) == CANARY_OLD, "killed");
    canary_revive(ctx);
    decide_at_once();
    return 0;
}

static int child_closes_first(void *unused) {
    (void)unused;
    close_pipes();
    close_all();
    return 0;
}

static void firsts(void) {
    pid_t pid;

    set(5000);
    make_pipes();
    pid = in_child(child_refreshes_first, NULL, WATCHDOG_S);
    set(4000);
    say(to_child);
    hear(to_parent);
    set(6000);
    child_succeeded(pid, "child that refreshed first");

    pid = in_child(child_changes_first, NULL, WATCHDOG_S);
    say(to_child);
    hear(to_parent);
    wait_for_bp(4500, "parent of a child that changed");
    set(6000);
    child_succeeded(pid, "child that changed first");

    canary_kill(ctx);
    pid = in_child(child_is_killed, NULL, WATCHDOG_S);
    child_succeeded(pid, "child of a killed context");
    canary_revive(ctx);
    decide_at_once();
    child_succeeded(in_child(child_kills_first, NULL, WATCHDOG_S), "child that killed first");
    child_succeeded(in_child(child_closes_first, NULL, WATCHDOG_S), "child that closed first");
    close_pipes();
}

static void without_watcher(void) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *followed = store;
    canary_ctx *followed_ctx = ctx;
    pid_t pid;

    set(5000);
    options.flags = CANARY_OPEN_NO_WATCHER;
    store = NULL;
    ctx = NULL;
    MUST(canary_store_open(path, &options, &store, &error), error);
    MUST(canary_open_in(store, name, NULL, &ctx, &error), error);
    make_pipes();
    pid = in_child(child_of_no_watcher, NULL, WATCHDOG_S);
    hear(to_parent);
    set(6000);
    sleep_us(400000); /* longer than a tick */
    say(to_child);
    child_succeeded(pid, "child without a watcher");
    close_pipes();
    canary_close(&ctx);
    canary_store_close(&store);
    store = followed;
    ctx = followed_ctx;
}

static int child_awaits_zero(void *unused) {
    int64_t end;

    (void)unused;
    decide_at_once();
    say(to_parent);
    hear(to_child);
    end = now_ns() + PATIENCE_S * INT64_C(1000000000);
    while (canary_should_use_new(ctx, low) != CANARY_OLD) {
        CHECK(now_ns() < end, "the rollback did not arrive");
        sleep_us(200);
    }
    close_pipes();
    close_all();
    return 0;
}

static void herd_hears_rollback(void) {
    enum { HERD = 24 };
    canary_error error = CANARY_ERROR_INIT;
    pid_t herd[HERD];

    set(5000);
    make_pipes();
    for (int i = 0; i < HERD; i++) {
        herd[i] = in_child(child_awaits_zero, NULL, WATCHDOG_S);
    }
    for (int i = 0; i < HERD; i++) {
        hear(to_parent);
    }
    MUST(canary_rollback(store, name, 0, NULL, NULL, &error), error);
    for (int i = 0; i < HERD; i++) {
        say(to_child);
    }
    for (int i = 0; i < HERD; i++) {
        child_succeeded(herd[i], "child awaiting a rollback");
    }
    close_pipes();
    set(5000);
}

static int child_opens(void *unused) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;

    (void)unused;
    MUST(canary_store_open(path, &options, &store, &error), error);
    MUST(canary_open_in(store, name, NULL, &ctx, &error), error);
    decide_at_once();
    close_all();
    return 0;
}

static int child_of_memory(void *data) {
    canary_store **memory = data;
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_set_percentage(*memory, "m", 10000, NULL, NULL, NULL, &error), error);
    canary_store_close(memory);
    return 0;
}

static void memory_is_copied(void) {
    canary_store *memory = make_store(NULL, "m", 500);
    canary_rollout now = { .size = (uint32_t)sizeof now };
    canary_error error = CANARY_ERROR_INIT;

    child_succeeded(in_child(child_of_memory, &memory, WATCHDOG_S), "child with a memory store");
    MUST(canary_rollout_read(memory, "m", &now, &error), error);
    CHECK(now.percentage_bp == 500, "the child changed the parent's memory");
    canary_store_close(&memory);
}

int main(int argc, char **argv) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    int64_t start = now_ns();

    if (argc > 2 && strcmp(argv[1], "writer") == 0) {
        return write_for_ever(argv[2]);
    }
    if (UNDER_TSAN) {
        skip("ThreadSanitizer allows no threads in children of threaded processes");
    }
    alarm(540); /* a child that failed leaves its parent waiting for word from it */
    path = path_in("db");
    user_in("", 0, 1000, 1, low, sizeof low);
    user_in("", 9000, 10000, 2, high, sizeof high);
    user_in("", 9000, 10000, 3, pinned_new, sizeof pinned_new);
    user_in("", 0, 1000, 4, pinned_old, sizeof pinned_old);
    store = make_store(path, name, 5000);
    MUST(canary_override_set(store, name, pinned_new, strlen(pinned_new), CANARY_NEW, NULL, NULL,
                             &error),
         error);
    MUST(canary_override_set(store, name, pinned_old, strlen(pinned_old), CANARY_OLD, NULL, NULL,
                             &error),
         error);
    canary_store_close(&store);
    fds_closed = count_descriptors();
    child_succeeded(in_child(child_opens, NULL, WATCHDOG_S), "child that opens");

    MUST(canary_store_open(path, &options, &store, &error), error);
    MUST(canary_open_in(store, name, NULL, &ctx, &error), error);
    MUST(canary_refresh(store, &error), error);
    fds_open = count_descriptors();
    firsts();
    without_watcher();
    herd_hears_rollback();
    memory_is_copied();
    printf("one at a time: %.1f s\n", (double)(now_ns() - start) / 1e9);
    if (UNDER_ASAN) {
        /* Its allocator's locks are not at rest in a child when another thread was in them, which a
         * starting or ending thread is. */
        printf("no forks beside busy threads: AddressSanitizer deadlocks in such children\n");
    } else {
        start = now_ns();
        printf("%d forks: ", many_forks());
        printf("%.1f s\n", (double)(now_ns() - start) / 1e9);
        start = now_ns();
        printf("%d forks beside stores that come and go: ", forks_beside_openers());
        printf("%.1f s\n", (double)(now_ns() - start) / 1e9);
    }
    decide_at_once();
    close_all();
    child_succeeded(in_child(child_opens, NULL, WATCHDOG_S), "child after closing");
    return 0;
}
