/* SPDX-License-Identifier: MIT */
/* Generations: the times between two changes of a rollout's percentage, from its trail. */
#ifndef CTL_GENERATIONS_H
#define CTL_GENERATIONS_H

#include <canary/canary.h>

#include <stddef.h>

struct generation {
    uint64_t revision; /* that began it */
    uint32_t percentage_bp;
    int32_t stage;
    int64_t from_ns;
    int64_t to_ns; /* 0 = it is the present one */
};

/* Oldest first. Zero-initialised is empty. */
struct generations {
    struct generation *list;
    size_t count;
};

/* Reads the whole trail of a rollout; what `out` held before is freed. A CANARY_ code. */
int generations_read(canary_store *store, const char *rollout, struct generations *out,
                     canary_error *error);
void generations_free(struct generations *generations);
/* The one of that revision; NULL when there is none. */
const struct generation *generations_find(const struct generations *generations, uint64_t revision);
/* The revision that began the present one; 0 when the trail cannot be read. */
uint64_t generations_present(canary_store *store, const char *rollout);

#endif
