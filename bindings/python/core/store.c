/* SPDX-License-Identifier: MIT */
/* The type behind libcanary.Store. Everything here may wait, and so releases the GIL. */
#include "core.h"

#include <string.h>

canary_store *store_enter(store_object *self) {
    canary_store *store = guard_enter(&self->guard);
    if (store == NULL) {
        raise_closed("the store is closed");
    }
    return store;
}

void store_leave(store_object *self) {
    guard_leave(&self->guard);
    log_drain(NULL, NULL);
}

void store_close_handle(store_object *self) {
    canary_store *store = guard_take(&self->guard);
    if (store != NULL) {
        Py_BEGIN_ALLOW_THREADS canary_store_close(&store);
        Py_END_ALLOW_THREADS
    }
}

static int store_init(store_object *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = { "path",      "flags", "tick_ns", "busy_timeout_ns",
                             "log_level", "clock", NULL };
    PyObject *path, *clock = Py_None;
    unsigned int flags = 0, log_level = 0;
    long long tick_ns = 0, busy_timeout_ns = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|ILLIO", names, &path, &flags, &tick_ns,
                                     &busy_timeout_ns, &log_level, &clock)) {
        return -1;
    }
    if (self->path != NULL) {
        PyErr_SetString(PyExc_TypeError, "it is open already");
        return -1;
    }
    PyObject *bytes = NULL;
    const char *text = NULL;
    if (path != Py_None) {
        /* Paths are what the file system says, also where they are no UTF-8. */
        if (!PyUnicode_FSConverter(path, &bytes)) {
            return -1;
        }
        text = PyBytes_AsString(bytes);
    }
    canary_options options = CANARY_OPTIONS_INIT;
    options.flags = flags;
    options.tick_ns = tick_ns;
    options.busy_timeout_ns = busy_timeout_ns;
    options.log = log_take;
    options.log_level = log_level;
    if (clock != Py_None) {
        PyObject *core = PyImport_ImportModule("libcanary._core");
        PyObject *type = core == NULL ? NULL : PyObject_GetAttrString(core, "Clock");
        int fits = type == NULL ? -1 : PyObject_IsInstance(clock, type);
        Py_XDECREF(type);
        Py_XDECREF(core);
        if (fits <= 0) {
            if (fits == 0) {
                PyErr_SetString(PyExc_TypeError, "clock is a libcanary.testing.Clock");
            }
            Py_XDECREF(bytes);
            return -1;
        }
        options.clock = clock_read;
        options.clock_data = clock;
    }
    canary_store *store = NULL;
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = text == NULL ? canary_store_open_memory(&options, &store, &error)
                                               : canary_store_open(text, &options, &store, &error);
    Py_END_ALLOW_THREADS Py_XDECREF(bytes);
    log_drain(NULL, NULL);
    if (code != CANARY_OK) {
        raise_canary(code, &error);
        return -1;
    }
    if (guard_init(&self->guard, store) < 0) {
        canary_store_close(&store);
        return -1;
    }
    if (clock != Py_None) {
        Py_INCREF(clock);
        self->clock = clock;
    }
    Py_INCREF(path);
    self->path = path;
    return 0;
}

static PyObject *store_close(store_object *self, PyObject *unused) {
    (void)unused;
    store_close_handle(self);
    log_drain(NULL, NULL);
    Py_RETURN_NONE;
}

static PyObject *store_refresh(store_object *self, PyObject *unused) {
    (void)unused;
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_refresh(store, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    if (code != CANARY_OK) {
        return raise_canary(code, &error);
    }
    Py_RETURN_NONE;
}

static PyObject *store_reduce(store_object *self, PyObject *unused) {
    (void)self;
    (void)unused;
    PyErr_SetString(PyExc_TypeError, "a store cannot be pickled: open it in the other process, or "
                                     "before a fork, which it survives");
    return NULL;
}

static PyObject *store_get_closed(store_object *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(!guard_is_open(&self->guard));
}

static PyObject *store_get_path(store_object *self, void *unused) {
    (void)unused;
    PyObject *path = self->path == NULL ? Py_None : self->path;
    Py_INCREF(path);
    return path;
}

static void store_finalize(store_object *self) {
    if (!guard_is_open(&self->guard)) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_ResourceWarning, 1, "unclosed store %R", self->path) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    store_close_handle(self);
    PyErr_Restore(type, value, traceback);
}

