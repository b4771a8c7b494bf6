/* SPDX-License-Identifier: MIT */
/* Words that both sides say: cohorts, reasons, statuses, names of arguments; and durations. */
#include "core.h"

static PyObject *interned(const char *text) {
    return PyUnicode_InternFromString(text);
}

/* All of them in one row, for whoever visits or clears them. */
static PyObject **words_at(core_state *state, int index) {
    PyObject **single[] = { &state->cohort,   &state->status,    &state->duration,   &state->values,
                            &state->timeouts, &state->timedelta, &state->microsecond };
    if (index < 2) {
        return &state->cohorts[index];
    }
    index -= 2;
    if (index < WORDS_REASONS) {
        return &state->reasons[index];
    }
    index -= WORDS_REASONS;
    if (index < WORDS_STATUSES) {
        return &state->statuses[index];
    }
    index -= WORDS_STATUSES;
    return index < (int)(sizeof(single) / sizeof(single[0])) ? single[index] : NULL;
}

int words_init(core_state *state) {
    state->cohorts[CANARY_OLD] = interned(canary_cohort_name(CANARY_OLD));
    state->cohorts[CANARY_NEW] = interned(canary_cohort_name(CANARY_NEW));
    for (int reason = 0; reason < WORDS_REASONS; reason++) {
        state->reasons[reason] = interned(canary_reason_name(reason));
    }
    for (int status = 0; status < WORDS_STATUSES; status++) {
        state->statuses[status] = interned(canary_status_name(status));
    }
    state->cohort = interned("cohort");
    state->status = interned("status");
    state->duration = interned("duration");
    state->values = interned("values");
    state->timeouts = interned("timeouts");
    PyObject *datetime = PyImport_ImportModule("datetime");
    state->timedelta = datetime == NULL ? NULL : PyObject_GetAttrString(datetime, "timedelta");
    Py_XDECREF(datetime);
    state->microsecond =
        state->timedelta == NULL ? NULL : PyObject_CallFunction(state->timedelta, "iii", 0, 0, 1);
    state->new_tuple = (newfunc)PyType_GetSlot(&PyTuple_Type, Py_tp_new);
    for (int i = 0; words_at(state, i) != NULL; i++) {
        if (*words_at(state, i) == NULL) {
            return -1;
        }
    }
    return 0;
}

int words_visit(core_state *state, visitproc visit, void *arg) {
    for (int i = 0; words_at(state, i) != NULL; i++) {
        Py_VISIT(*words_at(state, i));
    }
    return 0;
}

void words_clear(core_state *state) {
    for (int i = 0; words_at(state, i) != NULL; i++) {
        Py_CLEAR(*words_at(state, i));
    }
}

int word_find(PyObject *const *words, int count, PyObject *string) {
    for (int i = 0; i < count; i++) {
        if (words[i] == string) {
            return i;
        }
    }
    for (int i = 0; PyUnicode_Check(string) && i < count; i++) {
        /* Both are strings: nothing can fail. */
        if (PyUnicode_Compare(words[i], string) == 0) {
            return i;
        }
    }
    return -1;
}

int status_of(core_state *state, PyObject *object, int32_t *status) {
    int place = word_find(state->statuses, WORDS_STATUSES, object);
    if (place < 0 && object != Py_None && !PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a status is \"ok\", \"error\" or \"timeout\", not %R",
                     (PyObject *)Py_TYPE(object));
        return -1;
    }
    *status = place >= 0 ? place : object == Py_None ? CANARY_STATUS_NONE : STATUS_UNKNOWN;
    return 0;
}

/* A timedelta knows microseconds. */
static int timedelta_of(core_state *state, PyObject *object, int64_t *duration_ns) {
    PyObject *whole = PyNumber_FloorDivide(object, state->microsecond);
    int overflow = 0;
    long long us = whole == NULL ? -1 : PyLong_AsLongLongAndOverflow(whole, &overflow);
    Py_XDECREF(whole);
    if (us == -1 && overflow == 0 && PyErr_Occurred()) {
        return -1;
    }
    *duration_ns = us < 0 || overflow < 0                               ? INT64_MIN
                   : overflow > 0 || us > CANARY_DURATION_MAX_NS / 1000 ? INT64_MAX
                                                                        : us * 1000;
    return 0;
}

int duration_of(core_state *state, PyObject *object, int64_t *duration_ns) {
    double seconds;
    if (!PyFloat_Check(object)) {
        int span = PyObject_IsInstance(object, state->timedelta);
        if (span != 0) {
            return span < 0 ? -1 : timedelta_of(state, object, duration_ns);
        }
    }
    seconds = PyFloat_AsDouble(object);
    if (seconds == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return -1;
        }
        PyErr_Clear();
        seconds = Py_HUGE_VAL;
    }
    /* So that not a number falls into the first case, and none into CANARY_NOT_MEASURED. */
    if (!(seconds >= 0)) {
        *duration_ns = INT64_MIN;
    } else if (seconds * 1e9 > (double)CANARY_DURATION_MAX_NS) {
        *duration_ns = INT64_MAX;
    } else {
        *duration_ns = (int64_t)(seconds * 1e9 + 0.5);
    }
    return 0;
}
