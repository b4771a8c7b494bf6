/* SPDX-License-Identifier: MIT */
/* For bench/: the same decisions without Python around them, timed in the same process. */
#include "core.h"

#include <time.h>

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* What a call costs that does nothing but take an object and answer a bool. */
PyObject *measure_bare(PyObject *module, PyObject *user) {
    (void)module;
    (void)user;
    Py_INCREF(Py_False);
    return Py_False;
}

static canary_user *users_of(PyObject *ids) {
    Py_ssize_t count = PyTuple_Size(ids);
    canary_user *users = PyMem_Malloc((size_t)(count > 0 ? count : 1) * sizeof(*users));
    if (users == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        users[i].size = 0;
        if (user_for_change(PyTuple_GetItem(ids, i), &users[i].id, &users[i].size) < 0) {
            PyMem_Free(users);
            return NULL;
        }
    }
    return users;
}

/* Nanoseconds a decision in C: (one at a time, all at once), over a tuple of ids. */
PyObject *measure_decisions(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *context, *ids;
    if (!PyArg_ParseTuple(args, "OO!", &context, &PyTuple_Type, &ids)) {
        return NULL;
    }
    uint64_t count = (uint64_t)PyTuple_Size(ids);
    canary_user *users = users_of(ids);
    uint8_t *cohorts = PyMem_Malloc(count + 1);
    PyObject *result = NULL;
    /* The module's own callers pass a Context; it is held open by being an argument. */
    atomic_int *line;
    canary_ctx *ctx =
        users == NULL ? NULL : guard_decide_enter(&((context_object *)context)->guard, &line);
    if (ctx != NULL && cohorts != NULL) {
        volatile int keep = 0;
        double start = now_ns();
        for (uint64_t i = 0; i < count; i++) {
            keep += canary_should_use_new_n(ctx, users[i].id, users[i].size);
        }
        double between = now_ns();
        canary_decide_many(ctx, users, count, cohorts);
        double end = now_ns();
        result = Py_BuildValue("(dd)", (between - start) / (double)count,
                               (end - between) / (double)count);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "closed, or no memory");
    }
    if (ctx != NULL) {
        guard_decide_leave(line);
    }
    PyMem_Free(users);
    PyMem_Free(cohorts);
    return result;
}

/* Nanoseconds in C: (a record of this decision, a decision with its record), over a tuple of ids. */
PyObject *measure_records(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *context, *ids;
    if (!PyArg_ParseTuple(args, "OO!", &context, &PyTuple_Type, &ids)) {
        return NULL;
    }
    uint64_t count = (uint64_t)PyTuple_Size(ids);
    canary_user *users = users_of(ids);
    PyObject *result = NULL;
    atomic_int *line;
    canary_ctx *ctx =
        users == NULL ? NULL : guard_decide_enter(&((context_object *)context)->guard, &line);
    if (ctx != NULL) {
        canary_decision decision = CANARY_DECISION_INIT;
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        outcome.duration_ns = 12000000;
        canary_explain(ctx, users[0].id, users[0].size, &decision);
        double start = now_ns();
        for (uint64_t i = 0; i < count; i++) {
            canary_record(ctx, &decision, &outcome);
        }
        double between = now_ns();
        for (uint64_t i = 0; i < count; i++) {
            canary_explain(ctx, users[i].id, users[i].size, &decision);
            canary_record(ctx, &decision, &outcome);
        }
        double end = now_ns();
        guard_decide_leave(line);
        result = Py_BuildValue("(dd)", (between - start) / (double)count,
                               (end - between) / (double)count);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "closed, or no memory");
    }
    PyMem_Free(users);
    return result;
}
