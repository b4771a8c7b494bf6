/* SPDX-License-Identifier: MIT */
/* Spans of time in nanoseconds. */
#ifndef CANARY__JUDGE_SPANS_H
#define CANARY__JUDGE_SPANS_H

#include <stdint.h>

#define CANARY__MS_NS INT64_C(1000000)
#define CANARY__SECOND_NS INT64_C(1000000000)
#define CANARY__MINUTE_NS (60 * CANARY__SECOND_NS)
#define CANARY__HOUR_NS (60 * CANARY__MINUTE_NS)
#define CANARY__DAY_NS (24 * CANARY__HOUR_NS)

#endif
