/* SPDX-License-Identifier: MIT */
/* `metrics --watch`, and the small bars of the last hours. */
#include "jsonout.h"
#include "metrics.h"
#include "screen.h"
#include "sparkline.h"
#include "when.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Services merge once in ten seconds, each at a moment of its own. */
#define LOOK_MS 2000
#define BARS 48
#define BAR_NS (300 * WHEN_SECOND)

struct bars {
    double values[2][BARS];
    double low;
    double high;
};

/* The headline figure of a metric over time; false when there is nothing to draw. */
static bool collect(const struct figures *steps, const struct figures_row *row, int64_t from,
                    struct bars *bars) {
    const struct figure *figure = figures_headline(row->row.kind);
    bool any = false;
    for (size_t i = 0; i < BARS; i++)
        bars->values[0][i] = bars->values[1][i] = NAN;
    bars->low = INFINITY;
    bars->high = -INFINITY;
    for (size_t i = 0; figure != NULL && i < steps->count; i++) {
        const struct figures_row *step = &steps->rows[i];
        int64_t place = (step->row.from_ns - from) / BAR_NS;
        if (strcmp(step->row.metric, row->row.metric) != 0 || place < 0 || place >= BARS)
            continue;
        for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
            double value = figure->value(&step->cohorts[cohort]);
            if (!isfinite(value))
                continue;
            bars->values[cohort][place] = value;
            bars->low = fmin(bars->low, value);
            bars->high = fmax(bars->high, value);
            any = true;
        }
    }
    /* Rates and durations are read against nothing, the rest against how far they spread. */
    if (figure != NULL && (figure->unit == FIGURE_SHARE || figure->unit == FIGURE_SECONDS))
        bars->low = 0;
    return any;
}

void metrics_sparklines(const struct metrics_view *view, struct text *out) {
    if (!sparkline_able() || say_columns() < 24 + BARS + 12)
        return;
    struct figures steps = { 0 };
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    int64_t from = view->now_ns - view->now_ns % BAR_NS - (BARS - 1) * BAR_NS;
    query.from_ns = from;
    query.step_ns = BAR_NS;
    query.metric = view->metric;
    if (figures_read(view->session->store, view->session->rollout, &query, &steps, NULL) !=
        CANARY_OK) {
        figures_free(&steps);
        return;
    }
    const char *title = "\nthe last 4 h, 5 min a bar\n";
    struct bars *bars = text_memory(NULL, sizeof(*bars));
    for (size_t i = 0; i < view->total.count; i++) {
        const struct figures_row *row = &view->total.rows[i];
        const struct figure *figure = figures_headline(row->row.kind);
        if (!collect(&steps, row, from, bars))
            continue;
        if (title[0] != '\0')
            text_addf(out, "%s%s%s", say_begin(SAY_DIM), title, say_end());
        title = "";
        for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
            text_addf(out, "  %-14.14s %-9s %s%s%s  ", cohort == CANARY_OLD ? row->row.metric : "",
                      cohort == CANARY_OLD ? figure->name : "", say_begin(SAY_DIM),
                      canary_cohort_name(cohort), say_end());
            sparkline_add(bars->values[cohort], BARS, bars->low, bars->high, out);
            text_add(out, "  ");
            figures_value(figure->value(&row->cohorts[cohort]), figure->unit, row->row.unit, out);
            text_add(out, "\n");
        }
    }
    free(bars);
    figures_free(&steps);
}

struct follower {
    struct metrics_view *view;
    struct text shown;  /* the figures that were said last */
    struct text errors; /* what was said of the last failure */
};

static void add_failure(const canary_error *error, struct text *out) {
    text_addf(out, "%serror%s  these figures are not fresh: ", say_begin(SAY_BAD), say_end());
    text_safe_string(out, error->message);
    text_addf(out, " (%s)\n", canary_error_name(error->code));
}

static void redraw(struct follower *follower, const canary_error *error) {
    struct text out = { 0 };
    char at[WHEN_SIZE];
    when_short(when_now(), at);
    text_addf(&out, "%scanaryctl  %s  Ctrl-C ends%s\n\n", say_begin(SAY_DIM), at, say_end());
    metrics_head(follower->view, &out);
    metrics_body(follower->view, &out);
    if (error->code != CANARY_OK)
        add_failure(error, &out);
    /* The table comes first where there is not room for both. */
    struct text bars = { 0 };
    metrics_sparklines(follower->view, &bars);
    if (bars.size > 0 && screen_rows(&out) + screen_rows(&bars) < screen_height())
        text_bytes(&out, bars.data, bars.size);
    text_free(&bars);
    screen_draw(&out);
    text_free(&out);
}

/* Once for each change of the figures, not for each moment that passes. */
static void say_news(struct follower *follower) {
    struct text body = { 0 };
    struct text out = { 0 };
    metrics_body(follower->view, &body);
    if (follower->shown.data != NULL && strcmp(follower->shown.data, body.data) == 0) {
        text_free(&body);
        return;
    }
    if (say_mode.json) {
        jsonout_line(metrics_json(follower->view));
    } else {
        if (follower->shown.data != NULL)
            text_add(&out, "\n");
        metrics_head(follower->view, &out);
        text_add(&out, body.data);
        say_text(&out);
        text_free(&out);
    }
    text_free(&follower->shown);
    follower->shown = body;
}

static void say_failure_once(struct follower *follower, const canary_error *error) {
    if (error->code == CANARY_OK) {
        text_clear(&follower->errors);
        return;
    }
    if (follower->errors.size > 0 && strcmp(follower->errors.data, error->message) == 0)
        return;
    text_clear(&follower->errors);
    text_add(&follower->errors, error->message);
    say_warning("the figures cannot be read now: %s (%s)", error->message,
                canary_error_name(error->code));
}

/* What was read last stays when nothing can be read now. */
static void reload(struct metrics_view *view, canary_error *error) {
    struct metrics_view next = *view;
    next.total = next.stages = (struct figures){ 0 };
    next.generations = (struct generations){ 0 };
    next.users = NULL;
    bool loaded = metrics_load(&next, error) == CANARY_OK;
    metrics_free(loaded ? view : &next);
    if (loaded)
        *view = next;
}

int metrics_follow(struct metrics_view *view) {
    struct follower follower = { .view = view };
    struct screen screen;
    canary_error error = CANARY_ERROR_INIT;
    screen_begin(&screen);
    screen_show();
    do {
        if (say_mode.screen) {
            redraw(&follower, &error);
        } else {
            say_failure_once(&follower, &error);
            if (error.code == CANARY_OK)
                say_news(&follower);
        }
        if (screen_wait(&screen, LOOK_MS))
            break;
        error = (canary_error)CANARY_ERROR_INIT;
        reload(view, &error);
    } while (true);
    screen_hide();
    if (say_mode.screen) {
        struct text out = { 0 };
        metrics_head(view, &out);
        metrics_body(view, &out);
        say_text(&out);
        text_free(&out);
    }
    screen_end(&screen);
    text_free(&follower.shown);
    text_free(&follower.errors);
    return 0;
}
