/* SPDX-License-Identifier: MIT */
/* One look at bell and store, and the publication of what changed. */
#include <canary/canary.h>

#include <sched.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "control/follow.h"
#include "control/news.h"
#include "control/trail.h"

/* Does the trail continue what this process saw? A store that was put back from a copy, or
 * exchanged, does not, and is then believed only downwards. */
static int look_at_trail(canary_store *store, void *transaction, canary_error *error) {
    struct canary__change_row last;
    struct canary__change_row seen;
    int code = canary__row_read_change(&store->methods, transaction, 0, &last, error);

    if (code != CANARY_OK) {
        return code;
    }
    if (last.public.id == store->head_id && strcmp(last.public.hash, store->head_hash) == 0 &&
        last.intact) {
        store->trail_doubt = 0;
        return CANARY_OK;
    }
    if (store->head_id != 0 && last.public.id == store->head_id + 1) {
        /* The usual case. What this process saw is named in the row itself; reading that older row
         * would cost every process of the host as much as all of the rollout's state. */
        canary__text_copy(seen.public.hash, sizeof seen.public.hash, last.public.previous_hash);
    } else if (store->head_id != 0 && last.public.id > store->head_id) {
        code = canary__row_read_change(&store->methods, transaction, store->head_id, &seen, error);
        if (code != CANARY_OK) {
            return code;
        }
    } else {
        seen = last;
    }
    store->trail_doubt = (last.public.id != 0 && !last.intact) ||
                         (store->head_id != 0 && (last.public.id < store->head_id ||
                                                  strcmp(seen.public.hash, store->head_hash) != 0));
    if (store->trail_doubt && last.intact) {
        int64_t accepted;

        /* Whoever put another store in place on purpose has accepted it since. */
        code = canary__trail_accepted(&store->methods, transaction, NULL, &accepted, error);
        if (code != CANARY_OK) {
            return code;
        }
        store->trail_doubt = accepted <= store->head_at;
    }
    if (!store->trail_doubt) {
        store->head_id = last.public.id;
        store->head_at = last.public.at_ns;
        canary__text_copy(store->head_hash, sizeof store->head_hash, last.public.hash);
    }
    return CANARY_OK;
}

/* The same in a hurry: is the newest change the one that was seen last, or does it name that as the
 * one before it? Its own content is verified at the next tick, with the overrides. 0 when it is not as simple as that. */
static int continues(canary_store *store, void *transaction) {
    canary_error ignored = canary__fail_none;
    struct canary__link link;

    if (store->head_id == 0 || store->trail_doubt ||
        canary__row_read_link(&store->methods, transaction, &link, &ignored) != CANARY_OK) {
        return 0;
    }
    /* The same one still is where news has been taken from the bell. */
    if (!(link.id == store->head_id + 1 && strcmp(link.previous_hash, store->head_hash) == 0) &&
        !(link.id == store->head_id && strcmp(link.hash, store->head_hash) == 0)) {
        return 0;
    }
    store->head_id = link.id;
    store->head_at = link.at_ns;
    canary__text_copy(store->head_hash, sizeof store->head_hash, link.hash);
    return 1;
}

/* One rollout's trouble does not age the others. */
static void confirm(canary_store *store) {
    int64_t now = canary__now(&store->hooks, CANARY_CLOCK_MONOTONIC);

    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (f->loaded && f->current) {
            atomic_store_explicit(&canary__ctx_cold(f->ctx)->confirmed_ns, now,
                                  memory_order_relaxed);
        }
    }
}

/* Rows first for every rollout, overrides after: a change of percentage must not wait for a long
 * list of overrides to be read. */
static int read_all(canary_store *store, void *transaction, int source, int pins_too, int *complete,
                    canary_error *error) {
    int hurried = !pins_too;
    int failure = hurried && continues(store, transaction)
                      ? CANARY_OK
                      : look_at_trail(store, transaction, error);

    *complete = failure == CANARY_OK;
    if (failure != CANARY_OK) {
        return failure;
    }
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        canary_error own = canary__fail_none;
        int code = canary__follow_rows(f, transaction, hurried, &own);

        f->current = code == CANARY_OK;
        if (code == CANARY_OK) {
            canary__follow_bell(f, &store->image); /* the revision may have lifted a cap */
            /* A first state goes out with its overrides, not before them. */
            if (f->pins_known || f->good.overrides_new + f->good.overrides_old == 0) {
                canary__follow_publish(f, source);
            }
        } else {
            failure = code;
            /* What is not there is known completely: it comes with a change, and that is seen. */
            *complete = *complete && code == CANARY_E_NOT_FOUND;
            canary__fail_copy(error, &own);
        }
    }
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        canary_error own = canary__fail_none;
        int code = canary__follow_pins(f, transaction, pins_too, &own);

        canary__follow_publish(f, source);
        if (code != CANARY_OK) {
            failure = code;
            *complete = 0;
            f->current = 0;
            canary__fail_copy(error, &own);
        }
    }
    confirm(store);
    if (pins_too || !store->secret_known) {
        canary__news_learn(store, transaction);
    }
    return failure;
}

