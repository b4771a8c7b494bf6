/* SPDX-License-Identifier: MIT */
/* Opening, closing and looking at stores and contexts.
 *
 * A store is where rollouts live; a context is one rollout of a store, ready to decide. Contexts of
 * one store share its watcher, the thread that follows changes. The simplest program calls
 * canary_open() once and never sees the store.
 *
 * Caveats, all in one place
 * - fork(): supported at any time and in any number, with or without exec. A child decides at once
 *   and follows changes by itself (see decide.h). fork() waits for a store operation in progress. A
 *   raw clone() made while another thread is inside the library leaves the child with its last
 * state.
 * - Network file systems: no futex reaches other hosts and file locks are often broken; changes are
 *   followed by polling only. Use a store made for fleets instead.
 * - Do not open or close the database file by hand in a process that uses it: POSIX drops all locks
 *   of the process on that file. Link the one SQLite of the system, not a second copy.
 * - A context must not be used after canary_close(), like any handle.
 * - Callbacks (hooks) are called with the library's locks held unless said otherwise; from them
 * only decisions may be made. */
#ifndef CANARY_CONTEXT_H
#define CANARY_CONTEXT_H

#include <canary/error.h>
#include <canary/export.h>

CANARY_BEGIN_DECLS

typedef struct canary_store canary_store; /* opaque: where rollouts live */
typedef struct canary_ctx canary_ctx;     /* opaque: one rollout, ready to decide */

#define CANARY_NAME_MAX 128  /* longest rollout or flag name, bytes; [A-Za-z0-9._-] */
#define CANARY_SALT_MAX 128  /* longest salt, bytes; UTF-8 without control characters */
#define CANARY_PHASE_MAX 63  /* longest stage or phase name, bytes; [A-Za-z0-9._-] */
#define CANARY_ACTOR_MAX 255 /* longest `by`, bytes, UTF-8 without control characters */
#define CANARY_NOTE_MAX 1023 /* longest `note`, bytes, UTF-8 */
#define CANARY_STAGES_MAX 32 /* rungs of a ladder, stage 0 included */

/* canary_options.flags */
#define CANARY_OPEN_CREATE 1u     /* make the store when there is none */
#define CANARY_OPEN_NO_WATCHER 2u /* no thread: the program calls canary_refresh() itself */
#define CANARY_OPEN_DEFER 4u      /* succeed though nothing can be read yet (reason NOT_READY) */
#define CANARY_OPEN_READ_ONLY 8u  /* never write, not even to finish a dead writer's work */

/* Log levels */
#define CANARY_LOG_ERROR 1
#define CANARY_LOG_WARNING 2
#define CANARY_LOG_INFO 3
#define CANARY_LOG_DEBUG 4

/* Clocks asked of the clock hook */
#define CANARY_CLOCK_REALTIME 0  /* nanoseconds since 1970-01-01 UTC, for the audit trail */
#define CANARY_CLOCK_MONOTONIC 1 /* nanoseconds that never go back, for ages and deadlines */

/* Receives one line without a newline. Never sees a user id. Called with locks held. */
typedef void (*canary_log_fn)(void *user_data, int level, const char *message);
/* Answers the time of `clock` in nanoseconds. Must be wait-free when a stale policy is set, since
 * decisions call it then. */
typedef int64_t (*canary_clock_fn)(void *user_data, int clock);
/* realloc with sizes: `size` 0 frees `block` and answers NULL; `block` NULL allocates. Answers NULL
 * when there is no memory and leaves `block` as it was. Aligned like malloc. Any thread. */
typedef void *(*canary_alloc_fn)(void *user_data, void *block, uint64_t old_size, uint64_t size);
/* The application's kill switch, called on each decision that is not INVALID: any value but 0
 * kills. Must be as fast and as signal-safe as the program wants its decisions to be. No lock is
 * held. */
typedef int (*canary_kill_fn)(void *user_data);

/* How to open. Owned by the caller, who sets `size` and zeroes the rest; copied by the call. A
 * field beyond the caller's `size` counts as zero, and zero means the default everywhere. */
typedef struct canary_options {
    uint32_t size;           /* sizeof(canary_options) of the caller */
    uint32_t flags;          /* CANARY_OPEN_... */
    int64_t tick_ns;         /* how often to look without a bell; 0 = 250 ms; 1 ms to 1 h */
    int64_t busy_timeout_ns; /* how long a change waits for a locked store; 0 = 5 s; up to 1 h */
    int64_t
        stale_after_ns; /* context: `old` when the state is older; 0 = keep the last known state */
    canary_kill_fn kill_switch; /* context: NULL = none, and none costs nothing */
    void *kill_switch_data;
    canary_log_fn log; /* store: NULL = silence */
    void *log_data;
    canary_clock_fn clock; /* store: NULL = the system's clocks */
    void *clock_data;
    canary_alloc_fn allocate; /* store: NULL = realloc and free */
    void *allocate_data;
    uint32_t log_level; /* store: most talkative level passed on; 0 = CANARY_LOG_WARNING */
    uint32_t reserved;  /* 0 */
} canary_options;

