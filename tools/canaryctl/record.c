/* SPDX-License-Identifier: MIT */
/* `record`: one figure by hand. */
#include "exits.h"
#include "fields.h"
#include "generations.h"
#include "jsonout.h"
#include "session.h"
#include "when.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_COUNT INT64_C(1000000000000000)

struct record {
    struct session *session;
    canary_import_row row;
    canary_import_result result;
    int32_t repeated;
    struct figures
        known; /* of all metrics, where they matter: it costs a look at all that is kept */
    struct figures after; /* of this metric, in the present generation */
    uint64_t generation;
};

static int missing(const struct session *session, const char *what) {
    return say_usage(session->command, "%s is missing: canaryctl record %s", what,
                     session->command->synopsis);
}

/* What options say about the kind; 0 after an error was told. */
static int32_t kind_of(const struct session *session) {
    static const struct {
        enum option_id id;
        int32_t kind;
    } options[] = {
        { OPTION_N, CANARY_METRIC_PROPORTION },      { OPTION_K, CANARY_METRIC_PROPORTION },
        { OPTION_VALUE, CANARY_METRIC_VALUE },       { OPTION_DURATION, CANARY_METRIC_DURATION },
        { OPTION_TP, CANARY_METRIC_CLASSIFICATION }, { OPTION_FP, CANARY_METRIC_CLASSIFICATION },
        { OPTION_FN, CANARY_METRIC_CLASSIFICATION }, { OPTION_TN, CANARY_METRIC_CLASSIFICATION },
    };
    int32_t kind = 0;
    enum option_id first = OPTION_N;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!session_given(session, options[i].id))
            continue;
        if (kind != 0 && options[i].kind != kind) {
            say_usage(session->command, "--%s and --%s belong to different kinds of metrics",
                      options_table[first].name, options_table[options[i].id].name);
            return 0;
        }
        kind = options[i].kind;
        first = options[i].id;
    }
    if (kind == 0)
        missing(session, "the figure");
    return kind;
}

static int take_counts(const struct session *session, canary_import_row *row) {
    static const enum option_id needed[2][3] = { { OPTION_N, OPTION_K, OPTION_K },
                                                 { OPTION_TP, OPTION_FP, OPTION_FN } };
    bool classes = row->kind == CANARY_METRIC_CLASSIFICATION;
    if (!classes && row->kind != CANARY_METRIC_PROPORTION)
        return 0;
    for (int i = 0; i < 3; i++) {
        enum option_id id = needed[classes][i];
        if (!session_given(session, id))
            return say_usage(session->command, "--%s is missing: %s", options_table[id].name,
                             classes ? "a classification is --tp N --fp N --fn N [--tn N]"
                                     : "a proportion is --n N --k K");
    }
    static const enum option_id ids[] = { OPTION_N,  OPTION_K,  OPTION_TP,
                                          OPTION_FP, OPTION_FN, OPTION_TN };
    uint64_t *fields[] = { &row->n, &row->k, &row->tp, &row->fp, &row->fn, &row->tn };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        int64_t value = 0;
        int result = session_number(session, ids[i], 0, MOST_COUNT, &value);
        if (result != 0)
            return result;
        *fields[i] = (uint64_t)value;
    }
    if (row->k > row->n)
        return say_usage(session->command, "--k %" PRIu64 " is more than --n %" PRIu64, row->k,
                         row->n);
    return 0;
}

static int take_values(const struct session *session, canary_import_row *row) {
    const char *value = session_value(session, OPTION_VALUE);
    const char *duration = session_value(session, OPTION_DURATION);
    const char *at = session_value(session, OPTION_AT);
    if (value != NULL && !fields_number(value, &row->value))
        return say_usage(session->command, "--value \"%s\" is no finite number, as in 0.25", value);
    if (duration != NULL && (!when_parse_duration(duration, false, &row->value) || row->value < 0))
        return say_usage(session->command,
                         "--duration \"%s\" is no time with its unit, as in 12.5ms, 3s, 800us",
                         duration);
    if (at != NULL && (!when_parse_time(at, when_now(), &row->at_ns) || row->at_ns <= 0))
        return say_usage(session->command,
                         "--at \"%s\" is no time, as in 2026-01-31T09:00:00Z, \"2026-01-31 09:00\" "
                         "(UTC) or 2h (ago)",
                         at);
    return 0;
}

static int take_options(const struct session *session, canary_import_row *row) {
    const char *cohort = session_value(session, OPTION_COHORT);
    *row = (canary_import_row){ .size = (uint32_t)sizeof(*row), .declare = 1 };
    row->metric = session_value(session, OPTION_METRIC);
    row->unit = session_value(session, OPTION_UNIT);
    if (row->metric == NULL || cohort == NULL)
        return missing(session, row->metric == NULL ? "--metric" : "--cohort");
    const char *wrong = fields_cohort(cohort, &row->cohort);
    if (wrong != NULL)
        return say_usage(session->command, "--cohort \"%s\" %s", cohort, wrong);
    row->kind = kind_of(session);
    if (row->kind == 0)
        return CTL_EXIT_USAGE;
    int result = take_counts(session, row);
    return result == 0 ? take_values(session, row) : result;
}

