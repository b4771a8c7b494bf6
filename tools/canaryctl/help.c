/* SPDX-License-Identifier: MIT */
/* See help.h. */
#include "help.h"

#include "exits.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

/* Adds words, broken at `width`, each line after the first indented. */
static void add_wrapped(struct text *out, const char *words, int indent, int width) {
    int column = indent;
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        if (column > indent && column + (int)size > width) {
            text_addf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            text_add(out, " ");
            column++;
        }
        text_bytes(out, words, size);
        column += (int)size;
        words += size;
        words += strspn(words, " ");
    }
}

static void add_option(struct text *out, enum option_id id) {
    const struct option_entry *entry = &options_table[id];
    char left[64];
    snprintf(left, sizeof(left), "%s%c%s --%s%s%s", entry->letter != 0 ? "-" : " ",
             entry->letter != 0 ? entry->letter : ' ', entry->letter != 0 ? "," : " ", entry->name,
             entry->argument != NULL ? " " : "", entry->argument != NULL ? entry->argument : "");
    text_addf(out, "  %-28s  ", left);
    add_wrapped(out, entry->help, 32, 96);
    if (entry->environment != NULL)
        text_addf(out, " [%s]", entry->environment);
    text_add(out, "\n");
}

/* Of a command; NULL: of every one. */
static void add_options(struct text *out, const struct command *command) {
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (command != NULL ? commands_takes(command, id) : options_everywhere(id))
            add_option(out, (enum option_id)id);
    }
}

static void add_title(struct text *out, const char *title) {
    text_addf(out, "\n%s%s%s\n", say_begin(SAY_STRONG), title, say_end());
}

static void add_exits(struct text *out) {
    for (int exit_code = 0; exit_code < 10; exit_code++) {
        if (exits_meaning(exit_code) != NULL)
            text_addf(out, "  %d  %s\n", exit_code, exits_meaning(exit_code));
    }
}

static void add_command(struct text *out, const struct command *command) {
    text_addf(out, "  %s%s%s", say_begin(SAY_STRONG), command->name, say_end());
    int indent = (int)strlen(command->name) + 3;
    if (command->synopsis[0] != '\0') {
        text_add(out, " ");
        add_wrapped(out, command->synopsis, indent, 96);
    }
    text_addf(out, "\n      %s\n      %sexample:%s canaryctl %s\n", command->summary,
              say_begin(SAY_DIM), say_end(), command->example);
}

void help_all(void) {
    struct text out = { 0 };
    text_add(&out, "canaryctl: operate the rollouts of a libcanary store\n\n"
                   "usage: canaryctl [OPTIONS] COMMAND [WORDS]   options may stand anywhere\n");
    add_title(&out, "commands");
    for (size_t i = 0; i < commands_count; i++) {
        if ((commands_table[i].flags & COMMAND_HIDDEN) == 0)
            add_command(&out, &commands_table[i]);
    }
    add_title(&out, "options of every command");
    add_options(&out, NULL);
    add_title(&out, "older spellings");
    text_add(&out,
             "  --status   --advance --admin WHO   --rollback --admin WHO   --stage N --admin "
             "WHO\n  --history [--history-limit N]   --clear-cache\n");
    add_title(&out, "exit codes");
    add_exits(&out);
    text_add(&out,
             "\ncanaryctl COMMAND --help tells more about one command; so does man canaryctl.\n");
    say_text(&out);
    text_free(&out);
}

void help_one(const struct command *command) {
    struct text out = { 0 };
    char begin[64];
    snprintf(begin, sizeof(begin), "usage: canaryctl %s ", command->name);
    text_add(&out, begin);
    add_wrapped(&out, command->synopsis, (int)strlen(begin), 96);
    text_addf(&out, "\n\n%s.\n", command->summary);
    if (command->details[0] != '\0') {
        add_wrapped(&out, command->details, 0, 96);
        text_add(&out, "\n");
    }
    add_title(&out, "example");
    text_addf(&out, "  canaryctl %s\n", command->example);
    if (command->options[0] != 0) {
        add_title(&out, "options");
        add_options(&out, command);
    }
    add_title(&out, "options of every command");
    add_options(&out, NULL);
    add_title(&out, "exit codes");
    add_exits(&out);
    say_text(&out);
    text_free(&out);
}

void help_group(const char *word) {
    struct text out = { 0 };
    size_t length = strlen(word);
    text_addf(&out, "usage: canaryctl %s COMMAND\n", word);
    add_title(&out, "commands");
    for (size_t i = 0; i < commands_count; i++) {
        const char *name = commands_table[i].name;
        if (strncmp(name, word, length) == 0 && name[length] == ' ')
            add_command(&out, &commands_table[i]);
    }
    text_addf(&out, "\ncanaryctl %s COMMAND --help tells more about one.\n", word);
    say_text(&out);
    text_free(&out);
}

int help_run(struct session *session, int count, char **words) {
    if (count == 0) {
        help_all();
        return 0;
    }
    char name[80];
    snprintf(name, sizeof(name), "%.30s%s%.30s", words[0], count > 1 ? " " : "",
             count > 1 ? words[1] : "");
    const struct command *command = commands_find_words(name);
    if (command != NULL)
        help_one(command);
    else if (count == 1 && commands_is_first_word(words[0]))
        help_group(words[0]);
    else
        return say_usage(session->command, "there is no command \"%s\"", name);
    return 0;
}
