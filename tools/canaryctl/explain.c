/* SPDX-License-Identifier: MIT */
/* `explain`: which cohort a user gets, by which rule, and how to compute it elsewhere. */
#include "exits.h"
#include "jsonout.h"
#include "percent.h"
#include "pin.h"
#include "session.h"
#include "state.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct explanation {
    const char *user;
    size_t size;
    canary_decision decision;
    const canary_rollout *state;
    int pinned; /* CANARY_OLD, CANARY_NEW, or -1 */
};

/* A pin decides the cohort at every stage, also where a kill hides it in the decision. */
static int find_pin(const struct session *session, const struct explanation *explanation) {
    if (explanation->decision.reason == CANARY_REASON_OVERRIDE)
        return explanation->decision.cohort;
    if (explanation->state->overrides_new + explanation->state->overrides_old == 0 ||
        explanation->decision.reason == CANARY_REASON_STATIC ||
        explanation->decision.reason == CANARY_REASON_SPLIT)
        return -1;
    return pin_find(session, explanation->user, explanation->size);
}

static int cohort_at(const struct explanation *explanation, uint32_t bp) {
    if (explanation->pinned >= 0)
        return explanation->pinned;
    return explanation->decision.bucket < bp ? CANARY_NEW : CANARY_OLD;
}

/* Writes bytes as a Python literal. What a shell might read inside double quotes is an escape. */
static void add_python(struct text *out, const char *bytes, size_t size) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                " ._@:+/=,-#~()[]{}|;<>?&*^";
    text_add(out, "b'");
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\0' && strchr(plain, bytes[i]) != NULL)
            text_bytes(out, &bytes[i], 1);
        else
            text_addf(out, "\\x%02x", (unsigned char)bytes[i]);
    }
    text_add(out, "'");
}

static void add_reproduce(struct text *out, const struct explanation *explanation) {
    const char *salt = explanation->state->salt;
    text_add(out, "python3 -c \"import hashlib; h = int.from_bytes(hashlib.sha256(");
    if (salt[0] != '\0') {
        add_python(out, salt, strlen(salt));
        text_add(out, " + b':' + ");
    }
    add_python(out, explanation->user, explanation->size);
    text_add(out, ").digest()[:4], 'big'); print(h % 100 * 100 + h // 100 % 100)\"");
}

static void add_rule(struct text *out, const struct explanation *explanation) {
    const canary_decision *decision = &explanation->decision;
    char percent[PERCENT_SIZE];
    percent_format(decision->effective_bp, percent);
    switch (decision->reason) {
    case CANARY_REASON_INVALID:
        text_add(out, "an empty user id gets old");
        break;
    case CANARY_REASON_KILLED:
        text_add(out, "killed, everybody gets old: ");
        state_reasons(explanation->state, out);
        break;
    case CANARY_REASON_NOT_READY:
        text_add(out, "nothing in the store can be believed, and a program that starts now gives "
                      "everybody old until `accept`: ");
        state_reasons(explanation->state, out);
        break;
    case CANARY_REASON_STALE:
        text_add(out, "the state is too old");
        break;
    case CANARY_REASON_OVERRIDE:
        text_addf(out, "pinned to %s by an operator", canary_cohort_name(decision->cohort));
        break;
    case CANARY_REASON_STATIC:
        text_addf(out, "%s %% gives everybody %s", percent, canary_cohort_name(decision->cohort));
        break;
    default:
        text_addf(out, "bucket %u is %s %u, which is %s %%", decision->bucket,
                  decision->cohort == CANARY_NEW ? "below" : "not below", decision->effective_bp,
                  percent);
        break;
    }
}

static void say_lines(const struct explanation *explanation, bool apart) {
    const canary_decision *decision = &explanation->decision;
    const canary_rollout *state = explanation->state;
    bool invalid = decision->reason == CANARY_REASON_INVALID;
    struct text out = { 0 };
    text_add(&out, apart ? "\n" : "");
    text_add(&out, say_begin(SAY_STRONG));
    text_safe(&out, explanation->user, explanation->size);
    text_addf(&out, "%s  %s%s%s on %s\n", say_end(),
              say_begin(decision->cohort == CANARY_NEW ? SAY_GOOD : SAY_WARN),
              canary_cohort_name(decision->cohort), say_end(), state->name);
    text_addf(&out, "  rule       %s: ", canary_reason_name(decision->reason));
    add_rule(&out, explanation);
    text_add(&out, "\n  share      ");
    state_exposure(state, &out);
    if (decision->stage < 0) {
        text_add(&out, "\n  state      nothing loaded\n");
    } else {
        text_addf(&out, "\n  state      stage %d ", decision->stage);
        text_safe_string(&out, state->stage_name);
        text_addf(&out, ", revision %" PRIu64 "\n", decision->revision);
    }
    if (!invalid) {
        char above[PERCENT_SIZE];
        percent_format(decision->bucket + 1, above);
        text_addf(&out, "  hash       %08x (%u)\n", decision->hash, decision->hash);
        text_addf(&out, "  bucket     %u of 10000: new from %s %% up\n", decision->bucket, above);
        for (uint32_t i = 0; i < state->stage_count; i++) {
            char percent[PERCENT_SIZE];
            percent_format(state->stages_bp[i], percent);
            int cohort = cohort_at(explanation, state->stages_bp[i]);
            text_addf(&out, "  %-9s  %c %2u  %6s %%  %s%s%s  %s%s\n", i == 0 ? "at stage" : "",
                      decision->stage == (int32_t)i ? '>' : ' ', i, percent,
                      say_begin(cohort == CANARY_NEW ? SAY_GOOD : SAY_PLAIN),
                      canary_cohort_name(cohort), say_end(), state->stage_names[i],
                      explanation->pinned >= 0 ? " (pinned)" : "");
        }
        text_add(&out, "  reproduce  ");
        add_reproduce(&out, explanation);
        text_add(&out, "\n");
    }
    say_text(&out);
    text_free(&out);
}

