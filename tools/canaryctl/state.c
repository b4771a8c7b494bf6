/* SPDX-License-Identifier: MIT */
/* See state.h. */
#include "state.h"

#include "jsonout.h"
#include "percent.h"
#include "say.h"
#include "when.h"

#include <inttypes.h>
#include <string.h>

struct word {
    uint32_t bit;
    const char *word;
};

static const struct word kill_words[] = {
    { CANARY_KILL_FLAG, "flag" }, { CANARY_KILL_ENVIRONMENT, "environment" },
    { CANARY_KILL_BELL, "bell" }, { CANARY_KILL_LOCAL, "local" },
    { CANARY_KILL_HOOK, "hook" }, { 0, NULL },
};

static const struct word doubt_words[] = {
    { CANARY_DOUBT_ROLLOUT, "rollout" },
    { CANARY_DOUBT_FLAG, "flag" },
    { CANARY_DOUBT_OVERRIDES, "overrides" },
    { CANARY_DOUBT_TRAIL, "trail" },
    { CANARY_DOUBT_BELL, "bell" },
    { CANARY_DOUBT_ROLLBACK, "rollback" },
    { 0, NULL },
};

static json_t *words_json(const struct word *words, uint32_t set) {
    json_t *array = json_array();
    for (; words->word != NULL; words++) {
        if ((set & words->bit) != 0)
            json_array_append_new(array, json_string(words->word));
    }
    return array;
}

static void words_text(const struct word *words, uint32_t set, struct text *out) {
    const char *separator = "";
    for (; words->word != NULL; words++) {
        if ((set & words->bit) != 0) {
            text_addf(out, "%s%s", separator, words->word);
            separator = ", ";
        }
    }
}

json_t *state_kill_words(uint32_t reasons) {
    return words_json(kill_words, reasons);
}

json_t *state_doubt_words(uint32_t doubt) {
    return words_json(doubt_words, doubt);
}

void state_kill_text(uint32_t reasons, struct text *out) {
    words_text(kill_words, reasons, out);
}

void state_doubt_text(uint32_t doubt, struct text *out) {
    words_text(doubt_words, doubt, out);
}

static void add_time(struct text *out, int64_t ns) {
    char at[WHEN_SIZE];
    char ago[WHEN_SIZE];
    when_short(ns, at);
    when_ago(ns, when_now(), ago);
    text_addf(out, "%s (%s)", at, ago);
}

static void flag_reason(const canary_rollout *state, struct text *out) {
    text_addf(out, "flag %s ", state->flag);
    if (state->flag_updated_at_ns == 0) {
        text_add(out, "is missing from the store");
        return;
    }
    if (state->flag_enabled == 0)
        text_add(out, "is off");
    else
        text_add(out, "cannot be believed");
    if ((state->doubt & CANARY_DOUBT_FLAG) != 0) {
        /* Plain SQL leaves the time and name of the last signed change in the row. */
        text_add(out, ", changed outside canaryctl; last signed change ");
        add_time(out, state->flag_updated_at_ns);
    } else {
        text_add(out, " since ");
        add_time(out, state->flag_updated_at_ns);
    }
    text_add(out, " by ");
    text_safe_string(out, state->flag_updated_by);
}

static void begin_reason(struct text *out, size_t start) {
    if (out->size > start)
        text_add(out, "; ");
}

