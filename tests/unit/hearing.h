/* SPDX-License-Identifier: MIT */
/* A store, and a second handle that hears of its changes as another process would. */
#ifndef UNIT_HEARING_H
#define UNIT_HEARING_H

#include "control/news.h"
#include "support.h"

struct hearing {
    struct unit *unit;
    canary_store *reader;
    canary_ctx *ctx;
    struct canary__follower *f;
    char bell[600];
};

/* With rollout "a" at 5 %. */
struct hearing hearing_new(struct unit *unit);
/* One more on the same store. */
struct hearing hearing_open(struct unit *unit, const char *name);
void hearing_end(struct hearing *s);

void hearing_refresh(struct hearing *s, int source);
/* What a watcher does when its futex wakes. The look that is to confirm comes when the test says so,
 * however slow the machine is. */
void hearing_hear(struct hearing *s);
/* Rings without news, and hears it. */
void hearing_ring(struct hearing *s);
/* Lets the confirming look be due, and hears. */
void hearing_confirm(struct hearing *s);

/* The last hearing ended with a look at the store, or without one. */
void hearing_looked(struct hearing *s);
void hearing_believed(struct hearing *s, uint32_t bp);

/* The bell's page from its first byte on. */
void hearing_read(struct hearing *s, void *bytes, size_t size);
void hearing_write(struct hearing *s, const void *bytes, size_t size);

/* News of a raise that continues all that the reader knows, unsigned; and the signing of it. */
struct canary__news hearing_news(struct hearing *s, uint32_t bp);
void hearing_sign(struct hearing *s, struct canary__news *news, const uint8_t *secret);

#endif
