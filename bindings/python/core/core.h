/* SPDX-License-Identifier: MIT */
/* What the parts of the extension share. */
#ifndef LIBCANARY_PYTHON_CORE_H
#define LIBCANARY_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>

#include <canary/canary.h>

#include "guard.h"

typedef struct {
    PyObject_HEAD handle_guard guard; /* of the canary_store */
    PyObject *clock;
    PyObject *path; /* str, or None for a store in memory */
} store_object;

typedef struct {
    PyObject_HEAD handle_guard guard; /* of the canary_ctx */
    store_object *store;
    PyObject *kill_switch; /* NULL for none, which costs nothing */
    PyObject *decision;    /* libcanary.Decision._make */
    PyObject *name;
    int owns_store; /* 1: closing this closes the store */
} context_object;

typedef struct {
    PyObject_HEAD _Atomic int64_t realtime_ns;
    _Atomic int64_t monotonic_ns;
} clock_object;

typedef struct {
    PyTypeObject *context_type;
} core_state;

extern PyType_Spec store_spec;
extern PyType_Spec context_spec;
extern PyType_Spec clock_spec;

/* error.c: set a Python exception and answer NULL. */
PyObject *raise_canary(int code, const canary_error *error);
PyObject *raise_closed(const char *what);

/* user.c: a user id out of a Python object. 1: there; 0: an id of the right type that is none
 * (None, empty, not UTF-8), which is decided as INVALID; -1: another type, with TypeError set. */
int user_of(PyObject *object, const void **id, uint64_t *size);
/* For an operator's call, which refuses what a decision answers `old`: 0, or -1 with an error. */
int user_for_change(PyObject *object, const void **id, uint64_t *size);

/* context.c. The kill switch, which is there: 1 killed; 0 not; -1 an exception that is no Exception
 * (KeyboardInterrupt), which goes on. */
int switch_ask(context_object *self);
/* The answers as a list of bool. */
PyObject *answers_of(const uint8_t *cohorts, Py_ssize_t count);

/* rollouts.c: a function of the module. */
PyObject *decide_rollouts(PyObject *module, PyObject *args);

/* operate.c, list.c: methods of Store. Take the store's guard. */
PyObject *store_create(store_object *self, PyObject *args, PyObject *kwargs);
PyObject *store_change(store_object *self, PyObject *args, PyObject *kwargs);
PyObject *store_rollout(store_object *self, PyObject *args);
PyObject *store_rollouts(store_object *self, PyObject *unused);
PyObject *store_flags(store_object *self, PyObject *unused);
PyObject *store_overrides(store_object *self, PyObject *args);
PyObject *store_history(store_object *self, PyObject *args);
PyObject *store_verify(store_object *self, PyObject *unused);
PyObject *store_bell(store_object *self, PyObject *unused);

/* Borrows the store until store_leave(); NULL with ClosedError when it is closed. */
canary_store *store_enter(store_object *self);
void store_leave(store_object *self);
void store_close_handle(store_object *self);

/* convert.c: new dictionaries, keys as the fields of the C structs, or NULL with an error. */
PyObject *dict_of_change(const canary_change *change);
PyObject *dict_of_rollout(const canary_rollout *rollout);
PyObject *dict_of_flag(const canary_flag *flag);
PyObject *dict_of_info(const canary_ctx_info *info);

/* log.c: the hook for canary_options.log. */
void log_take(void *user_data, int level, const char *message);
void log_shutdown(void);
PyObject *log_drain(PyObject *module, PyObject *unused);

/* measure.c */
PyObject *measure_bare(PyObject *module, PyObject *user);
PyObject *measure_decisions(PyObject *module, PyObject *args);

/* clock.c */
int64_t clock_read(void *user_data, int clock);

#endif
