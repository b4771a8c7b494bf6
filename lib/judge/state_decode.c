/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/state_parts.h"
#include "judge/state_stored.h"

/* After the first fault, reading gives zeros. */
struct reader {
    const uint8_t *next;
    size_t left;
    const char *wrong; /* NULL, or what is */
};

/* A rule as it is stored; `proof` is where that begins. */
struct stored_rule {
    const uint8_t *question;
    int state;
    int64_t since_ns;
    int64_t unknown_ns;
    uint32_t shape;
    struct reader proof;
    int taken;
};

/* What is found on the first way through, which checks all, and used on the second, which cannot fail. */
struct stored {
    const uint8_t *digest;
    struct reader numbers;
    uint32_t rule_count;
    struct stored_rule rules[CANARY_POLICY_RULES_MAX];
    struct reader splits;
    struct reader recents;
};

static void wrong(struct reader *from, const char *what) {
    if (from->wrong == NULL) {
        from->wrong = what;
    }
    from->left = 0;
}

static const uint8_t *take(struct reader *from, size_t size) {
    const uint8_t *bytes = from->next;

    if (from->left < size) {
        wrong(from, "it ends too early");
        return NULL;
    }
    from->next += size;
    from->left -= size;
    return bytes;
}

static uint32_t get_byte(struct reader *from, uint32_t most, const char *what) {
    const uint8_t *byte = take(from, 1);
    uint32_t value = byte != NULL ? *byte : 0;

    if (value > most) {
        wrong(from, what);
        return 0;
    }
    return value;
}

static uint32_t get_short(struct reader *from) {
    uint32_t low = get_byte(from, 255, "");

    return low | get_byte(from, 255, "") << 8;
}

static uint64_t get(struct reader *from) {
    const uint8_t *bytes = take(from, 8);
    uint64_t number = 0;

    for (int i = 0; i < 8 && bytes != NULL; i++) {
        number |= (uint64_t)bytes[i] << 8 * i;
    }
    return number;
}

static int64_t get_time(struct reader *from) {
    uint64_t ns = get(from);

    if (ns > INT64_MAX) {
        wrong(from, "a time before 1970");
        return 0;
    }
    return (int64_t)ns;
}

