/* SPDX-License-Identifier: MIT */
/* `policy show` and `policy diff`. */
#include "diff.h"
#include "exits.h"
#include "jsonout.h"
#include "policy.h"
#include "say.h"
#include "when.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Who put it in force; false when the store cannot tell. */
static bool read_change(const struct session *session, const char *digest, canary_change *change) {
    canary_error error = CANARY_ERROR_INIT;
    char *text = text_memory(NULL, CANARY_POLICY_MAX + 1);
    *change = (canary_change){ .size = (uint32_t)sizeof(*change) };
    int code = canary_rollout_policy_read(session->store, session->rollout, digest, text,
                                          CANARY_POLICY_MAX + 1, NULL, change, &error);
    free(text);
    return code == CANARY_OK;
}

static json_t *show_json(const struct session *session, const canary_policy *policy,
                         const canary_change *change, bool in_force) {
    json_t *object = json_object();
    json_object_set_new(object, "rollout", jsonout_string(session->rollout));
    policy_set_head(object, policy);
    json_object_set_new(object, "in_force", json_boolean(in_force));
    json_object_set_new(object, "revision", json_integer((json_int_t)change->revision));
    json_object_set_new(object, "at", jsonout_time(change->at_ns));
    json_object_set_new(object, "by", jsonout_string(change->by));
    json_object_set_new(object, "note", jsonout_string(change->note));
    json_object_set_new(object, "policy", policy_value(policy));
    json_object_set_new(object, "text", jsonout_string(canary_policy_text(policy, NULL)));
    json_object_set_new(object, "explanation", policy_explanation(policy));
    return object;
}

static void show_lines(const struct session *session, const canary_policy *policy,
                       const canary_change *change, bool in_force) {
    struct text out = { 0 };
    struct text words = { 0 };
    char at[WHEN_SIZE];
    when_short(change->at_ns, at);
    text_addf(&out, "%s%s%s  %s by revision %" PRIu64 ", at %s by ", say_begin(SAY_STRONG),
              session->rollout, say_end(), in_force ? "in force" : "not in force any more; set",
              change->revision, at);
    text_safe_string(&out, change->by);
    if (change->note[0] != '\0') {
        text_add(&out, ": ");
        text_safe_string(&out, change->note);
    }
    text_add(&out, "\n");
    policy_explain(policy, &words);
    text_bytes(&out, words.data, words.size);
    say_text(&out);
    text_free(&words);
    text_free(&out);
}

int policy_show_run(struct session *session, int count, char **words) {
    const char *digest = session_value(session, OPTION_DIGEST);
    canary_rollout state = { .size = (uint32_t)sizeof(state) };
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy = NULL;
    canary_change change;
    if (session_given(session, OPTION_TEXT) && say_mode.json)
        return say_usage(session->command, "give --text or --output json, not both");
    int result = session_open_named(session, count, words, 0);
    if (result != 0)
        return result;
    if (canary_policy_load(session->store, session->rollout, digest, &policy, &error) != CANARY_OK)
        return policy_missing(session, &error);
    if (session_given(session, OPTION_TEXT)) {
        uint64_t size = 0;
        const char *text = canary_policy_text(policy, &size);
        say_out(text, (size_t)size);
    } else {
        read_change(session, digest, &change);
        bool in_force =
            canary_rollout_read(session->store, session->rollout, &state, NULL) == CANARY_OK &&
            (digest == NULL || strcmp(state.policy, digest) == 0);
        if (say_mode.json)
            jsonout_print(show_json(session, policy, &change, in_force));
        else
            show_lines(session, policy, &change, in_force);
    }
    canary_policy_close(&policy);
    return 0;
}

/* -- diff -- */

static json_t *side_json(const struct diff *words, enum diff_side side) {
    json_t *array = json_array();
    for (size_t i = 0; i < words->count; i++) {
        if (words->lines[i].side == side)
            json_array_append_new(array, json_stringn(words->lines[i].text, words->lines[i].size));
    }
    return array;
}

