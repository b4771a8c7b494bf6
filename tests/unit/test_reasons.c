/* SPDX-License-Identifier: MIT */
/* The order of reasons, each against each: every set of conditions that can hold at one time, through
 * every call that decides. The first rule that matches wins; the table below is the order. */
#include "support.h"

#include <fcntl.h>
#include <unistd.h>

#define ROLLOUT "order"
#define STALE_NS INT64_C(1000000000)
#define SALT "reasons"

/* One bit each; pins and percentages are choices besides. */
enum {
    BY_HOOK = 1,
    BY_CALL = 2,
    BY_FLAG = 4,
    BY_ENVIRONMENT = 8,
    BY_BELL = 16,
    NOT_READY = 32,
    STALE = 64,
    SETS = 128,
};

enum { PIN_NONE, PIN_OLD, PIN_NEW, PINS };

enum { AT_0, AT_BUCKET, AT_BUCKET_AND_ONE, AT_100, PLACES };

struct scene {
    struct unit *unit;
    canary_ctx *ctx;
    int set;
    int pin;
    int place;
    uint32_t percentage;
    uint32_t hash;
    uint32_t bucket;
    int hook_answer;
    unsigned hook_calls;
};

/* From 256 to 9999, so that the bucket and its neighbours are split percentages. */
static const char user[] = "user-1";

static int hook(void *user_data) {
    struct scene *scene = user_data;

    scene->hook_calls++;
    return scene->hook_answer;
}

/* What the conditions give. `pin` as the call sees it. */
static int expected_cohort(const struct scene *s, int pin, int *reason) {
    if ((s->set & (BY_HOOK | BY_CALL | BY_FLAG | BY_ENVIRONMENT | BY_BELL)) != 0) {
        *reason = CANARY_REASON_KILLED;
        return CANARY_OLD;
    }
    if ((s->set & NOT_READY) != 0) {
        *reason = CANARY_REASON_NOT_READY;
        return CANARY_OLD;
    }
    if ((s->set & STALE) != 0) {
        *reason = CANARY_REASON_STALE;
        return CANARY_OLD;
    }
    if (pin != PIN_NONE) {
        *reason = CANARY_REASON_OVERRIDE;
        return pin == PIN_NEW ? CANARY_NEW : CANARY_OLD;
    }
    if (s->place == AT_0 || s->place == AT_100) {
        *reason = CANARY_REASON_STATIC;
        return s->place == AT_100 ? CANARY_NEW : CANARY_OLD;
    }
    *reason = CANARY_REASON_SPLIT;
    return s->place == AT_BUCKET_AND_ONE ? CANARY_NEW : CANARY_OLD;
}

static void check(const struct scene *s, const char *call, int got, int expected) {
    if (got != expected) {
        fail_msg("%s: %d instead of %d with conditions 0x%x, pin %d, %u basis points for bucket %u",
                 call, got, expected, s->set, s->pin, s->percentage, s->bucket);
    }
}

static void check_explain(const struct scene *s) {
    canary_decision d = CANARY_DECISION_INIT;
    int loaded = (s->set & NOT_READY) == 0;
    int reason;
    int cohort = expected_cohort(s, s->pin, &reason);
    uint32_t effective =
        reason == CANARY_REASON_KILLED || reason == CANARY_REASON_STALE ? 0 : s->percentage;

    check(s, "canary_explain", canary_explain(s->ctx, user, sizeof user - 1, &d), CANARY_OK);
    check(s, "cohort explained", d.cohort, cohort);
    check(s, "reason explained", d.reason, reason);
    check(s, "percentage explained", (int)d.percentage_bp, loaded ? (int)s->percentage : 0);
    check(s, "effective explained", (int)d.effective_bp, loaded ? (int)effective : 0);
    check(s, "age explained", d.age_ns >= 0, loaded);
    check(s, "revision explained", d.revision > 0, loaded);
    check(s, "stage explained", d.stage >= 0, loaded);
    if (loaded) {
        check(s, "hash explained", d.hash == s->hash, 1);
        check(s, "bucket explained", (int)d.bucket, (int)s->bucket);
    }
}

