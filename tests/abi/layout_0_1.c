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

/* observe.h */
STRUCT(canary_metric, 64);
FIELD(canary_metric, size, 0, 4);
FIELD(canary_metric, kind, 4, 4);
FIELD(canary_metric, name, 8, 8);
FIELD(canary_metric, unit, 16, 8);
FIELD(canary_metric, minimum, 24, 8);
FIELD(canary_metric, maximum, 32, 8);
FIELD(canary_metric, resolution, 40, 8);
FIELD(canary_metric, thresholds_ns, 48, 8);
FIELD(canary_metric, threshold_count, 56, 4);
FIELD(canary_metric, reserved, 60, 4);
STRUCT(canary_measurement, 32);
FIELD(canary_measurement, metric, 0, 4);
FIELD(canary_measurement, reserved, 4, 4);
FIELD(canary_measurement, value, 8, 8);
FIELD(canary_measurement, tp, 16, 4);
FIELD(canary_measurement, fp, 20, 4);
FIELD(canary_measurement, fn, 24, 4);
FIELD(canary_measurement, tn, 28, 4);
STRUCT(canary_outcome, 32);
FIELD(canary_outcome, size, 0, 4);
FIELD(canary_outcome, status, 4, 4);
FIELD(canary_outcome, duration_ns, 8, 8);
FIELD(canary_outcome, measurements, 16, 8);
FIELD(canary_outcome, measurement_count, 24, 4);
FIELD(canary_outcome, reserved, 28, 4);
STRUCT(canary_recording_info, 648);
FIELD(canary_recording_info, size, 0, 4);
FIELD(canary_recording_info, recording, 4, 4);
FIELD(canary_recording_info, outcomes, 8, 8);
FIELD(canary_recording_info, decisions, 16, 8);
FIELD(canary_recording_info, rejected, 24, 64);
FIELD(canary_recording_info, dropped, 88, 8);
FIELD(canary_recording_info, merged, 96, 8);
FIELD(canary_recording_info, flushes, 104, 8);
FIELD(canary_recording_info, flushed_at_ns, 112, 8);
FIELD(canary_recording_info, flush_ns, 120, 8);
FIELD(canary_recording_info, waiting, 128, 4);
FIELD(canary_recording_info, coarsened, 132, 4);
FIELD(canary_recording_info, threads, 136, 4);
FIELD(canary_recording_info, sharing, 140, 4);
FIELD(canary_recording_info, clock_jumps, 144, 4);
FIELD(canary_recording_info, last_error, 148, 4);
FIELD(canary_recording_info, last_message, 152, 496);

