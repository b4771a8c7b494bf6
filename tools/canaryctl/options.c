/* SPDX-License-Identifier: MIT */
/* The table of options, and reading a command line with it. */
#include "options.h"

#include "commands.h"
#include "say.h"
#include "text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option_entry options_table[OPTION_COUNT] = {
    [OPTION_DB] = { "db", 0, "PATH", VALUE_FILE, "CANARY_DB", "the store's database file" },
    [OPTION_ROLLOUT] = { "rollout", 0, "NAME", VALUE_ROLLOUT, "CANARY_ROLLOUT",
                         "which rollout; not needed when the store has one" },
    [OPTION_OUTPUT] = { "output", 'o', "FORMAT", VALUE_FORMAT, "CANARY_OUTPUT",
                        "table (default) or json" },
    [OPTION_JSON] = { "json", 0, NULL, VALUE_NONE, NULL, "same as: --output json" },
    [OPTION_BY] = { "by", 0, "WHO", VALUE_ANY, "CANARY_ACTOR",
                    "who makes the change, for the trail; default: login name" },
    [OPTION_NOTE] = { "note", 0, "TEXT", VALUE_ANY, NULL, "why, for the trail" },
    [OPTION_TIMEOUT] = { "timeout", 0, "SECONDS", VALUE_ANY, NULL,
                         "how long to wait for a locked store; default 5" },
    [OPTION_HELP] = { "help", 'h', NULL, VALUE_NONE, NULL, "show help and an example" },
    [OPTION_VERSION] = { "version", 'V', NULL, VALUE_NONE, NULL, "show the version" },
    [OPTION_STAGES] = { "stages", 0, "P,P,...", VALUE_ANY, NULL,
                        "rising percentages of stages 1, 2, ...; default 5,25,50,100" },
    [OPTION_NAMES] = { "names", 0, "N,N,...", VALUE_ANY, NULL, "a name for each stage" },
    [OPTION_DWELL] = { "dwell", 0, "T,T,...", VALUE_ANY, NULL,
                       "how long each stage is meant to last: 30m,1h,2d,0" },
    [OPTION_SALT] = { "salt", 0, "TEXT", VALUE_ANY, NULL,
                      "mixed into the hash, so that other users come first" },
    [OPTION_FLAG] = { "flag", 0, "NAME", VALUE_FLAG, NULL,
                      "flag to obey; default: one named like the rollout" },
    [OPTION_BRIEF] = { "brief", 0, NULL, VALUE_NONE, NULL, "names only, one a line" },
    [OPTION_WATCH] = { "watch", 0, NULL, VALUE_NONE, NULL, "go on showing it until interrupted" },
    [OPTION_EXPECT_STAGE] = { "expect-stage", 0, "N", VALUE_ANY, NULL,
                              "refuse (exit 6) unless this is the present stage" },
    [OPTION_EXPECT_REVISION] = { "expect-revision", 0, "N", VALUE_ANY, NULL,
                                 "refuse (exit 6) unless this is the present revision" },
    [OPTION_DRY_RUN] = { "dry-run", 0, NULL, VALUE_NONE, NULL,
                         "say what would happen and change nothing" },
    [OPTION_STAGE] = { "stage", 0, "N", VALUE_ANY, NULL, "a stage of the ladder, by its number" },
    [OPTION_PERCENT] = { "percent", 0, "P", VALUE_ANY, NULL,
                         "0 to 100, at most two decimals; on the ladder or not" },
    [OPTION_PHASE] = { "phase", 0, "NAME", VALUE_ANY, NULL, "a name for that percentage" },
    [OPTION_EMERGENCY] = { "emergency", 0, NULL, VALUE_NONE, NULL,
                           "record it as an emergency; skips gates" },
    [OPTION_LIMIT] = { "limit", 0, "N", VALUE_ANY, NULL,
                       "at most so many changes, 0 for all; default 20" },
    [OPTION_ALL] = { "all", 0, NULL, VALUE_NONE, NULL, "of every rollout of the store" },
    [OPTION_EVIDENCE] = { "evidence", 0, NULL, VALUE_NONE, NULL,
                          "also what each change rested on: figures, verdicts, policies" },
    [OPTION_STDIN] = { "stdin", 0, NULL, VALUE_NONE, NULL,
                       "read from standard input: user ids, one a line; rows; a policy" },
    [OPTION_WINDOW] = { "window", 0, "T", VALUE_ANY, NULL,
                        "the last so long: 30m, 1h, 7d; default 1h, with --by-stage all" },
    [OPTION_SINCE] = { "since", 0, "TIME", VALUE_ANY, NULL,
                       "since then: 2026-01-31T09:00:00Z, 2026-01-31, or 2h (ago)" },
    [OPTION_BY_STAGE] = { "by-stage", 0, NULL, VALUE_NONE, NULL,
                          "each time between two changes of the percentage by itself" },
    [OPTION_METRIC] = { "metric", 0, "NAME", VALUE_ANY, NULL,
                        "which metric: error, timeout, duration, or a declared one" },
    [OPTION_COHORT] = { "cohort", 0, "COHORT", VALUE_COHORT, NULL,
                        "whose figure it is: new or old" },
    [OPTION_N] = { "n", 0, "N", VALUE_ANY, NULL, "proportion: of how many" },
    [OPTION_K] = { "k", 0, "K", VALUE_ANY, NULL, "proportion: how many of them" },
    [OPTION_VALUE] = { "value", 0, "X", VALUE_ANY, NULL, "value or score: the number" },
    [OPTION_DURATION] = { "duration", 0, "T", VALUE_ANY, NULL,
                          "duration, with its unit: 12.5ms, 3s, 800us" },
    [OPTION_TP] = { "tp", 0, "N", VALUE_ANY, NULL, "classification: true positives" },
    [OPTION_FP] = { "fp", 0, "N", VALUE_ANY, NULL, "classification: false positives" },
    [OPTION_FN] = { "fn", 0, "N", VALUE_ANY, NULL, "classification: false negatives" },
    [OPTION_TN] = { "tn", 0, "N", VALUE_ANY, NULL, "classification: true negatives; default 0" },
    [OPTION_UNIT] = { "unit", 0, "UNIT", VALUE_ANY, NULL, "of a metric that is new: usd, bytes" },
    [OPTION_AT] = { "at", 0, "TIME", VALUE_ANY, NULL, "when it was, as with --since; default now" },
    [OPTION_KEY] = { "key", 0, "NAME", VALUE_ANY, NULL,
                     "name of this delivery: the same one again counts nothing twice" },
    [OPTION_FORMAT] = { "format", 0, "FORMAT", VALUE_INPUT, NULL,
                        "import: json (an object a line, or an array) or csv (with a header); "
                        "report: "
                        "md, json or html" },
    [OPTION_DECLARE] = { "declare", 0, NULL, VALUE_NONE, NULL,
                         "let rows declare metrics that are not known yet" },
    [OPTION_DAYS] = { "days", 0, "N", VALUE_ANY, NULL, "the last N days; default 7" },
    [OPTION_FROM] = { "from", 0, "TIME", VALUE_ANY, NULL, "from then, as with --since" },
    [OPTION_TO] = { "to", 0, "TIME", VALUE_ANY, NULL, "until then; default now" },
    [OPTION_BASE_RATE] = { "base-rate", 0, "P", VALUE_ANY, NULL,
                           "share of the old cohort's requests that fail: 1% or 0.01" },
    [OPTION_SHARE] = { "share", 0, "P", VALUE_ANY, NULL,
                       "share of all requests that the new cohort gets: 5% or 0.05" },
    [OPTION_RATIO] = { "ratio", 0, "X", VALUE_ANY, NULL,
                       "harm to be found: so many times the old cohort's rate; default 1.5" },
    [OPTION_MARGIN] = { "margin", 0, "X", VALUE_ANY, NULL,
                        "so many times is still allowed: the rule's threshold; default 1.1" },
    [OPTION_ALPHA] = { "alpha", 0, "P", VALUE_ANY, NULL,
                       "chance of a false alarm that is allowed; default 5%" },
    [OPTION_DESIGN_EFFECT] = { "design-effect", 0, "X", VALUE_ANY, NULL,
                               "how far requests of one user go together; default 1, not at all" },
    [OPTION_PER_SECOND] = { "per-second", 0, "N", VALUE_ANY, NULL,
                            "requests of both cohorts in a second" },
    [OPTION_PERIOD] = { "period", 0, "PERIOD", VALUE_PERIOD, NULL,
                        "day, week or final: the last 24 hours, 7 days, or all; default final" },
    [OPTION_DIGEST] = { "digest", 0, "SHA256", VALUE_ANY, NULL,
                        "the policy of this digest, one that ever was in force" },
    [OPTION_TEXT] = { "text", 0, NULL, VALUE_NONE, NULL, "print the text as it was set" },
    [OPTION_ONCE] = { "once", 0, NULL, VALUE_NONE, NULL, "one round, and end" },
    [OPTION_OBSERVE] = { "observe", 0, NULL, VALUE_NONE, NULL,
                         "judge and tell, and change nothing" },
    [OPTION_INTERVAL] = { "interval", 0, "T", VALUE_ANY, NULL,
                          "time between two looks, 1s to 1d; default 10s" },
    [OPTION_EXEC] = { "exec", 0, "COMMAND", VALUE_ANY, NULL,
                      "run it by /bin/sh for each change, with CANARY_PERCENTAGE and more" },
    [OPTION_WEBHOOK] = { "webhook", 0, "URL", VALUE_ANY, "CANARY_WEBHOOK",
                         "post JSON there, which Slack understands, for each change" },
    [OPTION_CURSOR] = { "cursor", 0, "FILE", VALUE_FILE, NULL,
                        "remember there what was told, and go on after it the next time" },
    [OPTION_ATTEMPTS] = { "attempts", 0, "N", VALUE_ANY, NULL,
                          "tries for each post, ever later; default 8" },
    [OPTION_LOOK] = { "look", 0, NULL, VALUE_NONE, NULL,
                      "keep nothing: neither what the evidence learned nor the verdict" },
    [OPTION_EXIT_CODE] = { "exit-code", 0, NULL, VALUE_NONE, NULL,
                           "end with 10 for HOLD and 11 for ROLLBACK" },
    [OPTION_LEGACY_STATUS] = { "status", 0, NULL, VALUE_NONE, NULL, "same as: status" },
    [OPTION_LEGACY_ADVANCE] = { "advance", 0, NULL, VALUE_NONE, NULL, "same as: advance" },
    [OPTION_LEGACY_ROLLBACK] = { "rollback", 0, NULL, VALUE_NONE, NULL, "same as: rollback" },
    [OPTION_LEGACY_HISTORY] = { "history", 0, NULL, VALUE_NONE, NULL, "same as: history" },
    [OPTION_LEGACY_CLEAR_CACHE] = { "clear-cache", 0, NULL, VALUE_NONE, NULL,
                                    "says why there is nothing to clear" },
    [OPTION_LEGACY_ADMIN] = { "admin", 0, "WHO", VALUE_ANY, NULL, "same as: --by" },
    [OPTION_LEGACY_HISTORY_LIMIT] = { "history-limit", 0, "N", VALUE_ANY, NULL,
                                      "same as: --limit" },
};

