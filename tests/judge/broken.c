/* SPDX-License-Identifier: MIT */
#include "broken.h"

#include <time.h>

static void rest(void) {
    struct timespec step = { 0, 500000 };

    nanosleep(&step, NULL);
}

static int64_t clock_of(void *user_data, int clock) {
    struct broken *broken = user_data;
    char name[16] = "";

    if (clock == CANARY_CLOCK_REALTIME) {
        return atomic_load(&broken->realtime);
    }
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    if (strcmp(name, "canary-breaker") == 0) {
        int one = 1;

        (void)atomic_compare_exchange_strong(&broken->hold, &one, 2);
        while (atomic_load(&broken->hold) == 2) {
            rest();
        }
        atomic_fetch_add(&broken->looks, 1);
    }
    return atomic_load(&broken->monotonic);
}

static void log_line(void *user_data, int level, const char *message) {
    struct broken *broken = user_data;

    if (level == CANARY_LOG_WARNING && strstr(message, "cannot be told") != NULL) {
        atomic_fetch_add(&broken->warnings, 1);
    }
}

static void changed(void *user_data, int state, const char *message) {
    struct broken *broken = user_data;
    canary_breaker_info info = CANARY_BREAKER_INFO_INIT;

    if (state < 1 || state > 3 || message == NULL ||
        strstr(message, "circuit breaker") != message) {
        atomic_fetch_add(&broken->bad_calls, 1);
        return;
    }
    /* No lock is held, and what it is told is the state. */
    if (broken->breaker != NULL &&
        (canary_breaker_read(broken->breaker, &info) != CANARY_OK || info.state != state)) {
        atomic_fetch_add(&broken->bad_calls, 1);
    }
    atomic_fetch_add(&broken->states[state], 1);
}

void broken_hooks(struct broken *broken, canary_options *options) {
    options->clock = clock_of;
    options->clock_data = broken;
    options->log = log_line;
    options->log_data = broken;
}

struct broken *broken_new(void) {
    struct broken *broken = calloc(1, sizeof *broken);

    assert_non_null(broken);
    atomic_init(&broken->realtime, UNIT_NOW);
    atomic_init(&broken->monotonic, 1000000000);
    broken->options = (canary_breaker_options)CANARY_BREAKER_OPTIONS_INIT;
    broken->options.window_ns = BROKEN_WINDOW;
    broken->options.open_ns = BROKEN_OPEN;
    broken->options.half_open_bp = 500;
    broken->options.callback = changed;
    broken->options.user_data = broken;
    unit_user_in("", "u", 0, 100, broken->first, sizeof broken->first);
    unit_user_in("", "u", 100, 500, broken->early, sizeof broken->early);
    unit_user_in("", "u", 500, 5000, broken->later, sizeof broken->later);
    unit_user_in("", "u", 5000, 10000, broken->last, sizeof broken->last);
    return broken;
}

struct broken *broken_on(struct broken *broken, canary_store *store) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = BROKEN_ROLLOUT };

    broken->store = store;
    OK(canary_create(store, &spec, NULL, NULL, &error));
    OK(canary_set_percentage(store, BROKEN_ROLLOUT, 5000, NULL, NULL, NULL, &error));
    OK(canary_open_in(store, BROKEN_ROLLOUT, NULL, &broken->ctx, &error));
    return broken;
}

struct broken *broken_in_memory(void) {
    struct broken *broken = broken_new();
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;

    broken_hooks(broken, &options);
    OK(canary_store_open_memory(&options, &store, &error));
    return broken_on(broken, store);
}

void broken_free(struct broken *broken) {
    canary_breaker_stop(&broken->breaker);
    assert_int_equal(atomic_load(&broken->bad_calls), 0);
    canary_close(&broken->ctx);
    canary_store_close(&broken->store);
    free(broken);
}

void broken_start(struct broken *broken) {
    OK(canary_breaker_start(broken->ctx, &broken->options, &broken->breaker, &error));
}

void broken_record(struct broken *broken, int cohort, int outcomes, int failures) {
    for (int i = 0; i < outcomes; i++) {
        canary_outcome outcome = CANARY_OUTCOME_INIT;

        outcome.status = i >= failures ? CANARY_STATUS_OK
                         : i % 2 != 0  ? CANARY_STATUS_TIMEOUT
                                       : CANARY_STATUS_ERROR;
        assert_int_equal(canary_record_cohort(broken->ctx, cohort, &outcome), CANARY_OK);
    }
}

/* It asks for the time once a look, after it has read the counts: the first time from now on may be that
 * of counts from before, the second is not, and with the third the second look is over. */
void broken_look(struct broken *broken) {
    int from = atomic_load(&broken->looks);

    while (atomic_load(&broken->looks) - from < 3) {
        rest();
    }
}

void broken_hold(struct broken *broken) {
    atomic_store(&broken->hold, 1);
    while (atomic_load(&broken->hold) != 2) {
        rest();
    }
}

void broken_release(struct broken *broken) {
    atomic_store(&broken->hold, 0);
}

void broken_pass(struct broken *broken, int64_t ns) {
    atomic_fetch_add(&broken->monotonic, ns);
    atomic_fetch_add(&broken->realtime, ns);
    broken_look(broken);
}

int broken_serves(struct broken *broken, unsigned bp) {
    return canary_should_use_new(broken->ctx, broken->first) == (bp >= 100) &&
           canary_should_use_new(broken->ctx, broken->early) == (bp >= 500) &&
           canary_should_use_new(broken->ctx, broken->later) == (bp >= 5000) &&
           canary_should_use_new(broken->ctx, broken->last) == (bp >= 10000);
}

canary_breaker_info broken_info(struct broken *broken) {
    canary_breaker_info info = CANARY_BREAKER_INFO_INIT;

    assert_int_equal(canary_breaker_read(broken->breaker, &info), CANARY_OK);
    return info;
}

int broken_state(struct broken *broken) {
    return broken_info(broken).state;
}

static int count_one(void *user_data, const canary_document *document) {
    (void)document;
    ++*(int *)user_data;
    return 0;
}

int broken_documents(canary_store *store) {
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
    int count = 0;

    query.prefix = "judge/breaker/";
    OK(canary_document_list(store, BROKEN_ROLLOUT, &query, count_one, &count, NULL, &error));
    return count;
}
