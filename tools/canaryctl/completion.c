/* SPDX-License-Identifier: MIT */
/* `completion`: scripts for three shells, written from the tables of commands and options, so that
 * they offer exactly what the tool accepts. */
#include "session.h"

#include <stdio.h>
#include <string.h>

static bool listed(const struct command *command) {
    return (command->flags & COMMAND_HIDDEN) == 0;
}

static size_t first_length(const struct command *command) {
    return strcspn(command->name, " ");
}

/* The first words of all commands, each once. */
static bool is_first_of_group(size_t i) {
    if (!listed(&commands_table[i]))
        return false;
    size_t length = first_length(&commands_table[i]);
    return i == 0 || first_length(&commands_table[i - 1]) != length ||
           strncmp(commands_table[i - 1].name, commands_table[i].name, length) != 0;
}

static void add_first_words(struct text *out) {
    const char *separator = "";
    for (size_t i = 0; i < commands_count; i++) {
        if (!is_first_of_group(i))
            continue;
        text_addf(out, "%s%.*s", separator, (int)first_length(&commands_table[i]),
                  commands_table[i].name);
        separator = " ";
    }
}

static void add_second_words(struct text *out, const char *first) {
    const char *separator = "";
    size_t length = strlen(first);
    for (size_t i = 0; i < commands_count; i++) {
        const char *name = commands_table[i].name;
        if (listed(&commands_table[i]) && strncmp(name, first, length) == 0 &&
            name[length] == ' ') {
            text_addf(out, "%s%s", separator, name + length + 1);
            separator = " ";
        }
    }
}

/* Of a command, NULL for none, and of all. */
static void add_options(struct text *out, const struct command *command) {
    const char *separator = "";
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (!options_everywhere(id) && (command == NULL || !commands_takes(command, id)))
            continue;
        text_addf(out, "%s--%s", separator, options_table[id].name);
        separator = " ";
    }
}

/* Calls `add` for the first word of every group of two-word commands. */
static void each_group(struct text *out, void (*add)(struct text *out, const char *first)) {
    for (size_t i = 0; i < commands_count; i++) {
        if (!is_first_of_group(i) || strchr(commands_table[i].name, ' ') == NULL)
            continue;
        char first[32];
        snprintf(first, sizeof(first), "%.*s", (int)first_length(&commands_table[i]),
                 commands_table[i].name);
        add(out, first);
    }
}

/* What a command's word may be, as shell code that leaves candidates in `offer`. */
static const char *offer_words(const struct command *command) {
    switch (command->words) {
    case WORDS_USER_COHORT:
        return "new old";
    case WORDS_SHELL:
        return "bash zsh fish";
    case WORDS_FLAG:
        return "$(_canaryctl_ask flag list --brief)";
    case WORDS_FILE:
        return "FILES";
    case WORDS_COMMAND:
        return "$commands";
    case WORDS_NONE:
    case WORDS_ANY:
    default:
        return "";
    }
}

static const char *offer_value(enum option_value value) {
    switch (value) {
    case VALUE_FORMAT:
        return "table json";
    case VALUE_ROLLOUT:
        return "$(_canaryctl_ask list --brief)";
    case VALUE_FLAG:
        return "$(_canaryctl_ask flag list --brief)";
    case VALUE_COHORT:
        return "new old";
    case VALUE_INPUT:
        return "json csv";
    case VALUE_PERIOD:
        return "day week final";
    case VALUE_NONE:
    case VALUE_ANY:
    case VALUE_FILE:
    default:
        return "";
    }
}

static void add_group_case(struct text *out, const char *first) {
    text_addf(out, "        %s) offer=\"", first);
    add_second_words(out, first);
    text_add(out, "\" ;;\n");
}

/* --format is one option with other words for reports. */
#define REPORT_FORMATS "[[ $command == report ]] && offer=\"md json html\"; "

static void add_group_name(struct text *out, const char *first) {
    text_addf(out, "|%s", first);
}

/* The part that bash and zsh have in common: from `words` before the cursor to `offer`, or
 * `offer=FILES`. `current` is the word at the cursor, `previous` the one before it. */
