/* SPDX-License-Identifier: MIT */
/* Each way to compute SHA-256. A process chooses once, so each way has a process of its own, in
 * which CANARY_SHA256 names it. */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

/* The name that this process was started for, or NULL in the one that a person started. */
const char *bench_kernel(void);

/* Starts this program again for every name, one after the other. */
void bench_each_kernel(char **argv);

/* In a process with a name: whether the library uses it here for one id, and for many. Those for
 * many leave single decisions to another, and a processor without the instructions leaves both. */
void bench_kernel_serves(int *one, int *many);

#endif