void state_reasons(const canary_rollout *state, struct text *out) {
    size_t start = out->size;
    if ((state->kill_reasons & CANARY_KILL_FLAG) != 0)
        flag_reason(state, out);
    if ((state->kill_reasons & CANARY_KILL_ENVIRONMENT) != 0) {
        begin_reason(out, start);
        text_add(out, "CANARY_KILL names it in this environment (services have their own)");
    }
    if (((state->kill_reasons & CANARY_KILL_BELL) | (state->doubt & CANARY_DOUBT_BELL)) != 0) {
        begin_reason(out, start);
        text_add(out, "the bell is damaged");
    }
    if ((state->doubt & CANARY_DOUBT_ROLLBACK) != 0) {
        begin_reason(out, start);
        text_add(out, "a rollback was rung and is not recorded yet");
    }
    if ((state->doubt & CANARY_DOUBT_ROLLOUT) != 0) {
        begin_reason(out, start);
        text_add(out, "its row was changed outside canaryctl");
    }
    if ((state->doubt & CANARY_DOUBT_TRAIL) != 0) {
        begin_reason(out, start);
        text_add(out, "the trail does not continue what was seen before");
    }
    if ((state->doubt & CANARY_DOUBT_OVERRIDES) != 0) {
        begin_reason(out, start);
        text_add(out, "overrides were changed outside canaryctl");
    }
    if ((state->doubt & CANARY_DOUBT_FLAG) != 0 && (state->kill_reasons & CANARY_KILL_FLAG) == 0) {
        begin_reason(out, start);
        text_addf(out, "the row of flag %s was changed outside canaryctl", state->flag);
    }
}

void state_exposure(const canary_rollout *state, struct text *out) {
    char configured[PERCENT_SIZE];
    char effective[PERCENT_SIZE];
    percent_format(state->percentage_bp, configured);
    percent_format(state->effective_bp, effective);
    bool lowered = state->effective_bp < state->percentage_bp || state->kill_reasons != 0;
    text_addf(out, "%s %% configured, %s%s %% effective%s", configured,
              say_begin(lowered ? SAY_BAD : SAY_STRONG), effective, say_end());
    size_t start = out->size;
    text_add(out, ": ");
    state_reasons(state, out);
    if (out->size == start + 2)
        out->size = start;
    out->data[out->size] = '\0';
}

static void label(struct text *out, const char *name) {
    text_addf(out, "  %s%-9s%s  ", say_begin(SAY_DIM), name, say_end());
}

static void add_note(struct text *out, const char *note) {
    if (note[0] == '\0')
        return;
    text_add(out, ": ");
    text_safe_string(out, note);
}

static void describe_ladder(const canary_rollout *state, struct text *out) {
    size_t widest = 0;
    for (uint32_t i = 0; i < state->stage_count; i++) {
        size_t columns = strlen(state->stage_names[i]);
        widest = columns > widest ? columns : widest;
    }
    for (uint32_t i = 0; i < state->stage_count; i++) {
        char percent[PERCENT_SIZE];
        percent_format(state->stages_bp[i], percent);
        bool here = state->stage == (int32_t)i;
        label(out, i == 0 ? "ladder" : "");
        text_addf(out, "%s%c %2u  %-*s  %6s %%%s", here ? say_begin(SAY_STRONG) : "",
                  here ? '>' : ' ', i, (int)widest, state->stage_names[i], percent,
                  here ? say_end() : "");
        if (state->dwell_ns[i] > 0) {
            char span[WHEN_SIZE];
            when_span(state->dwell_ns[i], span);
            text_addf(out, "  for %s", span);
        }
        text_add(out, "\n");
    }
}

void state_describe(const canary_rollout *state, struct text *out) {
    text_addf(out, "%s%s%s  ", say_begin(SAY_STRONG), state->name, say_end());
    state_exposure(state, out);
    text_add(out, "\n");
    label(out, "stage");
    text_addf(out, "%d ", state->stage);
    text_safe_string(out, state->stage_name);
    if (state->stage >= 0 && (uint32_t)state->stage < state->stage_count &&
        state->percentage_bp != state->stages_bp[state->stage])
        text_addf(out, " (off the ladder, above stage %d)", state->stage);
    text_add(out, "\n");
    label(out, "flag");
    text_addf(out, "%s ", state->flag);
    if (state->flag_updated_at_ns == 0) {
        text_addf(out, "%smissing%s\n", say_begin(SAY_BAD), say_end());
    } else {
        text_addf(out, "%s%s%s since ", say_begin(state->flag_enabled ? SAY_GOOD : SAY_BAD),
                  state->flag_enabled ? "on" : "off", say_end());
        add_time(out, state->flag_updated_at_ns);
        text_add(out, " by ");
        text_safe_string(out, state->flag_updated_by);
        add_note(out, state->flag_note);
        text_add(out, "\n");
    }
    label(out, "revision");
    text_addf(out, "%" PRIu64 ", ", state->revision);
    add_time(out, state->updated_at_ns);
    text_add(out, " by ");
    text_safe_string(out, state->updated_by);
    add_note(out, state->note);
    text_add(out, "\n");
    label(out, "cohorts");
    text_addf(out, "algorithm %u, ", state->algorithm);
    text_add(out, state->salt[0] != '\0' ? "salt " : "no salt");
    text_safe_string(out, state->salt);
    text_addf(out, "; %u pinned to new, %u to old\n", state->overrides_new, state->overrides_old);
    if (state->doubt != 0) {
        label(out, "doubt");
        text_addf(out, "%s", say_begin(SAY_WARN));
        state_doubt_text(state->doubt, out);
        text_addf(out, "%s: exposure stays lowered until it is cleared; `verify` says what\n",
                  say_end());
    }
    describe_ladder(state, out);
}

