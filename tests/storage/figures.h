/* SPDX-License-Identifier: MIT */
/* The store of measurements beside the one of a place, as a place of its own, and ticks in it. */
#ifndef TESTS_STORAGE_FIGURES_H
#define TESTS_STORAGE_FIGURES_H

#include "place.h"

/* Returns the code; `figures->error` explains. Close it with place_close(). */
int figures_open(struct place *place, int create, struct place *figures);
/* A new store, left open, and its measurements, which nobody has made yet. */
void figures_make(struct place *place, struct place *figures);

/* Within a transaction; `size` bytes of data, which depend on it and on `requests`. */
int figures_put(struct place *figures, int table, const char *rollout, int64_t start,
                int64_t requests, size_t size);
int figures_remove(struct place *figures, int table, const char *rollout, int64_t start);
/* A tick in a transaction of its own. */
int figures_commit(struct place *figures, const char *rollout, int64_t start, int64_t requests);

struct figures_sum {
    int rows;
    int64_t requests;
    int64_t first; /* start of the row that came first, */
    int64_t last;  /* and last */
    int damaged;   /* data that are not what figures_put() wrote */
};

/* A callback of a reading that only has to happen. */
int figures_ignore(void *user_data, const canary_storage_row *row);

/* Ticks of a rollout, with `after` those beyond it, in a transaction of its own. */
int figures_read(struct place *figures, const char *rollout, const int64_t *after, int descending,
                 uint64_t limit, struct figures_sum *sum);
/* Sum of the requests of a rollout's ticks; fails the test when it cannot be read. */
int64_t figures_requests(struct place *figures, const char *rollout);

#endif
