/* SPDX-License-Identifier: MIT */
/* See session.h. */
#include "session.h"

#include "exits.h"
#include "when.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool session_given(const struct session *session, enum option_id id) {
    return session->options.value[id] != NULL;
}

const char *session_value(const struct session *session, enum option_id id) {
    return session->options.value[id];
}

static void find_login(struct session *session) {
    const struct passwd *entry = getpwuid(getuid());
    const char *name = entry != NULL && entry->pw_name[0] != '\0' ? entry->pw_name : "unknown";
    snprintf(session->by_buffer, sizeof(session->by_buffer), "%s", name);
    session->by = session->by_buffer;
}

int session_begin(struct session *session) {
    const char *format = session_value(session, OPTION_OUTPUT);
    /* There it may be a file. */
    bool any =
        session->command->run == report_run && !session->options.from_environment[OPTION_OUTPUT];
    if (format != NULL && !any && strcmp(format, "json") != 0 && strcmp(format, "table") != 0)
        return say_usage(session->command, "%s \"%s\" is no format: table or json",
                         session->options.from_environment[OPTION_OUTPUT] ? "CANARY_OUTPUT"
                                                                          : "--output",
                         format);
    const char *timeout = session_value(session, OPTION_TIMEOUT);
    session->busy_timeout_ns = 5 * WHEN_SECOND;
    if (timeout != NULL && !when_parse_seconds(timeout, &session->busy_timeout_ns))
        return say_usage(session->command,
                         "--timeout \"%s\" is no time limit: seconds from 0 to 3600, as in 0.5",
                         timeout);
    /* 0 would mean the library's default; a nanosecond is a single try. */
    if (session->busy_timeout_ns == 0)
        session->busy_timeout_ns = 1;
    session->by = session_value(session, OPTION_BY);
    if (session->by == NULL)
        find_login(session);
    return 0;
}

static int no_store(const struct session *session, const char *path) {
    struct text next = { 0 };
    text_add(&next, "canaryctl --db ");
    text_shell(&next, path, strlen(path));
    text_add(&next, " create NAME   makes one; or check the path and CANARY_DB");
    int result =
        say_failure(CANARY_E_NO_STORE, next.data, "there is no store at \"%s\"%s", path,
                    session->options.from_environment[OPTION_DB] ? " (from CANARY_DB)" : "");
    text_free(&next);
    return result;
}

int session_open(struct session *session, uint32_t flags) {
    const char *path = session_value(session, OPTION_DB);
    if (path == NULL)
        return say_usage(session->command, "no store is named: give --db PATH, or set CANARY_DB");
    struct stat status;
    /* A deferred open succeeds without a file, and a mistyped path would look like success. */
    if ((flags & CANARY_OPEN_CREATE) == 0 && stat(path, &status) != 0 && errno == ENOENT)
        return no_store(session, path);
    canary_options options = CANARY_OPTIONS_INIT;
    options.flags = flags | CANARY_OPEN_NO_WATCHER;
    options.busy_timeout_ns = session->busy_timeout_ns;
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_store_open(path, &options, &session->store, &error);
    return code == CANARY_OK ? 0 : session_error(session, &error);
}

void session_end(struct session *session) {
    canary_store_close(&session->store);
    free(session->options.words);
}

struct names {
    struct text list;
    char first[136];
    const char *wanted;
    char nearest[136];
    int best;
    int count;
};

static int collect_name(void *user_data, const canary_rollout *entry) {
    struct names *names = user_data;
    if (names->count == 0)
        snprintf(names->first, sizeof(names->first), "%s", entry->name);
    if (names->count < 20)
        text_addf(&names->list, "%s%s", names->count == 0 ? "" : ", ", entry->name);
    else if (names->count == 20)
        text_add(&names->list, ", ...");
    names->count++;
    int distance = names->wanted == NULL ? 99 : say_distance(names->wanted, entry->name);
    if (distance < names->best) {
        names->best = distance;
        snprintf(names->nearest, sizeof(names->nearest), "%s", entry->name);
    }
    return 0;
}

