/* SPDX-License-Identifier: MIT */
#include "judge/say.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 3, DECIMALS_MOST = 9 };

static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };

struct canary__say canary__say_into(char *text, size_t room) {
    text[0] = '\0';
    return (struct canary__say){ .text = text, .size = 0, .room = room };
}

void canary__say(struct canary__say *say, const char *text) {
    size_t size = strlen(text);
    size_t room = say->room - say->size - 1;

    if (size > room) {
        /* Not within a character: its further bytes begin with the bits 10. */
        while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80) {
            room--;
        }
        size = room;
        /* Nothing shorter is to follow what was cut. */
        memcpy(say->text + say->size, text, size);
        say->text[say->size + size] = '\0';
        say->size += size;
        say->room = say->size + 1;
        return;
    }
    memcpy(say->text + say->size, text, size + 1);
    say->size += size;
}

/* `value` with `decimals` behind the point, without zeros at the end. */
static void whole(struct canary__say *say, uint64_t scaled, int decimals) {
    char text[40];
    char *at = text + sizeof text;
    int seen = 0;

    while (decimals > 0 && scaled % 10 == 0) {
        scaled /= 10;
        decimals--;
    }
    *--at = '\0';
    for (int i = 0; i < decimals; i++) {
        *--at = (char)('0' + scaled % 10);
        scaled /= 10;
    }
    if (decimals > 0) {
        *--at = '.';
    }
    do {
        if (seen > 0 && seen % 3 == 0) {
            *--at = ' ';
        }
        *--at = (char)('0' + scaled % 10);
        scaled /= 10;
        seen++;
    } while (scaled > 0);
    canary__say(say, at);
}

/* What is no number, and what is too large to be read digit by digit. 1 when it was said. */
static int odd(struct canary__say *say, double value) {
    char text[32];

    if (isnan(value)) {
        canary__say(say, "unknown");
        return 1;
    }
    if (isinf(value)) {
        canary__say(say, value > 0 ? "unlimited" : "less than any number");
        return 1;
    }
    if (fabs(value) >= 1e15) {
        snprintf(text, sizeof text, "%.2e", value);
        canary__say(say, text);
        return 1;
    }
    return 0;
}

static uint64_t scaled_by(double magnitude, int decimals) {
    return (uint64_t)llround(magnitude * powers[decimals]);
}

static int decimals_of(double magnitude) {
    int before;

    if (magnitude == 0) {
        return 0;
    }
    before = (int)floor(log10(magnitude)) + 1;
    if (before >= DIGITS) {
        return 0;
    }
    return DIGITS - before < DECIMALS_MOST ? DIGITS - before : DECIMALS_MOST;
}

void canary__say_number(struct canary__say *say, double value, double apart) {
    double magnitude = fabs(value);
    int decimals;

    if (odd(say, value)) {
        return;
    }
    decimals = decimals_of(magnitude);
    if (fabs(apart) < 1e15 && apart != value && (apart < 0) == (value < 0)) {
        while (decimals < DECIMALS_MOST && magnitude * powers[decimals + 1] < 1e15 &&
               scaled_by(magnitude, decimals) == scaled_by(fabs(apart), decimals)) {
            decimals++;
        }
    }
    if (value < 0 && scaled_by(magnitude, decimals) > 0) {
        canary__say(say, "-");
    }
    whole(say, scaled_by(magnitude, decimals), decimals);
}

void canary__say_count(struct canary__say *say, double count) {
    if (!odd(say, count)) {
        canary__say(say, count < 0 ? "-" : "");
        whole(say, scaled_by(fabs(count), 0), 0);
    }
}

void canary__say_about(struct canary__say *say, double count) {
    double step = 1;

    if (odd(say, count)) {
        return;
    }
    while (fabs(count) / step >= 1000) {
        step *= 10;
    }
    canary__say_count(say, ceil(count / step) * step);
}

void canary__say_percent(struct canary__say *say, double share, double apart) {
    canary__say_number(say, share * 100, apart * 100);
    canary__say(say, " %");
}

void canary__say_seconds(struct canary__say *say, double seconds, double apart) {
    int small = fabs(seconds) < 1;

    canary__say_number(say, small ? seconds * 1000 : seconds, small ? apart * 1000 : apart);
    canary__say(say, small && seconds != 0 ? " ms" : " s");
}

void canary__say_unit(struct canary__say *say, double value, double apart, const char *unit) {
    if (strcmp(unit, "seconds") == 0) {
        canary__say_seconds(say, value, apart);
        return;
    }
    canary__say_number(say, value, apart);
    if (unit[0] != '\0') {
        canary__say(say, " ");
        canary__say(say, unit);
    }
}

void canary__say_quantile(struct canary__say *say, double quantile) {
    double rest = quantile;
    char digits[] = "p00000000";
    size_t size = 1;

    /* Two digits at least: the median is p50. */
    while (size < sizeof digits - 1 && rest > 0 && rest < 1 && (size < 3 || rest > 1e-6)) {
        int digit = (int)floor(rest * 10 + 1e-6);

        digits[size++] = (char)('0' + digit % 10);
        rest = fmax(rest * 10 - digit, 1e-9);
    }
    digits[size] = '\0';
    canary__say(say, digits);
}

void canary__say_bp(struct canary__say *say, uint32_t bp) {
    whole(say, bp, 2);
    canary__say(say, " %");
}

void canary__say_span(struct canary__say *say, int64_t ns) {
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = { { 86400, " d" }, { 3600, " h" }, { 60, " min" }, { 1, " s" } };
    uint64_t seconds = ns > 0 ? ((uint64_t)ns + 500000000) / 1000000000 : 0;
    size_t first = 0;

    while (first < 3 && seconds < units[first].seconds) {
        first++;
    }
    whole(say, seconds / units[first].seconds, 0);
    canary__say(say, units[first].name);
    if (first < 3 && seconds % units[first].seconds >= units[first + 1].seconds) {
        canary__say(say, " ");
        whole(say, seconds % units[first].seconds / units[first + 1].seconds, 0);
        canary__say(say, units[first + 1].name);
    }
}

void canary__say_between(struct canary__say *say, int64_t from_ns, int64_t to_ns) {
    int64_t span;

    if (__builtin_sub_overflow(to_ns, from_ns, &span)) {
        span = to_ns > from_ns ? INT64_MAX : 0;
    }
    canary__say_span(say, span);
}
