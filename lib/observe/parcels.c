/* SPDX-License-Identifier: MIT */
/* Gathered figures of each context, waiting to be merged. */
#include <string.h>

#include "observe/observation.h"

/* What waits of one context is kept below these by merging neighbours, which makes its steps of time
 * longer; beyond DROP times as much, which only changes of generation without end can bring about, the
 * oldest is dropped and counted. */
enum { MOST = 360, MOST_BYTES = 8 << 20, DROP = 4 };

void canary__parcel_free(const struct canary__hooks *hooks, struct canary__parcel *parcel) {
    canary__sheet_free(hooks, &parcel->sheet);
    canary__sample_free(hooks, &parcel->users[0]);
    canary__sample_free(hooks, &parcel->users[1]);
    canary__free(hooks, parcel, sizeof *parcel);
}

void canary__parcels_free(const struct canary__hooks *hooks, struct canary__pending *pending) {
    while (pending->first != NULL) {
        struct canary__parcel *parcel = pending->first;

        pending->first = parcel->next;
        canary__parcel_free(hooks, parcel);
    }
    canary__free(hooks, pending, sizeof *pending);
}

struct canary__pending *canary__parcels_pending(struct canary__observation *observation,
                                                struct canary__follower *follower,
                                                uint64_t revision) {
    struct canary__observer *observer = canary__observer_of(follower->ctx);
    struct canary__pending *pending = observer->shards->pending;

    if (pending == NULL) {
        pending = canary__alloc(&observation->store->hooks, sizeof *pending);
        if (pending == NULL) {
            return NULL;
        }
        pending->follower = follower;
        pending->observer = observer;
        pending->revision = revision;
        pending->resample = 1;
        pending->end = &pending->first;
        pending->next = canary__observation_pendings(observation);
        canary__observer_lock(observer); /* for those who look at it without the store's lock */
        observer->shards->pending = pending;
        canary__observer_unlock(observer);
        observation->pendings = pending;
    }
    return pending;
}

static struct canary__pending *adopt(struct canary__observation *observation) {
    canary_store *store = observation->store;
    struct canary__pending *first;

    canary__observation_disinherit(observation);
    canary__store_lock(store);
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        struct canary__observer *observer = canary__observer_of(f->ctx);

        if (observer != NULL &&
            atomic_load_explicit(&observer->shards->used, memory_order_acquire) != 0) {
            /* Without memory what was recorded stays with the recorders until the next time. */
            observation->page->ungathered |=
                canary__parcels_pending(observation, f, f->shown.revision) == NULL;
        }
    }
    first = canary__observation_pendings(observation);
    canary__store_unlock(store);
    return first;
}

/* -- sizes -- */

static size_t bytes_of(const struct canary__parcel *parcel) {
    size_t bytes = sizeof *parcel + parcel->sheet.capacity * sizeof *parcel->sheet.entries;

    for (uint32_t i = 0; i < parcel->sheet.count; i++) {
        bytes += parcel->sheet.entries[i].tally.buckets != NULL
                     ? CANARY__HISTOGRAM_BUCKETS * sizeof(uint64_t)
                     : 0;
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        bytes += parcel->users[cohort].users != NULL ? CANARY__SAMPLE_MOST * sizeof(uint32_t) : 0;
    }
    return bytes;
}

static void weigh(struct canary__pending *pending, struct canary__parcel *parcel) {
    pending->bytes -= parcel->bytes;
    parcel->bytes = bytes_of(parcel);
    pending->bytes += parcel->bytes;
}

static void append(struct canary__pending *pending, struct canary__parcel *parcel) {
    *pending->end = parcel;
    pending->end = &parcel->next;
    pending->waiting++;
    weigh(pending, parcel);
}

/* Takes the parcel at `*place` out of the list. */
struct canary__parcel *canary__parcels_take(struct canary__pending *pending,
                                            struct canary__parcel **place) {
    struct canary__parcel *parcel = *place;

    *place = parcel->next;
    if (*place == NULL) {
        pending->end = place;
    }
    pending->waiting--;
    pending->bytes -= parcel->bytes;
    return parcel;
}

/* -- fewer parcels -- */

static int merge_users(const struct canary__hooks *hooks, struct canary__parcel *to,
                       const struct canary__parcel *from) {
    int changed;
    int code = canary__sample_merge(hooks, &to->users[0], &from->users[0], &changed);

    return code == CANARY_OK ? canary__sample_merge(hooks, &to->users[1], &from->users[1], &changed)
                             : code;
}

