/* SPDX-License-Identifier: MIT */
/* Reading what all processes recorded. As in list.c, entries are copied without the GIL, and become
 * Python objects afterwards. */
#include "core.h"
#include "dict.h"

#include <stdlib.h>

PyObject *store_flush(store_object *self, PyObject *unused) {
    (void)unused;
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_flush(store, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    if (code != CANARY_OK) {
        return raise_canary(code, &error);
    }
    Py_RETURN_NONE;
}

PyObject *store_now(store_object *self, PyObject *unused) {
    (void)unused;
    return number(clock_of(self, CANARY_CLOCK_REALTIME));
}

/* -- OpenMetrics */

typedef struct {
    char *bytes;
    size_t size;
    size_t room;
    int full; /* 1: there was no memory */
} text_buffer;

static int text_add(void *user_data, const char *piece, uint64_t size) {
    text_buffer *text = user_data;
    if (size > text->room - text->size) {
        size_t room = (text->size + (size_t)size) * 2;
        char *bytes = realloc(text->bytes, room);
        if (bytes == NULL) {
            text->full = 1;
            return 1;
        }
        text->bytes = bytes;
        text->room = room;
    }
    memcpy(text->bytes + text->size, piece, (size_t)size);
    text->size += (size_t)size;
    return 0;
}

PyObject *store_openmetrics(store_object *self, PyObject *unused) {
    (void)unused;
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    text_buffer text = { NULL, 0, 0, 0 };
    canary_error error = CANARY_ERROR_INIT;
    PyObject *result = NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_write_openmetrics(store, text_add, &text, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    if (text.full) {
        PyErr_NoMemory();
    } else if (code != CANARY_OK) {
        raise_canary(code, &error);
    } else {
        result = PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.size, "replace");
    }
    free(text.bytes);
    return result;
}

/* -- figures */

typedef struct {
    canary_metrics_row row;
    canary_figures cohorts[2];
} gathered_row;

typedef struct {
    gathered_row *rows;
    size_t count;
    size_t room;
    int full;
} gathered_rows;

static void figures_copy(canary_figures *to, const canary_figures *from) {
    memset(to, 0, sizeof(*to));
    memcpy(to, from, from->size < sizeof(*to) ? from->size : sizeof(*to));
}

static int row_take(void *user_data, const canary_metrics_row *row) {
    gathered_rows *all = user_data;
    if (all->count == all->room) {
        size_t room = all->room == 0 ? 16 : all->room * 2;
        gathered_row *rows = realloc(all->rows, room * sizeof(*rows));
        if (rows == NULL) {
            all->full = 1;
            return 1;
        }
        all->rows = rows;
        all->room = room;
    }
    gathered_row *place = &all->rows[all->count++];
    memset(&place->row, 0, sizeof(place->row));
    memcpy(&place->row, row, row->size < sizeof(*row) ? row->size : sizeof(*row));
    figures_copy(&place->cohorts[CANARY_OLD], row->old_cohort);
    figures_copy(&place->cohorts[CANARY_NEW], row->new_cohort);
    return 0;
}

static PyObject *real(double value) {
    return PyFloat_FromDouble(value);
}

static PyObject *naturals(const uint64_t *values, Py_ssize_t count) {
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *value = natural(values[i]);
        if (value == NULL || PyTuple_SetItem(tuple, i, value) < 0) {
            Py_CLEAR(tuple);
        }
    }
    return tuple;
}

static PyObject *dict_of_figures(const canary_figures *figures, uint32_t thresholds) {
    Py_ssize_t count = thresholds < CANARY_THRESHOLDS_MAX ? thresholds : CANARY_THRESHOLDS_MAX;
    PyObject *d = PyDict_New();
    return finish(
        d, d == NULL || put(d, "n", natural(figures->n)) < 0 ||
               put(d, "k", natural(figures->k)) < 0 || put(d, "rate", real(figures->rate)) < 0 ||
               put(d, "sum", real(figures->sum)) < 0 || put(d, "mean", real(figures->mean)) < 0 ||
               put(d, "variance", real(figures->variance)) < 0 ||
               put(d, "minimum", real(figures->minimum)) < 0 ||
               put(d, "maximum", real(figures->maximum)) < 0 ||
               put(d, "p50", real(figures->p50)) < 0 || put(d, "p90", real(figures->p90)) < 0 ||
               put(d, "p95", real(figures->p95)) < 0 || put(d, "p99", real(figures->p99)) < 0 ||
               put(d, "p999", real(figures->p999)) < 0 ||
               put(d, "overflow", natural(figures->overflow)) < 0 ||
               put(d, "tp", natural(figures->tp)) < 0 || put(d, "fp", natural(figures->fp)) < 0 ||
               put(d, "fn", natural(figures->fn)) < 0 || put(d, "tn", natural(figures->tn)) < 0 ||
               put(d, "precision", real(figures->precision)) < 0 ||
               put(d, "recall", real(figures->recall)) < 0 || put(d, "f1", real(figures->f1)) < 0 ||
               put(d, "threshold_n", naturals(figures->threshold_n, count)) < 0 ||
               put(d, "threshold_above", naturals(figures->threshold_above, count)) < 0);
}

