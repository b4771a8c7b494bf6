/* SPDX-License-Identifier: MIT */
/* What a context takes: memory, none of it by user, and time to open. */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { CONTEXTS = 256, USERS = 10000000, OPENS = 201, HALF_BP = 2500 };

/* -- the allocator hook, which hands out memory that is mapped already -- */

static char arena[64 << 20];
static size_t arena_used;
static _Atomic(int64_t) bytes_held;
static _Atomic(uint64_t) calls_of_hook;

static void *hook(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    void *fresh;

    (void)user_data;
    atomic_fetch_add(&calls_of_hook, 1);
    if (size > sizeof arena - arena_used - 64) {
        return NULL;
    }
    atomic_fetch_add(&bytes_held, (int64_t)size - (int64_t)old_size);
    if (size == 0) {
        return NULL;
    }
    fresh = arena + arena_used;
    arena_used += (size + 63) / 64 * 64;
    if (block != NULL) {
        memcpy(fresh, block, old_size < size ? old_size : size);
    }
    return fresh;
}

static void must(int code, const canary_error *error, const char *what) {
    if (code != CANARY_OK) {
        bench_die(what, error->message);
    }
}

/* Bytes of address space of this process. */
static int64_t mapped(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (file == NULL || fscanf(file, "%ld", &pages) != 1) {
        bench_die("/proc/self/statm", "cannot be read");
    }
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t from_malloc(void) {
    struct mallinfo2 info = mallinfo2();

    return (int64_t)info.uordblks + (int64_t)info.hblkhd;
}

static canary_store *hooked_store(void) {
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "bench" };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;

    options.allocate = hook;
    must(canary_store_open_memory(&options, &store, &error), &error, "open");
    must(canary_create(store, &spec, NULL, NULL, &error), &error, "create");
    must(canary_set_percentage(store, "bench", HALF_BP, NULL, NULL, NULL, &error), &error, "set");
    return store;
}

static void one_context(void) {
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = hooked_store();
    static canary_ctx *contexts[CONTEXTS];
    int64_t pages;
    int64_t held;
    double bytes;
    char figure[120];

    must(canary_open_in(store, "bench", NULL, &contexts[0], &error), &error, "open");
    pages = mapped();
    held = atomic_load(&bytes_held);
    for (int i = 1; i < CONTEXTS; i++) {
        must(canary_open_in(store, "bench", NULL, &contexts[i], &error), &error, "open");
    }
    pages = mapped() - pages;
    held = atomic_load(&bytes_held) - held;
    bytes = (double)(pages + held) / (CONTEXTS - 1);
    bench_number("a context: mapped pages", "bytes", (double)pages / (CONTEXTS - 1));
    bench_number("a context: from the allocator hook", "bytes", (double)held / (CONTEXTS - 1));
    snprintf(figure, sizeof figure, "%.0f bytes", bytes);
    bench_at_most("context without metrics: 64 KiB", figure, bytes / 65536, 1.0);
    for (int i = 0; i < CONTEXTS; i++) {
        canary_close(&contexts[i]);
    }
    canary_store_close(&store);
}

static uint64_t decide_distinct(canary_ctx *ctx, uint64_t users) {
    uint64_t chosen = 0;
    char id[37] = "00000000-0190-7e5f-8a6b-7c8d9e0f1a2b";

    for (uint64_t user = 0; user < users; user++) {
        for (int digit = 0; digit < 8; digit++) {
            id[digit] = "0123456789abcdef"[user >> (28 - 4 * digit) & 15];
        }
        chosen += (unsigned)canary_should_use_new(ctx, id);
    }
    return chosen;
}

