/* SPDX-License-Identifier: MIT */
/* `create`: a new rollout, and the store when there is none. */
#include "change.h"
#include "percent.h"
#include "state.h"
#include "when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ladder {
    char *text; /* the lists, cut into words in place */
    uint32_t count;
    uint32_t bp[CANARY_STAGES_MAX];
    const char *names[CANARY_STAGES_MAX];
    int64_t dwell_ns[CANARY_STAGES_MAX];
    char *parts[CANARY_STAGES_MAX + 1];
};

/* Cuts a list at its commas; the number of parts, or CANARY_STAGES_MAX when there are too many. */
static uint32_t cut(struct ladder *ladder, const char *list) {
    free(ladder->text);
    ladder->text = strcpy(text_memory(NULL, strlen(list) + 1), list);
    uint32_t count = 0;
    char *rest = ladder->text;
    while (rest != NULL && count < CANARY_STAGES_MAX)
        ladder->parts[count++] = strsep(&rest, ",");
    return count;
}

static int read_stages(struct session *session, struct ladder *ladder) {
    const char *list = session_value(session, OPTION_STAGES);
    if (list == NULL)
        return 0;
    ladder->count = cut(ladder, list);
    if (ladder->count >= CANARY_STAGES_MAX)
        return say_usage(session->command, "--stages names more than %d stages",
                         CANARY_STAGES_MAX - 1);
    for (uint32_t i = 0; i < ladder->count; i++) {
        const char *why = percent_parse(ladder->parts[i], &ladder->bp[i]);
        if (why != NULL)
            return say_usage(session->command, "--stages \"%s\": \"%s\" %s", list, ladder->parts[i],
                             why);
        if (ladder->bp[i] == 0)
            return say_usage(session->command,
                             "--stages \"%s\": stage 0 (0 %%) is always there, leave it out", list);
        if (i > 0 && ladder->bp[i] <= ladder->bp[i - 1])
            return say_usage(session->command,
                             "--stages \"%s\" must rise from each to the next, but \"%s\" follows "
                             "\"%s\"",
                             list, ladder->parts[i], ladder->parts[i - 1]);
    }
    return 0;
}

static int wrong_count(struct session *session, const char *option, uint32_t count,
                       uint32_t wanted) {
    return say_usage(session->command, "--%s gives %u, but there are %u stages above 0", option,
                     count, wanted);
}

static int read_dwell(struct session *session, struct ladder *ladder, uint32_t wanted) {
    const char *list = session_value(session, OPTION_DWELL);
    if (list == NULL)
        return 0;
    uint32_t count = cut(ladder, list);
    if (count != wanted)
        return wrong_count(session, "dwell", count, wanted);
    for (uint32_t i = 0; i < count; i++) {
        if (!when_parse_dwell(ladder->parts[i], &ladder->dwell_ns[i]))
            return say_usage(session->command,
                             "--dwell \"%s\": \"%s\" is no span: a whole number and s, m, h, d or "
                             "w, as in 30m",
                             list, ladder->parts[i]);
    }
    return 0;
}

static int read_names(struct session *session, struct ladder *ladder, uint32_t wanted) {
    const char *list = session_value(session, OPTION_NAMES);
    if (list == NULL)
        return 0;
    uint32_t count = cut(ladder, list);
    if (count != wanted)
        return wrong_count(session, "names", count, wanted);
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    for (uint32_t i = 0; i < count; i++) {
        const char *name = ladder->parts[i];
        size_t size = strlen(name);
        if (size == 0 || size > CANARY_PHASE_MAX || strspn(name, allowed) != size)
            return say_usage(session->command,
                             "--names \"%s\": \"%s\" is no name: 1 to %d of A-Z a-z 0-9 . _ -",
                             list, name, CANARY_PHASE_MAX);
        ladder->names[i] = name;
    }
    return 0;
}

struct sharing {
    const canary_change *made;
    const char *salt;
    struct text names;
};

static int look_for_sharing(void *user_data, const canary_rollout *entry) {
    struct sharing *sharing = user_data;
    bool open = entry->percentage_bp > 0 && entry->percentage_bp < CANARY_BP_MAX;
    if (open && strcmp(entry->salt, sharing->salt) == 0 &&
        strcmp(entry->name, sharing->made->rollout) != 0)
        text_addf(&sharing->names, "%s%s", sharing->names.size == 0 ? "" : ", ", entry->name);
    return 0;
}

static int make(struct session *session, const canary_rollout_spec *spec, struct change *run) {
    int code = canary_create(session->store, spec, &run->options, &run->made, &run->error);
    if (code != CANARY_OK)
        return session_error(session, &run->error);
    struct change_report report = change_report(run);
    report.what = "created at stage 0, 0 %: everybody gets old";
    report.no_undo = "nothing to undo, the rollout is closed";
    struct sharing sharing = { .made = &run->made, .salt = spec->salt != NULL ? spec->salt : "" };
    struct text warning = { 0 };
    if (canary_rollout_list(session->store, look_for_sharing, &sharing, NULL) == CANARY_OK &&
        sharing.names.size > 0) {
        text_addf(&warning,
                  "%s has the same salt as %s, which is partly open: the same users come first in "
                  "both; `create --salt TEXT` makes the cohorts independent",
                  run->made.rollout, sharing.names.data);
        report.warning = warning.data;
    }
    change_say(session, &report);
    text_free(&warning);
    text_free(&sharing.names);
    return 0;
}

int create_run(struct session *session, int count, char **words) {
    (void)count;
    const char *given = session_value(session, OPTION_ROLLOUT);
    if (given != NULL && !session->options.from_environment[OPTION_ROLLOUT] &&
        strcmp(given, words[0]) != 0)
        return say_usage(session->command, "two names are given: \"%s\" and --rollout \"%s\"",
                         words[0], given);
    struct ladder stages = { 0 };
    struct ladder names = { 0 };
    struct ladder dwell = { 0 };
    struct change run;
    int result = read_stages(session, &stages);
    uint32_t wanted = stages.count > 0 ? stages.count : 4;
    if (result == 0)
        result = read_names(session, &names, wanted);
    if (result == 0)
        result = read_dwell(session, &dwell, wanted);
    if (result == 0)
        result = change_open(session, CANARY_OPEN_CREATE, &run);
    if (result == 0) {
        static const uint32_t usual[] = { 500, 2500, 5000, 10000 };
        bool plain = stages.count == 0 && names.parts[0] == NULL && dwell.parts[0] == NULL;
        canary_rollout_spec spec = { .size = (uint32_t)sizeof(spec) };
        spec.name = words[0];
        spec.stage_count = plain ? 0 : wanted;
        spec.stages_bp = plain ? NULL : stages.count > 0 ? stages.bp : usual;
        spec.stage_names = names.parts[0] != NULL ? names.names : NULL;
        spec.dwell_ns = dwell.parts[0] != NULL ? dwell.dwell_ns : NULL;
        spec.salt = session_value(session, OPTION_SALT);
        spec.flag = session_value(session, OPTION_FLAG);
        session->rollout = words[0];
        result = make(session, &spec, &run);
    }
    free(stages.text);
    free(names.text);
    free(dwell.text);
    return result;
}
