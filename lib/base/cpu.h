/* SPDX-License-Identifier: MIT */
/* Which instructions this processor has and its operating system lets programs use. */
#ifndef CANARY__CPU_H
#define CANARY__CPU_H

#define CANARY__CPU_SHANI                                                                          \
    1u /* x86: SHA extensions and AVX, with the registers saved by the system */
#define CANARY__CPU_AVX2 2u   /* x86: AVX2 and BMI2, likewise */
#define CANARY__CPU_AVX512 4u /* x86: AVX-512 F, BW and VL, likewise */
#define CANARY__CPU_ARMV8 8u  /* aarch64: SHA-2 of the cryptographic extension */
/* x86: works through 512-bit vectors in two halves, so that they are no faster than two of 256. */
#define CANARY__CPU_HALVES_512 16u

/* A set of the above. Asks the processor each time, which under a hypervisor is slow.
 * Not __builtin_cpu_supports(): that links a constructor into the library, and this library runs no
 * code that nobody called. */
unsigned canary__cpu_features(void);

#endif
