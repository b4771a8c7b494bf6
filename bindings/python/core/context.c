/* SPDX-License-Identifier: MIT */
/* The type behind libcanary.Rollout: one rollout, ready to decide. */
#include "core.h"

#include <string.h>

/* The kill switch is asked before the library is entered, with the GIL held and nothing else; the
 * library's own hook then only repeats the answer. The other way round, canary_info() would call
 * Python under the library's lock, and wait there for a GIL whose holder may wait for the lock. */
static _Thread_local int switch_answer;

static int switch_repeat(void *user_data) {
    (void)user_data;
    return switch_answer;
}

/* A switch that fails is in doubt, and doubt means old. */
int switch_ask(context_object *self) {
    PyObject *result = PyObject_CallNoArgs(self->kill_switch);
    int killed = result == NULL ? -1 : PyObject_IsTrue(result);
    Py_XDECREF(result);
    if (killed >= 0) {
        return killed;
    }
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyErr_WriteUnraisable(self->kill_switch);
    return 1;
}

static PyObject *context_closed(context_object *self) {
    (void)self;
    return raise_closed("the rollout is closed");
}

static PyObject *truth(int value) {
    PyObject *result = value ? Py_True : Py_False;
    Py_INCREF(result);
    return result;
}

static PyObject *context_should_use_new(context_object *self, PyObject *user) {
    const void *id = NULL;
    uint64_t size = 0;
    int valid = user_of(user, &id, &size);
    if (valid < 0) {
        return NULL;
    }
    if (self->kill_switch != NULL && valid && guard_is_open(&self->guard)) {
        switch (switch_ask(self)) {
        case 0:
            break;
        case 1:
            return truth(0);
        default:
            return NULL;
        }
    }
    atomic_int *line;
    canary_ctx *ctx = guard_decide_enter(&self->guard, &line);
    if (ctx == NULL) {
        return context_closed(self);
    }
    int answer = valid ? canary_should_use_new_n(ctx, id, size) : 0;
    guard_decide_leave(line);
    return truth(answer);
}

int context_explain(context_object *self, PyObject *user, canary_decision *decision) {
    const void *id = NULL;
    uint64_t size = 0;
    int valid = user_of(user, &id, &size);
    if (valid < 0) {
        return -1;
    }
    int killed = 0;
    if (self->kill_switch != NULL && valid && guard_is_open(&self->guard)) {
        killed = switch_ask(self);
        if (killed < 0) {
            return -1;
        }
    }
    atomic_int *line;
    canary_ctx *ctx = guard_decide_enter(&self->guard, &line);
    if (ctx == NULL) {
        context_closed(self);
        return -1;
    }
    *decision = (canary_decision)CANARY_DECISION_INIT;
    switch_answer = killed;
    canary_explain(ctx, valid ? id : NULL, valid ? size : 0, decision);
    switch_answer = 0;
    guard_decide_leave(line);
    return 0;
}

static PyObject *context_decide(context_object *self, PyObject *user) {
    canary_decision decision;
    return context_explain(self, user, &decision) < 0 ? NULL : decision_object(self, &decision);
}

