/* SPDX-License-Identifier: MIT */
/* Sentences with figures, for people. Written without printf(): a guard that judges many rules makes
 * thousands of them a second, and figures must not change with the locale. */
#ifndef CANARY__JUDGE_SAY_H
#define CANARY__JUDGE_SAY_H

#include <stddef.h>
#include <stdint.h>

/* A caller's buffer that is filled from the left, always a string. What does not fit is cut at a whole
 * character. */
struct canary__say {
    char *text;
    size_t size; /* without the NUL */
    size_t room; /* with it */
};

struct canary__say canary__say_into(char *text, size_t room);
void canary__say(struct canary__say *say, const char *text);

/* "12 300"; rounded to a whole number. */
void canary__say_count(struct canary__say *say, double count);
/* About so much: three digits that count, "12 300". */
void canary__say_about(struct canary__say *say, double count);

/* Three digits that count, "0.94", "12.3"; more where it takes more to tell it from `apart`, so that
 * nothing "is below 1.5" at 1.5. NaN `apart` = from nothing. */
void canary__say_number(struct canary__say *say, double value, double apart);
/* The same as "5.2 %" of 0.052. */
void canary__say_percent(struct canary__say *say, double share, double apart);
/* The same as "600 ms", "5.2 s". */
void canary__say_seconds(struct canary__say *say, double seconds, double apart);
/* In the unit that a metric was declared with; "seconds" as above. */
void canary__say_unit(struct canary__say *say, double value, double apart, const char *unit);

/* "p95" of 0.95, "p999" of 0.999. */
void canary__say_quantile(struct canary__say *say, double quantile);

/* Basis points: "7.5 %". */
void canary__say_bp(struct canary__say *say, uint32_t bp);
/* A time that passes, in its two largest units: "3 h 20 min", "40 s". */
void canary__say_span(struct canary__say *say, int64_t ns);
/* The time between two, whichever they are. */
void canary__say_between(struct canary__say *say, int64_t from_ns, int64_t to_ns);

#endif