/* The figure that was given, as the library would compute it. */
static void add_given(const struct record *record, struct text *out) {
    const canary_import_row *row = &record->row;
    const char *unit = row->unit != NULL ? row->unit : "";
    const struct figures_row *known = figures_find(&record->after, row->metric, 0);
    if (known != NULL)
        unit = known->row.unit;
    switch (row->kind) {
    case CANARY_METRIC_PROPORTION:
        figures_count(row->k, out);
        text_add(out, " of ");
        figures_count(row->n, out);
        text_add(out, ", rate = ");
        figures_value(row->n > 0 ? (double)row->k / (double)row->n : NAN, FIGURE_SHARE, "", out);
        break;
    case CANARY_METRIC_DURATION:
        figures_value(row->value / 1e9, FIGURE_SECONDS, "", out);
        break;
    case CANARY_METRIC_CLASSIFICATION: {
        double hits = (double)row->tp;
        double found = hits + (double)row->fp;
        double there = hits + (double)row->fn;
        double sum = found + there;
        text_addf(out,
                  "tp %" PRIu64 ", fp %" PRIu64 ", fn %" PRIu64 ", tn %" PRIu64 ", f1 = ", row->tp,
                  row->fp, row->fn, row->tn);
        figures_value(sum > 0 ? 2 * hits / sum : NAN, FIGURE_INDEX, "", out);
        text_add(out, " (precision ");
        figures_value(found > 0 ? hits / found : NAN, FIGURE_INDEX, "", out);
        text_add(out, ", recall ");
        figures_value(there > 0 ? hits / there : NAN, FIGURE_INDEX, "", out);
        text_add(out, ")");
        break;
    }
    default:
        figures_value(row->value, FIGURE_NUMBER, unit, out);
        break;
    }
}

/* The names that were there before, so that a mistyped one is seen. */
static void add_known(const struct record *record, struct text *out) {
    const char *name = record->row.metric;
    const char *nearest = NULL;
    const char *separator = "; there were: ";
    int best = 3;
    text_addf(out, "  %sdeclared %s  ", say_begin(SAY_WARN), say_end());
    text_safe_string(out, name);
    text_addf(out, " is a new metric, a %s", canary_metric_kind_name(record->row.kind));
    for (size_t i = 0; i < record->known.count; i++) {
        const char *other = record->known.rows[i].row.metric;
        int distance = say_distance(name, other);
        if (distance == 0)
            continue;
        if (distance < best) {
            best = distance;
            nearest = other;
        }
        text_addf(out, "%s%s", separator, other);
        separator = ", ";
    }
    if (nearest != NULL)
        text_addf(out, "; did you mean %s?", nearest);
    text_add(out, "\n");
}

/* The cohort's figures with it, in the present generation. */
static void add_total(const struct record *record, struct text *out) {
    const struct figures_row *row = figures_find(&record->after, record->row.metric, 0);
    if (row == NULL || row->cohorts[record->row.cohort].n == 0)
        return;
    const canary_figures *figures = &row->cohorts[record->row.cohort];
    text_addf(out, "  %sin all   %s  ", say_begin(SAY_DIM), say_end());
    const char *separator = "";
    for (const struct figure *figure = figures_of_kind(row->row.kind); figure->name != NULL;
         figure++) {
        if (figure->detail)
            continue;
        text_addf(out, "%s%s = ", separator, figure->name);
        figures_value(figure->value(figures), figure->unit, row->row.unit, out);
        separator = ", ";
    }
    text_add(out, " of n ");
    figures_count(figures->n, out);
    if (record->generation != 0)
        text_addf(out, ", since revision %" PRIu64, record->generation);
    text_add(out, "\n");
}

static void say_lines(const struct record *record) {
    struct text out = { 0 };
    char at[WHEN_SIZE];
    when_short(record->row.at_ns != 0 ? record->row.at_ns : when_now(), at);
    text_addf(&out, "%s%s%s  ", say_begin(SAY_STRONG), record->session->rollout, say_end());
    text_safe_string(&out, record->row.metric);
    text_addf(&out, " of %s: ", canary_cohort_name(record->row.cohort));
    add_given(record, &out);
    text_addf(&out, "; at %s\n", at);
    if (record->repeated == 1)
        text_addf(
            &out,
            "  %srepeated %s  it was recorded under this key before, and is not counted again\n",
            say_begin(SAY_WARN), say_end());
    if (record->result.declared == 1)
        add_known(record, &out);
    add_total(record, &out);
    say_text(&out);
    text_free(&out);
}

