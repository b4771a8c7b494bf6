/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: taking an input apart, a place for files, and what must hold. */
#ifndef FUZZ_H
#define FUZZ_H

#include <canary/canary.h>

#include <stddef.h>
#include <stdint.h>

/* A target: called with one input after the other, in one process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. At its end everything taken is zero. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

uint8_t fuzz_byte(struct fuzz_input *input);
uint64_t fuzz_number(struct fuzz_input *input, int bytes);
/* Up to `most` bytes; `*taken` tells how many. */
const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t most, size_t *taken);

/* Ends the process, which is how a target tells that it found something. */
void fuzz_require(int holds, const char *what);

/* A path in a directory of this process, which is removed at its end. */
const char *fuzz_path(const char *name);
void fuzz_write_file(const char *path, const void *bytes, size_t size);

/* The users that are asked about; every bucket is as likely as any other. */
#define FUZZ_USERS 64
void fuzz_cohorts(canary_ctx *ctx, uint8_t cohorts[FUZZ_USERS]);

/* Whatever was read, the answers of one context agree with each other. */
void fuzz_require_consistent(canary_ctx *ctx);

/* Nobody gets the new path who did not before. */
void fuzz_require_not_raised(canary_ctx *ctx, const uint8_t before[FUZZ_USERS]);

#endif
