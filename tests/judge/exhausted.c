/* SPDX-License-Identifier: MIT */
#include "exhausted.h"

#include <jansson.h>
#include <stdlib.h>

static long left; /* allocations until one fails */
static int stays; /* and then all do */
static int armed;
static int failed;
static long held;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *string);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *string);

static int fails(void) {
    if (!armed || left-- > 0 || (failed && !stays)) {
        return 0;
    }
    failed = 1;
    return 1;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *string) {
    return fails() ? NULL : __real_strdup(string);
}

static void *jansson_malloc(size_t size) {
    void *block = fails() ? NULL : __real_malloc(size);

    held += block != NULL;
    return block;
}

static void jansson_free(void *block) {
    held -= block != NULL;
    free(block);
}

void exhausted_begin(long at, int lastingly) {
    left = at;
    stays = lastingly;
    failed = 0;
    held = 0;
    armed = 1;
}

int exhausted_end(void) {
    armed = 0;
    return failed;
}

long exhausted_held(void) {
    return held;
}

void exhausted_jansson(int here) {
    if (here) {
        json_set_alloc_funcs(jansson_malloc, jansson_free);
    } else {
        json_set_alloc_funcs(malloc, free);
    }
}
