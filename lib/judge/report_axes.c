/* SPDX-License-Identifier: MIT */
#include "judge/report_axes.h"

#include <canary/verdict.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "judge/spans.h"

#define LEFT 60.0
#define RIGHT 470.0
#define TOP 22.0
#define BOTTOM 214.0

enum { MARKS_MOST = 16 }; /* more would lie upon one another */

double canary__axes_x(const struct canary__axes *axes, int64_t at_ns) {
    double part =
        (double)(at_ns - axes->span.from_ns) / (double)(axes->span.to_ns - axes->span.from_ns);

    return LEFT + (RIGHT - LEFT) * fmin(fmax(part, 0), 1);
}

double canary__axes_y(const struct canary__axes *axes, double value) {
    double part = (value - axes->low) / (axes->high - axes->low);

    return BOTTOM - (BOTTOM - TOP) * fmin(fmax(part, 0), 1);
}

void canary__axes_point(const struct canary__axes *axes, const char *command, double x, double y) {
    canary__text_add(axes->out, command);
    canary__text_fixed(axes->out, x, 1);
    canary__text_add(axes->out, " ");
    canary__text_fixed(axes->out, y, 1);
}

static void attribute(const struct canary__axes *axes, const char *name, double value) {
    canary__text_addf(axes->out, " %s=\"", name);
    canary__text_fixed(axes->out, value, 1);
    canary__text_add(axes->out, "\"");
}

static void line(const struct canary__axes *axes, const char *class, double x1, double y1,
                 double x2, double y2) {
    canary__text_addf(axes->out, "<line class=\"%s\"", class);
    attribute(axes, "x1", x1);
    attribute(axes, "y1", y1);
    attribute(axes, "x2", x2);
    attribute(axes, "y2", y2);
    canary__text_add(axes->out, "/>");
}

static void text_begin(const struct canary__axes *axes, const char *class, double x, double y) {
    canary__text_addf(axes->out, "<text class=\"%s\"", class);
    attribute(axes, "x", x);
    attribute(axes, "y", y);
    canary__text_add(axes->out, ">");
}

void canary__axes_begin(const struct canary__axes *axes, const char *label) {
    canary__text_addf(axes->out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                      CANARY__CHART_WIDTH, CANARY__CHART_HEIGHT);
    canary__text_html(axes->out, label);
    canary__text_add(axes->out, "\">");
}

void canary__axes_end(const struct canary__axes *axes) {
    canary__text_add(axes->out, "</svg>\n");
}

/* 1, 2, 2.5 or 5 times a power of ten, for about four steps. */
static double step_of(double low, double high) {
    static const double steps[] = { 1, 2, 2.5, 5, 10 };
    double raw = (high - low) / 4;
    double power = pow(10, floor(log10(raw)));

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i] * power >= raw * 0.999) {
            return steps[i] * power;
        }
    }
    return 10 * power;
}

double canary__axes_round(double low, double high) {
    double step = step_of(low, high);

    return low + step * ceil((high - low) / step * 0.999);
}

struct scale {
    double by;
    const char *unit;
};

static struct scale scale_of(const struct canary__axes *axes, int statistic, const char *unit) {
    double most = fmax(fabs(axes->low), fabs(axes->high));

    if (statistic == CANARY_STATISTIC_RATE) {
        return (struct scale){ 100, "%" };
    }
    if (statistic == CANARY_STATISTIC_QUANTILE || strcmp(unit, "seconds") == 0) {
        return most < 1e-3  ? (struct scale){ 1e6, "us" }
               : most < 1   ? (struct scale){ 1e3, "ms" }
               : most < 120 ? (struct scale){ 1, "s" }
                            : (struct scale){ 1.0 / 60, "min" };
    }
    /* The unit of a value stands above the chart. */
    return (struct scale){ 1, "" };
}

