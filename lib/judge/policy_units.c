/* SPDX-License-Identifier: MIT */
#include "judge/policy_units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* 15 digits fit into a double exactly, and so does a power of ten up to 22: their quotient is then the
 * double nearest to the decimal, the same that JSON's own numbers become. */
#define DIGITS_MAX 15

static int decimal(const char *text, size_t *used, double *digits, int *places) {
    size_t at = 0;
    int count = 0;

    *digits = 0;
    *places = 0;
    while (text[at] >= '0' && text[at] <= '9') {
        *digits = *digits * 10 + (text[at++] - '0');
        count++;
    }
    if (count == 0) {
        return 0;
    }
    if (text[at] == '.') {
        at++;
        while (text[at] >= '0' && text[at] <= '9') {
            *digits = *digits * 10 + (text[at++] - '0');
            count++;
            ++*places;
        }
        if (*places == 0) {
            return 0;
        }
    }
    *used = at;
    return count <= DIGITS_MAX;
}

static double power_of_ten(int places) {
    double power = 1;

    while (places-- > 0) {
        power *= 10;
    }
    return power;
}

int canary__units_time(const char *text, int64_t *ns) {
    static const char units[] = "smhdw";
    static const int64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
    const int64_t most = INT64_C(3660) * 86400;
    const char *unit;
    double number;
    size_t used;
    int places;
    int64_t whole;

    if (!decimal(text, &used, &number, &places) || places != 0 || text[used] == '\0' ||
        text[used + 1] != '\0') {
        return 0;
    }
    unit = strchr(units, text[used]);
    if (unit == NULL || number > (double)most) {
        return 0;
    }
    whole = (int64_t)number * seconds[unit - units];
    if (whole > most) {
        return 0;
    }
    *ns = whole * CANARY__SECOND_NS;
    return 1;
}

int canary__units_duration(const char *text, double *seconds) {
    static const struct {
        const char *unit;
        double times;
        int places;
    } units[] = {
        { "ns", 1, 9 }, { "us", 1, 6 }, { "ms", 1, 3 },
        { "s", 1, 0 },  { "m", 60, 0 }, { "h", 3600, 0 },
    };
    double number;
    size_t used;
    int places;

    if (!decimal(text, &used, &number, &places) || places > 12) {
        return 0;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + used, units[i].unit) == 0) {
            *seconds = number * units[i].times / power_of_ten(places + units[i].places);
            return 1;
        }
    }
    return 0;
}

int canary__units_percent(const char *text, double *share) {
    double number;
    size_t used;
    int places;

    if (!decimal(text, &used, &number, &places) || strcmp(text + used, "%") != 0) {
        return 0;
    }
    *share = number / power_of_ten(places + 2);
    return 1;
}

const char *canary__units_number_text(double number, char out[CANARY__UNITS_TEXT]) {
    char *comma;

    snprintf(out, CANARY__UNITS_TEXT, "%.15g", number);
    comma = strchr(out, ',');
    if (comma != NULL) {
        *comma = '.';
    }
    return out;
}

const char *canary__units_time_text(int64_t ns, char out[CANARY__UNITS_TEXT]) {
    static const char units[] = "dhm";
    static const int64_t seconds[] = { 86400, 3600, 60 };
    const int64_t whole = ns / CANARY__SECOND_NS;

    /* "24h" is what people write for the dwell time of a day, and "7d" for a week. */
    for (int i = 0; i < 3; i++) {
        if (whole != 0 && whole % seconds[i] == 0 && !(i == 0 && whole == seconds[0])) {
            snprintf(out, CANARY__UNITS_TEXT, "%lld%c", (long long)(whole / seconds[i]), units[i]);
            return out;
        }
    }
    snprintf(out, CANARY__UNITS_TEXT, "%llds", (long long)whole);
    return out;
}

const char *canary__units_duration_text(double seconds, char out[CANARY__UNITS_TEXT]) {
    char number[CANARY__UNITS_TEXT];

    if (seconds < 1) {
        const int micro = seconds < 1e-3;

        /* 12 digits: what multiplying adds is not what somebody wrote. */
        snprintf(number, sizeof number, "%.12g", seconds * (micro ? 1e6 : 1e3));
        if (strchr(number, ',') != NULL) {
            *strchr(number, ',') = '.';
        }
        snprintf(out, CANARY__UNITS_TEXT, "%.30s %s", number, micro ? "us" : "ms");
    } else {
        canary__units_number_text(seconds, number);
        snprintf(out, CANARY__UNITS_TEXT, "%.30s s", number);
    }
    return out;
}

const char *canary__units_percent_text(double share, char out[CANARY__UNITS_TEXT]) {
    char number[CANARY__UNITS_TEXT];

    snprintf(number, sizeof number, "%.12g", share * 100);
    if (strchr(number, ',') != NULL) {
        *strchr(number, ',') = '.';
    }
    snprintf(out, CANARY__UNITS_TEXT, "%.30s %%", number);
    return out;
}
