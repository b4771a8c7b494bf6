/* SPDX-License-Identifier: MIT */
/* The service of the demonstration: decides for a fixed crowd of users, over and over at a steady
 * rate, and writes one line for each thing an observer wants to measure:
 *
 *     ready USERS THREADS
 *     state TIME EFFECTIVE                          a thread's first decision under a new state
 *     pass EFFECTIVE USERS NEW JOINED LEFT DIGEST NEW-BY-SHAPE...
 *                                                   everybody was served once under one state
 *     done DECISIONS REQUESTS
 *
 * Once in each slot of its time a thread also does what the decision was made for: it handles a
 * request, by the old way or by the new one, and records how long that took and how it ended.
 *
 * TIME is in nanoseconds since 1970, shares are basis points; JOINED and LEFT count the users who
 * changed sides since the pass before; equal digests mean equal cohorts, user for user. */
#include <canary/canary.h>

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "ids.h"

enum {
    THREADS_MAX = 16,
    SLOT_NS = 200000,
    SLOTS_A_SECOND = 1000000000 / SLOT_NS,
    FLUSH_NS = 1000000000, /* ten times as often as the library by itself: somebody is watching */
    OLD_ROUNDS = 6000,
    NEW_ROUNDS = 4500,
    ONE_FAILS_OF = 200,
};

/* What a decision was made under. The revision alone would miss a kill by a plain SQL shell. */
struct state {
    uint64_t revision;
    uint32_t configured_bp;
    uint32_t effective_bp;
};

struct count {
    uint64_t served_new;
    uint64_t joined;
    uint64_t left;
    uint64_t digest;
    uint64_t shapes[DEMO_SHAPES];
};

struct service {
    canary_ctx *rollout;
    uint64_t seed;
    uint64_t users;
    uint64_t rate;
    int threads;
    char (*ids)[DEMO_ID_SIZE];
    uint8_t *cohorts; /* of this pass and of the last complete one; a thread touches */
    uint8_t *settled; /* its own slice only */
    pthread_mutex_t lock;
    struct state pass; /* under the lock: the pass being gathered, one slice a thread */
    uint32_t slices;
    struct count sum;
};

struct worker {
    struct service *service;
    pthread_t thread;
    int number;
    struct state state; /* of this thread's newest decision */
    int64_t slot;
    uint64_t decisions;
    uint64_t requests;
    uint64_t result; /* of the work, which would otherwise be left out */
};

static atomic_int stopping;

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int same(const struct state *a, const struct state *b) {
    return a->revision == b->revision && a->configured_bp == b->configured_bp &&
           a->effective_bp == b->effective_bp;
}

/* Decides for one user and notes what the decision was made under. */
static struct state probe(canary_ctx *rollout, const char *user) {
    canary_decision decision = CANARY_DECISION_INIT;

    canary_explain(rollout, user, strlen(user), &decision);
    return (struct state){ decision.revision, decision.percentage_bp, decision.effective_bp };
}

/* The line that a complete pass is worth. */
static void report(const struct service *service) {
    const struct count *sum = &service->sum;

    printf("pass %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64,
           service->pass.effective_bp, service->users, sum->served_new, sum->joined, sum->left,
           sum->digest);
    for (int i = 0; i < DEMO_SHAPES; i++) {
        printf(" %s=%" PRIu64, demo_shape_name(i), sum->shapes[i]);
    }
    printf("\n");
    fflush(stdout);
}

