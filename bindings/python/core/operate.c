/* SPDX-License-Identifier: MIT */
/* The changes an operator makes. Python (libcanary/_rollout.py) has one method for each; here they
 * are one call with a word for what to do. */
#include "core.h"

#include <string.h>

typedef struct {
    canary_change_options options;
    long long expected_revision;
    int expected_stage;
    unsigned int flags;
} change_request;

static void request_init(change_request *request) {
    request->options = (canary_change_options)CANARY_CHANGE_OPTIONS_INIT;
    request->expected_revision = CANARY_ANY_REVISION;
    request->expected_stage = CANARY_ANY_STAGE;
    request->flags = 0;
}

static const canary_change_options *request_done(change_request *request) {
    request->options.expected_revision = request->expected_revision;
    request->options.expected_stage = request->expected_stage;
    request->options.flags = request->flags;
    return &request->options;
}

static PyObject *changed(store_object *self, int code, const canary_change *change,
                         const canary_error *error) {
    store_leave(self);
    return code == CANARY_OK ? dict_of_change(change) : raise_canary(code, error);
}

/* Stages come as a tuple of (name or None, basis points, dwell in nanoseconds). */
typedef struct {
    uint32_t bp[CANARY_STAGES_MAX];
    const char *names[CANARY_STAGES_MAX];
    int64_t dwell_ns[CANARY_STAGES_MAX];
} ladder_arrays;

static int ladder_of(PyObject *stages, ladder_arrays *ladder, canary_rollout_spec *spec) {
    Py_ssize_t count = PyTuple_Size(stages);
    if (count < 0) {
        return -1;
    }
    if (count > CANARY_STAGES_MAX - 1) {
        PyErr_Format(PyExc_ValueError, "%zd stages; at most %d above stage 0 are allowed", count,
                     CANARY_STAGES_MAX - 1);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        unsigned int bp;
        long long dwell_ns;
        PyObject *stage = PyTuple_GetItem(stages, i);
        if (!PyTuple_Check(stage) ||
            !PyArg_ParseTuple(stage, "zIL", &ladder->names[i], &bp, &dwell_ns)) {
            return -1;
        }
        ladder->bp[i] = bp;
        ladder->dwell_ns[i] = dwell_ns;
    }
    spec->stage_count = (uint32_t)count;
    spec->stages_bp = count > 0 ? ladder->bp : NULL;
    spec->stage_names = count > 0 && ladder->names[0] != NULL ? ladder->names : NULL;
    spec->dwell_ns = count > 0 ? ladder->dwell_ns : NULL;
    return 0;
}

PyObject *store_create(store_object *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = { "name", "stages",   "salt",  "flag", "by",
                             "note", "evidence", "flags", NULL };
    change_request request;
    request_init(&request);
    canary_rollout_spec spec;
    memset(&spec, 0, sizeof(spec));
    spec.size = (uint32_t)sizeof(spec);
    PyObject *stages;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO!zz|zzzI", names, &spec.name, &PyTuple_Type,
                                     &stages, &spec.salt, &spec.flag, &request.options.by,
                                     &request.options.note, &request.options.evidence,
                                     &request.flags)) {
        return NULL;
    }
    ladder_arrays ladder;
    if (ladder_of(stages, &ladder, &spec) < 0) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_change change = { .size = (uint32_t)sizeof(change) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code =
        canary_create(store, &spec, request_done(&request), &change, &error);
    Py_END_ALLOW_THREADS return changed(self, code, &change, &error);
}

/* The users of an override: one id, or a tuple of them. */
typedef struct {
    const void **ids;
    uint64_t *sizes;
    Py_ssize_t count;
} pin_list;

static int pinned_of(PyObject *users, pin_list *pinned) {
    pinned->count = PyTuple_Size(users);
    size_t room = (size_t)(pinned->count > 0 ? pinned->count : 1);
    pinned->ids = PyMem_Malloc(room * sizeof(*pinned->ids));
    pinned->sizes = PyMem_Malloc(room * sizeof(*pinned->sizes));
    if (pinned->ids == NULL || pinned->sizes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < pinned->count; i++) {
        if (user_for_change(PyTuple_GetItem(users, i), &pinned->ids[i], &pinned->sizes[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int change_make(canary_store *store, const char *what, const char *name, long long number,
                       const char *text, const pin_list *pinned,
                       const canary_change_options *options, canary_change *change,
                       canary_error *error) {
    if (strcmp(what, "advance") == 0) {
        return canary_advance(store, name, options, change, error);
    }
    if (strcmp(what, "rollback") == 0) {
        return canary_rollback(store, name, (int)number, options, change, error);
    }
    if (strcmp(what, "stage") == 0) {
        return canary_set_stage(store, name, (int)number, options, change, error);
    }
    if (strcmp(what, "percentage") == 0) {
        return canary_set_percentage(store, name, (uint32_t)number, text, options, change, error);
    }
    if (strcmp(what, "flag") == 0) {
        return canary_flag_set(store, name, (int)number, options, change, error);
    }
    if (strcmp(what, "accept") == 0) {
        return canary_accept(store, name, options, change, error);
    }
    if (strcmp(what, "pin") == 0) {
        return canary_override_set_many(store, name, pinned->ids, pinned->sizes,
                                        (uint64_t)pinned->count, (int)number, options, change,
                                        error);
    }
    if (strcmp(what, "unpin") == 0 && pinned->count == 1) {
        return canary_override_remove(store, name, pinned->ids[0], pinned->sizes[0], options,
                                      change, error);
    }
    return CANARY_E_INVALID;
}

PyObject *store_change(store_object *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = { "what",           "name",     "number",
                             "text",           "users",    "by",
                             "note",           "evidence", "expected_revision",
                             "expected_stage", "flags",    NULL };
    change_request request;
    request_init(&request);
    const char *what, *name, *text = NULL;
    int number = 0;
    PyObject *users = NULL;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "ss|izO!zzzLiI", names, &what, &name, &number, &text, &PyTuple_Type,
            &users, &request.options.by, &request.options.note, &request.options.evidence,
            &request.expected_revision, &request.expected_stage, &request.flags)) {
        return NULL;
    }
    PyObject *result = NULL;
    pin_list pinned = { NULL, NULL, 0 };
    if (users != NULL && pinned_of(users, &pinned) < 0) {
        goto done;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        goto done;
    }
    canary_change change = { .size = (uint32_t)sizeof(change) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = change_make(store, what, name, number, text, &pinned,
                                              request_done(&request), &change, &error);
    Py_END_ALLOW_THREADS result = changed(self, code, &change, &error);
done:
    PyMem_Free(pinned.ids);
    PyMem_Free(pinned.sizes);
    return result;
}
