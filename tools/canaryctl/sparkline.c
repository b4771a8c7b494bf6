/* SPDX-License-Identifier: MIT */
/* See sparkline.h. */
#include "sparkline.h"

#include "say.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <string.h>

bool sparkline_able(void) {
    if (!say_mode.screen)
        return false;
    /* The program's own locale stays "C", in which it reads and writes numbers. */
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (locale == (locale_t)0)
        return false;
    bool able = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return able;
}

void sparkline_add(const double *values, size_t count, double low, double high, struct text *out) {
    static const char *const bars[] = { "\u2581", "\u2582", "\u2583", "\u2584",
                                        "\u2585", "\u2586", "\u2587", "\u2588" };
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            text_add(out, " ");
            continue;
        }
        /* What does not vary is drawn low: a full bar would look like an alarm. */
        double share = high > low ? (values[i] - low) / (high - low) : 0;
        int level = share >= 1 ? 7 : share > 0 ? (int)(share * 8) : 0;
        text_add(out, bars[level]);
    }
}
