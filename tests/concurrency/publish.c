/* SPDX-License-Identifier: MIT */
/* Publishing against reading. One operator changes a memory store without pause; readers decide in
 * every way there is, and hold each answer against what must be true at every moment. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

enum { SECONDS = 4, FILLERS = 300, BATCH = 64, REVISIONS = 1 << 20 };

/* "band" never leaves 10 % to 90 %, so some users' cohorts are known at every moment; "salted" is
 * the same under a salt and has overrides; "wild" does everything, rollback to 0 and 100 %
 * included. */
enum { BAND, SALTED, WILD, ROLLOUTS };
static const char *const names[ROLLOUTS] = { "band", "salted", "wild" };
static const char *const salts[ROLLOUTS] = { "", "pepper", "" };

static canary_store *store;
static canary_ctx *contexts[ROLLOUTS];
static atomic_int stop;
static atomic_ullong reads;
static atomic_ullong changes;

/* What each revision of each rollout was, as the first reader saw it: all must agree, and the trail
 * at the end as well. stage + 1 << 32 | percentage, 0 = not seen. */
static _Atomic(uint64_t) *seen[ROLLOUTS];

/* Users by rollout: always new, always old, pinned to new although always old, and the reverse. */
struct users {
    char low[48];
    char high[48];
    char pinned_new[48];
    char pinned_old[48];
    char ramp[10][48]; /* one in each tenth */
};
static struct users users[ROLLOUTS];

static void saw(int rollout, uint64_t revision, int stage, uint32_t percentage_bp) {
    uint64_t now = (uint64_t)(stage + 1) << 32 | percentage_bp;
    uint64_t before = 0;

    CHECK(revision < REVISIONS, "%s: revision %llu", names[rollout], (unsigned long long)revision);
    if (!atomic_compare_exchange_strong(&seen[rollout][revision], &before, now)) {
        CHECK(before == now, "%s: revision %llu was stage %d, %u bp and is stage %d, %u bp",
              names[rollout], (unsigned long long)revision, (int)(before >> 32) - 1,
              (unsigned)before, stage, percentage_bp);
    }
}

/* The answer for one user by every call that takes one. */
static void always(canary_ctx *ctx, int rollout, const char *id, int cohort, const char *what) {
    uint32_t hash = 0;

    CHECK(canary_should_use_new(ctx, id) == cohort, "%s: %s: plain", names[rollout], what);
    CHECK(canary_should_use_new_n(ctx, id, strlen(id)) == cohort, "%s: %s: with size",
          names[rollout], what);
    canary_hash_user(salts[rollout], id, strlen(id), &hash);
    CHECK(canary_should_use_new_hash(ctx, id, strlen(id), hash) == cohort, "%s: %s: hash",
          names[rollout], what);
}

static void explain(canary_ctx *ctx, int rollout, const char *id, uint64_t *last_revision) {
    canary_decision d = CANARY_DECISION_INIT;
    uint32_t hash = 0;

    CHECK(canary_explain(ctx, id, strlen(id), &d) == CANARY_OK, "explain");
    canary_hash_user(salts[rollout], id, strlen(id), &hash);
    CHECK(d.hash == hash && d.bucket == canary_bucket_from_hash(hash), "%s: bucket of %s",
          names[rollout], id);
    CHECK(d.revision >= *last_revision, "%s: revision went back from %llu to %llu", names[rollout],
          (unsigned long long)*last_revision, (unsigned long long)d.revision);
    *last_revision = d.revision;
    saw(rollout, d.revision, d.stage, d.percentage_bp);
    CHECK(d.effective_bp <= d.percentage_bp, "%s: effective %u above %u", names[rollout],
          d.effective_bp, d.percentage_bp);
    switch (d.reason) {
    case CANARY_REASON_KILLED:
        CHECK(d.cohort == CANARY_OLD && d.effective_bp == 0, "%s: killed", names[rollout]);
        break;
    case CANARY_REASON_STATIC:
        CHECK((d.effective_bp == 0 && d.cohort == CANARY_OLD) ||
                  (d.effective_bp == CANARY_BP_MAX && d.cohort == CANARY_NEW),
              "%s: static at %u", names[rollout], d.effective_bp);
        break;
    case CANARY_REASON_SPLIT:
        CHECK(d.cohort == (d.bucket < d.effective_bp), "%s: bucket %u at %u is %d", names[rollout],
              d.bucket, d.effective_bp, d.cohort);
        break;
    case CANARY_REASON_OVERRIDE:
        CHECK(rollout == SALTED, "%s: override", names[rollout]);
        break;
    default:
        CHECK(0, "%s: reason %s", names[rollout], canary_reason_name(d.reason));
    }
}

