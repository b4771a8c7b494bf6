/* SPDX-License-Identifier: MIT */
/* `plan`: how many requests, and how long, until harm of a given size is found and until an advance can
 * be proven. */
#include "fields.h"
#include "figures.h"
#include "jsonout.h"
#include "percent.h"
#include "session.h"
#include "state.h"
#include "table.h"
#include "when.h"

#include <canary/judge.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct planning {
    struct session *session;
    canary_plan plan;
    canary_plan_answer answer;
    bool with_rollout;
    bool measured_rate; /* rather than given */
    bool measured_share;
    bool measured_volume;
    int share_of_stage; /* the share is that of this stage; -1 = it is not */
};

/* "1%", "1 %" or 0.01. A bare 5 could mean either: it is refused rather than guessed. */
static int take_share(struct session *session, enum option_id id, double *out) {
    const char *string = session_value(session, id);
    if (string == NULL)
        return 0;
    char number[40];
    size_t size = strlen(string);
    bool percent = size > 0 && string[size - 1] == '%';
    if (percent)
        size--;
    while (percent && size > 0 && string[size - 1] == ' ')
        size--;
    if (size < sizeof(number)) {
        memcpy(number, string, size);
        number[size] = '\0';
        if (fields_number(number, out)) {
            *out = percent ? *out / 100 : *out;
            if (*out > 0 && *out < 1)
                return 0;
        }
    }
    return say_usage(session->command,
                     "--%s \"%s\" is no share above 0 and below 1, as in 1%% or 0.01",
                     options_table[id].name, string);
}

static int take_number(struct session *session, enum option_id id, double *out) {
    const char *string = session_value(session, id);
    if (string == NULL || fields_number(string, out))
        return 0;
    return say_usage(session->command, "--%s \"%s\" is no number, as in 1.5",
                     options_table[id].name, string);
}

static int take_options(struct planning *planning) {
    struct session *session = planning->session;
    canary_plan *plan = &planning->plan;
    *plan = (canary_plan)CANARY_PLAN_INIT;
    plan->ratio = 1.5;
    /* What a policy may ask for; at 1 it would be refused. */
    plan->margin = 1.1;
    plan->alpha = 0.05;
    plan->effect = 1;
    int result = take_share(session, OPTION_BASE_RATE, &plan->base_rate);
    if (result == 0)
        result = take_share(session, OPTION_SHARE, &plan->share);
    if (result == 0)
        result = take_share(session, OPTION_ALPHA, &plan->alpha);
    if (result == 0)
        result = take_number(session, OPTION_RATIO, &plan->ratio);
    if (result == 0)
        result = take_number(session, OPTION_MARGIN, &plan->margin);
    if (result == 0)
        result = take_number(session, OPTION_DESIGN_EFFECT, &plan->effect);
    if (result == 0)
        result = take_number(session, OPTION_PER_SECOND, &plan->per_second);
    return result;
}

/* Before anybody is exposed nothing tells the share but the ladder: that of the stage, or of the first. */
static int share_of_ladder(struct planning *planning) {
    canary_rollout state = STATE_ROLLOUT_INIT;
    canary_error error = CANARY_ERROR_INIT;
    struct session *session = planning->session;
    if (canary_rollout_read(session->store, session->rollout, &state, &error) != CANARY_OK)
        return session_error(session, &error);
    int stage = state.stage > 0 ? state.stage : 1;
    uint32_t bp = state.percentage_bp;
    if (bp == 0 && state.stage_count > 1)
        bp = state.stages_bp[1];
    if (bp > 0 && bp < 10000) {
        planning->plan.share = bp / 10000.0;
        planning->share_of_stage = stage;
    }
    return 0;
}

