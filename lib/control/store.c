/* SPDX-License-Identifier: MIT */
#include "control/store.h"

#include <canary/version.h>

#include <sodium/utils.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/page.h"
#include "base/sized.h"
#include "control/options.h"
#include "storage/stores.h"

/* A locked store is asked again this often: short against a commit, long against a look. */
enum { BUSY_STEP_NS = 200000 };

#define TICK_DEFAULT_NS INT64_C(250000000)
#define TICK_LOW_NS INT64_C(1000000)
#define BUSY_DEFAULT_NS INT64_C(5000000000)
#define HOUR_NS INT64_C(3600000000000)
#define ALL_FLAGS                                                                                  \
    (CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER | CANARY_OPEN_DEFER | CANARY_OPEN_READ_ONLY)

void canary_options_init(canary_options *options, uint32_t size) {
    if (options != NULL && size >= sizeof options->size) {
        memset(options, 0, size);
        options->size = size;
    }
}

int canary__options_admit(const canary_options *from, canary_options *to, canary_error *error) {
    memset(to, 0, sizeof *to);
    if (from != NULL &&
        canary__sized_in(to, from, sizeof *to, offsetof(canary_options, tick_ns)) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "options: size %u is too small, or fields newer than this library's "
                            "%s are set",
                            from->size, CANARY_VERSION);
    }
    if ((to->flags & ~ALL_FLAGS) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0, "options: unknown flags 0x%x", to->flags);
    }
    if (to->tick_ns != 0 && (to->tick_ns < TICK_LOW_NS || to->tick_ns > HOUR_NS)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "options: tick_ns is %lld; allowed is 0 or 1000000 (1 ms) to "
                            "3600000000000 (1 h)",
                            (long long)to->tick_ns);
    }
    if (to->busy_timeout_ns < 0 || to->busy_timeout_ns > HOUR_NS || to->stale_after_ns < 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "options: busy_timeout_ns %lld or stale_after_ns %lld is out of range; "
                            "allowed is 0 to 3600000000000 (1 h), and 0 or more",
                            (long long)to->busy_timeout_ns, (long long)to->stale_after_ns);
    }
    if (to->log_level > CANARY_LOG_DEBUG) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "options: log_level is %u; allowed is 0 to 4", to->log_level);
    }
    return CANARY_OK;
}

CANARY__HOT int64_t canary__store_machine_ns(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t canary__store_some(const canary_store *store, int64_t span_ns) {
    uint64_t value = (uint64_t)canary__store_machine_ns() + store->seed;

    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return (int64_t)((value ^ value >> 31) % (uint64_t)span_ns);
}

CANARY__HOT void canary__store_lock(canary_store *store) {
    pthread_mutex_lock(&store->page->lock);
}

/* Tells the room above only now: whoever was waiting for a change has it. */
static void tell_moved(canary_store *store) {
    const struct canary__upper *upper = canary__store_upper(store);

    store->moved = 0;
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (f->moved && upper != NULL) {
            upper->moved(f, f->moved_from);
        }
        f->moved = 0;
    }
}

CANARY__HOT void canary__store_unlock(canary_store *store) {
    if (store->moved) {
        tell_moved(store);
    }
    pthread_mutex_unlock(&store->page->lock);
}

void canary__store_keep(canary_store *store) {
    pthread_mutex_lock(&store->page->open);
}

void canary__store_let_go(canary_store *store) {
    pthread_mutex_unlock(&store->page->open);
}

/* -- fork -- */

static void fork_prepare(struct canary__fork_member *member) {
    canary_store *store = (canary_store *)(void *)member;

    canary__store_lock(store);
    store->forking = canary__store_upper(store); /* it may come at any moment */
    if (store->forking != NULL) {
        store->forking->prepare(store);
    }
    if (store->methods.before_fork != NULL) {
        store->methods.before_fork(store->implementation);
    }
}

