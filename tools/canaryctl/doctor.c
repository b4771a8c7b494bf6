/* SPDX-License-Identifier: MIT */
/* `doctor`: everything around a store that may be wrong, with the next command for each finding. */
#include "doctor.h"

#include "exits.h"
#include "jsonout.h"
#include "percent.h"
#include "state.h"
#include "verify.h"
#include "when.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct doctor {
    struct session *session;
    struct text out;
    json_t *array; /* NULL = text */
    int counts[DOCTOR_ERROR + 1];
    canary_rollout *rollouts;
    size_t rollout_count;
    bool bell_found; /* verify had something to say about the bell */
};

static const char *const severities[] = { "ok", "note", "warning", "error" };

void doctor_find(struct doctor *doctor, enum doctor_severity severity, const char *check,
                 const char *next, const char *format, ...) {
    char message[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    doctor->counts[severity]++;
    if (doctor->array != NULL) {
        json_t *object = json_object();
        json_object_set_new(object, "severity", json_string(severities[severity]));
        json_object_set_new(object, "check", json_string(check));
        json_object_set_new(object, "message", jsonout_string(message));
        json_object_set_new(object, "next", next != NULL ? jsonout_string(next) : json_null());
        json_array_append_new(doctor->array, object);
        return;
    }
    static const enum say_colour colours[] = { SAY_GOOD, SAY_DIM, SAY_WARN, SAY_BAD };
    text_addf(&doctor->out, "%s%-7s%s  %-11s  ", say_begin(colours[severity]), severities[severity],
              say_end(), check);
    text_safe_string(&doctor->out, message);
    text_add(&doctor->out, "\n");
    if (next != NULL && next[0] != '\0') {
        text_add(&doctor->out, "         next:        ");
        text_safe_string(&doctor->out, next);
        text_add(&doctor->out, "\n");
    }
}

/* A finding whose next step is a command about this store. */
static void find_command(struct doctor *doctor, enum doctor_severity severity, const char *check,
                         const char *command, const char *message) {
    struct text next = { 0 };
    session_command(doctor->session, false, &next);
    text_add(&next, command);
    doctor_find(doctor, severity, check, next.data, "%s", message);
    text_free(&next);
}

static int collect(void *user_data, const canary_rollout *entry) {
    struct doctor *doctor = user_data;
    doctor->rollouts =
        text_memory(doctor->rollouts, (doctor->rollout_count + 1) * sizeof(doctor->rollouts[0]));
    doctor->rollouts[doctor->rollout_count++] = *entry;
    return 0;
}

static int add_finding(void *user_data, const canary_finding *finding) {
    struct doctor *doctor = user_data;
    doctor->bell_found = doctor->bell_found || finding->kind == CANARY_FINDING_BELL;
    doctor_find(doctor, DOCTOR_ERROR, verify_kind(finding->kind),
                finding->next[0] != '\0' ? finding->next : NULL, "%s", finding->message);
    return 0;
}

static void check_trail(struct doctor *doctor) {
    canary_verify_report report = { .size = (uint32_t)sizeof(report) };
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_verify(doctor->session->store, add_finding, doctor, &report, &error);
    if (code == CANARY_OK)
        doctor_find(doctor, DOCTOR_OK, "trail", NULL,
                    "changes %" PRIu64 ", rollouts %u, flags %u: all verify", report.changes,
                    report.rollouts, report.flags);
    else if (code != CANARY_E_TAMPERED)
        find_command(doctor, DOCTOR_ERROR, "trail", "verify", error.message);
}

static int check_flag(void *user_data, const canary_flag *flag) {
    struct doctor *doctor = user_data;
    struct text command = { 0 };
    char message[600];
    text_addf(&command, "flag on %s   when the reason is gone", flag->name);
    if (flag->rollouts == 0) {
        doctor_find(doctor, DOCTOR_NOTE, "flags", NULL, "no rollout obeys flag %s", flag->name);
    } else if (flag->enabled == 0) {
        uint32_t held = 0;
        for (size_t i = 0; i < doctor->rollout_count; i++) {
            if (strcmp(doctor->rollouts[i].flag, flag->name) == 0 &&
                doctor->rollouts[i].percentage_bp > held)
                held = doctor->rollouts[i].percentage_bp;
        }
        char percent[PERCENT_SIZE];
        char ago[WHEN_SIZE];
        percent_format(held, percent);
        when_ago(flag->updated_at_ns, when_now(), ago);
        snprintf(message, sizeof(message),
                 "flag %s is off (last signed change %s by %.200s): %s %% configured is 0 %% now",
                 flag->name, ago, flag->updated_by, percent);
        find_command(doctor, DOCTOR_WARNING, "flags", command.data, message);
    }
    text_free(&command);
    return 0;
}

static void check_flags(struct doctor *doctor) {
    int before = doctor->counts[DOCTOR_WARNING] + doctor->counts[DOCTOR_ERROR];
    canary_error error = CANARY_ERROR_INIT;
    if (canary_flag_list(doctor->session->store, check_flag, doctor, &error) != CANARY_OK)
        find_command(doctor, DOCTOR_ERROR, "flags", "verify", error.message);
    for (size_t i = 0; i < doctor->rollout_count; i++) {
        const canary_rollout *state = &doctor->rollouts[i];
        /* A flag's row that is gone leaves nothing to list; the rollout knows its name. */
        if ((state->kill_reasons & CANARY_KILL_FLAG) != 0 && state->flag_updated_at_ns == 0) {
            char message[400];
            char command[200];
            snprintf(message, sizeof(message),
                     "flag %s of rollout %s is missing: everybody gets old", state->flag,
                     state->name);
            snprintf(command, sizeof(command), "flag on %s", state->flag);
            find_command(doctor, DOCTOR_ERROR, "flags", command, message);
        }
    }
    if (before == doctor->counts[DOCTOR_WARNING] + doctor->counts[DOCTOR_ERROR])
        doctor_find(doctor, DOCTOR_OK, "flags", NULL, "every rollout's flag is there and on");
}

static bool named_in_kill(const char *list, const char *name, bool everything) {
    size_t length = strlen(name);
    while (*list != '\0') {
        list += strspn(list, ", \t");
        size_t word = strcspn(list, ", \t");
        if ((word == length && strncmp(list, name, word) == 0) ||
            (everything && word == 3 && strncmp(list, "all", 3) == 0))
            return true;
        list += word;
    }
    return false;
}

static void check_environment(struct doctor *doctor) {
    const char *list = getenv("CANARY_KILL");
    if (list == NULL || list[0] == '\0') {
        doctor_find(doctor, DOCTOR_OK, "environment", NULL,
                    "CANARY_KILL is not set here (services have environments of their own)");
        return;
    }
    int killed = 0;
    for (size_t i = 0; i < doctor->rollout_count; i++)
        killed += named_in_kill(list, doctor->rollouts[i].name, true);
    doctor_find(doctor, DOCTOR_WARNING, "environment", "unset CANARY_KILL",
                "CANARY_KILL=\"%s\" kills %d of %zu rollouts in programs started from here%s", list,
                killed, doctor->rollout_count, killed == 0 ? ": it names none of them" : "");
}

static void check_salts(struct doctor *doctor) {
    bool found = false;
    for (size_t i = 0; i < doctor->rollout_count; i++) {
        const canary_rollout *a = &doctor->rollouts[i];
        for (size_t j = i + 1; j < doctor->rollout_count; j++) {
            const canary_rollout *b = &doctor->rollouts[j];
            bool open = a->percentage_bp > 0 && a->percentage_bp < CANARY_BP_MAX &&
                        b->percentage_bp > 0 && b->percentage_bp < CANARY_BP_MAX;
            if (!open || strcmp(a->salt, b->salt) != 0)
                continue;
            found = true;
            doctor_find(doctor, DOCTOR_WARNING, "salts",
                        "finish one before the other, or create the next with --salt",
                        "%s and %s are both partly open with %s%s%s: the same users come first in "
                        "both, so their effects cannot be told apart",
                        a->name, b->name, a->salt[0] != '\0' ? "salt \"" : "no salt", a->salt,
                        a->salt[0] != '\0' ? "\"" : "");
        }
    }
    if (!found)
        doctor_find(doctor, DOCTOR_OK, "salts", NULL, "no partly open rollouts share one");
}

static int keep_newest(void *user_data, const canary_change *change) {
    *(int64_t *)user_data = change->at_ns;
    return 1;
}

/* Times that go back within the trail are a finding of verify. */
static void check_clock(struct doctor *doctor) {
    int64_t newest = 0;
    int64_t now = when_now();
    char ago[WHEN_SIZE];
    canary_history(doctor->session->store, NULL, 1, 0, keep_newest, &newest, NULL);
    when_ago(newest, now, ago);
    if (newest > now + WHEN_SECOND)
        doctor_find(doctor, DOCTOR_WARNING, "clock",
                    "timedatectl   shows whether this host's clock is set by the network",
                    "the newest change is dated %s: this clock, or the one of who made it, is "
                    "wrong",
                    ago);
    else if (now < INT64_C(1700000000) * WHEN_SECOND)
        doctor_find(doctor, DOCTOR_WARNING, "clock",
                    "timedatectl   shows whether this host's clock is set by the network",
                    "this host believes that it is before 2023");
    else if (newest != 0)
        doctor_find(doctor, DOCTOR_OK, "clock", NULL, "the newest change was made %s", ago);
}

static void check_bell(struct doctor *doctor) {
    canary_bell_info bell = { .size = (uint32_t)sizeof(bell) };
    canary_error error = CANARY_ERROR_INIT;
    if (canary_bell_check(doctor->session->store, &bell, &error) != CANARY_OK) {
        find_command(doctor, DOCTOR_ERROR, "bell", "verify", error.message);
        return;
    }
    if (bell.damaged > 0 && !doctor->bell_found) {
        char message[200];
        snprintf(message, sizeof(message),
                 "%d entries are damaged: what they name is held at old until they are cleared",
                 bell.damaged);
        find_command(doctor, DOCTOR_ERROR, "bell", "--rollout NAME accept", message);
    }
    if (bell.pending > 0 && !doctor->bell_found) {
        char message[200];
        snprintf(message, sizeof(message),
                 "%d rollback%s rung and not recorded: exposure is held down", bell.pending,
                 bell.pending == 1 ? " was" : "s were");
        find_command(doctor, DOCTOR_ERROR, "bell", "--rollout NAME rollback   records it", message);
    }
    if (bell.present == 0)
        doctor_find(doctor, DOCTOR_WARNING, "bell",
                    "make the directory writable for whoever changes rollouts",
                    "there is no bell: processes follow by polling, within the tick");
    else if (bell.works == 0)
        doctor_find(doctor, DOCTOR_WARNING, "bell",
                    "check owner and mode of the file: whoever changes rollouts must write it",
                    "\"%s\" cannot be rung from here: processes follow by polling", bell.path);
    else if (bell.waits == 0)
        doctor_find(doctor, DOCTOR_WARNING, "bell", NULL,
                    "this kernel cannot wait on it: processes follow by polling");
    else if (bell.damaged == 0 && bell.pending == 0)
        doctor_find(doctor, DOCTOR_OK, "bell", NULL, "rung and heard");
}

static void check_rollouts(struct doctor *doctor) {
    if (doctor->rollout_count == 0)
        find_command(doctor, DOCTOR_NOTE, "rollouts", "create NAME", "the store has none yet");
    for (size_t i = 0; i < doctor->rollout_count; i++) {
        const canary_rollout *state = &doctor->rollouts[i];
        struct text line = { 0 };
        text_addf(&line, "%s: stage %d, ", state->name, state->stage);
        /* Words without colours: doctor's own severity carries the meaning. */
        bool colour = say_mode.colour;
        say_mode.colour = false;
        state_exposure(state, &line);
        say_mode.colour = colour;
        char command[240];
        if ((state->doubt & CANARY_DOUBT_ROLLBACK) != 0)
            snprintf(command, sizeof(command),
                     "--rollout %s rollback   once more, which records it", state->name);
        else
            snprintf(command, sizeof(command), "verify   says what was changed outside");
        if (state->doubt != 0)
            find_command(doctor, DOCTOR_ERROR, "rollouts", command, line.data);
        else
            doctor_find(doctor, DOCTOR_OK, "rollouts", NULL, "%s", line.data);
        text_free(&line);
    }
}

static void check_store(struct doctor *doctor, int64_t start) {
    canary_error error = CANARY_ERROR_INIT;
    char span[WHEN_SIZE];
    if (canary_rollout_list(doctor->session->store, collect, doctor, &error) != CANARY_OK) {
        doctor_find(doctor, DOCTOR_ERROR, "store", "restore it, or find who holds it (fuser)",
                    "%s (%s)", error.message, canary_error_name(error.code));
        return;
    }
    when_span(when_monotonic() - start, span);
    doctor_find(doctor, DOCTOR_OK, "store", NULL, "opened and read in %s", span);
    check_rollouts(doctor);
    check_trail(doctor);
    check_flags(doctor);
    check_environment(doctor);
    check_salts(doctor);
    check_clock(doctor);
    check_bell(doctor);
}

/* Any context tells it, one of a rollout that is not there or cannot be read, too. */
static void check_hashing(struct doctor *doctor) {
    canary_ctx *context = NULL;
    canary_options options = CANARY_OPTIONS_INIT;
    options.flags = CANARY_OPEN_DEFER | CANARY_OPEN_NO_WATCHER;
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_error error = CANARY_ERROR_INIT;
    const char *rollout = doctor->rollout_count > 0 ? doctor->rollouts[0].name : "any";
    if (canary_open_in(doctor->session->store, rollout, &options, &context, &error) == CANARY_OK &&
        canary_info(context, &info) == CANARY_OK)
        doctor_hashing(doctor, &info);
    canary_close(&context);
}

static void finish(struct doctor *doctor) {
    int errors = doctor->counts[DOCTOR_ERROR];
    int warnings = doctor->counts[DOCTOR_WARNING];
    if (doctor->array != NULL) {
        json_t *object = json_object();
        json_object_set_new(object, "healthy", json_boolean(errors == 0));
        json_object_set_new(object, "errors", json_integer(errors));
        json_object_set_new(object, "warnings", json_integer(warnings));
        json_object_set_new(object, "findings", doctor->array);
        jsonout_print(object);
    } else {
        bool healthy = errors == 0;
        text_addf(&doctor->out, "%s%s%s: %d error%s, %d warning%s\n",
                  say_begin(healthy ? SAY_GOOD : SAY_BAD), healthy ? "healthy" : "unhealthy",
                  say_end(), errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
        say_text(&doctor->out);
    }
    text_free(&doctor->out);
    free(doctor->rollouts);
}

int doctor_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    struct doctor doctor = { .session = session };
    int64_t start = when_monotonic();
    /* Deferred, so that a store which cannot be read is a finding beside the others. */
    int result = session_open(session, CANARY_OPEN_DEFER);
    if (result != 0)
        return result;
    doctor.array = say_mode.json ? json_array() : NULL;
    doctor_files(&doctor, session_value(session, OPTION_DB));
    check_store(&doctor, start);
    doctor_metrics(&doctor, session, doctor.rollouts, doctor.rollout_count);
    check_hashing(&doctor);
    bool healthy = doctor.counts[DOCTOR_ERROR] == 0;
    finish(&doctor);
    return healthy ? 0 : CTL_EXIT_UNHEALTHY;
}
