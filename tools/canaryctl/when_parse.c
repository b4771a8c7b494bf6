/* SPDX-License-Identifier: MIT */
/* See when.h: points in time and durations as people and other programs write them. */
#include "when.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIGITS "0123456789"

/* Takes `count` digits; -1 when there are others. */
static int take(const char **string, size_t count) {
    int value = 0;
    if (strspn(*string, DIGITS) < count)
        return -1;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (*(*string)++ - '0');
    return value;
}

/* A fraction of a second after its point, in nanoseconds; more than nine digits are cut. */
static int64_t take_fraction(const char **string) {
    int64_t value = 0;
    int64_t unit = WHEN_SECOND;
    for (; **string >= '0' && **string <= '9'; (*string)++) {
        unit /= 10;
        value += (**string - '0') * unit;
    }
    return value;
}

/* "Z", "+02:00", " UTC" or nothing, which is UTC as well; the offset in seconds. */
static bool take_zone(const char **string, int64_t *offset) {
    *offset = 0;
    *string += strspn(*string, " ");
    if (**string == '\0')
        return true;
    if (**string == 'Z' || **string == 'z') {
        (*string)++;
        return true;
    }
    if (strcmp(*string, "UTC") == 0) {
        *string += 3;
        return true;
    }
    int sign = **string == '-' ? -1 : 1;
    if (**string != '+' && **string != '-')
        return false;
    (*string)++;
    int hours = take(string, 2);
    if (**string == ':')
        (*string)++;
    int minutes = take(string, 2);
    *offset = sign * (hours * INT64_C(3600) + minutes * INT64_C(60));
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static bool parse_date(const char *string, int64_t *ns) {
    struct tm parts = { 0 };
    parts.tm_year = take(&string, 4) - 1900;
    if (*string++ != '-')
        return false;
    parts.tm_mon = take(&string, 2) - 1;
    if (*string++ != '-')
        return false;
    parts.tm_mday = take(&string, 2);
    int day = parts.tm_mday;
    int64_t fraction = 0;
    int64_t offset = 0;
    if (*string == 'T' || *string == 't' || *string == ' ') {
        string++;
        parts.tm_hour = take(&string, 2);
        if (*string++ != ':')
            return false;
        parts.tm_min = take(&string, 2);
        if (*string == ':') {
            string++;
            parts.tm_sec = take(&string, 2);
            if (*string == '.') {
                string++;
                fraction = take_fraction(&string);
            }
        }
        if (!take_zone(&string, &offset))
            return false;
    }
    if (*string != '\0' || parts.tm_year < 70 || parts.tm_year > 300 || parts.tm_mon < 0 ||
        parts.tm_mon > 11 || day < 1 || parts.tm_hour < 0 || parts.tm_hour > 23 ||
        parts.tm_min < 0 || parts.tm_min > 59 || parts.tm_sec < 0 || parts.tm_sec > 60)
        return false;
    /* A leap second would carry the date over. */
    int64_t leap = parts.tm_sec == 60;
    parts.tm_sec -= (int)leap;
    time_t seconds = timegm(&parts);
    /* timegm() makes the 3rd of March of the 31st of February. */
    if (parts.tm_mday != day)
        return false;
    *ns = ((int64_t)seconds + leap - offset) * WHEN_SECOND + fraction;
    return true;
}

bool when_parse_time(const char *string, int64_t now, int64_t *ns) {
    int64_t span;
    if (now != 0 && strcmp(string, "now") == 0) {
        *ns = now;
        return true;
    }
    if (strlen(string) >= 10 && string[4] == '-')
        return parse_date(string, ns);
    if (now != 0 && when_parse_dwell(string, &span)) {
        *ns = now - span;
        return true;
    }
    /* Seconds since 1970, as `date +%s` and many a program write them. */
    if (*string == '@')
        string++;
    size_t digits = strspn(string, DIGITS);
    if (digits < 9 || digits > 10)
        return false;
    const char *rest = string + digits;
    int64_t fraction = 0;
    if (*rest == '.') {
        rest++;
        fraction = take_fraction(&rest);
    }
    if (*rest != '\0')
        return false;
    *ns = strtoll(string, NULL, 10) * WHEN_SECOND + fraction;
    return true;
}

bool when_parse_duration(const char *string, bool bare_seconds, double *ns) {
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 },     { "us", 1e3 },   { "\xc2\xb5s", 1e3 },
                  { "ms", 1e6 },   { "s", 1e9 },    { "m", 60e9 },
                  { "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 } };
    /* strtod() reads more than people mean: hex, "inf". */
    size_t size = strspn(string, DIGITS ".eE+-");
    char *end;
    double value = strtod(string, &end);
    const char *unit = end + strspn(end, " ");
    if (size == 0 || end == string || end > string + size || !isfinite(value))
        return false;
    if (*unit == '\0' && (bare_seconds || value == 0)) {
        *ns = nearbyint(value * 1e9);
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            *ns = nearbyint(value * units[i].ns);
            return true;
        }
    }
    return false;
}
