/* SPDX-License-Identifier: MIT */
/* See judged.h. */
#include "judged.h"

#include "jsonout.h"
#include "percent.h"

struct judging {
    const struct session *session;
    void (*print)(const struct session *session, const canary_verdict *verdict);
    int action;
};

static void take(void *user_data, const canary_verdict *verdict) {
    struct judging *judging = user_data;
    judging->action = verdict->action;
    judging->print(judging->session, verdict);
}

int judged_by(struct session *session, uint32_t flags,
              void (*print)(const struct session *session, const canary_verdict *verdict),
              int *action) {
    struct judging judging = { .session = session, .print = print };
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_evaluate(session->store, session->rollout, flags, take, &judging, &error);
    *action = judging.action;
    return code == CANARY_OK ? 0 : session_error(session, &error);
}

void judged_print_json(struct text *text) {
    jsonout_print(
        json_loadb(text->data != NULL ? text->data : "null", text->size, JSON_DECODE_ANY, NULL));
    text_free(text);
}

void judged_head(const canary_verdict *verdict, struct text *out) {
    static const enum say_colour colours[] = { SAY_WARN, SAY_GOOD, SAY_BAD };
    char percent[PERCENT_SIZE];
    int known =
        verdict->action >= CANARY_VERDICT_HOLD && verdict->action <= CANARY_VERDICT_ROLLBACK;
    percent_format(verdict->percentage_bp, percent);
    text_add(out, say_begin(SAY_STRONG));
    /* As it was asked for, where there is none of that name. */
    text_safe_string(out, verdict->rollout);
    text_addf(out, "%s  %s%s%s  %s %%, stage %d", say_end(),
              say_begin(known ? colours[verdict->action - 1] : SAY_WARN),
              canary_verdict_word(verdict->action), say_end(), percent, verdict->stage);
    if (verdict->stage_name[0] != '\0') {
        text_add(out, " ");
        text_safe_string(out, verdict->stage_name);
    }
    text_addf(out, ", risk %s\n", canary_risk_name(verdict->risk));
}

void judged_label(struct text *out, const char *label) {
    text_addf(out, "  %s%-8s%s  ", say_begin(SAY_DIM), label, say_end());
}
