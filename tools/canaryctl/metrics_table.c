/* SPDX-License-Identifier: MIT */
/* See metrics.h: the view for people. */
#include "metrics.h"
#include "percent.h"
#include "state.h"
#include "table.h"
#include "users.h"
#include "when.h"

#include <inttypes.h>
#include <string.h>

static void label(struct text *out, const char *name) {
    text_addf(out, "  %s%-9s%s  ", say_begin(SAY_DIM), name, say_end());
}

static void add_interval(struct text *out, int64_t from, int64_t to) {
    char begin[WHEN_SIZE];
    char end[WHEN_SIZE];
    char span[WHEN_SIZE];
    when_short(from, begin);
    when_short(to, end);
    when_span(to - from, span);
    text_addf(out, "%s to %s (%s)", begin, end, span);
}

void metrics_head(const struct metrics_view *view, struct text *out) {
    int64_t newest = metrics_newest(&view->total.report, view->now_ns);
    text_addf(out, "%s%s%s  ", say_begin(SAY_STRONG), view->session->rollout, say_end());
    state_exposure(&view->state, out);
    text_add(out, "\n");
    label(out, "window");
    if (view->window_ns != 0) {
        char span[WHEN_SIZE];
        when_span(view->window_ns, span);
        text_addf(out, "the last %s: ", span);
    }
    if (view->from_ns != 0)
        add_interval(out, view->from_ns, view->now_ns);
    else
        text_add(out, "all that is kept");
    if (newest != 0) {
        char ago[WHEN_SIZE];
        when_ago(newest, view->now_ns, ago);
        text_addf(out, "; newest figures %s", ago);
    }
    text_add(out, "\n");
}

static uint64_t decisions_of(const canary_exposure *exposure, int cohort) {
    uint64_t sum = 0;
    for (int reason = 0; reason < 16; reason++)
        sum += exposure->decisions[cohort][reason];
    return sum;
}

static void add_exposure(const struct metrics_view *view, struct text *out) {
    const canary_exposure *exposure = &view->exposure;
    uint64_t old = decisions_of(exposure, CANARY_OLD);
    uint64_t new = decisions_of(exposure, CANARY_NEW);
    users_add(exposure, out);
    if (old + new > 0) {
        label(out, "decisions");
        figures_count(old + new, out);
        text_add(out, ", new ");
        figures_count(new, out);
        text_addf(out, " (%.2f %%), old ", (double)new / (double)(old + new) * 100);
        figures_count(old, out);
        text_add(out, "\n");
    }
}

static void cell(struct table *table, enum say_colour colour, struct text *text) {
    table_cell(table, colour, "%s", text->size > 0 ? text->data : "");
    text_clear(text);
}

static void add_counts(struct table *table, const struct figures_row *row) {
    struct text text = { 0 };
    table_safe(table, SAY_STRONG, row->row.metric);
    table_cell(table, SAY_DIM, "n");
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        if (row->cohorts[cohort].n == 0)
            text_add(&text, "no data");
        else
            figures_count(row->cohorts[cohort].n, &text);
        cell(table, SAY_DIM, &text);
    }
    table_cell(table, SAY_PLAIN, "%s", "");
    table_cell(table, SAY_PLAIN, "%s", "");
    text_free(&text);
}

static void add_figure(struct table *table, const struct figures_row *row,
                       const struct figure *figure, bool *scarce) {
    struct text text = { 0 };
    double values[2];
    table_cell(table, SAY_PLAIN, "%s", "");
    table_cell(table, SAY_PLAIN, "%s", figure->name);
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        const canary_figures *figures = &row->cohorts[cohort];
        values[cohort] = figure->value(figures);
        if (figures_scarce(figure, row->row.kind, figures)) {
            text_add(&text, "~ ");
            *scarce = true;
        }
        figures_value(values[cohort], figure->unit, row->row.unit, &text);
        cell(table, figure->headline ? SAY_STRONG : SAY_PLAIN, &text);
    }
    figures_difference(values[CANARY_OLD], values[CANARY_NEW], figure->unit, row->row.unit, &text);
    cell(table, SAY_PLAIN, &text);
    figures_ratio(values[CANARY_OLD], values[CANARY_NEW], &text);
    cell(table, SAY_PLAIN, &text);
    text_free(&text);
}

/* How many outcomes were above a threshold that the service named. */
static void add_threshold(struct table *table, const struct figures_row *row, uint32_t i) {
    struct text text = { 0 };
    double shares[2];
    table_cell(table, SAY_PLAIN, "%s", "");
    text_add(&text, "> ");
    figures_value((double)row->row.thresholds_ns[i] / 1e9, FIGURE_SECONDS, "", &text);
    cell(table, SAY_PLAIN, &text);
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        const canary_figures *figures = &row->cohorts[cohort];
        double zero = 0;
        shares[cohort] = figures->threshold_n[i] == 0 ? zero / zero
                                                      : (double)figures->threshold_above[i] /
                                                            (double)figures->threshold_n[i];
        figures_value(shares[cohort], FIGURE_SHARE, "", &text);
        cell(table, SAY_PLAIN, &text);
    }
    figures_difference(shares[CANARY_OLD], shares[CANARY_NEW], FIGURE_SHARE, "", &text);
    cell(table, SAY_PLAIN, &text);
    figures_ratio(shares[CANARY_OLD], shares[CANARY_NEW], &text);
    cell(table, SAY_PLAIN, &text);
    text_free(&text);
}

