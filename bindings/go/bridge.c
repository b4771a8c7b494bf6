//go:build cgo

/* SPDX-License-Identifier: MIT */
#include "bridge.h"

#include <stdatomic.h>

static int on_rollout(void *list, const canary_rollout *entry) {
    return canaryGoRollout((uintptr_t)list, (canary_rollout *)entry);
}

static int on_flag(void *list, const canary_flag *entry) {
    return canaryGoFlag((uintptr_t)list, (canary_flag *)entry);
}

static int on_change(void *list, const canary_change *entry) {
    return canaryGoChange((uintptr_t)list, (canary_change *)entry);
}

static int on_override(void *list, const void *id, uint64_t size, int cohort) {
    return canaryGoOverride((uintptr_t)list, (char *)id, size, cohort);
}

static int on_finding(void *list, const canary_finding *entry) {
    return canaryGoFinding((uintptr_t)list, (canary_finding *)entry);
}

static int on_metrics(void *list, const canary_metrics_row *entry) {
    return canaryGoMetrics((uintptr_t)list, (canary_metrics_row *)entry);
}

static void on_log(void *logger, int level, const char *message) {
    canaryGoLog((uintptr_t)logger, level, (char *)message);
}

int bridge_rollout_list(canary_store *store, uintptr_t list, canary_error *error) {
    return canary_rollout_list(store, on_rollout, (void *)list, error);
}

int bridge_flag_list(canary_store *store, uintptr_t list, canary_error *error) {
    return canary_flag_list(store, on_flag, (void *)list, error);
}

int bridge_override_list(canary_store *store, const char *rollout, uintptr_t list,
                         canary_error *error) {
    return canary_override_list(store, rollout, on_override, (void *)list, error);
}

int bridge_history(canary_store *store, const char *rollout, uint64_t limit, uint64_t before,
                   uintptr_t list, canary_error *error) {
    return canary_history(store, rollout, limit, before, on_change, (void *)list, error);
}

int bridge_verify(canary_store *store, uintptr_t list, canary_verify_report *out,
                  canary_error *error) {
    return canary_verify(store, on_finding, (void *)list, out, error);
}

int bridge_metrics(canary_store *store, const char *rollout, const canary_metrics_query *query,
                   uintptr_t list, canary_metrics_report *report, canary_error *error) {
    return canary_metrics(store, rollout, query, on_metrics, (void *)list, report, error);
}

static int on_text(void *user_data, const char *text, uint64_t size) {
    struct bridge_text *out = user_data;

    if (out->room - out->size < size) {
        uint64_t room = 2 * (out->room + size) + 4096;
        char *larger = realloc(out->text, (size_t)room);

        if (larger == NULL) {
            return -1;
        }
        out->text = larger;
        out->room = room;
    }
    memcpy(out->text + out->size, text, (size_t)size);
    out->size += size;
    return 0;
}

int bridge_openmetrics(canary_store *store, int prometheus, struct bridge_text *out,
                       canary_error *error) {
    return prometheus ? canary_write_prometheus(store, on_text, out, error)
                      : canary_write_openmetrics(store, on_text, out, error);
}

void bridge_set_log(canary_options *options, uintptr_t logger, uint32_t level) {
    options->log = on_log;
    options->log_data = (void *)logger;
    options->log_level = level;
}

static int64_t clock_now(void *clock, int which) {
    (void)which;
    return atomic_load_explicit((_Atomic(int64_t) *)clock, memory_order_relaxed);
}

int64_t *bridge_clock_new(int64_t now) {
    int64_t *clock = malloc(sizeof *clock);

    if (clock != NULL) {
        bridge_clock_set(clock, now);
    }
    return clock;
}

void bridge_clock_set(int64_t *clock, int64_t now) {
    atomic_store_explicit((_Atomic(int64_t) *)clock, now, memory_order_relaxed);
}

int64_t bridge_clock_get(const int64_t *clock) {
    return atomic_load_explicit((const _Atomic(int64_t) *)clock, memory_order_relaxed);
}

void bridge_set_clock(canary_options *options, int64_t *clock) {
    options->clock = clock_now;
    options->clock_data = clock;
}
