/* SPDX-License-Identifier: MIT */
/* The five tables every store keeps. Columns are only ever added, at the end. */
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

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof((a)[0])))
#define TABLE(id, name, keys, prefix)                                                              \
    {                                                                                              \
        (uint32_t)sizeof(canary_storage_table), id, name, COUNT(prefix##_columns), keys,           \
            prefix##_columns, prefix##_types                                                       \
    }

static const canary_storage_table tables[CANARY_TABLE_COUNT] = {
    TABLE(CANARY_TABLE_ROLLOUTS, "rollouts", 1, rollout),
    TABLE(CANARY_TABLE_STAGES, "stages", 2, stage),
    TABLE(CANARY_TABLE_FLAGS, "feature_flags", 1, flag),
    TABLE(CANARY_TABLE_OVERRIDES, "overrides", 2, override),
    TABLE(CANARY_TABLE_CHANGES, "changes", 1, change),
};

_Static_assert(COUNT(rollout_columns) == COUNT(rollout_types), "rollouts: a type per column");
_Static_assert(COUNT(stage_columns) == COUNT(stage_types), "stages: a type per column");
_Static_assert(COUNT(flag_columns) == COUNT(flag_types), "feature_flags: a type per column");
_Static_assert(COUNT(override_columns) == COUNT(override_types), "overrides: a type per column");
_Static_assert(COUNT(change_columns) == COUNT(change_types), "changes: a type per column");

const canary_storage_table *canary_storage_table_get(int table) {
    return table < 1 || table > CANARY_TABLE_COUNT ? NULL : &tables[table - 1];
}
