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
    PyObject *module;      /* that `state` belongs to */
    struct core_state *state;
    PyTypeObject *decision; /* libcanary.Decision */
    PyTypeObject *request;  /* libcanary.Request */
    PyObject *metrics;      /* declared ones: a dict of name to handle * METRIC_KINDS + kind */
    PyObject *name;
    int owns_store; /* 1: closing this closes the store */
} context_object;

enum { METRIC_KINDS = 8 };

typedef struct {
    PyObject_HEAD _Atomic int64_t realtime_ns;
    _Atomic int64_t monotonic_ns;
} clock_object;

/* Strings are interned, so that most comparisons with them end at the pointer. */
enum { WORDS_REASONS = 8, WORDS_STATUSES = 3 };

typedef struct core_state {
    PyTypeObject *context_type;
    PyObject *cohorts[2];
    PyObject *reasons[WORDS_REASONS];
    PyObject *statuses[WORDS_STATUSES];
    PyObject *cohort; /* names of arguments */
    PyObject *status;
    PyObject *duration;
    PyObject *values;
    PyObject *timeouts;
    PyObject *timedelta; /* the type, and a microsecond of it */
    PyObject *microsecond;
    newfunc new_tuple;
} core_state;

extern PyType_Spec store_spec;
extern PyType_Spec context_spec;
extern PyType_Spec request_spec;
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

/* Asks the kill switch and decides: 0, or -1 with an error. */
int context_explain(context_object *self, PyObject *user, canary_decision *decision);
/* decision.c: a libcanary.Decision. */
PyObject *decision_object(context_object *self, const canary_decision *decision);
/* The other way, as far as recording needs it: 0, or -1 with an error. */
int decision_of(context_object *self, PyObject *object, canary_decision *decision);

/* words.c */
int words_init(core_state *state);
int words_visit(core_state *state, visitproc visit, void *arg);
void words_clear(core_state *state);
/* Place of a string among `count` interned ones, or -1. */
int word_find(PyObject *const *words, int count, PyObject *string);
/* CANARY_STATUS_NONE out of None, and STATUS_UNKNOWN, which the library rejects, out of another word.
 * 0, or -1 with a TypeError. */
enum { STATUS_UNKNOWN = 1000, COHORT_UNKNOWN = 1000 };
int status_of(core_state *state, PyObject *object, int32_t *status);
/* Nanoseconds out of seconds or a timedelta. What is no duration becomes one that the library
 * rejects. 0, or -1 with an error. */
int duration_of(core_state *state, PyObject *object, int64_t *duration_ns);

/* record.c: methods of Context, and a measurement out of what Python says: 1; 0 for None, which is
 * none; -1 with an error. */
PyObject *context_declare(context_object *self, PyObject *args);
PyObject *context_record(context_object *self, PyObject *const *args, Py_ssize_t count,
                         PyObject *names);
PyObject *context_expose(context_object *self, PyObject *decision);
PyObject *context_recording(context_object *self, PyObject *unused);
PyObject *context_flush(context_object *self, PyObject *unused);
int measurement_of(context_object *self, PyObject *name, PyObject *value,
                   canary_measurement *measurement);

/* request.c: a method of Context. */
PyObject *context_request(context_object *self, PyObject *const *args, Py_ssize_t count,
                          PyObject *names);

/* figures.c, import.c: methods of Store. */
PyObject *store_flush(store_object *self, PyObject *unused);
PyObject *store_now(store_object *self, PyObject *unused);
PyObject *store_metrics(store_object *self, PyObject *args);
PyObject *store_exposure(store_object *self, PyObject *args);
PyObject *store_openmetrics(store_object *self, PyObject *unused);
PyObject *store_import(store_object *self, PyObject *args);
PyObject *store_baseline_capture(store_object *self, PyObject *args);
PyObject *store_baseline_read(store_object *self, PyObject *args);

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
PyObject *measure_records(PyObject *module, PyObject *args);

/* clock.c */
int64_t clock_read(void *user_data, int clock);
/* Of a store's clock, or of the system where it has none. */
int64_t clock_of(const store_object *store, int clock);

#endif