static void explain_pinned(canary_ctx *ctx, const char *id, int cohort) {
    canary_decision d = CANARY_DECISION_INIT;

    canary_explain(ctx, id, strlen(id), &d);
    CHECK(d.reason == CANARY_REASON_OVERRIDE && d.cohort == cohort, "pin: %s, cohort %d",
          canary_reason_name(d.reason), d.cohort);
}

/* Under one state a user further down the ramp is never ahead of one further up. */
static void batch_of_ramp(canary_ctx *ctx, int rollout) {
    canary_user list[10];
    uint8_t cohorts[10];
    uint64_t sum = 0;
    uint64_t answer;

    for (int i = 0; i < 10; i++) {
        list[i].id = users[rollout].ramp[i];
        list[i].size = strlen(users[rollout].ramp[i]);
    }
    answer = canary_decide_many(ctx, list, 10, cohorts);
    for (int i = 0; i < 10; i++) {
        sum += cohorts[i];
        CHECK(cohorts[i] <= 1 && (i == 0 || cohorts[i] <= cohorts[i - 1]),
              "%s: batch under two states: user %d is %d after %d", names[rollout], i, cohorts[i],
              i > 0 ? cohorts[i - 1] : -1);
    }
    CHECK(sum == answer, "%s: batch answered %llu of %llu", names[rollout],
          (unsigned long long)answer, (unsigned long long)sum);
}

static void batch_of_known(canary_ctx *ctx) {
    const struct users *u = &users[SALTED];
    const char *const ids[] = { u->low, u->high, u->pinned_new, u->pinned_old };
    static const uint8_t expected[] = { 1, 0, 1, 0 };
    canary_user list[BATCH];
    uint8_t cohorts[BATCH];

    for (int i = 0; i < BATCH; i++) {
        list[i].id = ids[i % 4];
        list[i].size = strlen(ids[i % 4]);
    }
    CHECK(canary_decide_many(ctx, list, BATCH, cohorts) == BATCH / 2, "batch of known users");
    for (int i = 0; i < BATCH; i++) {
        CHECK(cohorts[i] == expected[i % 4], "batch: user %d is %d", i, cohorts[i]);
    }
}

static void hashes_alone(canary_ctx *ctx) {
    const struct users *u = &users[SALTED];
    uint32_t hash = 0;

    canary_hash_user(salts[SALTED], u->pinned_old, strlen(u->pinned_old), &hash);
    CHECK(canary_should_use_new_hash(ctx, NULL, 0, hash) == CANARY_OLD, "pin to old by hash");
    canary_hash_user(salts[SALTED], u->low, strlen(u->low), &hash);
    CHECK(canary_should_use_new_hash(ctx, NULL, 0, hash) == CANARY_NEW, "low user by hash");
    CHECK(canary_should_use_new_bucket(ctx, 0) == 1, "bucket 0");
    CHECK(canary_should_use_new_bucket(ctx, 9999) == 0, "bucket 9999");
}

static void look_once(canary_ctx *const *at, uint64_t *revisions) {
    always(at[BAND], BAND, users[BAND].low, CANARY_NEW, "low");
    always(at[BAND], BAND, users[BAND].high, CANARY_OLD, "high");
    always(at[SALTED], SALTED, users[SALTED].low, CANARY_NEW, "low");
    always(at[SALTED], SALTED, users[SALTED].high, CANARY_OLD, "high");
    always(at[SALTED], SALTED, users[SALTED].pinned_new, CANARY_NEW, "pinned to new");
    always(at[SALTED], SALTED, users[SALTED].pinned_old, CANARY_OLD, "pinned to old");
    explain_pinned(at[SALTED], users[SALTED].pinned_new, CANARY_NEW);
    explain_pinned(at[SALTED], users[SALTED].pinned_old, CANARY_OLD);
    for (int r = 0; r < ROLLOUTS; r++) {
        explain(at[r], r, users[r].ramp[5], &revisions[r]);
        batch_of_ramp(at[r], r);
    }
    batch_of_known(at[SALTED]);
    hashes_alone(at[SALTED]);
}

static void *reader(void *unused) {
    uint64_t revisions[ROLLOUTS] = { 0 };
    unsigned long long rounds = 0;

    (void)unused;
    while (!atomic_load(&stop)) {
        look_once(contexts, revisions);
        if (++rounds % 64 == 0) {
            sleep_us(1); /* with few processors the operator is to get its turn */
        }
    }
    atomic_fetch_add(&reads, rounds);
    return NULL;
}

/* Opens contexts of its own beside the others', decides, and closes them in the middle of it all.
 */
