/* SPDX-License-Identifier: MIT */
/* Delivering parcels to the measurement store, each once and only once.
 *
 * A delivery is one write transaction. It carries a number, one more than that of the process's last
 * delivery, in the row of this process in CANARY_TABLE_WRITERS. Whether a commit that failed took place
 * is told by that row in the next transaction, in which nobody else can write: parcels that went with
 * that number, or an earlier one, are in. */
#include <sodium/randombytes.h>
#include <string.h>

#include "base/fail.h"
#include "base/futex.h"
#include "base/text.h"
#include "observe/observation.h"

enum { ID = 16, STEP_NS = 200000, STEP_MOST_NS = 5000000 };

struct delivery {
    struct canary__observation *observation;
    struct canary__pending *first;
    canary_store *measurements;
    void *transaction;
    int once;         /* a locked store is not asked again */
    uint64_t arrived; /* number of this process's last delivery that is in the store */
    canary_error *error;
};

/* -- before -- */

static int find_generation(struct canary__pending *pending, struct canary__parcel *parcel, int busy,
                           uint64_t *generation, canary_error *error) {
    int code;

    if (pending->known_generation == 0 || parcel->revision == 0 ||
        parcel->revision != pending->known_revision) {
        code = busy ? CANARY_E_BUSY
                    : canary__merge_generation(pending->follower->store, pending->follower->name,
                                               parcel->revision, generation, error);
        if (code != CANARY_OK && pending->closing && parcel->revision != 0) {
            /* There is no next time. The revision names a generation that begins a little late. */
            *generation = parcel->revision;
            return CANARY_OK;
        }
        if (code != CANARY_OK) {
            return code;
        }
        pending->known_revision = parcel->revision;
        pending->known_generation = *generation;
    }
    *generation = pending->known_generation;
    return CANARY_OK;
}

/* Looks up the generations of a context's parcels, as far as that goes. `busy`: the trail is locked, and
 * was waited for already; what is not known without it comes next time. */
static int make_ready(struct canary__pending *pending, int busy, canary_error *error) {
    const struct canary__hooks *hooks = pending->observer->hooks;
    struct canary__parcel *parcel;
    uint32_t waiting;
    int code = CANARY_OK;

    pending->ready = 0;
    canary__observer_lock(pending->observer);
    parcel = pending->first;
    waiting = pending->waiting;
    canary__observer_unlock(pending->observer);
    /* Meanwhile more may be put at the end of the list, without the lock `flush`. */
    for (uint32_t i = 0; i < waiting && code == CANARY_OK; i++) {
        uint64_t generation = parcel->generation;

        if (generation == 0) {
            code = find_generation(pending, parcel, busy, &generation, error);
        }
        canary__observer_lock(pending->observer);
        if (code == CANARY_OK && parcel->generation == 0) {
            code = canary__sheet_relabel(hooks, &parcel->sheet, generation);
        }
        if (code == CANARY_OK) {
            parcel->generation = generation;
            pending->ready++;
        }
        parcel = parcel->next;
        canary__observer_unlock(pending->observer);
    }
    return code;
}

/* The parcel after `parcel`, NULL for the first, of those that are being delivered. `*left` begins as
 * their number: what follows the last one may be changing. */
static struct canary__parcel *next_ready(const struct canary__pending *pending,
                                         const struct canary__parcel *parcel, uint32_t *left) {
    if (*left == 0) {
        return NULL;
    }
    --*left;
    return parcel == NULL ? pending->first : parcel->next;
}

/* -- metrics that other processes declared differently -- */

/* Counts what the conflicting metric of this process recorded as rejected instead. That it conflicts
 * does not change any more, so the parcels are changed for good. */
