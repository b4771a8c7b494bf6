/* SPDX-License-Identifier: MIT */
#include "settle.h"

#include "sanitizers.h"

#if UNDER_ASAN

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* Who waits for the allocator's lock waits too, but its owner does not. */
static int is_a_wait(long call) {
    return call == SYS_futex || call == SYS_futex_waitv || call == SYS_clock_nanosleep ||
           call == SYS_ppoll || call == SYS_pselect6
#ifdef SYS_poll
           || call == SYS_poll
#endif
        ;
}

static int others_wait(void) {
    struct dirent *thread;
    DIR *threads = opendir("/proc/self/task");
    int wait = threads != NULL;

    while (wait && (thread = readdir(threads)) != NULL) {
        char file[320];
        long call = -1;
        FILE *at;

        if (thread->d_name[0] == '.' || atol(thread->d_name) == (long)gettid()) {
            continue;
        }
        snprintf(file, sizeof file, "/proc/self/task/%s/syscall", thread->d_name);
        at = fopen(file, "r");
        /* One that has ended meanwhile is looked for again; one that runs has no number. */
        wait = at != NULL && fscanf(at, "%ld", &call) == 1 && is_a_wait(call);
        if (at != NULL) {
            fclose(at);
        }
    }
    if (threads != NULL) {
        closedir(threads);
    }
    return wait;
}

void settle(int limit_ms) {
    /* Some looks one after the other: a thread that was woken may not have come to run yet. */
    for (int i = 0, calm = 0; i < limit_ms && calm < 5; i++) {
        calm = others_wait() ? calm + 1 : 0;
        usleep(1000);
    }
}

#else

void settle(int limit_ms) {
    (void)limit_ms;
}

#endif
