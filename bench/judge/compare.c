/* SPDX-License-Identifier: MIT */
/* What people who release software use today, beside libcanary's evidence, on the same streams: how often
 * each rolls back a release that is as good as the old one, how much harm it finds, and how many requests
 * and how much time that takes. Seeds are fixed. It fails when libcanary rolls back more healthy releases
 * than alpha allows, by three standard deviations.
 *
 * compare [--quick]: fewer runs, and the same promise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/record.h"
#include "ours.h"
#include "peers.h"

/* A day; and as fast as the peers' own examples open. */
static const struct release_pace day = { .ticks = RELEASE_DAY };
static const struct release_pace ten_minutes = { .ticks = 60, .step = RELEASE_MINUTE, .by = 0.05 };
static const struct release_pace forty_minutes = { .ticks = 240, .step = 60, .by = 0.2 };

enum kind { OURS, FLAGGER, ARGO, KAYENTA, Z, UP };

static const struct rule {
    const char *name;
    enum kind kind;
    double at; /* margin, success rate or factor */
    const struct release_pace *pace;
} rules[] = {
    { "libcanary, margin 1.1", OURS, 1.1, &day },
    { "libcanary, margin 1.25", OURS, 1.25, &day },
    { "z test at 0.05, looked at each tick", Z, 0, &day },
    { "error rate up 50 % over 5 minutes", UP, 1.5, &day },
    { "Flagger, 99 % success", FLAGGER, 0.99, &day },
    { "Flagger, 98 % success", FLAGGER, 0.98, &day },
    { "Flagger, 98 %, a release of 10 minutes", FLAGGER, 0.98, &ten_minutes },
    { "Argo Rollouts, 95 % success", ARGO, 0.95, &day },
    { "Argo Rollouts, 98 % success", ARGO, 0.98, &day },
    { "Argo Rollouts, 98 %, a release of 40 minutes", ARGO, 0.98, &forty_minutes },
    { "Kayenta, judged each hour", KAYENTA, 0, &day },
};
enum { RULES = sizeof rules / sizeof rules[0] };

static const struct release_world healthy[] = {
    { .name = "no difference", .rate = 0.01 },
    { .name = "rate rises", .rate = 0.005, .last_rate = 0.02 },
    { .name = "daily cycle", .rate = 0.01, .daily = 0.5 },
    { .name = "users of 5 requests", .rate = 0.01, .cluster = 5 },
};

static const struct release_world harmful[] = {
    { .name = "1.5 times", .rate = 0.01, .ratio = 1.5 },
    { .name = "2 times", .rate = 0.01, .ratio = 2 },
    { .name = "5 times", .rate = 0.01, .ratio = 5 },
    { .name = "2 times after 4 hours", .rate = 0.01, .ratio = 2, .from = 4 * RELEASE_HOUR },
};

enum { WORLDS = 4 };

/* One rule on one release. */
struct watch {
    const struct rule *rule;
    int done;
    union {
        struct ours ours;
        struct peers_success success;
        struct peers_kayenta kayenta;
        struct peers_z z;
        struct peers_up up;
    } of;
};

static void watch_start(struct watch *watch, const struct rule *rule) {
    memset(watch, 0, sizeof *watch);
    watch->rule = rule;
    switch (rule->kind) {
    case OURS:
        watch->of.ours.margin = rule->at;
        break;
    case FLAGGER:
        watch->of.success = (struct peers_success){
            .least = rule->at, .every = RELEASE_MINUTE, .failures = 4, .next = 1
        };
        break;
    case ARGO:
        watch->of.success =
            (struct peers_success){ .least = rule->at, .every = 5 * RELEASE_MINUTE, .failures = 3 };
        break;
    case UP:
        watch->of.up.factor = rule->at;
        break;
    default:
        break;
    }
}

static int watch_look(struct watch *watch, double effect, const struct release *release,
                      const struct release_tick *tick) {
    switch (watch->rule->kind) {
    case OURS:
        return ours_look(&watch->of.ours, effect, release, tick);
    case FLAGGER:
    case ARGO:
        return peers_success_look(&watch->of.success, tick);
    case KAYENTA:
        return peers_kayenta_look(&watch->of.kayenta, tick);
    case Z:
        return peers_z_look(&watch->of.z, tick);
    default:
        return peers_up_look(&watch->of.up, tick);
    }
}

/* What a rule did to the releases of a world. */
struct result {
    int runs;
    int early; /* rolled back before the harm began */
    int found;
    double *requests; /* of the new cohort since the harm began; `found` of them */
    double *minutes;
};

static struct watch watches[RULES];

static void note(struct result *result, const struct release_world *world,
                 const struct release_tick *tick, double fresh) {
    if (tick->index < world->from) {
        result->early++;
        return;
    }
    result->requests[result->found] = fresh;
    result->minutes[result->found] = (double)(tick->index + 1 - world->from) / RELEASE_MINUTE;
    result->found++;
}

