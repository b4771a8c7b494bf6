/* SPDX-License-Identifier: MIT */
/* Recording: a wrong type is the program's mistake and raises before anything is counted; a wrong value
 * is the world's, and is counted as rejected by the library. */
#include "core.h"
#include "dict.h"

static PyObject *truth(int value) {
    PyObject *result = value ? Py_True : Py_False;
    Py_INCREF(result);
    return result;
}

/* -- metrics */

PyObject *context_declare(context_object *self, PyObject *args) {
    canary_metric metric = CANARY_METRIC_INIT;
    int kind;
    PyObject *name, *thresholds;
    int64_t thresholds_ns[CANARY_THRESHOLDS_MAX] = { 0 };
    if (!PyArg_ParseTuple(args, "UisdddO!", &name, &kind, &metric.unit, &metric.minimum,
                          &metric.maximum, &metric.resolution, &PyTuple_Type, &thresholds)) {
        return NULL;
    }
    Py_ssize_t size;
    metric.name = PyUnicode_AsUTF8AndSize(name, &size);
    if (metric.name == NULL) {
        return NULL;
    }
    if (strlen(metric.name) != (size_t)size) {
        PyErr_SetString(PyExc_ValueError, "a metric's name holds no NUL");
        return NULL;
    }
    metric.kind = kind;
    metric.threshold_count = (uint32_t)PyTuple_Size(thresholds);
    metric.thresholds_ns = metric.threshold_count > 0 ? thresholds_ns : NULL;
    for (uint32_t i = 0; i < metric.threshold_count && i < CANARY_THRESHOLDS_MAX; i++) {
        if (duration_of(self->state, PyTuple_GetItem(thresholds, (Py_ssize_t)i),
                        &thresholds_ns[i]) < 0) {
            return NULL;
        }
    }
    canary_ctx *ctx = guard_enter(&self->guard);
    if (ctx == NULL) {
        return raise_closed("the rollout is closed");
    }
    int32_t handle = -1;
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_metric_declare(ctx, &metric, &handle, &error);
    guard_leave(&self->guard);
    if (code != CANARY_OK) {
        return raise_canary(code, &error);
    }
    if (handle >= 0) {
        PyObject *entry = PyLong_FromLong((long)handle * METRIC_KINDS + kind);
        int failed = entry == NULL || PyDict_SetItem(self->metrics, name, entry) < 0;
        Py_XDECREF(entry);
        if (failed) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

/* Counts that the library has no room for become a measurement that it rejects. */
static int counts_of(PyObject *value, canary_measurement *measurement) {
    uint32_t *places[] = { &measurement->tp, &measurement->fp, &measurement->fn, &measurement->tn };
    Py_ssize_t count = PyTuple_Size(value);
    if (count != 3 && count != 4) {
        PyErr_SetString(PyExc_TypeError,
                        "a classification is (tp, fp, fn) or (tp, fp, fn, tn): counts of true and "
                        "false positives and negatives");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *index = PyNumber_Index(PyTuple_GetItem(value, i));
        int overflow = 0;
        long long number = index == NULL ? -1 : PyLong_AsLongLongAndOverflow(index, &overflow);
        Py_XDECREF(index);
        if (number == -1 && overflow == 0 && PyErr_Occurred()) {
            return -1;
        }
        if (overflow != 0 || number < 0 || number > UINT32_MAX) {
            measurement->value = Py_HUGE_VAL;
        } else {
            *places[i] = (uint32_t)number;
        }
    }
    return 1;
}

int measurement_of(context_object *self, PyObject *name, PyObject *value,
                   canary_measurement *measurement) {
    *measurement = (canary_measurement){ .metric = -1 };
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "a metric's name is a str, not %R",
                     (PyObject *)Py_TYPE(name));
        return -1;
    }
    if (value == Py_None) {
        return 0;
    }
    PyObject *entry = PyDict_GetItemWithError(self->metrics, name);
    if (entry == NULL && PyErr_Occurred()) {
        return -1;
    }
    long known = entry == NULL ? -1 : PyLong_AsLong(entry);
    if (known >= 0) {
        measurement->metric = (int32_t)(known / METRIC_KINDS);
    }
    if (PyTuple_Check(value)) {
        return counts_of(value, measurement);
    }
    if (known >= 0 && known % METRIC_KINDS == CANARY_METRIC_DURATION) {
        int64_t duration_ns;
        if (duration_of(self->state, value, &duration_ns) < 0) {
            return -1;
        }
        measurement->value = (double)duration_ns;
        return 1;
    }
    measurement->value = PyFloat_AsDouble(value);
    if (measurement->value == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return -1;
        }
        PyErr_Clear();
        measurement->value = Py_HUGE_VAL; /* an int beyond all ranges */
    }
    return 1;
}

