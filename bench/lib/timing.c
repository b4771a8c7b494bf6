/* SPDX-License-Identifier: MIT */
#include "timing.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

static int64_t read_clock(clockid_t clock) {
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t bench_wall_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_cpu_ns(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

long bench_voluntary_waits(void) {
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

/* Of the process, not of the calling thread, which may be tied to one already. */
static int allowed(cpu_set_t *set) {
    static cpu_set_t first;
    static int known;

    if (!known) {
        CPU_ZERO(&first);
        if (sched_getaffinity(0, sizeof first, &first) != 0) {
            return -1;
        }
        known = 1;
    }
    *set = first;
    return 0;
}

int bench_cpus(void) {
    cpu_set_t set;

    return allowed(&set) == 0 ? CPU_COUNT(&set) : 1;
}

int bench_pin(int nth) {
    cpu_set_t set;

    if (allowed(&set) != 0) {
        return -1;
    }
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set) && nth-- == 0) {
            cpu_set_t one;

            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            return sched_setaffinity(0, sizeof one, &one);
        }
    }
    return -1;
}

#define ADD x += y, x = bench_opaque(x)
#define ADD8 ADD, ADD, ADD, ADD, ADD, ADD, ADD, ADD

void bench_additions(void *unused, uint64_t count) {
    uint64_t x = bench_opaque(1);
    uint64_t y = bench_opaque(3);

    (void)unused;
    for (uint64_t i = 0; i < count; i += 32) {
        ADD8, ADD8, ADD8, ADD8;
    }
    bench_use(x);
}