static void add_row(struct table *table, const struct figures_row *row, bool *scarce) {
    add_counts(table, row);
    for (const struct figure *figure = figures_of_kind(row->row.kind); figure->name != NULL;
         figure++) {
        if (!figure->detail)
            add_figure(table, row, figure, scarce);
    }
    for (uint32_t i = 0; i < row->row.threshold_count && i < CANARY_THRESHOLDS_MAX; i++)
        add_threshold(table, row, i);
}

/* The rows from `first` on that belong to one generation; returns the first that does not. */
static size_t add_table(const struct figures *figures, size_t first, struct text *out,
                        bool *scarce) {
    static const char *const titles[] = {
        "METRIC", "FIGURE", "OLD", "NEW", "DIFFERENCE", "NEW/OLD"
    };
    struct table table;
    uint64_t generation = figures->rows[first].row.generation;
    table_begin(&table, 6, titles, 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5);
    while (first < figures->count && figures->rows[first].row.generation == generation)
        add_row(&table, &figures->rows[first++], scarce);
    table_end(&table, out, 0);
    return first;
}

static void add_stage(const struct metrics_view *view, uint64_t revision, struct text *out) {
    const struct generation *generation = generations_find(&view->generations, revision);
    text_addf(out, "\n%s", say_begin(SAY_STRONG));
    if (generation == NULL) {
        text_addf(out, "revision %" PRIu64 "%s, of which the trail knows nothing\n", revision,
                  say_end());
        return;
    }
    char percent[PERCENT_SIZE];
    percent_format(generation->percentage_bp, percent);
    text_addf(out, "stage %d ", generation->stage);
    int32_t stage = generation->stage;
    bool rung = stage >= 0 && (uint32_t)stage < view->state.stage_count &&
                view->state.stages_bp[stage] == generation->percentage_bp;
    text_safe_string(out, rung ? view->state.stage_names[stage] : "(off the ladder)");
    text_addf(out, " %s %%%s  ", percent, say_end());
    add_interval(out, generation->from_ns,
                 generation->to_ns != 0 ? generation->to_ns : view->now_ns);
    text_addf(out, ", revision %" PRIu64 "%s\n", revision,
              generation->to_ns == 0 ? ", the present one" : "");
    users_add(&view->users[generation - view->generations.list], out);
}

static void add_no_data(const struct metrics_view *view, struct text *out) {
    struct text again = { 0 };
    session_command(view->session, true, &again);
    text_add(out, "\nno data");
    if (view->metric != NULL)
        text_addf(out, " of %s", view->metric);
    if (view->from_ns == 0 || !metrics_known(view)) {
        text_add(out, ": no outcomes recorded yet; a service records them with canary_record()\n");
    } else {
        text_add(out, " in this window: nothing was recorded meanwhile\n");
        label(out, "next");
        text_addf(out, "%smetrics --window 30d\n", again.data);
    }
    text_free(&again);
}

/* What should be looked into, each with what to do. */
static void add_warnings(const struct metrics_view *view, struct text *out) {
    const canary_metrics_report *report = &view->total.report;
    struct text again = { 0 };
    session_command(view->session, false, &again);
    const char *begin = say_begin(SAY_WARN);
    const char *end = say_end();
    if (report->damaged > 0) {
        text_addf(out, "%swarning%s  %u damaged row%s skipped, so these figures lack some: ", begin,
                  end, report->damaged, report->damaged == 1 ? " was" : "s were");
        text_safe_string(out, report->damage);
        text_addf(out, "\n         next: %sdoctor\n", again.data);
    }
    if (report->rejected > 0) {
        text_addf(out, "%swarning%s  ", begin, end);
        figures_count(report->rejected, out);
        text_add(out, report->rejected == 1 ? " measurement was" : " measurements were");
        text_add(out, " rejected: not a number, out of range, or of no declared metric\n"
                      "         next: canary_recording() in the service tells how many of each\n");
    }
    if (report->dropped > 0) {
        text_addf(out, "%swarning%s  ", begin, end);
        figures_count(report->dropped, out);
        text_add(out, report->dropped == 1 ? " outcome was" : " outcomes were");
        text_add(out, " lost: a service had no memory for them\n"
                      "         next: raise the service's memory limit\n");
    }
    text_free(&again);
}

void metrics_body(const struct metrics_view *view, struct text *out) {
    const struct figures *figures = view->by_stage ? &view->stages : &view->total;
    bool scarce = false;
    add_exposure(view, out);
    if (figures->count == 0) {
        add_no_data(view, out);
    } else if (!view->by_stage) {
        text_add(out, "\n");
        add_table(figures, 0, out, &scarce);
    }
    for (size_t i = 0; view->by_stage && i < figures->count;) {
        add_stage(view, figures->rows[i].row.generation, out);
        i = add_table(figures, i, out, &scarce);
    }
    if (scarce)
        text_addf(out, "%s~ rests on few outcomes: more of them can change it much%s\n",
                  say_begin(SAY_DIM), say_end());
    add_warnings(view, out);
}
