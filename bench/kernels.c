/* SPDX-License-Identifier: MIT */
/* Ids of several lengths, without a salt, with one, and with pinned users, by every way to compute
 * SHA-256 that this machine has. */
#include <stdio.h>

#include "lib/kernels.h"
#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { ROUNDS = 61, TURN_NS = 200000, HALF_BP = 2500, BATCH = 256, LENGTHS = 5 };

static const uint32_t lengths[LENGTHS] = { 8, 16, 36, 64, 200 };

static const struct {
    const char *name;
    const char *salt;
    enum bench_pins pins;
} kinds[] = {
    { "no salt", NULL, BENCH_NO_PINS },
    { "salt of 6 bytes", "spring", BENCH_NO_PINS },
    { "100 others pinned", NULL, BENCH_OTHERS_PINNED },
};

/* All lengths and kinds take turns. */
static void run(const char *kernel, bench_work_fn work, const char *what) {
    enum { KINDS = sizeof kinds / sizeof kinds[0], ALL = KINDS * LENGTHS };
    static struct bench_subject subjects[ALL];
    static struct bench_case cases[ALL];
    static char names[ALL][120];
    char heading[120];

    for (unsigned i = 0; i < ALL; i++) {
        const struct bench_ids *ids = bench_ids_new(lengths[i % LENGTHS]);
        unsigned kind = i / LENGTHS;

        subjects[i].ids = ids;
        subjects[i].ctx = bench_ctx(HALF_BP, kinds[kind].salt, kinds[kind].pins, ids);
        bench_batch(&subjects[i], BATCH);
        snprintf(names[i], sizeof names[i], "%s, %s, %s, %u bytes", what, kernel, kinds[kind].name,
                 lengths[i % LENGTHS]);
        cases[i].name = names[i];
        cases[i].work = work;
        cases[i].data = &subjects[i];
    }
    bench_rounds(cases, ALL, ROUNDS, TURN_NS);
    snprintf(heading, sizeof heading, "%s, by %s", what, kernel);
    bench_heading(heading);
    for (unsigned i = 0; i < ALL; i++) {
        bench_figure(cases[i].name, "ns", bench_time(&cases[i]));
        canary_close(&subjects[i].ctx);
    }
}

int main(int argc, char **argv) {
    bench_begin("kernels", argc, argv);
    if (bench_kernel() == NULL) {
        bench_each_kernel(argv);
    } else {
        int one;
        int many;

        bench_pin(0);
        bench_kernel_serves(&one, &many);
        if (one) {
            run(bench_kernel(), bench_bytes, "One a call");
        }
        if (many) {
            run(bench_kernel(), bench_many, "256 a call");
        }
    }
    return bench_end();
}
