/* SPDX-License-Identifier: MIT */
#include "traffic.h"

uint64_t traffic_seed(void) {
    const char *given = getenv("CANARY_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 20261121;

    print_message("CANARY_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* -- chance -- */

static double normal(uint64_t *seed) {
    double radius = sqrt(-2 * log(1 - random_uniform(seed)));

    return radius * cos(6.283185307179586 * random_uniform(seed));
}

double traffic_binomial(uint64_t *seed, double n, double p) {
    double k = 0;

    n = floor(n);
    if (!(n > 0) || !(p > 0)) {
        return 0;
    }
    if (p > 0.5) {
        return n - traffic_binomial(seed, n, 1 - p);
    }
    if (n * p > 50) {
        k = nearbyint(n * p + sqrt(n * p * (1 - p)) * normal(seed));
        return k < 0 ? 0 : k > n ? n : k;
    }
    /* From one that happens to the next. */
    for (double at = 0;; k++) {
        at += 1 + floor(log(1 - random_uniform(seed)) / log1p(-p));
        if (!(at <= n)) {
            return k;
        }
    }
}

/* -- figures -- */

static void share(struct traffic *traffic, struct canary__tick_metric *metric, int cohort, double n,
                  double p) {
    struct canary__tick_side *side = &metric->side[cohort];

    metric->kind = CANARY_METRIC_PROPORTION;
    side->n = n;
    if (cohort == CANARY_NEW) {
        side->k = traffic_binomial(&traffic->seed, n, p);
        return;
    }
    metric->half[0].n = traffic_binomial(&traffic->seed, n, 0.5);
    metric->half[1].n = n - metric->half[0].n;
    for (int i = 0; i < 2; i++) {
        metric->half[i].k = traffic_binomial(&traffic->seed, metric->half[i].n, p);
        side->k += metric->half[i].k;
    }
}

static void classification(struct traffic *traffic, struct canary__tick_metric *metric, int cohort,
                           double n, double f1) {
    struct canary__tick_side *side = &metric->side[cohort];
    double concerned = traffic_binomial(&traffic->seed, n, 0.5);

    metric->kind = CANARY_METRIC_CLASSIFICATION;
    side->n = n;
    side->tn = n - concerned;
    side->tp = traffic_binomial(&traffic->seed, concerned, f1 / (2 - f1));
    side->fp = traffic_binomial(&traffic->seed, concerned - side->tp, 0.5);
    side->fn = concerned - side->tp - side->fp;
}

static uint32_t bucket_of(double seconds) {
    uint32_t low = 0;
    uint32_t high = CANARY_DURATION_BUCKETS;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if ((double)canary_duration_bucket_ns(middle) <= seconds * 1e9) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void durations(struct traffic *traffic, struct canary__tick_metric *metric, int cohort,
                      double n, const struct behaviour *as) {
    static const double spread[] = { 0.5, 0.8, 1.0, 1.2, 1.5 };
    struct canary__tick_side *side = &metric->side[cohort];
    uint64_t *buckets = traffic->buckets[cohort];
    double slow = traffic_binomial(&traffic->seed, n, as->slow);
    double left = n - slow;

    metric->kind = CANARY_METRIC_DURATION;
    memset(buckets, 0, sizeof traffic->buckets[cohort]);
    buckets[bucket_of(as->slow_seconds)] += (uint64_t)slow;
    side->sum = slow * as->slow_seconds;
    side->squares = slow * as->slow_seconds * as->slow_seconds;
    for (int i = 0; i < 5; i++) {
        double count = i < 4 ? traffic_binomial(&traffic->seed, left, 1.0 / (5 - i)) : left;
        double seconds = as->seconds * spread[i];

        left -= count;
        buckets[bucket_of(seconds)] += (uint64_t)count;
        side->sum += count * seconds;
        side->squares += count * seconds * seconds;
    }
    side->n = n;
    side->buckets = buckets;
    side->bucket_count = CANARY_DURATION_BUCKETS;
}

static void values(struct traffic *traffic, struct canary__tick_metric *metric, int cohort,
                   double n, double mean) {
    struct canary__tick_side *side = &metric->side[cohort];
    double deviation = mean / 2;

    metric->kind = CANARY_METRIC_VALUE;
    side->n = n;
    if (n > 0) {
        side->sum = n * mean + sqrt(n) * deviation * normal(&traffic->seed);
        side->squares = side->sum * side->sum / n + (n - 1) * deviation * deviation;
    }
}

static double of_day(const struct traffic *traffic) {
    return 1 +
           traffic->cycle * sin(6.283185307179586 * (double)(traffic->now_ns % DAY) / (double)DAY);
}

static void draw_metric(struct traffic *traffic, const char *name,
                        struct canary__tick_metric *metric, int cohort, double n) {
    const struct behaviour *as = &traffic->side[cohort];
    double times = of_day(traffic);

    if (strcmp(name, "error") == 0) {
        share(traffic, metric, cohort, n, as->error * times);
    } else if (strcmp(name, "timeout") == 0) {
        share(traffic, metric, cohort, n, as->timeout * times);
    } else if (strcmp(name, "accuracy") == 0) {
        share(traffic, metric, cohort, n, 1 - (1 - as->accuracy) * times);
    } else if (strcmp(name, "cache_hit") == 0 || strcmp(name, "hit") == 0) {
        share(traffic, metric, cohort, n, 1 - (1 - as->cache_hit) * times);
    } else if (strcmp(name, "duration") == 0) {
        durations(traffic, metric, cohort, n, as);
    } else if (strcmp(name, "cost") == 0 || strcmp(name, "price") == 0) {
        values(traffic, metric, cohort, n, as->cost);
    } else if (strcmp(name, "quality") == 0 || strcmp(name, "answers") == 0) {
        classification(traffic, metric, cohort, n, as->f1);
    } else {
        fail_msg("nobody records the metric %s", name);
    }
}

void traffic_draw(struct traffic *traffic, struct canary__tick *tick) {
    double all = traffic_binomial(&traffic->seed, 2 * traffic->per_tick * of_day(traffic), 0.5);
    double fresh =
        traffic_binomial(&traffic->seed, all, (double)traffic->rollout.percentage_bp / 10000);

    memset(traffic->metrics, 0, sizeof traffic->metrics);
    for (uint32_t i = 0; i < traffic->policy->metric_count; i++) {
        draw_metric(traffic, traffic->policy->metrics[i], &traffic->metrics[i], CANARY_NEW, fresh);
        draw_metric(traffic, traffic->policy->metrics[i], &traffic->metrics[i], CANARY_OLD,
                    all - fresh);
    }
    *tick = (struct canary__tick){
        .from_ns = traffic->now_ns,
        .to_ns = traffic->now_ns + CANARY_TICK_NS,
        .generation = traffic->rollout.generation,
        .metrics = traffic->metrics,
    };
    traffic->now_ns += CANARY_TICK_NS;
    traffic->scene.users_new += fresh / 10;
    traffic->scene.users_old += (all - fresh) / 10;
}

void traffic_tick(struct traffic *traffic) {
    struct canary__tick tick;

    traffic_draw(traffic, &tick);
    assert_int_equal(canary__state_add(&traffic->state, traffic->policy, &tick,
                                       canary__gate_stage(&traffic->rollout)),
                     1);
}

void traffic_run(struct traffic *traffic, int64_t ns) {
    for (int64_t end_ns = traffic->now_ns + ns; traffic->now_ns < end_ns;) {
        traffic_tick(traffic);
    }
}

int traffic_firing(const struct traffic *traffic) {
    int firing = 0;

    for (uint32_t i = 0; i < traffic->policy->rule_count; i++) {
        firing += traffic->policy->rules[i].action == CANARY_RULE_ROLLBACK &&
                  traffic->state.rules[i].state == CANARY_STATE_FIRING;
    }
    return firing;
}

int64_t traffic_run_until_firing(struct traffic *traffic, int64_t most_ns) {
    int64_t from_ns = traffic->now_ns;

    while (traffic->now_ns < from_ns + most_ns) {
        traffic_tick(traffic);
        if (traffic_firing(traffic) > 0) {
            return traffic->now_ns - from_ns;
        }
    }
    return -1;
}

/* -- a rollout -- */

void traffic_set(struct traffic *traffic, int stage, int64_t ago_ns) {
    canary_rollout *rollout = &traffic->rollout;

    rollout->stage = stage;
    rollout->percentage_bp = rollout->effective_bp = rollout->stages_bp[stage];
    rollout->revision++;
    rollout->generation = rollout->revision;
    rollout->generation_at_ns = traffic->now_ns - ago_ns;
    snprintf(rollout->stage_name, sizeof rollout->stage_name, "STAGE_%d", stage);
    traffic->scene.approved = 0;
    traffic->scene.users_new = traffic->scene.users_old = 0;
    /* As if it had been served all the while. */
    traffic->state.traffic_ns = traffic->now_ns;
    canary__state_begin(&traffic->state, rollout->generation, rollout->generation_at_ns,
                        canary__policy_dwell(traffic->policy, rollout, stage));
}

void traffic_open_text(struct traffic *traffic, const char *text, uint64_t seed) {
    static const uint32_t ladder[] = { 0, 500, 2500, 5000, 10000 };
    canary_rollout *rollout = &traffic->rollout;
    canary_error error = CANARY_ERROR_INIT;

    memset(traffic, 0, sizeof *traffic);
    traffic->seed = seed;
    traffic->now_ns = NOON;
    traffic->side[CANARY_OLD] = traffic->side[CANARY_NEW] = (struct behaviour){ 0 };
    if (canary_policy_parse(text, strlen(text), &traffic->policy, NULL, NULL, &error) !=
        CANARY_OK) {
        fail_msg("%s\n%s", error.message, text);
    }
    assert_int_equal(canary__state_open(traffic->policy, &traffic->state, &error), CANARY_OK);
    rollout->size = (uint32_t)sizeof *rollout;
    rollout->flag_enabled = 1;
    rollout->stage_count = 5;
    memcpy(rollout->stages_bp, ladder, sizeof ladder);
    for (uint32_t i = 0; i < traffic->policy->stage_count; i++) {
        rollout->stages_bp[i + 1] = traffic->policy->stages[i].percentage_bp;
        rollout->stage_count = traffic->policy->stage_count + 1;
    }
    snprintf(rollout->name, sizeof rollout->name, "example");
    snprintf(rollout->flag, sizeof rollout->flag, "example");
    memcpy(rollout->policy, traffic->policy->digest, sizeof rollout->policy);
    traffic->scene.rollout = rollout;
    traffic->scene.estimated_new = traffic->scene.estimated_old = NAN;
    traffic_set(traffic, 0, 0);
}

void traffic_open_file(struct traffic *traffic, const char *folder, const char *name,
                       uint64_t seed) {
    char path[4096];
    char text[CANARY_POLICY_SIZE_MAX + 1];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("no file %s", path);
        return;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    traffic_open_text(traffic, text, seed);
    assert_string_equal(traffic->policy->name, name);
}

void traffic_close(struct traffic *traffic) {
    canary__state_close(&traffic->state);
    canary_policy_close(&traffic->policy);
}

/* -- verdicts -- */

/* A string that ends within its buffer, is not empty, and is UTF-8. */
static void check_text(const char *what, const char *text, size_t size) {
    const unsigned char *at = (const unsigned char *)text;
    size_t length = strnlen(text, size);

    if (length == 0 || length == size) {
        fail_msg("%s is %s", what, length == 0 ? "empty" : "not ended");
    }
    while (*at != '\0') {
        int more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 : 3;

        if (*at < 0x20 || *at == 0x7f || (*at >= 0x80 && *at < 0xc2) || *at > 0xf4) {
            fail_msg("%s has the byte %02x: %s", what, *at, text);
        }
        for (at++; more > 0; more--, at++) {
            if ((*at & 0xc0) != 0x80) {
                fail_msg("%s is cut within a character: %s", what, text);
            }
        }
    }
}

/* An advance is raised by nothing in doubt: no rule that could roll back, hold or is required is
 * anything but known, and well. */
static void check_advance(const struct traffic *traffic) {
    const canary_verdict *verdict = &traffic->verdict;
    int stage = canary__gate_stage(&traffic->rollout);

    assert_int_equal(verdict->cause, CANARY_CAUSE_PROVEN);
    assert_true(verdict->to_percentage_bp > verdict->percentage_bp);
    for (uint32_t i = 0; i < verdict->rule_count; i++) {
        const canary_rule_result *result = &verdict->rules[i];

        if (result->action == CANARY_RULE_WARN ||
            (traffic->policy->rules[i].stages >> stage & 1u) == 0) {
            continue;
        }
        if (result->state !=
            (result->action == CANARY_RULE_REQUIRE ? CANARY_STATE_MET : CANARY_STATE_CLEAR)) {
            fail_msg("advances, though rule %s is %s: %s", result->name,
                     canary_rule_state_name(result->state), result->message);
        }
    }
}

static void check_rollback(const struct traffic *traffic) {
    const canary_verdict *verdict = &traffic->verdict;

    assert_true(verdict->cause == CANARY_CAUSE_LIMIT || verdict->cause == CANARY_CAUSE_EVIDENCE);
    assert_true(verdict->to_percentage_bp < verdict->percentage_bp);
    assert_in_range(verdict->rule, 0, verdict->rule_count - 1);
    assert_int_equal(verdict->rules[verdict->rule].action, CANARY_RULE_ROLLBACK);
    assert_int_equal(verdict->rules[verdict->rule].state, CANARY_STATE_FIRING);
    assert_int_equal(verdict->risk, CANARY_RISK_CRITICAL);
}

const canary_verdict *traffic_judge(struct traffic *traffic) {
    canary_verdict *verdict = &traffic->verdict;

    traffic->scene.now_ns = traffic->now_ns + 2 * SECOND;
    canary__gate(traffic->policy, &traffic->state, &traffic->scene, verdict, traffic->results);
    check_text("the verdict's message", verdict->message, sizeof verdict->message);
    for (uint32_t i = 0; i < verdict->rule_count; i++) {
        check_text(verdict->rules[i].name, verdict->rules[i].message,
                   sizeof verdict->rules[i].message);
    }
    assert_in_range(verdict->risk, CANARY_RISK_LOW, CANARY_RISK_CRITICAL);
    switch (verdict->action) {
    case CANARY_VERDICT_ADVANCE:
        check_advance(traffic);
        break;
    case CANARY_VERDICT_ROLLBACK:
        check_rollback(traffic);
        break;
    default:
        assert_int_equal(verdict->action, CANARY_VERDICT_HOLD);
        assert_int_equal(verdict->to_stage, verdict->stage);
        assert_int_equal(verdict->to_percentage_bp, verdict->percentage_bp);
    }
    return verdict;
}

const char *traffic_decider(const struct traffic *traffic) {
    const canary_verdict *verdict = &traffic->verdict;

    return verdict->rule >= 0 ? verdict->rules[verdict->rule].name : "";
}

const canary_rule_result *traffic_result(const struct traffic *traffic, const char *rule) {
    for (uint32_t i = 0; i < traffic->verdict.rule_count; i++) {
        if (strcmp(traffic->results[i].name, rule) == 0) {
            return &traffic->results[i];
        }
    }
    fail_msg("no rule is named %s", rule);
    return NULL;
}