/* -- outcomes */

typedef struct {
    canary_outcome outcome;
    canary_measurement measurements[CANARY_METRICS_MAX];
} recordable;

static int measurements_of(context_object *self, PyObject *values, recordable *out) {
    PyObject *dict = NULL;
    PyObject *name, *value;
    Py_ssize_t at = 0;
    uint32_t count = 0;
    int status = 0;
#ifdef Py_GIL_DISABLED
    int shared = 1; /* others may change it while it is read */
#else
    int shared = 0;
#endif
    if (PyDict_Check(values) && !shared) {
        Py_INCREF(values);
        dict = values;
    } else {
        dict = PyDict_New();
        if (dict == NULL || PyDict_Update(dict, values) < 0) {
            if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
                PyErr_Format(PyExc_TypeError,
                             "values are a mapping of metrics' names to values, "
                             "not %R",
                             (PyObject *)Py_TYPE(values));
            }
            Py_XDECREF(dict);
            return -1;
        }
    }
    while (status >= 0 && PyDict_Next(dict, &at, &name, &value)) {
        canary_measurement none;
        int room = count < CANARY_METRICS_MAX;
        /* A number of the program's own type may run code that changes the dictionary. */
        Py_INCREF(name);
        Py_INCREF(value);
        status = measurement_of(self, name, value, room ? &out->measurements[count] : &none);
        Py_DECREF(name);
        Py_DECREF(value);
        count += status > 0;
    }
    Py_DECREF(dict);
    out->outcome.measurements = count > 0 ? out->measurements : NULL;
    out->outcome.measurement_count = count; /* too many are rejected together */
    return status < 0 ? -1 : 0;
}

typedef struct {
    PyObject *cohort;
    PyObject *status;
    PyObject *duration;
    PyObject *values;
} arguments;

static int arguments_of(core_state *state, PyObject *const *args, Py_ssize_t count, PyObject *names,
                        arguments *out) {
    PyObject *const known[] = { state->cohort, state->status, state->duration, state->values };
    PyObject **places[] = { &out->cohort, &out->status, &out->duration, &out->values };
    if (count != 1) {
        PyErr_Format(PyExc_TypeError,
                     "record() takes a decision or a user id, and keywords; %zd arguments were "
                     "given",
                     count);
        return -1;
    }
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        int place = word_find(known, 4, name);
        if (place < 0) {
            PyErr_Format(PyExc_TypeError, "record() has no argument %R", name);
            return -1;
        }
        if (args[count + i] != Py_None || known[place] == state->status) {
            *places[place] = args[count + i];
        }
    }
    return 0;
}

/* CANARY_OLD, CANARY_NEW, COHORT_UNKNOWN for another word, or -1 with a TypeError. */
static int cohort_of(core_state *state, PyObject *object) {
    if (object == Py_True || object == Py_False) {
        return object == Py_True ? CANARY_NEW : CANARY_OLD;
    }
    if (object != NULL && PyUnicode_Check(object)) {
        int cohort = word_find(state->cohorts, 2, object);
        return cohort < 0 ? COHORT_UNKNOWN : cohort;
    }
    PyErr_SetString(PyExc_TypeError,
                    "with a user id, cohort= says which path was served: what should_use_new() "
                    "answered, or \"new\" or \"old\"");
    return -1;
}

static int is_decision(const context_object *self, PyObject *object) {
    return Py_TYPE(object) == self->decision || PyType_IsSubtype(Py_TYPE(object), self->decision);
}

