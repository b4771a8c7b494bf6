/* SPDX-License-Identifier: MIT */
/* Clocks, processors, and what a clock cycle is. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdint.h>

/* Budgets in nanoseconds were set on a machine whose core runs at this clock. They are kept as
 * cycles, and a cycle is measured in the same rounds, as one addition of a dependent chain: so
 * neither a slower clock nor a busy host decides about them. Additions of two registers take one
 * cycle on all processors (those of a constant do not: some rename them away). */
#define BENCH_REFERENCE_GHZ 3.7

int64_t bench_wall_ns(void);

/* The time this thread had a processor. What is measured by it makes no system call, so all it
 * leaves out is that others used the machine meanwhile. */
int64_t bench_cpu_ns(void);

/* How often this thread gave up its processor by itself: what CPU time would hide. */
long bench_voluntary_waits(void);

/* How many processors this process may use. */
int bench_cpus(void);

/* Ties the calling thread to the nth of them, from 0. 0, or -1. */
int bench_pin(int nth);

/* `count` dependent additions of two registers. */
void bench_additions(void *unused, uint64_t count);

/* Loops over calls of nanoseconds make eight a turn, so that it is the calls that are measured. */
#define BENCH_EIGHT(one, i)                                                                        \
    (one(i) + one((i) + 1) + one((i) + 2) + one((i) + 3) + one((i) + 4) + one((i) + 5) +           \
     one((i) + 6) + one((i) + 7))

/* The compiler must make `value` and may not know what becomes of it. */
static inline void bench_use(uint64_t value) {
    __asm__ volatile("" : : "r"(value));
}

/* A value the compiler knows nothing about. */
static inline uint64_t bench_opaque(uint64_t value) {
    __asm__ volatile("" : "+r"(value));
    return value;
}

#endif
