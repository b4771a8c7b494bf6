/* SPDX-License-Identifier: MIT */
/* Exceptions are made in Python (libcanary/_errors.py): a class for each code. */
#include "core.h"

static PyObject *raise_with(int code, const char *message, int system, int in_effect) {
    PyObject *errors = PyImport_ImportModule("libcanary._errors");
    if (errors == NULL) {
        return NULL;
    }
    PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    PyObject *exception = text == NULL
                              ? NULL
                              : PyObject_CallMethod(errors, "make", "iOiO", code, text, system,
                                                    in_effect ? Py_True : Py_False);
    if (exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    }
    Py_XDECREF(exception);
    Py_XDECREF(text);
    Py_DECREF(errors);
    return NULL;
}

PyObject *raise_canary(int code, const canary_error *error) {
    if (error != NULL && error->message[0] != '\0') {
        return raise_with(code, error->message, error->system, error->in_effect != 0);
    }
    return raise_with(code, canary_strerror(code), 0, 0);
}

PyObject *raise_closed(const char *what) {
    PyObject *errors = PyImport_ImportModule("libcanary._errors");
    if (errors != NULL) {
        PyObject *class = PyObject_GetAttrString(errors, "ClosedError");
        if (class != NULL) {
            PyObject *exception = PyObject_CallFunction(class, "s", what);
            if (exception != NULL) {
                PyErr_SetObject(class, exception);
                Py_DECREF(exception);
            }
            Py_DECREF(class);
        }
        Py_DECREF(errors);
    }
    return NULL;
}
