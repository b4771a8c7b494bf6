/* SPDX-License-Identifier: MIT */
/* libcanary-judge: policies, verdicts, guards, circuit breakers, reports. For programs that let their
 * release be judged; a program that only decides needs canary.h alone. */
#ifndef CANARY_JUDGE_H
#define CANARY_JUDGE_H

#include <canary/breaker.h>
#include <canary/canary.h>
#include <canary/guard.h>
#include <canary/policy.h>
#include <canary/report.h>
#include <canary/verdict.h>

#endif
