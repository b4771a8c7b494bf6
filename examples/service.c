/* SPDX-License-Identifier: MIT */
/* A service with several threads that decides on each request, and prints every second what share
 * of its requests took the new path. Change the rollout with canaryctl meanwhile and watch.
 *
 *     service [--db PATH] [--rollout NAME] [--threads N] [--seconds N]
 */
#include <canary/canary.h>

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 64 };

/* One a thread, each on cache lines of its own: threads that share a counter wait for each other.
 */
struct worker {
    _Alignas(128) canary_ctx *rollout;
    pthread_t thread;
    unsigned number;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t served_new;
};

static atomic_int stopping;

static void serve(canary_ctx *rollout, struct worker *me, const char *user) {
    int use_new = canary_should_use_new(rollout, user);

    /* Here a real service takes one path or the other. */
    atomic_fetch_add_explicit(&me->requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&me->served_new, (unsigned)use_new, memory_order_relaxed);
}

static void *work(void *argument) {
    struct worker *me = argument;
    const struct timespec pause = { 0, 1000000 };
    char user[32];

    for (uint64_t n = me->number * 1009; !atomic_load_explicit(&stopping, memory_order_relaxed);) {
        for (int i = 0; i < 200; i++, n += 7919) {
            snprintf(user, sizeof user, "user-%" PRIu64, n % 1000000);
            serve(me->rollout, me, user);
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void report(canary_ctx *rollout, struct worker *workers, int count, uint64_t *before) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    uint64_t now[2] = { 0, 0 };

    for (int i = 0; i < count; i++) {
        now[0] += atomic_load_explicit(&workers[i].requests, memory_order_relaxed);
        now[1] += atomic_load_explicit(&workers[i].served_new, memory_order_relaxed);
    }
    uint64_t requests = now[0] - before[0];
    uint64_t served_new = now[1] - before[1];
    before[0] = now[0];
    before[1] = now[1];
    canary_info(rollout, &info);
    printf("%6.2f %% configured, %6.2f %% effective, %6.2f %% observed in %" PRIu64
           " requests, revision %" PRIu64 "\n",
           info.percentage_bp / 100.0, info.effective_bp / 100.0,
           requests == 0 ? 0.0 : 100.0 * (double)served_new / (double)requests, requests,
           info.revision);
    fflush(stdout);
}

static int number(const char *text, int most) {
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < 1 || value > most) {
        fprintf(stderr, "service: \"%s\" is not a number from 1 to %d\n", text, most);
        exit(2);
    }
    return (int)value;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        { "db", required_argument, NULL, 'd' },
        { "rollout", required_argument, NULL, 'r' },
        { "threads", required_argument, NULL, 't' },
        { "seconds", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    static struct worker workers[THREADS_MAX];
    const char *db = "canary.db";
    const char *name = "checkout";
    int threads = 4, seconds = 0;
    uint64_t before[2] = { 0, 0 };
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *rollout = NULL;
    sigset_t ending;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd':
            db = optarg;
            break;
        case 'r':
            name = optarg;
            break;
        case 't':
            threads = number(optarg, THREADS_MAX);
            break;
        case 's':
            seconds = number(optarg, 86400);
            break;
        default:
            return 2;
        }
    }

    /* Blocked before any thread starts, so that all inherit it and main alone takes the signal. */
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);

    if (canary_open(db, name, NULL, &rollout, &error) != CANARY_OK) {
        fprintf(stderr, "service: %s (%s)\n", error.message, canary_error_name(error.code));
        return 1;
    }
    for (int i = 0; i < threads; i++) {
        workers[i].rollout = rollout;
        workers[i].number = (unsigned)i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            fprintf(stderr, "service: no thread\n");
            return 1;
        }
    }
    for (int second = 0; seconds == 0 || second < seconds; second++) {
        const struct timespec one_second = { 1, 0 };

        if (sigtimedwait(&ending, NULL, &one_second) > 0) {
            break;
        }
        report(rollout, workers, threads, before);
    }
    /* No decision may be running when the context is closed: first stop, then join, then close. */
    atomic_store(&stopping, 1);
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    canary_close(&rollout);
    return 0;
}
