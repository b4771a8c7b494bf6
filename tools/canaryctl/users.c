/* SPDX-License-Identifier: MIT */
/* See users.h. */
#include "users.h"

#include "figures.h"
#include "jsonout.h"
#include "when.h"

#include <inttypes.h>
#include <math.h>

/* A reader that is not served within a moment is not worth a slow `status`. */
#define PATIENCE_NS INT64_C(50000000)

static uint64_t whole(double value) {
    return value > 0 && value < 1e18 ? (uint64_t)llround(value) : 0;
}

/* When the row of the users cannot be read their numbers are none. */
static bool users_damaged(const canary_exposure *exposure) {
    return isnan(exposure->users_total);
}

static bool users_any(const canary_exposure *exposure) {
    return exposure->users_total > 0;
}

static void users_line(const canary_exposure *exposure, struct text *out) {
    double total = exposure->users_total;
    figures_count(whole(total), out);
    if (exposure->sampled_all == 0 && total > 0)
        text_addf(out, " (+-%.1f %%)", exposure->users_total_error / total * 100);
    text_add(out, ", new ");
    figures_count(whole(exposure->users[CANARY_NEW]), out);
    if (total > 0)
        text_addf(out, " (%.2f %%)", exposure->users[CANARY_NEW] / total * 100);
    text_add(out, ", old ");
    figures_count(whole(exposure->users[CANARY_OLD]), out);
}

json_t *users_json(const canary_exposure *exposure) {
    if (!users_any(exposure))
        return json_null();
    json_t *object = json_object();
    json_object_set_new(object, "total", json_integer((json_int_t)whole(exposure->users_total)));
    json_object_set_new(object, "error", figures_real(exposure->users_total_error));
    json_object_set_new(object, "new",
                        json_integer((json_int_t)whole(exposure->users[CANARY_NEW])));
    json_object_set_new(object, "old",
                        json_integer((json_int_t)whole(exposure->users[CANARY_OLD])));
    json_object_set_new(object, "exact", json_boolean(exposure->sampled_all == 1));
    json_object_set_new(object, "generation", json_integer((json_int_t)exposure->generation));
    return object;
}

json_t *users_decisions_json(const canary_exposure *exposure) {
    json_t *object = json_object();
    for (int cohort = CANARY_NEW; cohort >= CANARY_OLD; cohort--) {
        json_t *reasons = json_object();
        for (int reason = 0; reason < 16; reason++) {
            uint64_t count = exposure->decisions[cohort][reason];
            if (count > 0)
                json_object_set_new(reasons, canary_reason_name(reason),
                                    json_integer((json_int_t)count));
        }
        json_object_set_new(object, canary_cohort_name(cohort), reasons);
    }
    return object;
}

static int read_now(const struct session *session, canary_exposure *out, canary_error *error) {
    canary_options options = CANARY_OPTIONS_INIT;
    options.flags = CANARY_OPEN_DEFER | CANARY_OPEN_NO_WATCHER | CANARY_OPEN_READ_ONLY;
    options.busy_timeout_ns =
        session->busy_timeout_ns < PATIENCE_NS ? session->busy_timeout_ns : PATIENCE_NS;
    /* Users are not kept by time: no figure of any time is asked for besides, which keeps it
     * fast. */
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    query.from_ns = when_now();
    canary_store *store = NULL;
    int code = canary_store_open(session_value(session, OPTION_DB), &options, &store, error);
    if (code == CANARY_OK)
        code = canary_exposure_read(store, session->rollout, &query, out, error);
    canary_store_close(&store);
    return code;
}

void users_add(const canary_exposure *exposure, struct text *out) {
    if (!users_any(exposure) && !users_damaged(exposure))
        return;
    text_addf(out, "  %s%-9s%s  ", say_begin(SAY_DIM), "users", say_end());
    if (users_damaged(exposure)) {
        text_add(out, "not known: ");
        text_safe_string(out, exposure->damage);
    } else {
        users_line(exposure, out);
        text_addf(out, "; since revision %" PRIu64, exposure->generation);
    }
    text_add(out, "\n");
}

void users_status(struct session *session, struct text *out) {
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    canary_error error = CANARY_ERROR_INIT;
    int code = read_now(session, &exposure, &error);
    if (code == CANARY_OK)
        users_add(&exposure, out);
    if (code == CANARY_OK || code == CANARY_E_UNSUPPORTED)
        return;
    text_addf(out, "  %s%-9s%s  not known now: ", say_begin(SAY_DIM), "users", say_end());
    text_safe_string(out, error.message[0] != '\0' ? error.message : canary_strerror(code));
    text_addf(out, " (%s)\n", canary_error_name(code));
}

void users_status_json(struct session *session, json_t *object) {
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    canary_error error = CANARY_ERROR_INIT;
    int code = read_now(session, &exposure, &error);
    const char *message = code == CANARY_OK              ? exposure.damage
                          : code == CANARY_E_UNSUPPORTED ? ""
                          : error.message[0] != '\0'     ? error.message
                                                         : canary_strerror(code);
    json_object_set_new(object, "users", code == CANARY_OK ? users_json(&exposure) : json_null());
    if (message[0] != '\0')
        json_object_set_new(object, "users_message", jsonout_string(message));
}