static void check_batch(const struct scene *s) {
    static const canary_user users[] = { { "", 0 },   { user, sizeof user - 1 },
                                         { NULL, 6 }, { user, sizeof user - 1 },
                                         { user, 0 }, { NULL, 0 } };
    uint8_t cohorts[COUNT(users)];
    int reason;
    int cohort = expected_cohort(s, s->pin, &reason);

    memset(cohorts, 77, sizeof cohorts);
    check(s, "canary_decide_many", (int)canary_decide_many(s->ctx, users, COUNT(users), cohorts),
          2 * cohort);
    for (size_t i = 0; i < COUNT(users); i++) {
        check(s, "cohort of the batch", cohorts[i], i == 1 || i == 3 ? cohort : CANARY_OLD);
    }
}

static void check_invalid(const struct scene *s) {
    canary_decision d = CANARY_DECISION_INIT;

    check(s, "no id", canary_should_use_new(s->ctx, NULL), 0);
    check(s, "empty id", canary_should_use_new(s->ctx, ""), 0);
    check(s, "no id with a size", canary_should_use_new_n(s->ctx, NULL, 6), 0);
    check(s, "an id of no bytes", canary_should_use_new_n(s->ctx, user, 0), 0);
    check(s, "bucket 10000", canary_should_use_new_bucket(s->ctx, CANARY_BUCKETS), 0);
    check(s, "bucket none", canary_should_use_new_bucket(s->ctx, CANARY_BUCKET_NONE), 0);
    check(s, "explain no bytes", canary_explain(s->ctx, user, 0, &d), CANARY_OK);
    check(s, "reason of no bytes", d.reason, CANARY_REASON_INVALID);
    check(s, "cohort of no bytes", d.cohort, CANARY_OLD);
    check(s, "bucket of no bytes", d.bucket == CANARY_BUCKET_NONE, 1);
    check(s, "hash of no bytes", d.hash == 0, 1);
    check(s, "explain no id", canary_explain(s->ctx, NULL, 6, &d), CANARY_OK);
    check(s, "reason of no id", d.reason, CANARY_REASON_INVALID);
}

static void check_scene(struct scene *s) {
    int reason;
    int cohort = expected_cohort(s, s->pin, &reason);

    check(s, "canary_should_use_new", canary_should_use_new(s->ctx, user), cohort);
    check(s, "canary_should_use_new_n", canary_should_use_new_n(s->ctx, user, sizeof user - 1),
          cohort);
    check(s, "canary_should_use_new_hash with id",
          canary_should_use_new_hash(s->ctx, user, sizeof user - 1, s->hash), cohort);
    check_explain(s);
    check_batch(s);

    /* Without the id a pin to `new` is not seen, one to `old` is. */
    cohort = expected_cohort(s, s->pin == PIN_OLD ? PIN_OLD : PIN_NONE, &reason);
    check(s, "canary_should_use_new_hash without id",
          canary_should_use_new_hash(s->ctx, NULL, 0, s->hash), cohort);
    check(s, "canary_should_use_new_hash with a size only",
          canary_should_use_new_hash(s->ctx, user, 0, s->hash), cohort);
    /* A bucket names nobody. */
    cohort = expected_cohort(s, PIN_NONE, &reason);
    check(s, "canary_should_use_new_bucket", canary_should_use_new_bucket(s->ctx, s->bucket),
          cohort);
    check_invalid(s);
}

static void break_bell(struct unit *unit) {
    static const char rubbish[32] = "this is no entry of the bell";
    char path[600];
    int fd;

    snprintf(path, sizeof path, "%s-doorbell", unit->path);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, rubbish, sizeof rubbish, 64 + 32 * 50), sizeof rubbish);
    close(fd);
    (void)canary_refresh(unit->store, NULL);
}

static void make_rollout(struct scene *s) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT, .salt = SALT };

    OK(canary_create(s->unit->store, &spec, NULL, NULL, &error));
    unit_set(s->unit, ROLLOUT, s->percentage);
    if (s->pin != PIN_NONE) {
        OK(canary_override_set(s->unit->store, ROLLOUT, user, sizeof user - 1,
                               s->pin == PIN_NEW ? CANARY_NEW : CANARY_OLD, NULL, NULL, &error));
    }
    if ((s->set & BY_FLAG) != 0) {
        OK(canary_flag_set(s->unit->store, ROLLOUT, 0, NULL, NULL, &error));
    }
}