static void many_users(void) {
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = hooked_store();
    canary_ctx *ctx = NULL;
    uint64_t users = bench_is_smoke() ? 10000 : USERS;
    uint64_t chosen;
    uint64_t calls;
    int64_t pages;
    int64_t blocks;
    double grown;
    char figure[120];

    must(canary_open_in(store, "bench", NULL, &ctx, &error), &error, "open");
    bench_use(decide_distinct(ctx, 1));
    pages = mapped();
    blocks = from_malloc();
    calls = atomic_load(&calls_of_hook);
    chosen = decide_distinct(ctx, users);
    calls = atomic_load(&calls_of_hook) - calls;
    blocks = from_malloc() - blocks;
    pages = mapped() - pages;
    bench_number("distinct users decided", "users", (double)users);
    bench_number("of them new", "users", (double)chosen);
    bench_number("calls of the allocator hook meanwhile", "calls", (double)calls);
    bench_number("growth from malloc", "bytes", (double)blocks);
    bench_number("growth of the address space", "bytes", (double)pages);
    grown = (double)calls + (double)blocks + (double)pages;
    snprintf(figure, sizeof figure, "%.0f bytes, %.0f allocations after %.0f users",
             (double)(blocks + pages), (double)calls, (double)users);
    bench_at_most("growth with the number of users: none", figure, grown, 0.0);
    canary_close(&ctx);
    canary_store_close(&store);
}

/* -- opening -- */

static char directory[256];
static char path[300];

static void make_store(void) {
    const char *base = getenv("TMPDIR");
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "bench" };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;

    snprintf(directory, sizeof directory, "%s/canary-bench-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(directory) == NULL) {
        bench_die(directory, strerror(errno));
    }
    snprintf(path, sizeof path, "%s/db", directory);
    options.flags = CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER;
    must(canary_store_open(path, &options, &store, &error), &error, "open");
    must(canary_create(store, &spec, NULL, NULL, &error), &error, "create");
    for (int i = 0; i < 50; i++) {
        must(canary_set_percentage(store, "bench", 100 + (uint32_t)i, NULL, NULL, NULL, &error),
             &error, "set");
    }
    canary_store_close(&store);
}

static void remove_store(void) {
    static const char *const suffixes[] = { "", "-doorbell", "-journal" };

    for (unsigned i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char file[400];

        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    if (rmdir(directory) != 0) {
        printf("  %s is not empty and stays\n", directory);
    }
}

/* What is between the clocks ends with a decision. Closing joins the watcher and is not measured.
 */
static double open_once(uint32_t flags) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;
    int64_t start;
    int64_t took;

    options.flags = flags;
    start = bench_wall_ns();
    must(canary_open(path, "bench", &options, &ctx, &error), &error, "open");
    bench_use((unsigned)canary_should_use_new(ctx, "alice"));
    took = bench_wall_ns() - start;
    canary_close(&ctx);
    return (double)took;
}

static double additions_once(void) {
    enum { ADDITIONS = 320000 };
    int64_t start = bench_wall_ns();

    bench_additions(NULL, ADDITIONS);
    return (double)(bench_wall_ns() - start) / ADDITIONS;
}

static void opening(void) {
    static double with[OPENS];
    static double without[OPENS];
    static double cycle[OPENS];
    double ms[OPENS];
    size_t opens = bench_is_smoke() ? 3 : OPENS;
    struct bench_spread cycles;
    char figure[120];

    make_store();
    open_once(0);
    for (size_t i = 0; i < opens; i++) {
        cycle[i] = additions_once();
        with[i] = open_once(0) / 1e6;
        without[i] = open_once(CANARY_OPEN_NO_WATCHER) / 1e6;
    }
    remove_store();
    memcpy(ms, with, sizeof ms);
    bench_figure("open and decide, with a watcher", "ms", bench_spread_of(ms, opens));
    snprintf(figure, sizeof figure, "%.3f ms", ms[opens / 2]);
    memcpy(ms, without, sizeof ms);
    bench_figure("open and decide, without a watcher", "ms", bench_spread_of(ms, opens));
    memcpy(ms, cycle, sizeof ms);
    bench_figure("one cycle (dependent addition)", "ns", bench_spread_of(ms, opens));
    cycles = bench_ratio_of(with, cycle, opens);
    bench_note("2 ms are kept as %.1f million cycles of the reference machine's %.1f GHz",
               2 * BENCH_REFERENCE_GHZ, BENCH_REFERENCE_GHZ);
    bench_at_most("open an existing SQLite store: 2 ms", figure,
                  cycles.median * 1e6 / (2e6 * BENCH_REFERENCE_GHZ), 1.0);
}

int main(int argc, char **argv) {
    bench_begin("footprint", argc, argv);
    bench_heading("Memory");
    one_context();
    many_users();
    bench_heading("Opening a SQLite store with one rollout and 51 rows in its trail");
    opening();
    return bench_end();
}