PyObject *context_record(context_object *self, PyObject *const *args, Py_ssize_t count,
                         PyObject *names) {
    arguments said = { NULL, NULL, NULL, NULL };
    recordable what;
    canary_decision decision;
    const void *id = NULL;
    uint64_t size = 0;
    int cohort = 0, decided, valid = 0;
    if (self->state == NULL) {
        return raise_closed("the rollout is closed");
    }
    if (arguments_of(self->state, args, count, names, &said) < 0) {
        return NULL;
    }
    what.outcome = (canary_outcome)CANARY_OUTCOME_INIT;
    if ((said.status != NULL && status_of(self->state, said.status, &what.outcome.status) < 0) ||
        (said.duration != NULL &&
         duration_of(self->state, said.duration, &what.outcome.duration_ns) < 0) ||
        (said.values != NULL && measurements_of(self, said.values, &what) < 0)) {
        return NULL;
    }
    decided = is_decision(self, args[0]);
    if (decided) {
        if (said.cohort != NULL) {
            PyErr_SetString(PyExc_TypeError, "a decision names its cohort itself");
            return NULL;
        }
        if (decision_of(self, args[0], &decision) < 0) {
            return NULL;
        }
    } else {
        valid = user_of(args[0], &id, &size);
        cohort = valid < 0 ? -1 : cohort_of(self->state, said.cohort);
        if (cohort < 0) {
            return NULL;
        }
    }
    atomic_int *line;
    canary_ctx *ctx = guard_decide_enter(&self->guard, &line);
    if (ctx == NULL) {
        return raise_closed("the rollout is closed");
    }
    int code;
    if (decided) {
        code = canary_record(ctx, &decision, &what.outcome);
    } else if (valid) {
        code = canary_record_user(ctx, id, size, cohort, &what.outcome);
    } else {
        /* No user got the old path, and what happened to him counts all the same. */
        code = canary_record_cohort(ctx, cohort, &what.outcome);
    }
    guard_decide_leave(line);
    return truth(code == CANARY_OK);
}

PyObject *context_expose(context_object *self, PyObject *object) {
    canary_decision decision;
    if (self->state == NULL) {
        return raise_closed("the rollout is closed");
    }
    if (!is_decision(self, object)) {
        PyErr_Format(PyExc_TypeError, "expose() takes what decide() answered, not %R",
                     (PyObject *)Py_TYPE(object));
        return NULL;
    }
    if (decision_of(self, object, &decision) < 0) {
        return NULL;
    }
    atomic_int *line;
    canary_ctx *ctx = guard_decide_enter(&self->guard, &line);
    if (ctx == NULL) {
        return raise_closed("the rollout is closed");
    }
    int code = canary_expose(ctx, &decision);
    guard_decide_leave(line);
    return truth(code == CANARY_OK);
}

/* -- what became of it */

PyObject *context_recording(context_object *self, PyObject *unused) {
    (void)unused;
    canary_ctx *ctx = guard_enter(&self->guard);
    if (ctx == NULL) {
        return raise_closed("the rollout is closed");
    }
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_recording(ctx, &info);
    Py_END_ALLOW_THREADS guard_leave(&self->guard);
    if (code != CANARY_OK) {
        return raise_canary(code, NULL);
    }
    PyObject *rejected = PyTuple_New(CANARY_REJECTED_COUNT);
    for (Py_ssize_t i = 0; rejected != NULL && i < CANARY_REJECTED_COUNT; i++) {
        PyObject *count = natural(info.rejected[i]);
        if (count == NULL || PyTuple_SetItem(rejected, i, count) < 0) {
            Py_CLEAR(rejected);
        }
    }
    PyObject *d = PyDict_New();
    if (d == NULL) {
        Py_XDECREF(rejected);
        return NULL;
    }
    return finish(d, put(d, "rejected", rejected) < 0 ||
                         put(d, "recording", PyBool_FromLong(info.recording != 0)) < 0 ||
                         put(d, "outcomes", natural(info.outcomes)) < 0 ||
                         put(d, "decisions", natural(info.decisions)) < 0 ||
                         put(d, "dropped", natural(info.dropped)) < 0 ||
                         put(d, "merged", natural(info.merged)) < 0 ||
                         put(d, "flushes", natural(info.flushes)) < 0 ||
                         put(d, "flushed_at_ns", number(info.flushed_at_ns)) < 0 ||
                         put(d, "flush_ns", number(info.flush_ns)) < 0 ||
                         put(d, "waiting", natural(info.waiting)) < 0 ||
                         put(d, "coarsened", natural(info.coarsened)) < 0 ||
                         put(d, "threads", natural(info.threads)) < 0 ||
                         put(d, "sharing", PyBool_FromLong(info.sharing != 0)) < 0 ||
                         put(d, "clock_jumps", natural(info.clock_jumps)) < 0 ||
                         put(d, "last_error", number(info.last_error)) < 0 ||
                         put(d, "last_message", text_of(info.last_message)) < 0);
}

/* By the context's own way to the store, which stays when the Store object was closed. */
PyObject *context_flush(context_object *self, PyObject *unused) {
    (void)unused;
    canary_ctx *ctx = guard_enter(&self->guard);
    if (ctx == NULL) {
        return raise_closed("the rollout is closed");
    }
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_flush(canary_ctx_store(ctx), &error);
    Py_END_ALLOW_THREADS guard_leave(&self->guard);
    log_drain(NULL, NULL);
    if (code != CANARY_OK) {
        return raise_canary(code, &error);
    }
    Py_RETURN_NONE;
}
