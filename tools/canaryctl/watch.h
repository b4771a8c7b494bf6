/* SPDX-License-Identifier: MIT */
/* `status --watch`. */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "session.h"

/* Follows the session's rollout until SIGINT or SIGTERM, which is its regular end. */
int watch_follow(struct session *session);

#endif
