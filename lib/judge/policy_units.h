/* SPDX-License-Identifier: MIT */
/* Texts that are numbers with a unit: "5m", "600ms", "99.9%". Of no locale. */
#ifndef CANARY__JUDGE_POLICY_UNITS_H
#define CANARY__JUDGE_POLICY_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "judge/spans.h"

/* A whole number and s, m, h, d or w: 1, else 0. At most ten years. */
int canary__units_time(const char *text, int64_t *ns);
/* A decimal number and ns, us, ms, s, m or h, as seconds: the double nearest to what stands there. */
int canary__units_duration(const char *text, double *seconds);
/* A decimal number and %, as a share: "99.9%" is 0.999. */
int canary__units_percent(const char *text, double *share);

/* "5m", "24h", "0s": the largest unit that divides it. Returns `out`. */
#define CANARY__UNITS_TEXT 40
const char *canary__units_time_text(int64_t ns, char out[CANARY__UNITS_TEXT]);
/* "600 ms", "5 s". */
const char *canary__units_duration_text(double seconds, char out[CANARY__UNITS_TEXT]);
/* "1 %", "99.9 %". */
const char *canary__units_percent_text(double share, char out[CANARY__UNITS_TEXT]);
/* Shortest decimal that is told apart at 15 digits, with a point in every locale. */
const char *canary__units_number_text(double number, char out[CANARY__UNITS_TEXT]);

#endif
