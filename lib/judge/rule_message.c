/* SPDX-License-Identifier: MIT */
/* One sentence for a rule: what was measured, how much it rests on, and what the rule makes of it. */
#include <math.h>
#include <string.h>

#include "judge/gate.h"
#include "judge/say.h"

static int is_ratio(const canary_rule_result *result) {
    return result->against != CANARY_AGAINST_LIMIT;
}

static double own_n(const canary_rule_result *result) {
    return result->cohort == CANARY_OLD && !is_ratio(result) ? result->n_old : result->n_new;
}

/* "error rate", "duration p95", "mean cost", "F1", "error ratio". */
static void subject(struct canary__say *say, const canary_rule_result *result) {
    if (!is_ratio(result) && result->cohort == CANARY_OLD) {
        canary__say(say, "old cohort's ");
    }
    if (result->statistic == CANARY_STATISTIC_MEAN) {
        canary__say(say, "mean ");
    }
    if (result->statistic == CANARY_STATISTIC_F1) {
        canary__say(say, strcmp(result->metric, "f1") == 0 ? "F1" : result->metric);
        canary__say(say, strcmp(result->metric, "f1") == 0 ? "" : " F1");
    } else {
        canary__say(say, result->metric);
    }
    switch (result->statistic) {
    case CANARY_STATISTIC_RATE:
        if (!is_ratio(result) &&
            (strcmp(result->metric, "error") == 0 || strcmp(result->metric, "timeout") == 0)) {
            canary__say(say, " rate");
        }
        break;
    case CANARY_STATISTIC_QUANTILE:
        canary__say(say, " ");
        canary__say_quantile(say, result->quantile);
        break;
    case CANARY_STATISTIC_BURN:
        canary__say(say, " budget");
        break;
    case CANARY_STATISTIC_PRECISION:
    case CANARY_STATISTIC_RECALL:
        canary__say(say, " ");
        canary__say(say, canary_statistic_name(result->statistic));
        break;
    default:
        break;
    }
    canary__say(say, is_ratio(result) ? " ratio" : "");
}

/* In the unit of what is measured; of a ratio, what it is a ratio of. */
static void measured(struct canary__say *say, const canary_rule_result *result, double value,
                     double apart) {
    switch (result->statistic) {
    case CANARY_STATISTIC_RATE:
        canary__say_percent(say, value, apart);
        break;
    case CANARY_STATISTIC_QUANTILE:
        canary__say_seconds(say, value, apart);
        break;
    case CANARY_STATISTIC_MEAN:
        canary__say_unit(say, value, apart,
                         strcmp(result->metric, "duration") == 0 ? "seconds" : result->unit);
        break;
    default:
        canary__say_number(say, value, apart);
    }
}

static void threshold(struct canary__say *say, const canary_rule_result *result) {
    canary__say(say, result->above ? "above " : "below ");
    if (is_ratio(result)) {
        canary__say_number(say, result->threshold, NAN);
    } else if (result->statistic == CANARY_STATISTIC_BURN) {
        canary__say_number(say, result->threshold, NAN);
        canary__say(say, " times");
    } else {
        measured(say, result, result->threshold, NAN);
    }
}

/* What one cohort must not do, another value must not seem to do: rounding hides nothing. */
static void value(struct canary__say *say, const canary_rule_result *result) {
    if (is_ratio(result)) {
        canary__say_number(say, result->ratio, result->threshold);
    } else if (result->statistic == CANARY_STATISTIC_BURN) {
        canary__say(say, "used up ");
        canary__say_number(say, result->value, result->threshold);
        canary__say(say, " times as fast as it lasts");
    } else {
        measured(say, result, result->value, result->threshold);
    }
}

static void interval(struct canary__say *say, const canary_rule_result *result) {
    int bottom = result->low > 0 && isfinite(result->low);
    int top = isfinite(result->high);

    if (!bottom && !top) {
        return;
    }
    canary__say(say, ", ");
    canary__say_percent(say, 1 - result->alpha, NAN);
    canary__say(say, " anytime interval ");
    if (bottom && top) {
        canary__say_number(say, result->low, result->threshold);
        canary__say(say, " to ");
        canary__say_number(say, result->high, result->threshold);
    } else if (bottom) {
        canary__say(say, "from ");
        canary__say_number(say, result->low, result->threshold);
    } else {
        canary__say(say, "up to ");
        canary__say_number(say, result->high, result->threshold);
    }
}

/* The two values of a ratio; of a limit what the old cohort has, where that is known. */
static void both(struct canary__say *say, const canary_rule_result *result) {
    if (!isfinite(result->value) || !isfinite(result->reference) ||
        (!is_ratio(result) && result->cohort == CANARY_OLD)) {
        return;
    }
    canary__say(say, " (");
    if (is_ratio(result)) {
        measured(say, result, result->value, result->reference);
        canary__say(say, " against ");
        measured(say, result, result->reference, result->value);
        canary__say(say, result->against == CANARY_AGAINST_BASELINE ? " of the baseline)" : ")");
    } else {
        canary__say(say, "old cohort ");
        measured(say, result, result->reference, result->value);
        canary__say(say, ")");
    }
}