/* After a complete reading only rollouts that are not there are not current. */
static int still_missing(canary_store *store, canary_error *error) {
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (!f->current) {
            return canary__row_not_found(f->name, error);
        }
    }
    return CANARY_OK;
}

static int read_store(canary_store *store, void *transaction, int source, int force,
                      canary_error *error) {
    uint64_t token = 0;
    int has_token = store->methods.token != NULL;
    /* A plain SQL edit of overrides does not move the signed digest, so after any change they are
     * read once more even then; at the tick, where nobody waits for it, not at the bell. */
    int unhurried = force || source != CANARY_SOURCE_BELL;
    int complete = 0;
    int code;

    if (has_token) {
        code = store->methods.token(transaction, &token, error);
        if (code != CANARY_OK) {
            return code;
        }
        if (store->token_known && token == store->token && !force &&
            !(store->pins_due && unhurried)) {
            confirm(store);
            return still_missing(store, error);
        }
    }
    code = read_all(store, transaction, source, unhurried, &complete, error);
    store->token_known = has_token && complete;
    store->token = token;
    if (code == CANARY_OK) {
        store->pins_due = !unhurried;
    }
    return code;
}

static void remember(canary_store *store, int code, const canary_error *error) {
    if (code != store->last_error && code != CANARY_OK && code != CANARY_E_BUSY) {
        canary__log(&store->hooks, CANARY_LOG_WARNING, "canary: %s (%s); the last state stays",
                    error->message, canary_error_name(code));
    }
    store->last_error = code;
    canary__text_copy(store->last_message, sizeof store->last_message,
                      code == CANARY_OK ? "" : error->message);
}

/* Puts what the bell says into effect. Answers 1 when that changed anything. */
static CANARY__HOT int publish_bell(canary_store *store) {
    int changed = 0;

    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        uint64_t before = f->publications;

        canary__follow_bell(f, &store->image);
        canary__follow_publish(f, CANARY_SOURCE_BELL);
        changed |= f->publications != before;
    }
    return changed;
}

/* Reads of the bell as much as it takes to know the news, and puts it into effect. 0 when there was none. */
static CANARY__HOT int hear_news(canary_store *store, int64_t now) {
    uint32_t ring = store->image.ring;

    if (!canary__bell_read_head(&store->bell, &store->image)) {
        canary__bell_read(&store->bell, 0, &store->image);
    }
    if (!canary__news_take(store, ring, now)) {
        return 0;
    }
    (void)publish_bell(store);
    canary__news_settle(store, now);
    return 1;
}

/* Bell and store. Apart from the news, whose way is to be short: this one has errors to fill in. */
static __attribute__((noinline)) int look(canary_store *store, int source, int force, int heard,
                                          canary_error *error) {
    canary_error own = canary__fail_none;
    void *transaction = NULL;
    int changed = heard;
    int code;

    /* The bell before the store: a rollback is heard although the store is locked, full or broken.
     */
    if (!heard) {
        canary__bell_read(&store->bell, source != CANARY_SOURCE_BELL, &store->image);
        changed = publish_bell(store);
    }
    if (changed) {
        /* Every process of the host was woken by this ring. All of them are to hear of it before the
         * first begins the much longer look at the store. */
        sched_yield();
    }
    code = store->methods.begin(store->implementation, CANARY_STORAGE_READ, &transaction, &own);
    if (code == CANARY_OK) {
        canary_error ending = canary__fail_none;
        int ended;

        code = read_store(store, transaction, source, force, &own);
        ended = store->methods.end(transaction, 0, &ending);
        if (code == CANARY_OK && ended != CANARY_OK) {
            code = ended;
            own = ending;
        }
    }
    remember(store, code, &own);
    if (source == CANARY_SOURCE_TICK) {
        int64_t sooner = store->tick_at == 0 ? canary__store_some(store, store->tick_ns) : 0;

        store->tick_at = canary__store_machine_ns() + store->tick_ns - sooner;
    }
    /* A locked store is asked again at once; after any other failure there is the tick. */
    store->confirm_at = 0;
    store->news_ready = code == CANARY_OK || (code == CANARY_E_BUSY && store->news_ready);
    if (code != CANARY_OK) {
        canary__fail_copy(error, &own);
    }
    return code;
}

CANARY__HOT int canary__store_refresh(canary_store *store, int source, int force,
                                      canary_error *error) {
    int heard = 0;

    if (source == CANARY_SOURCE_BELL) {
        int64_t now = canary__store_machine_ns();

        heard = hear_news(store, now);
        /* The tick's time comes whatever rings: only its look reads all. Who waits for news gets it
         * first. */
        if (now >= store->tick_at) {
            source = CANARY_SOURCE_TICK;
        }
        if (heard && now < store->confirm_at) {
            return CANARY_OK;
        }
    }
    return look(store, source, force, heard, error);
}

int canary_refresh(canary_store *store, canary_error *error) {
    int code;

    if (store == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_refresh: store is NULL");
    }
    canary__store_lock(store);
    code = canary__store_refresh(store, CANARY_SOURCE_REFRESH, 0, error);
    canary__store_unlock(store);
    return code;
}
