/* SPDX-License-Identifier: MIT */
/* `report`: what happened to a rollout, for people and programs who were not there. */
#include "session.h"
#include "text.h"
#include "when.h"

#include <canary/judge.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_NS (24 * 3600 * WHEN_SECOND)

static const struct {
    const char *name;
    int format;
    const char *suffix;
} formats[] = {
    { "md", CANARY_REPORT_MARKDOWN, ".md" },
    { "json", CANARY_REPORT_JSON, ".json" },
    { "html", CANARY_REPORT_HTML, ".html" },
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

/* --output is the file here, but for its two words, which go with every command. */
static const char *file_of(const struct session *session) {
    const char *output = session_value(session, OPTION_OUTPUT);
    if (output == NULL || session->options.from_environment[OPTION_OUTPUT] ||
        strcmp(output, "json") == 0 || strcmp(output, "table") == 0 || strcmp(output, "-") == 0)
        return NULL;
    return output;
}

static int take_format(const struct session *session, const char *file, int32_t *out) {
    const char *word = session_value(session, OPTION_FORMAT);
    size_t size = file != NULL ? strlen(file) : 0;
    if (word == NULL) {
        *out = say_mode.json ? CANARY_REPORT_JSON : CANARY_REPORT_MARKDOWN;
        for (size_t i = 0; i < FORMATS; i++) {
            size_t suffix = strlen(formats[i].suffix);
            if (size > suffix && strcmp(file + size - suffix, formats[i].suffix) == 0)
                *out = formats[i].format;
        }
        return 0;
    }
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(word, formats[i].name) == 0) {
            *out = formats[i].format;
            return 0;
        }
    }
    return say_usage(session->command, "--format \"%s\" is no form of a report: md, json or html",
                     word);
}

static int take_period(const struct session *session, int64_t *from_ns) {
    const char *word = session_value(session, OPTION_PERIOD);
    int64_t now = when_now();
    if (word == NULL || strcmp(word, "final") == 0)
        *from_ns = 0;
    else if (strcmp(word, "day") == 0)
        *from_ns = now - DAY_NS;
    else if (strcmp(word, "week") == 0)
        *from_ns = now - 7 * DAY_NS;
    else
        return say_usage(session->command, "--period \"%s\" is none: day, week or final%s", word,
                         say_distance(word, "week") <= 2    ? "; did you mean \"week\"?"
                         : say_distance(word, "final") <= 2 ? "; did you mean \"final\"?"
                                                            : "");
    return 0;
}

static int print(void *user_data, const char *text, uint64_t size) {
    (void)user_data;
    say_out(text, (size_t)size);
    return 0;
}

struct sink {
    FILE *file;
    int reason; /* errno of the write that failed */
};

static int to_file(void *user_data, const char *text, uint64_t size) {
    struct sink *sink = user_data;
    if (fwrite(text, 1, (size_t)size, sink->file) == (size_t)size)
        return 0;
    sink->reason = errno;
    return 1;
}

/* /dev/stdout, a pipe: it is written to. What is no file yet, or a file, is replaced. */
static bool is_replaced(const char *path) {
    struct stat now;
    return stat(path, &now) != 0 || S_ISREG(now.st_mode);
}

/* Whoever looks at the file meanwhile sees the old report or the new one; a link to it stays one. */
static int write_file(struct session *session, const canary_report_options *options,
                      const char *path) {
    struct text fresh = { 0 };
    canary_error error = CANARY_ERROR_INIT;
    bool replaced = is_replaced(path);
    char *linked = replaced ? realpath(path, NULL) : NULL;
    const char *target = linked != NULL ? linked : path;
    text_addf(&fresh, "%s.%ld.new", target, (long)getpid());
    struct sink sink = { fopen(replaced ? fresh.data : path, replaced ? "wxe" : "we"), 0 };
    int reason = sink.file == NULL ? errno : 0;
    int code = CANARY_OK;
    if (sink.file != NULL) {
        code = canary_report(session->store, session->rollout, options, to_file, &sink, &error);
        reason = sink.reason;
        if (code == CANARY_OK &&
            (fflush(sink.file) != 0 || (replaced && fsync(fileno(sink.file)) != 0)))
            reason = errno;
        if (fclose(sink.file) != 0 && reason == 0)
            reason = errno;
        if (code == CANARY_OK && reason == 0 && replaced && rename(fresh.data, target) != 0)
            reason = errno;
        if ((code != CANARY_OK || reason != 0) && replaced)
            unlink(fresh.data);
    }
    text_free(&fresh);
    free(linked);
    if (reason != 0)
        return say_failure(CANARY_E_IO, NULL, "the report cannot be written to \"%s\": %s", path,
                           strerror(reason));
    return code == CANARY_OK ? 0 : session_error(session, &error);
}

int report_run(struct session *session, int count, char **words) {
    canary_report_options options = CANARY_REPORT_OPTIONS_INIT;
    const char *file = file_of(session);
    int result = take_format(session, file, &options.format);
    if (result == 0)
        result = take_period(session, &options.from_ns);
    if (result == 0)
        result = session_open_named(session, count, words, 0);
    if (result != 0)
        return result;
    if (file != NULL)
        return write_file(session, &options, file);
    canary_error error = CANARY_ERROR_INIT;
    if (canary_report(session->store, session->rollout, &options, print, NULL, &error) != CANARY_OK)
        return session_error(session, &error);
    return 0;
}
