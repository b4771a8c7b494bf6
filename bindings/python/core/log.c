/* SPDX-License-Identifier: MIT */
/* Lines of the library's log, on their way to Python's `logging`.
 *
 * The library logs with its lock held, from the watcher's thread or from a call that released the
 * GIL. Taking the GIL there could deadlock with os.fork(), which holds it and waits for that lock.
 * So lines wait in a list without locks, and the interpreter's main thread logs them when it next
 * runs Python code (or any thread that comes out of a call of ours). */
#include "core.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOG_WAITING_MAX 256

typedef struct log_line {
    struct log_line *next;
    int level;
    char message[];
} log_line;

static _Atomic(log_line *) newest;
static atomic_int waiting;
static atomic_int scheduled;
static atomic_int down; /* the interpreter ends: nobody will read on */

static int log_level_of(int level) {
    switch (level) {
    case CANARY_LOG_ERROR:
        return 40;
    case CANARY_LOG_WARNING:
        return 30;
    case CANARY_LOG_INFO:
        return 20;
    default:
        return 10;
    }
}

static int log_pass_on(void *unused) {
    (void)unused;
    atomic_store(&scheduled, 0);
    log_line *lines = atomic_exchange(&newest, NULL);
    if (lines == NULL) {
        return 0;
    }
    log_line *in_order = NULL;
    while (lines != NULL) {
        log_line *next = lines->next;
        lines->next = in_order;
        in_order = lines;
        lines = next;
    }
    /* An error of the program's own handler is its own; it must not surface in unrelated code. */
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *module = PyImport_ImportModule("logging");
    PyObject *logger =
        module == NULL ? NULL : PyObject_CallMethod(module, "getLogger", "s", "libcanary");
    while (in_order != NULL) {
        log_line *line = in_order;
        in_order = line->next;
        if (logger != NULL) {
            PyObject *text =
                PyUnicode_DecodeUTF8(line->message, (Py_ssize_t)strlen(line->message), "replace");
            PyObject *done = text == NULL
                                 ? NULL
                                 : PyObject_CallMethod(logger, "log", "isO",
                                                       log_level_of(line->level), "%s", text);
            if (done == NULL) {
                PyErr_WriteUnraisable(logger);
            }
            Py_XDECREF(done);
            Py_XDECREF(text);
        }
        atomic_fetch_sub(&waiting, 1);
        free(line);
    }
    Py_XDECREF(logger);
    Py_XDECREF(module);
    PyErr_Restore(type, value, traceback);
    return 0;
}

void log_take(void *user_data, int level, const char *message) {
    (void)user_data;
    if (atomic_load(&down)) {
        return;
    }
    if (atomic_fetch_add(&waiting, 1) >= LOG_WAITING_MAX) {
        atomic_fetch_sub(&waiting, 1);
        return;
    }
    size_t size = strlen(message) + 1;
    log_line *line = malloc(sizeof(*line) + size);
    if (line == NULL) {
        atomic_fetch_sub(&waiting, 1);
        return;
    }
    line->level = level;
    memcpy(line->message, message, size);
    line->next = atomic_load(&newest);
    while (!atomic_compare_exchange_weak(&newest, &line->next, line)) {
    }
    if (atomic_exchange(&scheduled, 1) == 0 && Py_AddPendingCall(log_pass_on, NULL) != 0) {
        atomic_store(&scheduled, 0);
    }
}

PyObject *log_drain(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    log_pass_on(NULL);
    Py_RETURN_NONE;
}

void log_shutdown(void) {
    atomic_store(&down, 1);
}
