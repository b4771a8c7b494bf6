/* SPDX-License-Identifier: MIT */
/* A file system that fails on command, below SQLite and above the real one. */
#ifndef TESTS_STORAGE_SHIM_H
#define TESTS_STORAGE_SHIM_H

#include <stdint.h>

/* What an armed call answers. */
enum shim_fault {
    SHIM_IO_ERROR,  /* the error of its kind */
    SHIM_FULL,      /* writes: no space; the others: the error of their kind */
    SHIM_HALF_WRITE /* writes: half of it reaches the file, then an error */
};

/* Becomes SQLite's default file system. */
void shim_install(void);
/* The `at`-th call from now on fails, and with `onwards` every one after it. 0 disarms. */
void shim_arm(int64_t at, enum shim_fault fault, int onwards);
/* 1 when an armed call has failed since. */
int shim_fired(void);
/* Files may grow by so many bytes together before writes answer "no space"; -1 = no limit. */
void shim_space(int64_t bytes);

#endif
