/* SPDX-License-Identifier: MIT */
#include "judge/guard_ward.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"

#include <canary/audit.h>

/* A lease that ends sooner than this could be somebody else's before a change is made. */
#define ACTING_NS (5 * CANARY__SECOND_NS)
/* What permitted more exposure so long ago does so no more: a callback may have taken its time, or the
 * machine slept. Judged anew, it does or does not. */
#define FRESH_NS CANARY__GUARD_LEASE_NS
enum { NEWS = 64 }; /* changes that are told in one round; of more the newest */

int canary__ward_open(const struct canary__guard_setup *setup, const char *rollout,
                      struct canary__ward **out, canary_error *error) {
    struct canary__ward *ward = calloc(1, sizeof *ward);
    int code;

    if (ward == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a guard");
    }
    ward->setup = setup;
    ward->told_lease = -1;
    snprintf(ward->rollout, sizeof ward->rollout, "%s", rollout);
    code = canary__dossier_open(setup->store, rollout, &ward->dossier, error);
    if (code != CANARY_OK) {
        free(ward);
        return code;
    }
    *out = ward;
    return CANARY_OK;
}

void canary__ward_close(struct canary__ward **ward) {
    if (ward != NULL && *ward != NULL) {
        const struct canary__guard_setup *setup = (*ward)->setup;

        canary__lease_give(setup->store, (*ward)->rollout, setup->holder, &(*ward)->lease);
        canary__dossier_close(&(*ward)->dossier);
        free(*ward);
        *ward = NULL;
    }
}

/* -- telling -- */

static void tell(const struct canary__ward *ward, canary_guard_event *event) {
    const struct canary__guard_setup *setup = ward->setup;

    if (setup->callback != NULL) {
        event->size = (uint32_t)sizeof *event;
        event->at_ns = canary_store_now(setup->store, CANARY_CLOCK_REALTIME);
        event->rollout = ward->rollout;
        setup->callback(setup->user_data, event);
    }
}

static void tell_lease(const struct canary__ward *ward, int acting) {
    char message[CANARY__GUARD_HOLDER + 64];
    canary_guard_event event = { .type = CANARY_EVENT_LEASE, .acting = acting };

    if (acting) {
        snprintf(message, sizeof message, "%s acts on this rollout from now on", ward->setup->by);
    } else {
        snprintf(message, sizeof message, "another guard acts on this rollout: %s",
                 ward->lease.other);
    }
    event.message = message;
    tell(ward, &event);
}

/* Once for each trouble, not at each round that it lasts. */
static void tell_error(struct canary__ward *ward, const canary_error *error) {
    canary_guard_event event = { .type = CANARY_EVENT_ERROR,
                                 .code = error->code,
                                 .message = error->message };

    if (strcmp(ward->told_error, error->message) != 0) {
        snprintf(ward->told_error, sizeof ward->told_error, "%s", error->message);
        canary_store_log(ward->setup->store, CANARY_LOG_WARNING, error->message);
        tell(ward, &event);
    }
}

static void tell_verdict(struct canary__ward *ward, const canary_verdict *verdict) {
    const char *rule = verdict->rule >= 0 && (uint32_t)verdict->rule < verdict->rule_count
                           ? verdict->rules[verdict->rule].name
                           : "";
    canary_guard_event event = { .type = CANARY_EVENT_VERDICT,
                                 .verdict = verdict,
                                 .message = verdict->message };

    if (verdict->action != ward->told_action || verdict->cause != ward->told_cause ||
        strcmp(rule, ward->told_rule) != 0) {
        ward->told_action = verdict->action;
        ward->told_cause = verdict->cause;
        snprintf(ward->told_rule, sizeof ward->told_rule, "%s", rule);
        tell(ward, &event);
    }
}

/* -- news of the trail -- */

static void describe(const canary_change *change, char *message, size_t room) {
    char move[64] = "";

    if (change->from_percentage_bp != change->to_percentage_bp) {
        snprintf(move, sizeof move, " from %u.%02u %% to %u.%02u %%",
                 change->from_percentage_bp / 100, change->from_percentage_bp % 100,
                 change->to_percentage_bp / 100, change->to_percentage_bp % 100);
    }
    snprintf(message, room, "%s%s by %s%s%.500s", change->action, move, change->by,
             change->note[0] != '\0' ? ": " : "", change->note);
}

