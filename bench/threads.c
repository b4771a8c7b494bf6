/* SPDX-License-Identifier: MIT */
/* Many threads deciding at once, and deciding beside a thread that publishes all the time.
 *
 * Rates are per second that a thread had a processor, so that a machine with other work does not
 * count against threads that shared nothing but the machine; that no thread waited for another is
 * counted besides. Rates by the clock on the wall are printed too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/snapshot.h"
#include "lib/block.h"
#include "lib/outcomes.h"
#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { THREADS_MOST = 16, ROUNDS = 61, WINDOW_MS = 8, CHUNK = 256, HALF_BP = 2500 };

struct worker {
    bench_work_fn work;
    void *data;
    int cpu;
    pthread_barrier_t *start;
    /* Filled. */
    _Alignas(64) uint64_t done;
    int64_t cpu_ns;
    int64_t wall_ns;
    long waits;
};

static _Alignas(64) _Atomic(int) stopping;

static void *run_worker(void *data) {
    struct worker *self = data;
    uint64_t done = 0;
    int64_t cpu;
    int64_t wall;
    long waits;

    bench_pin(self->cpu);
    self->work(self->data, CHUNK); /* into the caches */
    pthread_barrier_wait(self->start);
    waits = bench_voluntary_waits();
    wall = bench_wall_ns();
    cpu = bench_cpu_ns();
    while (atomic_load_explicit(&stopping, memory_order_relaxed) == 0) {
        self->work(self->data, CHUNK);
        done += CHUNK;
    }
    self->cpu_ns = bench_cpu_ns() - cpu;
    self->wall_ns = bench_wall_ns() - wall;
    self->waits = bench_voluntary_waits() - waits;
    self->done = done;
    return NULL;
}

/* All of them during one window. */
static void run(struct worker *workers, int count) {
    const struct timespec window = { 0, (bench_is_smoke() ? 1 : WINDOW_MS) * 1000000L };
    pthread_t threads[THREADS_MOST];
    pthread_barrier_t start;

    atomic_store(&stopping, 0);
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        workers[i].start = &start;
        if (pthread_create(&threads[i], NULL, run_worker, &workers[i]) != 0) {
            bench_die("thread", "cannot be started");
        }
    }
    pthread_barrier_wait(&start);
    nanosleep(&window, NULL);
    atomic_store(&stopping, 1);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&start);
}

static double rate(const struct worker *worker) {
    return (double)worker->done / (double)(worker->cpu_ns > 0 ? worker->cpu_ns : 1) * 1e3;
}

static double wall_rate(const struct worker *worker) {
    return (double)worker->done / (double)(worker->wall_ns > 0 ? worker->wall_ns : 1) * 1e3;
}

static int rounds(void) {
    return bench_is_smoke() ? 2 : ROUNDS;
}

struct sweep {
    const char *name;
    bench_work_fn work;
    void *data;
};

/* Millions a second of all threads, each round; [0] for one thread. */
struct swept {
    double rates[THREADS_MOST][ROUNDS];
    double walls[THREADS_MOST][ROUNDS];
    long waits;
};

static void sweep(const struct sweep *what, int most, struct swept *out) {
    memset(out, 0, sizeof *out);
    for (int round = 0; round < rounds(); round++) {
        for (int count = 1; count <= most; count++) {
            static struct worker workers[THREADS_MOST];

            for (int i = 0; i < count; i++) {
                /* One thread alone takes its turn on each processor. */
                workers[i] = (struct worker){ .work = what->work,
                                              .data = what->data,
                                              .cpu = (i + round) % bench_cpus() };
            }
            run(workers, count);
            for (int i = 0; i < count; i++) {
                out->rates[count - 1][round] += rate(&workers[i]);
                out->walls[count - 1][round] += wall_rate(&workers[i]);
                out->waits += workers[i].waits;
            }
        }
    }
}

