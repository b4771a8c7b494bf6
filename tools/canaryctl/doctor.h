/* SPDX-License-Identifier: MIT */
/* The parts of `doctor`: where findings go, and the checks that need no open store. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "session.h"

enum doctor_severity { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor;

/* One finding: what was checked, what was found, and the next command (NULL for none). */
void doctor_find(struct doctor *doctor, enum doctor_severity severity, const char *check,
                 const char *next, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* File system, permissions and owners of the store's files. */
void doctor_files(struct doctor *doctor, const char *path);

/* The database of measurements, for each rollout. */
void doctor_metrics(struct doctor *doctor, const struct session *session,
                    const canary_rollout *rollouts, size_t count);

/* How this process hashes, as canary_info() tells it. */
void doctor_hashing(struct doctor *doctor, const canary_ctx_info *info);

#endif