static void refuse(struct canary__pending *pending, const char *metric) {
    const struct canary__hooks *hooks = pending->observer->hooks;
    uint32_t left = pending->ready;

    canary__observer_lock(pending->observer);
    for (struct canary__parcel *parcel = next_ready(pending, NULL, &left); parcel != NULL;
         parcel = next_ready(pending, parcel, &left)) {
        uint64_t refused = 0;

        for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
            struct canary__tally *tally =
                canary__sheet_find(&parcel->sheet, parcel->generation, cohort, metric) == NULL
                    ? NULL
                    : canary__sheet_at(hooks, &parcel->sheet, parcel->generation, cohort, metric);

            if (tally != NULL) {
                refused += canary__merge_events(tally);
                canary__tally_free(hooks, tally);
                memset(tally, 0, sizeof *tally);
            }
        }
        if (refused > 0) {
            struct canary__tally *losses = canary__sheet_at(
                hooks, &parcel->sheet, parcel->generation, CANARY_OLD, CANARY__SHEET_LOSSES);

            if (losses != NULL) {
                losses->kind = CANARY__TALLY_LOSSES;
                losses->counts[CANARY_REJECTED_KIND] += refused;
            }
            pending->delivered.refused += refused;
        }
    }
    canary__observer_unlock(pending->observer);
}

static int declare(struct delivery *delivery, struct canary__pending *pending,
                   const struct canary__declared *metric, uint32_t bit) {
    canary_error own = canary__fail_none;
    int declared;
    int code = canary__merge_declare(delivery->measurements, delivery->transaction,
                                     pending->follower->name, metric, &declared, &own);

    if (code == CANARY_E_CONFLICT) {
        refuse(pending, metric->name);
        if ((pending->complained & bit) == 0) {
            pending->complained |= bit;
            canary__log(pending->observer->hooks, CANARY_LOG_WARNING,
                        "canary: %s; what this process records of it is rejected", own.message);
        }
        return CANARY_OK;
    }
    if (code != CANARY_OK) {
        canary__fail_copy(delivery->error, &own);
    }
    return code;
}

static int declare_all(struct delivery *delivery, struct canary__pending *pending) {
    struct canary__observer *observer = pending->observer;
    uint32_t count = atomic_load_explicit(&observer->metric_count, memory_order_acquire);
    int code = CANARY_OK;

    if (atomic_load_explicit(&observer->duration_thresholds, memory_order_acquire) > 0) {
        code = declare(delivery, pending, &observer->duration, 0);
    }
    for (uint32_t i = 0; i < count && code == CANARY_OK; i++) {
        code = declare(delivery, pending, &observer->metrics[i], UINT32_C(1) << i);
    }
    return code;
}

/* -- the transaction -- */

static int take_sequence(void *user_data, const canary_storage_row *row) {
    uint64_t *arrived = user_data;

    *arrived = row->count > 1 ? (uint64_t)row->values[1].integer : 0;
    return 1;
}

static int read_arrived(struct delivery *delivery) {
    const canary_storage_methods *methods = &delivery->measurements->methods;
    const canary_storage_value key = canary__value_text(delivery->observation->page->writer);
    const canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 1, .limit = 1, .key = &key
    };

    delivery->arrived = 0;
    return methods->read(delivery->transaction, CANARY_TABLE_WRITERS, &range, take_sequence,
                         &delivery->arrived, delivery->error);
}

static int write_sequence(struct delivery *delivery, uint64_t sequence) {
    const struct canary__hooks *hooks = &delivery->measurements->hooks;
    const canary_storage_value values[] = {
        canary__value_text(delivery->observation->page->writer),
        canary__value_integer((int64_t)sequence),
        canary__value_integer(canary__now(hooks, CANARY_CLOCK_REALTIME)),
    };
    const canary_storage_row row = {
        .size = (uint32_t)sizeof row, .table = CANARY_TABLE_WRITERS, .count = 3, .values = values
    };

    return delivery->measurements->methods.write(delivery->transaction, &row, delivery->error);
}

static int has_arrived(const struct delivery *delivery, const struct canary__parcel *parcel) {
    return parcel->sequence != 0 && parcel->sequence <= delivery->arrived;
}

static int merge_parcel(struct delivery *delivery, const char *rollout,
                        struct canary__parcel *parcel) {
    int code = CANARY_OK;

    if (has_arrived(delivery, parcel)) {
        return CANARY_OK;
    }
    parcel->refused = 0;
    if (parcel->sheet.count > 0) {
        code = canary__merge_what_fits(delivery->measurements, delivery->transaction,
                                       CANARY_TABLE_TICKS, rollout, parcel->start_ns,
                                       &parcel->sheet, &parcel->refused, delivery->error);
    }
    if (code == CANARY_OK && parcel->users[0].count + parcel->users[1].count > 0) {
        code = canary__merge_users(delivery->measurements, delivery->transaction, rollout,
                                   parcel->generation, parcel->users, delivery->error);
    }
    return code;
}