static PyObject *dict_of_row(const gathered_row *all) {
    const canary_metrics_row *row = &all->row;
    uint64_t thresholds_ns[CANARY_THRESHOLDS_MAX];
    Py_ssize_t count =
        row->threshold_count < CANARY_THRESHOLDS_MAX ? row->threshold_count : CANARY_THRESHOLDS_MAX;
    for (Py_ssize_t i = 0; i < count; i++) {
        thresholds_ns[i] = (uint64_t)row->thresholds_ns[i];
    }
    PyObject *d = PyDict_New();
    return finish(
        d,
        d == NULL || put(d, "metric", text_of(row->metric)) < 0 ||
            put(d, "kind", text_of(canary_metric_kind_name(row->kind))) < 0 ||
            put(d, "unit", text_of(row->unit)) < 0 || put(d, "from_ns", number(row->from_ns)) < 0 ||
            put(d, "to_ns", number(row->to_ns)) < 0 ||
            put(d, "generation", natural(row->generation)) < 0 ||
            put(d, "thresholds_ns", naturals(thresholds_ns, count)) < 0 ||
            put(d, "old", dict_of_figures(&all->cohorts[CANARY_OLD], row->threshold_count)) < 0 ||
            put(d, "new", dict_of_figures(&all->cohorts[CANARY_NEW], row->threshold_count)) < 0);
}

static PyObject *dict_of_report(const canary_metrics_report *report) {
    PyObject *d = PyDict_New();
    return finish(d, d == NULL || put(d, "damaged", natural(report->damaged)) < 0 ||
                         put(d, "from_ns", number(report->from_ns)) < 0 ||
                         put(d, "to_ns", number(report->to_ns)) < 0 ||
                         put(d, "rejected", natural(report->rejected)) < 0 ||
                         put(d, "dropped", natural(report->dropped)) < 0 ||
                         put(d, "last_at_ns", number(report->last_at_ns)) < 0 ||
                         put(d, "damage", text_of(report->damage)) < 0);
}

static int query_of(PyObject *args, const char **rollout, canary_metrics_query *query) {
    long long from_ns, to_ns, step_ns;
    unsigned long long generation;
    *query = (canary_metrics_query)CANARY_METRICS_QUERY_INIT;
    if (!PyArg_ParseTuple(args, "sILLLKz", rollout, &query->flags, &from_ns, &to_ns, &step_ns,
                          &generation, &query->metric)) {
        return -1;
    }
    query->from_ns = from_ns;
    query->to_ns = to_ns;
    query->step_ns = step_ns;
    query->generation = generation;
    return 0;
}

PyObject *store_metrics(store_object *self, PyObject *args) {
    const char *rollout;
    canary_metrics_query query;
    if (query_of(args, &rollout, &query) < 0) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    gathered_rows all = { NULL, 0, 0, 0 };
    canary_metrics_report report;
    memset(&report, 0, sizeof(report));
    report.size = (uint32_t)sizeof(report);
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code =
        canary_metrics(store, rollout, &query, row_take, &all, &report, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    PyObject *rows = NULL;
    if (all.full) {
        PyErr_NoMemory();
    } else if (code != CANARY_OK) {
        raise_canary(code, &error);
    } else {
        rows = PyList_New((Py_ssize_t)all.count);
    }
    for (size_t i = 0; rows != NULL && i < all.count; i++) {
        PyObject *row = dict_of_row(&all.rows[i]);
        if (row == NULL || PyList_SetItem(rows, (Py_ssize_t)i, row) < 0) {
            Py_CLEAR(rows);
        }
    }
    free(all.rows);
    return rows == NULL ? NULL : Py_BuildValue("(NN)", rows, dict_of_report(&report));
}

PyObject *store_exposure(store_object *self, PyObject *args) {
    const char *rollout;
    canary_metrics_query query;
    if (query_of(args, &rollout, &query) < 0) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_exposure_read(store, rollout, &query, &exposure, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    if (code != CANARY_OK) {
        return raise_canary(code, &error);
    }
    PyObject *reasons = PyTuple_New(16);
    for (int i = 0; reasons != NULL && i < 16; i++) {
        PyTuple_SetItem(reasons, i, text_of(canary_reason_name(i)));
    }
    PyObject *d = PyDict_New();
    if (d == NULL) {
        Py_XDECREF(reasons);
        return NULL;
    }
    return finish(d,
                  put(d, "reasons", reasons) < 0 ||
                      put(d, "generation", natural(exposure.generation)) < 0 ||
                      put(d, "sampled_all", PyBool_FromLong(exposure.sampled_all != 0)) < 0 ||
                      put(d, "decisions_old", naturals(exposure.decisions[CANARY_OLD], 16)) < 0 ||
                      put(d, "decisions_new", naturals(exposure.decisions[CANARY_NEW], 16)) < 0 ||
                      put(d, "users_old", real(exposure.users[CANARY_OLD])) < 0 ||
                      put(d, "users_new", real(exposure.users[CANARY_NEW])) < 0 ||
                      put(d, "users_old_error", real(exposure.users_error[CANARY_OLD])) < 0 ||
                      put(d, "users_new_error", real(exposure.users_error[CANARY_NEW])) < 0 ||
                      put(d, "users_total", real(exposure.users_total)) < 0 ||
                      put(d, "users_total_error", real(exposure.users_total_error)) < 0 ||
                      put(d, "sampled_old", natural(exposure.sampled[CANARY_OLD])) < 0 ||
                      put(d, "sampled_new", natural(exposure.sampled[CANARY_NEW])) < 0 ||
                      put(d, "sampled_both", natural(exposure.sampled_both)) < 0 ||
                      put(d, "sample_share", real(exposure.sample_share)) < 0);
}