static json_t *given_json(const canary_import_row *row) {
    json_t *object = json_object();
    if (row->kind == CANARY_METRIC_PROPORTION) {
        json_object_set_new(object, "n", json_integer((json_int_t)row->n));
        json_object_set_new(object, "k", json_integer((json_int_t)row->k));
    } else if (row->kind == CANARY_METRIC_CLASSIFICATION) {
        json_object_set_new(object, "tp", json_integer((json_int_t)row->tp));
        json_object_set_new(object, "fp", json_integer((json_int_t)row->fp));
        json_object_set_new(object, "fn", json_integer((json_int_t)row->fn));
        json_object_set_new(object, "tn", json_integer((json_int_t)row->tn));
    } else if (row->kind == CANARY_METRIC_DURATION) {
        json_object_set_new(object, "duration", figures_real(row->value / 1e9));
    } else {
        json_object_set_new(object, "value", figures_real(row->value));
    }
    return object;
}

static void say_object(const struct record *record) {
    const canary_import_row *row = &record->row;
    const struct figures_row *after = figures_find(&record->after, row->metric, 0);
    json_t *object = json_object();
    json_t *known = json_array();
    json_object_set_new(object, "rollout", jsonout_string(record->session->rollout));
    json_object_set_new(object, "metric", jsonout_string(row->metric));
    json_object_set_new(object, "kind", json_string(canary_metric_kind_name(row->kind)));
    json_object_set_new(object, "cohort", json_string(canary_cohort_name(row->cohort)));
    json_object_set_new(object, "at", jsonout_time(row->at_ns != 0 ? row->at_ns : when_now()));
    json_object_set_new(object, "recorded", given_json(row));
    json_object_set_new(object, "repeated", json_boolean(record->repeated == 1));
    json_object_set_new(object, "declared", json_boolean(record->result.declared == 1));
    for (size_t i = 0; record->result.declared == 1 && i < record->known.count; i++)
        json_array_append_new(known, jsonout_string(record->known.rows[i].row.metric));
    json_object_set_new(object, "known", known);
    json_object_set_new(object, "generation", json_integer((json_int_t)record->generation));
    json_object_set_new(object, "figures",
                        after != NULL ? figures_cohort_json(after, row->cohort) : json_null());
    jsonout_print(object);
}

static int refused(const struct record *record) {
    struct text next = { 0 };
    text_addf(&next, "canaryctl %s --help", record->session->command->name);
    int result =
        say_failure(record->result.code, next.data, "%s is not recorded: %s", record->row.metric,
                    record->result.message[0] != '\0' ? record->result.message
                                                      : canary_strerror(record->result.code));
    text_free(&next);
    return result;
}

static int run(struct record *record) {
    struct session *session = record->session;
    canary_error error = CANARY_ERROR_INIT;
    int code = CANARY_OK;
    /* A number may be a value or a score: what the metric is already. */
    if (record->row.kind == CANARY_METRIC_VALUE)
        code = figures_read(session->store, session->rollout, NULL, &record->known, &error);
    if (code == CANARY_OK && record->row.kind == CANARY_METRIC_VALUE &&
        figures_kind(&record->known, record->row.metric) == CANARY_METRIC_SCORE)
        record->row.kind = CANARY_METRIC_SCORE;
    record->result.code = CANARY_OK;
    if (code == CANARY_OK)
        code = canary_import(session->store, session->rollout, session_value(session, OPTION_KEY),
                             &record->row, 1, &record->result, &record->repeated, &error);
    if (code == CANARY_E_CONFLICT)
        return say_error(&error, true, "give another figure another --key");
    if (code != CANARY_OK)
        return session_error(session, &error);
    if (record->result.code != CANARY_OK && record->repeated == 0)
        return refused(record);
    /* It is recorded whatever this says: without it the answer is only shorter. */
    if (record->result.declared == 1 &&
        figures_read(session->store, session->rollout, NULL, &record->known, &error) != CANARY_OK)
        figures_free(&record->known);
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    record->generation = generations_present(session->store, session->rollout);
    query.generation = record->generation;
    query.metric = record->row.metric;
    if (figures_read(session->store, session->rollout, &query, &record->after, &error) != CANARY_OK)
        figures_free(&record->after);
    if (say_mode.json)
        say_object(record);
    else
        say_lines(record);
    return 0;
}

int record_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    struct record record = { .session = session };
    int result = take_options(session, &record.row);
    if (result == 0)
        result = session_open_rollout(session, 0);
    if (result == 0)
        result = run(&record);
    figures_free(&record.known);
    figures_free(&record.after);
    return result;
}
