/* SPDX-License-Identifier: MIT */
/* See say.h. */
#include "say.h"

#include "commands.h"
#include "exits.h"
#include "jsonout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct say_mode say_mode;

void say_setup(bool json) {
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool smart = term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
    bool able = smart && (no_color == NULL || no_color[0] == '\0');
    say_mode.json = json;
    say_mode.terminal = isatty(STDOUT_FILENO) == 1;
    say_mode.screen = say_mode.terminal && smart && !json;
    say_mode.colour = able && say_mode.terminal && !json;
    say_mode.colour_errors = able && !json && isatty(STDERR_FILENO) == 1;
}

int say_columns(void) {
    struct winsize size;
    if (!say_mode.terminal)
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

static const char *sequence(enum say_colour colour) {
    switch (colour) {
    case SAY_STRONG:
        return "\033[1m";
    case SAY_GOOD:
        return "\033[32m";
    case SAY_WARN:
        return "\033[33m";
    case SAY_BAD:
        return "\033[1;31m";
    case SAY_DIM:
        return "\033[2m";
    case SAY_PLAIN:
    default:
        return "";
    }
}

const char *say_begin(enum say_colour colour) {
    return say_mode.colour ? sequence(colour) : "";
}

const char *say_end(void) {
    return say_mode.colour ? "\033[0m" : "";
}

void say_out(const void *data, size_t size) {
    const char *bytes = data;
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        /* Nothing to tidy up: no transaction is open between calls of the library. */
        if (written < 0 && errno == EPIPE)
            _exit(CTL_EXIT_DONE);
        if (written < 0) {
            fprintf(stderr, "canaryctl: cannot write the result: %s\n", strerror(errno));
            _exit(CTL_EXIT_ERROR);
        }
        bytes += written;
        size -= (size_t)written;
    }
}

void say_text(struct text *text) {
    say_out(text->data, text->size);
    text_clear(text);
}

/* All errors leave through here: one object, or one or two lines. */
static void tell(int code, int exit_code, const char *message, const char *next, bool in_effect) {
    if (say_mode.json) {
        json_t *object = json_object();
        json_object_set_new(object, "error", json_string(canary_error_name(code)));
        json_object_set_new(object, "code", json_integer(code));
        json_object_set_new(object, "exit", json_integer(exit_code));
        json_object_set_new(object, "message", jsonout_string(message));
        if (next != NULL)
            json_object_set_new(object, "next", jsonout_string(next));
        if (in_effect)
            json_object_set_new(object, "in_effect", json_true());
        jsonout_error(object);
        return;
    }
    struct text line = { 0 };
    text_add(&line, say_mode.colour_errors ? "\033[1;31mcanaryctl:\033[0m " : "canaryctl: ");
    text_safe_string(&line, message);
    if (next != NULL) {
        text_add(&line, "\n  next: ");
        text_safe_string(&line, next);
    }
    text_add(&line, "\n");
    fputs(line.data, stderr);
    text_free(&line);
}

int say_usage(const struct command *command, const char *format, ...) {
    char message[1500];
    int used = command != NULL ? snprintf(message, sizeof(message), "%s: ", command->name) : 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message + used, sizeof(message) - (size_t)used, format, arguments);
    va_end(arguments);
    char help[80];
    snprintf(help, sizeof(help), "canaryctl %s%s--help", command != NULL ? command->name : "",
             command != NULL ? " " : "");
    if (say_mode.json) {
        tell(CANARY_E_INVALID, CTL_EXIT_USAGE, message, help, false);
    } else {
        char line[1600];
        snprintf(line, sizeof(line), "%s (see: %s)", message, help);
        tell(CANARY_E_INVALID, CTL_EXIT_USAGE, line, NULL, false);
    }
    return CTL_EXIT_USAGE;
}

int say_error(const canary_error *error, bool changing, const char *next) {
    int exit_code = exits_of(error->code, changing);
    const char *message = error->message[0] != '\0' ? error->message : canary_strerror(error->code);
    tell(error->code, exit_code, message, next, error->in_effect == 1);
    return exit_code;
}

int say_failure(int code, const char *next, const char *format, ...) {
    char message[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    int exit_code = exits_of(code, true);
    tell(code, exit_code, message, next, false);
    return exit_code;
}

void say_warning(const char *format, ...) {
    if (say_mode.json)
        return;
    char message[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    struct text line = { 0 };
    text_add(&line, say_mode.colour_errors ? "\033[33mwarning:\033[0m " : "warning: ");
    text_safe_string(&line, message);
    text_add(&line, "\n");
    fputs(line.data, stderr);
    text_free(&line);
}

int say_distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    size_t m = strlen(a);
    size_t n = strlen(b);
    if (m > LONGEST || n > LONGEST)
        return strcmp(a, b) == 0 ? 0 : LONGEST;
    int cost[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= m; i++)
        cost[i][0] = (int)i;
    for (size_t j = 0; j <= n; j++)
        cost[0][j] = (int)j;
    for (size_t i = 1; i <= m; i++) {
        for (size_t j = 1; j <= n; j++) {
            int best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (cost[i - 1][j] + 1 < best)
                best = cost[i - 1][j] + 1;
            if (cost[i][j - 1] + 1 < best)
                best = cost[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                cost[i - 2][j - 2] + 1 < best)
                best = cost[i - 2][j - 2] + 1;
            cost[i][j] = best;
        }
    }
    return cost[m][n];
}