/* metrics.h */
STRUCT(canary_metrics_query, 48);
FIELD(canary_metrics_query, size, 0, 4);
FIELD(canary_metrics_query, flags, 4, 4);
FIELD(canary_metrics_query, from_ns, 8, 8);
FIELD(canary_metrics_query, to_ns, 16, 8);
FIELD(canary_metrics_query, step_ns, 24, 8);
FIELD(canary_metrics_query, generation, 32, 8);
FIELD(canary_metrics_query, metric, 40, 8);
STRUCT(canary_figures, 304);
FIELD(canary_figures, size, 0, 4);
FIELD(canary_figures, reserved, 4, 4);
FIELD(canary_figures, n, 8, 8);
FIELD(canary_figures, k, 16, 8);
FIELD(canary_figures, rate, 24, 8);
FIELD(canary_figures, sum, 32, 8);
FIELD(canary_figures, mean, 40, 8);
FIELD(canary_figures, variance, 48, 8);
FIELD(canary_figures, minimum, 56, 8);
FIELD(canary_figures, maximum, 64, 8);
FIELD(canary_figures, p50, 72, 8);
FIELD(canary_figures, p90, 80, 8);
FIELD(canary_figures, p95, 88, 8);
FIELD(canary_figures, p99, 96, 8);
FIELD(canary_figures, p999, 104, 8);
FIELD(canary_figures, overflow, 112, 8);
FIELD(canary_figures, tp, 120, 8);
FIELD(canary_figures, fp, 128, 8);
FIELD(canary_figures, fn, 136, 8);
FIELD(canary_figures, tn, 144, 8);
FIELD(canary_figures, precision, 152, 8);
FIELD(canary_figures, recall, 160, 8);
FIELD(canary_figures, f1, 168, 8);
FIELD(canary_figures, threshold_n, 176, 64);
FIELD(canary_figures, threshold_above, 240, 64);
STRUCT(canary_metrics_row, 216);
FIELD(canary_metrics_row, size, 0, 4);
FIELD(canary_metrics_row, kind, 4, 4);
FIELD(canary_metrics_row, from_ns, 8, 8);
FIELD(canary_metrics_row, to_ns, 16, 8);
FIELD(canary_metrics_row, generation, 24, 8);
FIELD(canary_metrics_row, threshold_count, 32, 4);
FIELD(canary_metrics_row, reserved, 36, 4);
FIELD(canary_metrics_row, thresholds_ns, 40, 64);
FIELD(canary_metrics_row, metric, 104, 64);
FIELD(canary_metrics_row, unit, 168, 32);
FIELD(canary_metrics_row, old_cohort, 200, 8);
FIELD(canary_metrics_row, new_cohort, 208, 8);
STRUCT(canary_metrics_report, 288);
FIELD(canary_metrics_report, size, 0, 4);
FIELD(canary_metrics_report, damaged, 4, 4);
FIELD(canary_metrics_report, from_ns, 8, 8);
FIELD(canary_metrics_report, to_ns, 16, 8);
FIELD(canary_metrics_report, rejected, 24, 8);
FIELD(canary_metrics_report, dropped, 32, 8);
FIELD(canary_metrics_report, last_at_ns, 40, 8);
FIELD(canary_metrics_report, damage, 48, 240);
STRUCT(canary_exposure, 600);
FIELD(canary_exposure, size, 0, 4);
FIELD(canary_exposure, sampled_all, 4, 4);
FIELD(canary_exposure, generation, 8, 8);
FIELD(canary_exposure, decisions, 16, 256);
FIELD(canary_exposure, users, 272, 16);
FIELD(canary_exposure, users_error, 288, 16);
FIELD(canary_exposure, users_total, 304, 8);
FIELD(canary_exposure, users_total_error, 312, 8);
FIELD(canary_exposure, sampled, 320, 16);
FIELD(canary_exposure, sampled_both, 336, 8);
FIELD(canary_exposure, sample_share, 344, 8);
FIELD(canary_exposure, damaged, 352, 4);
FIELD(canary_exposure, reserved, 356, 4);
FIELD(canary_exposure, damage, 360, 240);
STRUCT(canary_import_row, 120);
FIELD(canary_import_row, size, 0, 4);
FIELD(canary_import_row, cohort, 4, 4);
FIELD(canary_import_row, kind, 8, 4);
FIELD(canary_import_row, declare, 12, 4);
FIELD(canary_import_row, metric, 16, 8);
FIELD(canary_import_row, unit, 24, 8);
FIELD(canary_import_row, at_ns, 32, 8);
FIELD(canary_import_row, n, 40, 8);
FIELD(canary_import_row, k, 48, 8);
FIELD(canary_import_row, value, 56, 8);
FIELD(canary_import_row, tp, 64, 8);
FIELD(canary_import_row, fp, 72, 8);
FIELD(canary_import_row, fn, 80, 8);
FIELD(canary_import_row, tn, 88, 8);
FIELD(canary_import_row, minimum, 96, 8);
FIELD(canary_import_row, maximum, 104, 8);
FIELD(canary_import_row, resolution, 112, 8);
STRUCT(canary_import_result, 248);
FIELD(canary_import_result, code, 0, 4);
FIELD(canary_import_result, declared, 4, 4);
FIELD(canary_import_result, message, 8, 240);
STRUCT(canary_baseline_info, 1320);
FIELD(canary_baseline_info, size, 0, 4);
FIELD(canary_baseline_info, hours, 4, 4);
FIELD(canary_baseline_info, captured_at_ns, 8, 8);
FIELD(canary_baseline_info, from_ns, 16, 8);
FIELD(canary_baseline_info, to_ns, 24, 8);
FIELD(canary_baseline_info, outcomes, 32, 8);
FIELD(canary_baseline_info, by, 40, 256);
FIELD(canary_baseline_info, note, 296, 1024);

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
