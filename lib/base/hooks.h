/* SPDX-License-Identifier: MIT */
/* The host program's log, clock and allocator, with the system's as defaults. */
#ifndef CANARY__HOOKS_H
#define CANARY__HOOKS_H

#include <canary/context.h>

#include <stddef.h>

struct canary__hooks {
    canary_log_fn log;
    void *log_data;
    canary_clock_fn clock;
    void *clock_data;
    canary_alloc_fn allocate;
    void *allocate_data;
    int log_level;
};

void canary__hooks_init(struct canary__hooks *hooks, const canary_options *options);

/* Zeroed memory, or NULL. `size` is given again when freeing: the hook is told sizes. */
void *canary__alloc(const struct canary__hooks *hooks, size_t size);
void *canary__realloc(const struct canary__hooks *hooks, void *block, size_t old_size, size_t size);
void canary__free(const struct canary__hooks *hooks, void *block, size_t size);

/* Nanoseconds of CANARY_CLOCK_REALTIME or _MONOTONIC. */
int64_t canary__now(const struct canary__hooks *hooks, int clock);

void canary__log(const struct canary__hooks *hooks, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