static int measure(struct planning *planning) {
    struct session *session = planning->session;
    canary_plan *plan = &planning->plan;
    canary_plan measured = *plan;
    canary_error error = CANARY_ERROR_INIT;
    measured.base_rate = measured.share = measured.per_second = 0;
    if (canary_plan_measure(session->store, session->rollout, &measured, &error) != CANARY_OK)
        return session_error(session, &error);
    planning->with_rollout = true;
    if (!session_given(session, OPTION_BASE_RATE)) {
        plan->base_rate = measured.base_rate;
        planning->measured_rate = true;
    }
    if (!session_given(session, OPTION_SHARE)) {
        plan->share = measured.share;
        planning->measured_share = true;
    }
    if (!session_given(session, OPTION_PER_SECOND)) {
        plan->per_second = measured.per_second;
        planning->measured_volume = true;
    }
    if (plan->share == 0) {
        int result = share_of_ladder(planning);
        if (result != 0)
            return result;
    }
    if (plan->base_rate == 0)
        return say_failure(CANARY_E_REFUSED, "give --base-rate P, as in --base-rate 1%",
                           "rollout \"%s\" has no base rate: the old cohort recorded no error at "
                           "the present percentage, or not yet any outcome",
                           session->rollout);
    if (plan->share == 0)
        return say_failure(CANARY_E_REFUSED, "give --share P, as in --share 5%",
                           "rollout \"%s\" has no old cohort to compare with", session->rollout);
    return 0;
}

static void add_seconds(double seconds, struct text *out) {
    char span[WHEN_SIZE];
    if (isnan(seconds)) {
        text_add(out, "-");
    } else if (!(seconds < 3.2e9)) {
        text_add(out, "over 100 years");
    } else {
        when_span((int64_t)(seconds * 1e9), span);
        text_add(out, span);
    }
}

static void add_requests(double requests, struct text *out) {
    if (requests < 1e15)
        figures_count((uint64_t)ceil(requests), out);
    else
        text_add(out, "never");
}

static void add_figures(struct table *table, double fresh, double total, double seconds) {
    struct text cell = { 0 };
    add_requests(fresh, &cell);
    table_cell(table, SAY_STRONG, "%s", cell.data);
    text_clear(&cell);
    add_requests(total, &cell);
    table_cell(table, SAY_PLAIN, "%s", cell.data);
    text_clear(&cell);
    add_seconds(seconds, &cell);
    table_cell(table, SAY_PLAIN, "%s", cell.data);
    text_free(&cell);
}

static void add_head(const struct planning *planning, struct text *out) {
    const canary_plan *plan = &planning->plan;
    text_addf(out, "errors of the old cohort  ");
    figures_value(plan->base_rate, FIGURE_SHARE, "", out);
    text_addf(out, "%s\nshare of the new cohort   ", planning->measured_rate ? " (measured)" : "");
    figures_value(plan->share, FIGURE_SHARE, "", out);
    if (planning->share_of_stage >= 0)
        text_addf(out, " (stage %d)", planning->share_of_stage);
    else if (planning->measured_share)
        text_add(out, " (measured)");
    text_add(out, "\nrequests of both          ");
    if (plan->per_second > 0)
        text_addf(out, "%.4g per second%s", plan->per_second,
                  planning->measured_volume ? " (measured)" : "");
    else
        text_addf(out, "unknown%s",
                  planning->with_rollout ? "" : ": --per-second N tells how long it takes");
    text_addf(out, "\nfalse alarms              %g %%, however often one looks\n\n",
              plan->alpha * 100);
}

