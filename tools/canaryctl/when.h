/* SPDX-License-Identifier: MIT */
/* Times and durations: reading, writing, and the clocks. */
#ifndef CTL_WHEN_H
#define CTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#define WHEN_SIZE 48
#define WHEN_SECOND INT64_C(1000000000)

int64_t when_now(void);       /* nanoseconds since 1970-01-01 UTC */
int64_t when_monotonic(void); /* nanoseconds that never go back */

/* RFC 3339 in UTC with milliseconds: "2026-01-31T09:22:20.123Z". */
void when_rfc3339(int64_t ns, char out[WHEN_SIZE]);
/* The same for tables: "2026-01-31 09:22:20Z". */
void when_short(int64_t ns, char out[WHEN_SIZE]);
/* "3 min ago", "in 2 h", "just now". */
void when_ago(int64_t ns, int64_t now, char out[WHEN_SIZE]);
/* A span in the unit that suits it: "1.7 ms", "3 min". */
void when_span(int64_t ns, char out[WHEN_SIZE]);

/* Reads seconds with up to nine decimals, 0 to 3600, for time limits. */
bool when_parse_seconds(const char *string, int64_t *ns);
/* Reads a dwell time: a whole number and one of s, m, h, d, w; a bare 0 too. */
bool when_parse_dwell(const char *string, int64_t *ns);
/* Reads a point in time: "2026-01-31T09:22:20.5+01:00", "2026-01-31 09:22", "2026-01-31" (UTC unless it
 * says otherwise), "@1769851340" or 1769851340; unless `now` is 0 also "2h" (so long before it) and
 * "now". */
bool when_parse_time(const char *string, int64_t now, int64_t *ns);
/* Reads "12ms", "1.5 s", "250us", "-1s"; a number without a unit only where `bare_seconds` says that it
 * means seconds. Whole nanoseconds, as a double: who takes it checks the range. */
bool when_parse_duration(const char *string, bool bare_seconds, double *ns);

#endif
