/* SPDX-License-Identifier: MIT */
/* `doctor`: the measurements of a store, which live apart from its decisions. */
#include "doctor.h"
#include "metrics.h"

#include "when.h"

#include <canary/canary.h>

#include <stdio.h>
#include <string.h>

/* Nobody loads a service that does not merge for so long, and many are idle at night. */
#define QUIET_NS (24 * 3600 * WHEN_SECOND)
/* Ticks are ten seconds long and belong to their begin; what lies further ahead is a wrong
 * clock. */
#define AHEAD_NS (60 * WHEN_SECOND)

static int ignore(void *user_data, const canary_metrics_row *row) {
    (void)user_data;
    (void)row;
    return 0;
}

static void add_next(const struct session *session, const char *rollout, const char *command,
                     struct text *out) {
    session_command(session, false, out);
    text_addf(out, "--rollout %s %s", rollout, command);
}

static void tell_failure(struct doctor *doctor, const canary_error *error, const char *rollout) {
    const char *next = "restore it from a backup, or move it away: services begin a new one";
    if (error->code == CANARY_E_BUSY || error->code == CANARY_E_TIMEOUT)
        next = "find who holds it (fuser); decisions and changes do not wait for it";
    else if (error->code == CANARY_E_NEWER)
        next = "use a newer canaryctl";
    else if (error->code == CANARY_E_PERMISSION)
        next = "run it as the owner of the file";
    doctor_find(doctor, DOCTOR_ERROR, "metrics", next, "figures of %s cannot be read: %s (%s)",
                rollout, error->message, canary_error_name(error->code));
}

/* Of one rollout. Returns false when nothing can be said of the others either. */
static bool check_rollout(struct doctor *doctor, const struct session *session,
                          const char *rollout) {
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_metrics_report report = { .size = (uint32_t)sizeof(report) };
    canary_error error = CANARY_ERROR_INIT;
    struct text next = { 0 };
    char ago[WHEN_SIZE];
    int64_t now = when_now();
    int code = canary_metrics(session->store, rollout, &query, ignore, NULL, &report, &error);
    if (code == CANARY_E_UNSUPPORTED)
        return false;
    if (code != CANARY_OK) {
        tell_failure(doctor, &error, rollout);
        return false;
    }
    add_next(session, rollout, "metrics --by-stage", &next);
    int64_t newest = metrics_newest(&report, now);
    when_ago(newest, now, ago);
    if (report.damaged > 0)
        doctor_find(doctor, DOCTOR_ERROR, "metrics",
                    "restore PATH-metrics from a backup, or live without them: the rest counts",
                    "%u damaged rows of %s are left out: %s", report.damaged, rollout,
                    report.damage);
    if (report.dropped > 0)
        doctor_find(doctor, DOCTOR_WARNING, "metrics", "raise the memory limit of the services",
                    "%llu outcomes of %s were lost for want of memory",
                    (unsigned long long)report.dropped, rollout);
    if (report.rejected > 0)
        doctor_find(doctor, DOCTOR_WARNING, "metrics",
                    "canary_recording() in the service tells how many for which reason",
                    "%llu measurements of %s were rejected", (unsigned long long)report.rejected,
                    rollout);
    if (report.last_at_ns > now + AHEAD_NS || report.to_ns > now + AHEAD_NS)
        doctor_find(
            doctor, DOCTOR_WARNING, "metrics",
            "timedatectl   shows whether a host's clock is set by the network",
            "figures of %s lie ahead: the clock of this host, or of one that records, is wrong",
            rollout);
    else if (newest == 0)
        doctor_find(doctor, DOCTOR_OK, "metrics", NULL, "%s: no outcomes recorded yet", rollout);
    else if (now - newest > QUIET_NS)
        doctor_find(doctor, DOCTOR_NOTE, "metrics", next.data, "%s: newest figures %s", rollout,
                    ago);
    else if (report.damaged == 0)
        doctor_find(doctor, DOCTOR_OK, "metrics", NULL, "%s: newest figures %s", rollout, ago);
    text_free(&next);
    return true;
}

void doctor_metrics(struct doctor *doctor, const struct session *session,
                    const canary_rollout *rollouts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!check_rollout(doctor, session, rollouts[i].name))
            return;
    }
}
