/* SPDX-License-Identifier: MIT */
/* The instructions of this architecture for one bare block. */
#ifndef BENCH_BLOCK_KERNELS_H
#define BENCH_BLOCK_KERNELS_H

#include "block.h"

extern const char bench_block_native_name[];

/* NULL where this processor has none. */
bench_block_fn bench_block_native(void);

#endif
