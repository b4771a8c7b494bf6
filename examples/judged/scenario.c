/* SPDX-License-Identifier: MIT */
/* Command line and clock of examples/judged. */
#include "judged.h"

#include <canary/judge.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static const double second_ns = 1e9;

static int64_t machine_ns(clockid_t clock) {
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A guard takes a tick two seconds after its end, which is soon over when time is fast: the clock goes no
 * further than one second before the workers have delivered what they recorded. In ns since the start. */
static int64_t no_further(const struct scenario *scenario) {
    int64_t tick = INT64_MAX / CANARY_TICK_NS - 2;

    for (unsigned i = 0; i < WORKERS; i++) {
        int64_t delivered = atomic_load(&scenario->shared->delivered[i]);

        tick = delivered < tick ? delivered : tick;
    }
    return (tick + 1) * CANARY_TICK_NS + (int64_t)second_ns - scenario->begin_ns;
}

static void raise_to(_Atomic(int64_t) *number, int64_t value) {
    int64_t now = atomic_load(number);

    while (now < value && !atomic_compare_exchange_weak(number, &now, value)) {
    }
}

int64_t scenario_clock(void *user_data, int clock) {
    const struct scenario *scenario = user_data;
    struct shared *shared = scenario->shared;
    double real = (double)(machine_ns(CLOCK_MONOTONIC) - scenario->real_ns);
    int64_t passed = (int64_t)(real * scenario->speed);

    if (scenario->speed > 1) {
        int64_t most = no_further(scenario);

        if (passed - atomic_load(&shared->held_ns) > most) {
            raise_to(&shared->held_ns, passed - most);
        }
        raise_to(&shared->shown_ns, passed - atomic_load(&shared->held_ns));
        passed = atomic_load(&shared->shown_ns); /* somebody else may have held it since */
    }
    return (clock == CANARY_CLOCK_REALTIME ? scenario->begin_ns : INT64_C(1000000000)) + passed;
}

void scenario_options(struct scenario *scenario, canary_options *options) {
    options->flags = CANARY_OPEN_CREATE;
    options->clock = scenario_clock;
    options->clock_data = scenario;
    /* Deadlines are told by the same clock, while a disk is no faster than ever. */
    options->busy_timeout_ns = (int64_t)(5 * second_ns * scenario->speed);
    if (options->busy_timeout_ns > INT64_C(3600000000000)) {
        options->busy_timeout_ns = INT64_C(3600000000000);
    }
}

static double number_of(const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);

    if (*end != '\0' || !(value >= least && value <= most)) {
        fprintf(stderr, "judged: %s: allowed is a number from %g to %g\n", text, least, most);
        exit(2);
    }
    return value;
}

int scenario_read(struct scenario *scenario, int argc, char **argv) {
    static const struct option options[] = {
        { "base", required_argument, NULL, 'b' },
        { "harm", required_argument, NULL, 'x' },
        { "late", required_argument, NULL, 'l' },
        { "speed", required_argument, NULL, 's' },
        { "hours", required_argument, NULL, 't' },
        { "requests", required_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    double hours = 4.0;
    int given;

    scenario->base = 0.01;
    scenario->harm = 1.0;
    scenario->speed = 360.0;
    scenario->requests = 4000;
    while ((given = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (given) {
        case 'b':
            scenario->base = number_of(optarg, 0.0, 0.5);
            break;
        case 'x':
            scenario->harm = number_of(optarg, 0.0, 100.0);
            break;
        case 'l':
            scenario->late_ns = (int64_t)(number_of(optarg, 0.0, 1000.0) * 3600 * second_ns);
            break;
        case 's':
            scenario->speed = number_of(optarg, 1.0, 1000.0);
            break;
        case 't':
            hours = number_of(optarg, 0.001, 1000.0);
            break;
        case 'r':
            scenario->requests = (unsigned)number_of(optarg, 4.0, 1e6);
            break;
        default:
            return 2;
        }
    }
    if (argc - optind != 3) {
        fprintf(stderr, "usage: judged DB ROLLOUT POLICY.json [--base P] [--harm X] [--late H] "
                        "[--speed N] [--hours N] [--requests N]\n");
        return 2;
    }
    scenario->db = argv[optind];
    scenario->rollout = argv[optind + 1];
    scenario->policy = argv[optind + 2];
    scenario->length_ns = (int64_t)(hours * 3600 * second_ns);
    scenario->real_ns = machine_ns(CLOCK_MONOTONIC);
    scenario->begin_ns = machine_ns(CLOCK_REALTIME) - scenario->length_ns;
    scenario->shared = mmap(NULL, sizeof *scenario->shared, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (scenario->shared == MAP_FAILED) {
        return 2;
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        atomic_init(&scenario->shared->delivered[i], scenario->begin_ns / CANARY_TICK_NS);
    }
    return 0;
}
