/* SPDX-License-Identifier: MIT */
/* The type behind libcanary.Request: one request, decided when it begins and recorded when it ends.
 * All of its state is in the object, so that requests may nest, and run in any thread or task. */
#include "core.h"

enum { BEGINS, RUNS, ENDED };
enum { STATUS_UNSAID = -1 };

typedef struct {
    PyObject_HEAD context_object *context;
    PyObject *user;
    PyObject *timeouts; /* further classes of exceptions that mean a timeout; NULL for none */
    canary_decision decision;
    int64_t began_ns;
    int64_t duration_ns;
    canary_measurement *measurements;
    uint32_t count;
    uint32_t room;
    int state;
    int32_t status;
    int discarded;
} request_object;

static int64_t now_ns(const request_object *self) {
    return clock_of(self->context->store, CANARY_CLOCK_MONOTONIC);
}

PyObject *context_request(context_object *self, PyObject *const *args, Py_ssize_t count,
                          PyObject *names) {
    PyObject *timeouts = NULL;
    if (self->state == NULL) {
        return raise_closed("the rollout is closed");
    }
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);
    if (count != 1 || named > 1) {
        PyErr_SetString(PyExc_TypeError, "request() takes a user id, and timeouts=");
        return NULL;
    }
    if (named == 1) {
        PyObject *name = PyTuple_GetItem(names, 0);
        if (word_find(&self->state->timeouts, 1, name) < 0) {
            PyErr_Format(PyExc_TypeError, "request() has no argument %R", name);
            return NULL;
        }
        timeouts = args[1];
        if (!PyTuple_Check(timeouts) && !PyExceptionClass_Check(timeouts)) {
            PyErr_SetString(PyExc_TypeError,
                            "timeouts is a class of exceptions, or a tuple of them");
            return NULL;
        }
    }
    request_object *request = (request_object *)PyType_GenericAlloc(self->request, 0);
    if (request == NULL) {
        return NULL;
    }
    Py_INCREF(self);
    request->context = self;
    Py_INCREF(args[0]);
    request->user = args[0];
    Py_XINCREF(timeouts);
    request->timeouts = timeouts;
    request->status = STATUS_UNSAID;
    request->duration_ns = CANARY_NOT_MEASURED;
    return (PyObject *)request;
}

static PyObject *request_enter(request_object *self, PyObject *unused) {
    (void)unused;
    if (self->context == NULL || self->state != BEGINS) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a request begins once: ask the rollout for another one");
        return NULL;
    }
    if (context_explain(self->context, self->user, &self->decision) < 0) {
        return NULL;
    }
    self->state = RUNS;
    self->began_ns = now_ns(self);
    Py_INCREF(self);
    return (PyObject *)self;
}

/* Before Python 3.11 these were classes of their own. They are looked up only when something was
 * raised, and only where somebody imported them. */
static int is_named_timeout(PyObject *kind, const char *module_name) {
    PyObject *name = PyUnicode_FromString(module_name);
    PyObject *module = name == NULL ? NULL : PyImport_GetModule(name);
    PyObject *class = module == NULL ? NULL : PyObject_GetAttrString(module, "TimeoutError");
    int answer = class != NULL && PyErr_GivenExceptionMatches(kind, class);
    Py_XDECREF(class);
    Py_XDECREF(module);
    Py_XDECREF(name);
    PyErr_Clear();
    return answer;
}

static int status_of_exception(request_object *self, PyObject *kind) {
    if (kind == Py_None) {
        return CANARY_STATUS_OK;
    }
    int timeout = PyErr_GivenExceptionMatches(kind, PyExc_TimeoutError) ||
                  (self->timeouts != NULL && PyErr_GivenExceptionMatches(kind, self->timeouts)) ||
                  is_named_timeout(kind, "asyncio.exceptions") ||
                  is_named_timeout(kind, "concurrent.futures._base");
    return timeout ? CANARY_STATUS_TIMEOUT : CANARY_STATUS_ERROR;
}

