/* SPDX-License-Identifier: MIT */
/* Reading values out of a policy's JSON: each getter says what is wrong, where, and what is allowed, and
 * goes on, so that one reading finds all problems. */
#ifndef CANARY__JUDGE_POLICY_READING_H
#define CANARY__JUDGE_POLICY_READING_H

#include <canary/policy.h>
#include <jansson.h>
#include <stdint.h>

struct canary__policy_reading {
    canary_policy_problem_fn problem; /* may be NULL */
    void *user_data;
    uint32_t count;   /* problems so far */
    uint32_t stopped; /* 1: nobody listens any longer */
    char place[128];  /* of the first one */
    char message[352];
};

/* An object of the text, and its path: "" for the whole. */
struct canary__spot {
    const json_t *object;
    char path[48];
};

/* A problem with `key` of the spot; with the spot itself for NULL. */
void canary__policy_read_say(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, const char *format,
                             ...) __attribute__((format(printf, 4, 5)));
/* Where and what are known. */
void canary__policy_read_tell(struct canary__policy_reading *reading, const char *place,
                              const char *message);

/* A value as it stands in the text, short and without control characters. Returns `out`. */
#define CANARY__POLICY_QUOTE 72
const char *canary__policy_read_quote(const json_t *value, char out[CANARY__POLICY_QUOTE]);

/* 1 when it is an object; tells of keys that are not in `allowed`, which ends with NULL. */
int canary__policy_read_object(struct canary__policy_reading *reading,
                               const struct canary__spot *spot, const char *const *allowed);

const json_t *canary__policy_read_get(const struct canary__spot *spot, const char *key);
/* 1 when it is there. */
int canary__policy_read_has(const struct canary__spot *spot, const char *key);
/* Tells when it is there, and why it must not be. */
void canary__policy_read_refuse(struct canary__policy_reading *reading,
                                const struct canary__spot *spot, const char *key, const char *why);

/* All answer 1 and fill `out` when a sound value is there, else 0 and leave it alone. */
int canary__policy_read_name(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, const char *first,
                             const char *rest, size_t max, char *out);
int canary__policy_read_line(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, size_t max,
                             char *out);
/* One of the words for 1 and the numbers after it, up to the one that is called "unknown". */
int canary__policy_read_choice(struct canary__policy_reading *reading,
                               const struct canary__spot *spot, const char *key,
                               const char *(*name)(int number), int required, int32_t *out);
int canary__policy_read_flag(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, uint32_t *out);
int canary__policy_read_integer(struct canary__policy_reading *reading,
                                const struct canary__spot *spot, const char *key, int64_t least,
                                int64_t most, int64_t *out);
int canary__policy_read_number(struct canary__policy_reading *reading,
                               const struct canary__spot *spot, const char *key, double least,
                               double most, double *out);
/* 1 when a value is a whole number, 3 or 3.0; NULL is none. */
int canary__policy_read_whole(const json_t *value, int64_t *out);
/* A time such as "5m": a multiple of `step_ns`. */
int canary__policy_read_time(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, int required,
                             int64_t least_ns, int64_t most_ns, int64_t step_ns, int64_t *out);

#endif