static void *comer_and_goer(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        uint64_t revisions[ROLLOUTS] = { 0 };
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *own[ROLLOUTS];

        for (int r = 0; r < ROLLOUTS; r++) {
            MUST(canary_open_in(store, names[r], NULL, &own[r], &error), error);
        }
        for (int i = 0; i < 20; i++) {
            canary_ctx_info info = CANARY_CTX_INFO_INIT;

            look_once(own, revisions);
            CHECK(canary_info(own[WILD], &info) == CANARY_OK, "info");
            saw(WILD, info.revision, info.stage, info.percentage_bp);
        }
        for (int r = 0; r < ROLLOUTS; r++) {
            canary_close(&own[r]);
        }
        sleep_us(200);
    }
    return NULL;
}

/* Kills and revives a context that nobody else kills: from the return of canary_kill() on every
 * answer is `old`, and after canary_revive() the state is back. */
static void *killer(void *unused) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *band = NULL;
    canary_ctx *salted = NULL;
    unsigned rounds = 0;

    (void)unused;
    MUST(canary_open_in(store, names[BAND], NULL, &band, &error), error);
    MUST(canary_open_in(store, names[SALTED], NULL, &salted, &error), error);
    while (!atomic_load(&stop)) {
        canary_decision d = CANARY_DECISION_INIT;

        canary_kill(band);
        canary_kill(salted);
        for (int i = 0; i < 20; i++) {
            always(band, BAND, users[BAND].low, CANARY_OLD, "killed, low");
            always(salted, SALTED, users[SALTED].pinned_new, CANARY_OLD, "killed, pinned to new");
            CHECK(canary_should_use_new_bucket(band, 0) == 0, "killed, bucket");
            canary_explain(salted, "x", 1, &d);
            CHECK(d.reason == CANARY_REASON_KILLED && d.effective_bp == 0, "killed, reason %s",
                  canary_reason_name(d.reason));
        }
        canary_revive(salted);
        canary_revive(band);
        for (int i = 0; i < 5; i++) {
            always(band, BAND, users[BAND].low, CANARY_NEW, "revived, low");
            always(salted, SALTED, users[SALTED].pinned_new, CANARY_NEW, "revived, pinned to new");
        }
        if (++rounds % 64 == 0) {
            sleep_us(1);
        }
    }
    canary_close(&salted);
    canary_close(&band);
    return NULL;
}

/* Kills and revives the contexts that the readers of "wild" use: `old` is right at any time. */
static void *wild_killer(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        canary_kill(contexts[WILD]);
        CHECK(canary_should_use_new(contexts[WILD], users[WILD].low) == CANARY_OLD, "wild kill");
        canary_revive(contexts[WILD]);
        sleep_us(50);
    }
    return NULL;
}

static void change_overrides(uint64_t *random, int *fillers) {
    static char ids[FILLERS][48];
    static const void *pointers[FILLERS];
    static uint64_t sizes[FILLERS];
    canary_error error = CANARY_ERROR_INIT;

    if (pointers[0] == NULL) {
        for (int i = 0; i < FILLERS; i++) {
            snprintf(ids[i], sizeof ids[i], "filler-%d-with-a-rather-long-name", i);
            pointers[i] = ids[i];
            sizes[i] = strlen(ids[i]);
        }
    }
    if (*fillers < 4 || (next_random(random) % 2 == 0 && *fillers < FILLERS / 2)) {
        int more = 1 + (int)(next_random(random) % (FILLERS / 2));

        MUST(canary_override_set_many(store, names[SALTED], pointers + *fillers, sizes + *fillers,
                                      (uint64_t)more, (int)(next_random(random) % 2), NULL, NULL,
                                      &error),
             error);
        *fillers += more;
    } else {
        int fewer = 1 + (int)(next_random(random) % 8);

        for (; fewer > 0 && *fillers > 0; fewer--) {
            (*fillers)--;
            MUST(canary_override_remove(store, names[SALTED], pointers[*fillers], sizes[*fillers],
                                        NULL, NULL, &error),
                 error);
            atomic_fetch_add(&changes, 1);
        }
    }
}