struct news {
    uint64_t after; /* revision that is known */
    uint32_t count;
    canary_change *changes; /* newest first */
};

static int take_news(void *user_data, const canary_change *change) {
    struct news *news = user_data;

    if (change->revision <= news->after) {
        return 1;
    }
    news->changes[news->count++] = *change;
    return news->count == NEWS;
}

static int tell_changes(struct canary__ward *ward, canary_error *error) {
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };
    struct news news = { .after = ward->revision };
    int code = canary_rollout_read(ward->setup->store, ward->rollout, &rollout, error);

    if (code != CANARY_OK) {
        return code;
    }
    ward->ruled = rollout.policy[0] != '\0';
    if (!ward->looked || rollout.revision <= ward->revision) {
        ward->looked = 1;
        ward->revision = rollout.revision;
        return CANARY_OK;
    }
    news.changes = malloc(NEWS * sizeof *news.changes);
    if (news.changes == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for news");
    }
    code = canary_history(ward->setup->store, ward->rollout, NEWS, 0, take_news, &news, error);
    for (uint32_t i = news.count; code == CANARY_OK && i-- > 0;) {
        const canary_change *change = &news.changes[i];
        char message[1024];
        canary_guard_event event = { .type = CANARY_EVENT_CHANGE,
                                     .change = change,
                                     .message = message };

        ward->revision = change->revision;
        if (change->id != ward->own_change) {
            describe(change, message, sizeof message);
            tell(ward, &event);
        }
    }
    free(news.changes);
    return code;
}

/* -- acting -- */

/* Whether the lease is surely ours for as long as a change takes. When it cannot be renewed for trouble
 * with the store, what is left of it counts: a brake must work in trouble, too. */
static int may_act(struct canary__ward *ward, canary_error *error) {
    const struct canary__guard_setup *setup = ward->setup;
    int64_t until_ns = ward->lease.until_ns;
    int code = canary__lease_take(setup->store, ward->rollout, setup->holder, &ward->lease, error);

    if (code != CANARY_OK) {
        return ward->lease.held &&
               until_ns - canary_store_now(setup->store, CANARY_CLOCK_REALTIME) > ACTING_NS;
    }
    return ward->lease.held;
}

/* A rollback is never refused, so that it is we who must see that it is still the state that was
 * judged. */
static int roll_back(struct canary__ward *ward, const canary_verdict *verdict,
                     const canary_change_options *options, canary_change *change,
                     canary_error *error) {
    canary_rollout now = { .size = (uint32_t)sizeof now };
    int code = canary_rollout_read(ward->setup->store, ward->rollout, &now, error);

    if (code == CANARY_OK && now.revision != verdict->revision) {
        return CANARY_E_CONFLICT;
    }
    return code != CANARY_OK ? code
                             : canary_rollback(ward->setup->store, ward->rollout, verdict->to_stage,
                                               options, change, error);
}

static int act(struct canary__ward *ward, const canary_verdict *verdict, canary_error *error) {
    const struct canary__guard_setup *setup = ward->setup;
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_change change = { .size = (uint32_t)sizeof change };
    canary_guard_event event = { .type = CANARY_EVENT_ACTION,
                                 .change = &change,
                                 .verdict = verdict,
                                 .message = verdict->message };
    char *evidence = NULL;
    int code = canary__guard_evidence(verdict, setup->by, &evidence, error);

    if (code != CANARY_OK && verdict->action != CANARY_VERDICT_ROLLBACK) {
        return code;
    }
    options.by = setup->by;
    options.note = verdict->message;
    options.evidence = evidence; /* a rollback does not wait for memory */
    options.expected_revision = (int64_t)verdict->revision;
    options.expected_stage = verdict->stage;
    if (verdict->action == CANARY_VERDICT_ROLLBACK) {
        code = roll_back(ward, verdict, &options, &change, error);
    } else {
        code = canary_advance(setup->store, ward->rollout, &options, &change, error);
    }
    free(evidence);
    if (code == CANARY_E_CONFLICT) {
        return CANARY_OK; /* somebody was there before us: what is there now is judged next */
    }
    if (code != CANARY_OK) {
        return code;
    }
    ward->own_change = change.id;
    code = canary__dossier_record(ward->dossier, error);
    tell(ward, &event);
    return code;
}