static void print_table(const struct planning *planning) {
    const canary_plan *plan = &planning->plan;
    const canary_plan_answer *answer = &planning->answer;
    static const char *const titles[] = { "UNTIL", "NEW COHORT", "BOTH COHORTS", "TIME" };
    struct text out = { 0 };
    struct table table;
    add_head(planning, &out);
    table_begin(&table, 4, titles, 1u << 1 | 1u << 2);
    table_cell(&table, SAY_PLAIN, "%g times the errors are found", plan->ratio);
    add_figures(&table, answer->find_new, answer->find_total, answer->find_seconds);
    table_cell(&table, SAY_PLAIN, "it is proven to be less than that");
    add_figures(&table, answer->prove_new, answer->prove_total, answer->prove_seconds);
    table_end(&table, &out, say_columns());
    text_addf(&out,
              "\n%sRequests, about the median: half of all releases take longer. Harm is judged "
              "against the margin %g;\nthe proof holds for a release whose errors are like the old "
              "ones.%s\n",
              say_begin(SAY_DIM), plan->margin, say_end());
    say_text(&out);
    text_free(&out);
}

static json_t *requests_json(double requests) {
    return requests < 1e15 ? json_integer((json_int_t)ceil(requests)) : json_null();
}

static json_t *answer_json(double fresh, double total, double seconds) {
    json_t *object = json_object();
    json_object_set_new(object, "new", requests_json(fresh));
    json_object_set_new(object, "total", requests_json(total));
    json_object_set_new(object, "seconds", figures_real(seconds));
    return object;
}

static void print_json(const struct planning *planning) {
    const canary_plan *plan = &planning->plan;
    const canary_plan_answer *answer = &planning->answer;
    json_t *object = json_object();
    json_object_set_new(object, "rollout",
                        planning->with_rollout ? jsonout_string(planning->session->rollout)
                                               : json_null());
    json_object_set_new(object, "base_rate", figures_real(plan->base_rate));
    json_object_set_new(object, "share", figures_real(plan->share));
    json_object_set_new(object, "ratio", figures_real(plan->ratio));
    json_object_set_new(object, "margin", figures_real(plan->margin));
    json_object_set_new(object, "alpha", figures_real(plan->alpha));
    json_object_set_new(object, "design_effect", figures_real(plan->effect));
    json_object_set_new(object, "per_second",
                        plan->per_second > 0 ? figures_real(plan->per_second) : json_null());
    json_t *measured = json_array();
    if (planning->measured_rate)
        json_array_append_new(measured, json_string("base_rate"));
    if (planning->measured_share && planning->share_of_stage < 0)
        json_array_append_new(measured, json_string("share"));
    if (planning->measured_volume && plan->per_second > 0)
        json_array_append_new(measured, json_string("per_second"));
    json_object_set_new(object, "measured", measured);
    json_object_set_new(object, "find",
                        answer_json(answer->find_new, answer->find_total, answer->find_seconds));
    json_object_set_new(object, "prove",
                        answer_json(answer->prove_new, answer->prove_total, answer->prove_seconds));
    jsonout_print(object);
}

int plan_run(struct session *session, int count, char **words) {
    struct planning planning = { .session = session, .share_of_stage = -1 };
    int result = take_options(&planning);
    if (result != 0)
        return result;
    bool missing =
        !session_given(session, OPTION_BASE_RATE) || !session_given(session, OPTION_SHARE);
    /* A store that the environment names is no reason to measure what was given in full. */
    bool asked = count > 0 || (session_given(session, OPTION_ROLLOUT) &&
                               !session->options.from_environment[OPTION_ROLLOUT]);
    if (missing && !asked && !session_given(session, OPTION_DB))
        return say_usage(session->command,
                         "--%s is missing: give it, or a rollout and --db PATH to measure it",
                         session_given(session, OPTION_BASE_RATE) ? "share" : "base-rate");
    if (missing || asked) {
        result = session_open_named(session, count, words, 0);
        if (result == 0)
            result = measure(&planning);
        if (result != 0)
            return result;
    }
    canary_error error = CANARY_ERROR_INIT;
    planning.answer = (canary_plan_answer)CANARY_PLAN_ANSWER_INIT;
    if (canary_plan_compute(&planning.plan, &planning.answer, &error) != CANARY_OK)
        return say_usage(session->command, "%s", error.message);
    if (say_mode.json)
        print_json(&planning);
    else
        print_table(&planning);
    return 0;
}
