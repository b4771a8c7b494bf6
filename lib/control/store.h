/* SPDX-License-Identifier: MIT */
/* A store handle and the rollouts that this process follows in it. */
#ifndef CANARY__STORE_H
#define CANARY__STORE_H

#include <canary/storage.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/fork.h"
#include "base/hooks.h"
#include "control/bell.h"
#include "control/row.h"
#include "core/snapshot.h"

#define CANARY__SECRET 32 /* bytes */

/* What must not be inherited: in a page that fork wipes, so that a child finds an unlocked mutex
 * and no watcher, with or without fork handlers. */
struct canary__store_page {
    pthread_mutex_t lock;
    pthread_mutex_t open;      /* see canary__store_keep() */
    _Atomic(uint32_t) watcher; /* 1 from the moment somebody starts one */
    uint32_t stop;             /* futex word; 1 ends the watcher */
    pthread_t thread;
};

struct canary__follower;

/* The room above, which counts outcomes: what it must be told. It hangs itself into a store when something
 * is counted there for the first time, and stays. */
struct canary__upper {
    /* The watcher, at each of its rounds. No lock is held. */
    void (*look)(canary_store *store);
    /* A state that may belong to another generation than `revision` was published; comes after all
     * contexts of the store were given theirs. The store's lock is held. */
    void (*moved)(struct canary__follower *follower, uint64_t revision);
    /* A context that just left the store's list, where `others` says whether more of its rollout are.
     * Only canary__store_keep() is held. */
    void (*leaves)(struct canary__follower *follower, int others);
    /* canary_close(), once nobody else can see the context. No lock is held. */
    void (*closed)(struct canary__follower *follower);
    /* The last release: neither contexts nor a watcher are left. */
    void (*ending)(canary_store *store);
    /* As in fork.h, with the store's lock held. */
    void (*prepare)(canary_store *store);
    void (*parent)(canary_store *store);
    void (*child)(canary_store *store);
};

/* One context of the store: what its process believes, and what it shows. */
struct canary__follower {
    struct canary__follower *next;
    canary_store *store;
    canary_ctx *ctx;
    int owns_store;
    int killed_by_environment;
    char name[CANARY_NAME_MAX + 1];
    uint64_t bell_key;

    /* The last state that was beyond doubt. */
    int loaded;
    int good_flag; /* 1 on, 0 off, -1 never seen beyond doubt */
    int64_t good_flag_at;

    /* What the store says now, believed only downwards where it is in doubt. */
    uint32_t row_bp; /* lowest of good and doubted row */
    uint32_t doubt;
    int flag_off;

    /* Overrides of the last good set, as the ring names them. */
    struct canary__pins *pins;
    char pins_digest[CANARY__DIGEST_TEXT];
    uint32_t pins_new;
    uint32_t pins_old;
    int pins_known;
    int pins_unsafe; /* some pin to `old` may be lost: nobody gets `new` */

    /* The cap that the bell put, until it is lifted. */
    int capped;
    uint32_t cap_bp;
    uint64_t cap_revision;
    int64_t cap_at; /* real time, when it was heard of */
    int cap_local;  /* the bell could not be told of it */
    struct {
        int capped;
        int local;
        uint32_t bp;
        uint64_t revision;
    } cap_before; /* what a lowering under way found */
    int bell_damaged;

    /* What was published last. */
    struct canary__state shown;
    int32_t source;
    uint64_t publications;
    int current; /* the last reading of the store told all about this rollout */
    int moved;   /* the room above is to be told, and from which revision */
    uint64_t moved_from;

    /* That last state as rows, which are long. */
    struct canary__rollout_row good;
    struct canary__flag_row good_flag_row;
};

struct canary_store {
    struct canary__fork_member member; /* first: the fork list hands it back */
    struct canary__store_page *page;
    struct canary__hooks hooks;
    canary_storage_methods methods;
    void *implementation;
    uint32_t flags;
    int64_t tick_ns;
    int64_t busy_ns;
    uint32_t references; /* under the lock */
    struct canary__follower *followers;
    struct canary__bell bell;

    /* What the last good reading saw. */
    int token_known;
    uint64_t token;
    int pins_due; /* overrides are to be read again though their digest did not move */
    uint64_t head_id;
    char head_hash[CANARY__DIGEST_TEXT];
    int64_t head_at;
    int trail_doubt;

    /* News: see news.h. */
    uint8_t secret[CANARY__SECRET];
    int secret_known;
    int news_ready;     /* the last look told all, so that news can build on it */
    int64_t confirm_at; /* machine time of the look that news waits for; 0 = none */
    int64_t tick_at;    /* machine time of the watcher's next look at everything */
    uint64_t seed;      /* of canary__store_some() */

    int last_error;
    char last_message[496];

    _Atomic(const struct canary__upper *) upper; /* NULL: nothing was ever counted */
    const struct canary__upper *forking;         /* who was told that the process forks */
    _Atomic(void *) observation;                 /* of the room above */
    int moved;                                   /* some follower has */

    /* Last, as its entries are long, and news does not look at them. */
    struct canary__bell_image image;
};

static inline const struct canary__upper *canary__store_upper(canary_store *store) {
    return atomic_load_explicit(&store->upper, memory_order_acquire);
}

void canary__store_lock(canary_store *store);
void canary__store_unlock(canary_store *store);

/* In between no context of the store is closed: for who looks at them one after another without
 * holding up changes by the store's lock. Comes before that lock, and is not held over storage. */
void canary__store_keep(canary_store *store);
void canary__store_let_go(canary_store *store);

/* Lets go of one reference; the last ends watcher and store. */
void canary__store_release(canary_store *store);

/* Starts the watcher unless there is one, or the store wants none. Any thread, lock not needed. */
int canary__watcher_start(canary_store *store, canary_error *error);
/* Ends and joins it, if this process has one. */
void canary__watcher_stop(canary_store *store);

/* Reads bell and store once, without waiting for locks, and publishes what changed; under the lock.
 * `force` reads even when the token did not move. */
int canary__store_refresh(canary_store *store, int source, int force, canary_error *error);

/* Begins a transaction, asking a locked store again until the deadline. On success the store's lock
 * is held; on failure it is not. */
int canary__store_begin(canary_store *store, int mode, void **transaction, canary_error *error);

/* Monotonic time of the machine, whatever clock the program hooked in: for deadlines. */
int64_t canary__store_machine_ns(void);

/* A time of up to `span_ns`, at each moment and in each process another one: of many processes that were
 * woken or started together, not all are to look together. */
int64_t canary__store_some(const canary_store *store, int64_t span_ns);

#endif