void canary__axes_values(const struct canary__axes *axes, int statistic, const char *unit) {
    struct scale scale = scale_of(axes, statistic, unit);
    double step = step_of(axes->low, axes->high);
    /* 2.5 has one decimal more than its power of ten. */
    double shown = step * scale.by;
    int decimals = 0;

    while (decimals < 9 && fabs(shown - round(shown)) > 1e-6 * shown) {
        shown *= 10;
        decimals++;
    }
    for (int i = 0; i < 12; i++) {
        double value = step * (ceil(axes->low / step - 1e-9) + i);
        double y = canary__axes_y(axes, value);

        if (value > axes->high + step * 1e-6) {
            break;
        }
        line(axes, "grid", LEFT, y, RIGHT, y);
        text_begin(axes, "end", LEFT - 6, y + 4);
        canary__text_fixed(axes->out, value * scale.by, decimals);
        canary__text_add(axes->out, scale.unit[0] != '\0' ? " " : "");
        canary__text_add(axes->out, scale.unit);
        canary__text_add(axes->out, "</text>");
    }
}

void canary__axes_powers(const struct canary__axes *axes) {
    int from = (int)ceil(axes->low / log(10) - 1e-9);
    int to = (int)floor(axes->high / log(10) + 1e-9);
    int by = (to - from) / 6 + 1;

    for (int power = from; power <= to; power += by) {
        double y = canary__axes_y(axes, power * log(10));

        line(axes, "grid", LEFT, y, RIGHT, y);
        text_begin(axes, "end", LEFT - 6, y + 4);
        if (power >= -3 && power <= 5) {
            canary__text_fixed(axes->out, pow(10, power), power < 0 ? -power : 0);
        } else {
            canary__text_addf(axes->out, "1e%d", power);
        }
        canary__text_add(axes->out, "</text>");
    }
}

static void add_time(const struct canary__axes *axes, int64_t at_ns, int64_t step) {
    time_t seconds = (time_t)(at_ns / CANARY__SECOND_NS);
    struct tm broken;
    char buffer[32] = "";

    if (gmtime_r(&seconds, &broken) != NULL) {
        /* Names of months would follow the locale of the program. */
        const char *format =
            step < CANARY__DAY_NS && at_ns % CANARY__DAY_NS != 0 ? "%H:%M" : "%m-%d";

        strftime(buffer, sizeof buffer, format, &broken);
    }
    canary__text_add(axes->out, buffer);
}

void canary__axes_times(const struct canary__axes *axes) {
    static const int64_t steps[] = {
        10 * CANARY__SECOND_NS, 30 * CANARY__SECOND_NS, CANARY__MINUTE_NS,
        2 * CANARY__MINUTE_NS,  5 * CANARY__MINUTE_NS,  10 * CANARY__MINUTE_NS,
        30 * CANARY__MINUTE_NS, CANARY__HOUR_NS,        2 * CANARY__HOUR_NS,
        3 * CANARY__HOUR_NS,    6 * CANARY__HOUR_NS,    12 * CANARY__HOUR_NS,
        CANARY__DAY_NS,         2 * CANARY__DAY_NS,     7 * CANARY__DAY_NS,
        14 * CANARY__DAY_NS,    28 * CANARY__DAY_NS,    56 * CANARY__DAY_NS,
        112 * CANARY__DAY_NS
    };
    int64_t span = axes->span.to_ns - axes->span.from_ns;
    size_t i = 0;
    int64_t step;

    while (i + 1 < sizeof steps / sizeof steps[0] && span / steps[i] > 5) {
        i++;
    }
    step = steps[i];
    line(axes, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
    for (int64_t at = (axes->span.from_ns / step + 1) * step; at < axes->span.to_ns; at += step) {
        double x = canary__axes_x(axes, at);

        line(axes, "axis", x, BOTTOM, x, BOTTOM + 4);
        if (x < LEFT + 14 || x > RIGHT - 8) {
            continue;
        }
        text_begin(axes, "middle", x, BOTTOM + 19);
        add_time(axes, at, step);
        canary__text_add(axes->out, "</text>");
    }
}

void canary__axes_marks(const struct canary__axes *axes, const struct canary__report *report) {
    int many = report->step_count > MARKS_MOST + 1;
    double before = -100;

    for (size_t i = 0; i < report->step_count; i++) {
        const struct canary__report_step *step = &report->steps[i];
        double x = canary__axes_x(axes, step->at_ns);

        if (step->mark == 0 || step->at_ns < axes->span.from_ns || step->at_ns > axes->span.to_ns) {
            continue;
        }
        line(axes, "mark", x, TOP, x, BOTTOM);
        if (!many && x - before >= 11) {
            text_begin(axes, "middle number", x, TOP - 7);
            canary__text_addf(axes->out, "%u</text>", (unsigned)step->mark);
            before = x;
        }
    }
}
