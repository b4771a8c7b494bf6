/* SPDX-License-Identifier: MIT */
/* Guards: rounds over the rollouts of a store, in a thread or once. */
#include <jansson.h>
#include <pthread.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "judge/fail.h"
#include "judge/guard_ward.h"
#include "judge/sized.h"
#include "judge/spans.h"
#include "judge/thread.h"

#define INTERVAL_NS (10 * CANARY__SECOND_NS)
#define INTERVAL_MOST_NS CANARY__DAY_NS
/* A program may give the store a clock of its own, which runs as it likes: it is asked this often. */
#define SLICE_NS (5 * CANARY__MS_NS)
/* Two readings of one clock, one after the other, lie within this. */
#define SAME_NS (50 * CANARY__MS_NS)

struct canary_guard {
    struct canary__guard_setup setup;
    char rollout[CANARY_NAME_MAX + 8]; /* "" = all */
    int64_t interval_ns;
    pid_t pid;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t bell;
    int stop;
    struct canary__ward *wards;
};

void canary_guard_options_init(canary_guard_options *options, uint32_t size) {
    canary_guard_options defaults = CANARY_GUARD_OPTIONS_INIT;

    canary__judge_sized_init(options, size, &defaults, sizeof defaults);
}

/* -- setting up -- */

/* A change by a name that the trail does not take would be refused, at the moment it is needed. */
static int is_line(const char *text) {
    json_t *string = json_string(text); /* NULL unless UTF-8 */
    int is = string != NULL;

    json_decref(string);
    for (; *text != '\0' && is; text++) {
        is = (unsigned char)*text >= 0x20 && *text != 0x7f;
    }
    return is;
}

static int admit(canary_store *store, const canary_guard_options *from, canary_guard_options *to,
                 canary_error *error) {
    *to = (canary_guard_options)CANARY_GUARD_OPTIONS_INIT;
    if (store == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "guard: store is NULL");
    }
    if (from != NULL && canary__judge_sized_in(to, from, sizeof *to,
                                               offsetof(canary_guard_options, user_data)) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "guard: the size of the options, %u, is too small, or fields "
                                  "that are newer than this library are set",
                                  from->size);
    }
    if ((to->flags & ~CANARY_GUARD_OBSERVE) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "guard: flags 0x%x has others than CANARY_GUARD_OBSERVE (0x1)",
                                  to->flags);
    }
    if (to->interval_ns < 0 || to->interval_ns > INTERVAL_MOST_NS) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "guard: interval_ns is %lld; allowed is 0 (10 s) to "
                                  "86400000000000 (1 day)",
                                  (long long)to->interval_ns);
    }
    if (to->by != NULL && strlen(to->by) > CANARY_ACTOR_MAX) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "guard: `by` has %zu bytes; allowed are at most %d",
                                  strlen(to->by), CANARY_ACTOR_MAX);
    }
    if (to->by != NULL && !is_line(to->by)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "guard: `by` is not UTF-8, or has control characters; allowed is "
                                  "one line of text");
    }
    if (to->rollout != NULL && (to->rollout[0] == '\0' || strlen(to->rollout) > CANARY_NAME_MAX)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "guard: the name of the rollout has %zu bytes; allowed are 1 to "
                                  "%d, or NULL for all rollouts",
                                  strlen(to->rollout), CANARY_NAME_MAX);
    }
    return CANARY_OK;
}

static void set_up(canary_store *store, const canary_guard_options *options,
                   struct canary__guard_setup *setup) {
    char host[64] = "";

    memset(setup, 0, sizeof *setup);
    setup->store = store;
    setup->flags = options->flags;
    setup->callback = options->callback;
    setup->user_data = options->user_data;
    if (options->by != NULL && options->by[0] != '\0') {
        snprintf(setup->by, sizeof setup->by, "%s", options->by);
    } else {
        if (gethostname(host, sizeof host - 1) != 0 || !is_line(host)) {
            snprintf(host, sizeof host, "unknown");
        }
        snprintf(setup->by, sizeof setup->by, "guard@%s:%ld", host, (long)getpid());
    }
    /* Two guards may be given one name, and a process may have several. */
    snprintf(setup->holder, sizeof setup->holder, "%s#%08x%08x", setup->by,
             (unsigned)randombytes_random(), (unsigned)randombytes_random());
}

/* -- rounds -- */

static struct canary__ward *find_ward(struct canary__ward *wards, const char *rollout) {
    while (wards != NULL && strcmp(wards->rollout, rollout) != 0) {
        wards = wards->next;
    }
    return wards;
}