static void fork_parent(struct canary__fork_member *member) {
    canary_store *store = (canary_store *)(void *)member;

    if (store->forking != NULL) {
        store->forking->parent(store);
    }
    canary__store_unlock(store);
}

static void fork_child(struct canary__fork_member *member) {
    canary_store *store = (canary_store *)(void *)member;

    /* Where the kernel wipes, all this is zero already. */
    memset(store->page, 0, sizeof *store->page);
    pthread_mutex_init(&store->page->lock, NULL);
    pthread_mutex_init(&store->page->open, NULL);
    store->news_ready = 0; /* its own look comes first */
    store->confirm_at = 0;
    store->tick_at = 0;
    store->seed = (uint64_t)getpid() << 32;
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        canary__ctx_wipe(f->ctx);
        f->source = CANARY_SOURCE_FORK;
    }
    if (store->forking != NULL) {
        store->forking->child(store);
    }
}

/* -- life -- */

static void store_free(canary_store *store) {
    struct canary__hooks hooks = store->hooks;

    canary__bell_close(&store->bell);
    sodium_memzero(store->secret, sizeof store->secret);
    canary__page_free(store->page, sizeof *store->page);
    canary__free(&hooks, store, sizeof *store);
}

static canary_store *store_new(const canary_options *options) {
    struct canary__hooks hooks;
    canary_store *store;

    canary__hooks_init(&hooks, options);
    store = canary__alloc(&hooks, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->hooks = hooks;
    store->flags = options->flags;
    store->tick_ns = options->tick_ns != 0 ? options->tick_ns : TICK_DEFAULT_NS;
    store->busy_ns = options->busy_timeout_ns != 0 ? options->busy_timeout_ns : BUSY_DEFAULT_NS;
    store->references = 1;
    store->seed = (uint64_t)getpid() << 32;
    canary__bell_init(&store->bell, NULL);
    store->page = canary__page_new(sizeof *store->page);
    if (store->page == NULL || pthread_mutex_init(&store->page->lock, NULL) != 0 ||
        pthread_mutex_init(&store->page->open, NULL) != 0) {
        store_free(store);
        return NULL;
    }
    store->member.prepare = fork_prepare;
    store->member.parent = fork_parent;
    store->member.child = fork_child;
    return store;
}

/* A handle without an implementation yet. It is known to the fork handlers from here on: filling it
 * may read files, and a child must not come into being in the middle of that. */
static int store_begin(const canary_options *options, canary_store *const *out,
                       canary_store **store, canary_error *error) {
    canary_options admitted;
    int code = canary__options_admit(options, &admitted, error);

    *store = NULL;
    if (code != CANARY_OK) {
        return code;
    }
    if (out == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "opening a store: out is NULL");
    }
    *store = store_new(&admitted);
    if (*store == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for a store handle");
    }
    code = canary__fork_join(&(*store)->member, error);
    if (code != CANARY_OK) {
        store_free(*store);
        *store = NULL;
    }
    return code;
}

/* With `code` 0 the implementation is in place; otherwise the handle goes. */
static int store_finish(canary_store *store, int code, canary_store **out) {
    if (code != CANARY_OK) {
        canary__fork_leave(&store->member);
        store_free(store);
        return code;
    }
    if (store->methods.doorbell != NULL) {
        canary__bell_init(&store->bell, store->methods.doorbell(store->implementation));
    }
    *out = store;
    return CANARY_OK;
}

int canary_store_open(const char *path, const canary_options *options, canary_store **out,
                      canary_error *error) {
    const struct timespec step = { 0, BUSY_STEP_NS };
    /* Attempts that a later one makes good must not show in the caller's struct. */
    canary_error own = canary__fail_none;
    canary_store *store;
    int64_t deadline;
    int code;

    if (path == NULL || path[0] == '\0' || strlen(path) > 4000) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "opening a store: a path of 1 to 4000 bytes is needed");
    }
    code = store_begin(options, out, &store, error);
    if (store == NULL) {
        return code;
    }
    deadline = canary__store_machine_ns() + store->busy_ns;
    for (;;) {
        canary__store_lock(store);
        code = canary__sqlite_open(path, store->flags, &store->hooks, &store->methods,
                                   &store->implementation, &own);
        if (code == CANARY_OK) {
            canary__sqlite_wait(store->implementation, store->busy_ns);
        }
        canary__store_unlock(store);
        if (code != CANARY_E_BUSY || canary__store_machine_ns() >= deadline) {
            break;
        }
        nanosleep(&step, NULL);
    }
    if (code != CANARY_OK) {
        canary__fail_copy(error, &own);
    }
    return store_finish(store, code, out);
}

