/* SPDX-License-Identifier: MIT */
/* The layout of every public struct as version 0.1 released it, on machines with 64-bit pointers.
 *
 * Programs built against 0.1 carry these numbers in their machine code, so no line here is ever
 * changed: a field that moves or shrinks breaks them silently. A later release that appends fields
 * gets a file of its own with the new fields and sizes; here the sizes then become lower bounds. */
#include <canary/canary.h>
#include <canary/conformance.h>
#include <canary/storage.h>

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX == UINT64_MAX

#define STRUCT(name, bytes) _Static_assert(sizeof(name) == (bytes), #name " is " #bytes " bytes")
#define FIELD(name, field, offset, bytes)                                                          \
    _Static_assert(offsetof(name, field) == (offset) && sizeof(((name *)0)->field) == (bytes),     \
                   #name "." #field)

/* error.h */
STRUCT(canary_error, 512);
FIELD(canary_error, size, 0, 4);
FIELD(canary_error, code, 4, 4);
FIELD(canary_error, system, 8, 4);
FIELD(canary_error, in_effect, 12, 4);
FIELD(canary_error, message, 16, 496);

/* context.h */
STRUCT(canary_options, 104);
FIELD(canary_options, size, 0, 4);
FIELD(canary_options, flags, 4, 4);
FIELD(canary_options, tick_ns, 8, 8);
FIELD(canary_options, busy_timeout_ns, 16, 8);
FIELD(canary_options, stale_after_ns, 24, 8);
FIELD(canary_options, kill_switch, 32, 8);
FIELD(canary_options, kill_switch_data, 40, 8);
FIELD(canary_options, log, 48, 8);
FIELD(canary_options, log_data, 56, 8);
FIELD(canary_options, clock, 64, 8);
FIELD(canary_options, clock_data, 72, 8);
FIELD(canary_options, allocate, 80, 8);
FIELD(canary_options, allocate_data, 88, 8);
FIELD(canary_options, log_level, 96, 4);
FIELD(canary_options, reserved, 100, 4);
STRUCT(canary_ctx_info, 960);
FIELD(canary_ctx_info, size, 0, 4);
FIELD(canary_ctx_info, source, 4, 4);
FIELD(canary_ctx_info, age_ns, 8, 8);
FIELD(canary_ctx_info, revision, 16, 8);
FIELD(canary_ctx_info, stage, 24, 4);
FIELD(canary_ctx_info, percentage_bp, 28, 4);
FIELD(canary_ctx_info, effective_bp, 32, 4);
FIELD(canary_ctx_info, kill_reasons, 36, 4);
FIELD(canary_ctx_info, doubt, 40, 4);
FIELD(canary_ctx_info, last_error, 44, 4);
FIELD(canary_ctx_info, watcher, 48, 4);
FIELD(canary_ctx_info, bell, 52, 4);
FIELD(canary_ctx_info, publications, 56, 8);
FIELD(canary_ctx_info, overrides_new, 64, 4);
FIELD(canary_ctx_info, overrides_old, 68, 4);
FIELD(canary_ctx_info, rollout, 72, 136);
FIELD(canary_ctx_info, stage_name, 208, 64);
FIELD(canary_ctx_info, salt, 272, 136);
FIELD(canary_ctx_info, store, 408, 16);
FIELD(canary_ctx_info, last_message, 424, 496);
FIELD(canary_ctx_info, hash_kernel, 920, 16);
FIELD(canary_ctx_info, hash_many_kernel, 936, 16);
FIELD(canary_ctx_info, hash_dropped, 952, 4);
FIELD(canary_ctx_info, hash_refused, 956, 4);

/* decide.h */
STRUCT(canary_decision, 48);
FIELD(canary_decision, size, 0, 4);
FIELD(canary_decision, cohort, 4, 4);
FIELD(canary_decision, reason, 8, 4);
FIELD(canary_decision, hash, 12, 4);
FIELD(canary_decision, bucket, 16, 4);
FIELD(canary_decision, percentage_bp, 20, 4);
FIELD(canary_decision, effective_bp, 24, 4);
FIELD(canary_decision, stage, 28, 4);
FIELD(canary_decision, revision, 32, 8);
FIELD(canary_decision, age_ns, 40, 8);
STRUCT(canary_user, 16);
FIELD(canary_user, id, 0, 8);
FIELD(canary_user, size, 8, 8);

/* rollout.h */
STRUCT(canary_change_options, 48);
FIELD(canary_change_options, size, 0, 4);
FIELD(canary_change_options, flags, 4, 4);
FIELD(canary_change_options, by, 8, 8);
FIELD(canary_change_options, note, 16, 8);
FIELD(canary_change_options, evidence, 24, 8);
FIELD(canary_change_options, expected_revision, 32, 8);
FIELD(canary_change_options, expected_stage, 40, 4);
FIELD(canary_change_options, reserved, 44, 4);
STRUCT(canary_change, 1776);
FIELD(canary_change, size, 0, 4);
FIELD(canary_change, from_stage, 4, 4);
FIELD(canary_change, to_stage, 8, 4);
FIELD(canary_change, from_percentage_bp, 12, 4);
FIELD(canary_change, to_percentage_bp, 16, 4);
FIELD(canary_change, user_hash, 20, 4);
FIELD(canary_change, id, 24, 8);
FIELD(canary_change, revision, 32, 8);
FIELD(canary_change, at_ns, 40, 8);
FIELD(canary_change, rollout, 48, 136);
FIELD(canary_change, flag, 184, 136);
FIELD(canary_change, action, 320, 32);
FIELD(canary_change, by, 352, 256);
FIELD(canary_change, note, 608, 1024);
FIELD(canary_change, hash, 1632, 72);
FIELD(canary_change, previous_hash, 1704, 72);
STRUCT(canary_rollout_spec, 56);
FIELD(canary_rollout_spec, size, 0, 4);
FIELD(canary_rollout_spec, stage_count, 4, 4);
FIELD(canary_rollout_spec, name, 8, 8);
FIELD(canary_rollout_spec, stages_bp, 16, 8);
FIELD(canary_rollout_spec, stage_names, 24, 8);
FIELD(canary_rollout_spec, dwell_ns, 32, 8);
FIELD(canary_rollout_spec, salt, 40, 8);
FIELD(canary_rollout_spec, flag, 48, 8);
STRUCT(canary_rollout, 5536);
FIELD(canary_rollout, size, 0, 4);
FIELD(canary_rollout, stage, 4, 4);
FIELD(canary_rollout, percentage_bp, 8, 4);
FIELD(canary_rollout, effective_bp, 12, 4);
FIELD(canary_rollout, kill_reasons, 16, 4);
FIELD(canary_rollout, doubt, 20, 4);
FIELD(canary_rollout, algorithm, 24, 4);
FIELD(canary_rollout, flag_enabled, 28, 4);
FIELD(canary_rollout, revision, 32, 8);
FIELD(canary_rollout, updated_at_ns, 40, 8);
FIELD(canary_rollout, flag_updated_at_ns, 48, 8);
FIELD(canary_rollout, overrides_new, 56, 4);
FIELD(canary_rollout, overrides_old, 60, 4);
FIELD(canary_rollout, stage_count, 64, 4);
FIELD(canary_rollout, reserved, 68, 4);
FIELD(canary_rollout, stages_bp, 72, 128);
FIELD(canary_rollout, dwell_ns, 200, 256);
FIELD(canary_rollout, stage_names, 456, 2048);
FIELD(canary_rollout, name, 2504, 136);
FIELD(canary_rollout, stage_name, 2640, 64);
FIELD(canary_rollout, salt, 2704, 136);
FIELD(canary_rollout, flag, 2840, 136);
FIELD(canary_rollout, updated_by, 2976, 256);
FIELD(canary_rollout, note, 3232, 1024);
FIELD(canary_rollout, flag_updated_by, 4256, 256);
FIELD(canary_rollout, flag_note, 4512, 1024);
STRUCT(canary_flag, 1440);
FIELD(canary_flag, size, 0, 4);
FIELD(canary_flag, enabled, 4, 4);
FIELD(canary_flag, doubt, 8, 4);
FIELD(canary_flag, rollouts, 12, 4);
FIELD(canary_flag, updated_at_ns, 16, 8);
FIELD(canary_flag, name, 24, 136);
FIELD(canary_flag, updated_by, 160, 256);
FIELD(canary_flag, note, 416, 1024);

/* audit.h */
STRUCT(canary_finding, 1024);
FIELD(canary_finding, size, 0, 4);
FIELD(canary_finding, kind, 4, 4);
FIELD(canary_finding, change_id, 8, 8);
FIELD(canary_finding, rollout, 16, 136);
FIELD(canary_finding, flag, 152, 136);
FIELD(canary_finding, message, 288, 496);
FIELD(canary_finding, next, 784, 240);
STRUCT(canary_verify_report, 96);
FIELD(canary_verify_report, size, 0, 4);
FIELD(canary_verify_report, findings, 4, 4);
FIELD(canary_verify_report, changes, 8, 8);
FIELD(canary_verify_report, rollouts, 16, 4);
FIELD(canary_verify_report, flags, 20, 4);
FIELD(canary_verify_report, head_hash, 24, 72);
STRUCT(canary_bell_info, 4120);
FIELD(canary_bell_info, size, 0, 4);
FIELD(canary_bell_info, present, 4, 4);
FIELD(canary_bell_info, works, 8, 4);
FIELD(canary_bell_info, waits, 12, 4);
FIELD(canary_bell_info, damaged, 16, 4);
FIELD(canary_bell_info, pending, 20, 4);
FIELD(canary_bell_info, path, 24, 4096);

/* storage.h */
STRUCT(canary_storage_value, 32);
FIELD(canary_storage_value, type, 0, 4);
FIELD(canary_storage_value, reserved, 4, 4);
FIELD(canary_storage_value, integer, 8, 8);
FIELD(canary_storage_value, data, 16, 8);
FIELD(canary_storage_value, size, 24, 8);
STRUCT(canary_storage_table, 40);
FIELD(canary_storage_table, size, 0, 4);
FIELD(canary_storage_table, table, 4, 4);
FIELD(canary_storage_table, name, 8, 8);
FIELD(canary_storage_table, column_count, 16, 4);
FIELD(canary_storage_table, key_count, 20, 4);
FIELD(canary_storage_table, columns, 24, 8);
FIELD(canary_storage_table, types, 32, 8);
STRUCT(canary_storage_row, 24);
FIELD(canary_storage_row, size, 0, 4);
FIELD(canary_storage_row, table, 4, 4);
FIELD(canary_storage_row, count, 8, 4);
FIELD(canary_storage_row, reserved, 12, 4);
FIELD(canary_storage_row, values, 16, 8);
STRUCT(canary_storage_range, 48);
FIELD(canary_storage_range, size, 0, 4);
FIELD(canary_storage_range, key_count, 4, 4);
FIELD(canary_storage_range, descending, 8, 4);
FIELD(canary_storage_range, where_column, 12, 4);
FIELD(canary_storage_range, limit, 16, 8);
FIELD(canary_storage_range, key, 24, 8);
FIELD(canary_storage_range, after, 32, 8);
FIELD(canary_storage_range, where_value, 40, 8);
STRUCT(canary_storage_methods, 120);
FIELD(canary_storage_methods, size, 0, 4);
FIELD(canary_storage_methods, version, 4, 4);
FIELD(canary_storage_methods, name, 8, 8);
FIELD(canary_storage_methods, begin, 16, 8);
FIELD(canary_storage_methods, read, 24, 8);
FIELD(canary_storage_methods, write, 32, 8);
FIELD(canary_storage_methods, remove, 40, 8);
FIELD(canary_storage_methods, end, 48, 8);
FIELD(canary_storage_methods, close, 56, 8);
FIELD(canary_storage_methods, token, 64, 8);
FIELD(canary_storage_methods, wait, 72, 8);
FIELD(canary_storage_methods, doorbell, 80, 8);
FIELD(canary_storage_methods, check, 88, 8);
FIELD(canary_storage_methods, before_fork, 96, 8);
FIELD(canary_storage_methods, secret, 104, 8);
FIELD(canary_storage_methods, measurements, 112, 8);

/* conformance.h */
STRUCT(canary_conformance, 48);
FIELD(canary_conformance, size, 0, 4);
FIELD(canary_conformance, flags, 4, 4);
FIELD(canary_conformance, open, 8, 8);
FIELD(canary_conformance, user_data, 16, 8);
FIELD(canary_conformance, report, 24, 8);
FIELD(canary_conformance, report_data, 32, 8);
FIELD(canary_conformance, seed, 40, 8);

#endif

int main(void) {
    return 0;
}
