/* SPDX-License-Identifier: MIT */
/* What every command that changes something does before and afterwards: it reads how the change is
 * to be made and opens the store; then it says what moved, how long it took, and the line that
 * undoes it. */
#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "session.h"

#include <canary/canary.h>

#include <jansson.h>
#include <stdbool.h>

/* One change: how it is made, and what came of it. */
struct change {
    canary_change_options options;
    canary_change made;
    canary_error error;
    int64_t started; /* monotonic */
};

/* Reads the options and opens the store. Returns 0 or the exit code after an error was told. */
int change_open(struct session *session, uint32_t flags, struct change *change);
/* The same, for a change of the session's rollout. */
int change_open_rollout(struct session *session, uint32_t flags, struct change *change);
/* The same, where the rollout may stand among the words. */
int change_open_named(struct session *session, int count, char **words, struct change *change);
/* A row of the trail. */
json_t *change_json(const canary_change *change);

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
    const char *warning; /* a line each; NULL = none */
};

/* What there is to report right after the change was made. */
struct change_report change_report(const struct change *change);

/* Prints the report in the session's format. */
void change_say(const struct session *session, const struct change_report *report);

/* Adds the command that brings the percentage back from where `change` took it. */
void change_undo(const struct session *session, const canary_change *change,
                 const canary_rollout *after, struct text *out);

#endif
