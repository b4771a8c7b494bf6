/* SPDX-License-Identifier: MIT */
/* A clock that a test sets. In C, because the library asks for the time under its lock: a Python
 * function there would wait for the GIL, whose holder may be forking, which waits for the lock. */
#include "core.h"

#include <stdatomic.h>
#include <time.h>

int64_t clock_read(void *user_data, int clock) {
    clock_object *self = user_data;
    return clock == CANARY_CLOCK_REALTIME ? atomic_load(&self->realtime_ns)
                                          : atomic_load(&self->monotonic_ns);
}

int64_t clock_of(const store_object *store, int clock) {
    if (store != NULL && store->clock != NULL) {
        return clock_read(store->clock, clock);
    }
    struct timespec now;
    clock_gettime(clock == CANARY_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int clock_init(clock_object *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = { "realtime_ns", NULL };
    long long now = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|L", names, &now)) {
        return -1;
    }
    atomic_store(&self->realtime_ns, now);
    /* Not 0, which a reader could take for "never". */
    atomic_store(&self->monotonic_ns, 1000000000);
    return 0;
}

static PyObject *clock_advance(clock_object *self, PyObject *args) {
    long long step;
    if (!PyArg_ParseTuple(args, "L", &step)) {
        return NULL;
    }
    if (step < 0) {
        PyErr_SetString(PyExc_ValueError, "a monotonic clock does not go back");
        return NULL;
    }
    atomic_fetch_add(&self->realtime_ns, step);
    atomic_fetch_add(&self->monotonic_ns, step);
    Py_RETURN_NONE;
}

static PyObject *clock_set_realtime(clock_object *self, PyObject *args) {
    long long now;
    if (!PyArg_ParseTuple(args, "L", &now)) {
        return NULL;
    }
    atomic_store(&self->realtime_ns, now);
    Py_RETURN_NONE;
}

static PyObject *clock_get_realtime(clock_object *self, void *unused) {
    (void)unused;
    return PyLong_FromLongLong(atomic_load(&self->realtime_ns));
}

static PyObject *clock_get_monotonic(clock_object *self, void *unused) {
    (void)unused;
    return PyLong_FromLongLong(atomic_load(&self->monotonic_ns));
}

static void clock_dealloc(clock_object *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef clock_methods[] = {
    { "advance_ns", (PyCFunction)clock_advance, METH_VARARGS,
      PyDoc_STR("Moves both clocks forward by so many nanoseconds.") },
    { "set_realtime_ns", (PyCFunction)clock_set_realtime, METH_VARARGS,
      PyDoc_STR("Sets the wall clock: nanoseconds since 1970-01-01 UTC.") },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef clock_getset[] = {
    { "realtime_ns", (getter)clock_get_realtime, NULL, NULL, NULL },
    { "monotonic_ns", (getter)clock_get_monotonic, NULL, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot clock_slots[] = {
    { Py_tp_doc, (void *)"A clock that stands until it is moved." },
    { Py_tp_new, (void *)PyType_GenericNew },
    { Py_tp_init, (void *)clock_init },
    { Py_tp_dealloc, (void *)clock_dealloc },
    { Py_tp_methods, clock_methods },
    { Py_tp_getset, clock_getset },
    { 0, NULL },
};

PyType_Spec clock_spec = {
    .name = "libcanary._core.Clock",
    .basicsize = sizeof(clock_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = clock_slots,
};
