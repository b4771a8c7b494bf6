/* SPDX-License-Identifier: MIT */
/* What a decision costs where it is one of many: of many users, or on many rollouts. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { ROUNDS = 301, TURN_NS = 300000, HALF_BP = 2500, BATCH = 4096, ROLLOUTS = 8 };

static int has_wide_vectors(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return 0;
#endif
}

static void many_at_once(const struct bench_ids *ids) {
    static const char budget[] = "many users at once: half a single decision per user";
    static const uint64_t sizes[] = { 1, 4, 8, 16, 64, 256, BATCH };
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    struct bench_subject subject[SIZES];
    static struct bench_case cases[SIZES + 2];
    static char names[SIZES][40];
    canary_ctx *ctx = bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, ids);
    char figure[120];

    for (int i = 0; i < SIZES; i++) {
        subject[i] = (struct bench_subject){ .ctx = ctx, .ids = ids };
        bench_batch(&subject[i], sizes[i]);
        snprintf(names[i], sizeof names[i], "%d users a call", (int)sizes[i]);
        cases[i] = (struct bench_case){ names[i], bench_many, &subject[i], 0, { 0 } };
    }
    cases[SIZES] = (struct bench_case){ .name = "single decisions, each waits for the one before",
                                        .work = bench_bytes_dependent,
                                        .data = &subject[0] };
    cases[SIZES + 1] = (struct bench_case){ .name = "single decisions, one after the other",
                                            .work = bench_bytes,
                                            .data = &subject[0] };
    bench_rounds(cases, SIZES + 2, ROUNDS, TURN_NS);
    bench_heading("Many users at once, 36-byte ids, a user (25 %, no salt)");
    for (int i = 0; i <= SIZES + 1; i++) {
        bench_figure(cases[i].name, "ns", bench_time(&cases[i]));
    }
    snprintf(figure, sizeof figure, "%.1f ns a user; single %.1f ns, overlapping %.1f ns",
             bench_time(&cases[SIZES - 2]).median, bench_time(&cases[SIZES]).median,
             bench_time(&cases[SIZES + 1]).median);
    bench_note(
        "a single decision is one whose answer is waited for; a loop of nothing else overlaps "
        "two, and 256 a call take %.2f times as long as that",
        bench_ratio(&cases[SIZES - 2], &cases[SIZES + 1]).median);
    if (has_wide_vectors()) {
        bench_at_most(budget, figure, bench_ratio(&cases[SIZES - 2], &cases[SIZES]).median, 0.5);
    } else {
        bench_no_figure(budget, "not on this machine: neither AVX2 nor AVX-512");
    }
    for (int i = 0; i < SIZES; i++) {
        free(subject[i].batch);
        free(subject[i].cohorts);
    }
    canary_close(&ctx);
}

/* -- one user, many rollouts -- */

struct rollouts {
    canary_ctx *contexts[ROLLOUTS];
    const struct bench_ids *ids;
};

/* Counts decisions, ROLLOUTS a user. */
static void one_by_one(void *data, uint64_t count) {
    const struct rollouts *rollouts = data;
    uint64_t chosen = 0;

    for (uint64_t i = 0; i < count / ROLLOUTS; i++) {
        const canary_user *user = &rollouts->ids->users[i % BENCH_IDS];

        for (int j = 0; j < ROLLOUTS; j++) {
            chosen +=
                (unsigned)canary_should_use_new_n(rollouts->contexts[j], user->id, user->size);
        }
    }
    bench_use(chosen);
}

static void hashed_once(void *data, uint64_t count) {
    const struct rollouts *rollouts = data;
    uint8_t cohorts[ROLLOUTS];
    uint64_t chosen = 0;

    for (uint64_t i = 0; i < count / ROLLOUTS; i++) {
        const canary_user *user = &rollouts->ids->users[i % BENCH_IDS];

        chosen +=
            canary_decide_rollouts(rollouts->contexts, ROLLOUTS, user->id, user->size, cohorts);
    }
    bench_use(chosen);
}

