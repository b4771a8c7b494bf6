/* SPDX-License-Identifier: MIT */
/* Keeps a handle open while somebody uses it, though another thread closes it.
 *
 * Decisions hold the GIL from reading the handle to the last use of it and run no Python code
 * between, so that with a GIL they need no counter at all. Calls that release it count themselves
 * in `waiting`. Without a GIL each decision counts itself in one of several lines, since one line
 * for all threads would cost them more than the decision.
 *
 * Whoever closes takes the handle out first, then waits for the users. User and closer each write
 * one place and read the other's: sequential consistency forbids that both miss the other. */
#ifndef LIBCANARY_PYTHON_GUARD_H
#define LIBCANARY_PYTHON_GUARD_H

#include <stdatomic.h>
#include <sys/types.h>

#ifdef Py_GIL_DISABLED
#define GUARD_LINES 16
typedef struct {
    _Alignas(64) atomic_int users;
} guard_line;
#endif

typedef struct {
    _Atomic(void *) handle;
    atomic_int waiting;
    _Atomic(pid_t) pid; /* that `waiting` belongs to: a forked child has none of those threads */
#ifdef Py_GIL_DISABLED
    /* Allocated apart: the objects' allocator promises 16 bytes of alignment, not 64. */
    guard_line *lines;
#endif
} handle_guard;

int guard_init(handle_guard *guard, void *handle);
void guard_free(handle_guard *guard);

/* For a call that releases the GIL. The handle, or NULL when it is closed; then without leave. */
void *guard_enter(handle_guard *guard);
void guard_leave(handle_guard *guard);

/* Takes the handle out and waits, without the GIL, until nobody uses it. NULL when it was closed
 * before. In the rare case that a child was forked in the middle of another thread's decision
 * (possible without a GIL only) it gives up after a second and answers NULL: better leaked than
 * pulled away. */
void *guard_take(handle_guard *guard);

static inline int guard_is_open(handle_guard *guard) {
    return atomic_load_explicit(&guard->handle, memory_order_relaxed) != NULL;
}

#ifdef Py_GIL_DISABLED

atomic_int *guard_line_of_thread(handle_guard *guard);

static inline void *guard_decide_enter(handle_guard *guard, atomic_int **line) {
    *line = guard_line_of_thread(guard);
    atomic_fetch_add_explicit(*line, 1, memory_order_seq_cst);
    void *handle = atomic_load_explicit(&guard->handle, memory_order_seq_cst);
    if (handle == NULL) {
        atomic_fetch_sub_explicit(*line, 1, memory_order_release);
    }
    return handle;
}

static inline void guard_decide_leave(atomic_int *line) {
    atomic_fetch_sub_explicit(line, 1, memory_order_release);
}

#else

static inline void *guard_decide_enter(handle_guard *guard, atomic_int **line) {
    (void)line;
    return atomic_load_explicit(&guard->handle, memory_order_relaxed);
}

static inline void guard_decide_leave(atomic_int *line) {
    (void)line;
}

#endif

#endif
