/* SPDX-License-Identifier: MIT */
/* See when.h. */
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MINUTE (60 * WHEN_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define DIGITS "0123456789"

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * WHEN_SECOND + now.tv_nsec;
}

int64_t when_now(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t when_monotonic(void) {
    return read_clock(CLOCK_MONOTONIC);
}

static void format(int64_t ns, const char *pattern, int with_milliseconds, char out[WHEN_SIZE]) {
    int64_t part = ns % WHEN_SECOND;
    /* Division rounds towards zero; times before 1970 need the second below. */
    if (part < 0)
        part += WHEN_SECOND;
    time_t seconds = (time_t)((ns - part) / WHEN_SECOND);
    struct tm parts;
    char date[WHEN_SIZE] = "?";
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(date, sizeof(date), pattern, &parts);
    if (with_milliseconds)
        snprintf(out, WHEN_SIZE, "%.30s.%03dZ", date, (int)(part / 1000000));
    else
        snprintf(out, WHEN_SIZE, "%.30sZ", date);
}

void when_rfc3339(int64_t ns, char out[WHEN_SIZE]) {
    format(ns, "%Y-%m-%dT%H:%M:%S", 1, out);
}

void when_short(int64_t ns, char out[WHEN_SIZE]) {
    format(ns, "%Y-%m-%d %H:%M:%S", 0, out);
}

void when_span(int64_t ns, char out[WHEN_SIZE]) {
    if (ns < 0)
        ns = -ns;
    static const struct {
        int64_t below;
        int64_t unit;
        const char *name;
    } units[] = {
        { 1000000, 1000, "us" },          { WHEN_SECOND, 1000000, "ms" },
        { 2 * MINUTE, WHEN_SECOND, "s" }, { 2 * HOUR, MINUTE, "min" },
        { 2 * DAY, HOUR, "h" },           { INT64_MAX, DAY, "days" },
    };
    size_t i = 0;
    while (i + 1 < sizeof(units) / sizeof(units[0]) && ns >= units[i].below)
        i++;
    int64_t whole = ns / units[i].unit;
    int64_t tenth = ns % units[i].unit * 10 / units[i].unit;
    if (i < 3 && whole < 10)
        snprintf(out, WHEN_SIZE, "%" PRId64 ".%" PRId64 " %s", whole, tenth, units[i].name);
    else
        snprintf(out, WHEN_SIZE, "%" PRId64 " %s", whole, units[i].name);
}

void when_ago(int64_t ns, int64_t now, char out[WHEN_SIZE]) {
    int64_t span = now - ns;
    /* Clocks of two hosts, or of one just set, differ a little; that is no news from the future. */
    if (span > -WHEN_SECOND && span < WHEN_SECOND) {
        snprintf(out, WHEN_SIZE, "just now");
        return;
    }
    char text[WHEN_SIZE];
    int64_t whole_seconds = span / WHEN_SECOND * WHEN_SECOND;
    if (whole_seconds > -10 * WHEN_SECOND && whole_seconds < 10 * WHEN_SECOND)
        snprintf(text, sizeof(text), "%" PRId64 " s",
                 (span < 0 ? -whole_seconds : whole_seconds) / WHEN_SECOND);
    else
        when_span(whole_seconds, text);
    if (span < 0)
        snprintf(out, WHEN_SIZE, "in %.40s", text);
    else
        snprintf(out, WHEN_SIZE, "%.40s ago", text);
}

bool when_parse_seconds(const char *string, int64_t *ns) {
    size_t whole = strspn(string, DIGITS);
    if (whole == 0 || whole > 4)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (string[i] - '0');
    value *= WHEN_SECOND;
    const char *rest = string + whole;
    if (*rest == '.') {
        size_t decimals = strspn(++rest, DIGITS);
        if (decimals == 0 || decimals > 9)
            return false;
        int64_t unit = WHEN_SECOND;
        for (size_t i = 0; i < decimals; i++) {
            unit /= 10;
            value += (rest[i] - '0') * unit;
        }
        rest += decimals;
    }
    if (strcmp(rest, "s") == 0)
        rest++;
    if (*rest != '\0' || value > HOUR)
        return false;
    *ns = value;
    return true;
}

bool when_parse_dwell(const char *string, int64_t *ns) {
    size_t digits = strspn(string, DIGITS);
    if (digits == 0 || digits > 6)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (string[i] - '0');
    const char *unit = string + digits;
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = { { "s", WHEN_SECOND }, { "m", MINUTE }, { "min", MINUTE },
                  { "h", HOUR },        { "d", DAY },    { "w", 7 * DAY } };
    if (*unit == '\0' && value == 0) {
        *ns = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        /* 200 years is more than any dwell time and far from overflow. */
        if (strcmp(unit, units[i].name) == 0 && value <= 200 * 365 * DAY / units[i].ns) {
            *ns = value * units[i].ns;
            return true;
        }
    }
    return false;
}