int session_rollout(struct session *session) {
    session->rollout = session_value(session, OPTION_ROLLOUT);
    if (session->rollout != NULL)
        return 0;
    struct names names = { .best = 0 };
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_rollout_list(session->store, collect_name, &names, &error);
    int result = 0;
    if (code != CANARY_OK) {
        struct text next = { 0 };
        text_addf(&next, "name the rollout, which needs no list: canaryctl --rollout NAME %s%s",
                  session->command->name,
                  session->command->run == rollback_run
                      ? "   works while the store is locked or broken"
                      : "");
        result = session->command->run == rollback_run ? say_error(&error, true, next.data)
                                                       : session_error(session, &error);
        text_free(&next);
    } else if (names.count == 0) {
        result = say_failure(CANARY_E_NOT_FOUND, "canaryctl create NAME",
                             "the store has no rollout yet");
    } else if (names.count > 1) {
        result =
            say_usage(session->command, "the store has %d rollouts: name one with --rollout: %s",
                      names.count, names.list.data);
    } else {
        memcpy(session->rollout_name, names.first, sizeof(names.first));
        session->rollout = session->rollout_name;
    }
    text_free(&names.list);
    return result;
}

int session_open_rollout(struct session *session, uint32_t flags) {
    int result = session_open(session, flags);
    return result == 0 ? session_rollout(session) : result;
}

int session_open_named(struct session *session, int count, char **words, uint32_t flags) {
    const char *option = session_value(session, OPTION_ROLLOUT);
    if (count == 0)
        return session_open_rollout(session, flags);
    if (option != NULL && !session->options.from_environment[OPTION_ROLLOUT] &&
        strcmp(option, words[0]) != 0)
        return say_usage(session->command, "\"%s\" and --rollout \"%s\" are two rollouts: name one",
                         words[0], option);
    int result = session_open(session, flags);
    session->rollout = words[0];
    return result;
}

/* The likeliest meaning of a rollout that is not there. */
static int unknown_rollout(const struct session *session, const canary_error *error) {
    struct names names = { .wanted = session->rollout, .best = 4 };
    canary_error ignored = CANARY_ERROR_INIT;
    struct text next = { 0 };
    if (canary_rollout_list(session->store, collect_name, &names, &ignored) != CANARY_OK ||
        names.count == 0)
        text_add(&next, "canaryctl list   shows the rollouts of this store");
    else if (names.nearest[0] != '\0')
        text_addf(&next, "did you mean --rollout %s? The store has: %s", names.nearest,
                  names.list.data);
    else
        text_addf(&next, "the store has: %s", names.list.data);
    int result = say_error(error, true, next.data);
    text_free(&next);
    text_free(&names.list);
    return result;
}

static bool has_rollout(const struct session *session) {
    canary_rollout state = { .size = (uint32_t)sizeof(state) };
    canary_error error = CANARY_ERROR_INIT;
    return canary_rollout_read(session->store, session->rollout, &state, &error) !=
           CANARY_E_NOT_FOUND;
}