static void add_common(struct text *out) {
    text_add(out, "_canaryctl_ask() {\n"
                  "    if [[ -n $_canaryctl_db ]]; then\n"
                  "        canaryctl --db \"${_canaryctl_db/#\\~/$HOME}\" \"$@\" 2>/dev/null\n"
                  "    else\n"
                  "        canaryctl \"$@\" 2>/dev/null\n"
                  "    fi\n"
                  "}\n\n"
                  "_canaryctl_offer() {\n"
                  "    local word command=\"\" skip=\"\" groups commands\n"
                  "    groups=\"");
    each_group(out, add_group_name);
    text_add(out, "|\"\n    commands=\"");
    add_first_words(out);
    text_add(out, "\"\n"
                  "    _canaryctl_db=\"\"\n"
                  "    offer=\"\"\n"
                  "    for word in \"$@\"; do\n"
                  "        if [[ -n $skip ]]; then\n"
                  "            [[ $skip == --db ]] && _canaryctl_db=$word\n"
                  "            skip=\"\"\n"
                  "            continue\n"
                  "        fi\n"
                  "        case $word in\n"
                  "        --db=*) _canaryctl_db=${word#--db=} ;;\n"
                  "        ");
    const char *separator = "";
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (options_table[id].argument == NULL)
            continue;
        if (options_table[id].letter != 0)
            text_addf(out, "%s-%c", separator, options_table[id].letter), separator = "|";
        text_addf(out, "%s--%s", separator, options_table[id].name);
        separator = "|";
    }
    text_add(out,
             ") skip=$word ;;\n"
             "        -*) ;;\n"
             "        *)\n"
             "            if [[ -z $command ]]; then command=$word\n"
             "            elif [[ $groups == *\"|$command|\"* ]]; then command=\"$command $word\"\n"
             "            fi ;;\n"
             "        esac\n"
             "    done\n"
             "    case $skip in\n"
             "    \"\") ;;\n");
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_entry *entry = &options_table[id];
        if (entry->argument == NULL)
            continue;
        text_add(out, "    ");
        if (entry->letter != 0)
            text_addf(out, "-%c|", entry->letter);
        text_addf(out, "--%s) offer=\"%s\"; %sreturn ;;\n", entry->name,
                  entry->value == VALUE_FILE ? "FILES" : offer_value(entry->value),
                  entry->value == VALUE_INPUT ? REPORT_FORMATS : "");
    }
    text_add(out, "    esac\n"
                  "    if [[ $current == -* ]]; then\n"
                  "        case $command in\n");
    for (size_t i = 0; i < commands_count; i++) {
        if (!listed(&commands_table[i]))
            continue;
        text_addf(out, "        \"%s\") offer=\"", commands_table[i].name);
        add_options(out, &commands_table[i]);
        text_add(out, "\" ;;\n");
    }
    text_add(out, "        *) offer=\"");
    add_options(out, NULL);
    text_add(out, "\" ;;\n"
                  "        esac\n"
                  "    else\n"
                  "        case $command in\n"
                  "        \"\") offer=$commands ;;\n");
    each_group(out, add_group_case);
    for (size_t i = 0; i < commands_count; i++) {
        const char *offer = offer_words(&commands_table[i]);
        if (listed(&commands_table[i]) && offer[0] != '\0')
            text_addf(out, "        \"%s\") offer=\"%s\" ;;\n", commands_table[i].name, offer);
    }
    text_add(out, "        esac\n"
                  "    fi\n"
                  "}\n\n");
}