/* Rules and settings that differ. The line with the name and the digest differs whenever the text does. */
static void add_words(const struct diff *words, struct text *out) {
    bool any = false;
    for (size_t i = 0; i < words->count; i++) {
        const struct diff_line *line = &words->lines[i];
        if (line->side == DIFF_BOTH || strncmp(line->text, "policy ", 7) == 0)
            continue;
        text_addf(out, "%s%s%c ", any ? "" : "\nin words\n",
                  say_begin(line->side == DIFF_OLD ? SAY_BAD : SAY_GOOD),
                  line->side == DIFF_OLD ? '-' : '+');
        text_safe(out, line->text, line->size);
        text_addf(out, "%s\n", say_end());
        any = true;
    }
    if (!any)
        text_add(out, "\nin words: the same\n");
}

static void say_difference(const struct session *session, const canary_policy *in_force,
                           const canary_policy *file, const char *name) {
    struct text old_words = { 0 };
    struct text new_words = { 0 };
    struct text unified = { 0 };
    policy_explain(in_force, &old_words);
    policy_explain(file, &new_words);
    struct diff words = diff_make(old_words.data, new_words.data);
    struct diff text =
        diff_make(canary_policy_text(in_force, NULL), canary_policy_text(file, NULL));
    text_add(&unified, "");
    diff_unified(&text, &unified);
    if (say_mode.json) {
        json_t *object = json_object();
        canary_policy_info old_info = CANARY_POLICY_INFO_INIT;
        canary_policy_info new_info = CANARY_POLICY_INFO_INIT;
        canary_policy_describe(in_force, &old_info);
        canary_policy_describe(file, &new_info);
        json_object_set_new(object, "rollout", jsonout_string(session->rollout));
        json_object_set_new(object, "different",
                            json_boolean(strcmp(old_info.digest, new_info.digest) != 0));
        json_object_set_new(object, "from_sha256", jsonout_string(old_info.digest));
        json_object_set_new(object, "to_sha256", jsonout_string(new_info.digest));
        json_object_set_new(object, "removed", side_json(&words, DIFF_OLD));
        json_object_set_new(object, "added", side_json(&words, DIFF_NEW));
        json_object_set_new(object, "text", jsonout_string(unified.data));
        jsonout_print(object);
    } else {
        struct text out = { 0 };
        text_addf(&out, "--- %s in force\n+++ ", session->rollout);
        text_safe_string(&out, name);
        text_add(&out, "\n");
        text_bytes(&out, unified.data, unified.size);
        add_words(&words, &out);
        say_text(&out);
        text_free(&out);
    }
    diff_free(&words);
    diff_free(&text);
    text_free(&unified);
    text_free(&old_words);
    text_free(&new_words);
}

int policy_diff_run(struct session *session, int count, char **words) {
    bool standard = session_given(session, OPTION_STDIN);
    const char *file = standard || count == 0 ? NULL : words[count - 1];
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *in_force = NULL;
    canary_policy *other = NULL;
    struct text text = { 0 };
    if (!standard && count == 0)
        return say_usage(session->command, "name the file, or give --stdin");
    if (standard && count > 1)
        return say_usage(session->command, "give a file or --stdin, not both");
    int result = session_open_named(session, standard ? count : count - 1, words, 0);
    if (result != 0)
        return result;
    result = policy_read_file(session, file, &text);
    if (result == 0 &&
        canary_policy_parse(text.data, text.size, &other, NULL, NULL, &error) != CANARY_OK)
        result = say_error(&error, false, "canaryctl policy check   tells all that is wrong");
    if (result == 0 &&
        canary_policy_load(session->store, session->rollout, NULL, &in_force, &error) != CANARY_OK)
        result = policy_missing(session, &error);
    if (result == 0) {
        result = strcmp(canary_policy_text(in_force, NULL), text.data) != 0 ? CTL_EXIT_ERROR : 0;
        if (result != 0 || say_mode.json)
            say_difference(session, in_force, other, standard ? "standard input" : file);
    }
    canary_policy_close(&in_force);
    canary_policy_close(&other);
    text_free(&text);
    return result;
}
