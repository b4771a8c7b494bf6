/* SPDX-License-Identifier: MIT */
#include "core.h"

int user_of(PyObject *object, const void **id, uint64_t *size) {
    Py_ssize_t length;
    if (PyUnicode_Check(object)) {
        *id = PyUnicode_AsUTF8AndSize(object, &length);
        if (*id == NULL) {
            /* Lone surrogates stand for no bytes: there is no such user. Memory is another matter. */
            if (!PyErr_ExceptionMatches(PyExc_UnicodeError)) {
                return -1;
            }
            PyErr_Clear();
            return 0;
        }
    } else if (PyBytes_Check(object)) {
        char *bytes;
        if (PyBytes_AsStringAndSize(object, &bytes, &length) < 0) {
            return -1;
        }
        *id = bytes;
    } else if (object == Py_None) {
        *id = NULL;
        return 0;
    } else {
        PyErr_Format(PyExc_TypeError, "a user id is str or bytes, not %R",
                     (PyObject *)Py_TYPE(object));
        return -1;
    }
    *size = (uint64_t)length;
    return length > 0;
}

int user_for_change(PyObject *object, const void **id, uint64_t *size) {
    if (PyUnicode_Check(object)) {
        Py_ssize_t length;
        *id = PyUnicode_AsUTF8AndSize(object, &length);
        *size = (uint64_t)length;
        return *id == NULL ? -1 : 0;
    }
    if (object == Py_None) {
        PyErr_SetString(PyExc_TypeError, "a user id is str or bytes, not None");
        return -1;
    }
    *size = 0;
    return user_of(object, id, size) < 0 ? -1 : 0;
}