static void many_rollouts(const struct bench_ids *ids) {
    struct rollouts rollouts = { .ids = ids };
    static struct bench_case cases[] = {
        { .name = "8 single decisions", .work = one_by_one },
        { .name = "8 rollouts a call", .work = hashed_once },
    };

    for (int i = 0; i < ROLLOUTS; i++) {
        rollouts.contexts[i] = bench_ctx((uint32_t)(HALF_BP + 100 * i), NULL, BENCH_NO_PINS, ids);
    }
    cases[0].data = cases[1].data = &rollouts;
    bench_rounds(cases, 2, ROUNDS, TURN_NS);
    bench_heading("One user on 8 rollouts, 36-byte ids, a decision");
    bench_figure(cases[0].name, "ns", bench_time(&cases[0]));
    bench_figure(cases[1].name, "ns", bench_time(&cases[1]));
    for (int i = 0; i < ROLLOUTS; i++) {
        canary_close(&rollouts.contexts[i]);
    }
}

/* -- ids that no cache holds -- */

struct million {
    canary_ctx *ctx;
    char (*ids)[40];
    canary_user *users;
    uint8_t *cohorts;
    uint64_t at;
};

enum { MILLION = 1000000 };

static void cold_single(void *data, uint64_t count) {
    struct million *million = data;
    uint64_t chosen = 0;

    for (uint64_t i = 0; i < count; i++) {
        const char *id = million->ids[million->at++ % MILLION];

        chosen += (unsigned)canary_should_use_new(million->ctx, id);
    }
    bench_use(chosen);
}

static void cold_many(void *data, uint64_t count) {
    struct million *million = data;
    uint64_t chosen = 0;

    while (count > 0) {
        uint64_t from = million->at % MILLION / 256 * 256;
        uint64_t size = count < 256 ? count : 256;

        size = size < MILLION - from ? size : MILLION - from;
        chosen +=
            canary_decide_many(million->ctx, million->users + from, size, million->cohorts + from);
        million->at += 256;
        count -= size;
    }
    bench_use(chosen);
}

static void million_users(const struct bench_ids *ids) {
    struct million million = { .ctx = bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, ids),
                               .ids = malloc(sizeof *million.ids * MILLION),
                               .users = malloc(sizeof *million.users * MILLION),
                               .cohorts = malloc(MILLION) };
    struct million again;
    static struct bench_case cases[] = {
        { .name = "one a call", .work = cold_single },
        { .name = "256 a call", .work = cold_many },
    };

    if (million.ids == NULL || million.users == NULL || million.cohorts == NULL) {
        bench_die("memory", "none left");
    }
    for (unsigned i = 0; i < MILLION; i++) {
        snprintf(million.ids[i], sizeof million.ids[i], "%08x-0190-7e5f-8a6b-7c8d9e0f1a2b",
                 i * 2654435761u);
        million.users[i] = (canary_user){ million.ids[i], 36 };
        million.cohorts[i] = 0;
    }
    again = million;
    cases[0].data = &million;
    cases[1].data = &again;
    bench_rounds(cases, 2, ROUNDS, TURN_NS);
    bench_heading("A million different 36-byte ids in turn, a user (25 %, no salt)");
    bench_figure(cases[0].name, "ns", bench_time(&cases[0]));
    bench_figure(cases[1].name, "ns", bench_time(&cases[1]));
    bench_note("these ids and their answers come out of memory, one after the other");
    free(million.ids);
    free(million.users);
    free(million.cohorts);
    canary_close(&million.ctx);
}

int main(int argc, char **argv) {
    const struct bench_ids *ids;

    bench_begin("many", argc, argv);
    bench_pin(0);
    ids = bench_ids_new(36);
    many_at_once(ids);
    many_rollouts(ids);
    million_users(ids);
    return bench_end();
}
