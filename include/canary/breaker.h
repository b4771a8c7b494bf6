/* SPDX-License-Identifier: MIT */
/* The circuit breaker, for harm that cannot wait for a tick. Part of libcanary-judge.
 *
 * Opt-in, one for a context, in this process only. A thread looks at the process's own counts a few
 * times in each window; decisions and recording cost nothing more. When the new cohort fails too often the
 * breaker opens: every user of this process gets `old` (canary_limit()). After a while it half-opens for
 * few users, and closes when those fare well; it never raises exposure above what the store says. Each
 * time it opens, it says so in the store's documents, for operators and guards. */
#ifndef CANARY_BREAKER_H
#define CANARY_BREAKER_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>

CANARY_BEGIN_DECLS

typedef struct canary_breaker canary_breaker; /* opaque */

/* canary_breaker_info.state. Pinned for ever. */
#define CANARY_BREAKER_CLOSED 1    /* nothing is limited */
#define CANARY_BREAKER_OPEN 2      /* everybody gets old */
#define CANARY_BREAKER_HALF_OPEN 3 /* few users get new */

/* Called by the breaker's thread when its state has changed, without a lock of libcanary held. */
typedef void (*canary_breaker_fn)(void *user_data, int state, const char *message);

/* Owned by the caller, who sets `size`; copied by the call; 0 means the default everywhere. NULL instead
 * of the struct means all defaults. */
typedef struct canary_breaker_options {
    uint32_t size;     /* sizeof(canary_breaker_options) of the caller */
    uint32_t flags;    /* 0 */
    double rate;       /* open when errors and timeouts / outcomes of the new cohort are above;
                       between 0 and 1; 0 = 0.5 */
    uint64_t least;    /* outcomes in the window that it takes; 0 = 20 */
    int64_t window_ns; /* sliding; 100 ms to 5 min; 0 = 10 s */
    int64_t open_ns;   /* how long it stays open, 1 ms to 1 day; doubles each time it opens again
                          from half-open, up to 32 times; 0 = 30 s */
    uint32_t half_open_bp;      /* exposure while half-open, up to 10000; 0 = 100 (1 %) */
    uint32_t reserved;          /* 0 */
    uint64_t half_open_least;   /* outcomes without opening again that close it; 0 = 20 */
    canary_breaker_fn callback; /* NULL = none */
    void *user_data;
} canary_breaker_options;

/* clang-format off */
#define CANARY_BREAKER_OPTIONS_INIT \
    { (uint32_t)sizeof(canary_breaker_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_BREAKER_OPTIONS_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_breaker_options_init(canary_breaker_options *options, uint32_t size);

/* What a breaker knows. Owned by the caller, who sets `size`. */
typedef struct canary_breaker_info {
    uint32_t size;     /* sizeof(canary_breaker_info) of the caller */
    int32_t state;     /* CANARY_BREAKER_... */
    uint32_t opened;   /* times it opened */
    uint32_t reserved; /* 0 */
    uint64_t outcomes; /* of the new cohort in the window */
    uint64_t failures; /* of them errors and timeouts */
    int64_t since_ns;  /* real time of the last change of its state */
    int64_t next_ns;   /* open: real time of half-opening; else 0 */
} canary_breaker_info;

/* clang-format off */
#define CANARY_BREAKER_INFO_INIT \
    { (uint32_t)sizeof(canary_breaker_info), 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_BREAKER_INFO_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_breaker_info_init(canary_breaker_info *info, uint32_t size);

/* Starts a breaker for `ctx`, which stays open until canary_breaker_stop(). One breaker a context: it
 * owns the context's canary_limit(). A forked child has none, and what it inherited as a limit is
 * taken back in it by its own canary_limit(ctx, 10000) or breaker.
 * Thread: any thread. Blocking: never waits for storage. Errors: CANARY_E_INVALID (NULL, a value out of
 * range: the message says which), _NOMEM, _SYSTEM (no thread). */
CANARY_API int canary_breaker_start(canary_ctx *ctx, const canary_breaker_options *options,
                                    canary_breaker **out, canary_error *error);

/* Ends a breaker, takes its limit back, joins its thread and sets `*breaker` to NULL; NULL and a pointer
 * to NULL are allowed. Not from the breaker's own callback.
 * Thread: one thread per object. Blocking: may block on storage. Errors: none. */
CANARY_API void canary_breaker_stop(canary_breaker **breaker);

/* Fills `*out` up to `out->size`. Thread: any thread. Blocking: takes a short lock; never waits for
 * storage. Errors: CANARY_E_INVALID (NULL, size too small). */
CANARY_API int canary_breaker_read(canary_breaker *breaker, canary_breaker_info *out);

/* "closed", "open" or "half_open"; "unknown" for any other number. Static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_breaker_state_name(int state);

CANARY_END_DECLS

#endif