PyObject *answers_of(const uint8_t *cohorts, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        if (PyList_SetItem(list, i, truth(cohorts[i])) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *context_decide_many(context_object *self, PyObject *users) {
    if (PyUnicode_Check(users) || PyBytes_Check(users)) {
        PyErr_SetString(PyExc_TypeError, "decide_many takes a list of user ids, not one id");
        return NULL;
    }
    /* A tuple, which nobody can change while its strings are in use. */
    PyObject *ids = PySequence_Tuple(users);
    if (ids == NULL) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_Size(ids);
    PyObject *result = NULL;
    canary_user *asked = PyMem_Malloc((size_t)(count > 0 ? count : 1) * (sizeof(canary_user) + 1));
    if (asked == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    uint8_t *cohorts = (uint8_t *)(asked + count);
    for (Py_ssize_t i = 0; i < count; i++) {
        int valid = user_of(PyTuple_GetItem(ids, i), &asked[i].id, &asked[i].size);
        if (valid < 0) {
            goto done;
        }
        if (!valid) {
            asked[i].id = NULL;
            asked[i].size = 0;
        }
    }
    int killed = 0;
    if (self->kill_switch != NULL && guard_is_open(&self->guard)) {
        killed = switch_ask(self);
        if (killed < 0) {
            goto done;
        }
    }
    atomic_int *line;
    canary_ctx *ctx = guard_decide_enter(&self->guard, &line);
    if (ctx == NULL) {
        context_closed(self);
        goto done;
    }
    switch_answer = killed;
    canary_decide_many(ctx, asked, (uint64_t)count, cohorts);
    switch_answer = 0;
    guard_decide_leave(line);
    result = answers_of(cohorts, count);
done:
    PyMem_Free(asked);
    Py_DECREF(ids);
    return result;
}

static PyObject *context_set_killed(context_object *self, int killed) {
    atomic_int *line;
    canary_ctx *ctx = guard_decide_enter(&self->guard, &line);
    if (ctx == NULL) {
        return context_closed(self);
    }
    (killed ? canary_kill : canary_revive)(ctx);
    guard_decide_leave(line);
    Py_RETURN_NONE;
}

static PyObject *context_kill(context_object *self, PyObject *unused) {
    (void)unused;
    return context_set_killed(self, 1);
}

static PyObject *context_revive(context_object *self, PyObject *unused) {
    (void)unused;
    return context_set_killed(self, 0);
}

static PyObject *context_info(context_object *self, PyObject *unused) {
    (void)unused;
    int killed = self->kill_switch == NULL ? 0 : switch_ask(self);
    if (killed < 0) {
        return NULL;
    }
    canary_ctx *ctx = guard_enter(&self->guard);
    if (ctx == NULL) {
        return context_closed(self);
    }
    canary_ctx_info info;
    memset(&info, 0, sizeof(info));
    info.size = (uint32_t)sizeof(info);
    int code;
    Py_BEGIN_ALLOW_THREADS switch_answer = killed;
    code = canary_info(ctx, &info);
    switch_answer = 0;
    Py_END_ALLOW_THREADS guard_leave(&self->guard);
    return code == CANARY_OK ? dict_of_info(&info) : raise_canary(code, NULL);
}

static void context_close_handle(context_object *self) {
    canary_ctx *ctx = guard_take(&self->guard);
    if (ctx != NULL) {
        Py_BEGIN_ALLOW_THREADS canary_close(&ctx);
        Py_END_ALLOW_THREADS
    }
    if (self->owns_store && self->store != NULL) {
        store_close_handle(self->store);
    }
}

static PyObject *context_close(context_object *self, PyObject *unused) {
    (void)unused;
    context_close_handle(self);
    log_drain(NULL, NULL);
    Py_RETURN_NONE;
}

static PyObject *context_get_closed(context_object *self, void *unused) {
    (void)unused;
    return truth(!guard_is_open(&self->guard));
}

static PyObject *context_get_store(context_object *self, void *unused) {
    (void)unused;
    PyObject *store = self->store == NULL ? Py_None : (PyObject *)self->store;
    Py_INCREF(store);
    return store;
}

static PyObject *context_get_name(context_object *self, void *unused) {
    (void)unused;
    PyObject *name = self->name == NULL ? Py_None : self->name;
    Py_INCREF(name);
    return name;
}

static PyObject *context_reduce(context_object *self, PyObject *unused) {
    (void)self;
    (void)unused;
    PyErr_SetString(PyExc_TypeError, "a rollout cannot be pickled: open it in the other process, "
                                     "or before a fork, which it survives");
    return NULL;
}

static PyTypeObject *type_in(const char *module_name, const char *name) {
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *type = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return (PyTypeObject *)type;
}

/* Types and words, where every call finds them at once. */
static int context_find(context_object *self) {
    self->metrics = PyDict_New();
    self->decision = type_in("libcanary._types", "Decision");
    self->request = type_in("libcanary._request", "Request");
    self->module = PyImport_ImportModule("libcanary._core");
    if (self->metrics == NULL || self->decision == NULL || self->request == NULL ||
        self->module == NULL) {
        return -1;
    }
    self->state = PyModule_GetState(self->module);
    return 0;
}

static int context_init(context_object *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = { "store", "name",       "kill_switch", "stale_after_ns",
                             "flags", "owns_store", NULL };
    PyObject *store, *name, *kill_switch = Py_None;
    long long stale_after_ns = 0;
    unsigned int flags = 0;
    int owns_store = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OU|OLIp", names, &store, &name, &kill_switch,
                                     &stale_after_ns, &flags, &owns_store)) {
        return -1;
    }
    if (self->module != NULL) {
        PyErr_SetString(PyExc_TypeError, "it is open already");
        return -1;
    }
    if (kill_switch != Py_None && !PyCallable_Check(kill_switch)) {
        PyErr_Format(PyExc_TypeError, "kill_switch is a callable without arguments, not %R",
                     (PyObject *)Py_TYPE(kill_switch));
        return -1;
    }
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(name, &size);
    if (text == NULL) {
        return -1;
    }
    if (strlen(text) != (size_t)size) {
        PyErr_SetString(PyExc_ValueError, "a rollout's name holds no NUL");
        return -1;
    }
    if (context_find(self) < 0) {
        return -1;
    }
    PyObject *store_type = PyObject_GetAttrString(self->module, "Store");
    int fits = store_type == NULL ? -1 : PyObject_IsInstance(store, store_type);
    Py_XDECREF(store_type);
    if (fits <= 0) {
        if (fits == 0) {
            PyErr_SetString(PyExc_TypeError, "store is a libcanary.Store");
        }
        return -1;
    }

    canary_options options = CANARY_OPTIONS_INIT;
    options.flags = flags;
    options.stale_after_ns = stale_after_ns;
    options.kill_switch = kill_switch == Py_None ? NULL : switch_repeat;
    canary_store *opened = store_enter((store_object *)store);
    if (opened == NULL) {
        return -1;
    }
    canary_ctx *ctx = NULL;
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_open_in(opened, text, &options, &ctx, &error);
    Py_END_ALLOW_THREADS store_leave((store_object *)store);
    if (code != CANARY_OK) {
        raise_canary(code, &error);
        return -1;
    }
    if (guard_init(&self->guard, ctx) < 0) {
        canary_close(&ctx);
        return -1;
    }
    Py_INCREF(name);
    self->name = name;
    Py_INCREF(store);
    self->store = (store_object *)store;
    if (kill_switch != Py_None) {
        Py_INCREF(kill_switch);
        self->kill_switch = kill_switch;
    }
    self->owns_store = owns_store;
    return 0;
}

static int context_traverse(context_object *self, visitproc visit, void *arg) {
    Py_VISIT((PyObject *)Py_TYPE(self));
    Py_VISIT((PyObject *)self->store);
    Py_VISIT(self->kill_switch);
    Py_VISIT(self->module);
    Py_VISIT((PyObject *)self->decision);
    Py_VISIT((PyObject *)self->request);
    Py_VISIT(self->metrics);
    return 0;
}

/* Closed first: without its kill switch it must not decide any more. */
static int context_clear(context_object *self) {
    context_close_handle(self);
    Py_CLEAR(self->kill_switch);
    Py_CLEAR(self->store);
    return 0;
}

static void context_finalize(context_object *self) {
    if (!guard_is_open(&self->guard)) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_ResourceWarning, 1, "unclosed rollout %R", self->name) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    context_close_handle(self);
    PyErr_Restore(type, value, traceback);
}

