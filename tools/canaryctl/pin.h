/* SPDX-License-Identifier: MIT */
/* Whether a user is pinned, whatever else decides about him now. */
#ifndef CTL_PIN_H
#define CTL_PIN_H

#include "session.h"

/* CANARY_OLD, CANARY_NEW, or -1 when the user is not pinned (or nobody can tell). */
int pin_find(const struct session *session, const void *user, size_t size);

#endif