static void rests_on(struct canary__say *say, const canary_rule_result *result) {
    if (result->proof == CANARY_PROOF_EVIDENCE) {
        if (is_ratio(result) && !isfinite(result->ratio)) {
            both(say, result);
        }
        interval(say, result);
    } else {
        both(say, result);
        canary__say(say, " in ");
        canary__say_span(say, result->window_ns);
    }
    canary__say(say, ", n = ");
    canary__say_count(say, own_n(result));
    if (result->against == CANARY_AGAINST_OLD) {
        canary__say(say, " and ");
        canary__say_count(say, result->n_old);
    }
}

static void lasting(struct canary__say *say, const canary_rule_result *result, const char *words) {
    if (result->for_ns > 0) {
        canary__say(say, words);
        canary__say_span(say, result->for_ns);
    }
}

/* Proven of a change that came late, or that went again: the figures of the whole stage are those of a
 * healthy release. */
static int is_of_a_part(const canary_rule_result *result) {
    double now = is_ratio(result) ? result->ratio : result->value;

    return result->proof == CANARY_PROOF_EVIDENCE &&
           (result->above ? now <= result->threshold : now >= result->threshold);
}

static void finding(struct canary__say *say, const canary_rule_result *result) {
    const char *proven = result->proof == CANARY_PROOF_EVIDENCE ? "proven " : "";

    switch (result->state) {
    case CANARY_STATE_FIRING:
        canary__say(say, proven);
        threshold(say, result);
        lasting(say, result, " for ");
        canary__say(say, is_of_a_part(result) ? " during a part of this stage" : "");
        break;
    case CANARY_STATE_MET:
        canary__say(say, proven);
        threshold(say, result);
        lasting(say, result, " for ");
        canary__say(say, result->proof == CANARY_PROOF_EVIDENCE ? "" : ", as required");
        break;
    case CANARY_STATE_PENDING:
        threshold(say, result);
        lasting(say, result, ", but not yet for ");
        break;
    case CANARY_STATE_UNMET:
        if (result->proof == CANARY_PROOF_EVIDENCE) {
            canary__say(say, "not yet proven ");
            threshold(say, result);
        } else {
            canary__say(say, "must be ");
            threshold(say, result);
            lasting(say, result, " for ");
        }
        break;
    default:
        canary__say(say, "not ");
        canary__say(say, proven);
        threshold(say, result);
    }
}

/* Why it is not known. */
static void unknown(struct canary__say *say, const canary_rule_result *result) {
    double n = own_n(result);

    if (n < result->least) {
        canary__say(say, "needs ");
        canary__say_count(say, result->least);
        canary__say(say, result->least == 1 ? " outcome" : " outcomes");
        canary__say(say, result->cohort == CANARY_OLD && !is_ratio(result) ? " of the old cohort"
                                                                           : " of the new cohort");
        if (result->proof != CANARY_PROOF_EVIDENCE && result->window_ns > 0) {
            canary__say(say, " in ");
            canary__say_span(say, result->window_ns);
        }
        canary__say(say, ", has ");
        canary__say_count(say, n);
    } else if (result->proof == CANARY_PROOF_EVIDENCE && isnan(result->design_effect)) {
        canary__say(say,
                    "not known before it is measured how far requests of one user go together");
    } else if (result->against == CANARY_AGAINST_BASELINE) {
        canary__say(
            say, "not known: there is no baseline of it, which canaryctl baseline capture keeps");
    } else {
        canary__say(say, "not known from the figures there are");
    }
}

/* Evidence about a quantile counts who is above it: the old cohort's, and so many times that. */
static void quantile_ratio(struct canary__say *say, const canary_rule_result *result) {
    canary__say(say, ", old cohort's ");
    measured(say, result, result->reference, NAN);
    canary__say(say, ", above it ");
    canary__say_percent(say, result->k_old / result->n_old, NAN);
    canary__say(say, " of the old and, above ");
    canary__say_number(say, result->threshold, NAN);
    canary__say(say, " times it, ");
    canary__say_percent(say, result->k_new / result->n_new, NAN);
    canary__say(say, " of the new, n = ");
    canary__say_count(say, result->n_new);
    canary__say(say, " and ");
    canary__say_count(say, result->n_old);
}

/* A quantile against a limit is decided by how many are above it. That is told of evidence, and where
 * nobody asked for the quantile itself. */
static void quantile_limit(struct canary__say *say, const canary_rule_result *result) {
    int is_old = result->cohort == CANARY_OLD;

    canary__say(say, ", above ");
    measured(say, result, result->threshold, NAN);
    canary__say(say, " are ");
    canary__say_percent(say, is_old ? result->k_old / result->n_old : result->k_new / result->n_new,
                        1 - result->quantile);
    rests_on(say, result);
}

static int counts_above(const canary_rule_result *result) {
    return result->statistic == CANARY_STATISTIC_QUANTILE &&
           (result->proof == CANARY_PROOF_EVIDENCE || (!is_ratio(result) && isnan(result->value)));
}

void canary__gate_rule_message(canary_rule_result *result) {
    struct canary__say say = canary__say_into(result->message, sizeof result->message);

    subject(&say, result);
    if (result->state <= CANARY_STATE_UNKNOWN || result->state > CANARY_STATE_UNMET) {
        canary__say(&say, ": ");
        unknown(&say, result);
        return;
    }
    if (counts_above(result)) {
        (is_ratio(result) ? quantile_ratio : quantile_limit)(&say, result);
        canary__say(&say, ": ");
        finding(&say, result);
        return;
    }
    canary__say(&say, " ");
    value(&say, result);
    rests_on(&say, result);
    canary__say(&say, ": ");
    finding(&say, result);
}
