/* SPDX-License-Identifier: MIT */
/* `decide`: the cohort of many users, as fast as they can be read. */
#include "exits.h"
#include "jsonout.h"
#include "lines.h"
#include "session.h"
#include "when.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 1024
/* Written when this full; an id of the longest size still fits beside it. */
#define FLUSH_AT ((size_t)256 << 10)

struct decide {
    canary_ctx *context;
    canary_user users[BATCH];
    uint8_t cohorts[BATCH];
    uint64_t count;
    struct text out;
    uint64_t total;
    uint64_t total_new;
    uint64_t empty;
    int64_t started;
    int64_t shown; /* when progress was shown last; 0 = never */
    bool progress;
};

/* jansson for whatever needs escaping; most ids need none and are worth their speed. */
static void add_json_id(struct text *out, const char *id, size_t size) {
    bool plain = true;
    for (size_t i = 0; i < size && plain; i++)
        plain = id[i] >= 0x20 && id[i] < 0x7f && id[i] != '"' && id[i] != '\\';
    if (plain) {
        text_bytes(out, "{\"user\": \"", 10);
        text_bytes(out, id, size);
        text_bytes(out, "\"", 1);
        return;
    }
    json_t *object = json_object();
    jsonout_set_bytes(object, "user", id, size);
    char *text = json_dumps(object, 0);
    json_decref(object);
    if (text == NULL)
        return;
    text_bytes(out, text, strlen(text) - 1); /* without the closing brace */
    free(text);
}

static void add_result(struct decide *decide, const canary_user *user, uint8_t cohort) {
    struct text *out = &decide->out;
    bool is_new = cohort == CANARY_NEW;
    if (say_mode.json) {
        add_json_id(out, user->id, user->size);
        text_bytes(out, is_new ? ", \"cohort\": \"new\"}\n" : ", \"cohort\": \"old\"}\n", 19);
        return;
    }
    if (say_mode.terminal)
        text_safe(out, user->id, user->size);
    else
        text_bytes(out, user->id, user->size);
    text_bytes(out, is_new ? "\tnew\n" : "\told\n", 5);
}

static void decide_batch(struct decide *decide) {
    decide->total_new +=
        canary_decide_many(decide->context, decide->users, decide->count, decide->cohorts);
    for (uint64_t i = 0; i < decide->count; i++) {
        add_result(decide, &decide->users[i], decide->cohorts[i]);
        if (decide->out.size >= FLUSH_AT)
            say_text(&decide->out);
    }
    decide->total += decide->count;
    decide->count = 0;
}

static void add_user(struct decide *decide, const char *id, size_t size) {
    decide->users[decide->count].id = id;
    decide->users[decide->count].size = size;
    decide->empty += size == 0;
    if (++decide->count == BATCH)
        decide_batch(decide);
}

/* Only when it takes long, and only where it cannot mix with the results. */
static void show_progress(struct decide *decide) {
    int64_t now = when_monotonic();
    if (!decide->progress || now - decide->started < WHEN_SECOND ||
        now - decide->shown < WHEN_SECOND / 4)
        return;
    decide->shown = now;
    uint64_t ms = (uint64_t)((now - decide->started) / 1000000);
    fprintf(stderr, "\r\033[K%" PRIu64 " ids, %" PRIu64 " new, %" PRIu64 " a second", decide->total,
            decide->total_new, decide->total * 1000 / ms);
}

static int decide_input(struct decide *decide) {
    struct lines lines;
    lines_begin(&lines);
    decide->progress = isatty(STDERR_FILENO) == 1 && !say_mode.terminal;
    int result = 0;
    for (;;) {
        const char *line;
        size_t size;
        enum lines_result got = lines_next(&lines, &line, &size);
        if (got == LINES_ONE) {
            add_user(decide, line, size);
            continue;
        }
        /* Before the buffer moves, and before waiting: whoever feeds us slowly sees each answer. */
        decide_batch(decide);
        say_text(&decide->out);
        show_progress(decide);
        if (got == LINES_END)
            break;
        if (got == LINES_TOO_LONG) {
            result = say_failure(CANARY_E_SYSTEM, NULL,
                                 "line %" PRIu64 " is longer than %zu bytes; the lines before it "
                                 "are decided",
                                 lines.number, LINES_LONGEST);
            break;
        }
        int failed = lines_fill(&lines);
        if (failed != 0) {
            result = say_failure(CANARY_E_SYSTEM, NULL, "cannot read standard input: %s",
                                 strerror(failed));
            break;
        }
    }
    lines_end(&lines);
    if (decide->shown != 0)
        fputs("\r\033[K", stderr);
    if (decide->empty > 0)
        say_warning("%" PRIu64 " empty line%s got old: an empty id is no user", decide->empty,
                    decide->empty == 1 ? "" : "s");
    return result;
}

int decide_run(struct session *session, int count, char **words) {
    bool from_input = session_given(session, OPTION_STDIN);
    if (from_input == (count > 0))
        return say_usage(session->command, from_input ? "give users or --stdin, not both"
                                                      : "give USER... or --stdin");
    int result = session_open_rollout(session, 0);
    if (result != 0)
        return result;
    struct decide *decide = text_memory(NULL, sizeof(*decide));
    *decide = (struct decide){ .started = when_monotonic() };
    canary_options options = CANARY_OPTIONS_INIT;
    options.flags = CANARY_OPEN_NO_WATCHER;
    canary_error error = CANARY_ERROR_INIT;
    if (canary_open_in(session->store, session->rollout, &options, &decide->context, &error) !=
        CANARY_OK) {
        result = session_error(session, &error);
    } else if (from_input) {
        result = decide_input(decide);
    } else {
        for (int i = 0; i < count; i++)
            add_user(decide, words[i], strlen(words[i]));
        decide_batch(decide);
        say_text(&decide->out);
    }
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    if (result == 0 && canary_info(decide->context, &info) == CANARY_OK && info.revision == 0) {
        say_warning("nothing in the store can be believed: everybody got old; `canaryctl verify` "
                    "says why");
        result = CTL_EXIT_UNHEALTHY;
    }
    canary_close(&decide->context);
    text_free(&decide->out);
    free(decide);
    return result;
}
