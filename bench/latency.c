/* SPDX-License-Identifier: MIT */
/* Single calls: how long half of them take, and the slowest in a hundred and in a thousand.
 *
 * Each call stands between two looks at the processor's counter, with fences so that nothing of it
 * runs outside them. What the looks and a call that does nothing take, its median, is subtracted;
 * it is printed as well. The call is made alone, with an empty pipeline, so that it takes longer
 * than one among others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/record.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { CALLS = 400000, HALF_BP = 2500 };

#if defined(__x86_64__)
#include <x86intrin.h>

static inline uint64_t look_before(void) {
    uint64_t ticks;

    _mm_lfence();
    ticks = __rdtsc();
    _mm_lfence();
    return ticks;
}

static inline uint64_t look_after(void) {
    unsigned cpu;
    uint64_t ticks = __rdtscp(&cpu);

    _mm_lfence();
    return ticks;
}
#elif defined(__aarch64__)
static inline uint64_t look_before(void) {
    uint64_t ticks;

    __asm__ volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(ticks) : : "memory");
    return ticks;
}

static inline uint64_t look_after(void) {
    return look_before();
}
#else
static inline uint64_t look_before(void) {
    return (uint64_t)bench_wall_ns();
}

static inline uint64_t look_after(void) {
    return look_before();
}
#endif

typedef int (*call_fn)(canary_ctx *ctx, const struct bench_ids *ids, unsigned at);

static int call_nothing(canary_ctx *ctx, const struct bench_ids *ids, unsigned at) {
    (void)ctx;
    return (int)bench_opaque((uint64_t)(uintptr_t)ids->text[at]);
}

static int call_text(canary_ctx *ctx, const struct bench_ids *ids, unsigned at) {
    return canary_should_use_new(ctx, ids->text[at]);
}

static int call_explain(canary_ctx *ctx, const struct bench_ids *ids, unsigned at) {
    canary_decision decision = CANARY_DECISION_INIT;

    canary_explain(ctx, ids->text[at], ids->size, &decision);
    return decision.cohort;
}

static uint64_t ticks_of[CALLS];

static size_t collect(call_fn call, canary_ctx *ctx, const struct bench_ids *ids) {
    size_t calls = bench_is_smoke() ? 2000 : CALLS;
    uint64_t chosen = 0;

    for (size_t i = 0; i < calls; i++) {
        uint64_t before = look_before();

        chosen += (unsigned)call(ctx, ids, (unsigned)(i % BENCH_IDS));
        ticks_of[i] = look_after() - before;
    }
    bench_use(chosen);
    bench_sort(ticks_of, calls);
    return calls;
}

static double ns_per_tick(void) {
    int64_t wall = bench_wall_ns();
    uint64_t ticks = look_before();

    while (bench_wall_ns() - wall < 50000000) {
    }
    return (double)(bench_wall_ns() - wall) / (double)(look_before() - ticks);
}

/* The smallest step between different values that were seen. */
static uint64_t resolution(size_t calls) {
    uint64_t least = 0;

    for (size_t i = 1; i < calls; i++) {
        uint64_t step = ticks_of[i] - ticks_of[i - 1];

        if (step > 0 && (least == 0 || step < least)) {
            least = step;
        }
    }
    return least;
}

/* The value below which `share` of the sorted ticks lie. The counter moves in steps, and calls
 * begin anywhere between two of them: within the values that came out equal the place is
 * interpolated. */
static double quantile(size_t calls, uint64_t step, double share) {
    size_t at = (size_t)((double)calls * share);
    uint64_t value = ticks_of[at];
    size_t first = at;
    size_t last = at;

    while (first > 0 && ticks_of[first - 1] == value) {
        first--;
    }
    while (last + 1 < calls && ticks_of[last + 1] == value) {
        last++;
    }
    return (double)value +
           (double)step * (((double)(at - first) + 0.5) / (double)(last - first + 1) - 0.5);
}

static void report(const char *name, double tick, uint64_t step, double nothing, size_t calls) {
    static const struct {
        const char *name;
        double share;
    } of[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "p99.9", 0.999 } };
    char line[120];

    for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++) {
        double ticks = quantile(calls, step, of[i].share) - nothing;

        snprintf(line, sizeof line, "%s, %s", name, of[i].name);
        bench_number(line, "ns", ticks > 0 ? ticks * tick : 0);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        call_fn call;
        uint32_t percentage_bp;
        uint32_t size;
        const char *salt;
        enum bench_pins pins;
    } cases[] = {
        { "100 %", call_text, 10000, 36, NULL, BENCH_NO_PINS },
        { "25 %, 8 bytes", call_text, HALF_BP, 8, NULL, BENCH_NO_PINS },
        { "25 %, 36 bytes", call_text, HALF_BP, 36, NULL, BENCH_NO_PINS },
        { "25 %, 36 bytes, salted", call_text, HALF_BP, 36, "spring", BENCH_NO_PINS },
        { "25 %, 36 bytes, others are pinned", call_text, HALF_BP, 36, NULL, BENCH_OTHERS_PINNED },
        { "25 %, 36 bytes, all are pinned", call_text, HALF_BP, 36, NULL, BENCH_ALL_PINNED },
        { "25 %, 200 bytes", call_text, HALF_BP, 200, NULL, BENCH_NO_PINS },
        { "25 %, 36 bytes, explained", call_explain, HALF_BP, 36, NULL, BENCH_NO_PINS },
    };
    const struct bench_ids *ids;
    double tick;
    double nothing;
    uint64_t step;
    size_t calls;

    bench_begin("latency", argc, argv);
    bench_pin(0);
    tick = ns_per_tick();
    ids = bench_ids_new(36);
    collect(call_nothing, NULL, ids);
    calls = collect(call_nothing, NULL, ids);
    step = resolution(calls);
    nothing = quantile(calls, step, 0.5);
    bench_heading("Single calls");
    bench_note("%zu calls each; %.1f ns are subtracted, which two looks at the counter and a call "
               "that does nothing take; the counter moves in steps of %.1f ns, between which is "
               "interpolated",
               calls, nothing * tick, (double)step * tick);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct bench_ids *own = bench_ids_new(cases[i].size);
        canary_ctx *ctx = bench_ctx(cases[i].percentage_bp, cases[i].salt, cases[i].pins, own);

        collect(cases[i].call, ctx, own);
        calls = collect(cases[i].call, ctx, own);
        report(cases[i].name, tick, step, nothing, calls);
        canary_close(&ctx);
    }
    return bench_end();
}
