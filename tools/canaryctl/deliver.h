/* SPDX-License-Identifier: MIT */
/* Telling others about a change: a command that is run, a webhook that is called. */
#ifndef CTL_DELIVER_H
#define CTL_DELIVER_H

#include "screen.h"

#include <canary/canary.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What happened. */
struct event {
    const char *rollout;
    const char *action; /* as in the trail; "exposure" when nothing was recorded: the flag edited by
                           SQL, a damaged store */
    const char *reason;
    const char *by;
    int32_t stage;
    int32_t from_stage;
    uint32_t percentage_bp; /* that users of this host's services get after it */
    uint32_t from_bp;
    uint64_t revision;
    uint64_t change; /* place in the trail; 0 = none */
    int64_t at_ns;
    const char *key; /* the same for the same event, however often it is told */
};

enum delivery {
    DELIVERY_DONE,
    DELIVERY_FAILED,
    DELIVERY_LATER, /* may succeed another time */
    DELIVERY_LEFT,  /* for something that is more urgent; another time it counts as the same try */
    DELIVERY_STOPPED, /* by a signal: not told, and to be told by the next run */
};

/* One line, for people. */
void event_sentence(const struct event *event, struct text *out);
/* The object that `watch -o json` prints and a webhook's metadata carry. */
json_t *event_json(const struct event *event);

/* Runs `command` by /bin/sh with CANARY_ROLLOUT, _PERCENTAGE, _STAGE, _ACTION, _REASON and more in its
 * environment, its output on standard error, and waits; after a minute it is killed with its children.
 * Says what went wrong. */
enum delivery deliver_exec(const char *command, const struct event *event, struct screen *screen);

/* Whether this program was built to call webhooks. */
bool deliver_can_post(void);
/* NULL, or why an address cannot be called. */
const char *deliver_check_url(const char *url);
/* The body of a post: JSON that Slack understands. */
json_t *deliver_body(const struct event *event);
/* Tries once to post `body` under `key`, for at most 10 s, or until `is_urgent` says that something else
 * is. Never says the address: it is a secret. Says what went wrong. */
enum delivery deliver_post(const char *url, const char *body, const char *key, const char *attempt,
                           struct screen *screen, bool (*is_urgent)(void *), void *user_data);

#endif
