/* SPDX-License-Identifier: MIT */
/* Every option of every command: one table, from which parsing, help and completions are made. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_id {
    /* for every command; 0, the first, ends a command's own list */
    OPTION_DB,
    OPTION_ROLLOUT,
    OPTION_OUTPUT,
    OPTION_JSON,
    OPTION_BY,
    OPTION_NOTE,
    OPTION_TIMEOUT,
    OPTION_HELP,
    OPTION_VERSION,
    /* for some commands */
    OPTION_STAGES,
    OPTION_NAMES,
    OPTION_DWELL,
    OPTION_SALT,
    OPTION_FLAG,
    OPTION_BRIEF,
    OPTION_WATCH,
    OPTION_EXPECT_STAGE,
    OPTION_EXPECT_REVISION,
    OPTION_DRY_RUN,
    OPTION_STAGE,
    OPTION_PERCENT,
    OPTION_PHASE,
    OPTION_EMERGENCY,
    OPTION_LIMIT,
    OPTION_ALL,
    OPTION_EVIDENCE,
    OPTION_STDIN,
    OPTION_WINDOW,
    OPTION_SINCE,
    OPTION_BY_STAGE,
    OPTION_METRIC,
    OPTION_COHORT,
    OPTION_N,
    OPTION_K,
    OPTION_VALUE,
    OPTION_DURATION,
    OPTION_TP,
    OPTION_FP,
    OPTION_FN,
    OPTION_TN,
    OPTION_UNIT,
    OPTION_AT,
    OPTION_KEY,
    OPTION_FORMAT,
    OPTION_DECLARE,
    OPTION_DAYS,
    OPTION_FROM,
    OPTION_TO,
    OPTION_BASE_RATE,
    OPTION_SHARE,
    OPTION_RATIO,
    OPTION_MARGIN,
    OPTION_ALPHA,
    OPTION_DESIGN_EFFECT,
    OPTION_PER_SECOND,
    OPTION_PERIOD,
    OPTION_DIGEST,
    OPTION_TEXT,
    OPTION_ONCE,
    OPTION_OBSERVE,
    OPTION_INTERVAL,
    OPTION_EXEC,
    OPTION_WEBHOOK,
    OPTION_CURSOR,
    OPTION_ATTEMPTS,
    OPTION_LOOK,
    OPTION_EXIT_CODE,
    /* older spellings of commands and options */
    OPTION_LEGACY_STATUS,
    OPTION_LEGACY_ADVANCE,
    OPTION_LEGACY_ROLLBACK,
    OPTION_LEGACY_HISTORY,
    OPTION_LEGACY_CLEAR_CACHE,
    OPTION_LEGACY_ADMIN,
    OPTION_LEGACY_HISTORY_LIMIT,
    OPTION_COUNT
};

/* Whether an option goes with every command. */
static inline bool options_everywhere(int id) {
    return id < OPTION_STAGES;
}

/* What completes an option's value. */
enum option_value {
    VALUE_NONE, /* the option takes none */
    VALUE_ANY,  /* nothing can be offered */
    VALUE_FILE,
    VALUE_ROLLOUT,
    VALUE_FORMAT,
    VALUE_FLAG,
    VALUE_COHORT,
    VALUE_INPUT,
    VALUE_PERIOD
};

struct option_entry {
    const char *name;
    char letter;          /* 0 = none */
    const char *argument; /* shown in help; NULL = the option takes no value */
    enum option_value value;
    const char *environment; /* variable that stands for it; NULL = none */
    const char *help;
};

extern const struct option_entry options_table[OPTION_COUNT];

struct options {
    const char *value[OPTION_COUNT]; /* NULL = not given; "" for options without a value */
    bool from_environment[OPTION_COUNT];
    char **words; /* what is no option, in order */
    int word_count;
};

/* Reads a whole command line, options before or after the words, then the environment. Returns 0,
 * or the exit code after an error was told. */
int options_parse(int argc, char **argv, struct options *out);

/* Whether the command line asks for JSON; usable before and without a successful parse. */
bool options_want_json(int argc, char **argv);

/* The command that a command line seems to mean, for the error about it; NULL when it names none.
 */
const char *options_guess_command(int argc, char **argv);

#endif
