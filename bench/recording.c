/* SPDX-License-Identifier: MIT */
/* What recording an outcome costs, alone and behind its decision. */
#include <pthread.h>
#include <stdio.h>

#include "lib/outcomes.h"
#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/timing.h"

enum { ROUNDS = 201, TURN_NS = 300000, HALF_BP = 2500 };

/* Kept as cycles of the reference machine. */
#define RECORD_NS 15.0

enum {
    CYCLE,
    FILL,
    RECORD,
    COHORT,
    EXPLAIN,
    EXPLAIN_RECORD,
    DECIDE,
    DECIDE_RECORD,
    DECIDE_USER,
    CASES
};

/* -- more threads than have memory of their own -- */

static pthread_barrier_t together;

static void *hold_slot(void *data) {
    bench_record(data, 8);
    pthread_barrier_wait(&together); /* all have one */
    pthread_barrier_wait(&together); /* the measurement is over */
    return NULL;
}

static void *measure_shared(void *data) {
    static struct bench_case shared[] = {
        { .name = "canary_record() by the 129th thread", .work = bench_record },
    };

    shared[0].data = data;
    bench_rounds(shared, 1, ROUNDS, TURN_NS);
    bench_heading("A thread that shares its memory with others");
    bench_figure(shared[0].name, "ns", bench_time(&shared[0]));
    return NULL;
}

static void sharing(struct bench_outcomes *all) {
    enum { HOLDERS = CANARY_RECORDING_THREADS - 1 }; /* this thread has one, too */
    static pthread_t holders[HOLDERS];
    pthread_t late;

    pthread_barrier_init(&together, NULL, HOLDERS + 1);
    for (int i = 0; i < HOLDERS; i++) {
        if (pthread_create(&holders[i], NULL, hold_slot, all) != 0) {
            bench_die("thread", "cannot be started");
        }
    }
    pthread_barrier_wait(&together);
    if (pthread_create(&late, NULL, measure_shared, all) != 0) {
        bench_die("thread", "cannot be started");
    }
    pthread_join(late, NULL);
    pthread_barrier_wait(&together);
    for (int i = 0; i < HOLDERS; i++) {
        pthread_join(holders[i], NULL);
    }
    pthread_barrier_destroy(&together);
}

int main(int argc, char **argv) {
    static struct bench_case cases[CASES] = {
        [CYCLE] = BENCH_CYCLE,
        [FILL] = { .name = "filling decision and outcome, alone", .work = bench_fill },
        [RECORD] = { .name = "canary_record()", .work = bench_record },
        [COHORT] = { .name = "canary_record_cohort()", .work = bench_record_cohort },
        [EXPLAIN] = { .name = "canary_explain()", .work = bench_explain },
        [EXPLAIN_RECORD] = { .name = "canary_explain() and canary_record()",
                             .work = bench_explain_record },
        [DECIDE] = { .name = "canary_should_use_new_n()", .work = bench_decide },
        [DECIDE_RECORD] = { .name = "the same and canary_record_cohort()",
                            .work = bench_decide_record },
        [DECIDE_USER] = { .name = "the same and canary_record_user(), which hashes again",
                          .work = bench_decide_record_user },
    };
    const struct bench_ids *ids;
    struct bench_outcomes *all;
    struct bench_spread cycles;
    char figure[120];

    bench_begin("recording", argc, argv);
    bench_pin(0);
    ids = bench_ids_new(36);
    all = bench_outcomes_new(bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, ids), ids);
    for (int i = FILL; i < CASES; i++) {
        cases[i].data = all;
    }
    bench_record(all, 2 * BENCH_OUTCOMES); /* the first touch of a page is the kernel's time */
    bench_rounds(cases, CASES, ROUNDS, TURN_NS);
    bench_heading("Recording outcomes (one thread, 4096 users, durations of 1 to 100 ms)");
    for (int i = 0; i < CASES; i++) {
        bench_figure(cases[i].name, "ns", bench_time(&cases[i]));
    }
    cycles = bench_ratio(&cases[RECORD], &cases[CYCLE]);
    snprintf(figure, sizeof figure, "%.1f ns, %.1f cycles", bench_time(&cases[RECORD]).median,
             cycles.median);
    bench_at_most("recording an outcome: 15 ns", figure,
                  cycles.median / (RECORD_NS * BENCH_REFERENCE_GHZ), 1.0);
    snprintf(figure, sizeof figure, "%.1f ns, %.1f ns without",
             bench_time(&cases[EXPLAIN_RECORD]).median, bench_time(&cases[EXPLAIN]).median);
    bench_at_most("an explained decision and its record: 1.5 decisions", figure,
                  bench_ratio(&cases[EXPLAIN_RECORD], &cases[EXPLAIN]).median, 1.5);
    snprintf(figure, sizeof figure, "%.1f ns, %.1f ns without",
             bench_time(&cases[DECIDE_RECORD]).median, bench_time(&cases[DECIDE]).median);
    bench_at_most("a decision and a record of its cohort: 1.5 decisions", figure,
                  bench_ratio(&cases[DECIDE_RECORD], &cases[DECIDE]).median, 1.5);
    sharing(all);
    canary_close(&all->ctx);
    return bench_end();
}
