/* SPDX-License-Identifier: MIT */
/* A change that waits for a locked store, and a rollback that comes after it. */
#include "support.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

#include "control/store.h"

enum { ROUNDS = 5 };

struct waiting {
    canary_store *store;
    int (*change)(canary_store *store, canary_error *error);
    atomic_int asked; /* for the store, by now */
    int code;
    canary_error error;
};

static struct waiting *waiters[2];
static int (*store_begin)(void *store, int mode, void **transaction, canary_error *error);

static int begin(void *store, int mode, void **transaction, canary_error *error) {
    for (size_t i = 0; i < COUNT(waiters); i++) {
        if (waiters[i] != NULL && waiters[i]->store->implementation == store) {
            atomic_fetch_add(&waiters[i]->asked, 1);
        }
    }
    return store_begin(store, mode, transaction, error);
}

/* Who waits on a store of its own, and is seen to ask for it. */
static void waits(struct waiting *waiting, size_t number, struct unit *unit) {
    waiting->store = unit_another(unit);
    waiting->store->busy_ns = INT64_C(60000000000);
    store_begin = waiting->store->methods.begin;
    waiting->store->methods.begin = begin;
    waiters[number] = waiting;
}

static void ends(struct waiting *waiting, size_t number) {
    waiters[number] = NULL;
    canary_store_close(&waiting->store);
}

static void *wait_for_the_store(void *argument) {
    struct waiting *waiting = argument;

    canary_error_init(&waiting->error, sizeof waiting->error);
    waiting->code = waiting->change(waiting->store, &waiting->error);
    return NULL;
}

static pthread_t start(struct waiting *waiting) {
    pthread_t thread;

    atomic_store(&waiting->asked, 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_the_store, waiting), 0);
    while (atomic_load(&waiting->asked) < 2) { /* and could not have it */
        usleep(1000);
    }
    return thread;
}

static int set_90(canary_store *store, canary_error *error) {
    return canary_set_percentage(store, "r", 9000, NULL, NULL, NULL, error);
}

static int set_90_in_an_emergency(canary_store *store, canary_error *error) {
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;

    options.flags = CANARY_CHANGE_EMERGENCY;
    return canary_set_percentage(store, "r", 9000, NULL, &options, NULL, error);
}

static int advance(canary_store *store, canary_error *error) {
    return canary_advance(store, "r", NULL, NULL, error);
}

static int set_stage_3(canary_store *store, canary_error *error) {
    return canary_set_stage(store, "r", 3, NULL, NULL, error);
}

static int roll_back(canary_store *store, canary_error *error) {
    return canary_rollback(store, "r", 0, NULL, NULL, error);
}

/* Whichever of the two gets the store first: who asked for more did so before the rollback. */
static void stays_down(struct unit *unit, uint32_t from_bp,
                       int (*change)(canary_store *store, canary_error *error)) {
    struct waiting raise = { .change = change };
    struct waiting rollback = { .change = roll_back };
    int conflicts = 0;
    sqlite3 *locker;

    waits(&raise, 0, unit);
    waits(&rollback, 1, unit);
    assert_int_equal(sqlite3_open(unit->path, &locker), SQLITE_OK);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t threads[2];

        unit_set(unit, "r", from_bp);
        while (sqlite3_exec(locker, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_BUSY) {
            usleep(200);
        }
        threads[0] = start(&raise);
        threads[1] = start(&rollback);
        assert_int_equal(sqlite3_exec(locker, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        if (rollback.code != CANARY_OK) {
            fail_msg("the rollback: %s", rollback.error.message);
        }
        assert_int_equal(unit_read(unit, "r").percentage_bp, 0);
        if (raise.code == CANARY_E_CONFLICT) {
            assert_non_null(strstr(raise.error.message, "was rolled back to 0.00 %"));
            conflicts++;
        } else {
            assert_true(raise.code == CANARY_E_REFUSED || raise.code == CANARY_OK);
        }
    }
    print_message("%d of %d found the rollback recorded\n", conflicts, ROUNDS);
    sqlite3_close(locker);
    ends(&raise, 0);
    ends(&rollback, 1);
}

static void a_percentage_stays_down(void **state) {
    unit_create(*state, "r");
    stays_down(*state, 10000, set_90);
}

static void an_advance_stays_down(void **state) {
    unit_create(*state, "r");
    stays_down(*state, 2500, advance);
}

static void a_stage_stays_down(void **state) {
    unit_create(*state, "r");
    stays_down(*state, 500, set_stage_3);
}

static void an_emergency_stays_down(void **state) {
    unit_create(*state, "r");
    stays_down(*state, 500, set_90_in_an_emergency);
}

/* A process that has not read a recorded rollback is held down by its entry in the bell alone. A call
 * that rings, waits and is refused must not let it up. */
static void a_mistake_lets_nobody_up(void **state) {
    struct unit *unit = *state;
    struct waiting raise = { .change = set_90_in_an_emergency };
    canary_store *reader = unit_another(unit);
    canary_ctx *ctx = NULL;
    pthread_t thread;
    sqlite3 *locker;
    char user[32];

    waits(&raise, 0, unit);
    unit_user_in("", "user-", 0, 100, user, sizeof user);
    unit_create(unit, "r");
    unit_set(unit, "r", 10000);
    OK(canary_open_in(reader, "r", NULL, &ctx, &error));
    assert_int_equal(canary_should_use_new(ctx, user), 1);
    OK(canary_rollback(unit->store, "r", 0, NULL, NULL, &error));
    assert_int_equal(sqlite3_open(unit->path, &locker), SQLITE_OK);
    assert_int_equal(sqlite3_exec(locker, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    (void)canary_refresh(reader, NULL); /* hears the bell, and cannot read the store */
    assert_int_equal(canary_should_use_new(ctx, user), 0);
    thread = start(&raise);
    (void)canary_refresh(reader, NULL);
    assert_int_equal(canary_should_use_new(ctx, user), 0);
    assert_int_equal(sqlite3_exec(locker, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    pthread_join(thread, NULL);
    sqlite3_close(locker);
    canary_close(&ctx);
    canary_store_close(&reader);
    ends(&raise, 0);
}

/* The rollback before the call is known, whoever made it: nothing stands in the way of going up. */
static void an_old_rollback_is_no_conflict(void **state) {
    struct unit *unit = *state;
    canary_store *other = unit_another(unit);

    unit_create(unit, "r");
    unit_set(unit, "r", 5000);
    for (int i = 0; i < 3; i++) {
        OK(canary_rollback(other, "r", 0, NULL, NULL, &error));
        OK(canary_advance(unit->store, "r", NULL, NULL, &error));
        OK(canary_rollback(other, "r", 0, NULL, NULL, &error));
        OK(set_90(unit->store, &error));
        OK(canary_rollback(other, "r", 0, NULL, NULL, &error));
        OK(set_90_in_an_emergency(unit->store, &error));
    }
    canary_store_close(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_SQLITE_ONLY(a_percentage_stays_down),
        UNIT_SQLITE_ONLY(an_advance_stays_down),
        UNIT_SQLITE_ONLY(a_stage_stays_down),
        UNIT_SQLITE_ONLY(an_emergency_stays_down),
        UNIT_SQLITE_ONLY(a_mistake_lets_nobody_up),
        UNIT_SQLITE_ONLY(an_old_rollback_is_no_conflict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