_Static_assert(OPTION_COUNT <= UINT8_MAX, "a command lists its options in bytes");

/* getopt_long answers this plus the id, out of the way of letters. */
#define LONG_BASE 256

static int id_of(int answer) {
    if (answer >= LONG_BASE)
        return answer - LONG_BASE;
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (options_table[id].letter != 0 && options_table[id].letter == answer)
            return id;
    }
    return -1;
}

/* Length of the NAME in "--NAME" or "--NAME=value". */
static size_t name_length(const char *argument) {
    return strcspn(argument + 2, "=");
}

static int find_exact(const char *argument) {
    if (strncmp(argument, "--", 2) != 0)
        return -1;
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (strlen(options_table[id].name) == name_length(argument) &&
            strncmp(options_table[id].name, argument + 2, name_length(argument)) == 0)
            return id;
    }
    return -1;
}

static int unknown(const struct command *command, const char *argument, int letter) {
    if (letter != 0)
        return say_usage(command,
                         "unknown option \"-%c\"; the letters are -o FORMAT, -h and -V "
                         "(a user id that begins with - goes after --)",
                         letter);
    struct text several = { 0 };
    int count = 0;
    size_t length = name_length(argument);
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (length > 0 && strncmp(options_table[id].name, argument + 2, length) == 0)
            text_addf(&several, "%s--%s", count++ == 0 ? "" : ", ", options_table[id].name);
    }
    int result;
    if (count > 1) {
        result =
            say_usage(command, "\"%s\" is short for several options: %s", argument, several.data);
    } else {
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)(length < 60 ? length : 60), argument + 2);
        const char *nearest = NULL;
        int best = 3;
        for (int id = 0; id < OPTION_COUNT; id++) {
            int distance = say_distance(name, options_table[id].name);
            if (distance < best) {
                best = distance;
                nearest = options_table[id].name;
            }
        }
        result =
            nearest != NULL
                ? say_usage(command, "unknown option \"--%s\"; did you mean \"--%s\"?", name,
                            nearest)
                : say_usage(command, "unknown option \"--%s\"; --help lists what there is", name);
    }
    text_free(&several);
    return result;
}

