/* SPDX-License-Identifier: MIT */
/* What every command that changes something says afterwards: what moved, how long it took, and the
 * line that undoes it. */
#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "session.h"

#include <canary/canary.h>

#include <stdbool.h>

struct change_report {
    const canary_change *change;
    int64_t duration_ns;
    int64_t returned_at_ns; /* since 1970: when the change was durable and the bell had rung */
    bool dry_run;
    /* Set when users moved for another reason than the percentages (a flag): from, to. */
    bool exposure_known;
    uint32_t from_effective_bp;
    uint32_t to_effective_bp;
    const char *undo;    /* NULL = there is nothing to undo, and `no_undo` says why */
    const char *no_undo; /* NULL = say nothing */
    const char *what;    /* the first line; NULL = stages and percentages */
    const char *warning; /* NULL = none */
};

/* Prints the report in the session's format. */
void change_say(const struct session *session, const struct change_report *report);

/* Adds the command that brings the percentage back from where `change` took it. */
void change_undo(const struct session *session, const canary_change *change,
                 const canary_rollout *after, struct text *out);

#define CHANGE_INIT                                                                                \
    { .size = (uint32_t)sizeof(canary_change) }

#endif
