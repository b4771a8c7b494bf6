/* SPDX-License-Identifier: MIT */
/* The circuit breaker: options, thread and state.
 *
 * Only the thread changes the state, and what it does first is to limit exposure; logs, callbacks and the
 * store hear of it afterwards. The store is written only while the breaker is open, when a wait for it
 * costs nothing but time in which everybody gets old. */
#include <canary/breaker.h>

#include <canary/decide.h>
#include <canary/observe.h>
#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "judge/breaker_tell.h"
#include "judge/breaker_window.h"
#include "judge/fail.h"
#include "judge/sized.h"
#include "judge/spans.h"
#include "judge/thread.h"

enum {
    OPTIONS_LEAST = offsetof(canary_breaker_options, user_data) + sizeof(void *),
    INFO_LEAST = offsetof(canary_breaker_info, next_ns) + sizeof(int64_t),
    DOUBLINGS = 5,     /* up to 32 times */
    EVERYBODY = 10000, /* basis points */
};

struct canary_breaker {
    canary_ctx *ctx;
    canary_store *store;
    canary_breaker_options options;
    int64_t step_ns; /* between two looks, on the machine's clock */
    pid_t pid;       /* whose thread it is */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int stopping; /* under the lock */
    canary_breaker_info
        info; /* under the lock; written by the thread alone, which reads it without */

    /* The thread's own. */
    struct canary__breaker_window window;
    struct canary__breaker_sample half_opened;
    int64_t until_ns;   /* OPEN: monotonic time of half-opening */
    uint32_t doublings; /* OPEN: how often the time was doubled */
    int untold; /* `change` is not in the store yet: 1 not tried, 2 tried and said so in the log */
    struct canary__breaker_change change;
};

static struct canary__breaker_sample look(const canary_breaker *breaker) {
    canary_cohort_counts counts = CANARY_COHORT_COUNTS_INIT;

    (void)canary_counts(breaker->ctx, &counts);
    return (struct canary__breaker_sample){
        .at_ns = canary_store_now(breaker->store, CANARY_CLOCK_MONOTONIC),
        .outcomes = counts.outcomes[CANARY_NEW],
        .failures = counts.errors[CANARY_NEW] + counts.timeouts[CANARY_NEW],
    };
}

static int fails_too_often(const canary_breaker *breaker, uint64_t outcomes, uint64_t failures) {
    return (double)failures > breaker->options.rate * (double)outcomes;
}

static int64_t open_time(const canary_breaker *breaker) {
    return breaker->options.open_ns << breaker->doublings;
}

static void tell_store(canary_breaker *breaker) {
    canary_error error = CANARY_ERROR_INIT;
    char message[CANARY__BREAKER_MESSAGE + sizeof error.message];
    int code = canary__breaker_tell(breaker->ctx, &breaker->options, &breaker->change, &error);
    int for_good = code == CANARY_E_UNSUPPORTED || code == CANARY_E_READ_ONLY;

    if (code != CANARY_OK && breaker->untold == 1) {
        snprintf(message, sizeof message,
                 "the store cannot be told%s that the circuit breaker opened: %s",
                 for_good ? "" : " yet", error.message);
        canary_store_log(breaker->store, CANARY_LOG_WARNING, message);
    }
    breaker->untold = code == CANARY_OK || for_good ? 0 : 2;
}

/* `outcomes` and `failures` are those that led to it. */
static void change_to(canary_breaker *breaker, int state,
                      const struct canary__breaker_sample *sample, uint64_t outcomes,
                      uint64_t failures) {
    static const int levels[] = { 0, CANARY_LOG_INFO, CANARY_LOG_WARNING, CANARY_LOG_INFO };
    struct canary__breaker_change change = { .state = state,
                                             .outcomes = outcomes,
                                             .failures = failures };
    char message[CANARY__BREAKER_MESSAGE];

    canary_limit(breaker->ctx, state == CANARY_BREAKER_OPEN     ? 0
                               : state == CANARY_BREAKER_CLOSED ? EVERYBODY
                                                                : breaker->options.half_open_bp);
    change.at_ns = canary_store_now(breaker->store, CANARY_CLOCK_REALTIME);
    change.open_ns = state == CANARY_BREAKER_OPEN ? open_time(breaker) : 0;

    pthread_mutex_lock(&breaker->lock);
    breaker->info.state = state;
    breaker->info.opened += state == CANARY_BREAKER_OPEN;
    breaker->info.since_ns = change.at_ns;
    breaker->info.next_ns = state == CANARY_BREAKER_OPEN ? change.at_ns + change.open_ns : 0;
    pthread_mutex_unlock(&breaker->lock);

    /* What was, was judged: it must not open the breaker once more after it has closed. */
    canary__breaker_window_start(&breaker->window, breaker->options.window_ns, sample);
    breaker->half_opened = *sample;
    breaker->until_ns = sample->at_ns + change.open_ns;
    canary__breaker_message(&breaker->options, &change, message);
    canary_store_log(breaker->store, levels[state], message);
    if (breaker->options.callback != NULL) {
        breaker->options.callback(breaker->options.user_data, state, message);
    }
    if (state == CANARY_BREAKER_OPEN) {
        breaker->change = change;
        breaker->untold = 1;
        tell_store(breaker);
    }
}

