/* SPDX-License-Identifier: MIT */
/* What the processes of examples/judged share. */
#ifndef JUDGED_H
#define JUDGED_H

#include <canary/canary.h>

#include <stdatomic.h>
#include <stdint.h>

enum { WORKERS = 4 };

/* In memory that all processes see. */
struct shared {
    atomic_int stop;
    atomic_int complete;            /* the last stage was judged good */
    _Atomic(uint64_t) harmed;       /* requests that failed on the new path */
    _Atomic(int64_t) first_harm_ns; /* when the first one did; 0 = none yet */
    _Atomic(int64_t) last_flip_ns;  /* when the last process saw 0 % */
    /* Of the clock: */
    _Atomic(int64_t) delivered[WORKERS]; /* ticks before this one are in the store */
    _Atomic(int64_t) held_ns;            /* how long it stood still */
    _Atomic(int64_t) shown_ns;           /* the latest that it ever said */
};

struct scenario {
    const char *db;
    const char *rollout;
    const char *policy;
    double base;       /* share of requests that fail on the old path */
    double harm;       /* times as many on the new one */
    int64_t late_ns;   /* harm begins so long after the start */
    double speed;      /* of the clock */
    int64_t length_ns; /* at most */
    unsigned requests; /* of all processes in a tick of 10 s */
    int64_t begin_ns;  /* in the time of the scenario: so that it ends now and not in the future */
    int64_t real_ns;   /* monotonic clock of the machine at that moment */
    struct shared *shared;
};

/* Reads the command line; 0, or says what is wrong with it. */
int scenario_read(struct scenario *scenario, int argc, char **argv);
/* The clock hook of every store in this program. */
int64_t scenario_clock(void *scenario, int clock);
/* How each process opens the store. */
void scenario_options(struct scenario *scenario, canary_options *options);

/* Serves until told to stop. An exit code. */
int worker_serve(struct scenario *scenario, unsigned number);

#endif
