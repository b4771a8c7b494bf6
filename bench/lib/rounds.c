/* SPDX-License-Identifier: MIT */
#include "rounds.h"

#include <string.h>

#include "record.h"
#include "timing.h"

static int rounds_run;

static int64_t turn(const struct bench_case *one, uint64_t times) {
    int64_t start = bench_cpu_ns();

    one->work(one->data, times);
    return bench_cpu_ns() - start;
}

/* Also warms caches and predictors. */
static void calibrate(struct bench_case *one, int64_t turn_ns) {
    uint64_t times = 64;
    int64_t took = turn(one, times);

    while (took < turn_ns / 4 && times < UINT64_MAX / 4) {
        times *= 2;
        took = turn(one, times);
    }
    took = took > 0 ? took : 1;
    one->per_turn = (uint64_t)((double)times * (double)turn_ns / (double)took) / 64 * 64;
    if (one->per_turn < 64) {
        one->per_turn = 64;
    }
}

void bench_rounds(struct bench_case *cases, int count, int rounds, int64_t turn_ns) {
    if (bench_is_smoke()) {
        rounds = 3;
        turn_ns = 2000;
    }
    rounds_run = rounds < BENCH_ROUNDS_MOST ? rounds : BENCH_ROUNDS_MOST;
    for (int i = 0; i < count; i++) {
        calibrate(&cases[i], turn_ns);
    }
    for (int round = 0; round < rounds_run; round++) {
        for (int i = 0; i < count; i++) {
            /* To and fro: no case always comes after the same one. */
            struct bench_case *one = &cases[round % 2 == 0 ? i : count - 1 - i];

            one->ns[round] = (double)turn(one, one->per_turn) / (double)one->per_turn;
        }
    }
}

struct bench_spread bench_time(const struct bench_case *of) {
    double sorted[BENCH_ROUNDS_MOST];

    memcpy(sorted, of->ns, (size_t)rounds_run * sizeof sorted[0]);
    return bench_spread_of(sorted, (size_t)rounds_run);
}

struct bench_spread bench_ratio(const struct bench_case *of, const struct bench_case *to) {
    return bench_ratio_of(of->ns, to->ns, (size_t)rounds_run);
}
