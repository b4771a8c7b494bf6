/* SPDX-License-Identifier: MIT */
/* `override add`, `override remove`, `override list`: users pinned to a cohort. */
#include "change.h"
#include "jsonout.h"
#include "lines.h"
#include "pin.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library's limit, checked here to name the line. */
#define LONGEST_ID 4096

static int read_cohort(const struct session *session, const char *word, int *cohort) {
    if (strcmp(word, "new") == 0 || strcmp(word, "old") == 0) {
        *cohort = strcmp(word, "new") == 0 ? CANARY_NEW : CANARY_OLD;
        return 0;
    }
    const char *nearest = say_distance(word, "new") <= 1   ? "; did you mean \"new\"?"
                          : say_distance(word, "old") <= 1 ? "; did you mean \"old\"?"
                                                           : "";
    return say_usage(session->command, "\"%s\" is no cohort: new or old%s", word, nearest);
}

/* The command that puts a user's pin back to `before`: a cohort, or -1 for none. */
static void add_undo(const struct session *session, const char *user, int before,
                     struct text *out) {
    session_command(session, true, out);
    text_add(out, before < 0 ? "override remove " : "override add ");
    text_add(out, user[0] == '-' ? "-- " : "");
    text_shell(out, user, strlen(user));
    if (before >= 0)
        text_addf(out, " %s", canary_cohort_name(before));
}

/* Reports a change of one user's pin from `before` to `now`: cohorts, or -1 for none. */
static int say_one(const struct session *session, const struct change *run, const char *user,
                   int before, int now) {
    struct change_report report = change_report(run);
    struct text what = { 0 };
    struct text undo = { 0 };
    if (now < 0)
        text_add(&what, "no longer pinned: ");
    else
        text_addf(&what, "pinned to %s: ", canary_cohort_name(now));
    text_safe_string(&what, user);
    report.what = what.data;
    if (before >= 0 || now >= 0) {
        add_undo(session, user, before, &undo);
        report.undo = undo.data;
    }
    change_say(session, &report);
    text_free(&what);
    text_free(&undo);
    return 0;
}

static int add_one(struct session *session, const char *user, int cohort, struct change *run) {
    int before = pin_find(session, user, strlen(user));
    run->started = when_monotonic();
    if (canary_override_set(session->store, session->rollout, user, strlen(user), cohort,
                            &run->options, &run->made, &run->error) != CANARY_OK)
        return session_error(session, &run->error);
    return say_one(session, run, user, before, cohort);
}

struct ids {
    struct text bytes;
    size_t *offsets; /* begin of each id in `bytes`; one more than there are ids */
    size_t count;
    size_t capacity;
};

static int read_ids(const struct session *session, struct ids *ids) {
    struct lines lines;
    lines_begin(&lines);
    int result = 0;
    uint64_t empty = 0;
    while (result == 0) {
        const char *line;
        size_t size;
        enum lines_result got = lines_next(&lines, &line, &size);
        if (got == LINES_END)
            break;
        if (got == LINES_EMPTY) {
            int failed = lines_fill(&lines);
            if (failed != 0)
                result = say_failure(CANARY_E_SYSTEM, NULL, "cannot read standard input: %s",
                                     strerror(failed));
            continue;
        }
        if (got == LINES_TOO_LONG || size > LONGEST_ID) {
            result = say_usage(session->command, "line %" PRIu64 " is longer than %d bytes",
                               lines.number, LONGEST_ID);
            continue;
        }
        if (size == 0) {
            empty++;
            continue;
        }
        if (ids->count + 2 > ids->capacity) {
            ids->capacity = ids->capacity == 0 ? 1024 : ids->capacity * 2;
            ids->offsets = text_memory(ids->offsets, ids->capacity * sizeof(ids->offsets[0]));
        }
        ids->offsets[ids->count++] = ids->bytes.size;
        text_bytes(&ids->bytes, line, size);
        ids->offsets[ids->count] = ids->bytes.size;
    }
    lines_end(&lines);
    if (result == 0 && empty > 0)
        say_warning("%" PRIu64 " empty line%s left out", empty, empty == 1 ? "" : "s");
    return result;
}