static int take(const struct command *command, struct options *out, int id, const char *value,
                bool apart) {
    const char *name = options_table[id].name;
    if (value == NULL)
        value = "";
    /* "--rollout --db x" would otherwise take "--db" for the rollout and lose the database. */
    if (apart && find_exact(value) >= 0)
        return say_usage(command, "--%s needs a value (%s), but \"%s\" follows", name,
                         options_table[id].argument, value);
    if (options_table[id].argument != NULL && value[0] == '\0' && id != OPTION_SALT &&
        id != OPTION_NOTE)
        return say_usage(command, "--%s is empty; it takes %s: %s", name,
                         options_table[id].argument, options_table[id].help);
    if (out->value[id] != NULL && strcmp(out->value[id], value) != 0)
        return say_usage(command, "--%s is given twice, as \"%s\" and \"%s\"", name, out->value[id],
                         value);
    out->value[id] = value;
    return 0;
}

static void take_environment(struct options *out) {
    for (int id = 0; id < OPTION_COUNT; id++) {
        const char *variable = options_table[id].environment;
        const char *value = variable == NULL ? NULL : getenv(variable);
        if (out->value[id] == NULL && value != NULL && value[0] != '\0') {
            out->value[id] = value;
            out->from_environment[id] = true;
        }
    }
}