static void store_dealloc(store_object *self) {
    PyTypeObject *type = Py_TYPE(self);
    store_close_handle(self);
    Py_CLEAR(self->clock);
    Py_CLEAR(self->path);
    guard_free(&self->guard);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef store_methods[] = {
    { "close", (PyCFunction)store_close, METH_NOARGS,
      PyDoc_STR("close($self, /)\n--\n\n"
                "Closes it. A second call does nothing.\n\n"
                "Rollouts that were opened in it go on deciding; their operator's calls do not.") },
    { "refresh", (PyCFunction)store_refresh, METH_NOARGS,
      PyDoc_STR("refresh($self, /)\n--\n\n"
                "Looks at the store at once, as the watcher does at each ring of the bell.") },
    { "flush", (PyCFunction)store_flush, METH_NOARGS,
      PyDoc_STR("flush($self, /)\n--\n\n"
                "Merges what this process recorded into the metrics database, now.\n\n"
                "Without it, it is merged every ten seconds, when closing, and at exit.") },
    { "openmetrics", (PyCFunction)store_openmetrics, METH_NOARGS,
      PyDoc_STR("openmetrics($self, /)\n--\n\n"
                "What this process decided and recorded, as OpenMetrics 1.0 text.") },
    { "_now", (PyCFunction)store_now, METH_NOARGS, NULL },
    { "_metrics", (PyCFunction)store_metrics, METH_VARARGS, NULL },
    { "_exposure", (PyCFunction)store_exposure, METH_VARARGS, NULL },
    { "_import", (PyCFunction)store_import, METH_VARARGS, NULL },
    { "_baseline_capture", (PyCFunction)store_baseline_capture, METH_VARARGS, NULL },
    { "_baseline_read", (PyCFunction)store_baseline_read, METH_VARARGS, NULL },
    { "_create", (PyCFunction)(void (*)(void))store_create, METH_VARARGS | METH_KEYWORDS, NULL },
    { "_change", (PyCFunction)(void (*)(void))store_change, METH_VARARGS | METH_KEYWORDS, NULL },
    { "_rollout", (PyCFunction)store_rollout, METH_VARARGS, NULL },
    { "_rollouts", (PyCFunction)store_rollouts, METH_NOARGS, NULL },
    { "_flags", (PyCFunction)store_flags, METH_NOARGS, NULL },
    { "_overrides", (PyCFunction)store_overrides, METH_VARARGS, NULL },
    { "_history", (PyCFunction)store_history, METH_VARARGS, NULL },
    { "_verify", (PyCFunction)store_verify, METH_NOARGS, NULL },
    { "_bell", (PyCFunction)store_bell, METH_NOARGS, NULL },
    { "__reduce__", (PyCFunction)store_reduce, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef store_getset[] = {
    { "closed", (getter)store_get_closed, NULL, PyDoc_STR("True after close()."), NULL },
    { "path", (getter)store_get_path, NULL, PyDoc_STR("As it was given; None in memory."), NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot store_slots[] = {
    { Py_tp_doc, (void *)"Where rollouts live." },
    { Py_tp_new, (void *)PyType_GenericNew },
    { Py_tp_init, (void *)store_init },
    { Py_tp_finalize, (void *)store_finalize },
    { Py_tp_dealloc, (void *)store_dealloc },
    { Py_tp_methods, store_methods },
    { Py_tp_getset, store_getset },
    { 0, NULL },
};

PyType_Spec store_spec = {
    .name = "libcanary._core.Store",
    .basicsize = sizeof(store_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = store_slots,
};
