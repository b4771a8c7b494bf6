/* SPDX-License-Identifier: MIT */
/* Structs of the library as dictionaries, for the dataclasses of libcanary/_types.py. */
#include "core.h"
#include "dict.h"

PyObject *dict_of_change(const canary_change *change) {
    PyObject *d = PyDict_New();
    return finish(d, d == NULL || put(d, "from_stage", number(change->from_stage)) < 0 ||
                         put(d, "to_stage", number(change->to_stage)) < 0 ||
                         put(d, "from_percentage_bp", natural(change->from_percentage_bp)) < 0 ||
                         put(d, "to_percentage_bp", natural(change->to_percentage_bp)) < 0 ||
                         put(d, "user_hash", natural(change->user_hash)) < 0 ||
                         put(d, "id", natural(change->id)) < 0 ||
                         put(d, "revision", natural(change->revision)) < 0 ||
                         put(d, "at_ns", number(change->at_ns)) < 0 ||
                         put(d, "rollout", text_of(change->rollout)) < 0 ||
                         put(d, "flag", text_of(change->flag)) < 0 ||
                         put(d, "action", text_of(change->action)) < 0 ||
                         put(d, "by", text_of(change->by)) < 0 ||
                         put(d, "note", text_of(change->note)) < 0 ||
                         put(d, "hash", text_of(change->hash)) < 0 ||
                         put(d, "previous_hash", text_of(change->previous_hash)) < 0);
}

static PyObject *stages_of(const canary_rollout *rollout) {
    PyObject *stages = PyTuple_New((Py_ssize_t)rollout->stage_count);
    for (uint32_t i = 0; stages != NULL && i < rollout->stage_count; i++) {
        PyObject *stage =
            Py_BuildValue("(NNN)", text_of(rollout->stage_names[i]), natural(rollout->stages_bp[i]),
                          number(rollout->dwell_ns[i]));
        if (stage == NULL || PyTuple_SetItem(stages, (Py_ssize_t)i, stage) < 0) {
            Py_CLEAR(stages);
        }
    }
    return stages;
}

PyObject *dict_of_rollout(const canary_rollout *rollout) {
    PyObject *d = PyDict_New();
    return finish(d, d == NULL || put(d, "name", text_of(rollout->name)) < 0 ||
                         put(d, "stage", number(rollout->stage)) < 0 ||
                         put(d, "stage_name", text_of(rollout->stage_name)) < 0 ||
                         put(d, "percentage_bp", natural(rollout->percentage_bp)) < 0 ||
                         put(d, "effective_bp", natural(rollout->effective_bp)) < 0 ||
                         put(d, "kill_reasons", natural(rollout->kill_reasons)) < 0 ||
                         put(d, "doubt", natural(rollout->doubt)) < 0 ||
                         put(d, "algorithm", natural(rollout->algorithm)) < 0 ||
                         put(d, "revision", natural(rollout->revision)) < 0 ||
                         put(d, "updated_at_ns", number(rollout->updated_at_ns)) < 0 ||
                         put(d, "updated_by", text_of(rollout->updated_by)) < 0 ||
                         put(d, "note", text_of(rollout->note)) < 0 ||
                         put(d, "flag", text_of(rollout->flag)) < 0 ||
                         put(d, "flag_enabled", PyBool_FromLong(rollout->flag_enabled != 0)) < 0 ||
                         put(d, "flag_updated_at_ns", number(rollout->flag_updated_at_ns)) < 0 ||
                         put(d, "flag_updated_by", text_of(rollout->flag_updated_by)) < 0 ||
                         put(d, "flag_note", text_of(rollout->flag_note)) < 0 ||
                         put(d, "overrides_new", natural(rollout->overrides_new)) < 0 ||
                         put(d, "overrides_old", natural(rollout->overrides_old)) < 0 ||
                         put(d, "salt", text_of(rollout->salt)) < 0 ||
                         put(d, "stages", stages_of(rollout)) < 0);
}

PyObject *dict_of_flag(const canary_flag *flag) {
    PyObject *d = PyDict_New();
    return finish(d, d == NULL || put(d, "name", text_of(flag->name)) < 0 ||
                         put(d, "enabled", PyBool_FromLong(flag->enabled != 0)) < 0 ||
                         put(d, "doubt", natural(flag->doubt)) < 0 ||
                         put(d, "rollouts", natural(flag->rollouts)) < 0 ||
                         put(d, "updated_at_ns", number(flag->updated_at_ns)) < 0 ||
                         put(d, "updated_by", text_of(flag->updated_by)) < 0 ||
                         put(d, "note", text_of(flag->note)) < 0);
}

static const char *source_name(int source) {
    static const char *const names[] = {
        "none", "open", "bell", "tick", "refresh", "change", "fork"
    };
    return source >= 0 && source < 7 ? names[source] : "unknown";
}

PyObject *dict_of_info(const canary_ctx_info *info) {
    PyObject *d = PyDict_New();
    return finish(d, d == NULL || put(d, "rollout", text_of(info->rollout)) < 0 ||
                         put(d, "store", text_of(info->store)) < 0 ||
                         put(d, "source", text_of(source_name(info->source))) < 0 ||
                         put(d, "age_ns", number(info->age_ns)) < 0 ||
                         put(d, "revision", natural(info->revision)) < 0 ||
                         put(d, "stage", number(info->stage)) < 0 ||
                         put(d, "stage_name", text_of(info->stage_name)) < 0 ||
                         put(d, "percentage_bp", natural(info->percentage_bp)) < 0 ||
                         put(d, "effective_bp", natural(info->effective_bp)) < 0 ||
                         put(d, "kill_reasons", natural(info->kill_reasons)) < 0 ||
                         put(d, "doubt", natural(info->doubt)) < 0 ||
                         put(d, "last_error", number(info->last_error)) < 0 ||
                         put(d, "last_message", text_of(info->last_message)) < 0 ||
                         put(d, "watcher", PyBool_FromLong(info->watcher != 0)) < 0 ||
                         put(d, "bell", PyBool_FromLong(info->bell != 0)) < 0 ||
                         put(d, "publications", natural(info->publications)) < 0 ||
                         put(d, "overrides_new", natural(info->overrides_new)) < 0 ||
                         put(d, "overrides_old", natural(info->overrides_old)) < 0 ||
                         put(d, "salt", text_of(info->salt)) < 0 ||
#ifdef HAVE_HASH_KERNEL
                         put(d, "hash_kernel", text_of(info->hash_kernel)) < 0 ||
                         put(d, "hash_many_kernel", text_of(info->hash_many_kernel)) < 0);
#else
                         put(d, "hash_kernel", text_of("")) < 0 ||
                         put(d, "hash_many_kernel", text_of("")) < 0);
#endif
}