int session_error(const struct session *session, const canary_error *error) {
    bool changing = (session->command->flags & COMMAND_CHANGES) != 0;
    if (error->code == CANARY_E_NOT_FOUND && session->store != NULL && session->rollout != NULL &&
        !has_rollout(session))
        return unknown_rollout(session, error);
    if (error->code == CANARY_E_NO_STORE && session->command->run != create_run)
        return no_store(session, session_value(session, OPTION_DB));
    struct text next = { 0 };
    struct text again = { 0 };
    text_add(&next, "");
    session_command(session, session->rollout != NULL, &again);
    switch (error->code) {
    case CANARY_E_NO_STORE:
        text_add(&next, "make the directory first, or check the path and CANARY_DB");
        break;
    case CANARY_E_INVALID:
        text_addf(&next, "canaryctl %s --help", session->command->name);
        break;
    case CANARY_E_BUSY:
    case CANARY_E_TIMEOUT:
        if (session->command->run == flag_off_run)
            text_add(&next, "canaryctl --rollout NAME rollback   takes effect even now; or ");
        text_add(&next, "find who holds the store (fuser), or wait longer with --timeout SECONDS");
        break;
    case CANARY_E_EXISTS:
        text_addf(&next, "%sstatus   shows it", again.data);
        break;
    case CANARY_E_CONFLICT:
        text_addf(&next, "%sstatus   then decide again", again.data);
        break;
    case CANARY_E_TAMPERED:
        text_addf(&next, "%sverify   shows what; then %saccept   signs it", again.data, again.data);
        break;
    case CANARY_E_REFUSED:
        text_addf(&next, "%sstatus", again.data);
        break;
    case CANARY_E_CORRUPT:
    case CANARY_E_HOSTILE:
        text_addf(&next, "%sdoctor   and restore the file from a backup", again.data);
        break;
    case CANARY_E_PERMISSION:
    case CANARY_E_READ_ONLY:
        text_add(&next, "run it as the owner of the file, on a file system that can be written");
        break;
    case CANARY_E_NEWER:
        text_addf(&next, "use a newer canaryctl; this one is %s", canary_version());
        break;
    default:
        break;
    }
    int result = say_error(error, changing, next.size > 0 ? next.data : NULL);
    text_free(&next);
    text_free(&again);
    return result;
}

int session_number(const struct session *session, enum option_id id, int64_t least, int64_t most,
                   int64_t *out) {
    const char *string = session_value(session, id);
    if (string == NULL)
        return 0;
    size_t digits = strspn(string, "0123456789");
    int64_t value = 0;
    for (size_t i = 0; i < digits && i < 18; i++)
        value = value * 10 + (string[i] - '0');
    if (digits == 0 || digits > 18 || string[digits] != '\0' || value < least || value > most) {
        char allowed[64];
        if (most >= INT64_C(999999999999999999))
            snprintf(allowed, sizeof(allowed), "a whole number, %" PRId64 " or more", least);
        else
            snprintf(allowed, sizeof(allowed), "a whole number from %" PRId64 " to %" PRId64, least,
                     most);
        return say_usage(session->command, "--%s \"%s\" is not allowed: it takes %s",
                         options_table[id].name, string, allowed);
    }
    *out = value;
    return 0;
}

int session_change_options(const struct session *session, canary_change_options *out) {
    *out = (canary_change_options)CANARY_CHANGE_OPTIONS_INIT;
    int64_t stage = CANARY_ANY_STAGE;
    int64_t revision = CANARY_ANY_REVISION;
    int result = session_number(session, OPTION_EXPECT_STAGE, 0, CANARY_STAGES_MAX - 1, &stage);
    if (result == 0)
        result = session_number(session, OPTION_EXPECT_REVISION, 0, INT64_MAX, &revision);
    out->by = session->by;
    out->note = session_value(session, OPTION_NOTE);
    out->expected_stage = (int32_t)stage;
    out->expected_revision = revision;
    if (session_given(session, OPTION_DRY_RUN))
        out->flags |= CANARY_CHANGE_DRY_RUN;
    if (session_given(session, OPTION_EMERGENCY))
        out->flags |= CANARY_CHANGE_EMERGENCY;
    return result;
}

void session_command(const struct session *session, bool with_rollout, struct text *out) {
    const char *path = session_value(session, OPTION_DB);
    text_add(out, "canaryctl ");
    if (path != NULL && !session->options.from_environment[OPTION_DB]) {
        text_add(out, "--db ");
        text_shell(out, path, strlen(path));
        text_add(out, " ");
    }
    /* Also where the store has one rollout now: the line may be used when it has two. */
    if (with_rollout && session->rollout != NULL &&
        !session->options.from_environment[OPTION_ROLLOUT]) {
        text_add(out, "--rollout ");
        text_shell(out, session->rollout, strlen(session->rollout));
        text_add(out, " ");
    }
}