/* Puts the parcel after `parcel` into it, when they are of one generation and one fate. Samples first:
 * repeating them changes nothing. */
static int join_next(const struct canary__hooks *hooks, struct canary__pending *pending,
                     struct canary__parcel *parcel) {
    struct canary__parcel *next = parcel->next;

    if (next == NULL || next->sequence != parcel->sequence ||
        next->generation != parcel->generation ||
        (next->generation == 0 && next->revision != parcel->revision) ||
        merge_users(hooks, parcel, next) != CANARY_OK ||
        canary__sheet_merge(hooks, &parcel->sheet, &next->sheet) != CANARY_OK) {
        return 0;
    }
    parcel->outcomes += next->outcomes;
    canary__parcel_free(hooks, canary__parcels_take(pending, &parcel->next));
    weigh(pending, parcel);
    return 1;
}

static int over(const struct canary__pending *pending, uint32_t times) {
    return pending->waiting > (size_t)MOST * times || pending->bytes > (size_t)MOST_BYTES * times;
}

/* What it counted as lost goes on with the one after it. */
static void drop_first(const struct canary__hooks *hooks, struct canary__pending *pending) {
    struct canary__parcel *parcel = canary__parcels_take(pending, &pending->first);
    struct canary__parcel *next = pending->first;
    const struct canary__tally *lost =
        canary__sheet_find(&parcel->sheet, parcel->generation, CANARY_OLD, CANARY__SHEET_LOSSES);
    struct canary__tally *tally =
        canary__sheet_at(hooks, &next->sheet, next->generation, CANARY_OLD, CANARY__SHEET_LOSSES);

    pending->delivered.dropped += parcel->outcomes;
    if (tally != NULL) {
        tally->kind = CANARY__TALLY_LOSSES;
        tally->counts[CANARY__LOSS_DROPPED] += parcel->outcomes;
        if (lost != NULL) {
            (void)canary__tally_merge(hooks, tally, lost);
        }
        weigh(pending, next);
    }
    canary__parcel_free(hooks, parcel);
}

/* With the lock `flush`: no delivery is under way. */
static void keep_in_bounds(const struct canary__hooks *hooks, struct canary__pending *pending) {
    if (over(pending, 1)) {
        for (struct canary__parcel *p = pending->first; p != NULL; p = p->next) {
            pending->delivered.coarsened += (uint32_t)join_next(hooks, pending, p);
        }
    }
    while (over(pending, DROP) && pending->first != NULL && pending->first->next != NULL) {
        drop_first(hooks, pending);
    }
}

/* Each sample holds all of its revision's earlier ones, so one of each suffices. */
static void keep_newest_users(const struct canary__hooks *hooks, struct canary__pending *pending,
                              const struct canary__parcel *newest) {
    for (struct canary__parcel *p = pending->first; p != newest; p = p->next) {
        if (p->revision == newest->revision) {
            canary__sample_free(hooks, &p->users[0]);
            canary__sample_free(hooks, &p->users[1]);
            weigh(pending, p);
        }
    }
}

/* -- gathering -- */

/* What was recorded since the last gathering belongs, on the whole, to the middle of the time since; of
 * a long silence, to the end of it. */
static int64_t tick_of(struct canary__pending *pending, int64_t real, int64_t monotonic) {
    int64_t span = pending->gathered ? monotonic - pending->gathered_at : CANARY_TICK_NS;
    int64_t middle;

    span = span < 0 ? 0 : span > CANARY_TICK_NS ? CANARY_TICK_NS : span;
    middle = real - span / 2;
    pending->gathered = 1;
    pending->gathered_at = monotonic;
    return middle > 0 ? middle - middle % CANARY_TICK_NS : 0;
}

static uint64_t outcomes_of(const struct canary__sheet *sheet) {
    uint64_t outcomes = 0;

    for (uint32_t i = 0; i < sheet->count; i++) {
        outcomes += sheet->entries[i].tally.kind == CANARY__TALLY_STATUS
                        ? canary__merge_events(&sheet->entries[i].tally)
                        : 0;
    }
    return outcomes;
}

/* Under the observer's lock. Gives the new parcel, or NULL where there is nothing for one. CANARY_E_NOMEM:
 * nothing has happened, or the samples come later. */