static void open_scene(struct scene *s) {
    canary_options options = CANARY_OPTIONS_INIT;

    /* Both by their own: with neither hook nor policy decisions take another, shorter path. */
    if ((s->set & BY_HOOK) != 0 || s->pin == PIN_OLD) {
        options.kill_switch = hook;
        options.kill_switch_data = s;
        s->hook_answer = (s->set & BY_HOOK) != 0 ? 1 + s->place * 256 : 0;
    }
    if ((s->set & STALE) != 0 || s->pin == PIN_NEW) {
        options.stale_after_ns = STALE_NS;
    }
    if ((s->set & BY_ENVIRONMENT) != 0) {
        setenv("CANARY_KILL", s->place % 2 == 0 ? "all" : "another, " ROLLOUT ",third", 1);
    } else {
        setenv("CANARY_KILL", "orde,order2,al,al-l,ordEr", 1);
    }
    if ((s->set & NOT_READY) != 0) {
        options.flags = CANARY_OPEN_DEFER;
    } else {
        make_rollout(s);
    }
    OK(canary_open_in(s->unit->store, ROLLOUT, &options, &s->ctx, &error));
    unsetenv("CANARY_KILL");
    if ((s->set & BY_CALL) != 0) {
        canary_kill(s->ctx);
    }
    if ((s->set & BY_BELL) != 0) {
        break_bell(s->unit);
    }
    s->unit->monotonic += (s->set & STALE) != 0 ? STALE_NS + 1 : STALE_NS;
}

static uint32_t percentage_at(const struct scene *s) {
    switch (s->place) {
    case AT_0:
        return 0;
    case AT_BUCKET:
        return s->bucket;
    case AT_BUCKET_AND_ONE:
        return s->bucket + 1;
    default:
        return CANARY_BP_MAX;
    }
}

/* Nothing loaded has no flag, no percentage and no pins. */
static int can_hold(const struct scene *s) {
    return (s->set & NOT_READY) == 0 ||
           ((s->set & BY_FLAG) == 0 && s->pin == PIN_NONE && s->place == AT_0);
}

static void run_scene(int kind, int set, int pin, int place) {
    struct scene scene = { .set = set, .pin = pin, .place = place };

    assert_int_equal(canary_hash_user(SALT, user, sizeof user - 1, &scene.hash), CANARY_OK);
    scene.bucket = canary_bucket_from_hash(scene.hash);
    assert_in_range(scene.bucket, 1, CANARY_BUCKETS - 2);
    scene.percentage = percentage_at(&scene);
    if (!can_hold(&scene)) {
        return;
    }
    scene.unit = unit_new(kind);
    unit_create(scene.unit, "first"); /* makes the bell */
    open_scene(&scene);
    check_scene(&scene);
    assert_true((set & BY_HOOK) == 0 || (set & ~BY_HOOK) != 0 || scene.hook_calls > 0);
    canary_close(&scene.ctx);
    unit_free(scene.unit);
}

/* Every set of conditions: with every pair goes every triple. */
static void every_combination_in_memory(void **state) {
    (void)state;
    for (int set = 0; set < SETS; set++) {
        for (int pin = 0; pin < PINS && (set & BY_BELL) == 0; pin++) {
            for (int place = 0; place < PLACES; place++) {
                run_scene(UNIT_MEMORY, set, pin, place);
            }
        }
    }
}

/* Only a file has a bell. Every pair with it; the place alternates. */
static void damaged_bell_against_each(void **state) {
    (void)state;
    for (int bit = 1; bit < SETS; bit <<= 1) {
        for (int pin = 0; pin < PINS; pin++) {
            run_scene(UNIT_SQLITE, BY_BELL | bit, pin, bit == NOT_READY ? AT_0 : AT_100);
        }
    }
    run_scene(UNIT_SQLITE, 0, PIN_NONE, AT_BUCKET_AND_ONE);
    run_scene(UNIT_SQLITE, 0, PIN_NEW, AT_0);
    run_scene(UNIT_SQLITE, STALE, PIN_NEW, AT_100);
}

/* -- conditions that come and go on a living context -- */

