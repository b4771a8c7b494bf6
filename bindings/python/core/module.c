/* SPDX-License-Identifier: MIT */
/* The module libcanary._core: its types, and functions that need no store. */
#include "core.h"

#include <string.h>

static PyObject *core_hash_user(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *names[] = { "user", "salt", NULL };
    PyObject *user;
    const char *salt = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|s", names, &user, &salt)) {
        return NULL;
    }
    const void *id;
    uint64_t size;
    if (user_for_change(user, &id, &size) < 0) {
        return NULL;
    }
    uint32_t hash;
    int code = canary_hash_user(salt, id, size, &hash);
    if (code != CANARY_OK) {
        canary_error error = CANARY_ERROR_INIT;
        strcpy(error.message, size == 0 ? "an empty user id has no place on the ramp"
                                        : "the salt is longer than 128 bytes");
        return raise_canary(code, &error);
    }
    return PyLong_FromUnsignedLong(hash);
}

static PyObject *core_bucket(PyObject *module, PyObject *args, PyObject *kwargs) {
    PyObject *hash = core_hash_user(module, args, kwargs);
    if (hash == NULL) {
        return NULL;
    }
    uint32_t value = (uint32_t)PyLong_AsUnsignedLong(hash);
    Py_DECREF(hash);
    return PyLong_FromUnsignedLong(canary_bucket_from_hash(value));
}

static PyObject *core_error_name(PyObject *module, PyObject *args) {
    (void)module;
    int code;
    if (!PyArg_ParseTuple(args, "i", &code)) {
        return NULL;
    }
    return PyUnicode_FromString(canary_error_name(code));
}

static PyObject *core_shutdown(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    log_shutdown();
    Py_RETURN_NONE;
}

static PyMethodDef core_methods[] = {
    { "hash_user", (PyCFunction)(void (*)(void))core_hash_user, METH_VARARGS | METH_KEYWORDS,
      PyDoc_STR("hash_user($module, /, user, salt='')\n--\n\n"
                "h of algorithm 1: the first four bytes of SHA-256, big-endian.") },
    { "bucket", (PyCFunction)(void (*)(void))core_bucket, METH_VARARGS | METH_KEYWORDS,
      PyDoc_STR("bucket($module, /, user, salt='')\n--\n\n"
                "A user's fixed place on the ramp, 0 to 9999.") },
    { "decide_rollouts", (PyCFunction)decide_rollouts, METH_VARARGS,
      PyDoc_STR(
          "decide_rollouts($module, user, rollouts, /)\n--\n\n"
          "Decides for one user on many rollouts: a list of bool in their order.\n\n"
          "The id is hashed once for all rollouts of one salt. Kill switches are asked first.") },
    { "_bare", (PyCFunction)measure_bare, METH_O, NULL },
    { "_measure", (PyCFunction)measure_decisions, METH_VARARGS, NULL },
    { "_measure_records", (PyCFunction)measure_records, METH_VARARGS, NULL },
    { "_error_name", (PyCFunction)core_error_name, METH_VARARGS, NULL },
    { "_log_drain", (PyCFunction)log_drain, METH_NOARGS, NULL },
    { "_shutdown", (PyCFunction)core_shutdown, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static int add_type(PyObject *module, const char *name, PyType_Spec *spec) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL || PyModule_AddObject(module, name, type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    if (spec == &context_spec) {
        Py_INCREF(type);
        ((core_state *)PyModule_GetState(module))->context_type = (PyTypeObject *)type;
    }
    return 0;
}

static int core_traverse(PyObject *module, visitproc visit, void *arg) {
    core_state *state = PyModule_GetState(module);
    Py_VISIT((PyObject *)state->context_type);
    return words_visit(state, visit, arg);
}

static int core_clear(PyObject *module) {
    core_state *state = PyModule_GetState(module);
    Py_CLEAR(state->context_type);
    words_clear(state);
    return 0;
}

static void core_free(void *module) {
    core_clear(module);
}

static int core_exec(PyObject *module) {
    if (words_init(PyModule_GetState(module)) < 0 || add_type(module, "Store", &store_spec) < 0 ||
        add_type(module, "Context", &context_spec) < 0 ||
        add_type(module, "Request", &request_spec) < 0 ||
        add_type(module, "Clock", &clock_spec) < 0) {
        return -1;
    }
#if defined(LIBCANARY_BUNDLED)
    int bundled = 1;
#else
    int bundled = 0;
#endif
    if (PyModule_AddStringConstant(module, "library_version", canary_version()) < 0 ||
        PyModule_AddObject(module, "bundled", PyBool_FromLong(bundled)) < 0 ||
        PyModule_AddIntConstant(module, "OPEN_CREATE", CANARY_OPEN_CREATE) < 0 ||
        PyModule_AddIntConstant(module, "OPEN_NO_WATCHER", CANARY_OPEN_NO_WATCHER) < 0 ||
        PyModule_AddIntConstant(module, "OPEN_DEFER", CANARY_OPEN_DEFER) < 0 ||
        PyModule_AddIntConstant(module, "OPEN_READ_ONLY", CANARY_OPEN_READ_ONLY) < 0 ||
        PyModule_AddIntConstant(module, "CHANGE_DRY_RUN", CANARY_CHANGE_DRY_RUN) < 0 ||
        PyModule_AddIntConstant(module, "CHANGE_EMERGENCY", CANARY_CHANGE_EMERGENCY) < 0 ||
        PyModule_AddIntConstant(module, "METRICS_BY_GENERATION", CANARY_METRICS_BY_GENERATION) <
            0 ||
        PyModule_AddIntConstant(module, "METRICS_BASELINE", CANARY_METRICS_BASELINE) < 0) {
        return -1;
    }
    return 0;
}

static PyModuleDef_Slot core_slots[] = {
    { Py_mod_exec, (void *)core_exec },
#ifdef Py_GIL_DISABLED
    { Py_mod_gil, Py_MOD_GIL_NOT_USED },
#endif
    { 0, NULL },
};

static PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "libcanary._core",
    .m_doc = "The part of libcanary that is in C; import libcanary instead.",
    .m_size = sizeof(core_state),
    .m_methods = core_methods,
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&core_module);
}
