/* SPDX-License-Identifier: MIT */
/* Ids of several lengths, without a salt, with one, and with pinned users, by every way to compute
 * SHA-256 that this machine has. A process chooses once, so each way has a process of its own, in
 * which CANARY_SHA256 names it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { ROUNDS = 61, TURN_NS = 200000, HALF_BP = 2500, BATCH = 256, LENGTHS = 5 };

static const char *const kernels[] = { "libsodium", "shani", "armv8", "avx2", "avx512" };
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

/* In the process that has the kernel; those for many at once leave single decisions to another, and
 * a processor without the instructions leaves both. */
static void run_kernel(const char *kernel) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_ctx *ctx = bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, NULL);

    bench_use((unsigned)canary_should_use_new(ctx, "alice"));
    if (canary_info(ctx, &info) != CANARY_OK) {
        bench_die("canary_info", "fails");
    }
    canary_close(&ctx);
    if (strcmp(info.hash_kernel, kernel) == 0) {
        run(kernel, bench_bytes, "One a call");
    }
    if (strcmp(info.hash_many_kernel, kernel) == 0) {
        run(kernel, bench_many, "256 a call");
    }
    if (strcmp(info.hash_kernel, kernel) != 0 && strcmp(info.hash_many_kernel, kernel) != 0) {
        printf("\n%s: not on this machine\n", kernel);
    }
}

int main(int argc, char **argv) {
    const char *kernel = getenv("CANARY_BENCH_KERNEL");
    int status = 0;

    bench_begin("kernels", argc, argv);
    if (kernel != NULL) {
        bench_pin(0);
        run_kernel(kernel);
        return bench_end();
    }
    for (unsigned i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        pid_t child = fork();

        if (child == 0) {
            setenv("CANARY_SHA256", kernels[i], 1);
            setenv("CANARY_BENCH_KERNEL", kernels[i], 1);
            execv("/proc/self/exe", argv);
            _exit(127);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            bench_die(kernels[i], "the process that measures it failed");
        }
    }
    return bench_end();
}
