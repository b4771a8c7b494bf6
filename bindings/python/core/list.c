/* SPDX-License-Identifier: MIT */
/* What an operator reads. The library's callbacks copy entries into memory of our own without the
 * GIL; Python objects are made of them afterwards. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    char *entries;
    size_t entry_size;
    size_t count;
    size_t room;
    int full; /* 1: there was no memory */
} gathered;

static void *gather_room(gathered *all) {
    if (all->count == all->room) {
        size_t room = all->room == 0 ? 32 : all->room * 2;
        char *entries = realloc(all->entries, room * all->entry_size);
        if (entries == NULL) {
            all->full = 1;
            return NULL;
        }
        all->entries = entries;
        all->room = room;
    }
    void *entry = all->entries + all->count * all->entry_size;
    memset(entry, 0, all->entry_size);
    all->count++;
    return entry;
}

/* Entries of a newer library may be longer, those of an older one shorter. */
static int gather(gathered *all, const void *entry, uint32_t size) {
    void *room = gather_room(all);
    if (room == NULL) {
        return 1;
    }
    memcpy(room, entry, size < all->entry_size ? size : all->entry_size);
    return 0;
}

static int gather_change(void *all, const canary_change *entry) {
    return gather(all, entry, entry->size);
}

static int gather_rollout(void *all, const canary_rollout *entry) {
    return gather(all, entry, entry->size);
}

static int gather_flag(void *all, const canary_flag *entry) {
    return gather(all, entry, entry->size);
}

static int gather_finding(void *all, const canary_finding *entry) {
    return gather(all, entry, entry->size);
}

typedef struct {
    char *id;
    uint64_t size;
    int cohort;
} override_entry;

static int gather_override(void *all, const void *user_id, uint64_t user_id_size, int cohort) {
    override_entry *entry = gather_room(all);
    if (entry == NULL) {
        return 1;
    }
    entry->id = malloc(user_id_size > 0 ? user_id_size : 1);
    if (entry->id == NULL) {
        ((gathered *)all)->full = 1;
        return 1;
    }
    memcpy(entry->id, user_id, user_id_size);
    entry->size = user_id_size;
    entry->cohort = cohort;
    return 0;
}

static PyObject *change_at(const void *entry) {
    return dict_of_change(entry);
}

static PyObject *rollout_at(const void *entry) {
    return dict_of_rollout(entry);
}

static PyObject *flag_at(const void *entry) {
    return dict_of_flag(entry);
}

static PyObject *override_at(const void *entry) {
    const override_entry *override = entry;
    return Py_BuildValue("(y#s)", override->id, (Py_ssize_t) override->size,
                         canary_cohort_name(override->cohort));
}

static PyObject *finding_at(const void *entry) {
    const canary_finding *finding = entry;
    return Py_BuildValue("(iKssss)", (int)finding->kind, (unsigned long long)finding->change_id,
                         finding->rollout, finding->flag, finding->message, finding->next);
}

/* The list, or the error of the call or of memory. Frees what was gathered. */
static PyObject *listed(gathered *all, int code, const canary_error *error,
                        PyObject *(*object_at)(const void *entry)) {
    PyObject *list = NULL;
    if (all->full) {
        PyErr_NoMemory();
    } else if (code != CANARY_OK && code != CANARY_E_TAMPERED) {
        raise_canary(code, error);
    } else {
        list = PyList_New((Py_ssize_t)all->count);
    }
    for (size_t i = 0; list != NULL && i < all->count; i++) {
        PyObject *object = object_at(all->entries + i * all->entry_size);
        if (object == NULL || PyList_SetItem(list, (Py_ssize_t)i, object) < 0) {
            Py_CLEAR(list);
        }
    }
    free(all->entries);
    return list;
}

PyObject *store_rollout(store_object *self, PyObject *args) {
    const char *name;
    if (!PyArg_ParseTuple(args, "s", &name)) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_rollout rollout = { .size = (uint32_t)sizeof(rollout) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_rollout_read(store, name, &rollout, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    return code == CANARY_OK ? dict_of_rollout(&rollout) : raise_canary(code, &error);
}

PyObject *store_rollouts(store_object *self, PyObject *unused) {
    (void)unused;
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    gathered all = { .entry_size = sizeof(canary_rollout) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_rollout_list(store, gather_rollout, &all, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    return listed(&all, code, &error, rollout_at);
}

PyObject *store_flags(store_object *self, PyObject *unused) {
    (void)unused;
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    gathered all = { .entry_size = sizeof(canary_flag) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_flag_list(store, gather_flag, &all, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    return listed(&all, code, &error, flag_at);
}

PyObject *store_overrides(store_object *self, PyObject *args) {
    const char *name;
    if (!PyArg_ParseTuple(args, "s", &name)) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    gathered all = { .entry_size = sizeof(override_entry) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_override_list(store, name, gather_override, &all, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    size_t count = all.count;
    override_entry *entries = (override_entry *)(void *)all.entries;
    gathered borrowed = all;
    borrowed.entries = NULL;
    PyObject *list = NULL;
    if (all.full || code != CANARY_OK) {
        borrowed.count = 0;
        listed(&borrowed, code, &error, override_at);
    } else {
        list = PyList_New((Py_ssize_t)count);
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *object = list == NULL ? NULL : override_at(&entries[i]);
        if (list != NULL && (object == NULL || PyList_SetItem(list, (Py_ssize_t)i, object) < 0)) {
            Py_CLEAR(list);
        }
        free(entries[i].id);
    }
    free(entries);
    return list;
}

PyObject *store_history(store_object *self, PyObject *args) {
    const char *name;
    unsigned long long limit, before;
    if (!PyArg_ParseTuple(args, "zKK", &name, &limit, &before)) {
        return NULL;
    }
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    gathered all = { .entry_size = sizeof(canary_change) };
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code =
        canary_history(store, name, limit, before, gather_change, &all, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    return listed(&all, code, &error, change_at);
}

PyObject *store_verify(store_object *self, PyObject *unused) {
    (void)unused;
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    gathered all = { .entry_size = sizeof(canary_finding) };
    canary_error error = CANARY_ERROR_INIT;
    canary_verify_report report = { .size = (uint32_t)sizeof(report) };
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_verify(store, gather_finding, &all, &report, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    PyObject *findings = listed(&all, code, &error, finding_at);
    if (findings == NULL) {
        return NULL;
    }
    return Py_BuildValue("(NKIIs)", findings, (unsigned long long)report.changes,
                         (unsigned int)report.rollouts, (unsigned int)report.flags,
                         report.head_hash);
}

PyObject *store_bell(store_object *self, PyObject *unused) {
    (void)unused;
    canary_store *store = store_enter(self);
    if (store == NULL) {
        return NULL;
    }
    canary_bell_info info;
    memset(&info, 0, sizeof(info));
    info.size = (uint32_t)sizeof(info);
    canary_error error = CANARY_ERROR_INIT;
    int code;
    Py_BEGIN_ALLOW_THREADS code = canary_bell_check(store, &info, &error);
    Py_END_ALLOW_THREADS store_leave(self);
    if (code != CANARY_OK) {
        return raise_canary(code, &error);
    }
    PyObject *path = PyUnicode_DecodeFSDefault(info.path);
    if (path == NULL) {
        return NULL;
    }
    return Py_BuildValue("(NNNiiN)", PyBool_FromLong(info.present), PyBool_FromLong(info.works),
                         PyBool_FromLong(info.waits), (int)info.damaged, (int)info.pending, path);
}
