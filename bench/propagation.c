/* SPDX-License-Identifier: MIT */
/* How long a change takes to reach the decisions of other processes on this host.
 *
 * Clock stops, in each following process, the moment its watcher has published: the linker puts a
 * function of ours around the library's own that publishes, which then asks for the decision and takes
 * CLOCK_MONOTONIC when it flipped. Decisions made by any thread of that process flip at the same
 * instant.
 *
 * Clock starts where the line says: for commands when the writer's store has committed and let go of
 * its connection, before the bell is rung; for rollbacks, which ring before they commit, when canary_rollback() was called; for
 * plain SQL when sqlite3_exec() returned.
 *
 * Changes are 80 ms apart and more, so that nobody is still at the look by which each process confirms,
 * up to 60 ms later, what it was told; the machine is idle in between, its caches and processors as
 * cold as an operator finds them. Bare wakes take turns with them in blocks, at the same pace. Until
 * everybody has flipped the writer sleeps, as it would if it had ended. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <canary/canary.h>
#include <canary/storage.h>

#include "base/hooks.h"
#include "core/snapshot.h"
#include "floor.h"
#include "series.h"
#include "storage/stores.h"

enum { MOST = 64, SAMPLES = SERIES_MOST, BLOCK = 20, TICK_MS = 250, NOBODY = 65534 };

/* One per following process; a cache line each. */
struct slot {
    _Alignas(64) _Atomic(int64_t) flipped_ns; /* when its decision last flipped */
    _Atomic(uint32_t) flips;                  /* how often */
    _Atomic(uint32_t) ready;
};

static struct slot *slots;
static pid_t followers[MOST];
static char directory[256];
static char path[300];
static const char user[] = "alice"; /* bucket 178: in from the first stage on */

static void die(const char *what, const char *why) {
    fprintf(stderr, "propagation: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_us(int64_t us) {
    struct timespec span = { us / 1000000, us % 1000000 * 1000 };

    nanosleep(&span, NULL);
}

static void must(int code, const canary_error *error, const char *what) {
    if (code != CANARY_OK) {
        die(what, error->message);
    }
}

/* -- the SQLite store with a look on the way -- */

static canary_storage_methods sqlite;
static struct canary__hooks hooks;
static canary_ctx *observed; /* in followers */
static struct slot *own_slot;
static int last_decision;
static int64_t committed_ns; /* in the writer */
static void *write_transaction;

static void observe(void) {
    int decision;

    if (observed == NULL) {
        return;
    }
    decision = canary_should_use_new(observed, user);
    if (decision != last_decision) {
        last_decision = decision;
        atomic_store(&own_slot->flipped_ns, now_ns());
        atomic_fetch_add(&own_slot->flips, 1);
    }
}

void __real_canary__snapshot_publish(canary_ctx *ctx, const struct canary__state *state);
void __wrap_canary__snapshot_publish(canary_ctx *ctx, const struct canary__state *state);

void __wrap_canary__snapshot_publish(canary_ctx *ctx, const struct canary__state *state) {
    __real_canary__snapshot_publish(ctx, state);
    observe();
}

static int begin(void *store, int mode, void **transaction, canary_error *error) {
    int code;

    code = sqlite.begin(store, mode, transaction, error);
    if (code == CANARY_OK && mode == CANARY_STORAGE_WRITE) {
        write_transaction = *transaction;
    }
    return code;
}

static int end(void *transaction, int commit, canary_error *error) {
    int write = transaction == write_transaction;
    int code;

    code = sqlite.end(transaction, commit, error);
    if (write && commit && code == CANARY_OK) {
        committed_ns = now_ns();
    }
    return code;
}

static canary_store *open_store(uint32_t flags, int64_t busy_ns) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_storage_methods methods;
    canary_store *store = NULL;
    void *implementation = NULL;

    options.flags = flags;
    options.busy_timeout_ns = busy_ns;
    canary__hooks_init(&hooks, &options);
    must(canary__sqlite_open(path, flags, &hooks, &sqlite, &implementation, &error), &error,
         "open");
    methods = sqlite;
    methods.begin = begin;
    methods.end = end;
    must(canary_store_open_custom(&methods, implementation, &options, &store, &error), &error,
         "open");
    return store;
}

/* -- following processes -- */

