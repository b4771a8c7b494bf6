/* SPDX-License-Identifier: MIT */
/* Processes that follow a store, each showing what it decides in memory shared with the test. */
#ifndef CONCURRENCY_HERD_H
#define CONCURRENCY_HERD_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { HERD_MAX = 16 };

/* What one process shows, anew about every half millisecond. */
struct herd_slot {
    _Atomic(uint64_t) revision;
    _Atomic(uint32_t) effective_bp;
    _Atomic(uint32_t) peak_bp; /* highest since the test last zeroed it */
    _Atomic(int32_t) reason;   /* for a user with bucket 0 */
    _Atomic(uint32_t) doubt;
    _Atomic(uint32_t) looks; /* grows; 0 until the store is open */
};

struct herd {
    int count;
    pid_t pids[HERD_MAX];
    struct herd_slot *slots;
    const char *what; /* for messages */
};

#define HERD_NO_WATCHER 1 /* refreshes every 5 ms instead */
#define HERD_NOBODY 2     /* as a user that may only read */

/* Processes of this program, run anew: main() must hand argv to herd_role(), which returns only
 * when they are not for it. */
void herd_role(int argc, char **argv);
/* Starts `count` of them and waits until all have opened the store. */
void herd_start(struct herd *herd, const char *what, int count, const char *db, int flags);
void herd_stop(struct herd *herd);

/* Waits until all decide by `effective_bp`; the time it took, in ms. */
double herd_await(struct herd *herd, uint32_t effective_bp);
/* For `ms` none of them may go above `bp`. */
void herd_stays_below(struct herd *herd, uint32_t bp, int ms);
/* Highest share since the last call; zeroes it. */
uint32_t herd_peak(struct herd *herd);

/* Another process that locks the database exclusively, until stop_role(). */
pid_t lock_exclusively(const char *db);
/* Runs SQL as an operator's shell would: a new connection, the default settings. */
void plain_sql(const char *db, const char *sql);

#endif
