/* SPDX-License-Identifier: MIT */
/* Verdicts in words; what evaluate and recommend have in common. */
#ifndef CTL_JUDGED_H
#define CTL_JUDGED_H

#include "session.h"
#include "text.h"

#include <canary/judge.h>

/* Judges the session's rollout, whose store is open, and gives the verdict to `print`, also when the store
 * could not be read: that is a verdict too. Returns 0 or the exit code after an error was told. */
int judged_by(struct session *session, uint32_t flags,
              void (*print)(const struct session *session, const canary_verdict *verdict),
              int *action);

/* Prints a JSON text the way every command prints JSON. */
void judged_print_json(struct text *text);

/* Adds "checkout  HOLD  25 %, stage 2 EXPANDED, risk medium". */
void judged_head(const canary_verdict *verdict, struct text *out);
/* Adds a labelled line: "  why        text". */
void judged_label(struct text *out, const char *label);

#endif
