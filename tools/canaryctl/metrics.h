/* SPDX-License-Identifier: MIT */
/* The parts of `metrics`: what is read, and how it is shown. */
#ifndef CTL_METRICS_H
#define CTL_METRICS_H

#include "figures.h"
#include "generations.h"
#include "session.h"

#include <jansson.h>

/* What was asked for, and what was read. Zero-initialised reads nothing. */
struct metrics_view {
    struct session *session;
    int64_t window_ns; /* 0 = since `since_ns`, and that 0 = all that is kept */
    int64_t since_ns;
    bool by_stage;
    const char *metric; /* NULL = all */
    int64_t now_ns;     /* when it was read */
    int64_t from_ns;    /* what the window came to; 0 = all */
    canary_rollout state;
    canary_exposure exposure;
    struct figures total;
    struct figures stages; /* by generation, when asked for */
    struct generations generations;
    canary_exposure *users; /* of each of these generations; NULL unless asked for */
};

/* Reads a time or window of this command line. Returns 0 or the exit code after an error was
 * told. */
int metrics_window(struct session *session, int64_t usual_ns, struct metrics_view *view);
/* The first moment of a window that ends at `now`: a whole step of those that are still kept there,
 * so that no step is cut. */
int64_t metrics_from(int64_t from_ns, int64_t now_ns);
/* Reads everything that a view shows. A CANARY_ code. */
int metrics_load(struct metrics_view *view, canary_error *error);
void metrics_free(struct metrics_view *view);
/* Whether anything of what is shown was ever recorded. True when that cannot be read. */
bool metrics_known(const struct metrics_view *view);
/* When the newest figures are of, to ten seconds; 0 = there are none. */
int64_t metrics_newest(const canary_metrics_report *report, int64_t now_ns);
/* Says that there is no such metric, with the names that there are. Returns the exit code. */
int metrics_unknown(struct session *session, const char *metric);

/* Says that there is no baseline, or no rollout. Returns the exit code. */
int baseline_missing(const struct session *session, const canary_error *error);

/* Adds the view for people: a head with times, which differ from one moment to the next, */
void metrics_head(const struct metrics_view *view, struct text *out);
/* and the figures, which differ when something was recorded. */
void metrics_body(const struct metrics_view *view, struct text *out);
/* Adds rows of small bars of the last hours. */
void metrics_sparklines(const struct metrics_view *view, struct text *out);
json_t *metrics_json(const struct metrics_view *view);

/* Follows the figures until SIGINT or SIGTERM. */
int metrics_follow(struct metrics_view *view);

#endif
