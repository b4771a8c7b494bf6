/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <stdio.h>
#include <string.h>

#define BUSY_NS INT64_C(20000000000) /* longer than any commit of another writer */

static const canary_error no_error = CANARY_ERROR_INIT;

int figures_open(struct place *place, int create, struct place *figures) {
    char path[sizeof place->path];

    snprintf(path, sizeof path, "%.100s-metrics", place->path);
    *figures = *place;
    memcpy(figures->path, path, sizeof path);
    figures->transaction = NULL;
    figures->store = NULL;
    figures->error = no_error;
    return canary__storage_measurements(&place->methods, place->store, create, &figures->methods,
                                        &figures->store, &figures->error);
}

void figures_make(struct place *place, struct place *figures) {
    place_create(place);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(figures_open(place, 1, figures), CANARY_OK);
}

static canary_storage_value text(const char *data) {
    canary_storage_value value = { CANARY_VALUE_TEXT, 0, 0, data, strlen(data) };

    return value;
}

static canary_storage_value integer(int64_t number) {
    canary_storage_value value = { CANARY_VALUE_INTEGER, 0, number, NULL, 0 };

    return value;
}

static void fill(unsigned char *data, size_t size, int64_t requests) {
    for (size_t i = 0; i < size; i++) {
        data[i] = (unsigned char)((size_t)requests * 7 + i * 31 + (i >> 8));
    }
}

int figures_put(struct place *figures, int table, const char *rollout, int64_t start,
                int64_t requests, size_t size) {
    static unsigned char data[65536];
    canary_storage_value values[9] = { text(rollout), integer(start), integer(requests) };
    canary_storage_row row = { (uint32_t)sizeof row, table, 9, 0, values };

    for (int i = 3; i < 8; i++) {
        values[i] = integer(i);
    }
    fill(data, size, requests);
    values[8] = (canary_storage_value){ CANARY_VALUE_BLOB, 0, 0, data, size };
    figures->error = no_error;
    return figures->methods.write(figures->transaction, &row, &figures->error);
}

int figures_remove(struct place *figures, int table, const char *rollout, int64_t start) {
    canary_storage_value key[] = { text(rollout), integer(start) };

    figures->error = no_error;
    return figures->methods.remove(figures->transaction, table, key, &figures->error);
}

int figures_commit(struct place *figures, const char *rollout, int64_t start, int64_t requests) {
    int code = place_begin(figures, CANARY_STORAGE_WRITE);
    canary_error first;

    if (code != CANARY_OK) {
        return code;
    }
    code = figures_put(figures, CANARY_TABLE_TICKS, rollout, start, requests, 700);
    if (code == CANARY_OK) {
        return place_end(figures, 1);
    }
    first = figures->error;
    place_end(figures, 0);
    figures->error = first;
    return code;
}

static int add(void *user_data, const canary_storage_row *row) {
    struct figures_sum *sum = user_data;
    unsigned char data[700];

    sum->first = sum->rows == 0 ? row->values[1].integer : sum->first;
    sum->last = row->values[1].integer;
    sum->requests += row->values[2].integer;
    sum->rows++;
    fill(data, sizeof data, row->values[2].integer);
    sum->damaged +=
        row->values[8].size != sizeof data || memcmp(row->values[8].data, data, sizeof data) != 0;
    return 0;
}

int figures_ignore(void *user_data, const canary_storage_row *row) {
    (void)user_data;
    (void)row;
    return 0;
}

int figures_read(struct place *figures, const char *rollout, const int64_t *after, int descending,
                 uint64_t limit, struct figures_sum *sum) {
    canary_storage_value key = text(rollout);
    canary_storage_value beyond = integer(after == NULL ? 0 : *after);
    canary_storage_range range = { .size = (uint32_t)sizeof range,
                                   .key_count = 1,
                                   .descending = (uint32_t)descending,
                                   .limit = limit,
                                   .key = &key,
                                   .after = after == NULL ? NULL : &beyond };
    int code = place_begin(figures, CANARY_STORAGE_READ);
    canary_error first;

    memset(sum, 0, sizeof *sum);
    if (code != CANARY_OK) {
        return code;
    }
    code = figures->methods.read(figures->transaction, CANARY_TABLE_TICKS, &range, add, sum,
                                 &figures->error);
    first = figures->error;
    place_end(figures, 0);
    figures->error = first;
    return code;
}

/* A look does not wait for a writer that is at its commit, its caller does. */
int64_t figures_requests(struct place *figures, const char *rollout) {
    struct figures_sum sum;
    int64_t began = canary__now(&figures->hooks, CANARY_CLOCK_MONOTONIC);
    int code;

    while ((code = figures_read(figures, rollout, NULL, 0, 0, &sum)) == CANARY_E_BUSY &&
           canary__now(&figures->hooks, CANARY_CLOCK_MONOTONIC) - began < BUSY_NS) {
    }
    if (code != CANARY_OK) {
        fail_msg("cannot read ticks: %s", figures->error.message);
    }
    assert_int_equal(sum.damaged, 0);
    return sum.requests;
}
