/* SPDX-License-Identifier: MIT */
/* See deliver.h: events in words and as JSON, and running commands. */
#include "deliver.h"

#include "jsonout.h"
#include "percent.h"
#include "say.h"
#include "when.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_TIMEOUT_NS (60 * WHEN_SECOND)
#define WAIT_MS 20

extern char **environ;

void event_sentence(const struct event *event, struct text *out) {
    char from[PERCENT_SIZE];
    char to[PERCENT_SIZE];
    percent_format(event->from_bp, from);
    percent_format(event->percentage_bp, to);
    text_safe_string(out, event->rollout);
    text_addf(out, ": %s, ", event->action);
    if (event->from_bp != event->percentage_bp)
        text_addf(out, "%s %% -> %s %%", from, to);
    else
        text_addf(out, "%s %%", to);
    if (event->from_stage != event->stage && event->from_stage >= 0)
        text_addf(out, " (stage %" PRId32 " -> %" PRId32 ")", event->from_stage, event->stage);
    else
        text_addf(out, " (stage %" PRId32 ")", event->stage);
    if (event->by[0] != '\0') {
        text_add(out, " by ");
        text_safe_string(out, event->by);
    }
    if (event->reason[0] != '\0') {
        text_add(out, ": ");
        text_safe_string(out, event->reason);
    }
}

json_t *event_json(const struct event *event) {
    json_t *object = json_object();
    json_object_set_new(object, "rollout", jsonout_string(event->rollout));
    json_object_set_new(object, "action", jsonout_string(event->action));
    json_object_set_new(object, "stage", json_integer(event->stage));
    json_object_set_new(object, "from_stage",
                        event->from_stage < 0 ? json_null() : json_integer(event->from_stage));
    json_object_set_new(object, "percentage", jsonout_percent(event->percentage_bp));
    json_object_set_new(object, "from_percentage", jsonout_percent(event->from_bp));
    json_object_set_new(object, "revision", json_integer((json_int_t)event->revision));
    json_object_set_new(object, "change",
                        event->change != 0 ? json_integer((json_int_t)event->change) : json_null());
    json_object_set_new(object, "at", jsonout_time(event->at_ns));
    json_object_set_new(object, "by", jsonout_string(event->by));
    json_object_set_new(object, "reason", jsonout_string(event->reason));
    json_object_set_new(object, "key", jsonout_string(event->key));
    return object;
}

/* The environment of the command: ours, and the event's. Strings of ours are borrowed. */
struct surroundings {
    char **all;
    size_t count;
    size_t own; /* the first that is to be freed */
};

static void add(struct surroundings *to, const char *name, const char *value) {
    struct text text = { 0 };
    text_addf(&text, "%s=", name);
    text_add(&text, value);
    to->all[to->count++] = text.data;
}

static void add_number(struct surroundings *to, const char *name, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRId64, value);
    add(to, name, digits);
}

static struct surroundings surroundings_of(const struct event *event) {
    struct surroundings made = { 0 };
    char percent[PERCENT_SIZE];
    size_t ours = 0;
    while (environ[ours] != NULL)
        ours++;
    made.all = text_memory(NULL, (ours + 16) * sizeof(*made.all));
    for (size_t i = 0; i < ours; i++) {
        /* Ours win; and the address of a webhook is nobody's business. */
        if (strncmp(environ[i], "CANARY_", 7) != 0 || strncmp(environ[i], "CANARY_DB=", 10) == 0)
            made.all[made.count++] = environ[i];
    }
    made.own = made.count;
    add(&made, "CANARY_ROLLOUT", event->rollout);
    percent_format(event->percentage_bp, percent);
    add(&made, "CANARY_PERCENTAGE", percent);
    percent_format(event->from_bp, percent);
    add(&made, "CANARY_FROM_PERCENTAGE", percent);
    add_number(&made, "CANARY_STAGE", event->stage);
    add(&made, "CANARY_ACTION", event->action);
    add(&made, "CANARY_REASON", event->reason);
    add(&made, "CANARY_BY", event->by);
    add_number(&made, "CANARY_REVISION", (int64_t)event->revision);
    add(&made, "CANARY_KEY", event->key);
    made.all[made.count] = NULL;
    return made;
}

static void surroundings_free(struct surroundings *made) {
    for (size_t i = made->own; i < made->count; i++)
        free(made->all[i]);
    free(made->all);
}

/* A group of its own, so that children of the shell end with it; signals as a program expects them. */
static int spawn(const char *command, char **environment, pid_t *child) {
    char *const arguments[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                                (char *)(uintptr_t)command, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    int code = posix_spawn_file_actions_init(&files);
    if (code != 0)
        return code;
    code = posix_spawnattr_init(&attributes);
    if (code != 0) {
        posix_spawn_file_actions_destroy(&files);
        return code;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    code = posix_spawn(child, "/bin/sh", &files, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

/* Waits for the command; a signal to us ends it too, and leaves its event to the next run. */
static enum delivery await(pid_t child, struct screen *screen) {
    int64_t end = when_monotonic() + COMMAND_TIMEOUT_NS;
    enum delivery delivery = DELIVERY_DONE;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        bool stop = screen_wait(screen, WAIT_MS);
        if (stop || when_monotonic() > end) {
            if (!stop)
                say_warning("--exec: the command took over a minute and was ended");
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            return stop ? DELIVERY_STOPPED : DELIVERY_FAILED;
        }
    }
    if (WIFSIGNALED(status)) {
        say_warning("--exec: the command was ended by signal %d", WTERMSIG(status));
        delivery = DELIVERY_FAILED;
    } else if (WEXITSTATUS(status) != 0) {
        say_warning("--exec: the command ended with %d", WEXITSTATUS(status));
        delivery = DELIVERY_FAILED;
    }
    return delivery;
}

enum delivery deliver_exec(const char *command, const struct event *event, struct screen *screen) {
    struct surroundings around = surroundings_of(event);
    pid_t child = -1;
    int code = spawn(command, around.all, &child);
    surroundings_free(&around);
    if (code != 0) {
        say_warning("--exec: /bin/sh could not be run: %s", strerror(code));
        return DELIVERY_FAILED;
    }
    return await(child, screen);
}
