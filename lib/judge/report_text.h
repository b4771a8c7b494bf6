/* SPDX-License-Identifier: MIT */
/* Growing text of a report: figures as people read them, and foreign text made harmless. */
#ifndef CANARY__JUDGE_REPORT_TEXT_H
#define CANARY__JUDGE_REPORT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. `failed` stays once memory ran out: it is looked at once, at the end. */
struct canary__text {
    char *data; /* NUL-terminated; NULL while empty */
    size_t size;
    size_t capacity;
    int failed;
};

void canary__text_free(struct canary__text *text);
void canary__text_clear(struct canary__text *text);
void canary__text_add(struct canary__text *text, const char *string);
void canary__text_addf(struct canary__text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A number with so many decimals, or with four digits that count: with a point whatever the locale of the
 * program says, which printf() obeys. */
void canary__text_fixed(struct canary__text *text, double value, int decimals);
void canary__text_general(struct canary__text *text, double value);
/* The content, never NULL. */
const char *canary__text_string(const struct canary__text *text);

/* Foreign bytes. Bytes that are no UTF-8, control characters and marks that turn the direction of
 * writing come out as U+FFFD; line ends and tabs as blanks. */
void canary__text_html(struct canary__text *text, const char *string);
/* What Markdown, or HTML within it, would act on is escaped. */
void canary__text_markdown(struct canary__text *text, const char *string);
/* As valid UTF-8, nothing escaped. */
void canary__text_plain(struct canary__text *text, const char *string);

/* Figures; NaN is "-". */
void canary__text_count(struct canary__text *text, double count);   /* "41 200" */
void canary__text_percent(struct canary__text *text, double share); /* "0.42 %" */
void canary__text_number(struct canary__text *text, double value);  /* "1.234" */
void canary__text_ratio(struct canary__text *text, double ratio);   /* "0.893" */
void canary__text_p(struct canary__text *text, double p);           /* "0.0123", "< 0.0001" */
void canary__text_bp(struct canary__text *text, uint32_t bp);       /* "7.5 %" */
void canary__text_time(struct canary__text *text, int64_t ns);      /* "2026-11-21 14:03 UTC" */
void canary__text_moment(struct canary__text *text, int64_t ns);    /* with its second */
void canary__text_rfc3339(struct canary__text *text, int64_t ns);
void canary__text_span(struct canary__text *text, int64_t ns); /* "2 h 5 min" */
/* A figure of a statistic (CANARY_STATISTIC_...) in the unit of its metric ("seconds", "eur", ""). */
void canary__text_value(struct canary__text *text, double value, int statistic, const char *unit);

/* The same for what a person gave: without digits that he did not give. */
void canary__text_limit(struct canary__text *text, double value, int statistic, const char *unit);

#endif