static void while_closed(canary_breaker *breaker, const struct canary__breaker_sample *sample) {
    uint64_t outcomes;
    uint64_t failures;

    canary__breaker_window_sum(&breaker->window, &outcomes, &failures);
    if (outcomes >= breaker->options.least && fails_too_often(breaker, outcomes, failures)) {
        breaker->doublings = 0;
        change_to(breaker, CANARY_BREAKER_OPEN, sample, outcomes, failures);
    }
}

static void while_open(canary_breaker *breaker, const struct canary__breaker_sample *sample) {
    if (sample->at_ns >= breaker->until_ns) {
        if (breaker->untold) {
            breaker->untold = 0;
            canary_store_log(breaker->store, CANARY_LOG_ERROR,
                             "the store was not told that the circuit breaker opened");
        }
        change_to(breaker, CANARY_BREAKER_HALF_OPEN, sample, 0, 0);
    } else if (breaker->untold) {
        tell_store(breaker);
    }
}

/* Judged by all that came since: few users may take longer than a window to say enough. */
static void while_half_open(canary_breaker *breaker, const struct canary__breaker_sample *sample) {
    const canary_breaker_options *options = &breaker->options;
    uint64_t outcomes = sample->outcomes - breaker->half_opened.outcomes;
    uint64_t failures = sample->failures - breaker->half_opened.failures;
    int enough = outcomes >= options->half_open_least;

    if ((enough || outcomes >= options->least) && fails_too_often(breaker, outcomes, failures)) {
        breaker->doublings += breaker->doublings < DOUBLINGS;
        change_to(breaker, CANARY_BREAKER_OPEN, sample, outcomes, failures);
    } else if (enough) {
        change_to(breaker, CANARY_BREAKER_CLOSED, sample, outcomes, failures);
    }
}

static void show(canary_breaker *breaker, const struct canary__breaker_sample *sample) {
    uint64_t outcomes;
    uint64_t failures;

    canary__breaker_window_sum(&breaker->window, &outcomes, &failures);
    if (breaker->info.state == CANARY_BREAKER_HALF_OPEN) {
        outcomes = sample->outcomes - breaker->half_opened.outcomes;
        failures = sample->failures - breaker->half_opened.failures;
    }
    pthread_mutex_lock(&breaker->lock);
    breaker->info.outcomes = outcomes;
    breaker->info.failures = failures;
    pthread_mutex_unlock(&breaker->lock);
}

static void turn(canary_breaker *breaker) {
    struct canary__breaker_sample sample = look(breaker);

    canary__breaker_window_add(&breaker->window, &sample);
    switch (breaker->info.state) {
    case CANARY_BREAKER_OPEN:
        while_open(breaker, &sample);
        break;
    case CANARY_BREAKER_HALF_OPEN:
        while_half_open(breaker, &sample);
        break;
    default:
        while_closed(breaker, &sample);
        break;
    }
    show(breaker, &sample);
}

/* Waits until `at_ns` of the machine's clock: a hook's clock can be asked, but not waited for. Answers 1
 * when the breaker is to end. */
static int wait_until(canary_breaker *breaker, int64_t at_ns) {
    int stopping;

    pthread_mutex_lock(&breaker->lock);
    while (!breaker->stopping && canary__thread_wait(&breaker->wake, &breaker->lock, at_ns) == 0) {
    }
    stopping = breaker->stopping;
    pthread_mutex_unlock(&breaker->lock);
    return stopping;
}

static void *run(void *argument) {
    canary_breaker *breaker = argument;
    int64_t next = canary__thread_now(CLOCK_MONOTONIC);

    for (;;) {
        int64_t now = canary__thread_now(CLOCK_MONOTONIC);

        /* From mark to mark, so that being late once does not make all looks late. */
        next = next + breaker->step_ns > now ? next + breaker->step_ns : now + breaker->step_ns;
        if (wait_until(breaker, next)) {
            return NULL;
        }
        turn(breaker);
    }
}

/* Defaults in the places of zeros; refuses what cannot be. */
static int settle(canary_breaker_options *options, canary_error *error) {
    options->rate = options->rate == 0 ? 0.5 : options->rate;
    options->least = options->least == 0 ? 20 : options->least;
    options->window_ns = options->window_ns == 0 ? 10 * CANARY__SECOND_NS : options->window_ns;
    options->open_ns = options->open_ns == 0 ? 30 * CANARY__SECOND_NS : options->open_ns;
    options->half_open_bp = options->half_open_bp == 0 ? 100 : options->half_open_bp;
    options->half_open_least = options->half_open_least == 0 ? 20 : options->half_open_least;
    if (options->flags != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID, "flags are 0x%" PRIx32 "; 0 is allowed",
                                  options->flags);
    }
    if (options->reserved != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID, "reserved is %" PRIu32 "; 0 is allowed",
                                  options->reserved);
    }
    if (!(options->rate > 0 && options->rate < 1)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "rate is %g; between 0 and 1 is allowed, without the ends",
                                  options->rate);
    }
    if (options->window_ns < 100 * CANARY__MS_NS || options->window_ns > 5 * CANARY__MINUTE_NS) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "window_ns is %" PRId64 "; 100 ms to 5 min are allowed",
                                  options->window_ns);
    }
    if (options->open_ns < CANARY__MS_NS || options->open_ns > CANARY__DAY_NS) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "open_ns is %" PRId64 "; 1 ms to 1 day are allowed",
                                  options->open_ns);
    }
    if (options->half_open_bp > EVERYBODY) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "half_open_bp is %" PRIu32 "; 1 to 10000 are allowed",
                                  options->half_open_bp);
    }
    return CANARY_OK;
}

