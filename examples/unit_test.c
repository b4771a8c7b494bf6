/* SPDX-License-Identifier: MIT */
/* How a program tests its own code on both sides of a rollout: a store in memory, cohorts that are
 * the same on every machine and every run, pinned users where a test wants to choose, and a clock
 * that the test moves by hand. No file, no thread, no waiting. */
#include <canary/canary.h>

#include <stdio.h>

/* The code under test. It takes a context like any other dependency. */
static int shipping_cents(canary_ctx *rollout, const char *user, int basket_cents) {
    if (canary_should_use_new(rollout, user)) {
        return basket_cents >= 5000 ? 0 : 390;
    }
    return 490;
}

static int failures;

#define EXPECT(what)                                                                               \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            failures++;                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                     \
        }                                                                                          \
    } while (0)

/* A clock that stands still until the test moves it. */
static int64_t now_ns = 1000000000;

static int64_t test_clock(void *user_data, int clock) {
    (void)user_data;
    (void)clock;
    return now_ns;
}

static canary_store *store_with(const char *rollout, uint32_t percentage_bp) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = rollout };
    canary_store *store = NULL;

    options.clock = test_clock;
    EXPECT(canary_store_open_memory(&options, &store, NULL) == CANARY_OK);
    EXPECT(canary_create(store, &spec, NULL, NULL, NULL) == CANARY_OK);
    EXPECT(canary_set_percentage(store, rollout, percentage_bp, NULL, NULL, NULL, NULL) ==
           CANARY_OK);
    return store;
}

/* alice has bucket 178 and bob 1227, today and for ever: at 5 % only alice is in. */
static void cohorts_are_the_same_on_every_run(void) {
    canary_store *store = store_with("shipping", 500);
    canary_ctx *rollout = NULL;

    EXPECT(canary_open_in(store, "shipping", NULL, &rollout, NULL) == CANARY_OK);
    EXPECT(shipping_cents(rollout, "alice", 6000) == 0);
    EXPECT(shipping_cents(rollout, "alice", 1000) == 390);
    EXPECT(shipping_cents(rollout, "bob", 6000) == 490);

    /* In effect when the call returns: a test needs no sleep. */
    EXPECT(canary_advance(store, "shipping", NULL, NULL, NULL) == CANARY_OK);
    EXPECT(shipping_cents(rollout, "bob", 6000) == 0);
    EXPECT(canary_rollback(store, "shipping", 0, NULL, NULL, NULL) == CANARY_OK);
    EXPECT(shipping_cents(rollout, "alice", 6000) == 490);

    canary_close(&rollout);
    canary_store_close(&store);
}

/* A test that does not care about percentages pins the users it speaks of. */
static void pinned_users_get_their_cohort(void) {
    canary_store *store = store_with("shipping", 5000);
    canary_ctx *rollout = NULL;

    EXPECT(canary_open_in(store, "shipping", NULL, &rollout, NULL) == CANARY_OK);
    EXPECT(canary_override_set(store, "shipping", "tester-new", 10, CANARY_NEW, NULL, NULL, NULL) ==
           CANARY_OK);
    EXPECT(canary_override_set(store, "shipping", "tester-old", 10, CANARY_OLD, NULL, NULL, NULL) ==
           CANARY_OK);
    EXPECT(shipping_cents(rollout, "tester-new", 1000) == 390);
    EXPECT(shipping_cents(rollout, "tester-old", 1000) == 490);

    canary_close(&rollout);
    canary_store_close(&store);
}

/* With a stale policy, a state that nobody confirmed for a minute counts as doubt. */
static void stale_state_means_old(void) {
    canary_store *store = store_with("shipping", 10000);
    canary_options options = CANARY_OPTIONS_INIT;
    canary_decision decision = CANARY_DECISION_INIT;
    canary_ctx *rollout = NULL;

    options.stale_after_ns = INT64_C(60000000000);
    EXPECT(canary_open_in(store, "shipping", &options, &rollout, NULL) == CANARY_OK);
    EXPECT(canary_should_use_new(rollout, "bob") == 1);

    now_ns += INT64_C(61000000000);
    EXPECT(canary_should_use_new(rollout, "bob") == 0);
    EXPECT(canary_explain(rollout, "bob", 3, &decision) == CANARY_OK);
    EXPECT(decision.reason == CANARY_REASON_STALE);
    EXPECT(decision.age_ns == INT64_C(61000000000));

    EXPECT(canary_refresh(store, NULL) == CANARY_OK);
    EXPECT(canary_should_use_new(rollout, "bob") == 1);

    canary_close(&rollout);
    canary_store_close(&store);
}

int main(void) {
    cohorts_are_the_same_on_every_run();
    pinned_users_get_their_cohort();
    stale_state_means_old();
    printf("%s\n", failures == 0 ? "all as expected" : "failed");
    return failures != 0;
}