static int gather(struct canary__pending *pending, int64_t real, int64_t monotonic,
                  struct canary__parcel **out) {
    struct canary__observer *observer = pending->observer;
    const struct canary__hooks *hooks = observer->hooks;
    struct canary__parcel *parcel = canary__alloc(hooks, sizeof *parcel);
    uint32_t sampled = canary__observer_sampled(observer);
    int users = pending->resample || sampled != pending->sampled;
    int code = CANARY_OK;

    *out = NULL;
    if (parcel == NULL || canary__observer_gather(observer, &parcel->sheet) != CANARY_OK) {
        canary__free(hooks, parcel, sizeof *parcel);
        return CANARY_E_NOMEM;
    }
    if (users) {
        code = canary__observer_samples(observer, parcel->users);
        pending->resample = code != CANARY_OK;
        pending->sampled = sampled;
    }
    if (parcel->sheet.count == 0 && parcel->users[0].count + parcel->users[1].count == 0) {
        canary__parcel_free(hooks, parcel);
        return code;
    }
    parcel->revision = pending->revision;
    parcel->start_ns = tick_of(pending, real, monotonic);
    parcel->outcomes = outcomes_of(&parcel->sheet);
    append(pending, parcel);
    *out = parcel;
    return code;
}

/* Joins the newest parcel with the one before it where they are of the same tick, as when a flush is
 * asked for again and again. */
static void join_tick(const struct canary__hooks *hooks, struct canary__pending *pending,
                      const struct canary__parcel *newest) {
    struct canary__parcel *before = pending->first;

    while (before != newest && before->next != newest) {
        before = before->next;
    }
    if (before != newest && before->start_ns == newest->start_ns) {
        (void)join_next(hooks, pending, before);
    }
}

/* Times on clocks that disagree would be labelled wrong, and old rows taken for older ones. */
static void watch_clocks(struct canary__observation *observation, int64_t real, int64_t monotonic) {
    static const int64_t much = INT64_C(5000000000);
    struct canary__observation_page *page = observation->page;
    int64_t real_span = real - page->real_at;
    int64_t off = real_span - (monotonic - page->monotonic_at);

    if (page->clocks && (real_span < 0 || off > much || off < -much)) {
        pthread_mutex_lock(&page->report);
        page->clock_jumps++;
        page->jumped_at = monotonic;
        pthread_mutex_unlock(&page->report);
    }
    page->clocks = 1;
    page->real_at = real;
    page->monotonic_at = monotonic;
}

struct canary__pending *canary__parcels_gather(struct canary__observation *observation) {
    const struct canary__hooks *hooks = &observation->store->hooks;
    int64_t real = canary__now(hooks, CANARY_CLOCK_REALTIME);
    int64_t monotonic = canary__now(hooks, CANARY_CLOCK_MONOTONIC);
    struct canary__pending *first;

    observation->page->ungathered = 0;
    first = adopt(observation);
    watch_clocks(observation, real, monotonic);
    for (struct canary__pending *p = first; p != NULL; p = p->next) {
        struct canary__parcel *newest;

        canary__observer_lock(p->observer);
        observation->page->ungathered |= gather(p, real, monotonic, &newest) != CANARY_OK;
        if (newest != NULL) {
            if (newest->users[0].count + newest->users[1].count > 0) {
                keep_newest_users(hooks, p, newest);
            }
            join_tick(hooks, p, newest);
        }
        keep_in_bounds(hooks, p);
        canary__observer_unlock(p->observer);
    }
    return first;
}

void canary__parcels_cut(struct canary__follower *follower, uint64_t revision) {
    struct canary__observation *observation = canary__observation_of(follower->store);
    const struct canary__hooks *hooks = &follower->store->hooks;
    struct canary__pending *pending =
        observation != NULL ? canary__parcels_pending(observation, follower, revision) : NULL;
    struct canary__parcel *parcel;

    /* Without memory the old generation's last seconds are counted for the new one. */
    if (pending == NULL) {
        return;
    }
    canary__observer_lock(pending->observer);
    (void)gather(pending, canary__now(hooks, CANARY_CLOCK_REALTIME),
                 canary__now(hooks, CANARY_CLOCK_MONOTONIC), &parcel);
    canary__observer_turn(pending->observer);
    pending->revision = follower->shown.revision;
    pending->resample = 1;
    /* Where nobody ever flushes nobody else looks at how much waits. Tried only: a delivery under way may
     * take long, and ends with a look of its own. */
    if (over(pending, 1) && pthread_mutex_trylock(&observation->page->flush) == 0) {
        keep_in_bounds(hooks, pending);
        pthread_mutex_unlock(&observation->page->flush);
    }
    canary__observer_unlock(pending->observer);
}