static void context_dealloc(context_object *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    context_clear(self);
    Py_CLEAR(self->metrics);
    Py_CLEAR(self->request);
    Py_CLEAR(self->decision);
    Py_CLEAR(self->module);
    Py_CLEAR(self->name);
    guard_free(&self->guard);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef context_methods[] = {
    { "should_use_new", (PyCFunction)context_should_use_new, METH_O,
      PyDoc_STR(
          "should_use_new($self, user, /)\n--\n\n"
          "True when this user gets the new path, else False.\n\n"
          "None, an empty id and a str that is no Unicode get the old path. Takes no lock, makes "
          "no system\ncall and keeps the GIL. Raises TypeError for another type, ClosedError "
          "when closed.") },
    { "decide", (PyCFunction)context_decide, METH_O,
      PyDoc_STR(
          "decide($self, user, /)\n--\n\n"
          "Decides and says why: a Decision, which is true when the user gets the new path.") },
    { "decide_many", (PyCFunction)context_decide_many, METH_O,
      PyDoc_STR("decide_many($self, users, /)\n--\n\n"
                "A list of bool, one for each user, all under one and the same state.\n\n"
                "A kill switch is asked once. Keeps the GIL: cut very long lists into pieces.") },
    { "kill", (PyCFunction)context_kill, METH_NOARGS,
      PyDoc_STR(
          "kill($self, /)\n--\n\n"
          "Sends everybody to the old path in this process, until revive().\n\n"
          "For circuit breakers: not stored, not audited. A child forked later inherits it.") },
    { "revive", (PyCFunction)context_revive, METH_NOARGS,
      PyDoc_STR("revive($self, /)\n--\n\n"
                "Takes back kill(); any other kill stays.") },
    { "record", (PyCFunction)(void (*)(void))context_record, METH_FASTCALL | METH_KEYWORDS,
      PyDoc_STR(
          "record($self, decision_or_user, /, *, cohort=None, status='ok', duration=None,\n"
          "       values=None)\n--\n\n"
          "Records how a request ended, for the cohort that was served.\n\n"
          "Takes what decide() answered, or a user id and cohort=, what should_use_new() answered; "
          "the\nstatus \"ok\", \"error\" or \"timeout\", or None when nothing ended and only the "
          "values count;\nthe duration in seconds, or a timedelta; values of declared metrics: "
          "numbers, bools, and\n(tp, fp, fn) or (tp, fp, fn, tn).\n\n"
          "True when all of it was counted. What is not allowed is counted as rejected, see "
          "recording().\nRaises TypeError for another type, ClosedError when closed. Takes no lock "
          "and keeps the GIL.") },
    { "expose", (PyCFunction)context_expose, METH_O,
      PyDoc_STR("expose($self, decision, /)\n--\n\n"
                "Counts a decision and its user without an outcome; record() does this too.") },
    { "request", (PyCFunction)(void (*)(void))context_request, METH_FASTCALL | METH_KEYWORDS,
      PyDoc_STR(
          "request($self, user, /, *, timeouts=())\n--\n\n"
          "A context manager that decides, takes the time, and records the outcome.\n\n"
          "An exception makes it an error; TimeoutError and those of `timeouts` a timeout.") },
    { "flush", (PyCFunction)context_flush, METH_NOARGS,
      PyDoc_STR("flush($self, /)\n--\n\n"
                "Merges what this process recorded into the metrics database of the store, now.\n\n"
                "Without it, it is merged every ten seconds, when closing, and at exit.") },
    { "_declare", (PyCFunction)context_declare, METH_VARARGS, NULL },
    { "_recording", (PyCFunction)context_recording, METH_NOARGS, NULL },
    { "_info", (PyCFunction)context_info, METH_NOARGS, NULL },
    { "close", (PyCFunction)context_close, METH_NOARGS,
      PyDoc_STR("close($self, /)\n--\n\n"
                "Closes it. A second call does nothing.\n\n"
                "Decisions of other threads end first, then raise ClosedError.") },
    { "__reduce__", (PyCFunction)context_reduce, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef context_getset[] = {
    { "closed", (getter)context_get_closed, NULL, PyDoc_STR("True after close()."), NULL },
    { "store", (getter)context_get_store, NULL, PyDoc_STR("The Store it belongs to."), NULL },
    { "name", (getter)context_get_name, NULL, PyDoc_STR("The rollout's name."), NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot context_slots[] = {
    { Py_tp_doc, (void *)"One rollout of a store, ready to decide." },
    { Py_tp_new, (void *)PyType_GenericNew },
    { Py_tp_init, (void *)context_init },
    { Py_tp_traverse, (void *)context_traverse },
    { Py_tp_clear, (void *)context_clear },
    { Py_tp_finalize, (void *)context_finalize },
    { Py_tp_dealloc, (void *)context_dealloc },
    { Py_tp_methods, context_methods },
    { Py_tp_getset, context_getset },
    { 0, NULL },
};

PyType_Spec context_spec = {
    .name = "libcanary._core.Context",
    .basicsize = sizeof(context_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = context_slots,
};