static void say_object(const struct explanation *explanation) {
    const canary_decision *decision = &explanation->decision;
    const canary_rollout *state = explanation->state;
    bool invalid = decision->reason == CANARY_REASON_INVALID;
    json_t *object = json_object();
    jsonout_set_bytes(object, "user", explanation->user, explanation->size);
    char hash[16];
    snprintf(hash, sizeof(hash), "%08x", decision->hash);
    json_object_set_new(object, "rollout", jsonout_string(state->name));
    json_object_set_new(object, "hash", invalid ? json_null() : json_string(hash));
    json_object_set_new(object, "bucket", invalid ? json_null() : json_integer(decision->bucket));
    json_object_set_new(object, "cohort", json_string(canary_cohort_name(decision->cohort)));
    json_object_set_new(object, "reason", json_string(canary_reason_name(decision->reason)));
    struct text rule = { 0 };
    add_rule(&rule, explanation);
    json_object_set_new(object, "rule", jsonout_string(rule.data));
    text_free(&rule);
    json_object_set_new(object, "percentage", jsonout_percent(decision->percentage_bp));
    json_object_set_new(object, "effective_percentage", jsonout_percent(decision->effective_bp));
    json_object_set_new(object, "stage", json_integer(decision->stage));
    json_object_set_new(object, "revision", json_integer((json_int_t)decision->revision));
    json_object_set_new(object, "pinned",
                        explanation->pinned < 0
                            ? json_null()
                            : json_string(canary_cohort_name(explanation->pinned)));
    json_t *stages = json_array();
    for (uint32_t i = 0; i < state->stage_count; i++) {
        json_t *stage = json_object();
        int cohort = invalid ? CANARY_OLD : cohort_at(explanation, state->stages_bp[i]);
        json_object_set_new(stage, "stage", json_integer(i));
        json_object_set_new(stage, "percentage", jsonout_percent(state->stages_bp[i]));
        json_object_set_new(stage, "cohort", json_string(canary_cohort_name(cohort)));
        json_array_append_new(stages, stage);
    }
    json_object_set_new(object, "at_stage", stages);
    struct text reproduce = { 0 };
    add_reproduce(&reproduce, explanation);
    json_object_set_new(object, "reproduce", invalid ? json_null() : json_string(reproduce.data));
    text_free(&reproduce);
    jsonout_line(object);
}

int explain_run(struct session *session, int count, char **words) {
    int result = session_open_rollout(session, 0);
    if (result != 0)
        return result;
    canary_rollout state = STATE_ROLLOUT_INIT;
    canary_ctx *context = NULL;
    canary_options options = CANARY_OPTIONS_INIT;
    options.flags = CANARY_OPEN_NO_WATCHER;
    canary_error error = CANARY_ERROR_INIT;
    if (canary_open_in(session->store, session->rollout, &options, &context, &error) != CANARY_OK ||
        canary_rollout_read(session->store, session->rollout, &state, &error) != CANARY_OK) {
        canary_close(&context);
        return session_error(session, &error);
    }
    for (int i = 0; i < count; i++) {
        struct explanation explanation = { .user = words[i],
                                           .size = strlen(words[i]),
                                           .decision = CANARY_DECISION_INIT,
                                           .state = &state };
        canary_explain(context, words[i], strlen(words[i]), &explanation.decision);
        /* An invalid id is refused before the state is looked at. */
        if (explanation.decision.reason == CANARY_REASON_INVALID) {
            explanation.decision.stage = state.stage;
            explanation.decision.revision = state.revision;
            explanation.decision.percentage_bp = state.percentage_bp;
            explanation.decision.effective_bp = state.effective_bp;
        }
        explanation.pinned = find_pin(session, &explanation);
        if (say_mode.json)
            say_object(&explanation);
        else
            say_lines(&explanation, i > 0);
    }
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_info(context, &info);
    canary_close(&context);
    return info.revision == 0 ? CTL_EXIT_UNHEALTHY : 0;
}