int canary_breaker_start(canary_ctx *ctx, const canary_breaker_options *options,
                         canary_breaker **out, canary_error *error) {
    canary_breaker_options settled = CANARY_BREAKER_OPTIONS_INIT;
    struct canary__breaker_sample first;
    canary_breaker *breaker;
    int code;

    if (ctx == NULL || out == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  ctx == NULL ? "ctx" : "out");
    }
    if (options != NULL &&
        canary__judge_sized_in(&settled, options, sizeof settled, OPTIONS_LEAST) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "options: size %" PRIu32
                                  " is not that of canary_breaker_options, or fields are set that "
                                  "this version does not know",
                                  options->size);
    }
    code = settle(&settled, error);
    if (code != CANARY_OK) {
        return code;
    }
    breaker = calloc(1, sizeof *breaker);
    if (breaker == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a circuit breaker");
    }
    breaker->ctx = ctx;
    breaker->store = canary_ctx_store(ctx);
    breaker->options = settled;
    breaker->step_ns = settled.window_ns / CANARY__BREAKER_STEPS;
    breaker->pid = getpid();
    breaker->info = (canary_breaker_info)CANARY_BREAKER_INFO_INIT;
    breaker->info.state = CANARY_BREAKER_CLOSED;
    breaker->info.since_ns = canary_store_now(breaker->store, CANARY_CLOCK_REALTIME);
    first = look(breaker);
    canary__breaker_window_start(&breaker->window, settled.window_ns, &first);
    pthread_mutex_init(&breaker->lock, NULL);
    canary__thread_bell(&breaker->wake);
    /* A child may have inherited the limit of a breaker that it does not have. */
    canary_limit(ctx, EVERYBODY);
    code = canary__thread_start(&breaker->thread, "canary-breaker", run, breaker);
    if (code != 0) {
        pthread_cond_destroy(&breaker->wake);
        pthread_mutex_destroy(&breaker->lock);
        free(breaker);
        return canary__judge_fail(error, CANARY_E_SYSTEM,
                                  "the thread of the circuit breaker could not be started: %s",
                                  strerror(code));
    }
    *out = breaker;
    return CANARY_OK;
}

void canary_breaker_stop(canary_breaker **breaker) {
    canary_breaker *own = breaker != NULL ? *breaker : NULL;

    if (own == NULL) {
        return;
    }
    *breaker = NULL;
    /* A forked child has neither the thread nor anybody who would let go of the lock. */
    if (own->pid == getpid()) {
        pthread_mutex_lock(&own->lock);
        own->stopping = 1;
        pthread_cond_signal(&own->wake);
        pthread_mutex_unlock(&own->lock);
        pthread_join(own->thread, NULL);
        pthread_cond_destroy(&own->wake);
        pthread_mutex_destroy(&own->lock);
    }
    canary_limit(own->ctx, EVERYBODY);
    free(own);
}

int canary_breaker_read(canary_breaker *breaker, canary_breaker_info *out) {
    canary_breaker_info info;
    int shared;

    if (breaker == NULL || out == NULL || out->size < INFO_LEAST) {
        return CANARY_E_INVALID;
    }
    /* In a forked child nobody writes any more, and nobody would let go of the lock. */
    shared = breaker->pid == getpid();
    if (shared) {
        pthread_mutex_lock(&breaker->lock);
    }
    info = breaker->info;
    if (shared) {
        pthread_mutex_unlock(&breaker->lock);
    }
    return canary__judge_sized_out(out, &info, sizeof info) == 0 ? CANARY_OK : CANARY_E_INVALID;
}

void canary_breaker_options_init(canary_breaker_options *options, uint32_t size) {
    const canary_breaker_options defaults = CANARY_BREAKER_OPTIONS_INIT;

    canary__judge_sized_init(options, size, &defaults, sizeof defaults);
}

void canary_breaker_info_init(canary_breaker_info *info, uint32_t size) {
    const canary_breaker_info defaults = CANARY_BREAKER_INFO_INIT;

    canary__judge_sized_init(info, size, &defaults, sizeof defaults);
}

const char *canary_breaker_state_name(int state) {
    static const char *const names[] = { "unknown", "closed", "open", "half_open" };

    return names[state >= CANARY_BREAKER_CLOSED && state <= CANARY_BREAKER_HALF_OPEN ? state : 0];
}
