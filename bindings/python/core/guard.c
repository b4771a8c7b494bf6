/* SPDX-License-Identifier: MIT */
#include <Python.h>

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

#ifdef Py_GIL_DISABLED

atomic_int *guard_line_of_thread(handle_guard *guard) {
    static atomic_uint next;
    static _Thread_local unsigned mine;
    if (mine == 0) {
        mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % GUARD_LINES + 1;
    }
    return &guard->lines[mine - 1].users;
}

#endif

int guard_init(handle_guard *guard, void *handle) {
#ifdef Py_GIL_DISABLED
    guard->lines = aligned_alloc(64, GUARD_LINES * sizeof(guard_line));
    if (guard->lines == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < GUARD_LINES; i++) {
        atomic_init(&guard->lines[i].users, 0);
    }
#endif
    atomic_store(&guard->waiting, 0);
    atomic_store(&guard->pid, getpid());
    atomic_store(&guard->handle, handle);
    return 0;
}

void guard_free(handle_guard *guard) {
#ifdef Py_GIL_DISABLED
    free(guard->lines);
    guard->lines = NULL;
#else
    (void)guard;
#endif
}

/* Those who waited in the parent when it forked are not in the child, and never leave. */
static void guard_settle(handle_guard *guard) {
    pid_t here = getpid();
    pid_t there = atomic_load(&guard->pid);
    if (there != here && atomic_compare_exchange_strong(&guard->pid, &there, here)) {
        atomic_store(&guard->waiting, 0);
    }
}

void *guard_enter(handle_guard *guard) {
    guard_settle(guard);
    atomic_fetch_add(&guard->waiting, 1);
    void *handle = atomic_load(&guard->handle);
    if (handle == NULL) {
        atomic_fetch_sub(&guard->waiting, 1);
    }
    return handle;
}

void guard_leave(handle_guard *guard) {
    atomic_fetch_sub(&guard->waiting, 1);
}

static int guard_is_idle(handle_guard *guard) {
#ifdef Py_GIL_DISABLED
    for (int i = 0; guard->lines != NULL && i < GUARD_LINES; i++) {
        if (atomic_load(&guard->lines[i].users) != 0) {
            return 0;
        }
    }
#endif
    return atomic_load(&guard->waiting) == 0;
}

void *guard_take(handle_guard *guard) {
    void *handle = atomic_exchange(&guard->handle, NULL);
    if (handle == NULL) {
        return NULL;
    }
    guard_settle(guard);
    if (guard_is_idle(guard)) {
        return handle;
    }
    int gave_up = 0;
    Py_BEGIN_ALLOW_THREADS const struct timespec pause = { 0, 200 * 1000 };
    for (int turn = 0; !guard_is_idle(guard); turn++) {
        /* A decision ends within microseconds; only calls that wait may take long. */
        if (atomic_load(&guard->waiting) == 0 && turn > 5000) {
            gave_up = 1;
            break;
        }
        nanosleep(&pause, NULL);
    }
    Py_END_ALLOW_THREADS return gave_up ? NULL : handle;
}
