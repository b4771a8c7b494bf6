/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* One per waiting process; a cache line each. */
struct slot {
    _Alignas(64) _Atomic(int64_t) woken_ns;
    _Atomic(uint32_t) seen;
};

struct shared {
    _Alignas(64) _Atomic(uint32_t) word;
    struct slot slots[FLOOR_MOST];
};

struct floor {
    struct shared *shared;
    int count;
    uint32_t value;
    pid_t waiting[FLOOR_MOST];
};

static int64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void wait_for_ever(struct shared *shared, struct slot *slot) {
    uint32_t seen = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        uint32_t word;

        syscall(SYS_futex, &shared->word, FUTEX_WAIT, seen, NULL, NULL, 0);
        word = atomic_load(&shared->word);
        if (word != seen) {
            seen = word;
            atomic_store(&slot->woken_ns, now_ns());
            atomic_store(&slot->seen, seen);
        }
    }
}

static int64_t wake_all(struct shared *shared, int count, uint32_t value) {
    const struct timespec step = { 0, 200000 };
    int64_t last = 0;
    int64_t start = now_ns();

    atomic_store(&shared->word, value);
    syscall(SYS_futex, &shared->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    usleep(FLOOR_QUIET_US);
    for (int i = 0; i < count; i++) {
        int64_t woken;

        while (atomic_load(&shared->slots[i].seen) != value) {
            nanosleep(&step, NULL);
        }
        woken = atomic_load(&shared->slots[i].woken_ns);
        last = woken > last ? woken : last;
    }
    return last - start;
}

struct floor *floor_begin(int count) {
    struct floor *floor = calloc(1, sizeof *floor);

    floor->shared = mmap(NULL, sizeof *floor->shared, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (floor->shared == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    floor->count = count;
    fflush(NULL); /* children must not inherit what is not printed yet */
    for (int i = 0; i < count; i++) {
        floor->waiting[i] = fork();
        if (floor->waiting[i] == 0) {
            wait_for_ever(floor->shared, &floor->shared->slots[i]);
        }
    }
    return floor;
}

int64_t floor_sample(struct floor *floor) {
    return wake_all(floor->shared, floor->count, ++floor->value);
}

void floor_end(struct floor *floor) {
    for (int i = 0; i < floor->count; i++) {
        kill(floor->waiting[i], SIGKILL);
        waitpid(floor->waiting[i], NULL, 0);
    }
    munmap(floor->shared, sizeof *floor->shared);
    free(floor);
}