static void report_sweep(const char *name, int most, struct swept *swept) {
    char line[120];

    for (int count = 1; count <= most; count++) {
        double copy[ROUNDS];

        memcpy(copy, swept->rates[count - 1], sizeof copy);
        snprintf(line, sizeof line, "%s, %d thread%s", name, count, count > 1 ? "s" : "");
        bench_figure(line, "million/s", bench_spread_of(copy, (size_t)rounds()));
        memcpy(copy, swept->walls[count - 1], sizeof copy);
        snprintf(line, sizeof line, "%s, %d thread%s, on the wall", name, count,
                 count > 1 ? "s" : "");
        bench_figure(line, "million/s", bench_spread_of(copy, (size_t)rounds()));
    }
}

static void scaling(const struct bench_ids *ids) {
    static const char budget[] = "2 threads on 2 cores: 1.95 times one";
    static const char recording[] = "2 threads recording: 1.95 times one";
    static struct swept swept[4];
    struct bench_subject hashing = { .ctx = bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, ids),
                                     .ids = ids };
    struct bench_subject plain = { .ctx = bench_ctx(10000, NULL, BENCH_NO_PINS, ids), .ids = ids };
    struct bench_blocks bare = { bench_block_best().one, ids->blocks };
    const struct sweep what[] = {
        { "bare block (shares nothing)", bench_blocks_run, &bare },
        { "36-byte ids at 25 %", bench_text, &hashing },
        { "100 %", bench_text, &plain },
        { "recording outcomes", bench_record,
          bench_outcomes_new(bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, ids), ids) },
    };
    int cpus = bench_cpus();
    int most = cpus < THREADS_MOST ? cpus : THREADS_MOST;
    long waits = 0;

    bench_heading("Threads deciding and recording on one context");
    for (int i = 0; i < 4; i++) {
        sweep(&what[i], most, &swept[i]);
        report_sweep(what[i].name, most, &swept[i]);
        waits += i > 0 ? swept[i].waits : 0;
    }
    bench_number("times that a thread waited for anything", "", (double)waits);
    if (most < 2) {
        bench_no_figure(budget, "not on this machine: one processor");
        bench_no_figure(recording, "not on this machine: one processor");
    } else {
        for (int i = 0; i < 4; i++) {
            char figure[120];
            char line[120];
            struct bench_spread times =
                bench_ratio_of(swept[i].rates[1], swept[i].rates[0], (size_t)rounds());
            struct bench_spread walls =
                bench_ratio_of(swept[i].walls[1], swept[i].walls[0], (size_t)rounds());

            snprintf(line, sizeof line, "%s: 2 threads to 1", what[i].name);
            bench_figure(line, "times", times);
            snprintf(figure, sizeof figure, "%.2f times, %.2f on the wall", times.median,
                     walls.median);
            if (i == 1 || i == 3) {
                bench_at_least(i == 1 ? budget : recording, figure, times.median, 1.95);
            }
        }
    }
    canary_close(&hashing.ctx);
    canary_close(&plain.ctx);
}

/* -- beside a writer -- */

/* Keeps its processor busy and touches no memory. */
static void spin(void *data, uint64_t count) {
    bench_additions(data, count * 64);
}

/* Each is a transaction with its row in the trail, as a program makes them. */
static void change(void *data, uint64_t count) {
    static uint32_t percentage_bp = 2000;
    canary_ctx *ctx = data;
    canary_error error = CANARY_ERROR_INIT;

    for (uint64_t i = 0; i < count / 64; i++) {
        percentage_bp = percentage_bp == 3000 ? 2000 : percentage_bp + 1;
        if (canary_set_percentage(canary_ctx_store(ctx), "bench", percentage_bp, NULL, NULL, NULL,
                                  &error) != CANARY_OK) {
            bench_die("set", error.message);
        }
    }
}

/* Nothing but the last step of it, hundreds of times as often as any store could. */
static void publish(void *data, uint64_t count) {
    struct canary__state state = { .loaded = 1, .stage = 2, .percentage_bp = HALF_BP };

    for (uint64_t i = 0; i < count; i++) {
        state.effective_bp = 2000 + (uint32_t)(i % 1000);
        state.revision++;
        canary__snapshot_publish(data, &state);
    }
}

