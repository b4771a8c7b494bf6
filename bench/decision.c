/* SPDX-License-Identifier: MIT */
/* What one decision costs, against floors measured in the same rounds. */
#include <stdio.h>

#include "lib/block.h"
#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { ROUNDS = 301, TURN_NS = 300000, HALF_BP = 2500 };

/* As many cycles of the reference machine as 3 ns. */
#define STATIC_NS 3.0

static void judge_static(const struct bench_case *decision, const struct bench_case *cycle,
                         const char *budget) {
    struct bench_spread cycles = bench_ratio(decision, cycle);
    char figure[120];

    snprintf(figure, sizeof figure, "%.2f ns, %.1f cycles", bench_time(decision).median,
             cycles.median);
    bench_at_most(budget, figure, cycles.median / (STATIC_NS * BENCH_REFERENCE_GHZ), 1.0);
}

static void without_hashing(const struct bench_ids *ids) {
    struct bench_subject nobody = { .ids = ids };
    struct bench_subject none = { .ctx = bench_ctx(0, NULL, BENCH_NO_PINS, ids), .ids = ids };
    struct bench_subject all = { .ctx = bench_ctx(10000, NULL, BENCH_NO_PINS, ids), .ids = ids };
    struct bench_subject killed = { .ctx = bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, ids),
                                    .ids = ids };
    static struct bench_case cases[] = {
        BENCH_CYCLE,
        { .name = "no context: the call alone", .work = bench_text },
        { .name = "0 %", .work = bench_text },
        { .name = "100 %", .work = bench_text },
        { .name = "killed", .work = bench_text },
        { .name = "0 %, id with its length", .work = bench_bytes },
    };

    canary_kill(killed.ctx);
    cases[1].data = &nobody;
    cases[2].data = &none;
    cases[3].data = &all;
    cases[4].data = &killed;
    cases[5].data = &none;
    bench_rounds(cases, 6, ROUNDS, TURN_NS);
    bench_heading("A decision that needs no hash (throughput, one thread)");
    for (int i = 0; i < 6; i++) {
        bench_figure(cases[i].name, "ns", bench_time(&cases[i]));
    }
    bench_note(
        "through the shared library, from a program compiled with -fno-plt; the call alone is "
        "most of it");
    bench_note("3 ns are kept as %.1f cycles of the reference machine's %.1f GHz",
               STATIC_NS * BENCH_REFERENCE_GHZ, BENCH_REFERENCE_GHZ);
    judge_static(&cases[2], &cases[0], "decision at 0 %: 3 ns");
    judge_static(&cases[3], &cases[0], "decision at 100 %: 3 ns");
    judge_static(&cases[4], &cases[0], "decision when killed: 3 ns");
    canary_close(&none.ctx);
    canary_close(&all.ctx);
    canary_close(&killed.ctx);
}

static void judge_hash(const struct bench_case *decision, const struct bench_case *block,
                       const char *budget) {
    char figure[120];

    snprintf(figure, sizeof figure, "%.1f ns, block %.1f ns", bench_time(decision).median,
             bench_time(block).median);
    bench_at_most(budget, figure, bench_ratio(decision, block).median, 1.15);
}

static void with_hashing(const struct bench_ids *ids) {
    struct bench_subject subject = { .ctx = bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, ids),
                                     .ids = ids };
    struct bench_subject fraction = { .ctx = bench_ctx(3333, NULL, BENCH_NO_PINS, ids),
                                      .ids = ids };
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    struct bench_block best = bench_block_best();
    struct bench_blocks bare = { best.one, ids->blocks };
    struct bench_blocks sodium = { bench_block_sodium().one, ids->blocks };
    static struct bench_case cases[] = {
        { .name = "bare block, one after the other", .work = bench_blocks_run },
        { .name = "decision", .work = bench_text },
        { .name = "decision, id with its length", .work = bench_bytes },
        { .name = "bare block, each waits for the one before", .work = bench_blocks_dependent },
        { .name = "decision, each waits for the one before", .work = bench_text_dependent },
        { .name = "decision, id with its length, each waits", .work = bench_bytes_dependent },
        { .name = "libsodium's bare block, one after the other", .work = bench_blocks_run },
        { .name = "decision at 33.33 %, one after the other", .work = bench_text },
        BENCH_CYCLE,
    };

    canary_info(subject.ctx, &info);
    cases[0].data = &bare;
    cases[3].data = &bare;
    cases[6].data = &sodium;
    cases[7].data = &fraction;
    cases[1].data = cases[2].data = cases[4].data = cases[5].data = &subject;
    bench_rounds(cases, 9, ROUNDS, TURN_NS);
    bench_heading("A decision that hashes a 36-byte id (25 %, no salt)");
    for (int i = 0; i < 9; i++) {
        bench_figure(cases[i].name, "ns", bench_time(&cases[i]));
    }
    bench_note("the bare block is made by %s; the library hashes one id by %s, many by %s",
               best.name, info.hash_kernel, info.hash_many_kernel);
    judge_hash(&cases[1], &cases[0], "decision on a 36-byte id, one after the other: 1.15 blocks");
    judge_hash(&cases[4], &cases[3], "decision on a 36-byte id, each waiting: 1.15 blocks");
    judge_hash(&cases[2], &cases[0], "the same, id with its length: 1.15 blocks");
    judge_hash(&cases[5], &cases[3], "the same, each waiting: 1.15 blocks");
    canary_close(&subject.ctx);
    canary_close(&fraction.ctx);
}

int main(int argc, char **argv) {
    const struct bench_ids *ids;

    bench_begin("decision", argc, argv);
    bench_pin(0);
    ids = bench_ids_new(36);
    without_hashing(ids);
    with_hashing(ids);
    return bench_end();
}