static int merge_pending(struct delivery *delivery, struct canary__pending *pending) {
    uint32_t left = pending->ready;
    struct canary__parcel *parcel = next_ready(pending, NULL, &left);
    int code = parcel != NULL ? declare_all(delivery, pending) : CANARY_OK;

    while (parcel != NULL && code == CANARY_OK) {
        code = merge_parcel(delivery, pending->follower->name, parcel);
        parcel = next_ready(pending, parcel, &left);
    }
    return code;
}

/* From here on nobody knows whether these parcels are in, until the store is asked. Those that an earlier
 * delivery brought keep its number: this one may yet come to nothing. */
static void mark(struct delivery *delivery, uint64_t sequence) {
    delivery->observation->page->sequence = sequence;
    for (struct canary__pending *p = delivery->first; p != NULL; p = p->next) {
        uint32_t left = p->ready;

        for (struct canary__parcel *parcel = next_ready(p, NULL, &left); parcel != NULL;
             parcel = next_ready(p, parcel, &left)) {
            if (!has_arrived(delivery, parcel)) {
                parcel->sequence = sequence;
            }
        }
    }
}

static int merge_all(struct delivery *delivery) {
    const canary_storage_methods *methods = &delivery->measurements->methods;
    uint64_t sequence = delivery->observation->page->sequence;
    int code = read_arrived(delivery);

    for (struct canary__pending *p = delivery->first; p != NULL && code == CANARY_OK; p = p->next) {
        code = merge_pending(delivery, p);
    }
    sequence = (delivery->arrived > sequence ? delivery->arrived : sequence) + 1;
    if (code == CANARY_OK) {
        code = write_sequence(delivery, sequence);
    }
    if (code != CANARY_OK) {
        canary_error ignored = canary__fail_none;

        methods->end(delivery->transaction, 0, &ignored);
        return code;
    }
    mark(delivery, sequence);
    return methods->end(delivery->transaction, 1, delivery->error);
}

/* -- after -- */

static void settle(struct canary__pending *pending) {
    const struct canary__hooks *hooks = pending->observer->hooks;

    canary__observer_lock(pending->observer);
    while (pending->ready > 0) {
        struct canary__parcel *parcel = canary__parcels_take(pending, &pending->first);

        pending->ready--;
        pending->delivered.merged += parcel->outcomes;
        pending->delivered.refused += parcel->refused;
        canary__parcel_free(hooks, parcel);
    }
    canary__observer_unlock(pending->observer);
}

static int attempt(struct delivery *delivery) {
    canary_store *store = delivery->measurements;
    int code;

    canary__store_lock(store);
    code = store->methods.begin(store->implementation, CANARY_STORAGE_WRITE, &delivery->transaction,
                                delivery->error);
    if (code == CANARY_OK) {
        code = merge_all(delivery);
    }
    canary__store_unlock(store);
    return code;
}

/* As canary__store_begin(), but all of the transaction: readers may be in the way of its commit, too. A
 * thread that is to end asks no more. `*began` is when the last attempt did. */
static int attempt_until_free(struct delivery *delivery, int64_t *began) {
    const struct canary__observation_page *page = delivery->observation->page;
    int64_t deadline =
        canary__store_machine_ns() + (delivery->once ? 0 : delivery->measurements->busy_ns);
    int64_t step = STEP_NS;

    for (;;) {
        int code;

        *began = canary__store_machine_ns();
        code = attempt(delivery);
        if (code != CANARY_E_BUSY || canary__store_machine_ns() >= deadline ||
            canary__flusher_stopped(delivery->observation)) {
            return code;
        }
        (void)canary__futex_wait(NULL, 0, &page->stop, step);
        step = step * 2 < STEP_MOST_NS ? step * 2 : STEP_MOST_NS;
    }
}

static void name_writer(struct canary__observation_page *page) {
    if (page->writer[0] == '\0') {
        uint8_t id[ID];

        randombytes_buf(id, sizeof id);
        canary__text_hex(id, sizeof id, page->writer);
    }
}