/* An outcome has room for some measurements; further ones follow it without another outcome. */
static void request_count(request_object *self, canary_ctx *ctx) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    outcome.status = self->status;
    outcome.duration_ns = self->duration_ns;
    uint32_t told = 0;
    do {
        uint32_t count = self->count - told;
        outcome.measurements = count > 0 ? self->measurements + told : NULL;
        outcome.measurement_count = count < CANARY_METRICS_MAX ? count : CANARY_METRICS_MAX;
        canary_record(ctx, &self->decision, &outcome);
        told += outcome.measurement_count;
        outcome.status = CANARY_STATUS_NONE;
        outcome.duration_ns = CANARY_NOT_MEASURED;
    } while (told < self->count);
}

static PyObject *request_exit(request_object *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError,
                        "__exit__() takes what was raised: class, value, traceback");
        return NULL;
    }
    if (self->state != RUNS) {
        PyErr_SetString(PyExc_RuntimeError, "the request has not begun, or has ended");
        return NULL;
    }
    self->state = ENDED;
    int64_t duration_ns = now_ns(self) - self->began_ns;
    self->duration_ns = duration_ns > 0 ? duration_ns : 0;
    if (self->status == STATUS_UNSAID) {
        self->status = status_of_exception(self, args[0]);
    }
    if (!self->discarded) {
        atomic_int *line;
        canary_ctx *ctx = guard_decide_enter(&self->context->guard, &line);
        /* Closed meanwhile: that is no reason for the request to fail. */
        if (ctx != NULL) {
            request_count(self, ctx);
            guard_decide_leave(line);
        }
    }
    Py_RETURN_NONE;
}

static int running(request_object *self) {
    if (self->state != RUNS) {
        PyErr_SetString(PyExc_RuntimeError, self->state == BEGINS ? "the request has not begun"
                                                                  : "the request has ended");
        return 0;
    }
    return 1;
}

static int begun(request_object *self) {
    if (self->state == BEGINS) {
        PyErr_SetString(PyExc_RuntimeError, "the request has not begun");
        return 0;
    }
    return 1;
}

static PyObject *request_record(request_object *self, PyObject *const *args, Py_ssize_t count) {
    canary_measurement measurement;
    PyObject *result = NULL;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "record() takes a metric's name and a value");
        return NULL;
    }
    int there = running(self) ? measurement_of(self->context, args[0], args[1], &measurement) : -1;
    if (there < 0) {
        return NULL;
    }
#ifdef Py_GIL_DISABLED
    Py_BEGIN_CRITICAL_SECTION(self);
#endif
    if (there > 0 && self->count == self->room) {
        uint32_t room = self->room == 0 ? 4 : self->room * 2;
        canary_measurement *all =
            PyMem_Realloc(self->measurements, room * sizeof(*self->measurements));
        if (all != NULL) {
            self->measurements = all;
            self->room = room;
        }
    }
    if (there > 0 && self->count == self->room) {
        PyErr_NoMemory();
    } else {
        if (there > 0) {
            self->measurements[self->count++] = measurement;
        }
        Py_INCREF(Py_None);
        result = Py_None;
    }
#ifdef Py_GIL_DISABLED
    Py_END_CRITICAL_SECTION();
#endif
    return result;
}

static PyObject *request_discard(request_object *self, PyObject *unused) {
    (void)unused;
    self->discarded = 1;
    Py_RETURN_NONE;
}

static PyObject *request_get_new(request_object *self, void *unused) {
    (void)unused;
    return begun(self) ? PyBool_FromLong(self->decision.cohort == CANARY_NEW) : NULL;
}

static PyObject *request_get_cohort(request_object *self, void *unused) {
    (void)unused;
    if (!begun(self)) {
        return NULL;
    }
    PyObject *cohort = self->context->state->cohorts[self->decision.cohort == CANARY_NEW];
    Py_INCREF(cohort);
    return cohort;
}

static PyObject *request_get_decision(request_object *self, void *unused) {
    (void)unused;
    return begun(self) ? decision_object(self->context, &self->decision) : NULL;
}

