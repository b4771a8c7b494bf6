/* SPDX-License-Identifier: MIT */
#include "exhausted.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static long left; /* allocations until one fails */
static int stays; /* and then all do */
static int armed;
static int within; /* texts that jansson reads */
static int failed;
static long held;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *string);
json_t *__real_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *string);
json_t *__wrap_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error);

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

/* In front of jansson's blocks: who frees one with free() does not live on. */
enum { APART = 32 };

static void *jansson_malloc(size_t size) {
    char *block = fails() ? NULL : __real_malloc(size + APART);

    held += block != NULL;
    return block != NULL ? block + APART : NULL;
}

static void jansson_free(void *block) {
    held -= block != NULL;
    free(block != NULL ? (char *)block - APART : NULL);
}

/* jansson, when it cannot keep a byte of a text, goes on without it, and beyond the end where that was
 * the last quote: which text is read in want of memory must be known. */
json_t *__wrap_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error) {
    const int was_armed = armed;
    json_t *root;

    if (!within && fails()) {
        if (error != NULL) {
            memset(error, 0, sizeof *error);
        }
        return NULL;
    }
    armed &= within;
    root = __real_json_loadb(text, size, flags, error);
    armed = was_armed;
    return root;
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

void exhausted_within(int texts) {
    within = texts;
}

void exhausted_jansson(int here) {
    if (here) {
        json_set_alloc_funcs(jansson_malloc, jansson_free);
    } else {
        json_set_alloc_funcs(malloc, free);
    }
}
