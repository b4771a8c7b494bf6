/* SPDX-License-Identifier: MIT */
/* Why a margin of 1 is refused. Some users fail more than others, for as long as they are users: their
 * connection, their data, their habits. The few of a small cohort have by chance a little more or a little
 * less of that than the rest, and keep it. That is a difference, and a test that asks for any difference
 * finds it in the end, of a release that changes nothing. A margin is the difference that does not
 * matter. Seeds are fixed; it fails when a margin that is allowed does not help.
 *
 * margins [--quick]: fewer runs. */
#include <stdio.h>
#include <string.h>

#include "../lib/record.h"
#include "ours.h"

static const double margins[] = { 1, 1.02, 1.1, 1.25 };
static const double spreads[] = { 0, 1, 2, 3 };
enum { MARGINS = sizeof margins / sizeof margins[0], SPREADS = sizeof spreads / sizeof spreads[0] };

struct count {
    int rolled_back[MARGINS];
    int spoken; /* self-tests that found the halves of the old cohort to differ */
};

static void live(const struct release_world *world, uint64_t seed, struct count *count) {
    static const struct release_pace day = { .ticks = RELEASE_DAY };
    struct ours ours[MARGINS];
    struct canary__judge_split split;
    struct release release;
    struct release_tick tick;
    int done[MARGINS] = { 0 };
    int differs = 0;

    for (int i = 0; i < MARGINS; i++) {
        ours[i].margin = margins[i];
    }
    release_start(&release, world, &day, seed);
    ours_before(&split, &release);
    while (release_next(&release, &tick)) {
        double effect = canary__judge_split_effect(&split);

        for (int i = 0; i < MARGINS; i++) {
            done[i] |= ours_look(&ours[i], effect, &release, &tick);
        }
        canary__judge_split_add(&split, tick.halves[0], tick.halves[1], 1);
        differs |=
            canary__judge_split_differs(&split, RELEASE_DAY, OURS_ALPHA) == CANARY__JUDGE_YES;
    }
    for (int i = 0; i < MARGINS; i++) {
        count->rolled_back[i] += done[i];
    }
    count->spoken += differs;
}

int main(int argc, char **argv) {
    struct count counts[SPREADS] = { { { 0 }, 0 } };
    char figure[80];
    char name[80];
    int runs = 150;
    int most = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0 || strcmp(argv[i], "--smoke") == 0) {
            runs = 20;
        }
    }
    bench_begin("margins", argc, argv);
    bench_heading(
        "Healthy releases rolled back, when users differ for good, by spread of their rates");
    for (int s = 0; s < SPREADS; s++) {
        const struct release_world world = { .name = "", .rate = 0.01, .persons = spreads[s] };

        for (int run = 0; run < runs; run++) {
            live(&world, 9000 + (uint64_t)run * UINT64_C(1000003), &counts[s]);
        }
    }
    for (int i = 0; i <= MARGINS; i++) {
        for (int s = 0; s < SPREADS; s++) {
            int count = i < MARGINS ? counts[s].rolled_back[i] : counts[s].spoken;

            if (i < MARGINS) {
                snprintf(name, sizeof name, "margin %g%s, spread %g", margins[i],
                         i == 0 ? " (refused)" : "", spreads[s]);
            } else {
                snprintf(name, sizeof name, "self-test of the old cohort speaks, spread %g",
                         spreads[s]);
            }
            bench_number(name, "%", 100.0 * count / runs);
            most = i >= 2 && i < MARGINS && count > most ? count : most;
        }
    }
    bench_note(
        "20000 users, the first 1000 in the new cohort at 5 %%; spread 1: the standard deviation "
        "of a user's rate is the mean rate");
    snprintf(figure, sizeof figure, "%.1f %% of %d, 3 deviations are %.1f %%", 100.0 * most / runs,
             runs, 100 * ours_most(runs));
    bench_at_most("users who differ for good, margin 1.1 or more: alpha, 5 %", figure,
                  most / (ours_most(runs) * runs), 1);
    return bench_end() | !(most <= ours_most(runs) * runs);
}
