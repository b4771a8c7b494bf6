/* SPDX-License-Identifier: MIT */
/* How many distinct users each cohort has had, in one line and as JSON. */
#ifndef CTL_USERS_H
#define CTL_USERS_H

#include "session.h"

#include <jansson.h>

/* Adds a line, "users  48 200 (+-1.6 %), new 12 030 (24.96 %), old 36 170", or that they are not
 * known; nothing when nobody was counted. */
void users_add(const canary_exposure *exposure, struct text *out);
/* {total, error, new, old, exact, generation}, or null when nobody was counted. */
json_t *users_json(const canary_exposure *exposure);
/* Counts of decisions, {old: {reason: count}, new: {...}}. */
json_t *users_decisions_json(const canary_exposure *exposure);

/* For `status`, which must neither wait for the metrics nor fail because of them: reads through a
 * handle of its own that gives up at once. Adds a line unless nobody was counted. */
void users_status(struct session *session, struct text *out);
/* Sets the key "users", and "users_message" when they cannot be read. */
void users_status_json(struct session *session, json_t *object);

#endif
