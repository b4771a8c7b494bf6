/* SPDX-License-Identifier: MIT */
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"
#include "subject.h"

static const char *const kernels[] = { "libsodium", "shani", "armv8", "avx2", "avx512" };
static const char variable[] = "CANARY_BENCH_KERNEL";

const char *bench_kernel(void) {
    return getenv(variable);
}

void bench_each_kernel(char **argv) {
    for (unsigned i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            setenv("CANARY_SHA256", kernels[i], 1);
            setenv(variable, kernels[i], 1);
            execv("/proc/self/exe", argv);
            _exit(127);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            bench_die(kernels[i], "the process that measures it failed");
        }
    }
}

void bench_kernel_serves(int *one, int *many) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_ctx *ctx = bench_ctx(5000, NULL, BENCH_NO_PINS, NULL);

    if (canary_info(ctx, &info) != CANARY_OK) {
        bench_die("canary_info", "fails");
    }
    canary_close(&ctx);
    *one = strcmp(info.hash_kernel, bench_kernel()) == 0;
    *many = strcmp(info.hash_many_kernel, bench_kernel()) == 0;
    if (!*one && !*many) {
        printf("\n%s: not on this machine\n", bench_kernel());
    }
}
