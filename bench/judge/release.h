/* SPDX-License-Identifier: MIT */
/* A release as a stream of ticks: 1000 requests each 10 seconds, some of which fail, and a growing part of
 * which goes to the new cohort. The same seed gives the same stream to whoever judges it. */
#ifndef BENCH_RELEASE_H
#define BENCH_RELEASE_H

#include "chance.h"
#include "judge/evidence.h"

enum {
    RELEASE_STAGES = 3,
    RELEASE_BLOCKS = 7, /* of users, who move together */
    RELEASE_DAY = 8640, /* ticks */
    RELEASE_MINUTE = 6,
    RELEASE_HOUR = 360,
};

/* How a release and its traffic go on. */
struct release_world {
    const char *name;
    double rate;      /* of failing requests in the first tick */
    double last_rate; /* and in the last; 0 = the same */
    double daily;     /* rate and traffic swing by this part of themselves within a day */
    unsigned cluster; /* requests that fail or succeed together; 0 = 1 */
    double persons;   /* relative spread of the rates of 20000 users, who keep their cohorts */
    double ratio;     /* of the new cohort's rate, from tick `from` on; 0 = 1 */
    int from;
};

/* How it is opened: so many ticks each at 5, 25 and 50 %; or by equal steps, one each `step` ticks. */
struct release_pace {
    int ticks; /* all of them */
    int step;  /* 0 = the three stages, a third of `ticks` each */
    double by; /* share of a step, which begins with one */
};

struct release {
    const struct release_world *world;
    const struct release_pace *pace;
    struct chance chance;
    double persons[RELEASE_BLOCKS]; /* what a block of users fails more than the average */
    int tick;
};

struct release_tick {
    struct canary__judge_tick cohorts;
    struct canary__judge_share halves[2]; /* of the old cohort, by a hash of the user */
    struct canary__judge_share baseline;  /* a part of the old cohort, as large as the new one */
    int index;                            /* of the tick, from 0 */
    int stage;                            /* 0 before the release */
    int begins;                           /* the stage begins with this tick */
};

void release_start(struct release *release, const struct release_world *world,
                   const struct release_pace *pace, uint64_t seed);

/* A tick before the release: everybody is in the old cohort. */
void release_before(struct release *release, struct release_tick *tick);
/* 0 when the release is over. */
int release_next(struct release *release, struct release_tick *tick);

#endif