struct listing {
    const struct canary__guard_setup *setup;
    struct canary__ward **wards;
    int code;
    canary_error *error;
};

/* A rollout whose policy was taken away keeps its ward, which says so. */
static int take_rollout(void *user_data, const canary_rollout *rollout) {
    struct listing *listing = user_data;
    struct canary__ward *ward = NULL;

    if (rollout->policy[0] == '\0' || find_ward(*listing->wards, rollout->name) != NULL) {
        return 0;
    }
    listing->code = canary__ward_open(listing->setup, rollout->name, &ward, listing->error);
    if (listing->code == CANARY_OK) {
        ward->next = *listing->wards;
        *listing->wards = ward;
    }
    return listing->code != CANARY_OK;
}

/* Whose rollouts there are now. */
static int find_wards(const struct canary__guard_setup *setup, const char *rollout,
                      struct canary__ward **wards, canary_error *error) {
    struct listing listing = { .setup = setup, .wards = wards, .error = error };
    int code;

    if (rollout[0] != '\0') {
        return *wards != NULL ? CANARY_OK : canary__ward_open(setup, rollout, wards, error);
    }
    code = canary_rollout_list(setup->store, take_rollout, &listing, error);
    return code != CANARY_OK ? code : listing.code;
}

static void close_wards(struct canary__ward *wards) {
    while (wards != NULL) {
        struct canary__ward *next = wards->next;

        canary__ward_close(&wards);
        wards = next;
    }
}

/* Trouble that belongs to no rollout. */
static void tell_error(const struct canary__guard_setup *setup, const canary_error *error) {
    canary_guard_event event = { .size = (uint32_t)sizeof event,
                                 .type = CANARY_EVENT_ERROR,
                                 .rollout = "",
                                 .code = error->code,
                                 .message = error->message };

    if (setup->callback != NULL) {
        event.at_ns = canary_store_now(setup->store, CANARY_CLOCK_REALTIME);
        setup->callback(setup->user_data, &event);
    }
}

int canary_guard_once(canary_store *store, const canary_guard_options *options,
                      canary_error *error) {
    struct canary__guard_setup setup;
    struct canary__ward *wards = NULL;
    canary_guard_options how;
    int code = admit(store, options, &how, error);

    if (code != CANARY_OK) {
        return code;
    }
    set_up(store, &how, &setup);
    code = find_wards(&setup, how.rollout != NULL ? how.rollout : "", &wards, error);
    for (struct canary__ward *ward = wards; ward != NULL; ward = ward->next) {
        canary_error own = CANARY_ERROR_INIT;
        int round = canary__ward_round(ward, &own);

        /* The first trouble is answered; the others are judged all the same. That another guard does
         * the work is none beside one. */
        if (round != CANARY_OK && (code == CANARY_OK || code == CANARY_E_BUSY)) {
            code = canary__judge_pass(error, round, &own);
        }
    }
    close_wards(wards);
    return code;
}

/* -- the thread -- */

struct times {
    int64_t real_ns;
    int64_t monotonic_ns;
};

static struct times store_times(canary_store *store) {
    return (struct times){ canary_store_now(store, CANARY_CLOCK_REALTIME),
                           canary_store_now(store, CANARY_CLOCK_MONOTONIC) };
}

static int is_near(int64_t a, int64_t b) {
    return a - b < SAME_NS && b - a < SAME_NS;
}

/* Whether the store's clock is the machine's, so that one may sleep by it. */
static int is_machine_time(const struct times *now) {
    return is_near(now->monotonic_ns, canary__thread_now(CLOCK_MONOTONIC)) &&
           is_near(now->real_ns, canary__thread_now(CLOCK_REALTIME));
}

/* How much is left of an interval; either clock may end it, since a hook may know one of them only. */
static int64_t left_of(const struct times *begin, const struct times *now, int64_t interval_ns) {
    int64_t gone = now->monotonic_ns - begin->monotonic_ns;
    int64_t real = now->real_ns - begin->real_ns;

    gone = real > gone ? real : gone;
    return gone >= interval_ns ? 0 : interval_ns - (gone > 0 ? gone : 0);
}

/* Until the next look: sooner than the interval where a lease of another guard ends, since that one may
 * be dead. */