static void change_once(uint64_t *random, int *fillers) {
    canary_error error = CANARY_ERROR_INIT;
    uint32_t middle = 1000 + (uint32_t)(next_random(random) % 8001);
    int code;

    switch (next_random(random) % 24) {
    case 0:
    case 6:
    case 7:
    case 8:
    case 9:
        MUST(canary_set_percentage(store, names[BAND], middle, NULL, NULL, NULL, &error), error);
        break;
    case 1:
    case 10:
    case 11:
    case 12:
        MUST(canary_set_percentage(store, names[SALTED], middle, "phase", NULL, NULL, &error),
             error);
        break;
    case 2:
        change_overrides(random, fillers);
        break;
    case 3:
        MUST(canary_rollback(store, names[WILD], 0, NULL, NULL, &error), error);
        break;
    case 4:
        MUST(canary_flag_set(store, names[WILD], next_random(random) % 2 == 0, NULL, NULL, &error),
             error);
        break;
    case 5:
        MUST(canary_set_percentage(store, names[WILD], CANARY_BP_MAX, NULL, NULL, NULL, &error),
             error);
        break;
    default:
        code = canary_advance(store, names[WILD], NULL, NULL, &error);
        CHECK(code == CANARY_OK || code == CANARY_E_REFUSED, "advance: %s", error.message);
    }
    atomic_fetch_add(&changes, 1);
}

static int compare_with_trail(void *user_data, const canary_change *change) {
    uint64_t recorded = (uint64_t)(change->to_stage + 1) << 32 | change->to_percentage_bp;
    int *compared = user_data;

    for (int r = 0; r < ROLLOUTS; r++) {
        if (strcmp(change->rollout, names[r]) == 0 && seen[r][change->revision] != 0) {
            CHECK(seen[r][change->revision] == recorded,
                  "%s: revision %llu was seen as stage %d, %u bp; recorded is stage %d, %u bp",
                  names[r], (unsigned long long)change->revision,
                  (int)(seen[r][change->revision] >> 32) - 1, (unsigned)seen[r][change->revision],
                  change->to_stage, change->to_percentage_bp);
            (*compared)++;
        }
    }
    return 0;
}

static void set_up(void) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_store_open_memory(NULL, &store, &error), error);
    for (int r = 0; r < ROLLOUTS; r++) {
        canary_rollout_spec spec = { .size = (uint32_t)sizeof spec,
                                     .name = names[r],
                                     .salt = salts[r] };
        struct users *u = &users[r];

        MUST(canary_create(store, &spec, NULL, NULL, &error), error);
        MUST(canary_set_percentage(store, names[r], 5000, NULL, NULL, NULL, &error), error);
        user_in(salts[r], 0, 1000, 1, u->low, sizeof u->low);
        user_in(salts[r], 9000, 10000, 2, u->high, sizeof u->high);
        user_in(salts[r], 9000, 10000, 3, u->pinned_new, sizeof u->pinned_new);
        user_in(salts[r], 0, 1000, 4, u->pinned_old, sizeof u->pinned_old);
        for (unsigned i = 0; i < 10; i++) {
            user_in(salts[r], i * 1000, i * 1000 + 1000, 5 + i, u->ramp[i], sizeof u->ramp[i]);
        }
        seen[r] = calloc(REVISIONS, sizeof *seen[r]);
        CHECK(seen[r] != NULL, "no memory");
    }
    MUST(canary_override_set(store, names[SALTED], users[SALTED].pinned_new,
                             strlen(users[SALTED].pinned_new), CANARY_NEW, NULL, NULL, &error),
         error);
    MUST(canary_override_set(store, names[SALTED], users[SALTED].pinned_old,
                             strlen(users[SALTED].pinned_old), CANARY_OLD, NULL, NULL, &error),
         error);
    for (int r = 0; r < ROLLOUTS; r++) {
        MUST(canary_open_in(store, names[r], NULL, &contexts[r], &error), error);
    }
}

int main(void) {
    void *(*const bodies[])(void *) = { reader,         reader, reader,     reader,
                                        comer_and_goer, killer, wild_killer };
    enum { THREADS = sizeof bodies / sizeof bodies[0] };
    pthread_t threads[THREADS];
    uint64_t random = test_seed();
    int64_t end = now_ns() + SECONDS * INT64_C(1000000000);
    canary_error error = CANARY_ERROR_INIT;
    int fillers = 0;
    int compared = 0;

    set_up();
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, bodies[i], NULL) == 0, "pthread_create");
    }
    while (now_ns() < end) {
        change_once(&random, &fillers);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    MUST(canary_history(store, NULL, 0, 0, compare_with_trail, &compared, &error), error);
    CHECK(compared > 10, "only %d states were seen", compared);
    CHECK(atomic_load(&reads) > 100, "only %llu rounds were read", atomic_load(&reads));
    canary_store_close(&store);
    for (int r = 0; r < ROLLOUTS; r++) {
        uint64_t revisions[ROLLOUTS] = { 0 };

        if (r == 0) {
            look_once(contexts, revisions);
        }
        canary_close(&contexts[r]);
        free(seen[r]);
    }
    printf("%llu rounds of reading, %llu changes, %d states held against the trail\n",
           atomic_load(&reads), atomic_load(&changes), compared);
    return 0;
}
