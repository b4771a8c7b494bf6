/* SPDX-License-Identifier: MIT */
/* canaryctl: finding the command that a command line means, and running it. */
#include "exits.h"
#include "help.h"
#include "jsonout.h"
#include "legacy.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The nearest of the first words, or of the second words after `first`; NULL when none is near. */
static const char *nearest_command(const char *first, const char *word) {
    static char nearest[64];
    int best = 3;
    size_t prefix = first != NULL ? strlen(first) : 0;
    nearest[0] = '\0';
    for (size_t i = 0; i < commands_count; i++) {
        const char *name = commands_table[i].name;
        if ((commands_table[i].flags & COMMAND_HIDDEN) != 0)
            continue;
        if (first != NULL && (strncmp(name, first, prefix) != 0 || name[prefix] != ' '))
            continue;
        if (first != NULL)
            name += prefix + 1;
        char candidate[64];
        snprintf(candidate, sizeof(candidate), "%.*s", (int)strcspn(name, " "), name);
        int distance = say_distance(word, candidate);
        if (strlen(word) >= 2 && strncmp(candidate, word, strlen(word)) == 0)
            distance = 0;
        if (distance < best) {
            best = distance;
            memcpy(nearest, candidate, sizeof(nearest));
        }
    }
    return nearest[0] != '\0' ? nearest : NULL;
}

static int unknown_command(const char *first, const char *word) {
    const char *nearest = nearest_command(first, word);
    const char *space = first != NULL ? " " : "";
    first = first != NULL ? first : "";
    if (nearest != NULL)
        return say_usage(NULL, "unknown command \"%s%s%s\"; did you mean \"%s%s%s\"?", first, space,
                         word, first, space, nearest);
    struct text list = { 0 };
    size_t prefix = strlen(first);
    for (size_t i = 0; i < commands_count; i++) {
        const char *name = commands_table[i].name;
        if ((commands_table[i].flags & COMMAND_HIDDEN) == 0 &&
            (prefix == 0 || (strncmp(name, first, prefix) == 0 && name[prefix] == ' ')))
            text_addf(&list, "%s%s", list.size == 0 ? "" : ", ", name);
    }
    int result =
        say_usage(NULL, "unknown command \"%s%s%s\"; there are: %s", first, space, word, list.data);
    text_free(&list);
    return result;
}

/* Finds the command and how many words its name took. */
static int find_command(struct session *session, int *used) {
    const struct options *options = &session->options;
    const char *first = options->words[0];
    *used = 1;
    session->command = commands_find_words(first);
    if (session->command != NULL)
        return 0;
    if (!commands_is_first_word(first))
        return unknown_command(NULL, first);
    const char *second = options->words[1];
    if (second == NULL) {
        if (session_given(session, OPTION_HELP))
            return 0;
        struct text list = { 0 };
        for (size_t i = 0; i < commands_count; i++) {
            const char *name = commands_table[i].name;
            if (strncmp(name, first, strlen(first)) == 0 && name[strlen(first)] == ' ')
                text_addf(&list, "%s\"%s\"", list.size == 0 ? "" : ", ", name);
        }
        int result = say_usage(NULL, "\"%s\" needs one more word: %s", first, list.data);
        text_free(&list);
        return result;
    }
    char name[80];
    snprintf(name, sizeof(name), "%.30s %.40s", first, second);
    session->command = commands_find_words(name);
    *used = 2;
    return session->command != NULL ? 0 : unknown_command(first, second);
}

/* Refuses options that this command has no use for: an operator who writes one expects something.
 */
static int check_options(const struct session *session) {
    const struct command *command = session->command;
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (session->options.value[id] == NULL || options_everywhere(id) ||
            commands_takes(command, id))
            continue;
        struct text list = { 0 };
        for (int other = 0; other < OPTION_COUNT; other++) {
            if (commands_takes(command, other))
                text_addf(&list, "%s--%s", list.size == 0 ? "" : ", ", options_table[other].name);
        }
        int result = list.size > 0 ? say_usage(command, "--%s does not go with it; what does: %s",
                                               options_table[id].name, list.data)
                                   : say_usage(command,
                                               "--%s does not go with it; it has no "
                                               "options of its own",
                                               options_table[id].name);
        text_free(&list);
        return result;
    }
    return 0;
}

static int check_words(const struct session *session, int count, char **words) {
    const struct command *command = session->command;
    if (count < command->least_words)
        return say_usage(command, "something is missing: canaryctl %s %s", command->name,
                         command->synopsis);
    if (command->most_words >= 0 && count > command->most_words)
        return say_usage(command, "\"%s\" is one word too many: canaryctl %s %s",
                         words[command->most_words], command->name, command->synopsis);
    return 0;
}

static void say_version(void) {
    struct text out = { 0 };
    if (say_mode.json) {
        jsonout_print(
            json_pack("{s:s, s:s}", "canaryctl", CANARY_VERSION, "libcanary", canary_version()));
        return;
    }
    text_addf(&out, "canaryctl %s (libcanary %s)\n", CANARY_VERSION, canary_version());
    say_text(&out);
    text_free(&out);
}

static int run(struct session *session) {
    int used = 0;
    int result = legacy_rewrite(&session->options);
    if (result != 0)
        return result;
    const struct options *options = &session->options;
    if (session_given(session, OPTION_VERSION)) {
        say_version();
        return 0;
    }
    if (options->word_count == 0) {
        if (session_given(session, OPTION_HELP)) {
            help_all();
            return 0;
        }
        return say_usage(NULL, "no command is given; for example: canaryctl --db PATH status");
    }
    result = find_command(session, &used);
    if (result != 0)
        return result;
    if (session_given(session, OPTION_HELP)) {
        if (session->command != NULL)
            help_one(session->command);
        else
            help_group(options->words[0]);
        return 0;
    }
    result = check_options(session);
    if (result == 0)
        result = check_words(session, options->word_count - used, options->words + used);
    if (result == 0)
        result = session_begin(session);
    if (result != 0)
        return result;
    return session->command->run(session, options->word_count - used, options->words + used);
}

/* A file opened in the place of a closed standard output would get what is written there: the bell,
 * say. Each is taken in the mode in which using it fails. */
static void hold_standard_files(void) {
    for (int descriptor = 0; descriptor < 3; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF)
            (void)open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

int main(int argc, char **argv) {
    hold_standard_files();
    /* Writing to nobody is an ordinary end here (say_out), not a death between two steps. */
    signal(SIGPIPE, SIG_IGN);
    say_setup(options_want_json(argc, argv));
    struct session session = { 0 };
    int result = options_parse(argc, argv, &session.options);
    if (result == 0)
        result = run(&session);
    session_end(&session);
    return result;
}