/* A thread has served its whole slice under one state. The last one of a pass reports it. */
static void gather(const struct worker *me, const struct count *slice) {
    struct service *service = me->service;
    struct count *sum = &service->sum;
    uint32_t mine = UINT32_C(1) << me->number;

    pthread_mutex_lock(&service->lock);
    if (!same(&service->pass, &me->state) || service->slices == 0) {
        service->pass = me->state;
        service->slices = 0;
        memset(sum, 0, sizeof *sum);
    }
    if ((service->slices & mine) == 0) {
        service->slices |= mine;
        sum->served_new += slice->served_new;
        sum->joined += slice->joined;
        sum->left += slice->left;
        sum->digest += slice->digest;
        for (int i = 0; i < DEMO_SHAPES; i++) {
            sum->shapes[i] += slice->shapes[i];
        }
        if (service->slices == (UINT32_C(1) << service->threads) - 1) {
            service->slices = 0;
            report(service);
        }
    }
    pthread_mutex_unlock(&service->lock);
}

static void serve(struct service *service, uint64_t number, struct count *slice) {
    uint8_t now = (uint8_t)canary_should_use_new(service->rollout, service->ids[number]);
    uint8_t before = service->settled[number];

    service->cohorts[number] = now;
    slice->served_new += now;
    slice->joined += now > before;
    slice->left += now < before;
    slice->shapes[demo_shape(number)] += now;
    /* A sum, so that the digest does not depend on which thread finished first. */
    slice->digest += demo_mix(number * 2 + now);
}

/* The work of one request: the new way takes fewer rounds, and both fail for as many. */
static int handle(struct worker *me, uint64_t number, int cohort) {
    uint64_t result = number;

    for (int i = 0; i < (cohort == CANARY_NEW ? NEW_ROUNDS : OLD_ROUNDS); i++) {
        result = demo_mix(result);
    }
    me->result += result;
    return result % ONE_FAILS_OF == 0 ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
}

static void request(struct worker *me, uint64_t number) {
    canary_ctx *rollout = me->service->rollout;
    const char *user = me->service->ids[number];
    canary_decision decision = CANARY_DECISION_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    int64_t start;

    canary_explain(rollout, user, strlen(user), &decision);
    start = clock_ns(CLOCK_MONOTONIC);
    outcome.status = handle(me, number, decision.cohort);
    outcome.duration_ns = clock_ns(CLOCK_MONOTONIC) - start;
    canary_record(rollout, &decision, &outcome);
    me->requests++;
}

static void pace(int64_t *slot) {
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    struct timespec until;

    *slot += SLOT_NS;
    if (*slot < now) {
        *slot = now; /* behind: serve on at once, but never make up for it in a burst */
        return;
    }
    until.tv_sec = (time_t)(*slot / 1000000000);
    until.tv_nsec = (long)(*slot % 1000000000);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Answers whether the state is the one of the decision before. */
static int look(struct worker *me, const char *user) {
    struct state now = probe(me->service->rollout, user);

    if (same(&now, &me->state)) {
        return 1;
    }
    printf("state %" PRId64 " %" PRIu32 "\n", clock_ns(CLOCK_REALTIME), now.effective_bp);
    fflush(stdout);
    me->state = now;
    return 0;
}

/* Serves each user of the thread's slice once. When the state changes on the way, the pass counts
 * for nothing: shares and digests are about one state. */
static void serve_slice(struct worker *me, uint64_t begin, uint64_t end) {
    struct service *service = me->service;
    uint64_t batch = service->rate / ((uint64_t)service->threads * SLOTS_A_SECOND);
    struct count slice;

    memset(&slice, 0, sizeof slice);
    for (uint64_t next = begin; next < end;) {
        uint64_t stop = end - next > batch ? next + batch : end;

        me->decisions += stop - next + 1;
        while (next < stop) {
            serve(service, next++, &slice);
        }
        request(me, next - 1);
        if (!look(me, service->ids[next - 1]) ||
            atomic_load_explicit(&stopping, memory_order_relaxed)) {
            return;
        }
        pace(&me->slot);
    }
    memcpy(service->settled + begin, service->cohorts + begin, end - begin);
    gather(me, &slice);
}

static void *work(void *argument) {
    struct worker *me = argument;
    uint64_t users = me->service->users, threads = (uint64_t)me->service->threads;
    uint64_t begin = users * (uint64_t)me->number / threads;
    uint64_t end = users * ((uint64_t)me->number + 1) / threads;

    /* The kernel may otherwise wake a sleeper 50 us late, a quarter of a slot. */
    prctl(PR_SET_TIMERSLACK, 1UL);
    me->slot = clock_ns(CLOCK_MONOTONIC);
    look(me, me->service->ids[begin]);
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        serve_slice(me, begin, end);
    }
    return NULL;
}

