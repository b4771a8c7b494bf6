/* SPDX-License-Identifier: MIT */
#include "herd.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

enum { NOBODY = 65534 };

static struct herd_slot *map_slots(const char *file, int create) {
    int fd = open(file, O_RDWR | (create ? O_CREAT | O_EXCL : 0) | O_CLOEXEC, 0666);
    void *slots;

    CHECK(fd >= 0, "%s: %s", file, strerror(errno));
    CHECK(!create || ftruncate(fd, HERD_MAX * sizeof(struct herd_slot)) == 0, "ftruncate");
    slots =
        mmap(NULL, HERD_MAX * sizeof(struct herd_slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(slots != MAP_FAILED, "mmap: %s", strerror(errno));
    close(fd);
    return slots;
}

static void show(struct herd_slot *slot, canary_ctx *ctx, const char *user) {
    canary_decision d = CANARY_DECISION_INIT;
    uint32_t peak;

    canary_explain(ctx, user, strlen(user), &d);
    CHECK(d.reason != CANARY_REASON_INVALID && d.reason != CANARY_REASON_NOT_READY, "reason %s",
          canary_reason_name(d.reason));
    atomic_store(&slot->revision, d.revision);
    atomic_store(&slot->reason, d.reason);
    atomic_store(&slot->effective_bp, d.effective_bp);
    peak = atomic_load(&slot->peak_bp);
    while (d.effective_bp > peak &&
           !atomic_compare_exchange_weak(&slot->peak_bp, &peak, d.effective_bp)) {
    }
    atomic_fetch_add(&slot->looks, 1);
}

static void follow_for_ever(const char *db, struct herd_slot *slot, int flags) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    char user[48];

    user_in("", 0, 1, 0, user, sizeof user);
    if ((flags & HERD_NOBODY) != 0) {
        CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0,
              "setresuid: %s", strerror(errno));
    }
    options.flags = (flags & HERD_NO_WATCHER) != 0 ? CANARY_OPEN_NO_WATCHER : 0;
    MUST(canary_store_open(db, &options, &store, &error), error);
    MUST(canary_open_in(store, "main", &options, &ctx, &error), error);
    for (unsigned round = 0;; round++) {
        if ((flags & HERD_NO_WATCHER) != 0 && round % 10 == 0) {
            canary_refresh(store, &error);
        }
        show(slot, ctx, user);
        sleep_us(500);
    }
}

void herd_role(int argc, char **argv) {
    if (argc > 4 && strcmp(argv[1], "follow") == 0) {
        char file[800];
        int index = 0;
        int flags = 0;

        sscanf(argv[4], "%d:%d", &index, &flags);
        snprintf(file, sizeof file, "%s", argv[3]);
        follow_for_ever(argv[2], &map_slots(file, 0)[index], flags);
    }
    if (argc > 3 && strcmp(argv[1], "lock") == 0) {
        sqlite3 *db = NULL;

        CHECK(sqlite3_open(argv[2], &db) == SQLITE_OK, "sqlite3_open");
        sqlite3_busy_timeout(db, PATIENCE_MS);
        CHECK(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK, "lock: %s",
              sqlite3_errmsg(db));
        atomic_store(&map_slots(argv[3], 0)[0].looks, 1);
        for (;;) {
            pause();
        }
    }
}

/* A process that ended by itself has said why. */
static void all_alive(struct herd *herd) {
    for (int i = 0; i < herd->count; i++) {
        int status;

        CHECK(waitpid(herd->pids[i], &status, WNOHANG) == 0, "%s: process %d ended, status 0x%x",
              herd->what, i, status);
    }
}

static const char *new_slots(struct herd_slot **slots) {
    static int number;
    char file[32];
    const char *path;

    snprintf(file, sizeof file, "slots-%d", number++);
    path = path_in(file);
    *slots = map_slots(path, 1);
    return path;
}

void herd_start(struct herd *herd, const char *what, int count, const char *db, int flags) {
    const char *file = new_slots(&herd->slots);
    int64_t end = now_ns() + PATIENCE_S * INT64_C(1000000000);

    herd->count = count;
    herd->what = what;
    for (int i = 0; i < count; i++) {
        char place[32];

        snprintf(place, sizeof place, "%d:%d", i, flags);
        herd->pids[i] = run_role("follow", db, file, place);
    }
    for (int i = 0; i < count; i++) {
        while (atomic_load(&herd->slots[i].looks) == 0) {
            all_alive(herd);
            CHECK(now_ns() < end, "%s: process %d does not start", what, i);
            sleep_us(1000);
        }
    }
}

void herd_stop(struct herd *herd) {
    all_alive(herd);
    for (int i = 0; i < herd->count; i++) {
        stop_role(herd->pids[i]);
    }
    munmap(herd->slots, HERD_MAX * sizeof *herd->slots);
}

double herd_await(struct herd *herd, uint32_t effective_bp) {
    int64_t start = now_ns();

    for (int i = 0; i < herd->count; i++) {
        struct herd_slot *slot = &herd->slots[i];

        while (atomic_load(&slot->effective_bp) != effective_bp) {
            all_alive(herd);
            CHECK(now_ns() - start < PATIENCE_MS * INT64_C(1000000),
                  "%s: process %d is at %u bp (%s, revision %llu), not %u, after %d ms", herd->what,
                  i, atomic_load(&slot->effective_bp),
                  canary_reason_name(atomic_load(&slot->reason)),
                  (unsigned long long)atomic_load(&slot->revision), effective_bp, (int)PATIENCE_MS);
            sleep_us(200);
        }
    }
    return (double)(now_ns() - start) / 1e6;
}

uint32_t herd_peak(struct herd *herd) {
    uint32_t peak = 0;

    all_alive(herd);
    for (int i = 0; i < herd->count; i++) {
        uint32_t own = atomic_exchange(&herd->slots[i].peak_bp, 0);

        peak = own > peak ? own : peak;
    }
    return peak;
}

void herd_stays_below(struct herd *herd, uint32_t bp, int ms) {
    uint32_t peak;

    /* What was shown before the call does not count. */
    sleep_us(5000);
    herd_peak(herd);
    sleep_us(ms * 1000);
    peak = herd_peak(herd);
    CHECK(peak <= bp, "%s: a process went up to %u bp, above %u", herd->what, peak, bp);
}

pid_t lock_exclusively(const char *db) {
    struct herd_slot *slots;
    const char *file = new_slots(&slots);
    pid_t pid = run_role("lock", db, file, NULL);
    int64_t end = now_ns() + PATIENCE_S * INT64_C(1000000000);

    while (atomic_load(&slots[0].looks) == 0) {
        CHECK(now_ns() < end, "the store is not locked");
        sleep_us(500);
    }
    munmap(slots, HERD_MAX * sizeof *slots);
    return pid;
}

void plain_sql(const char *db, const char *sql) {
    sqlite3 *shell = NULL;
    char *message = NULL;

    CHECK(sqlite3_open(db, &shell) == SQLITE_OK, "sqlite3_open");
    sqlite3_busy_timeout(shell, PATIENCE_MS);
    CHECK(sqlite3_exec(shell, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
    sqlite3_close(shell);
}