/* clang-format off */
#define CANARY_OPTIONS_INIT \
    { (uint32_t)sizeof(canary_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_OPTIONS_INIT: zeroes `size` bytes and sets the size. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_options_init(canary_options *options, uint32_t size);

/* Opens the SQLite store at `path`. With CANARY_OPEN_CREATE a missing store is made, readable and
 * writable by its owner and readable by the group of the directory's default (mode 0644 less
 * umask). An older store is migrated when a change is made to it. `options` may be NULL. `*out` is
 * set on success only. Beside the database stand `<path>-doorbell`, and `<path>-journal` from
 * SQLite. Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID (path empty
 * or longer than 4000 bytes, unknown flags, a time out of range, a struct from a newer version with
 * fields set), _NO_STORE (no file and no CREATE), _NOT_A_STORE, _NEWER, _CORRUPT, _HOSTILE,
 * _PERMISSION, _READ_ONLY (CREATE where nothing can be written), _FULL, _IO, _BUSY (locked until
 * the deadline), _NOMEM, _SYSTEM. With CANARY_OPEN_DEFER only _INVALID, _NOMEM and _SYSTEM. */
CANARY_API int canary_store_open(const char *path, const canary_options *options,
                                 canary_store **out, canary_error *error);

/* Opens a new, empty store in memory: for tests, and for programs that keep no state. It belongs to
 * this handle alone; a forked child has its own copy. No watcher is started: changes made through
 * the handle are in effect when the changing call returns.
 * Thread: any thread. Blocking: wait-free but for the allocator. Errors: CANARY_E_INVALID, _NOMEM.
 */
CANARY_API int canary_store_open_memory(const canary_options *options, canary_store **out,
                                        canary_error *error);

/* Lets go of the store and sets `*store` to NULL, so that a second call does nothing; NULL and a
 * pointer to NULL are allowed. Contexts opened on it go on working; the last one closed ends the
 * watcher and joins its thread.
 * Thread: one thread per object. Blocking: may block on storage. Errors: none. */
CANARY_API void canary_store_close(canary_store **store);

/* Opens the store at `path` and one rollout in it: canary_store_open() and canary_open_in() in one.
 * The context owns the store. Thread: any thread. Blocking: may block on storage.
 * Errors: those of both. */
CANARY_API int canary_open(const char *path, const char *rollout, const canary_options *options,
                           canary_ctx **out, canary_error *error);

/* Opens one rollout of an open store. From `options` only flags, stale_after_ns and kill_switch are
 * read. `*out` is set on success only. CANARY_KILL is read from the environment here and never
 * again. A rollout whose row was changed outside libcanary opens and answers NOT_READY, with
 * CANARY_DOUBT_ROLLOUT in its info, until canary_accept() or the old row is back.
 * Thread: any thread. Blocking: may block on storage.
 * Errors: CANARY_E_INVALID (name not [A-Za-z0-9._-]{1,128}, options as above), _NOT_FOUND (no such
 * rollout), storage errors as in canary_store_open(), _NOMEM, _SYSTEM. With CANARY_OPEN_DEFER only
 * _INVALID, _NOMEM and _SYSTEM: the context answers `old` until the state can be read. */
CANARY_API int canary_open_in(canary_store *store, const char *rollout,
                              const canary_options *options, canary_ctx **out, canary_error *error);

/* Closes the context and sets `*ctx` to NULL, so that a second call does nothing; NULL and a
 * pointer to NULL are allowed. No decision may be running on it. Closing the last user of a store
 * joins the watcher. Thread: one thread per object. Blocking: may block on storage. Errors: none.
 */
CANARY_API void canary_close(canary_ctx **ctx);

/* The store a context belongs to, for the calls of rollout.h; borrowed, valid until canary_close().
 * NULL for NULL. Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API canary_store *canary_ctx_store(canary_ctx *ctx);

/* The time of the store's clock hook, nanoseconds: CANARY_CLOCK_REALTIME; any other number is taken
 * for CANARY_CLOCK_MONOTONIC. Who judges a rollout tells time by it, so that a program can run both
 * in a time of its own. A NULL store answers the system's clock. Thread: any thread. Blocking:
 * wait-free where the hook is. Errors: none. */
CANARY_API int64_t canary_store_now(canary_store *store, int clock);

/* Gives one line to the store's log hook, where `level` (CANARY_LOG_..., a lower number counts as
 * CANARY_LOG_ERROR) is not above the level the store was opened with: for libraries on top of this
 * one, which are to report where it does. The line is cut at 599 bytes; control characters become
 * "?". Must not name users. No lock is held. A NULL store or message does nothing.
 * Thread: any thread. Blocking: wait-free where the hook is. Errors: none. */
CANARY_API void canary_store_log(canary_store *store, int level, const char *message);

/* Does at once what the watcher does at a ring or tick: reads bell and store, and publishes what
 * changed to every context of the store. For programs without a watcher.
 * Thread: any thread. Blocking: may block on storage, one attempt without waiting for a lock.
 * Errors: CANARY_E_INVALID (NULL), and every storage error of canary_open_in(): the last known
 * state stays, lowered where the store is in doubt. */
CANARY_API int canary_refresh(canary_store *store, canary_error *error);

/* canary_ctx_info.source: what brought the present state */
#define CANARY_SOURCE_NONE 0    /* nothing was ever loaded */
#define CANARY_SOURCE_OPEN 1    /* the open call */
#define CANARY_SOURCE_BELL 2    /* the doorbell rang */
#define CANARY_SOURCE_TICK 3    /* the tick found it */
#define CANARY_SOURCE_REFRESH 4 /* canary_refresh() */
#define CANARY_SOURCE_CHANGE 5  /* a change made through this store handle */
#define CANARY_SOURCE_FORK 6    /* taken over from the parent process */

/* canary_ctx_info.kill_reasons: a set */
#define CANARY_KILL_LOCAL 1u       /* canary_kill() */
#define CANARY_KILL_FLAG 2u        /* the stored flag is off, missing or in doubt */
#define CANARY_KILL_ENVIRONMENT 4u /* CANARY_KILL names this rollout, or is "all" */
#define CANARY_KILL_BELL 8u        /* the bell is damaged */
#define CANARY_KILL_HOOK 16u       /* the application's hook says so at this moment */

/* canary_ctx_info.doubt: why less is shown than the store says; a set */
#define CANARY_DOUBT_ROLLOUT 1u   /* the rollout's row does not match its checksum */
#define CANARY_DOUBT_FLAG 2u      /* the flag's row does not match its checksum, or is missing */
#define CANARY_DOUBT_OVERRIDES 4u /* the overrides do not match their digest */
#define CANARY_DOUBT_TRAIL 8u     /* the trail does not continue what this process saw before */
#define CANARY_DOUBT_BELL 16u     /* the bell is damaged */
#define CANARY_DOUBT_ROLLBACK 32u /* a rollback was rung and is not recorded yet */

/* canary_ctx_info.hash_dropped: ways to compute SHA-256, a set. The names in front of the numbers
 * are those of hash_kernel and hash_many_kernel, and of the environment variable CANARY_SHA256, which
 * names the one to use where it can be used; it is read once, when a process hashes for the first
 * time, and not in set-user-ID programs. All of them give the same answers. */
#define CANARY_HASH_LIBSODIUM 1u /* "libsodium": runs everywhere */
#define CANARY_HASH_SHANI 2u     /* "shani": x86 with SHA instructions and AVX */
#define CANARY_HASH_ARMV8 4u     /* "armv8": aarch64 with SHA-2 instructions */
#define CANARY_HASH_AVX2 8u      /* "avx2": x86, eight users at once */
#define CANARY_HASH_AVX512 16u   /* "avx512": x86, sixteen users at once */

/* The freshness and state of a context. Owned by the caller, who sets `size`. */
typedef struct canary_ctx_info {
    uint32_t size;             /* sizeof(canary_ctx_info) of the caller */
    int32_t source;            /* CANARY_SOURCE_... of the last change of the state */
    int64_t age_ns;            /* since the state was last confirmed with the store; -1 never */
    uint64_t revision;         /* of the rollout's state; 0 when nothing was ever loaded */
    int32_t stage;             /* -1 when nothing was ever loaded */
    uint32_t percentage_bp;    /* what the store says */
    uint32_t effective_bp;     /* what is acted on now */
    uint32_t kill_reasons;     /* set of CANARY_KILL_...; 0 = not killed */
    uint32_t doubt;            /* set of CANARY_DOUBT_...; 0 = none */
    int32_t last_error;        /* code of the last failed refresh; 0 after a good one */
    int32_t watcher;           /* 1 when a watcher thread of this process follows the store */
    int32_t bell;              /* 1 when the doorbell is open and reaches this process */
    uint64_t publications;     /* how many states this context was given */
    uint32_t overrides_new;    /* users pinned to new in the published state */
    uint32_t overrides_old;    /* users pinned to old in the published state */
    char rollout[136];         /* name */
    char stage_name[64];       /* of the ladder, or the phase that an operator gave */
    char salt[136];            /* "" for none */
    char store[16];            /* "sqlite", "memory", or what the store calls itself */
    char last_message[496];    /* text of last_error; "" after a good refresh */
    char hash_kernel[16];      /* how this process hashes the id of one user */
    char hash_many_kernel[16]; /* and those of canary_decide_many() */
    uint32_t
        hash_dropped; /* CANARY_HASH_...: gave wrong answers on this machine and are not used */
    uint32_t hash_refused; /* 1 when CANARY_SHA256 names what there is not, or not here */
} canary_ctx_info;

/* clang-format off */
#define CANARY_CTX_INFO_INIT \
    { (uint32_t)sizeof(canary_ctx_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, 0 }
/* clang-format on */

/* Fills `*out` up to `out->size`. Thread: any thread. Blocking: may block on storage (takes the
 * lock that a refresh holds). Errors: CANARY_E_INVALID (NULL argument, size too small). */
CANARY_API int canary_info(canary_ctx *ctx, canary_ctx_info *out);

CANARY_END_DECLS

#endif
