/* SPDX-License-Identifier: MIT */
/* Every public call with its n-th inner step failing, for each n until it passes untouched. */
#ifndef EVERY_H
#define EVERY_H

#include "fault.h"

/* One public call on a store as fault_fill() made it. */
struct every_call {
    const char *name;
    int (*run)(canary_store *store, canary_error *error);
    int revisions; /* of the rollout that it adds */
    int lowers;    /* rings before it commits: in effect even when it fails */
};

extern const struct every_call every_calls[];
extern const size_t every_call_count;

/* Where the calls are made, and what fails in them. */
struct every_bench {
    const char *name;
    /* A store as fault_fill() made it. */
    canary_store *(*open)(void);
    /* Lets the n-th step from now on fail. Answers, disarmed, whether it came to that. */
    void (*arm)(uint64_t n);
    int (*disarm)(void);
    int code;        /* that a failed call must answer; 0 = any */
    uint64_t stride; /* beyond the first hundred about every so manieth step fails; 0 = each */
    /* After the store was closed. */
    void (*after)(void);
};

/* Answers how many steps were made to fail. */
uint64_t every_step(const struct every_bench *bench, const struct every_call *call);

#endif
