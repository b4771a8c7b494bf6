/* SPDX-License-Identifier: MIT */
/* See policy.h; and `policy check`. */
#include "policy.h"

#include "exits.h"
#include "jsonout.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void policy_problems_begin(struct policy_problems *problems) {
    *problems = (struct policy_problems){ .array = json_array() };
    text_add(&problems->lines, "");
}

void policy_problems_end(struct policy_problems *problems) {
    text_free(&problems->lines);
    json_decref(problems->array);
    problems->array = NULL;
}

int policy_problem(void *user_data, const char *place, const char *message) {
    struct policy_problems *problems = user_data;
    /* The library counts an error before it tells of it. */
    bool is_error = problems->reading || problems->store_errors > problems->errors;
    problems->errors += is_error;
    problems->warnings += !is_error;
    json_array_append_new(problems->array,
                          json_pack("{s:s, s:o, s:o}", "severity", is_error ? "error" : "warning",
                                    "place", jsonout_string(place), "message",
                                    jsonout_string(message)));
    text_addf(&problems->lines, "%s%s%s  ", say_begin(is_error ? SAY_BAD : SAY_WARN),
              is_error ? "error  " : "warning", say_end());
    text_safe_string(&problems->lines, place);
    text_add(&problems->lines, ": ");
    text_safe_string(&problems->lines, message);
    text_add(&problems->lines, "\n");
    return 0;
}