static double get_double(struct reader *from) {
    uint64_t bits = get(from);
    double number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Finite, and not below 0. */
static double get_count(struct reader *from) {
    double number = get_double(from);

    if (!(number >= 0) || !isfinite(number)) {
        wrong(from, "a count that cannot be");
        return 0;
    }
    return number;
}

static double get_finite(struct reader *from) {
    double number = get_double(from);

    if (!isfinite(number)) {
        wrong(from, "a sum that is no number");
        return 0;
    }
    return number;
}

static void get_sums(struct reader *from, struct canary__judge_sums *sums) {
    sums->n = get_count(from);
    sums->sum = get_finite(from);
    sums->squares = get_count(from);
}

static void get_points(struct reader *from, double points[CANARY__JUDGE_CURVE_POINTS]) {
    for (int i = 0; i < CANARY__JUDGE_CURVE_POINTS; i++) {
        points[i] = get_finite(from);
    }
}

static void get_proof(struct reader *from, uint32_t shape, struct canary__proof *proof) {
    double evidence[CANARY__JUDGE_EVIDENCE_DOUBLES];

    canary__proof_start(proof);
    for (int i = 0; i < CANARY__JUDGE_EVIDENCE_DOUBLES; i++) {
        evidence[i] = get_double(from);
    }
    if (canary__judge_evidence_restore(&proof->evidence, evidence) != CANARY__JUDGE_YES) {
        wrong(from, "evidence that no tick adds");
    }
    proof->totals.n_new = get_count(from);
    proof->totals.n_old = get_count(from);
    proof->totals.k_new = get_count(from);
    proof->totals.k_old = get_count(from);
    proof->ticks = get_count(from);
    proof->highest_ln_w = get_double(from);
    proof->known = get_double(from);
    if (!(proof->highest_ln_w < INFINITY) || proof->known < 0 || isinf(proof->known)) {
        wrong(from, "evidence that no tick adds");
    }
    if (shape & CANARY__STORED_SUMS) {
        get_sums(from, &proof->fresh);
        get_sums(from, &proof->old);
    }
    if (shape & CANARY__STORED_CURVE) {
        get_points(from, proof->curve.value);
        get_points(from, proof->curve.slope);
        get_points(from, proof->curve.bend);
    }
}

static void get_name(struct reader *from, char name[CANARY_METRIC_NAME_MAX + 1]) {
    uint32_t size = get_byte(from, CANARY_METRIC_NAME_MAX, "a name that is too long");
    const uint8_t *bytes = take(from, size);

    memset(name, 0, CANARY_METRIC_NAME_MAX + 1);
    if (bytes != NULL) {
        memcpy(name, bytes, size);
    }
}

static void get_split(struct reader *from, struct canary__split_state *split) {
    double doubles[CANARY__JUDGE_SPLIT_DOUBLES];

    get_name(from, split->metric);
    for (int i = 0; i < CANARY__JUDGE_SPLIT_DOUBLES; i++) {
        doubles[i] = get_double(from);
    }
    if (canary__judge_split_restore(&split->split, doubles) != CANARY__JUDGE_YES) {
        wrong(from, "halves that no tick adds");
    }
    split->ticks = get_count(from);
    split->differs = (int32_t)get_byte(from, 1, "a self-test that neither found nor did not");
}

/* `buckets` NULL: only checked. */
static void get_recent(struct reader *from, struct canary__recent *recent, double *buckets) {
    uint32_t used;
    uint32_t least = 0;

    get_name(from, recent->metric);
    recent->n = get_count(from);
    recent->overflow = get_count(from);
    used = get_short(from);
    for (uint32_t i = 0; i < used && from->wrong == NULL; i++) {
        uint32_t bucket = get_short(from);
        double n = get_count(from);

        if (bucket < least || bucket >= CANARY_DURATION_BUCKETS || !(n > 0)) {
            wrong(from, "a bucket that is not there");
        } else if (buckets != NULL) {
            buckets[bucket] = n;
        }
        least = bucket + 1;
    }
}

/* -- first way through -- */

static void find_rule(struct reader *from, struct stored_rule *rule) {
    struct canary__proof proof = { .known = NAN };

    rule->question = take(from, sizeof((struct canary__question *)0)->bytes);
    rule->state = (int)get_byte(from, CANARY_STATE_UNMET, "a state that is none");
    rule->since_ns = get_time(from);
    rule->unknown_ns = get_time(from);
    rule->shape = get_byte(from, CANARY__STORED_SHAPES - 1, "a shape that is none");
    rule->proof = *from;
    if (rule->state < CANARY_STATE_UNKNOWN) {
        wrong(from, "a state that is none");
    }
    if (rule->shape & CANARY__STORED_PROOF) {
        get_proof(from, rule->shape, &proof);
    } else if (rule->shape != 0) {
        wrong(from, "a shape that is none");
    }
}

static void get_numbers(struct reader *from, struct canary__state *state) {
    state->generation = get(from);
    state->generation_at_ns = get_time(from);
    state->through_ns = get_time(from);
    state->traffic_ns = get_time(from);
    state->silent_ns = get_time(from);
    state->planned_ticks = get_count(from);
    state->ticks = get_count(from);
    state->halves_ns = get_time(from);
    state->halves_generation = get(from);
    if (!(state->planned_ticks >= 1)) {
        wrong(from, "a stage without ticks");
    }
}

static void find_all(struct reader *from, struct stored *stored) {
    struct canary__state numbers;
    struct canary__split_state split;
    struct canary__recent recent;
    uint32_t count;

    stored->digest = take(from, sizeof numbers.digest);
    stored->numbers = *from;
    get_numbers(from, &numbers);
    stored->rule_count = get_byte(from, CANARY_POLICY_RULES_MAX, "too many rules");
    for (uint32_t i = 0; i < stored->rule_count && from->wrong == NULL; i++) {
        find_rule(from, &stored->rules[i]);
    }
    stored->splits = *from;
    count = get_byte(from, CANARY_POLICY_RULES_MAX, "too many halves");
    for (uint32_t i = 0; i < count && from->wrong == NULL; i++) {
        get_split(from, &split);
    }
    stored->recents = *from;
    count = get_byte(from, CANARY_POLICY_RULES_MAX, "too many durations");
    for (uint32_t i = 0; i < count && from->wrong == NULL; i++) {
        get_recent(from, &recent, NULL);
    }
    if (from->wrong == NULL && from->left != 0) {
        wrong(from, "there are bytes behind its end");
    }
}

/* -- second way through -- */

/* Of several rules with one question each takes its own; one that has none takes another's evidence. */
static struct stored_rule *rule_of(struct stored *stored, const struct canary__question *question,
                                   int with_proof) {
    struct stored_rule *found = NULL;

    for (uint32_t i = 0; i < stored->rule_count; i++) {
        struct stored_rule *rule = &stored->rules[i];

        if (memcmp(rule->question, question->bytes, sizeof question->bytes) == 0 &&
            ((rule->shape & CANARY__STORED_PROOF) != 0) == with_proof &&
            (found == NULL || (found->taken && !rule->taken))) {
            found = rule;
        }
    }
    return found;
}

/* Under another policy the same evidence may mean something else: a share of alpha, an action, a time. */
static void state_anew(struct canary__state *state, const struct canary_policy *policy,
                       uint32_t index) {
    struct canary__rule_state *to = &state->rules[index];
    const struct canary__rule *rule = &policy->rules[index];
    int require = rule->action == CANARY_RULE_REQUIRE;

    if (to->proof != NULL) {
        double effect = canary__state_effect(state, policy, rule);

        canary__proof_follow(to, rule,
                             canary__proof_says(to->proof, rule, state->planned_ticks, effect), 1,
                             state->through_ns);
    } else if (to->since_ns == 0 || to->unknown_ns != 0) {
        /* What was not so need not be so under the new `least` either. */
        to->state = CANARY_STATE_UNKNOWN;
    } else if (state->through_ns - to->since_ns >= rule->for_ns) {
        to->state = require ? CANARY_STATE_MET : CANARY_STATE_FIRING;
    } else {
        to->state = require ? CANARY_STATE_UNMET : CANARY_STATE_PENDING;
    }
}

static void fill_rules(struct canary__state *state, const struct canary_policy *policy,
                       struct stored *stored) {
    for (uint32_t i = 0; i < state->rule_count; i++) {
        struct canary__rule_state *to = &state->rules[i];
        struct stored_rule *rule = rule_of(stored, &to->question, to->proof != NULL);

        to->state = CANARY_STATE_UNKNOWN;
        to->since_ns = to->unknown_ns = 0;
        if (to->window != NULL) {
            canary__window_clear(to->window);
        }
        if (to->short_window != NULL) {
            canary__window_clear(to->short_window);
        }
        if (to->proof != NULL) {
            to->proof->known = NAN;
            canary__proof_start(to->proof);
        }
        if (rule == NULL) {
            continue;
        }
        if (to->proof != NULL) {
            struct reader from = rule->proof;

            get_proof(&from, rule->shape, to->proof);
            if (to->proof->ticks > 0 && canary__proof_has_curve(&policy->rules[i])) {
                canary__judge_curve_ends(&to->proof->curve, policy->rules[i].alpha,
                                         &to->proof->ends);
            }
        }
        to->state = rule->state;
        to->since_ns = rule->since_ns;
        to->unknown_ns = rule->unknown_ns;
        rule->taken = 1;
    }
}

static void fill_splits(struct canary__state *state, struct reader from) {
    uint32_t count = get_byte(&from, CANARY_POLICY_RULES_MAX, "");
    struct canary__split_state stored;

    for (uint32_t i = 0; i < state->split_count; i++) {
        canary__judge_split_start(&state->splits[i].split);
        state->splits[i].ticks = 0;
        state->splits[i].differs = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        get_split(&from, &stored);
        for (uint32_t j = 0; j < state->split_count; j++) {
            struct canary__split_state *to = &state->splits[j];

            if (strcmp(to->metric, stored.metric) == 0) {
                to->split = stored.split;
                to->ticks = stored.ticks;
                to->differs = stored.differs;
            }
        }
    }
}

static void fill_recents(struct canary__state *state, struct reader from) {
    uint32_t count = get_byte(&from, CANARY_POLICY_RULES_MAX, "");
    struct canary__recent stored;

    for (uint32_t j = 0; j < state->recent_count; j++) {
        memset(state->recents[j].buckets, 0, sizeof state->recents[j].buckets);
        state->recents[j].n = state->recents[j].overflow = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct reader again = from;

        get_recent(&from, &stored, NULL);
        for (uint32_t j = 0; j < state->recent_count; j++) {
            struct canary__recent *to = &state->recents[j];

            if (strcmp(to->metric, stored.metric) == 0) {
                to->n = stored.n;
                to->overflow = stored.overflow;
                memset(to->buckets, 0, sizeof to->buckets);
                get_recent(&again, &stored, to->buckets);
            }
        }
    }
}

static int open_seal(struct reader *from, canary_error *error) {
    uint8_t seal[CANARY__STORED_SEAL];
    uint32_t version;

    if (from->left < 1 + CANARY__STORED_SEAL) {
        return canary__judge_fail(error, CANARY_E_CORRUPT,
                                  "stored evidence is damaged: %zu bytes are none", from->left);
    }
    from->left -= CANARY__STORED_SEAL;
    canary__stored_seal(from->next, from->left, seal);
    if (memcmp(seal, from->next + from->left, sizeof seal) != 0) {
        return canary__judge_fail(error, CANARY_E_CORRUPT,
                                  "stored evidence is damaged: its checksum is another one");
    }
    version = get_byte(from, 255, "");
    if (version > CANARY__STORED_VERSION) {
        return canary__judge_fail(
            error, CANARY_E_NEWER,
            "stored evidence has version %u, and this library knows those up to %d", version,
            CANARY__STORED_VERSION);
    }
    if (version != CANARY__STORED_VERSION) {
        wrong(from, "a version that never was");
    }
    return CANARY_OK;
}

int canary__state_decode(struct canary__state *state, const struct canary_policy *policy,
                         const void *data, size_t size, canary_error *error) {
    struct reader from = { .next = data, .left = size, .wrong = NULL };
    struct stored stored = { .digest = NULL };
    int code = open_seal(&from, error);

    if (code != CANARY_OK) {
        return code;
    }
    find_all(&from, &stored);
    if (from.wrong != NULL) {
        return canary__judge_fail(error, CANARY_E_CORRUPT, "stored evidence is damaged: %s",
                                  from.wrong);
    }
    get_numbers(&stored.numbers, state);
    fill_rules(state, policy, &stored);
    fill_splits(state, stored.splits);
    fill_recents(state, stored.recents);
    canary__halves_know(state, policy);
    for (uint32_t i = 0; i < state->rule_count; i++) {
        if (memcmp(stored.digest, state->digest, sizeof state->digest) != 0) {
            state_anew(state, policy, i);
        }
    }
    return CANARY_OK;
}
