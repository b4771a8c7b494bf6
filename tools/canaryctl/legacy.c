/* SPDX-License-Identifier: MIT */
/* See legacy.h. */
#include "legacy.h"

#include "commands.h"
#include "jsonout.h"
#include "say.h"

#include <stddef.h>
#include <string.h>

static const struct {
    enum option_id option;
    char *command;
} actions[] = {
    { OPTION_LEGACY_STATUS, (char[]){ "status" } },
    { OPTION_LEGACY_ADVANCE, (char[]){ "advance" } },
    { OPTION_LEGACY_ROLLBACK, (char[]){ "rollback" } },
    { OPTION_LEGACY_HISTORY, (char[]){ "history" } },
    { OPTION_LEGACY_CLEAR_CACHE, (char[]){ "clear-cache" } },
};

/* Moves an option's value to its name of today. */
static int rename_option(struct options *options, enum option_id old, enum option_id now) {
    if (options->value[old] == NULL)
        return 0;
    if (options->value[now] != NULL && !options->from_environment[now] &&
        strcmp(options->value[now], options->value[old]) != 0)
        return say_usage(NULL, "--%s \"%s\" and --%s \"%s\" say different things",
                         options_table[old].name, options->value[old], options_table[now].name,
                         options->value[now]);
    options->value[now] = options->value[old];
    options->from_environment[now] = false;
    options->value[old] = NULL;
    return 0;
}

int legacy_rewrite(struct options *options) {
    static char set[] = "set";
    char *command = NULL;
    const char *given = NULL;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (options->value[actions[i].option] == NULL)
            continue;
        if (given != NULL)
            return say_usage(NULL, "--%s and --%s are two commands; give one", given,
                             options_table[actions[i].option].name);
        given = options_table[actions[i].option].name;
        if (options->word_count > 0)
            return say_usage(NULL, "\"%s\" and --%s are two commands; give one", options->words[0],
                             given);
        command = actions[i].command;
        options->value[actions[i].option] = NULL;
    }
    if (given == NULL && options->word_count == 0 && options->value[OPTION_STAGE] != NULL)
        command = set;
    if (command != NULL) {
        options->words[0] = command;
        options->words[1] = NULL;
        options->word_count = 1;
    }
    int result = rename_option(options, OPTION_LEGACY_ADMIN, OPTION_BY);
    if (result == 0)
        result = rename_option(options, OPTION_LEGACY_HISTORY_LIMIT, OPTION_LIMIT);
    return result;
}

int clear_cache_run(struct session *session, int count, char **words) {
    (void)session;
    (void)count;
    (void)words;
    static const char message[] =
        "nothing to clear: cohorts are computed from the user id at every decision, not cached";
    if (say_mode.json) {
        jsonout_print(json_pack("{s:b, s:s}", "cleared", 0, "message", message));
        return 0;
    }
    struct text out = { 0 };
    text_addf(&out, "%s\n", message);
    say_text(&out);
    text_free(&out);
    return 0;
}
