/* SPDX-License-Identifier: MIT */
/* See percent.h. */
#include "percent.h"

#include <canary/canary.h>

#include <stdio.h>
#include <string.h>

#define DIGITS "0123456789"

const char *percent_parse(const char *string, uint32_t *bp) {
    size_t whole = strspn(string, DIGITS);
    const char *rest = string + whole;
    if (whole == 0)
        return string[0] == '-' ? "is below 0: a percentage is 0 to 100"
                                : "is no percentage: 0 to 100, as in 25 or 7.5";
    size_t decimals = 0;
    const char *fraction = rest;
    if (*rest == '.') {
        fraction = rest + 1;
        decimals = strspn(fraction, DIGITS);
        rest = fraction + decimals;
        if (decimals == 0)
            return "is no percentage: digits must follow the point, as in 7.5";
    }
    if (*rest == ',')
        return "is no percentage: decimals follow a point, as in 7.5";
    rest += strspn(rest, " ");
    if (*rest == '%')
        rest++;
    if (*rest != '\0')
        return "is no percentage: 0 to 100, as in 25 or 7.5";
    if (decimals > 2)
        return "has more than two decimals: 0 to 100 in steps of 0.01, as in 7.5";
    while (whole > 1 && *string == '0') {
        string++;
        whole--;
    }
    if (whole > 3)
        return "is above 100: a percentage is 0 to 100";
    uint32_t value = 0;
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (uint32_t)(string[i] - '0');
    for (size_t i = 0; i < 2; i++)
        value = value * 10 + (i < decimals ? (uint32_t)(fraction[i] - '0') : 0);
    if (value > CANARY_BP_MAX)
        return "is above 100: a percentage is 0 to 100";
    *bp = value;
    return NULL;
}

void percent_format(uint32_t bp, char out[PERCENT_SIZE]) {
    if (bp % 100 == 0)
        snprintf(out, PERCENT_SIZE, "%u", bp / 100);
    else if (bp % 10 == 0)
        snprintf(out, PERCENT_SIZE, "%u.%u", bp / 100, bp % 100 / 10);
    else
        snprintf(out, PERCENT_SIZE, "%u.%02u", bp / 100, bp % 100);
}
