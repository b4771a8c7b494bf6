/* SPDX-License-Identifier: MIT */
/* `evaluate`: what a guard would do, and why. */
#include "exits.h"
#include "figures.h"
#include "judged.h"
#include "table.h"
#include "when.h"

#include <inttypes.h>
#include <math.h>

static enum say_colour colour_of(const canary_rule_result *rule) {
    switch (rule->state) {
    case CANARY_STATE_FIRING:
        return rule->action == CANARY_RULE_WARN ? SAY_WARN : SAY_BAD;
    case CANARY_STATE_PENDING:
    case CANARY_STATE_UNMET:
        return SAY_WARN;
    case CANARY_STATE_CLEAR:
    case CANARY_STATE_MET:
        return SAY_GOOD;
    default:
        return SAY_DIM;
    }
}

static void add_rules(const canary_verdict *verdict, struct text *out) {
    static const char *const titles[] = { "RULE", "DOES", "STATE", "FOUND" };
    struct table table;
    table_begin(&table, 4, titles, 0);
    for (uint32_t i = 0; i < verdict->rule_count; i++) {
        const canary_rule_result *rule = &verdict->rules[i];
        table_safe(&table, (int32_t)i == verdict->rule ? SAY_STRONG : SAY_PLAIN, rule->name);
        table_cell(&table, SAY_DIM, "%s", canary_rule_action_name(rule->action));
        table_cell(&table, colour_of(rule), "%s", canary_rule_state_name(rule->state));
        table_safe(&table, SAY_PLAIN, rule->message);
    }
    text_add(out, "\n");
    /* The figures stand at a line's end: none of them is cut. */
    table_end(&table, out, 0);
}

static void add_policy(const canary_verdict *verdict, struct text *out) {
    if (verdict->policy[0] == '\0')
        return;
    judged_label(out, "policy");
    text_safe_string(out, verdict->policy_name);
    text_addf(out, ", mode %s, sha256 %.12s\n", canary_mode_name(verdict->mode), verdict->policy);
}

static void add_users(double users, const char *cohort, struct text *out) {
    figures_count((uint64_t)llround(users), out);
    text_addf(out, " %s", cohort);
}

static void add_figures(const canary_verdict *verdict, struct text *out) {
    char through[WHEN_SIZE];
    if (verdict->through_ns == 0)
        return;
    judged_label(out, "figures");
    when_short(verdict->through_ns, through);
    text_addf(out, "up to %s", through);
    if (verdict->users_new + verdict->users_old > 0 &&
        verdict->users_new + verdict->users_old < 1e18) {
        text_add(out, ", about ");
        add_users(verdict->users_new, "new users and ", out);
        add_users(verdict->users_old, "old users", out);
    }
    text_add(out, "\n");
}

static void add_ready(const canary_verdict *verdict, struct text *out) {
    char at[WHEN_SIZE];
    char ago[WHEN_SIZE];
    if (verdict->ready_at_ns == 0)
        return;
    judged_label(out, "ready");
    when_short(verdict->ready_at_ns, at);
    when_ago(verdict->ready_at_ns, verdict->at_ns, ago);
    text_addf(out, "%s, %s, at the present rate\n", at, ago);
}

static void print_text(const struct session *session, const canary_verdict *verdict) {
    struct text out = { 0 };
    (void)session;
    judged_head(verdict, &out);
    judged_label(&out, "why");
    text_safe_string(&out, verdict->message);
    text_add(&out, "\n");
    add_policy(verdict, &out);
    add_figures(verdict, &out);
    add_ready(verdict, &out);
    if (verdict->rule_count > 0)
        add_rules(verdict, &out);
    say_text(&out);
    text_free(&out);
}

static void print(const struct session *session, const canary_verdict *verdict) {
    struct text text = { 0 };
    if (!say_mode.json) {
        print_text(session, verdict);
        return;
    }
    canary_verdict_json(verdict, text_write, &text, NULL);
    judged_print_json(&text);
}

int evaluate_run(struct session *session, int count, char **words) {
    int action = CANARY_VERDICT_HOLD;
    int result = session_open_named(session, count, words, 0);
    if (result == 0)
        result = judged_by(session, session_given(session, OPTION_LOOK) ? CANARY_EVALUATE_LOOK : 0u,
                           print, &action);
    if (result != 0 || !session_given(session, OPTION_EXIT_CODE))
        return result;
    return action == CANARY_VERDICT_ADVANCE    ? CTL_EXIT_DONE
           : action == CANARY_VERDICT_ROLLBACK ? CTL_EXIT_ROLLBACK
                                               : CTL_EXIT_HOLD;
}