int options_parse(int argc, char **argv, struct options *out) {
    struct option long_options[OPTION_COUNT + 1] = { 0 };
    /* "-" hands words over in place, so that options may follow them whatever POSIXLY_CORRECT says;
     * ":" tells a missing value from an unknown option. */
    char letters[2 * OPTION_COUNT + 3] = "-:";
    size_t letter_count = 2;
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_entry *entry = &options_table[id];
        long_options[id].name = entry->name;
        long_options[id].has_arg = entry->argument != NULL ? required_argument : no_argument;
        long_options[id].val = LONG_BASE + id;
        if (entry->letter != 0) {
            letters[letter_count++] = entry->letter;
            if (entry->argument != NULL)
                letters[letter_count++] = ':';
        }
    }
    const struct command *command = commands_find_words(options_guess_command(argc, argv));
    *out = (struct options){ 0 };
    out->words = text_memory(NULL, ((size_t)argc + 1) * sizeof(char *));
    opterr = 0;
    for (;;) {
        int answer = getopt_long(argc, argv, letters, long_options, NULL);
        if (answer == -1)
            break;
        const char *argument = argv[optind > 0 ? optind - 1 : 0];
        if (answer == 1) {
            out->words[out->word_count++] = optarg;
        } else if (answer == ':') {
            int id = id_of(optopt);
            return say_usage(command, "--%s needs a value: %s", options_table[id].name,
                             options_table[id].help);
        } else if (answer == '?') {
            if (optopt >= LONG_BASE)
                return say_usage(command, "--%s takes no value, but \"%s\" gives one",
                                 options_table[optopt - LONG_BASE].name, argument);
            return unknown(command, argument, optopt);
        } else {
            int id = id_of(answer);
            int result = take(command, out, id, optarg, optarg == argument);
            if (result != 0)
                return result;
        }
    }
    while (optind < argc)
        out->words[out->word_count++] = argv[optind++];
    out->words[out->word_count] = NULL;
    if (out->value[OPTION_JSON] != NULL) {
        int result = take(command, out, OPTION_OUTPUT, "json", false);
        if (result != 0)
            return result;
    }
    take_environment(out);
    return 0;
}

bool options_want_json(int argc, char **argv) {
    const char *format = getenv("CANARY_OUTPUT");
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strcmp(argument, "--") == 0)
            break;
        if ((strcmp(argument, "-o") == 0 || strcmp(argument, "--output") == 0) && i + 1 < argc)
            format = argv[++i];
        else if (strncmp(argument, "--output=", 9) == 0)
            format = argument + 9;
        else if (strcmp(argument, "--json") == 0)
            format = "json";
        else if (strncmp(argument, "-o", 2) == 0)
            format = argument + 2;
    }
    return format != NULL && strcmp(format, "json") == 0;
}

const char *options_guess_command(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int id = find_exact(argv[i]);
        if (id >= 0 && options_table[id].argument != NULL && strchr(argv[i], '=') == NULL)
            i++;
        else if (strcmp(argv[i], "-o") == 0)
            i++;
        else if (commands_is_first_word(argv[i])) {
            /* "override add" is one command of two words. */
            static char both[64];
            if (i + 1 < argc) {
                snprintf(both, sizeof(both), "%.30s %.30s", argv[i], argv[i + 1]);
                if (commands_find_words(both) != NULL)
                    return both;
            }
            return argv[i];
        }
    }
    return NULL;
}
