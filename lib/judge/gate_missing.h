/* SPDX-License-Identifier: MIT */
/* What a rule still lacks before it can say what it is asked, and when that will be there. */
#ifndef CANARY__JUDGE_GATE_MISSING_H
#define CANARY__JUDGE_GATE_MISSING_H

#include "judge/gate.h"

enum {
    CANARY__MISSING_UNKNOWN = 0, /* nothing can be said */
    CANARY__MISSING_OUTCOMES,    /* `outcomes` more */
    CANARY__MISSING_RATE,        /* its window never holds enough at this rate */
    CANARY__MISSING_EFFECT,      /* the design effect is not measured yet */
    CANARY__MISSING_PROOF,       /* `outcomes` more, about, as things stand */
    CANARY__MISSING_NEVER,       /* as things stand it is not so, and cannot be proven */
    CANARY__MISSING_TIME,        /* it is so, but not for long enough */
};

struct canary__missing {
    int what;
    int cohort;          /* of the outcomes */
    double outcomes;     /* NaN = not known */
    double per_second;   /* at present; NaN = not known */
    int64_t ready_at_ns; /* 0 = not known */
};

void canary__gate_missing(const struct canary__rule *rule, const canary_rule_result *result,
                          const struct canary__scene *scene, int64_t through_ns,
                          struct canary__missing *out);

#endif