static int deliver(struct delivery *delivery) {
    struct canary__observation *observation = delivery->observation;
    struct canary__observation_page *page = observation->page;
    int64_t began;
    int code = canary__merge_store(observation->store, 1, &delivery->measurements, delivery->error);

    if (code != CANARY_OK) {
        return code;
    }
    name_writer(page);
    code = attempt_until_free(delivery, &began);
    if (code != CANARY_OK) {
        return code;
    }
    for (struct canary__pending *p = delivery->first; p != NULL; p = p->next) {
        settle(p);
    }
    pthread_mutex_lock(&page->report);
    page->flushes++;
    page->flushed_at = canary__now(&observation->store->hooks, CANARY_CLOCK_REALTIME);
    page->flush_ns = canary__store_machine_ns() - began;
    pthread_mutex_unlock(&page->report);
    canary__retain(observation, delivery->measurements);
    return CANARY_OK;
}

/* Once when trouble begins and once when it is over, not at each tick. */
static void report(struct canary__observation *observation, int code, const canary_error *error) {
    struct canary__observation_page *page = observation->page;
    const struct canary__hooks *hooks = &observation->store->hooks;
    int before;

    pthread_mutex_lock(&page->report);
    before = page->last_error;
    page->last_error = code;
    canary__text_copy(page->last_message, sizeof page->last_message,
                      code == CANARY_OK ? "" : error->message);
    pthread_mutex_unlock(&page->report);
    if (code != CANARY_OK && before == CANARY_OK) {
        canary__log(hooks, CANARY_LOG_WARNING,
                    "canary: outcomes cannot be merged: %s (%s); they wait in memory",
                    error->message, canary_error_name(code));
    } else if (code == CANARY_OK && before != CANARY_OK) {
        canary__log(hooks, CANARY_LOG_INFO, "canary: outcomes are merged again");
    }
}

static struct canary__pending *waiting(struct canary__observation *observation) {
    struct canary__pending *first;

    canary__store_lock(observation->store);
    first = canary__observation_pendings(observation);
    canary__store_unlock(observation->store);
    return first;
}

int canary__flush(struct canary__observation *observation, int how, canary_error *error) {
    canary_error own = canary__fail_none;
    struct delivery delivery = { .observation = observation,
                                 .once = (how & CANARY__FLUSH_ONCE) != 0,
                                 .error = &own };
    uint32_t ready = 0;
    int busy = 0;
    int code = CANARY_OK;

    pthread_mutex_lock(&observation->page->flush);
    delivery.first = (how & CANARY__FLUSH_GATHER) != 0 ? canary__parcels_gather(observation)
                                                       : waiting(observation);
    if (observation->page->ungathered) {
        code = canary__fail(&own, CANARY_E_NOMEM, 0, "out of memory for figures");
    }
    /* One rollout that is not there keeps nobody else's figures back. */
    for (struct canary__pending *p = delivery.first; p != NULL; p = p->next) {
        int failure = make_ready(p, busy, &own);

        busy |= failure == CANARY_E_BUSY;
        code = failure != CANARY_OK ? failure : code;
        ready += p->ready;
    }
    if (ready > 0) {
        canary_error first = own;
        int delivered = deliver(&delivery);

        if (delivered != CANARY_OK) {
            code = delivered;
        } else {
            own = first;
        }
    }
    report(observation, code, &own);
    pthread_mutex_unlock(&observation->page->flush);
    if (code != CANARY_OK) {
        canary__fail_copy(error, &own);
    }
    return code;
}

int canary_flush(canary_store *store, canary_error *error) {
    struct canary__observation *observation;

    if (store == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_flush: store is NULL");
    }
    if (store->methods.measurements == NULL) {
        return canary__fail(error, CANARY_E_UNSUPPORTED, 0, "this store keeps no measurements");
    }
    if ((store->flags & CANARY_OPEN_READ_ONLY) != 0) {
        return canary__fail(error, CANARY_E_READ_ONLY, 0,
                            "the store was opened with CANARY_OPEN_READ_ONLY");
    }
    observation = canary__observation_of(store);
    return observation != NULL
               ? canary__flush(observation, CANARY__FLUSH_GATHER, error)
               : canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for figures");
}
