/* SPDX-License-Identifier: MIT */
/* What each rollout shows. */
#include <math.h>

#include "observe/openmetrics.h"

#define GAUGE "gauge"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct names {
    uint32_t bit;
    const char *name;
};

enum {
    STAGE,
    REVISION,
    CONFIGURED,
    EFFECTIVE,
    AGE,
    KILLED,
    PLAIN,
};

static const struct canary__family plain[PLAIN] = {
    [STAGE] = { "canary_stage", GAUGE, "",
                "Stage of the rollout's ladder; -1 while nothing was loaded." },
    [REVISION] = { "canary_revision", GAUGE, "",
                   "Revision of the state that this process acts on." },
    [CONFIGURED] = { "canary_configured_ratio", GAUGE, "ratio",
                     "Share of users that the stored state gives the new path." },
    [EFFECTIVE] = { "canary_effective_ratio", GAUGE, "ratio",
                    "Share of users that get the new path in this process now." },
    [AGE] = { "canary_state_age_seconds", GAUGE, "seconds",
              "Time since the store last confirmed the state; +Inf when it never did." },
    [KILLED] = { "canary_killed", GAUGE, "",
                 "1 while everybody gets the old path, whatever the percentage." },
};

static double plain_value(canary__exposed *of, size_t which) {
    const canary_ctx_info *info = &of->info;

    switch (which) {
    case STAGE:
        return info->stage;
    case REVISION:
        return (double)info->revision;
    case CONFIGURED:
        return info->percentage_bp / 1e4;
    case EFFECTIVE:
        return info->effective_bp / 1e4;
    case AGE:
        return info->age_ns < 0 ? (double)INFINITY : (double)info->age_ns / 1e9;
    default:
        return info->kill_reasons != 0;
    }
}

static void write_plain(struct canary__exposition *out, canary__exposed *of, size_t which) {
    double value = plain_value(of, which);

    canary__openmetrics_begin(out, "", of);
    canary__exposition_real(out, value);
}

static const struct canary__family stage_info = {
    "canary_stage_info", GAUGE, "", "1, with the name of the present stage or phase as a label."
};

static void write_stage_info(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    if (of->info.stage_name[0] != '\0') {
        canary__openmetrics_begin(out, "", of);
        canary__exposition_label(out, "stage_name", of->info.stage_name);
        canary__exposition_count(out, 1);
    }
}

static void write_set(struct canary__exposition *out, canary__exposed *of, const char *label,
                      uint32_t set, const struct names *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        canary__openmetrics_begin(out, "", of);
        canary__exposition_label(out, label, names[i].name);
        canary__exposition_count(out, (set & names[i].bit) != 0);
    }
}

static const struct canary__family kill_reason = { "canary_kill_reason", GAUGE, "",
                                                   "1 for each switch that kills the rollout." };

static void write_kill_reason(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    static const struct names names[] = {
        { CANARY_KILL_LOCAL, "local" },
        { CANARY_KILL_FLAG, "flag" },
        { CANARY_KILL_ENVIRONMENT, "environment" },
        { CANARY_KILL_BELL, "bell" },
        { CANARY_KILL_HOOK, "hook" },
    };

    write_set(out, of, "reason", of->info.kill_reasons, names, COUNT(names));
}

static const struct canary__family doubt = {
    "canary_doubt", GAUGE, "",
    "1 for each part of the stored state that is in doubt and only lowers exposure."
};

static void write_doubt(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    static const struct names names[] = {
        { CANARY_DOUBT_ROLLOUT, "rollout" },     { CANARY_DOUBT_FLAG, "flag" },
        { CANARY_DOUBT_OVERRIDES, "overrides" }, { CANARY_DOUBT_TRAIL, "trail" },
        { CANARY_DOUBT_BELL, "bell" },           { CANARY_DOUBT_ROLLBACK, "rollback" },
    };

    write_set(out, of, "about", of->info.doubt, names, COUNT(names));
}

static const struct canary__family overrides = { "canary_overrides", GAUGE, "",
                                                 "Users that an operator pinned to a cohort." };

static void write_overrides(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    canary__openmetrics_begin_cohort(out, "", of, CANARY_OLD, NULL);
    canary__exposition_count(out, of->info.overrides_old);
    canary__openmetrics_begin_cohort(out, "", of, CANARY_NEW, NULL);
    canary__exposition_count(out, of->info.overrides_new);
}

void canary__openmetrics_state(struct canary__exposition *out, const struct canary__scene *scene) {
    for (size_t i = 0; i < PLAIN; i++) {
        canary__openmetrics_each(out, scene, &plain[i], write_plain, i);
    }
    canary__openmetrics_each(out, scene, &stage_info, write_stage_info, 0);
    canary__openmetrics_each(out, scene, &kill_reason, write_kill_reason, 0);
    canary__openmetrics_each(out, scene, &doubt, write_doubt, 0);
    canary__openmetrics_each(out, scene, &overrides, write_overrides, 0);
}
