/* SPDX-License-Identifier: MIT */
/* Dictionaries with the keys of a C struct. */
#ifndef LIBCANARY_PYTHON_DICT_H
#define LIBCANARY_PYTHON_DICT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* Takes over `value`; a NULL value passes on the error it came from. */
static inline int put(PyObject *dict, const char *key, PyObject *value) {
    if (value == NULL) {
        return -1;
    }
    int status = PyDict_SetItemString(dict, key, value);
    Py_DECREF(value);
    return status;
}

static inline PyObject *text_of(const char *text) {
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static inline PyObject *number(int64_t value) {
    return PyLong_FromLongLong(value);
}

static inline PyObject *natural(uint64_t value) {
    return PyLong_FromUnsignedLongLong(value);
}

static inline PyObject *finish(PyObject *dict, int failed) {
    if (failed) {
        Py_CLEAR(dict);
    }
    return dict;
}

#endif