/* By either clock, as each may be one that stands still or jumps. */
static int is_stale(const struct canary__ward *ward, const canary_verdict *verdict,
                    int64_t judged_ns) {
    canary_store *store = ward->setup->store;
    int64_t real = canary_store_now(store, CANARY_CLOCK_REALTIME) - verdict->at_ns;
    int64_t gone = canary_store_now(store, CANARY_CLOCK_MONOTONIC) - judged_ns;

    return verdict->action == CANARY_VERDICT_ADVANCE &&
           (real < 0 || real > FRESH_NS || gone > FRESH_NS);
}

static int wants_action(const struct canary__ward *ward, const canary_verdict *verdict) {
    if ((ward->setup->flags & CANARY_GUARD_OBSERVE) != 0 || verdict->mode == CANARY_MODE_OBSERVE ||
        verdict->cause == CANARY_CAUSE_KILLED || verdict->cause == CANARY_CAUSE_FROZEN) {
        return 0;
    }
    /* In the mode approve the gate says ADVANCE only after somebody approved. */
    return (verdict->action == CANARY_VERDICT_ROLLBACK &&
            verdict->to_percentage_bp < verdict->percentage_bp) ||
           verdict->action == CANARY_VERDICT_ADVANCE;
}

/* -- a round -- */

static int hold_lease(struct canary__ward *ward, canary_error *error) {
    const struct canary__guard_setup *setup = ward->setup;
    int held = ward->lease.held;
    int64_t until_ns = ward->lease.until_ns;
    int code;

    ward->elsewhere = 0;
    if (!ward->ruled) {
        canary__lease_give(setup->store, ward->rollout, setup->holder, &ward->lease);
    }
    if (!ward->ruled || (setup->flags & CANARY_GUARD_OBSERVE) != 0) {
        return CANARY_OK;
    }
    code = canary__lease_take(setup->store, ward->rollout, setup->holder, &ward->lease, error);
    if (code != CANARY_OK) {
        ward->lease.held = held && until_ns > canary_store_now(setup->store, CANARY_CLOCK_REALTIME);
        return ward->lease.held ? CANARY_OK : code;
    }
    if (ward->lease.held != ward->told_lease) {
        ward->told_lease = ward->lease.held;
        tell_lease(ward, ward->lease.held);
    }
    ward->elsewhere = !ward->lease.held;
    return ward->lease.held ? CANARY_OK
                            : canary__judge_fail(error, CANARY_E_BUSY,
                                                 "another guard acts on rollout \"%s\": %s",
                                                 ward->rollout, ward->lease.other);
}

static int go_round(struct canary__ward *ward, canary_error *error) {
    canary_error own = CANARY_ERROR_INIT;
    const canary_verdict *verdict = NULL;
    int64_t judged_ns = canary_store_now(ward->setup->store, CANARY_CLOCK_MONOTONIC);
    int acted = CANARY_OK;
    int code = tell_changes(ward, error);

    if (code == CANARY_OK) {
        code = hold_lease(ward, error);
    }
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__dossier_judge(ward->dossier, 1, &verdict, error);
    if (verdict == NULL) {
        return code;
    }
    tell_verdict(ward, verdict);
    if (wants_action(ward, verdict) && may_act(ward, &own) && !is_stale(ward, verdict, judged_ns)) {
        acted = act(ward, verdict, &own);
    }
    return code != CANARY_OK || acted == CANARY_OK ? code : canary__judge_pass(error, acted, &own);
}

int canary__ward_round(struct canary__ward *ward, canary_error *error) {
    canary_error own = CANARY_ERROR_INIT;
    int code = go_round(ward, &own);

    if (code == CANARY_OK || ward->elsewhere) {
        ward->told_error[0] = '\0';
    } else {
        tell_error(ward, &own);
    }
    if (code == CANARY_OK) {
        return CANARY_OK;
    }
    return canary__judge_pass(error, code, &own);
}