static int read_all(int descriptor, struct text *out) {
    char buffer[16384];
    text_add(out, "");
    /* One byte more than allowed tells that it is too long; a device without end is not read on. */
    while (out->size <= CANARY_POLICY_SIZE_MAX) {
        ssize_t got = read(descriptor, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : 0;
        text_bytes(out, buffer, (size_t)got);
    }
    return 0;
}

int policy_read_file(const struct session *session, const char *file, struct text *out) {
    bool standard = file == NULL || strcmp(file, "-") == 0;
    int descriptor = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    int trouble = descriptor < 0 ? errno : read_all(descriptor, out);
    if (!standard && descriptor >= 0)
        close(descriptor);
    if (trouble == 0)
        return 0;
    return say_failure(trouble == ENOENT ? CANARY_E_NOT_FOUND : CANARY_E_SYSTEM, NULL,
                       "%s: cannot read \"%s\": %s", session->command->name,
                       standard ? "standard input" : file, strerror(trouble));
}

static void explain(const canary_policy *policy, struct text *out) {
    canary_error error = CANARY_ERROR_INIT;
    text_add(out, "");
    canary_policy_explain(policy, text_write, out, &error);
}

/* Descriptions are others' words. */
void policy_explain(const canary_policy *policy, struct text *out) {
    struct text words = { 0 };
    explain(policy, &words);
    text_add(out, "");
    for (const char *line = words.data; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        text_safe(out, line, size);
        line += size;
        if (*line == '\n') {
            text_add(out, "\n");
            line++;
        }
    }
    text_free(&words);
}

json_t *policy_explanation(const canary_policy *policy) {
    struct text text = { 0 };
    json_t *array = json_array();
    explain(policy, &text);
    for (char *line = text.data; *line != '\0';) {
        char *end = line + strcspn(line, "\n");
        bool last = *end == '\0';
        *end = '\0';
        json_array_append_new(array, jsonout_string(line));
        line = last ? end : end + 1;
    }
    text_free(&text);
    return array;
}

json_t *policy_value(const canary_policy *policy) {
    uint64_t size = 0;
    const char *text = canary_policy_text(policy, &size);
    json_t *value = json_loadb(text, (size_t)size, 0, NULL);
    return value != NULL ? value : json_null();
}

void policy_set_head(json_t *object, const canary_policy *policy) {
    canary_policy_info info = CANARY_POLICY_INFO_INIT;
    canary_policy_describe(policy, &info);
    json_object_set_new(object, "name", jsonout_string(info.name));
    json_object_set_new(object, "sha256", jsonout_string(info.digest));
    json_object_set_new(object, "mode", json_string(canary_mode_name(info.mode)));
    json_object_set_new(object, "frozen", json_boolean(info.frozen));
    json_object_set_new(object, "rules", json_integer(info.rule_count));
    json_object_set_new(object, "metrics", json_integer(info.metric_count));
    json_object_set_new(object, "stages", json_integer(info.stage_count));
    json_object_set_new(object, "objectives", json_integer(info.objective_count));
}

int policy_compare(const struct session *session, const canary_policy *policy,
                   struct policy_problems *problems) {
    canary_error error = CANARY_ERROR_INIT;
    problems->reading = false;
    problems->errors = problems->store_errors = 0;
    int code = canary_policy_check(policy, session->store, session->rollout, policy_problem,
                                   problems, &problems->store_errors, &error);
    return code == CANARY_OK ? 0 : session_error(session, &error);
}

int policy_missing(const struct session *session, const canary_error *error) {
    canary_rollout state = { .size = (uint32_t)sizeof(state) };
    if (error->code != CANARY_E_NOT_FOUND ||
        canary_rollout_read(session->store, session->rollout, &state, NULL) != CANARY_OK)
        return session_error(session, error);
    struct text next = { 0 };
    session_command(session, false, &next);
    text_add(&next, "policy set ");
    text_shell(&next, session->rollout, strlen(session->rollout));
    text_add(&next, " FILE   puts one in force; history shows earlier ones");
    int result = say_error(error, false, next.data);
    text_free(&next);
    return result;
}

static void say_check(const struct session *session, const canary_policy *policy,
                      const struct policy_problems *problems, bool compared) {
    if (say_mode.json) {
        json_t *object = json_object();
        json_object_set_new(object, "valid", json_boolean(problems->errors == 0));
        json_object_set_new(object, "rollout",
                            compared ? jsonout_string(session->rollout) : json_null());
        if (policy != NULL)
            policy_set_head(object, policy);
        json_object_set(object, "problems", problems->array);
        json_object_set_new(object, "explanation",
                            policy != NULL ? policy_explanation(policy) : json_array());
        jsonout_print(object);
        return;
    }
    struct text out = { 0 };
    text_add(&out, "");
    if (policy != NULL) {
        struct text words = { 0 };
        policy_explain(policy, &words);
        text_bytes(&out, words.data, words.size);
        text_free(&words);
    }
    text_bytes(&out, problems->lines.data, problems->lines.size);
    if (problems->errors > 0)
        text_addf(&out, "%s%u error%s%s\n", say_begin(SAY_BAD), problems->errors,
                  problems->errors == 1 ? "" : "s", say_end());
    else
        text_addf(&out, "%ssound%s%s%s\n", say_begin(SAY_GOOD), say_end(),
                  compared ? ", and fits " : "", compared ? session->rollout : "");
    say_text(&out);
    text_free(&out);
}

int policy_check_run(struct session *session, int count, char **words) {
    struct text text = { 0 };
    struct policy_problems problems;
    canary_policy *policy = NULL;
    canary_error error = CANARY_ERROR_INIT;
    /* What the environment names is no wish: a file is checked on machines without a store, too. */
    bool compared =
        (session_given(session, OPTION_ROLLOUT) &&
         !session->options.from_environment[OPTION_ROLLOUT]) ||
        (session_given(session, OPTION_DB) && !session->options.from_environment[OPTION_DB]);
    if (count == 0 && !session_given(session, OPTION_STDIN))
        return say_usage(session->command, "name the file, or give --stdin");
    if (count > 0 && session_given(session, OPTION_STDIN))
        return say_usage(session->command, "give a file or --stdin, not both");
    int result = policy_read_file(session, count > 0 ? words[0] : NULL, &text);
    if (result != 0) {
        text_free(&text);
        return result;
    }
    policy_problems_begin(&problems);
    problems.reading = true;
    int code =
        canary_policy_parse(text.data, text.size, &policy, policy_problem, &problems, &error);
    text_free(&text);
    if (code == CANARY_E_INVALID) {
        result = CTL_EXIT_USAGE;
        say_check(session, NULL, &problems, false);
    } else if (code != CANARY_OK) {
        result = session_error(session, &error);
    } else {
        if (compared)
            result = session_open_rollout(session, 0);
        if (result == 0 && compared)
            result = policy_compare(session, policy, &problems);
        if (result == 0) {
            say_check(session, policy, &problems, compared);
            result = problems.errors > 0 ? CTL_EXIT_REFUSED : 0;
        }
    }
    canary_policy_close(&policy);
    policy_problems_end(&problems);
    return result;
}