/* One release at one pace, before all the rules that go with it. */
static void live(const struct release_world *world, const struct release_pace *pace, uint64_t seed,
                 struct result *results) {
    struct canary__judge_split split;
    struct release release;
    struct release_tick tick;
    double fresh = 0;
    int left = 0;
    int splits = 0; /* rules that need them */

    for (int i = 0; i < RULES; i++) {
        watch_start(&watches[i], &rules[i]);
        watches[i].done = rules[i].pace != pace;
        results[i].runs += !watches[i].done;
        left += !watches[i].done;
        splits += !watches[i].done && rules[i].kind == OURS;
    }
    release_start(&release, world, pace, seed);
    if (splits > 0) {
        ours_before(&split, &release);
    }
    while (left > 0 && release_next(&release, &tick)) {
        double effect = splits > 0 ? canary__judge_split_effect(&split) : 1;

        fresh += tick.index >= world->from ? tick.cohorts.fresh.n : 0;
        for (int i = 0; i < RULES; i++) {
            if (!watches[i].done && watch_look(&watches[i], effect, &release, &tick)) {
                note(&results[i], world, &tick, fresh);
                watches[i].done = 1;
                left--;
                splits -= rules[i].kind == OURS;
            }
        }
        if (splits > 0) {
            canary__judge_split_add(&split, tick.halves[0], tick.halves[1], 1);
        }
    }
}

static void *array(int count) {
    double *doubles = calloc((size_t)count, sizeof *doubles);

    if (doubles == NULL) {
        bench_die("compare", "no memory");
    }
    return doubles;
}

static void all_runs(const struct release_world *world, int runs, uint64_t seed,
                     struct result *results) {
    static const struct release_pace *const paces[] = { &day, &ten_minutes, &forty_minutes };

    for (int i = 0; i < RULES; i++) {
        memset(&results[i], 0, sizeof results[i]);
        results[i].requests = array(runs);
        results[i].minutes = array(runs);
    }
    for (int run = 0; run < runs; run++) {
        for (size_t p = 0; p < sizeof paces / sizeof paces[0]; p++) {
            live(world, paces[p], seed + (uint64_t)run * UINT64_C(1000003), results);
        }
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[count / 2];
}

static void put(const char *rule, const char *world, const char *unit, double value) {
    char name[160];

    snprintf(name, sizeof name, "%s, %s", rule, world);
    bench_number(name, unit, value);
}

static void forget(struct result results[WORLDS][RULES]) {
    for (int w = 0; w < WORLDS; w++) {
        for (int i = 0; i < RULES; i++) {
            free(results[w][i].requests);
            free(results[w][i].minutes);
        }
    }
}

static int missed;

/* The seeds are the same in short runs, whose bound is wider: those are judged as well. */
static void promise(struct result results[WORLDS][RULES], int runs) {
    char figure[80];
    int worst = 0;

    for (int i = 0; i < RULES; i++) {
        for (int w = 0; w < WORLDS && rules[i].kind == OURS; w++) {
            worst = results[w][i].found > worst ? results[w][i].found : worst;
        }
    }
    snprintf(figure, sizeof figure,
             "%.1f %% of %d in the worst of %d streams, 3 deviations are %.1f %%",
             100.0 * worst / runs, runs, WORLDS, 100 * ours_most(runs));
    bench_at_most("healthy releases rolled back by evidence: alpha, 5 %", figure,
                  worst / (ours_most(runs) * runs), 1);
    missed |= !(worst <= ours_most(runs) * runs);
}

static void false_alarms(int runs) {
    static struct result results[WORLDS][RULES];

    for (int w = 0; w < WORLDS; w++) {
        all_runs(&healthy[w], runs, 7000 + (uint64_t)w, results[w]);
    }
    bench_heading("Healthy releases rolled back");
    for (int i = 0; i < RULES; i++) {
        for (int w = 0; w < WORLDS; w++) {
            put(rules[i].name, healthy[w].name, "%",
                100.0 * results[w][i].found / results[w][i].runs);
        }
    }
    promise(results, runs);
    forget(results);
}

static void found_harm(int runs) {
    static struct result results[WORLDS][RULES];

    for (int w = 0; w < WORLDS; w++) {
        all_runs(&harmful[w], runs, 8000 + (uint64_t)w, results[w]);
    }
    bench_heading("Harmful releases rolled back, for their harm");
    for (int i = 0; i < RULES; i++) {
        for (int w = 0; w < WORLDS; w++) {
            put(rules[i].name, harmful[w].name, "%",
                100.0 * results[w][i].found / results[w][i].runs);
        }
    }
    bench_heading("Requests until harm is found");
    for (int i = 0; i < RULES; i++) {
        for (int w = 0; w < WORLDS; w++) {
            if (results[w][i].found > 0) {
                put(rules[i].name, harmful[w].name, "of the new cohort, median",
                    median(results[w][i].requests, results[w][i].found));
            }
        }
    }
    bench_heading("Time until harm is found");
    for (int i = 0; i < RULES; i++) {
        for (int w = 0; w < WORLDS; w++) {
            if (results[w][i].found > 0) {
                put(rules[i].name, harmful[w].name, "minutes, median",
                    median(results[w][i].minutes, results[w][i].found));
            }
        }
    }
    forget(results);
}

int main(int argc, char **argv) {
    int quick = 0;

    for (int i = 1; i < argc; i++) {
        quick |= strcmp(argv[i], "--quick") == 0 || strcmp(argv[i], "--smoke") == 0;
    }
    bench_begin("judges", argc, argv);
    false_alarms(quick ? 40 : 300);
    found_harm(quick ? 20 : 200);
    bench_note("1 %% of requests fail, 1000 requests in 10 seconds, a day in three stages of 5, 25 "
               "and 50 %%; "
               "rises: from 0.5 to 2 %% for everybody; daily: rate and traffic swing by half");
    bench_note("99 and 95 %% are what the documentation of Flagger and Argo Rollouts shows; 98 %% "
               "is twice "
               "the usual failures");
    bench_note(
        "what is rolled back before its harm begins is not found: it counts among the others");
    return bench_end() | missed;
}
