/* SPDX-License-Identifier: MIT */
/* canary_decision as libcanary.Decision, and back. */
#include "core.h"

/* Places in the tuple, as in libcanary/_types.py. */
enum { USE_NEW, COHORT, REASON, BUCKET, PERCENTAGE, EFFECTIVE, STAGE, REVISION, AGE, HASH, FIELDS };

static PyObject *known(PyObject *object) {
    Py_INCREF(object);
    return object;
}

static PyObject *number_or_none(int64_t value, int there) {
    return there ? PyLong_FromLongLong(value) : known(Py_None);
}

PyObject *decision_object(context_object *self, const canary_decision *decision) {
    const core_state *state = self->state;
    int new = decision->cohort == CANARY_NEW;
    int reason = decision->reason >= 0 && decision->reason < WORDS_REASONS ? decision->reason : 0;
    PyObject *fields[FIELDS] = {
        [USE_NEW] = known(new ? Py_True : Py_False),
        [COHORT] = known(state->cohorts[new]),
        [REASON] = known(state->reasons[reason]),
        [BUCKET] = number_or_none(decision->bucket, decision->bucket != CANARY_BUCKET_NONE),
        [PERCENTAGE] = PyLong_FromUnsignedLong(decision->percentage_bp),
        [EFFECTIVE] = PyLong_FromUnsignedLong(decision->effective_bp),
        [STAGE] = number_or_none(decision->stage, decision->stage >= 0),
        [REVISION] = PyLong_FromUnsignedLongLong(decision->revision),
        [AGE] = decision->age_ns < 0 ? known(Py_None)
                                     : PyFloat_FromDouble((double)decision->age_ns / 1e9),
        [HASH] = PyLong_FromUnsignedLong(decision->hash),
    };
    PyObject *plain = PyTuple_New(FIELDS);
    int failed = plain == NULL;
    for (Py_ssize_t i = 0; i < FIELDS; i++) {
        failed |= fields[i] == NULL;
        if (plain == NULL) {
            Py_XDECREF(fields[i]);
        } else {
            PyTuple_SetItem(plain, i, fields[i]); /* takes it over, and a NULL does no harm */
        }
    }
    PyObject *arguments = failed ? NULL : PyTuple_Pack(1, plain);
    Py_XDECREF(plain);
    if (arguments == NULL) {
        return NULL;
    }
    /* What Decision._make() does, without the way through Python. */
    PyObject *result = state->new_tuple(self->decision, arguments, NULL);
    Py_DECREF(arguments);
    return result;
}

int decision_of(context_object *self, PyObject *object, canary_decision *decision) {
    core_state *state = self->state;
    if (PyTuple_Size(object) != FIELDS) {
        PyErr_SetString(PyExc_TypeError, "this is no whole libcanary.Decision");
        return -1;
    }
    PyObject *bucket = PyTuple_GetItem(object, BUCKET);
    int reason = word_find(state->reasons, WORDS_REASONS, PyTuple_GetItem(object, REASON));
    *decision = (canary_decision)CANARY_DECISION_INIT;
    decision->cohort = PyTuple_GetItem(object, USE_NEW) == Py_True ? CANARY_NEW : CANARY_OLD;
    decision->reason = reason; /* -1 is none that the library counts: rejected */
    decision->hash = (uint32_t)PyLong_AsUnsignedLong(PyTuple_GetItem(object, HASH));
    decision->revision = PyLong_AsUnsignedLongLong(PyTuple_GetItem(object, REVISION));
    decision->bucket =
        bucket == Py_None ? CANARY_BUCKET_NONE : (uint32_t)PyLong_AsUnsignedLong(bucket);
    decision->stage = -1;
    decision->age_ns = -1;
    return PyErr_Occurred() ? -1 : 0;
}
