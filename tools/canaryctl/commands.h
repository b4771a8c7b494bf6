/* SPDX-License-Identifier: MIT */
/* The table of commands: what parsing, help, usage errors and completions are made of. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* What completes a command's words. */
enum command_words {
    WORDS_NONE,
    WORDS_ANY,         /* names or user ids that nothing can be offered for */
    WORDS_USER_COHORT, /* a user, then new or old; with --stdin the cohort alone */
    WORDS_FLAG,
    WORDS_FILE,
    WORDS_SHELL,
    WORDS_COMMAND
};

/* Properties of a command. */
#define COMMAND_CHANGES 1u /* writes to the store */
#define COMMAND_HIDDEN 2u  /* not listed: an older spelling leads there */

enum { COMMAND_OPTIONS = 20 }; /* that a command can have */

struct command {
    const char *name;                 /* one word, or two: "override add" */
    const char *synopsis;             /* its words and options, as shown after the name */
    const char *summary;              /* one line */
    const char *details;              /* a paragraph more; "" for none */
    const char *example;              /* the arguments after "canaryctl" */
    uint8_t options[COMMAND_OPTIONS]; /* besides those for every command; the first 0 ends them */
    enum command_words words;
    int least_words; /* words after the name */
    int most_words;  /* -1 = any number */
    uint32_t flags;  /* COMMAND_... */
    int (*run)(struct session *session, int count, char **words);
};

extern const struct command commands_table[];
extern const size_t commands_count;

/* Whether an option goes with a command, besides those that go with every one. */
bool commands_takes(const struct command *command, int id);
/* The command with this name ("override add"), or NULL; NULL is allowed. */
const struct command *commands_find_words(const char *name);
/* Whether a word begins the name of a command: "status", "override". */
bool commands_is_first_word(const char *word);

/* The handlers, one file for each group. */
int create_run(struct session *session, int count, char **words);
int list_run(struct session *session, int count, char **words);
int status_run(struct session *session, int count, char **words);
int advance_run(struct session *session, int count, char **words);
int rollback_run(struct session *session, int count, char **words);
int set_run(struct session *session, int count, char **words);
int history_run(struct session *session, int count, char **words);
int explain_run(struct session *session, int count, char **words);
int decide_run(struct session *session, int count, char **words);
int override_add_run(struct session *session, int count, char **words);
int override_remove_run(struct session *session, int count, char **words);
int override_list_run(struct session *session, int count, char **words);
int flag_list_run(struct session *session, int count, char **words);
int flag_on_run(struct session *session, int count, char **words);
int flag_off_run(struct session *session, int count, char **words);
int metrics_run(struct session *session, int count, char **words);
int record_run(struct session *session, int count, char **words);
int import_run(struct session *session, int count, char **words);
int baseline_capture_run(struct session *session, int count, char **words);
int baseline_show_run(struct session *session, int count, char **words);
int baseline_compare_run(struct session *session, int count, char **words);
int evaluate_run(struct session *session, int count, char **words);
int recommend_run(struct session *session, int count, char **words);
int approve_run(struct session *session, int count, char **words);
int decide_log_run(struct session *session, int count, char **words);
int policy_check_run(struct session *session, int count, char **words);
int policy_set_run(struct session *session, int count, char **words);
int policy_show_run(struct session *session, int count, char **words);
int policy_diff_run(struct session *session, int count, char **words);
int policy_remove_run(struct session *session, int count, char **words);
int plan_run(struct session *session, int count, char **words);
int report_run(struct session *session, int count, char **words);
int guard_run(struct session *session, int count, char **words);
int verify_run(struct session *session, int count, char **words);
int accept_run(struct session *session, int count, char **words);
int doctor_run(struct session *session, int count, char **words);
int tell_run(struct session *session, int count, char **words);
int completion_run(struct session *session, int count, char **words);
int help_run(struct session *session, int count, char **words);
int clear_cache_run(struct session *session, int count, char **words);

#endif
