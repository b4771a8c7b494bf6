/* SPDX-License-Identifier: MIT */
/* What the machine does besides: a program that has a processor for milliseconds keeps everybody
 * waiting who is woken then, and says nothing about the library. */
#ifndef BENCH_OTHERS_H
#define BENCH_OTHERS_H

#include <stdint.h>

/* Nanoseconds that tasks outside of this process group, the kernel's among them, have had processors
 * for since they began; 0 where the kernel does not tell. Reads a file for each task there is. */
int64_t bench_others_ns(void);

#endif
