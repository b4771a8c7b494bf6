/* SPDX-License-Identifier: MIT */
/* See commands.h. */
#include "commands.h"

#include "options.h"

#include <string.h>

/* A list in braces would be laid out word by word. */
#define TAKES(...)                                                                                 \
    { __VA_ARGS__ }

const struct command commands_table[] = {
    { "create",
      "NAME [--stages P,P,...] [--names N,N,...] [--dwell T,T,...] [--salt TEXT] [--flag NAME]",
      "make a rollout at stage 0 (0 %), and the store when there is none",
      "The ladder is 5,25,50,100 % unless --stages gives another. Without --salt the same users "
      "come first in every rollout, which is what cohorts of older systems expect.",
      "--db app.db create checkout --stages 1,10,50,100 --note \"new checkout\"",
      TAKES(OPTION_STAGES, OPTION_NAMES, OPTION_DWELL, OPTION_SALT, OPTION_FLAG), WORDS_ANY, 1, 1,
      COMMAND_CHANGES, create_run },
    { "list", "[--brief]", "show every rollout of the store", "", "--db app.db list",
      TAKES(OPTION_BRIEF), WORDS_NONE, 0, 0, 0, list_run },
    { "status", "[--watch]", "show a rollout: stage, exposure, flag, who changed it last",
      "With --watch it is redrawn on a terminal; piped, it prints one line for each change.",
      "--db app.db --rollout checkout status --watch", TAKES(OPTION_WATCH), WORDS_NONE, 0, 0, 0,
      status_run },
    { "advance", "[--expect-stage N] [--expect-revision N] [--dry-run]",
      "move to the next stage up",
      "--expect-stage makes it safe to repeat: when somebody was quicker, nothing happens and the "
      "exit code is 6.",
      "--db app.db advance --expect-stage 1 --note \"error rate is flat\"",
      TAKES(OPTION_EXPECT_STAGE, OPTION_EXPECT_REVISION, OPTION_DRY_RUN), WORDS_NONE, 0, 0,
      COMMAND_CHANGES, advance_run },
    { "rollback", "[--stage N] [--dry-run]", "move down to stage N, by default 0: everybody to old",
      "Never refused. It takes effect on this host before it is recorded, also while the store is "
      "locked or the disk is full. Repeating it is harmless.",
      "--db app.db rollback --note \"5xx on checkout\"", TAKES(OPTION_STAGE, OPTION_DRY_RUN),
      WORDS_NONE, 0, 0, COMMAND_CHANGES, rollback_run },
    { "set",
      "(--percent P [--phase NAME] | --stage N) [--emergency] [--expect-stage N] "
      "[--expect-revision N] [--dry-run]",
      "set a percentage, on the ladder or not, or go to a stage, up or down", "",
      "--db app.db set --percent 7.5 --phase canary --note \"one rack\"",
      TAKES(OPTION_PERCENT, OPTION_PHASE, OPTION_STAGE, OPTION_EMERGENCY, OPTION_EXPECT_STAGE,
            OPTION_EXPECT_REVISION, OPTION_DRY_RUN),
      WORDS_NONE, 0, 0, COMMAND_CHANGES, set_run },
    { "history", "[--limit N] [--all] [--evidence]", "show the changes, newest first", "",
      "--db app.db history --limit 5", TAKES(OPTION_LIMIT, OPTION_ALL, OPTION_EVIDENCE), WORDS_NONE,
      0, 0, 0, history_run },
    { "explain", "USER...", "say which cohort a user gets, and why",
      "Prints hash, bucket, the rule that decided, the cohort at every stage, and a line of Python "
      "that computes the same bucket.",
      "--db app.db explain alice", TAKES(0), WORDS_ANY, 1, -1, 0, explain_run },
    { "decide", "USER... | --stdin", "print the cohort of many users: id, tab, new or old",
      "All are decided under one state, the one at the start. With --stdin one id a line is read; "
      "an empty line gets old.",
      "--db app.db decide --stdin < ids.txt", TAKES(OPTION_STDIN), WORDS_ANY, 0, -1, 0,
      decide_run },
    { "override add", "USER new|old | --stdin new|old", "pin a user to a cohort",
      "With --stdin the users are read from standard input, one a line, and pinned in one change.",
      "--db app.db override add alice new --note \"beta tester\"", TAKES(OPTION_STDIN),
      WORDS_USER_COHORT, 1, 2, COMMAND_CHANGES, override_add_run },
    { "override remove", "USER", "remove a user's pin", "", "--db app.db override remove alice",
      TAKES(0), WORDS_ANY, 1, 1, COMMAND_CHANGES, override_remove_run },
    { "override list", "", "show the pinned users", "", "--db app.db override list", TAKES(0),
      WORDS_NONE, 0, 0, 0, override_list_run },
    { "flag list", "[--brief]", "show the flags and what obeys them", "", "--db app.db flag list",
      TAKES(OPTION_BRIEF), WORDS_NONE, 0, 0, 0, flag_list_run },
    { "flag on", "NAME", "switch a flag on", "", "--db app.db flag on checkout", TAKES(0),
      WORDS_FLAG, 1, 1, COMMAND_CHANGES, flag_on_run },
    { "flag off", "NAME", "switch a flag off: the rollouts that obey it give everybody old", "",
      "--db app.db flag off checkout --note \"INC-4711\"", TAKES(0), WORDS_FLAG, 1, 1,
      COMMAND_CHANGES, flag_off_run },
    { "metrics", "[--window T | --since TIME] [--by-stage] [--metric NAME] [--watch]",
      "show what both cohorts lived through, old against new",
      "Rates, durations and values of the outcomes that services recorded, with the difference. "
      "With --watch it is redrawn on a terminal; piped, it is printed whenever it changed.",
      "--db app.db metrics --window 30m",
      TAKES(OPTION_WINDOW, OPTION_SINCE, OPTION_BY_STAGE, OPTION_METRIC, OPTION_WATCH), WORDS_NONE,
      0, 0, 0, metrics_run },
    { "record",
      "--metric NAME --cohort new|old (--n N --k K | --value X | --duration T | --tp N --fp N --fn "
      "N [--tn N]) [--unit UNIT] [--at TIME] [--key NAME]",
      "record a figure by hand",
      "A metric that is not known yet is declared by it; its kind follows from the options.",
      "--db app.db record --metric f1 --cohort new --tp 91 --fp 9 --fn 9",
      TAKES(OPTION_METRIC, OPTION_COHORT, OPTION_N, OPTION_K, OPTION_VALUE, OPTION_DURATION,
            OPTION_TP, OPTION_FP, OPTION_FN, OPTION_TN, OPTION_UNIT, OPTION_AT, OPTION_KEY),
      WORDS_NONE, 0, 0, COMMAND_CHANGES, record_run },
    { "import", "--format json|csv (--stdin | FILE) [--key NAME] [--declare] [--dry-run]",
      "merge figures that were computed elsewhere",
      "Bad rows are refused one by one, with their line; the others are merged. Delivering the "
      "same again merges nothing: a delivery is known by --key, else by the SHA-256 of its "
      "content.",
      "--db app.db import --format json --stdin --key eval-17 < figures.json",
      TAKES(OPTION_FORMAT, OPTION_STDIN, OPTION_KEY, OPTION_DECLARE, OPTION_DRY_RUN), WORDS_FILE, 0,
      1, COMMAND_CHANGES, import_run },
    { "baseline capture", "[--days N | --from TIME [--to TIME]] [--dry-run]",
      "keep what the old cohort lived through, by hour of the week",
      "It takes the place of an earlier baseline of the rollout.",
      "--db app.db baseline capture --days 7 --note \"before the new search\"",
      TAKES(OPTION_DAYS, OPTION_FROM, OPTION_TO, OPTION_DRY_RUN), WORDS_NONE, 0, 0, COMMAND_CHANGES,
      baseline_capture_run },
    { "baseline show", "", "show the baseline", "", "--db app.db baseline show", TAKES(0),
      WORDS_NONE, 0, 0, 0, baseline_show_run },
    { "baseline compare", "[--window T | --since TIME] [--metric NAME]",
      "show both cohorts against the baseline of the same hours of the week", "",
      "--db app.db baseline compare --window 2h", TAKES(OPTION_WINDOW, OPTION_SINCE, OPTION_METRIC),
      WORDS_NONE, 0, 0, 0, baseline_compare_run },
    { "policy check", "FILE | --stdin",
      "read a policy, and say in words what it does or what is wrong with it",
      "With --db or --rollout it is held against that rollout, too: its ladder, the metrics that "
      "were recorded, the baseline. Exit code 2 when it cannot be read, 5 when it does not fit.",
      "policy check policy.json", TAKES(OPTION_STDIN), WORDS_FILE, 0, 1, 0, policy_check_run },
    { "policy set",
      "[ROLLOUT] (FILE | --stdin | --digest SHA256) [--expect-revision N] [--expect-stage N] "
      "[--dry-run]",
      "put a policy in force",
      "The text is kept in the trail. Evidence of rules that ask the same as before is kept, the "
      "rest begins anew.",
      "--db app.db policy set checkout policy.json --note \"as agreed in review\"",
      TAKES(OPTION_STDIN, OPTION_DIGEST, OPTION_EXPECT_STAGE, OPTION_EXPECT_REVISION,
            OPTION_DRY_RUN),
      WORDS_FILE, 0, 2, COMMAND_CHANGES, policy_set_run },
    { "policy show", "[ROLLOUT] [--digest SHA256] [--text]",
      "show the policy in force, or an earlier one, in words", "",
      "--db app.db policy show checkout --text > policy.json", TAKES(OPTION_DIGEST, OPTION_TEXT),
      WORDS_ANY, 0, 1, 0, policy_show_run },
    { "policy diff", "[ROLLOUT] (FILE | --stdin)",
      "compare the policy in force with a file, as text and in words",
      "Exit code 0 when they are the same, 1 when they differ.",
      "--db app.db policy diff checkout policy.json", TAKES(OPTION_STDIN), WORDS_FILE, 0, 2, 0,
      policy_diff_run },
    { "policy remove", "[ROLLOUT] [--expect-revision N] [--expect-stage N] [--dry-run]",
      "take the policy away: verdicts hold, and guards do nothing", "",
      "--db app.db policy remove checkout --note \"by hand for now\"",
      TAKES(OPTION_EXPECT_STAGE, OPTION_EXPECT_REVISION, OPTION_DRY_RUN), WORDS_ANY, 0, 1,
      COMMAND_CHANGES, policy_remove_run },
    { "evaluate", "[ROLLOUT] [--look] [--exit-code]",
      "judge a rollout by its policy: may it go on, and why",
      "Changes no exposure. Evidence and verdict are kept unless --look is given; one may look as "
      "often as one likes. With --exit-code it ends with 0 for PROCEED, 10 for HOLD, 11 for "
      "ROLLBACK; otherwise with 0 for all of them.",
      "--db app.db evaluate checkout --exit-code", TAKES(OPTION_LOOK, OPTION_EXIT_CODE), WORDS_ANY,
      0, 1, 0, evaluate_run },
    { "recommend", "[ROLLOUT]", "say what to do next, and the figures at a glance",
      "Keeps nothing. With -o json the keys are current_stage, current_percentage, risk_level, "
      "recommendations and metrics_summary.",
      "--db app.db recommend checkout --json", TAKES(0), WORDS_ANY, 0, 1, 0, recommend_run },
    { "approve", "[ROLLOUT] [--expect-stage N] [--expect-revision N] [--dry-run]",
      "agree to the next advance, which a guard then makes once everything else is shown",
      "It holds for the present percentage only. Where the policy's mode is \"auto\" nobody needs "
      "to approve.",
      "--db app.db approve checkout --by ada --note \"figures are fine\"",
      TAKES(OPTION_EXPECT_STAGE, OPTION_EXPECT_REVISION, OPTION_DRY_RUN), WORDS_ANY, 0, 1,
      COMMAND_CHANGES, approve_run },
    { "decide-log",
      "[ROLLOUT] PROCEED|HOLD|ROLLBACK --note TEXT [--expect-stage N] [--expect-revision N] "
      "[--dry-run]",
      "write a person's decision into the trail; it changes nothing by itself", "",
      "--db app.db decide-log checkout HOLD --note \"marketing wants to wait\"",
      TAKES(OPTION_EXPECT_STAGE, OPTION_EXPECT_REVISION, OPTION_DRY_RUN), WORDS_ANY, 1, 2,
      COMMAND_CHANGES, decide_log_run },
    { "plan",
      "[ROLLOUT] [--base-rate P] [--share P] [--ratio X] [--margin X] [--alpha P] "
      "[--design-effect X] [--per-second N]",
      "say how many requests it takes to find harm, and to prove that there is none",
      "What is not given is measured at the rollout's present percentage; when everything is "
      "given, no store is needed.",
      "plan --base-rate 1% --share 5% --ratio 1.5 --per-second 200",
      TAKES(OPTION_BASE_RATE, OPTION_SHARE, OPTION_RATIO, OPTION_MARGIN, OPTION_ALPHA,
            OPTION_DESIGN_EFFECT, OPTION_PER_SECOND),
      WORDS_ANY, 0, 1, 0, plan_run },
    { "report", "[ROLLOUT] [--period PERIOD] [--format FORMAT] [--output FILE]",
      "tell what happened: rules, figures, incidents, decisions, and what to do next",
      "Markdown unless --format says json or html, or the file's name ends so. The HTML is "
      "one file with charts, which loads nothing and can be sent around.",
      "--db app.db report checkout --period week --output report.html",
      TAKES(OPTION_PERIOD, OPTION_FORMAT), WORDS_ANY, 0, 1, 0, report_run },
    { "guard", "[ROLLOUT | --all] [--once] [--observe] [--interval T]",
      "judge a rollout and act on the verdict: roll back, hold, advance",
      "A line for each verdict that differs from the one before, and for each change. Any number "
      "of "
      "guards may run: one of them acts, another takes over within 30 s of its end. What it may do "
      "by itself, the policy's mode says. --all takes every rollout that has a policy.",
      "--db app.db guard checkout", TAKES(OPTION_ALL, OPTION_ONCE, OPTION_OBSERVE, OPTION_INTERVAL),
      WORDS_ANY, 0, 1, COMMAND_CHANGES, guard_run },
    { "verify", "", "prove that nobody edited the trail or the state",
      "Exit code 8 when there are findings. Keep the head hash elsewhere: a trail cut short can "
      "only be seen by comparing it.",
      "--db app.db verify", TAKES(0), WORDS_NONE, 0, 0, 0, verify_run },
    { "accept", "", "sign what stands in the store, after rows were changed outside",
      "It asks nothing and prints what it signs: look with `verify` and `status` first.",
      "--db app.db --rollout checkout accept --note \"edited by hand in INC-4711\"", TAKES(0),
      WORDS_NONE, 0, 0, COMMAND_CHANGES, accept_run },
    { "doctor", "", "look for anything wrong around the store, with the next command for each",
      "Rings the bell once, to see whether it works. Exit code 8 when something is unhealthy; "
      "warnings alone give 0.",
      "--db app.db doctor", TAKES(0), WORDS_NONE, 0, 0, 0, doctor_run },
    { "watch", "[--exec COMMAND] [--webhook URL] [--attempts N] [--cursor FILE]",
      "follow a rollout, and tell others of each change, in order",
      "A line for each change; besides, a command is run or a webhook called. Exposure that "
      "changes "
      "without a change in the trail, as by a flag edited in SQL, is told as \"exposure\". A post "
      "that fails is tried again; its header Idempotency-Key is the same each time. Give the "
      "webhook's address as CANARY_WEBHOOK: others can see command lines.",
      "--db app.db watch --exec 'mesh-weight $CANARY_PERCENTAGE' --cursor /var/lib/app/cursor",
      TAKES(OPTION_EXEC, OPTION_WEBHOOK, OPTION_ATTEMPTS, OPTION_CURSOR), WORDS_NONE, 0, 0, 0,
      tell_run },
    { "completion", "bash|zsh|fish", "print completions for a shell", "",
      "completion bash > /etc/bash_completion.d/canaryctl", TAKES(0), WORDS_SHELL, 1, 1, 0,
      completion_run },
    { "help", "[COMMAND]", "show all commands, or one", "", "help set", TAKES(0), WORDS_COMMAND, 0,
      2, 0, help_run },
    { "clear-cache", "", "say why there is nothing to clear", "", "--clear-cache", TAKES(0),
      WORDS_NONE, 0, 0, COMMAND_HIDDEN, clear_cache_run },
};

const size_t commands_count = sizeof(commands_table) / sizeof(commands_table[0]);

bool commands_takes(const struct command *command, int id) {
    for (size_t i = 0; i < COMMAND_OPTIONS && command->options[i] != 0; i++) {
        if (command->options[i] == id)
            return true;
    }
    return false;
}

const struct command *commands_find_words(const char *name) {
    for (size_t i = 0; name != NULL && i < commands_count; i++) {
        if (strcmp(commands_table[i].name, name) == 0)
            return &commands_table[i];
    }
    return NULL;
}

bool commands_is_first_word(const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i < commands_count; i++) {
        const char *name = commands_table[i].name;
        if (length == strcspn(name, " ") && strncmp(name, word, length) == 0)
            return true;
    }
    return false;
}