static void kill_and_revive(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    canary_ctx *other;

    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, CANARY_BP_MAX);
    ctx = unit_open(unit, ROLLOUT);
    other = unit_open(unit, ROLLOUT);
    assert_int_equal(canary_should_use_new(ctx, user), 1);
    canary_kill(ctx);
    canary_kill(ctx);
    assert_int_equal(canary_should_use_new(ctx, user), 0);
    assert_int_equal(canary_should_use_new(other, user), 1);
    unit_set(unit, ROLLOUT, 5000);
    unit_set(unit, ROLLOUT, CANARY_BP_MAX);
    assert_int_equal(canary_should_use_new(ctx, user), 0);
    assert_int_equal(unit_info(ctx).kill_reasons, CANARY_KILL_LOCAL);
    assert_int_equal(unit_info(ctx).effective_bp, 0);
    assert_int_equal(unit_info(ctx).percentage_bp, CANARY_BP_MAX);
    /* One revive takes back any number of kills, and no kill of another kind. */
    canary_revive(ctx);
    assert_int_equal(canary_should_use_new(ctx, user), 1);
    canary_revive(ctx);
    assert_int_equal(canary_should_use_new(ctx, user), 1);
    OK(canary_flag_set(unit->store, ROLLOUT, 0, NULL, NULL, &error));
    canary_revive(ctx);
    assert_int_equal(canary_should_use_new(ctx, user), 0);
    assert_int_equal(unit_info(ctx).kill_reasons, CANARY_KILL_FLAG);
    OK(canary_flag_set(unit->store, ROLLOUT, 1, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(ctx, user), 1);
    canary_kill(NULL);
    canary_revive(NULL);
    canary_close(&other);
    canary_close(&ctx);
}

static void hook_is_asked_each_time(void **state) {
    struct scene scene = { .unit = *state };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_user three[] = { { user, 6 }, { "a", 1 }, { "b", 1 } };
    uint8_t cohorts[3];
    unsigned before;

    unit_create(scene.unit, ROLLOUT);
    unit_set(scene.unit, ROLLOUT, CANARY_BP_MAX);
    options.kill_switch = hook;
    options.kill_switch_data = &scene;
    OK(canary_open_in(scene.unit->store, ROLLOUT, &options, &scene.ctx, &error));
    for (int answer = -3; answer < 4; answer++) {
        scene.hook_answer = answer;
        before = scene.hook_calls;
        assert_int_equal(canary_should_use_new(scene.ctx, user), answer == 0);
        assert_int_equal(scene.hook_calls, before + 1);
        assert_int_equal(canary_should_use_new_bucket(scene.ctx, 5), answer == 0);
        assert_int_equal(scene.hook_calls, before + 2);
        /* A batch is decided under one state: asked once. */
        assert_int_equal(canary_decide_many(scene.ctx, three, 3, cohorts), answer == 0 ? 3 : 0);
        assert_int_equal(unit_info(scene.ctx).kill_reasons, answer == 0 ? 0 : CANARY_KILL_HOOK);
    }
    /* Never for a decision that is INVALID. */
    before = scene.hook_calls;
    assert_int_equal(canary_should_use_new(scene.ctx, ""), 0);
    assert_int_equal(canary_should_use_new(scene.ctx, NULL), 0);
    assert_int_equal(canary_should_use_new_n(scene.ctx, user, 0), 0);
    assert_int_equal(canary_should_use_new_bucket(scene.ctx, CANARY_BUCKETS), 0);
    assert_int_equal(scene.hook_calls, before);
    canary_close(&scene.ctx);
}

static void stale_until_refreshed(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_ctx *patient;
    canary_ctx *ctx = NULL;
    canary_decision d = CANARY_DECISION_INIT;

    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, CANARY_BP_MAX);
    options.stale_after_ns = STALE_NS;
    OK(canary_open_in(unit->store, ROLLOUT, &options, &ctx, &error));
    patient = unit_open(unit, ROLLOUT);
    for (int round = 0; round < 3; round++) {
        unit->monotonic += STALE_NS;
        assert_int_equal(canary_should_use_new(ctx, user), 1);
        assert_int_equal(canary_explain(ctx, user, 6, &d), CANARY_OK);
        assert_int_equal(d.age_ns, STALE_NS);
        unit->monotonic += 1;
        assert_int_equal(canary_should_use_new(ctx, user), 0);
        assert_int_equal(canary_explain(ctx, user, 6, &d), CANARY_OK);
        assert_int_equal(d.reason, CANARY_REASON_STALE);
        assert_int_equal(d.age_ns, STALE_NS + 1);
        assert_int_equal(d.percentage_bp, CANARY_BP_MAX);
        assert_int_equal(d.effective_bp, 0);
        assert_int_equal(unit_info(ctx).age_ns, STALE_NS + 1);
        assert_int_equal(unit_info(ctx).percentage_bp, CANARY_BP_MAX);
        assert_int_equal(unit_info(ctx).effective_bp, 0);
        /* The default policy keeps the last known state for ever. */
        assert_int_equal(canary_should_use_new(patient, user), 1);
        assert_int_equal(unit_info(patient).effective_bp, CANARY_BP_MAX);
        OK(canary_refresh(unit->store, &error));
        assert_int_equal(canary_should_use_new(ctx, user), 1);
        assert_int_equal(unit_info(ctx).age_ns, 0);
    }
    /* A clock that goes back shows age 0, not a state from the future. */
    unit->monotonic -= 5;
    assert_int_equal(unit_info(ctx).age_ns, 0);
    assert_int_equal(canary_should_use_new(ctx, user), 1);
    canary_close(&patient);
    canary_close(&ctx);
}

