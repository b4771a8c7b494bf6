/* SPDX-License-Identifier: MIT */
/* Threads that count the same users while another one reads: whoever was counted before a reading is
 * in it, and in the end it is what one thread alone would have. */
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hooks.h"
#include "observe/sample.h"

enum {
    THREADS = 4,
    /* Half of each thread's users are the next one's, too. */
    EACH = UNDER_TSAN ? 300000 : 1000000,
    USERS = (THREADS + 1) * (EACH / 2),
};

static struct canary__sample_table table;
static struct canary__sample_table alone;
static struct canary__hooks hooks;
static _Atomic(uint32_t) done[THREADS];

static uint32_t user(uint32_t i) {
    return canary__sample_mix(i * 0x9e3779b9u);
}

static void *count(void *argument) {
    uint32_t thread = (uint32_t)(uintptr_t)argument;

    for (uint32_t i = 0; i < EACH; i++) {
        canary__sample_put(&table, user(thread * (EACH / 2) + i));
        /* And those who come again and again. */
        canary__sample_put(&table, user(i % 100));
        atomic_store_explicit(&done[thread], i + 1, memory_order_release);
    }
    return NULL;
}

static int by_value(const void *a, const void *b) {
    const uint32_t *x = a;
    const uint32_t *y = b;

    return (*x > *y) - (*x < *y);
}

/* Answers how many of those counted before were looked for. */
static uint32_t check(const uint32_t *before) {
    struct canary__sample sample = { 0 };
    uint32_t added = atomic_load_explicit(&table.added, memory_order_acquire);
    uint32_t looked = 0;

    CHECK(canary__sample_take(&hooks, &table, &sample) == 0, "no memory");
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        for (uint32_t i = 0; i < before[thread]; i++) {
            uint32_t one = user(thread * (EACH / 2) + i);

            if (canary__sample_holds(sample.level, one)) {
                looked++;
                CHECK(bsearch(&one, sample.users, sample.count, sizeof one, by_value) != NULL,
                      "%08x was counted by thread %u and is not in the sample of level %u", one,
                      thread, sample.level);
            }
        }
    }
    CHECK(sample.count == 0 || added != 0 || looked == 0, "changed, and says it did not");
    canary__sample_free(&hooks, &sample);
    return looked;
}

static void as_one_thread_would(void) {
    struct canary__sample together = { 0 };
    struct canary__sample expected = { 0 };

    for (uint32_t i = 0; i < USERS; i++) {
        canary__sample_put(&alone, user(i));
    }
    CHECK(canary__sample_take(&hooks, &table, &together) == 0 &&
              canary__sample_take(&hooks, &alone, &expected) == 0,
          "no memory");
    CHECK(together.level == expected.level && together.count == expected.count,
          "%u users at level %u instead of %u at %u", together.count, together.level,
          expected.count, expected.level);
    CHECK(memcmp(together.users, expected.users, expected.count * sizeof *expected.users) == 0,
          "other users");
    printf("%u users of %d at level %u\n", together.count, (int)USERS, together.level);
    canary__sample_free(&hooks, &together);
    canary__sample_free(&hooks, &expected);
}

int main(void) {
    canary_options options = CANARY_OPTIONS_INIT;
    pthread_t threads[THREADS];
    uint32_t before[THREADS] = { 0 };
    uint32_t readings = 0;
    uint64_t looked = 0;

    canary__hooks_init(&hooks, &options);
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, count, (void *)i) == 0, "no thread");
    }
    while (before[0] + before[1] + before[2] + before[3] < THREADS * EACH) {
        for (int i = 0; i < THREADS; i++) {
            before[i] = atomic_load_explicit(&done[i], memory_order_acquire);
        }
        looked += check(before);
        readings++;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%u readings looked for %llu users\n", readings, (unsigned long long)looked);
    as_one_thread_would();
    return 0;
}
