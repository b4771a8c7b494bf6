/* SPDX-License-Identifier: MIT */
/* Figures from elsewhere, and baselines. */
#include "core.h"
#include "dict.h"

/* A row is a tuple; its strings live as long as it does. */
static int row_of(PyObject *tuple, canary_import_row *row) {
    int cohort, kind, declare;
    long long at_ns;
    unsigned long long n, k, tp, fp, fn, tn;
    memset(row, 0, sizeof(*row));
    row->size = (uint32_t)sizeof(*row);
    if (!PyTuple_Check(tuple) ||
        !PyArg_ParseTuple(tuple, "iipszLKKdKKKK", &cohort, &kind, &declare, &row->metric,
                          &row->unit, &at_ns, &n, &k, &row->value, &tp, &fp, &fn, &tn)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a row is a tuple");
        }
        return -1;
    }
    row->cohort = cohort;
    row->kind = kind;
    row->declare = declare != 0;
    row->at_ns = at_ns;
    row->n = n;
    row->k = k;
    row->tp = tp;
    row->fp = fp;
    row->fn = fn;
    row->tn = tn;
    return 0;
}

static PyObject *results_of(const canary_import_result *results, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *result =
            Py_BuildValue("(iNN)", (int)results[i].code, PyBool_FromLong(results[i].declared != 0),
                          text_of(results[i].message));
        if (result == NULL || PyList_SetItem(list, i, result) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

PyObject *store_import(store_object *self, PyObject *args) {
    const char *rollout, *key;
    PyObject *given;
    if (!PyArg_ParseTuple(args, "szO!", &rollout, &key, &PyTuple_Type, &given)) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_Size(given);
    size_t room = (size_t)(count > 0 ? count : 1);
    canary_import_row *rows = PyMem_Calloc(room, sizeof(*rows));
    canary_import_result *results = PyMem_Calloc(room, sizeof(*results));
    PyObject *answer = NULL;
    if (rows == NULL || results == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (row_of(PyTuple_GetItem(given, i), &rows[i]) < 0) {
            goto done;
        }
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        goto done;
    }
    int32_t repeated = 0;
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code =
        canary_import(store, rollout, key, rows, (uint64_t)count, results, &repeated, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    answer = code == CANARY_OK
                 ? Py_BuildValue("(NN)", results_of(results, count), PyBool_FromLong(repeated != 0))
                 : raise_canary(code, &error);
done:
    PyMem_Free(rows);
    PyMem_Free(results);
    return answer;
}

static PyObject *dict_of_baseline(int code, const canary_baseline_info *info,
                                  const canary_error *error) {
    if (code != CANARY_OK) {
        return raise_canary(code, error);
    }
    PyObject *d = PyDict_New();
    return finish(d, d == NULL || put(d, "hours", natural(info->hours)) < 0 ||
                         put(d, "captured_at_ns", number(info->captured_at_ns)) < 0 ||
                         put(d, "from_ns", number(info->from_ns)) < 0 ||
                         put(d, "to_ns", number(info->to_ns)) < 0 ||
                         put(d, "outcomes", natural(info->outcomes)) < 0 ||
                         put(d, "by", text_of(info->by)) < 0 ||
                         put(d, "note", text_of(info->note)) < 0);
}

PyObject *store_baseline_capture(store_object *self, PyObject *args) {
    const char *rollout;
    long long from_ns, to_ns;
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    if (!PyArg_ParseTuple(args, "sLLzzI", &rollout, &from_ns, &to_ns, &options.by, &options.note,
                          &options.flags)) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_baseline_info info = { .size = (uint32_t)sizeof(info) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code =
        canary_baseline_capture(store, rollout, from_ns, to_ns, &options, &info, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    return dict_of_baseline(code, &info, &error);
}

PyObject *store_baseline_read(store_object *self, PyObject *args) {
    const char *rollout;
    if (!PyArg_ParseTuple(args, "s", &rollout)) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_baseline_info info = { .size = (uint32_t)sizeof(info) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_baseline_read(store, rollout, &info, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    return dict_of_baseline(code, &info, &error);
}