static void follow(int index) {
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store;
    canary_ctx *ctx = NULL;

    /* Services do not run as root, for whom SQLite does extra work (it gives the journal away to the
     * database's owner at each look). */
    if (geteuid() == 0 &&
        (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
        die("setresuid", strerror(errno));
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    own_slot = &slots[index];
    store = open_store(0, 0);
    must(canary_open_in(store, "bench", NULL, &ctx, &error), &error, "follow");
    last_decision = canary_should_use_new(ctx, user);
    __atomic_store_n(&observed, ctx, __ATOMIC_RELEASE);
    atomic_store(&own_slot->ready, 1);
    for (;;) {
        pause();
    }
}

static void start(int count) {
    memset(slots, 0, sizeof *slots * MOST);
    for (int i = 0; i < count; i++) {
        followers[i] = fork();
        if (followers[i] == 0) {
            follow(i);
        }
    }
    for (int i = 0; i < count; i++) {
        while (atomic_load(&slots[i].ready) == 0) {
            if (waitpid(followers[i], NULL, WNOHANG) != 0) {
                die("follower", "ended");
            }
            sleep_us(1000);
        }
    }
    sleep_us(300000); /* past everybody's first tick */
}

static void stop(int count) {
    for (int i = 0; i < count; i++) {
        kill(followers[i], SIGKILL);
        waitpid(followers[i], NULL, 0);
    }
}

/* -- samples -- */

/* How often each follower has flipped so far; they do it all together. */
static uint32_t flips(void) {
    return atomic_load(&slots[0].flips);
}

/* Waits until all have flipped once more and answers the last one's time. */
static int64_t last_flip(int count, uint32_t before) {
    int64_t last = 0;
    int64_t limit = now_ns() + INT64_C(10000000000);

    sleep_us(FLOOR_QUIET_US); /* looking again and again would take a processor from them */
    for (int i = 0; i < count; i++) {
        int64_t at;

        while (atomic_load(&slots[i].flips) != before + 1) {
            if (now_ns() > limit) {
                die("follower", "does not follow");
            }
            sleep_us(200);
        }
        at = atomic_load(&slots[i].flipped_ns);
        last = at > last ? at : last;
    }
    return last;
}

/* Changes come at any phase of the tick, and when everybody is done with the one before. */
static void pause_between(void) {
    sleep_us(80000 + random() % 5000);
}

/* The budgets were set on a machine that wakes one process and re-reads a file within 40 us, and the last
 * of 64 within 600, both p99. Where waking alone takes longer, what counts is the ratio to it, in turn. */
static int commands_and_rollbacks(canary_store *store, int count, int samples) {
    struct bench_series bare = { .what = "a bare futex, in blocks by turns with the next" };
    struct bench_series up = { .what = "advance, from COMMIT",
                               .budget_ms = count == 1 ? 0.1 : 1,
                               .ratio = count == 1 ? 100.0 / 40 : 1000.0 / 600,
                               .floor = &bare };
    struct bench_series down = { .what = "rollback, from the call" };
    canary_error error = CANARY_ERROR_INIT;
    struct floor *floor = floor_begin(count);

    start(count);
    for (int i = 0; i < samples; i++) {
        uint32_t before = flips();
        int64_t called;

        for (int bares = i % BLOCK == 0 ? BLOCK : 0; bares > 0 && bare.all.count < samples;
             bares--) {
            pause_between();
            bench_series_begin(&bare);
            bench_series_add(&bare, 0, floor_sample(floor));
        }
        pause_between();
        bench_series_begin(&up);
        must(canary_advance(store, "bench", NULL, NULL, &error), &error, "advance");
        bench_series_add(&up, committed_ns, last_flip(count, before));
        pause_between();
        bench_series_begin(&down);
        called = now_ns();
        must(canary_rollback(store, "bench", 0, NULL, NULL, &error), &error, "rollback");
        bench_series_add(&down, called, last_flip(count, before + 1));
    }
    stop(count);
    floor_end(floor);
    return bench_series_report(&bare, count) + bench_series_report(&up, count) +
           bench_series_report(&down, count);
}

static sqlite3 *open_shell(void) {
    sqlite3 *db = NULL;

    if (sqlite3_open(path, &db) != SQLITE_OK) {
        die("sqlite3_open", sqlite3_errmsg(db));
    }
    sqlite3_busy_timeout(db, 10000);
    return db;
}

static void run_sql(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        die(sql, sqlite3_errmsg(db));
    }
}

static int locked_rollbacks(canary_store *store, int count, int samples) {
    struct bench_series down = { .what = "rollback, database locked exclusively, from the call" };
    canary_error error = CANARY_ERROR_INIT;
    int to_locker[2];
    int from_locker[2];
    pid_t locker;
    char c = 0;

    if (pipe(to_locker) != 0 || pipe(from_locker) != 0) {
        die("pipe", strerror(errno));
    }
    locker = fork();
    if (locker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (sqlite3 *db = open_shell(); read(to_locker[0], &c, 1) == 1;) {
            run_sql(db, c == 'l' ? "BEGIN EXCLUSIVE" : "COMMIT");
            if (write(from_locker[1], &c, 1) != 1) {
                break;
            }
        }
        _exit(0);
    }
    start(count);
    for (int i = 0; i < samples; i++) {
        uint32_t before = flips();
        int64_t called;
        int code;

        must(canary_advance(store, "bench", NULL, NULL, &error), &error, "advance");
        last_flip(count, before);
        pause_between();
        if (write(to_locker[1], "l", 1) != 1 || read(from_locker[0], &c, 1) != 1) {
            die("locker", "ended");
        }
        bench_series_begin(&down);
        called = now_ns();
        code = canary_rollback(store, "bench", 0, NULL, NULL, &error);
        if (code != CANARY_E_BUSY || error.in_effect != 1) {
            die("rollback of a locked store", error.message);
        }
        bench_series_add(&down, called, last_flip(count, before + 1));
        if (write(to_locker[1], "u", 1) != 1 || read(from_locker[0], &c, 1) != 1) {
            die("locker", "ended");
        }
        must(canary_rollback(store, "bench", 0, NULL, NULL, &error), &error, "rollback");
    }
    stop(count);
    kill(locker, SIGKILL);
    waitpid(locker, NULL, 0);
    return bench_series_report(&down, count);
}

static int plain_sql(canary_store *store, int count, int samples) {
    struct bench_series edits = { .what = "plain SQL on the flag, from COMMIT",
                                  .budget_ms = TICK_MS + 10 };
    canary_error error = CANARY_ERROR_INIT;
    sqlite3 *db;

    must(canary_advance(store, "bench", NULL, NULL, &error), &error, "advance");
    start(count);
    db = open_shell(); /* after the forks: SQLite is not to be inherited */
    for (int i = 0; i < samples; i++) {
        uint32_t before = flips();
        int64_t committed;

        sleep_us(random() % (TICK_MS * 1000));
        run_sql(db, i % 2 == 0 ? "UPDATE feature_flags SET enabled = 0 WHERE name = 'bench'"
                               : "UPDATE feature_flags SET enabled = 1 WHERE name = 'bench'");
        committed = now_ns();
        bench_series_add(&edits, committed, last_flip(count, before));
    }
    sqlite3_close(db);
    stop(count);
    must(canary_rollback(store, "bench", 0, NULL, NULL, &error), &error, "rollback");
    return bench_series_report(&edits, count);
}

/* -- in one process -- */

static void refreshes(void) {
    enum { UNCHANGED = 5000, CHANGED = 300 };
    canary_error error = CANARY_ERROR_INIT;
    canary_store *reader = open_store(CANARY_OPEN_NO_WATCHER, 0);
    canary_store *writer = open_store(CANARY_OPEN_NO_WATCHER, 0);
    canary_ctx *ctx = NULL;
    int64_t start_ns;
    int64_t changed = 0;
    int64_t unchanged;

    must(canary_open_in(reader, "bench", NULL, &ctx, &error), &error, "open");
    start_ns = now_ns();
    for (int i = 0; i < UNCHANGED; i++) {
        must(canary_refresh(reader, &error), &error, "refresh");
    }
    unchanged = (now_ns() - start_ns) / UNCHANGED;
    for (int i = 0; i < CHANGED; i++) {
        must(canary_set_percentage(writer, "bench", 100 + (uint32_t)i, NULL, NULL, NULL, &error),
             &error, "set");
        start_ns = now_ns();
        must(canary_refresh(reader, &error), &error, "refresh");
        changed += now_ns() - start_ns;
    }
    printf("one refresh, in the process: %.1f us when nothing moved, %.1f us after a change\n",
           (double)unchanged / 1e3, (double)changed / CHANGED / 1e3);
    canary_close(&ctx);
    canary_store_close(&reader);
    canary_store_close(&writer);
}

static double million_decisions(canary_ctx *ctx) {
    enum { BATCH = 1000, MS = 300 };
    int64_t start_ns = now_ns();
    int64_t done = 0;
    int chosen = 0;

    while (now_ns() - start_ns < MS * INT64_C(1000000)) {
        for (int i = 0; i < BATCH; i++) {
            chosen += canary_should_use_new(ctx, "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b");
        }
        done += BATCH;
    }
    __asm__ volatile("" : : "r"(chosen));
    return (double)done / ((double)(now_ns() - start_ns) / 1e9) / 1e6;
}

/* Rounds alternate, so that what else the machine does falls on both alike. */
static void decisions_beside_a_writer(canary_store *store) {
    enum { ROUNDS = 7 };
    double quiet[ROUNDS];
    double busy[ROUNDS];
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    must(canary_set_percentage(store, "bench", 5000, NULL, NULL, NULL, &error), &error, "set");
    must(canary_open(path, "bench", NULL, &ctx, &error), &error, "open");
    for (int i = 0; i < ROUNDS; i++) {
        pid_t writer;

        quiet[i] = million_decisions(ctx);
        writer = fork();
        if (writer == 0) {
            canary_store *own = open_store(CANARY_OPEN_NO_WATCHER, 0);

            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (uint32_t bp = 4000;; bp = bp == 6000 ? 4000 : bp + 1) {
                canary_set_percentage(own, "bench", bp, NULL, NULL, NULL, &error);
            }
        }
        sleep_us(20000);
        busy[i] = million_decisions(ctx);
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
    }
    qsort(quiet, ROUNDS, sizeof quiet[0], bench_ascending);
    qsort(busy, ROUNDS, sizeof busy[0], bench_ascending);
    printf("decisions of one thread: %.2f million/s quiet, %.2f while a process commits without "
           "pause: %.1f %%\n",
           quiet[ROUNDS / 2], busy[ROUNDS / 2], 100 * busy[ROUNDS / 2] / quiet[ROUNDS / 2]);
    canary_close(&ctx);
}

static void clean_up(void) {
    static const char *const suffixes[] = { "", "-doorbell", "-journal" };

    for (int i = 0; i < 3; i++) {
        char file[400];

        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    rmdir(directory);
}

int main(int argc, char **argv) {
    int samples = argc > 1 ? atoi(argv[1]) : SAMPLES;
    const char *base = getenv("TMPDIR");
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "bench" };
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store;
    int above = 0;

    if (samples < 1 || samples > SAMPLES) {
        die("usage", "propagation [SAMPLES]");
    }
    snprintf(directory, sizeof directory, "%s/canary-bench-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(directory) == NULL) {
        die(directory, strerror(errno));
    }
    if (chmod(directory, 0755) != 0) {
        die(directory, strerror(errno));
    }
    snprintf(path, sizeof path, "%s/db", directory);
    slots =
        mmap(NULL, sizeof *slots * MOST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED) {
        die("mmap", strerror(errno));
    }
    /* Without a context of its own, a writer has nothing to publish. */
    store = open_store(CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER, 1000000);
    must(canary_create(store, &spec, NULL, NULL, &error), &error, "create");
    printf("until the last of N processes decides otherwise, ms; in %s\n", base ? base : "/tmp");
    printf("%-58s %3s  %5s  %8s  %8s  %8s   %s\n", "change", "N", "count", "p50", "p99", "max",
           "budget p99");
    above += commands_and_rollbacks(store, 1, samples);
    above += commands_and_rollbacks(store, MOST, samples);
    above += locked_rollbacks(store, 1, samples);
    above += locked_rollbacks(store, MOST, samples);
    above += plain_sql(store, 1, samples);
    refreshes();
    decisions_beside_a_writer(store);
    canary_store_close(&store);
    clean_up();
    if (above > 0) {
        printf("%d above budget\n", above);
    }
    return above > 0;
}