static uint64_t number(const char *text, uint64_t least, uint64_t most) {
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "demo service: \"%s\" is not a number from %" PRIu64 " to %" PRIu64 "\n",
                text, least, most);
        exit(2);
    }
    return value;
}

static int prepare(struct service *service) {
    service->ids = malloc(service->users * DEMO_ID_SIZE);
    service->cohorts = calloc(service->users, 1);
    service->settled = calloc(service->users, 1);
    if (service->ids == NULL || service->cohorts == NULL || service->settled == NULL) {
        return -1;
    }
    for (uint64_t i = 0; i < service->users; i++) {
        demo_id(service->seed, i, service->ids[i]);
    }
    return 0;
}

static int run(struct service *service) {
    static struct worker workers[THREADS_MAX];
    const struct timespec pause = { 0, FLUSH_NS - 1 };
    uint64_t decisions = 0;
    uint64_t requests = 0;
    sigset_t ending;

    /* Blocked before any thread starts, so that all inherit it and main alone takes the signal. */
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    for (int i = 0; i < service->threads; i++) {
        workers[i].service = service;
        workers[i].number = i;
        workers[i].state.revision = UINT64_MAX;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            return -1;
        }
    }
    printf("ready %" PRIu64 " %d\n", service->users, service->threads);
    fflush(stdout);
    while (sigtimedwait(&ending, NULL, &pause) < 0) {
        canary_flush(canary_ctx_store(service->rollout), NULL); /* what fails is tried again */
    }
    atomic_store(&stopping, 1);
    for (int i = 0; i < service->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        decisions += workers[i].decisions;
        requests += workers[i].requests;
    }
    printf("done %" PRIu64 " %" PRIu64 "\n", decisions, requests);
    return 0;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        { "db", required_argument, NULL, 'd' },
        { "rollout", required_argument, NULL, 'r' },
        { "users", required_argument, NULL, 'u' },
        { "seed", required_argument, NULL, 's' },
        { "rate", required_argument, NULL, 'a' },
        { "threads", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 },
    };
    static struct service service = { .seed = 1, .users = 1000000, .rate = 1000000, .threads = 2 };
    const char *db = "canary.db";
    const char *name = "checkout";
    canary_error error = CANARY_ERROR_INIT;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd':
            db = optarg;
            break;
        case 'r':
            name = optarg;
            break;
        case 'u':
            service.users = number(optarg, THREADS_MAX, 100000000);
            break;
        case 's':
            service.seed = number(optarg, 0, UINT64_MAX);
            break;
        case 'a':
            service.rate = number(optarg, SLOTS_A_SECOND * THREADS_MAX, 1000000000);
            break;
        case 't':
            service.threads = (int)number(optarg, 1, THREADS_MAX);
            break;
        default:
            return 2;
        }
    }
    pthread_mutex_init(&service.lock, NULL);
    if (prepare(&service) != 0) {
        fprintf(stderr, "demo service: no memory for %" PRIu64 " users\n", service.users);
        return 1;
    }
    if (canary_open(db, name, NULL, &service.rollout, &error) != CANARY_OK) {
        fprintf(stderr, "demo service: %s (%s)\n", error.message, canary_error_name(error.code));
        return 1;
    }
    if (run(&service) != 0) {
        fprintf(stderr, "demo service: a thread could not be started\n");
        return 1;
    }
    canary_close(&service.rollout);
    return 0;
}
