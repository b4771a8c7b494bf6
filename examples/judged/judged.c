/* SPDX-License-Identifier: MIT */
/* A release that is judged while it is opened, in a time of its own: four processes serve, a guard in
 * this one reads what they record and walks the ladder by the policy, or pulls the brake. Hours pass
 * in seconds, since every process tells the time by one accelerated clock.
 *
 *   judged DB ROLLOUT POLICY.json [--base P] [--harm X] [--late H] [--speed N] [--hours N] [--requests N]
 *
 * The old path fails --base of its requests, the new one --harm times as often, from the start or after
 * --late hours. Ends with 0 at 100 %, with 3 after a rollback to 0 %, with 4 when the time is over. */
#include "judged.h"

#include <canary/judge.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENDED_AT_THE_TOP = 0, ENDED_ROLLED_BACK = 3, ENDED_BY_TIME = 4 };

static void say_time(const struct scenario *scenario, int64_t at_ns) {
    int64_t seconds = (at_ns - scenario->begin_ns) / 1000000000;

    printf("%3" PRId64 ":%02" PRId64 ":%02" PRId64 "  ", seconds / 3600, seconds / 60 % 60,
           seconds % 60);
}

/* The guard's thread calls this for everything that happens. */
static void on_event(void *user_data, const canary_guard_event *event) {
    const struct scenario *scenario = user_data;

    if (event->verdict != NULL && event->verdict->cause == CANARY_CAUSE_COMPLETE) {
        atomic_store(&scenario->shared->complete, 1);
    }

    if (event->type == CANARY_EVENT_ACTION) {
        const canary_verdict *verdict = event->verdict;

        say_time(scenario, event->at_ns);
        printf("%6.2f %%  %-8s %s\n", verdict->percentage_bp / 100.0,
               canary_verdict_word(verdict->action), event->message);
        for (uint32_t i = 0; i < verdict->rule_count; i++) {
            printf("%22s %s: %s\n", "", verdict->rules[i].name, verdict->rules[i].message);
        }
    } else if (event->type == CANARY_EVENT_VERDICT &&
               event->verdict->action == CANARY_VERDICT_HOLD) {
        /* The others are followed by what was done about them. */
        say_time(scenario, event->at_ns);
        printf("%6.2f %%  %-8s %s\n", event->verdict->percentage_bp / 100.0, "HOLD",
               event->message);
    } else if (event->type == CANARY_EVENT_ERROR) {
        say_time(scenario, event->at_ns);
        printf("%6s    %-8s %s\n", "", "ERROR", event->message);
    }
    fflush(stdout);
}

static char *read_file(const char *path, uint64_t *size) {
    char *text = malloc(CANARY_POLICY_SIZE_MAX + 1);
    FILE *file = fopen(path, "rb");

    if (file == NULL || text == NULL) {
        fprintf(stderr, "judged: %s cannot be read\n", path);
        exit(2);
    }
    *size = fread(text, 1, CANARY_POLICY_SIZE_MAX + 1, file);
    fclose(file);
    return text;
}

static void end_if(int failed, const char *what, const canary_error *error) {
    if (failed) {
        fprintf(stderr, "judged: %s: %s\n", what, error->message);
        exit(2);
    }
}

/* A rollout with the policy's ladder, the policy in force, and the first stage open. */
static void prepare(canary_store *store, const struct scenario *scenario, const char *policy_path) {
    static const uint32_t stages_bp[] = { 500, 2500, 5000, 10000 };
    canary_rollout_spec spec = { .size = sizeof spec,
                                 .name = scenario->rollout,
                                 .stage_count = 4,
                                 .stages_bp = stages_bp,
                                 .salt = scenario->rollout };
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy = NULL;
    uint64_t size = 0;
    char *text = read_file(policy_path, &size);

    options.by = "examples/judged";
    options.note = "an accelerated rehearsal";
    end_if(canary_create(store, &spec, &options, NULL, &error), "create", &error);
    end_if(canary_policy_parse(text, size, &policy, NULL, NULL, &error), policy_path, &error);
    end_if(canary_policy_set(store, scenario->rollout, policy, &options, NULL, &error), "policy",
           &error);
    end_if(canary_advance(store, scenario->rollout, &options, NULL, &error), "advance", &error);
    canary_policy_close(&policy);
    free(text);
}

/* Until the top of the ladder is reached and was judged good, everybody is back on the old path, or the
 * time is over. */
static int await(canary_store *store, const struct scenario *scenario, int64_t *exposed_ns) {
    canary_rollout now = { .size = sizeof now };
    int64_t end_ns = scenario->begin_ns + scenario->length_ns;

    for (;;) {
        int64_t at_ns = scenario_clock((void *)(uintptr_t)scenario, CANARY_CLOCK_REALTIME);

        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        if (canary_rollout_read(store, scenario->rollout, &now, NULL) != CANARY_OK) {
            continue;
        }
        *exposed_ns = at_ns - scenario->begin_ns;
        if (now.stage == 0) {
            return ENDED_ROLLED_BACK;
        }
        if (now.percentage_bp == 10000 && atomic_load(&scenario->shared->complete)) {
            return ENDED_AT_THE_TOP;
        }
        if (at_ns > end_ns) {
            return ENDED_BY_TIME;
        }
    }
}

static void summarise(int ended, const struct scenario *scenario, int64_t exposed_ns) {
    uint64_t failed = atomic_load(&scenario->shared->harmed);
    double hours = (double)exposed_ns / 3.6e12;

    if (ended == ENDED_ROLLED_BACK) {
        int64_t flipped = atomic_load(&scenario->shared->last_flip_ns);
        int64_t began = atomic_load(&scenario->shared->first_harm_ns);

        printf("\nRolled back after %.2f hours; %" PRIu64 " requests failed on the new path.\n",
               hours, failed);
        if (began != 0 && flipped > began) {
            printf("From the first of them to the last process on the old path: %.1f s.\n",
                   (double)(flipped - began) / 1e9);
        }
    } else if (ended == ENDED_AT_THE_TOP) {
        printf("\nOpen to everybody after %.2f hours, by itself.\n", hours);
    } else {
        printf("\nThe %.0f hours are over.\n", hours);
    }
}

int main(int argc, char **argv) {
    struct scenario scenario = { 0 };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_guard_options watch = CANARY_GUARD_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_guard *guard = NULL;
    canary_error error = CANARY_ERROR_INIT;
    pid_t workers[WORKERS];
    int64_t exposed_ns = 0;
    int ended;

    if (scenario_read(&scenario, argc, argv) != 0) {
        return 2;
    }
    scenario_options(&scenario, &options);
    end_if(canary_store_open(scenario.db, &options, &store, &error), scenario.db, &error);
    prepare(store, &scenario, scenario.policy);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        if (workers[i] == 0) {
            _exit(worker_serve(&scenario, i));
        }
        if (workers[i] < 0) {
            atomic_store(&scenario.shared->delivered[i], INT64_MAX);
        }
    }
    watch.callback = on_event;
    watch.user_data = &scenario;
    end_if(canary_guard_start(store, &watch, &guard, &error), "guard", &error);
    ended = await(store, &scenario, &exposed_ns);
    canary_guard_stop(&guard);
    atomic_store(&scenario.shared->stop, 1);
    for (unsigned i = 0; i < WORKERS; i++) {
        waitpid(workers[i], NULL, 0);
    }
    summarise(ended, &scenario, exposed_ns);
    canary_store_close(&store);
    return ended;
}