bool state_killed_everywhere(const canary_rollout *state) {
    return (state->kill_reasons & ~CANARY_KILL_ENVIRONMENT) != 0;
}

uint32_t state_effective_elsewhere(const canary_rollout *state) {
    bool only_here = state->kill_reasons == CANARY_KILL_ENVIRONMENT && state->doubt == 0;
    return only_here ? state->percentage_bp : state->effective_bp;
}

static json_t *stages_json(const canary_rollout *state) {
    json_t *stages = json_array();
    for (uint32_t i = 0; i < state->stage_count; i++) {
        json_t *stage = json_object();
        json_object_set_new(stage, "stage", json_integer(i));
        json_object_set_new(stage, "name", jsonout_string(state->stage_names[i]));
        json_object_set_new(stage, "percentage", jsonout_percent(state->stages_bp[i]));
        json_object_set_new(stage, "dwell_seconds", json_integer(state->dwell_ns[i] / WHEN_SECOND));
        json_array_append_new(stages, stage);
    }
    return stages;
}

json_t *state_json(const canary_rollout *state) {
    json_t *object = json_object();
    json_object_set_new(object, "rollout", jsonout_string(state->name));
    json_object_set_new(object, "stage", json_integer(state->stage));
    json_object_set_new(object, "stage_name", jsonout_string(state->stage_name));
    json_object_set_new(object, "percentage", jsonout_percent(state->percentage_bp));
    json_object_set_new(object, "effective_percentage", jsonout_percent(state->effective_bp));
    json_object_set_new(object, "killed", json_boolean(state->kill_reasons != 0));
    json_object_set_new(object, "kill_reasons", state_kill_words(state->kill_reasons));
    json_object_set_new(object, "doubt", state_doubt_words(state->doubt));
    json_t *flag = json_object();
    json_object_set_new(flag, "name", jsonout_string(state->flag));
    json_object_set_new(flag, "enabled", json_boolean(state->flag_enabled));
    bool known = state->flag_updated_at_ns != 0;
    json_object_set_new(flag, "updated_at",
                        known ? jsonout_time(state->flag_updated_at_ns) : json_null());
    json_object_set_new(flag, "updated_by", jsonout_string(state->flag_updated_by));
    json_object_set_new(flag, "note", jsonout_string(state->flag_note));
    json_object_set_new(object, "flag", flag);
    jsonout_set_bytes(object, "salt", state->salt, strlen(state->salt));
    json_object_set_new(object, "algorithm", json_integer(state->algorithm));
    json_object_set_new(object, "revision", json_integer((json_int_t)state->revision));
    json_object_set_new(object, "updated_at", jsonout_time(state->updated_at_ns));
    json_object_set_new(object, "updated_by", jsonout_string(state->updated_by));
    json_object_set_new(object, "note", jsonout_string(state->note));
    json_object_set_new(object, "stages", stages_json(state));
    json_t *overrides = json_object();
    json_object_set_new(overrides, "new", json_integer(state->overrides_new));
    json_object_set_new(overrides, "old", json_integer(state->overrides_old));
    json_object_set_new(object, "overrides", overrides);
    return object;
}