int canary_store_open_memory(const canary_options *options, canary_store **out,
                             canary_error *error) {
    canary_store *store;
    int code = store_begin(options, out, &store, error);

    if (store == NULL) {
        return code;
    }
    store->flags |= CANARY_OPEN_NO_WATCHER;
    canary__store_lock(store);
    code = canary__memory_open(&store->hooks, &store->methods, &store->implementation, error);
    canary__store_unlock(store);
    return store_finish(store, code, out);
}

int canary_store_open_custom(const canary_storage_methods *methods, void *implementation,
                             const canary_options *options, canary_store **out,
                             canary_error *error) {
    canary_store *store;
    int code = store_begin(options, out, &store, error);

    if (store == NULL) {
        return code;
    }
    canary__store_lock(store);
    store->implementation = implementation;
    code = canary__storage_admit(methods, &store->methods, error);
    canary__store_unlock(store);
    return store_finish(store, code, out);
}

void canary__store_release(canary_store *store) {
    uint32_t left;

    canary__store_lock(store);
    left = --store->references;
    canary__store_unlock(store);
    if (left > 0) {
        return;
    }
    canary__watcher_stop(store);
    if (canary__store_upper(store) != NULL) {
        canary__store_upper(store)->ending(store);
    }
    /* Still known to the fork handlers: a child must not come into being while a connection is
     * being closed, since SQLite's process-wide locks would stay taken in it for ever. */
    canary__store_lock(store);
    store->methods.close(store->implementation);
    store->methods.before_fork = NULL;
    canary__store_unlock(store);
    canary__fork_leave(&store->member);
    store_free(store);
}

void canary_store_close(canary_store **store) {
    if (store != NULL && *store != NULL) {
        canary_store *gone = *store;

        *store = NULL;
        canary__store_release(gone);
    }
}

int canary__store_begin(canary_store *store, int mode, void **transaction, canary_error *error) {
    const struct timespec step = { 0, BUSY_STEP_NS };
    int64_t deadline = canary__store_machine_ns() + store->busy_ns;
    canary_error own = canary__fail_none;

    for (;;) {
        int code;

        canary__store_lock(store);
        code = store->methods.begin(store->implementation, mode, transaction, &own);
        if (code == CANARY_OK) {
            return CANARY_OK;
        }
        /* The lock is let go while waiting: the watcher goes on, and fork() need not wait. */
        canary__store_unlock(store);
        if (code != CANARY_E_BUSY || canary__store_machine_ns() >= deadline) {
            canary__fail_copy(error, &own);
            return code;
        }
        nanosleep(&step, NULL);
    }
}

int64_t canary_store_now(canary_store *store, int clock) {
    const canary_options defaults = CANARY_OPTIONS_INIT;
    struct canary__hooks system;

    clock = clock == CANARY_CLOCK_REALTIME ? CANARY_CLOCK_REALTIME : CANARY_CLOCK_MONOTONIC;
    if (store != NULL) {
        return canary__now(&store->hooks, clock);
    }
    canary__hooks_init(&system, &defaults);
    return canary__now(&system, clock);
}

void canary_store_log(canary_store *store, int level, const char *message) {
    if (store != NULL && message != NULL) {
        canary__log(&store->hooks, level < CANARY_LOG_ERROR ? CANARY_LOG_ERROR : level, "%s",
                    message);
    }
}