static int add_many(struct session *session, int cohort, struct change *run) {
    struct ids ids = { 0 };
    int result = read_ids(session, &ids);
    if (result == 0 && ids.count == 0)
        result = say_usage(session->command, "standard input holds no user id");
    if (result != 0) {
        text_free(&ids.bytes);
        free(ids.offsets);
        return result;
    }
    const void **users = text_memory(NULL, ids.count * sizeof(users[0]));
    uint64_t *sizes = text_memory(NULL, ids.count * sizeof(sizes[0]));
    for (size_t i = 0; i < ids.count; i++) {
        users[i] = ids.bytes.data + ids.offsets[i];
        sizes[i] = ids.offsets[i + 1] - ids.offsets[i];
    }
    run->started = when_monotonic();
    if (canary_override_set_many(session->store, session->rollout, users, sizes, ids.count, cohort,
                                 &run->options, &run->made, &run->error) == CANARY_OK) {
        struct change_report report = change_report(run);
        char what[80];
        snprintf(what, sizeof(what), "%zu users pinned to %s in one change", ids.count,
                 canary_cohort_name(cohort));
        report.what = what;
        report.no_undo = "`override remove USER` for each of them";
        change_say(session, &report);
    } else {
        result = session_error(session, &run->error);
    }
    free(users);
    free(sizes);
    text_free(&ids.bytes);
    free(ids.offsets);
    return result;
}

int override_add_run(struct session *session, int count, char **words) {
    bool from_input = session_given(session, OPTION_STDIN);
    if (from_input && count > 1)
        return say_usage(session->command, "with --stdin give the cohort alone, without \"%s\"",
                         words[0]);
    if (!from_input && count < 2)
        return say_usage(session->command, "\"%s\" lacks a cohort: USER new, or USER old",
                         words[0]);
    int cohort = CANARY_OLD;
    int result = read_cohort(session, words[count - 1], &cohort);
    if (result == 0 && !from_input && words[0][0] == '\0')
        result =
            say_usage(session->command, "the user id is empty; it takes 1 to %d bytes", LONGEST_ID);
    struct change run;
    if (result == 0)
        result = change_open_rollout(session, 0, &run);
    if (result != 0)
        return result;
    return from_input ? add_many(session, cohort, &run) : add_one(session, words[0], cohort, &run);
}

int override_remove_run(struct session *session, int count, char **words) {
    (void)count;
    const char *user = words[0];
    struct change run;
    int result = change_open_rollout(session, 0, &run);
    if (result != 0)
        return result;
    int before = pin_find(session, user, strlen(user));
    run.started = when_monotonic();
    if (canary_override_remove(session->store, session->rollout, user, strlen(user), &run.options,
                               &run.made, &run.error) != CANARY_OK)
        return session_error(session, &run.error);
    return say_one(session, &run, user, before, -1);
}

struct listing {
    struct text out;
    json_t *array;
    uint64_t count;
};

static int add_pin(void *user_data, const void *user_id, uint64_t size, int cohort) {
    struct listing *listing = user_data;
    listing->count++;
    if (listing->array != NULL) {
        json_t *object = json_object();
        jsonout_set_bytes(object, "user", user_id, size);
        json_object_set_new(object, "cohort", json_string(canary_cohort_name(cohort)));
        json_array_append_new(listing->array, object);
        return 0;
    }
    text_addf(&listing->out, "%s  ", canary_cohort_name(cohort));
    text_safe(&listing->out, user_id, size);
    text_add(&listing->out, "\n");
    return 0;
}

int override_list_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int result = session_open_rollout(session, 0);
    if (result != 0)
        return result;
    struct listing listing = { .array = say_mode.json ? json_array() : NULL };
    canary_error error = CANARY_ERROR_INIT;
    if (canary_override_list(session->store, session->rollout, add_pin, &listing, &error) !=
        CANARY_OK) {
        json_decref(listing.array);
        text_free(&listing.out);
        return session_error(session, &error);
    }
    if (listing.array != NULL) {
        jsonout_print(listing.array);
        return 0;
    }
    if (listing.count == 0)
        text_addf(&listing.out, "no user of %s is pinned\n", session->rollout);
    say_text(&listing.out);
    text_free(&listing.out);
    return 0;
}