/* The same with a pause of about ten microseconds: a hundred thousand a second. */
static void publish_paced(void *data, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        bench_additions(NULL, 36000);
        publish(data, 1);
    }
}

enum { IDLE, SPINNING, CHANGING, PACED, PUBLISHING, NEIGHBOURS };

static void beside(const char *name, bench_work_fn work, const struct bench_ids *ids,
                   uint32_t percentage_bp) {
    static const char *const names[NEIGHBOURS] = { "alone", "beside a spinning thread",
                                                   "beside changes without pause",
                                                   "beside publications, paced",
                                                   "beside publications without pause" };
    static double rates[NEIGHBOURS][ROUNDS];
    double per_second[NEIGHBOURS][ROUNDS];
    char line[160];
    char figure[120];

    for (int round = 0; round < rounds(); round++) {
        for (int i = 0; i < NEIGHBOURS; i++) {
            int which = round % 2 == 0 ? i : NEIGHBOURS - 1 - i;
            /* A trail in memory grows: a new one each time. */
            struct bench_subject subject = { .ctx =
                                                 bench_ctx(percentage_bp, NULL, BENCH_NO_PINS, ids),
                                             .ids = ids };
            bench_work_fn others[NEIGHBOURS] = { NULL, spin, change, publish_paced, publish };
            static struct worker workers[2];

            workers[0] = (struct worker){ .work = work, .data = &subject, .cpu = round % 2 };
            workers[1] = (struct worker){ .work = others[which],
                                          .data = subject.ctx,
                                          .cpu = (round + 1) % 2 };
            run(workers, which == IDLE ? 1 : 2);
            rates[which][round] = rate(&workers[0]);
            per_second[which][round] = wall_rate(&workers[1]) / (which == CHANGING ? 64 : 1) * 1e3;
            canary_close(&subject.ctx);
        }
    }
    for (int i = 0; i < NEIGHBOURS; i++) {
        double copy[ROUNDS];

        memcpy(copy, rates[i], sizeof copy);
        snprintf(line, sizeof line, "%s, %s", name, names[i]);
        bench_figure(line, "million/s", bench_spread_of(copy, (size_t)rounds()));
    }
    for (int i = CHANGING; i < NEIGHBOURS; i++) {
        struct bench_spread kept = bench_ratio_of(rates[i], rates[SPINNING], (size_t)rounds());
        double writes = bench_spread_of(per_second[i], (size_t)rounds()).median;

        snprintf(line, sizeof line, "%s: how many", names[i]);
        bench_number(line, "thousand/s", writes);
        snprintf(line, sizeof line, "%s: kept of the rate beside a spinning thread", names[i]);
        bench_figure(line, "times", kept);
        if (i != PUBLISHING) {
            snprintf(line, sizeof line, "readers %s: 95 %% kept", names[i]);
            snprintf(figure, sizeof figure, "%.1f %% kept, %.0f thousand/s", 100 * kept.median,
                     writes);
            bench_at_least(line, figure, kept.median, 0.95);
        }
    }
}

static void writers(const struct bench_ids *ids) {
    bench_heading("Deciding beside a neighbour on the other core");
    if (bench_cpus() < 2) {
        bench_no_figure("readers beside a writer: 95 % kept", "not on this machine: one processor");
        return;
    }
    beside("36-byte ids at 25 %", bench_text, ids, HALF_BP);
    bench_note("a change is a transaction with its row in the trail, a publication its last step "
               "alone; counted by the clock on the wall");
}

int main(int argc, char **argv) {
    const struct bench_ids *ids;

    bench_begin("threads", argc, argv);
    bench_cpus(); /* before any thread is tied */
    ids = bench_ids_new(36);
    scaling(ids);
    writers(ids);
    return bench_end();
}
