/* SPDX-License-Identifier: MIT */
/* Prometheus's way to what this process decided and recorded. */
#include "observe/openmetrics.h"

#include <canary/version.h>

#include <string.h>

#include "base/fail.h"

static const struct canary__family build_info = { "canary_build_info", "gauge", "",
                                                  "1, with the version of libcanary as a label." };

/* What canary_format_openmetrics() has written so far, whether it fitted or not. */
struct place {
    char *buffer;
    uint64_t capacity;
    uint64_t used;
};

void canary__openmetrics_each(struct canary__exposition *out, const struct canary__scene *scene,
                              const struct canary__family *family, canary__openmetrics_fn write,
                              size_t which) {
    canary__exposition_family(out, family);
    for (uint32_t i = 0; i < scene->count; i++) {
        write(out, &scene->rollouts[i], which);
    }
}

void canary__openmetrics_begin(struct canary__exposition *out, const char *suffix,
                               canary__exposed *of) {
    canary__exposition_sample(out, suffix);
    canary__exposition_label(out, "rollout", of->info.rollout);
}

void canary__openmetrics_begin_cohort(struct canary__exposition *out, const char *suffix,
                                      canary__exposed *of, int cohort, const char *metric) {
    canary__openmetrics_begin(out, suffix, of);
    canary__exposition_label(out, "cohort", canary_cohort_name(cohort));
    if (metric != NULL) {
        canary__exposition_label(out, "metric", metric);
    }
}

static void write_build(struct canary__exposition *out) {
    canary__exposition_family(out, &build_info);
    canary__exposition_sample(out, "");
    canary__exposition_label(out, "version", canary_version());
    canary__exposition_count(out, 1);
}

static int write_text(canary_store *store, int older, canary_write_fn write, void *user_data,
                      canary_error *error) {
    struct canary__exposition out = { .write = write, .user_data = user_data, .older = older };
    struct canary__scene scene = { 0 };
    int code;

    if (store == NULL || write == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "writing metrics: store or write is NULL");
    }
    code = canary__scene_take(store, &scene);
    if (code != CANARY_OK) {
        return canary__fail(error, code, 0, "out of memory for a copy of what was recorded");
    }
    write_build(&out);
    canary__openmetrics_state(&out, &scene);
    canary__openmetrics_counts(&out, &scene);
    canary__openmetrics_measures(&out, &scene);
    canary__openmetrics_recording(&out, &scene);
    canary__exposition_end(&out);
    canary__scene_free(&store->hooks, &scene);
    if (out.stopped != 0) {
        return canary__fail(error, CANARY_E_REFUSED, 0,
                            "writing metrics: write() answered %d and was not called again",
                            out.stopped);
    }
    return CANARY_OK;
}

int canary_write_openmetrics(canary_store *store, canary_write_fn write, void *user_data,
                             canary_error *error) {
    return write_text(store, 0, write, user_data, error);
}

int canary_write_prometheus(canary_store *store, canary_write_fn write, void *user_data,
                            canary_error *error) {
    return write_text(store, 1, write, user_data, error);
}

static int put(void *user_data, const char *text, uint64_t size) {
    struct place *place = user_data;

    if (place->used < place->capacity) {
        uint64_t room = place->capacity - place->used;

        memcpy(place->buffer + place->used, text, (size_t)(size < room ? size : room));
    }
    place->used += size;
    return 0;
}

int canary_format_openmetrics(canary_store *store, char *buffer, uint64_t capacity, uint64_t *size,
                              canary_error *error) {
    struct place place = { buffer, buffer != NULL ? capacity : 0, 0 };
    int code;

    if (size == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_format_openmetrics: size is NULL");
    }
    *size = 0;
    code = write_text(store, 0, put, &place, error);
    if (code == CANARY_OK) {
        *size = place.used;
        if (buffer != NULL && place.used < place.capacity) {
            buffer[place.used] = '\0';
            return CANARY_OK;
        }
        code =
            canary__fail(error, CANARY_E_FULL, 0,
                         "canary_format_openmetrics: a buffer of %llu bytes is needed, there are "
                         "%llu",
                         (unsigned long long)place.used + 1, (unsigned long long)place.capacity);
    }
    if (buffer != NULL && place.capacity > 0) {
        buffer[0] = '\0';
    }
    return code;
}
