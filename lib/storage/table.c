/* SPDX-License-Identifier: MIT */
/* The five tables every store keeps, and the nine of measurements. Columns are only ever added, at the
 * end. */
#include <canary/storage.h>

#include <stddef.h>

#define I CANARY_VALUE_INTEGER
#define T CANARY_VALUE_TEXT
#define B CANARY_VALUE_BLOB

static const char *const rollout_columns[] = {
    "name",       "stage", "phase",         "percentage_bp", "salt",
    "algorithm",  "flag",  "policy",        "revision",      "updated_at",
    "updated_by", "note",  "overrides_new", "overrides_old", "overrides_digest",
    "checksum",
};
static const int32_t rollout_types[] = { T, I, T, I, T, I, T, T, I, I, T, T, I, I, T, T };

static const char *const stage_columns[] = { "rollout", "stage", "name", "percentage_bp",
                                             "dwell_ns" };
static const int32_t stage_types[] = { T, I, T, I, I };

static const char *const flag_columns[] = { "name",       "enabled", "updated_at",
                                            "updated_by", "note",    "checksum" };
static const int32_t flag_types[] = { T, I, I, T, T, T };

static const char *const override_columns[] = { "rollout", "user_id", "cohort" };
static const int32_t override_types[] = { T, B, I };

static const char *const change_columns[] = {
    "id",
    "rollout",
    "revision",
    "action",
    "from_stage",
    "to_stage",
    "from_percentage_bp",
    "to_percentage_bp",
    "flag",
    "user_hash",
    "made_at",
    "made_by",
    "note",
    "evidence",
    "previous_hash",
    "hash",
};
static const int32_t change_types[] = { I, T, I, T, I, I, I, I, T, I, I, T, T, T, T, T };

/* Ticks, minutes and hours. */
static const char *const span_columns[] = {
    "rollout",    "start",        "requests_old", "requests_new", "errors_old",
    "errors_new", "timeouts_old", "timeouts_new", "data",
};
static const int32_t span_types[] = { T, I, I, I, I, I, I, I, B };

static const char *const metric_columns[] = {
    "rollout", "metric",     "kind",       "unit",        "minimum",
    "maximum", "resolution", "thresholds", "declared_at",
};
static const int32_t metric_types[] = { T, T, I, T, T, T, T, T, I };

static const char *const subject_columns[] = { "rollout",   "generation", "level",
                                               "users_old", "users_new",  "data" };
static const int32_t subject_types[] = { T, I, I, I, I, B };

static const char *const writer_columns[] = { "writer", "sequence", "merged_at" };
static const int32_t writer_types[] = { T, I, I };

static const char *const import_columns[] = { "rollout", "delivery", "digest", "rows",
                                              "imported_at" };
static const int32_t import_types[] = { T, T, T, I, I };

static const char *const baseline_columns[] = {
    "rollout", "hour", "captured_at", "from_at", "to_at", "outcomes", "captured_by", "note", "data",
};
static const int32_t baseline_types[] = { T, I, I, I, I, I, T, T, B };

static const char *const document_columns[] = { "rollout", "name", "version", "at", "data" };
static const int32_t document_types[] = { T, T, I, I, B };

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof((a)[0])))
#define TABLE(id, name, keys, prefix)                                                              \
    {                                                                                              \
        (uint32_t)sizeof(canary_storage_table), id, name, COUNT(prefix##_columns), keys,           \
            prefix##_columns, prefix##_types                                                       \
    }

static const canary_storage_table tables[CANARY_TABLE_LAST_MEASUREMENT] = {
    TABLE(CANARY_TABLE_ROLLOUTS, "rollouts", 1, rollout),
    TABLE(CANARY_TABLE_STAGES, "stages", 2, stage),
    TABLE(CANARY_TABLE_FLAGS, "feature_flags", 1, flag),
    TABLE(CANARY_TABLE_OVERRIDES, "overrides", 2, override),
    TABLE(CANARY_TABLE_CHANGES, "changes", 1, change),
    TABLE(CANARY_TABLE_TICKS, "ticks", 2, span),
    TABLE(CANARY_TABLE_MINUTES, "minutes", 2, span),
    TABLE(CANARY_TABLE_HOURS, "hours", 2, span),
    TABLE(CANARY_TABLE_METRICS, "metrics", 2, metric),
    TABLE(CANARY_TABLE_SUBJECTS, "subjects", 2, subject),
    TABLE(CANARY_TABLE_WRITERS, "writers", 1, writer),
    TABLE(CANARY_TABLE_IMPORTS, "imports", 2, import),
    TABLE(CANARY_TABLE_BASELINES, "baselines", 2, baseline),
    TABLE(CANARY_TABLE_DOCUMENTS, "documents", 2, document),
};

_Static_assert(COUNT(rollout_columns) == COUNT(rollout_types), "rollouts: a type per column");
_Static_assert(COUNT(stage_columns) == COUNT(stage_types), "stages: a type per column");
_Static_assert(COUNT(flag_columns) == COUNT(flag_types), "feature_flags: a type per column");
_Static_assert(COUNT(override_columns) == COUNT(override_types), "overrides: a type per column");
_Static_assert(COUNT(change_columns) == COUNT(change_types), "changes: a type per column");
_Static_assert(COUNT(span_columns) == COUNT(span_types), "ticks: a type per column");
_Static_assert(COUNT(metric_columns) == COUNT(metric_types), "metrics: a type per column");
_Static_assert(COUNT(subject_columns) == COUNT(subject_types), "subjects: a type per column");
_Static_assert(COUNT(writer_columns) == COUNT(writer_types), "writers: a type per column");
_Static_assert(COUNT(import_columns) == COUNT(import_types), "imports: a type per column");
_Static_assert(COUNT(baseline_columns) == COUNT(baseline_types), "baselines: a type per column");
_Static_assert(COUNT(document_columns) == COUNT(document_types), "documents: a type per column");
_Static_assert(CANARY_TABLE_FIRST_MEASUREMENT == CANARY_TABLE_COUNT + 1, "no gap");

const canary_storage_table *canary_storage_table_get(int table) {
    return table < 1 || table > CANARY_TABLE_LAST_MEASUREMENT ? NULL : &tables[table - 1];
}