/* Deferred: `old` until the rollout is there, then like any other. */
static void ready_after_refresh(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_ctx *ctx = NULL;
    canary_decision d = CANARY_DECISION_INIT;
    canary_ctx_info info;
    uint32_t hash;

    options.flags = CANARY_OPEN_DEFER;
    OK(canary_open_in(unit->store, ROLLOUT, &options, &ctx, &error));
    info = unit_info(ctx);
    assert_int_equal(info.source, CANARY_SOURCE_NONE);
    assert_int_equal(info.stage, -1);
    assert_int_equal(info.revision, 0);
    assert_int_equal(info.age_ns, -1);
    assert_int_equal(info.last_error, CANARY_E_NOT_FOUND);
    assert_non_null(strstr(info.last_message, ROLLOUT));
    assert_int_equal(canary_explain(ctx, user, 6, &d), CANARY_OK);
    assert_int_equal(d.reason, CANARY_REASON_NOT_READY);
    assert_int_equal(d.stage, -1);
    assert_int_equal(d.age_ns, -1);
    assert_int_equal(canary_should_use_new_bucket(ctx, 0), 0);
    {
        canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT, .salt = "later" };

        OK(canary_create(unit->store, &spec, NULL, NULL, &error));
    }
    unit_set(unit, ROLLOUT, 9999);
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(canary_explain(ctx, user, 6, &d), CANARY_OK);
    assert_int_equal(canary_hash_user("later", user, 6, &hash), CANARY_OK);
    assert_int_equal(d.reason, CANARY_REASON_SPLIT);
    assert_int_equal(d.hash, hash);
    assert_int_equal(canary_should_use_new(ctx, user), canary_bucket_from_hash(hash) < 9999);
    assert_int_equal(unit_info(ctx).last_error, CANARY_OK);
    assert_string_equal(unit_info(ctx).last_message, "");
    canary_close(&ctx);
}

/* The environment is read when the context is opened and never again. */
static void environment_is_read_at_open(void **state) {
    struct unit *unit = *state;
    canary_ctx *before;
    canary_ctx *during;
    canary_ctx *after;

    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, CANARY_BP_MAX);
    before = unit_open(unit, ROLLOUT);
    setenv("CANARY_KILL", " x\t" ROLLOUT, 1);
    during = unit_open(unit, ROLLOUT);
    assert_int_equal(unit_read(unit, ROLLOUT).kill_reasons, CANARY_KILL_ENVIRONMENT);
    assert_int_equal(unit_read(unit, ROLLOUT).effective_bp, 0);
    setenv("CANARY_KILL", "", 1);
    after = unit_open(unit, ROLLOUT);
    unsetenv("CANARY_KILL");
    OK(canary_refresh(unit->store, &error));
    canary_revive(during);
    assert_int_equal(canary_should_use_new(before, user), 1);
    assert_int_equal(canary_should_use_new(during, user), 0);
    assert_int_equal(canary_should_use_new(after, user), 1);
    assert_int_equal(unit_info(during).kill_reasons, CANARY_KILL_ENVIRONMENT);
    canary_close(&before);
    canary_close(&during);
    canary_close(&after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_in_memory),
        cmocka_unit_test(damaged_bell_against_each),
        UNIT_BOTH(kill_and_revive),
        UNIT_MEMORY_ONLY(hook_is_asked_each_time),
        UNIT_BOTH(stale_until_refreshed),
        UNIT_BOTH(ready_after_refresh),
        UNIT_BOTH(environment_is_read_at_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