static int64_t time_to_next(const struct canary_guard *guard, const struct times *begin) {
    int64_t interval_ns = guard->interval_ns;

    for (const struct canary__ward *ward = guard->wards; ward != NULL; ward = ward->next) {
        int64_t left = ward->lease.until_ns - begin->real_ns;

        if (ward->elsewhere && left > 0 && left < interval_ns) {
            interval_ns = left;
        }
    }
    return interval_ns;
}

/* 1 when the guard is to end. */
static int wait_for_next(struct canary_guard *guard, const struct times *begin) {
    int64_t interval_ns = time_to_next(guard, begin);
    int stop;

    pthread_mutex_lock(&guard->lock);
    while (!guard->stop) {
        struct times now = store_times(guard->setup.store);
        int64_t left = left_of(begin, &now, interval_ns);

        if (left == 0) {
            break;
        }
        if (!is_machine_time(&now)) {
            left = left < SLICE_NS ? left : SLICE_NS;
        }
        (void)canary__thread_wait(&guard->bell, &guard->lock,
                                  canary__thread_now(CLOCK_MONOTONIC) + left);
    }
    stop = guard->stop;
    pthread_mutex_unlock(&guard->lock);
    return stop;
}

static int is_stopped(struct canary_guard *guard) {
    int stop;

    pthread_mutex_lock(&guard->lock);
    stop = guard->stop;
    pthread_mutex_unlock(&guard->lock);
    return stop;
}

static void *run(void *argument) {
    struct canary_guard *guard = argument;
    char told[sizeof((canary_error *)0)->message] = "";
    struct times begin;

    do {
        canary_error error = CANARY_ERROR_INIT;

        begin = store_times(guard->setup.store);
        if (find_wards(&guard->setup, guard->rollout, &guard->wards, &error) == CANARY_OK) {
            told[0] = '\0';
        } else if (strcmp(told, error.message) != 0) {
            snprintf(told, sizeof told, "%s", error.message);
            tell_error(&guard->setup, &error);
        }
        for (struct canary__ward *ward = guard->wards; ward != NULL && !is_stopped(guard);
             ward = ward->next) {
            (void)canary__ward_round(ward, NULL);
        }
    } while (!wait_for_next(guard, &begin));
    close_wards(guard->wards);
    guard->wards = NULL;
    return NULL;
}

int canary_guard_start(canary_store *store, const canary_guard_options *options, canary_guard **out,
                       canary_error *error) {
    canary_rollout state = { .size = (uint32_t)sizeof state };
    struct canary_guard *guard;
    canary_guard_options how;
    int code;

    if (out == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "canary_guard_start: out is NULL");
    }
    code = admit(store, options, &how, error);
    if (code != CANARY_OK) {
        return code;
    }
    /* A store that is away now may be back later; a name that is wrong stays so. */
    if (how.rollout != NULL) {
        code = canary_rollout_read(store, how.rollout, &state, error);
        if (code == CANARY_E_NOT_FOUND || code == CANARY_E_INVALID) {
            return code;
        }
    }
    guard = calloc(1, sizeof *guard);
    if (guard == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a guard");
    }
    set_up(store, &how, &guard->setup);
    snprintf(guard->rollout, sizeof guard->rollout, "%s", how.rollout != NULL ? how.rollout : "");
    guard->interval_ns = how.interval_ns != 0 ? how.interval_ns : INTERVAL_NS;
    guard->pid = getpid();
    pthread_mutex_init(&guard->lock, NULL);
    canary__thread_bell(&guard->bell);
    code = canary__thread_start(&guard->thread, "canary-guard", run, guard);
    if (code != 0) {
        pthread_cond_destroy(&guard->bell);
        pthread_mutex_destroy(&guard->lock);
        free(guard);
        return canary__judge_fail(error, CANARY_E_SYSTEM, "no thread for a guard (errno %d)", code);
    }
    *out = guard;
    return CANARY_OK;
}

void canary_guard_stop(canary_guard **pointer) {
    struct canary_guard *guard = pointer != NULL ? *pointer : NULL;

    if (guard == NULL) {
        return;
    }
    *pointer = NULL;
    /* A forked child has the guard's memory as the thread happened to leave it, and no thread: there is
     * nothing to wait for, and nothing that may be touched. */
    if (guard->pid != getpid()) {
        return;
    }
    pthread_mutex_lock(&guard->lock);
    guard->stop = 1;
    pthread_cond_broadcast(&guard->bell);
    pthread_mutex_unlock(&guard->lock);
    pthread_join(guard->thread, NULL);
    pthread_cond_destroy(&guard->bell);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}