static PyObject *request_get_user(request_object *self, void *unused) {
    (void)unused;
    PyObject *user = self->user == NULL ? Py_None : self->user;
    Py_INCREF(user);
    return user;
}

static PyObject *request_get_duration(request_object *self, void *unused) {
    (void)unused;
    if (self->state != ENDED) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble((double)self->duration_ns / 1e9);
}

static PyObject *request_get_status(request_object *self, void *unused) {
    (void)unused;
    if (self->context == NULL || self->status == STATUS_UNSAID) {
        Py_RETURN_NONE;
    }
    PyObject *status = self->context->state->statuses[self->status];
    Py_INCREF(status);
    return status;
}

static int request_set_status(request_object *self, PyObject *value, void *unused) {
    (void)unused;
    if (!running(self)) {
        return -1;
    }
    if (value == NULL || value == Py_None) {
        self->status = STATUS_UNSAID;
        return 0;
    }
    int32_t status;
    if (status_of(self->context->state, value, &status) < 0) {
        return -1;
    }
    if (status == STATUS_UNKNOWN) {
        PyErr_Format(PyExc_ValueError, "%R is no status; \"ok\", \"error\" and \"timeout\" are",
                     value);
        return -1;
    }
    self->status = status;
    return 0;
}

static int request_traverse(request_object *self, visitproc visit, void *arg) {
    Py_VISIT((PyObject *)Py_TYPE(self));
    Py_VISIT((PyObject *)self->context);
    Py_VISIT(self->user);
    Py_VISIT(self->timeouts);
    return 0;
}

/* What a request needs to end stays until it is freed: somebody may still leave its block. */
static int request_clear(request_object *self) {
    Py_CLEAR(self->timeouts);
    return 0;
}

static void request_dealloc(request_object *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->timeouts);
    Py_CLEAR(self->user);
    Py_CLEAR(self->context);
    PyMem_Free(self->measurements);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *request_forbidden(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    (void)args;
    (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "requests come from rollout.request(user)");
    return NULL;
}

static PyMethodDef request_methods[] = {
    { "__enter__", (PyCFunction)request_enter, METH_NOARGS, NULL },
    { "__exit__", (PyCFunction)(void (*)(void))request_exit, METH_FASTCALL, NULL },
    { "record", (PyCFunction)(void (*)(void))request_record, METH_FASTCALL,
      PyDoc_STR("record($self, name, value, /)\n--\n\n"
                "Adds a value of a declared metric to the outcome; None is no value.\n\n"
                "A name may come several times: each value counts.") },
    { "discard", (PyCFunction)request_discard, METH_NOARGS,
      PyDoc_STR("discard($self, /)\n--\n\n"
                "Records nothing of this request when it ends.") },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef request_getset[] = {
    { "new", (getter)request_get_new, NULL, PyDoc_STR("True for the new path."), NULL },
    { "cohort", (getter)request_get_cohort, NULL, PyDoc_STR("\"new\" or \"old\"."), NULL },
    { "decision", (getter)request_get_decision, NULL, PyDoc_STR("The Decision."), NULL },
    { "user", (getter)request_get_user, NULL, PyDoc_STR("Whom it is for."), NULL },
    { "duration", (getter)request_get_duration, NULL,
      PyDoc_STR("Seconds it took; None until it ended."), NULL },
    { "status", (getter)request_get_status, (setter)request_set_status,
      PyDoc_STR("\"ok\", \"error\" or \"timeout\"; None until it ended or was set.\n\n"
                "What is set counts, whatever is raised later."),
      NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot request_slots[] = {
    { Py_tp_doc, (void *)"One request: decided when it begins, recorded when it ends." },
    { Py_tp_new, (void *)request_forbidden },
    { Py_tp_traverse, (void *)request_traverse },
    { Py_tp_clear, (void *)request_clear },
    { Py_tp_dealloc, (void *)request_dealloc },
    { Py_tp_methods, request_methods },
    { Py_tp_getset, request_getset },
    { 0, NULL },
};

PyType_Spec request_spec = {
    .name = "libcanary._core.Request",
    .basicsize = sizeof(request_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = request_slots,
};
