/* SPDX-License-Identifier: MIT */
/* `policy set` and `policy remove`. */
#include "change.h"
#include "exits.h"
#include "jsonout.h"
#include "policy.h"
#include "state.h"
#include "when.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Which words are the rollout and the file: "ROLLOUT FILE", or the file alone, or with another source
 * the rollout alone. */
struct source {
    int names;        /* how many of the words name the rollout */
    const char *file; /* NULL = standard input, or a digest */
    const char *digest;
};

static int take_source(const struct session *session, int count, char **words,
                       struct source *source) {
    bool standard = session_given(session, OPTION_STDIN);
    *source = (struct source){ .digest = session_value(session, OPTION_DIGEST) };
    if (standard && source->digest != NULL)
        return say_usage(session->command, "give --stdin or --digest, not both");
    if (standard || source->digest != NULL) {
        source->names = count;
        return count <= 1
                   ? 0
                   : say_usage(session->command, "give a file, --stdin or --digest, one only");
    }
    if (count == 0)
        return say_usage(session->command, "name the file, or give --stdin or --digest");
    source->names = count - 1;
    source->file = words[count - 1];
    return 0;
}

static int load(struct session *session, const struct source *source, canary_policy **policy) {
    canary_error error = CANARY_ERROR_INIT;
    if (source->digest != NULL) {
        int code =
            canary_policy_load(session->store, session->rollout, source->digest, policy, &error);
        return code == CANARY_OK ? 0 : policy_missing(session, &error);
    }
    struct text text = { 0 };
    int result = policy_read_file(session, source->file, &text);
    if (result == 0 &&
        canary_policy_parse(text.data, text.size, policy, NULL, NULL, &error) != CANARY_OK) {
        struct text next = { 0 };
        text_add(&next, "canaryctl policy check ");
        if (source->file != NULL)
            text_shell(&next, source->file, strlen(source->file));
        else
            text_add(&next, "--stdin");
        text_add(&next, "   tells all that is wrong with it");
        result = say_error(&error, true, next.data);
        text_free(&next);
    }
    text_free(&text);
    return result;
}

/* What a check would warn of: after the change, since it stops nobody. */
static void add_warnings(const struct policy_problems *problems, struct text *out) {
    size_t index;
    json_t *entry;
    json_array_foreach(problems->array, index, entry) {
        text_addf(out, "%s%s: %s", out->size > 0 ? "\n" : "",
                  json_string_value(json_object_get(entry, "place")),
                  json_string_value(json_object_get(entry, "message")));
    }
}

static void add_undo(const struct session *session, const canary_rollout *before,
                     const canary_change *made, struct text *out) {
    session_command(session, false, out);
    if (before->policy[0] != '\0') {
        text_add(out, "policy set ");
        text_shell(out, session->rollout, strlen(session->rollout));
        text_addf(out, " --digest %s", before->policy);
    } else {
        text_add(out, "policy remove ");
        text_shell(out, session->rollout, strlen(session->rollout));
    }
    text_addf(out, " --expect-revision %" PRIu64, made->revision);
}

static void say_change(const struct session *session, struct change *run,
                       const canary_rollout *before, const struct text *what,
                       const struct policy_problems *problems, bool undo) {
    struct change_report report = change_report(run);
    struct text back = { 0 };
    struct text warning = { 0 };
    report.dry_run = session_given(session, OPTION_DRY_RUN);
    report.what = what->data;
    report.exposure_known = true;
    report.from_effective_bp = report.to_effective_bp = state_effective_elsewhere(before);
    if (undo && !report.dry_run) {
        add_undo(session, before, &run->made, &back);
        report.undo = back.data;
    }
    if (problems != NULL && problems->warnings > 0) {
        add_warnings(problems, &warning);
        report.warning = warning.data;
    }
    change_say(session, &report);
    text_free(&back);
    text_free(&warning);
}

static int set(struct session *session, struct change *run, const canary_policy *policy) {
    canary_policy_info info = CANARY_POLICY_INFO_INIT;
    canary_rollout before = STATE_ROLLOUT_INIT;
    struct policy_problems problems;
    canary_error ignored = CANARY_ERROR_INIT;
    canary_policy_describe(policy, &info);
    if (canary_rollout_read(session->store, session->rollout, &before, &run->error) != CANARY_OK)
        return session_error(session, &run->error);
    policy_problems_begin(&problems);
    /* Metrics that cannot be read keep nobody from setting a policy. */
    canary_policy_check(policy, session->store, session->rollout, policy_problem, &problems,
                        &problems.store_errors, &ignored);
    run->started = when_monotonic();
    int result = 0;
    if (canary_policy_set(session->store, session->rollout, policy, &run->options, &run->made,
                          &run->error) != CANARY_OK) {
        if (run->error.code == CANARY_E_REFUSED && problems.errors > 0) {
            struct text next = { 0 };
            session_command(session, true, &next);
            text_add(&next, "policy check FILE   tells all that does not fit");
            result = say_error(&run->error, true, next.data);
            text_free(&next);
        } else {
            result = session_error(session, &run->error);
        }
    } else {
        struct text what = { 0 };
        text_add(&what, "policy ");
        text_safe_string(&what, info.name);
        text_addf(&what, " %s, mode %s, %u rule%s, sha256 %s",
                  session_given(session, OPTION_DRY_RUN) ? "would be in force" : "is in force",
                  canary_mode_name(info.mode), info.rule_count, info.rule_count == 1 ? "" : "s",
                  info.digest);
        if (strcmp(before.policy, info.digest) == 0)
            text_add(&what, ", as before");
        say_change(session, run, &before, &what, &problems,
                   strcmp(before.policy, info.digest) != 0);
        text_free(&what);
    }
    policy_problems_end(&problems);
    return result;
}

int policy_set_run(struct session *session, int count, char **words) {
    struct source source;
    struct change run;
    canary_policy *policy = NULL;
    int result = take_source(session, count, words, &source);
    if (result == 0)
        result = change_open_named(session, source.names, words, &run);
    if (result == 0)
        result = load(session, &source, &policy);
    if (result == 0)
        result = set(session, &run, policy);
    canary_policy_close(&policy);
    return result;
}

int policy_remove_run(struct session *session, int count, char **words) {
    struct change run;
    canary_rollout before = STATE_ROLLOUT_INIT;
    int result = change_open_named(session, count, words, &run);
    if (result != 0)
        return result;
    if (canary_rollout_read(session->store, session->rollout, &before, &run.error) != CANARY_OK)
        return session_error(session, &run.error);
    run.started = when_monotonic();
    if (canary_rollout_policy_set(session->store, session->rollout, NULL, 0, &run.options,
                                  &run.made, &run.error) != CANARY_OK)
        return session_error(session, &run.error);
    struct text what = { 0 };
    text_add(&what, session_given(session, OPTION_DRY_RUN) ? "no policy would be in force"
                                                           : "no policy is in force");
    if (before.policy[0] == '\0')
        text_add(&what, ", as before");
    else
        text_addf(&what, ", instead of sha256 %s", before.policy);
    say_change(session, &run, &before, &what, NULL, before.policy[0] != '\0');
    text_free(&what);
    return 0;
}
