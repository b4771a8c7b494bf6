/* SPDX-License-Identifier: MIT */
/* One user on many rollouts, hashed once for all of them. */
#include "core.h"

typedef struct {
    canary_ctx **contexts;
    atomic_int **lines; /* NULL: the handle was not entered */
    uint8_t *cohorts;
    Py_ssize_t count;
} asked;

static void asked_free(asked *all) {
    PyMem_Free(all->contexts);
    PyMem_Free(all->lines);
    PyMem_Free(all->cohorts);
}

static int asked_init(asked *all, Py_ssize_t count) {
    size_t room = (size_t)(count > 0 ? count : 1);
    all->count = count;
    all->contexts = PyMem_Calloc(room, sizeof(*all->contexts));
    all->lines = PyMem_Calloc(room, sizeof(*all->lines));
    all->cohorts = PyMem_Calloc(room, 1);
    if (all->contexts == NULL || all->lines == NULL || all->cohorts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* Asks the kill switches, which may run any code, before the first handle is entered. What is
 * killed is left out, and so answers old. */
static int asked_switches(PyObject *rollouts, PyTypeObject *type, int valid, uint8_t *killed) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(rollouts); i++) {
        PyObject *rollout = PyTuple_GetItem(rollouts, i);
        if (!PyObject_TypeCheck(rollout, type)) {
            PyErr_Format(PyExc_TypeError, "a libcanary.Rollout is wanted, not %R",
                         (PyObject *)Py_TYPE(rollout));
            return -1;
        }
        context_object *context = (context_object *)rollout;
        if (context->kill_switch != NULL && valid && guard_is_open(&context->guard)) {
            int answer = switch_ask(context);
            if (answer < 0) {
                return -1;
            }
            killed[i] = (uint8_t)answer;
        }
    }
    return 0;
}

PyObject *decide_rollouts(PyObject *module, PyObject *args) {
    PyObject *user, *given;
    if (!PyArg_ParseTuple(args, "OO", &user, &given)) {
        return NULL;
    }
    const void *id = NULL;
    uint64_t size = 0;
    int valid = user_of(user, &id, &size);
    PyObject *rollouts = valid < 0 ? NULL : PySequence_Tuple(given);
    if (rollouts == NULL) {
        return NULL;
    }
    core_state *state = PyModule_GetState(module);
    PyObject *result = NULL;
    asked all = { NULL, NULL, NULL, 0 };
    if (asked_init(&all, PyTuple_Size(rollouts)) < 0 ||
        asked_switches(rollouts, state->context_type, valid, all.cohorts) < 0) {
        goto done;
    }
    Py_ssize_t entered = 0;
    for (; entered < all.count; entered++) {
        context_object *context = (context_object *)PyTuple_GetItem(rollouts, entered);
        canary_ctx *ctx = guard_decide_enter(&context->guard, &all.lines[entered]);
        if (ctx == NULL) {
            break;
        }
        all.contexts[entered] = all.cohorts[entered] ? NULL : ctx;
    }
    if (entered == all.count) {
        canary_decide_rollouts(all.contexts, (uint64_t)all.count, valid ? id : NULL,
                               valid ? size : 0, all.cohorts);
    }
    for (Py_ssize_t i = 0; i < entered; i++) {
        guard_decide_leave(all.lines[i]);
    }
    result = entered == all.count ? answers_of(all.cohorts, all.count)
                                  : raise_closed("the rollout is closed");
done:
    asked_free(&all);
    Py_DECREF(rollouts);
    return result;
}
