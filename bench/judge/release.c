/* SPDX-License-Identifier: MIT */
#include "release.h"

#include <math.h>
#include <string.h>

static const unsigned requests = 1000; /* a tick */

/* Blocks of users: those of the first 5 %, then both halves of each part that comes after them. */
static const double users[RELEASE_BLOCKS] = { 1000, 2000, 2000, 2500, 2500, 5000, 5000 };

static const double shares[RELEASE_STAGES + 1] = { 0, 0.05, 0.25, 0.5 };

void release_start(struct release *release, const struct release_world *world,
                   const struct release_pace *pace, uint64_t seed) {
    memset(release, 0, sizeof *release);
    release->world = world;
    release->pace = pace;
    release->chance.state = seed;
    for (int i = 0; i < RELEASE_BLOCKS; i++) {
        double sum = -6; /* of twelve uniform numbers: nearly normal */

        for (int j = 0; j < 12; j++) {
            sum += chance_next(&release->chance);
        }
        release->persons[i] = 1 + sum * world->persons / sqrt(users[i]);
    }
}

/* The mean of the blocks [from, to), every `by`th of them. */
static double lasting(const struct release *release, int from, int to, int by) {
    double sum = 0;
    double all = 0;

    for (int i = from; i < to; i += by) {
        sum += release->persons[i] * users[i];
        all += users[i];
    }
    return sum / all;
}

static struct canary__judge_share drawn(struct release *release, unsigned n, double rate) {
    unsigned cluster = release->world->cluster > 0 ? release->world->cluster : 1;
    unsigned groups = n / cluster;

    return (struct canary__judge_share){
        .n = groups * cluster,
        .k = chance_binomial(&release->chance, groups, rate) * cluster,
    };
}

static struct canary__judge_share both(struct canary__judge_share a, struct canary__judge_share b) {
    return (struct canary__judge_share){ .n = a.n + b.n, .k = a.k + b.k };
}

static void draw(struct release *release, int at, double share, struct release_tick *tick) {
    const struct release_world *world = release->world;
    double last = world->last_rate > 0 ? world->last_rate : world->rate;
    double swing = 1 + world->daily * sin(2 * M_PI * at / RELEASE_DAY);
    double along = at > 0 ? (double)at / release->pace->ticks : 0;
    double rate = (world->rate + (last - world->rate) * along) * swing;
    double ratio = world->ratio > 0 && at >= world->from ? world->ratio : 1;
    unsigned n = (unsigned)(requests * swing);
    unsigned fresh = (unsigned)(n * share);
    unsigned half = (n - fresh) / 2;
    unsigned baseline = fresh < half ? fresh : half;
    int first = 2 * tick->stage - 1; /* block of the old cohort */
    double of_new = 1;
    double of_a = 1;
    double of_b = 1;
    struct canary__judge_share rest;

    if (world->persons > 0 && tick->stage > 0) {
        of_new = lasting(release, 0, first, 1);
        of_a = lasting(release, first, RELEASE_BLOCKS, 2);
        of_b = lasting(release, first + 1, RELEASE_BLOCKS, 2);
    }
    tick->cohorts.fresh = drawn(release, fresh, rate * ratio * of_new);
    tick->baseline = drawn(release, baseline, rate * of_a);
    rest = drawn(release, half - baseline, rate * of_a);
    tick->halves[0] = both(tick->baseline, rest);
    tick->halves[1] = drawn(release, n - fresh - half, rate * of_b);
    tick->cohorts.old = both(tick->halves[0], tick->halves[1]);
}

void release_before(struct release *release, struct release_tick *tick) {
    memset(tick, 0, sizeof *tick);
    tick->index = -1;
    draw(release, -1, 0, tick);
}

int release_next(struct release *release, struct release_tick *tick) {
    const struct release_pace *pace = release->pace;
    int at = release->tick++;
    int part = pace->ticks / RELEASE_STAGES;
    double share;

    memset(tick, 0, sizeof *tick);
    if (at >= pace->ticks) {
        return 0;
    }
    tick->index = at;
    if (pace->step > 0) {
        tick->stage = 1;
        tick->begins = at == 0;
        share = pace->by * (1 + at / pace->step);
    } else {
        tick->stage = at / part < RELEASE_STAGES ? 1 + at / part : RELEASE_STAGES;
        tick->begins = at % part == 0;
        share = shares[tick->stage];
    }
    draw(release, at, share, tick);
    return 1;
}
