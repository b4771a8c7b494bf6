/* SPDX-License-Identifier: MIT */
#include "base/hooks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

static void *system_allocate(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    (void)user_data;
    (void)old_size;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return size > SIZE_MAX ? NULL : realloc(block, (size_t)size);
}

static int64_t system_clock(void *user_data, int clock) {
    struct timespec now = { 0, 0 };

    (void)user_data;
    clock_gettime(clock == CANARY_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void canary__hooks_init(struct canary__hooks *hooks, const canary_options *options) {
    hooks->log = options->log;
    hooks->log_data = options->log_data;
    hooks->clock = options->clock != NULL ? options->clock : system_clock;
    hooks->clock_data = options->clock_data;
    hooks->allocate = options->allocate != NULL ? options->allocate : system_allocate;
    hooks->allocate_data = options->allocate_data;
    hooks->log_level = options->log_level != 0 ? (int)options->log_level : CANARY_LOG_WARNING;
}

void *canary__alloc(const struct canary__hooks *hooks, size_t size) {
    void *block = hooks->allocate(hooks->allocate_data, NULL, 0, size);

    if (block != NULL) {
        memset(block, 0, size);
    }
    return block;
}

void *canary__realloc(const struct canary__hooks *hooks, void *block, size_t old_size,
                      size_t size) {
    return hooks->allocate(hooks->allocate_data, block, old_size, size);
}

void canary__free(const struct canary__hooks *hooks, void *block, size_t size) {
    if (block != NULL) {
        hooks->allocate(hooks->allocate_data, block, size, 0);
    }
}

int64_t canary__now(const struct canary__hooks *hooks, int clock) {
    return hooks->clock(hooks->clock_data, clock);
}

void canary__log(const struct canary__hooks *hooks, int level, const char *format, ...) {
    char line[600];
    va_list arguments;

    if (hooks->log == NULL || level > hooks->log_level) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    canary__text_clean(line);
    hooks->log(hooks->log_data, level, line);
}