static void write_bash(struct text *out) {
    text_add(
        out,
        "# bash completion for canaryctl: source it, or put it where bash-completion looks\n\n");
    add_common(out);
    text_add(out, "_canaryctl() {\n"
                  "    local current=\"${COMP_WORDS[COMP_CWORD]}\" offer _canaryctl_db\n"
                  "    local -a before=()\n"
                  "    local i\n"
                  "    # bash makes three words of --db=path; two are enough to know it.\n"
                  "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                  "        [[ ${COMP_WORDS[i]} == \"=\" ]] || before+=(\"${COMP_WORDS[i]}\")\n"
                  "    done\n"
                  "    [[ $current == \"=\" ]] && current=\"\"\n"
                  "    _canaryctl_offer \"${before[@]}\"\n"
                  "    if [[ $offer == FILES ]]; then\n"
                  "        compopt -o filenames 2>/dev/null\n"
                  "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                  "    else\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"$offer\" -- \"$current\")\n"
                  "    fi\n"
                  "}\n\n"
                  "complete -F _canaryctl canaryctl\n");
}

static void write_zsh(struct text *out) {
    text_add(out, "#compdef canaryctl\n"
                  "# zsh completion for canaryctl: source it after compinit, or put it on fpath as "
                  "_canaryctl\n\n");
    add_common(out);
    text_add(out, "_canaryctl() {\n"
                  "    local current=${words[CURRENT]} offer _canaryctl_db\n"
                  "    if [[ $current == --*=* ]]; then\n"
                  "        _canaryctl_offer ${words[2,CURRENT-1]} ${current%%=*}\n"
                  "        compset -P '*='\n"
                  "    else\n"
                  "        _canaryctl_offer ${words[2,CURRENT-1]}\n"
                  "    fi\n"
                  "    if [[ $offer == FILES ]]; then\n"
                  "        _files\n"
                  "    else\n"
                  "        compadd -- ${=offer}\n"
                  "    fi\n"
                  "}\n\n"
                  "if [[ $funcstack[1] == _canaryctl ]]; then\n"
                  "    _canaryctl \"$@\"\n"
                  "else\n"
                  "    compdef _canaryctl canaryctl\n"
                  "fi\n");
}

/* Single quotes are the only thing to mind: no text of the tables holds a backslash. */
static void add_fish_quoted(struct text *out, const char *string) {
    text_add(out, "'");
    for (; *string != '\0'; string++)
        text_addf(out, *string == '\'' ? "\\%c" : "%c", *string);
    text_add(out, "'");
}

static void add_fish_option(struct text *out, int id, const char *condition) {
    const struct option_entry *entry = &options_table[id];
    text_add(out, "complete -c canaryctl");
    if (condition[0] != '\0')
        text_addf(out, " -n \"%s\"", condition);
    if (entry->letter != 0)
        text_addf(out, " -s %c", entry->letter);
    text_addf(out, " -l %s", entry->name);
    if (entry->value == VALUE_FILE)
        text_add(out, " -r -F");
    else if (entry->argument != NULL)
        text_add(out, " -x");
    if (entry->value == VALUE_ROLLOUT)
        text_add(out, " -a '(__canaryctl_ask list --brief)'");
    else if (entry->value == VALUE_FLAG)
        text_add(out, " -a '(__canaryctl_ask flag list --brief)'");
    else if (entry->value == VALUE_FORMAT)
        text_add(out, " -a 'table json'");
    else if (entry->value == VALUE_COHORT)
        text_add(out, " -a 'new old'");
    else if (entry->value == VALUE_INPUT)
        text_add(out,
                 strstr(condition, "report") != NULL ? " -a 'md json html'" : " -a 'json csv'");
    else if (entry->value == VALUE_PERIOD)
        text_add(out, " -a 'day week final'");
    text_add(out, " -d ");
    add_fish_quoted(out, entry->help);
    text_add(out, "\n");
}

static void add_fish_command(struct text *out, const struct command *command) {
    char condition[100];
    const char *space = strchr(command->name, ' ');
    if (space != NULL)
        snprintf(condition, sizeof(condition), "__canaryctl_is %.*s", (int)(space - command->name),
                 command->name);
    else
        snprintf(condition, sizeof(condition), "__canaryctl_is");
    text_addf(out, "complete -c canaryctl -n \"%s\" -a %s -d ", condition,
              space != NULL ? space + 1 : command->name);
    add_fish_quoted(out, command->summary);
    text_add(out, "\n");
    snprintf(condition, sizeof(condition), "__canaryctl_is %s", command->name);
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (commands_takes(command, id))
            add_fish_option(out, id, condition);
    }
    const char *offer = command->words == WORDS_USER_COHORT ? "'new old'"
                        : command->words == WORDS_SHELL     ? "'bash zsh fish'"
                        : command->words == WORDS_FLAG ? "'(__canaryctl_ask flag list --brief)'"
                                                       : NULL;
    if (command->words == WORDS_FILE)
        text_addf(out, "complete -c canaryctl -n \"%s\" -F\n", condition);
    if (offer != NULL)
        text_addf(out, "complete -c canaryctl -n \"%s\" -a %s\n", condition, offer);
}

static void add_fish_group_word(struct text *out, const char *first) {
    text_addf(out, " %s", first);
}

static void add_fish_group(struct text *out, const char *first) {
    text_addf(out, "complete -c canaryctl -n \"__canaryctl_is\" -a %s -d 'one of: ", first);
    add_second_words(out, first);
    text_add(out, "'\n");
}

static void write_fish(struct text *out) {
    text_add(out, "# fish completion for canaryctl: put it into ~/.config/fish/completions\n\n"
                  "function __canaryctl_ask\n"
                  "    set -l words (commandline -opc)\n"
                  "    set -l at (contains -i -- --db $words)\n"
                  "    and set -l db --db $words[(math $at + 1)]\n"
                  "    canaryctl $db $argv 2>/dev/null\n"
                  "end\n\n"
                  "# Whether the words before the cursor, options and their values left out, begin "
                  "with these\n"
                  "# and say no other command.\n"
                  "function __canaryctl_is\n"
                  "    set -l words\n"
                  "    set -l skip\n"
                  "    for word in (commandline -opc)[2..-1]\n"
                  "        if test -n \"$skip\"\n"
                  "            set skip\n"
                  "            continue\n"
                  "        end\n"
                  "        switch $word\n"
                  "            case ");
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (options_table[id].argument == NULL)
            continue;
        if (options_table[id].letter != 0)
            text_addf(out, "-%c ", options_table[id].letter);
        text_addf(out, "--%s ", options_table[id].name);
    }
    text_add(out,
             "\n"
             "                set skip yes\n"
             "            case '-*'\n"
             "            case '*'\n"
             "                set -a words $word\n"
             "        end\n"
             "    end\n"
             "    # Nothing asked for: nothing said yet. A group: it alone. Else: a beginning.\n"
             "    if test (count $argv) -eq 0\n"
             "        test (count $words) -eq 0\n"
             "    else if contains -- \"$argv\"");
    each_group(out, add_fish_group_word);
    text_add(out, "\n"
                  "        test \"$words\" = \"$argv\"\n"
                  "    else\n"
                  "        set -l size (count $argv)\n"
                  "        test (count $words) -ge $size\n"
                  "        and test \"$words[1..$size]\" = \"$argv\"\n"
                  "    end\n"
                  "end\n\n"
                  "complete -c canaryctl -f\n");
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (options_everywhere(id))
            add_fish_option(out, id, "");
    }
    each_group(out, add_fish_group);
    for (size_t i = 0; i < commands_count; i++) {
        if (listed(&commands_table[i]))
            add_fish_command(out, &commands_table[i]);
    }
}

int completion_run(struct session *session, int count, char **words) {
    (void)count;
    struct text out = { 0 };
    if (strcmp(words[0], "bash") == 0)
        write_bash(&out);
    else if (strcmp(words[0], "zsh") == 0)
        write_zsh(&out);
    else if (strcmp(words[0], "fish") == 0)
        write_fish(&out);
    else
        return say_usage(session->command, "\"%s\" is no shell known here: bash, zsh or fish%s",
                         words[0],
                         say_distance(words[0], "bash") <= 1   ? "; did you mean \"bash\"?"
                         : say_distance(words[0], "zsh") <= 1  ? "; did you mean \"zsh\"?"
                         : say_distance(words[0], "fish") <= 1 ? "; did you mean \"fish\"?"
                                                               : "");
    say_text(&out);
    text_free(&out);
    return 0;
}
