/* SPDX-License-Identifier: MIT */
/* `import`: figures that were computed elsewhere, in bounded memory. Rows are merged by the ten
 * thousand, each time under a key of its own, so that a delivery that was cut off can be repeated
 * whole. */
#include "import.h"

#include "exits.h"
#include "jsonout.h"
#include "when.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_MOST 112 /* leaves room for the number of a batch */

static void clear_progress(struct import *import) {
    if (import->shown != 0)
        fputs("\r\033[K", stderr);
}

static void tell(struct import *import, uint64_t line, const char *message) {
    if (import->told++ >= IMPORT_SHOWN)
        return;
    if (import->refusals != NULL) {
        json_array_append_new(import->refusals, json_pack("{s:I, s:o}", "line", (json_int_t)line,
                                                          "message", jsonout_string(message)));
        return;
    }
    struct text text = { 0 };
    text_addf(&text, "line %" PRIu64 ": ", line);
    text_safe_string(&text, message);
    clear_progress(import);
    fprintf(stderr, "%s\n", text.data);
    text_free(&text);
}

/* Tells what was refused before a line, so that all come in their order. */
static void tell_waiting(struct import *import, uint64_t before) {
    size_t count = 0;
    while (count < import->waiting_count && import->waiting[count].line < before) {
        tell(import, import->waiting[count].line, import->waiting[count].message);
        count++;
    }
    import->waiting_count -= count;
    memmove(import->waiting, import->waiting + count,
            import->waiting_count * sizeof(import->waiting[0]));
}

void import_refuse(struct import *import, uint64_t line, const char *message) {
    import->refused++;
    if (import->waiting_count == IMPORT_SHOWN)
        return;
    struct refusal *refusal = &import->waiting[import->waiting_count++];
    refusal->line = line;
    snprintf(refusal->message, sizeof(refusal->message), "%s", message);
}

static void show_progress(struct import *import) {
    int64_t now = when_monotonic();
    if (say_mode.json || isatty(STDERR_FILENO) != 1 || now - import->started < WHEN_SECOND)
        return;
    import->shown = now;
    fprintf(stderr, "\r\033[K%" PRIu64 " rows read, %" PRIu64 " merged, %" PRIu64 " refused",
            import->total, import->merged, import->refused);
}

/* The first batch has the delivery's own key, so that a small one can be looked up by it. */
static void make_key(struct import *import) {
    char digest[INPUT_DIGEST];
    import->batch++;
    if (import->key == NULL) {
        input_digest(&import->input, digest);
        snprintf(import->last_key, sizeof(import->last_key), "sha256-%s", digest);
    } else if (import->batch == 1) {
        snprintf(import->last_key, sizeof(import->last_key), "%s", import->key);
    } else {
        snprintf(import->last_key, sizeof(import->last_key), "%s:%" PRIu64, import->key,
                 import->batch);
    }
}

static int tell_failure(struct import *import, const canary_error *error) {
    char done[200] = "";
    clear_progress(import);
    if (import->merged + import->repeated > 0)
        snprintf(done, sizeof(done),
                 "%" PRIu64 " rows before are merged; repeating the same delivery under the same "
                 "key goes on behind them",
                 import->merged + import->repeated);
    if (error->code == CANARY_E_CONFLICT)
        return say_error(error, true,
                         "another delivery had this key: is it a corrected one? Then deliver only "
                         "the rows that were refused, under another --key");
    return done[0] != '\0' ? say_error(error, true, done) : session_error(import->session, error);
}

static void note_declared(struct import *import, const canary_import_row *row) {
    text_addf(&import->declared, "%s%s", import->declared.size == 0 ? "" : ", ", row->metric);
    json_array_append_new(import->declared_json, jsonout_string(row->metric));
}

/* What the store says of a row; NULL when it is counted. Rows of a repeated delivery are judged
 * again, so that a second answer says what the first one said. */
static const char *refusal_of(const canary_import_result *result, bool repeated) {
    if (repeated && result->declared == 1)
        return "its metric was not known when this delivery was merged, and nothing of it is "
               "merged now: import it alone, under another --key";
    if (result->code == CANARY_OK)
        return NULL;
    return result->message[0] != '\0' ? result->message : canary_strerror(result->code);
}

static void count_results(struct import *import, bool repeated) {
    for (size_t i = 0; i < import->count; i++) {
        const canary_import_result *result = &import->results[i];
        const char *message = refusal_of(result, repeated);
        if (message == NULL && result->declared == 1)
            note_declared(import, &import->rows[i]);
        if (message == NULL) {
            *(repeated ? &import->repeated : &import->merged) += 1;
            continue;
        }
        import->refused++;
        import->undeclared = import->undeclared || result->code == CANARY_E_NOT_FOUND;
        tell_waiting(import, import->slots[i].line);
        tell(import, import->slots[i].line, message);
    }
    tell_waiting(import, UINT64_MAX);
}

static int flush(struct import *import) {
    if (import->count == 0) {
        tell_waiting(import, UINT64_MAX);
        return 0;
    }
    int32_t repeated = 0;
    canary_error error = CANARY_ERROR_INIT;
    make_key(import);
    memset(import->results, 0, import->count * sizeof(import->results[0]));
    if (!import->dry_run &&
        canary_import(import->session->store, import->session->rollout, import->last_key,
                      import->rows, import->count, import->results, &repeated, &error) != CANARY_OK)
        return tell_failure(import, &error);
    count_results(import, repeated == 1);
    import->count = 0;
    show_progress(import);
    return 0;
}

int import_row(struct import *import, const struct fields *fields, uint64_t line) {
    char message[FIELDS_MESSAGE];
    canary_import_row *row = &import->rows[import->count];
    struct slot *slot = &import->slots[import->count];
    if (!fields_row(fields, &import->known, row, message)) {
        import_refuse(import, line, message);
        return 0;
    }
    slot->line = line;
    snprintf(slot->metric, sizeof(slot->metric), "%s", row->metric);
    snprintf(slot->unit, sizeof(slot->unit), "%s", row->unit != NULL ? row->unit : "");
    row->metric = slot->metric;
    row->unit = slot->unit[0] != '\0' ? slot->unit : NULL;
    row->declare = import->declare ? 1 : 0;
    return ++import->count == IMPORT_BATCH ? flush(import) : 0;
}

/* The rest of a delivery whose sender died may come under the same name, so that of its last batch nothing
 * is merged: repeated whole it would be another one, and count its rows again. */
static void cut_off(struct import *import, uint64_t line) {
    char message[FIELDS_MESSAGE];
    snprintf(message, sizeof(message),
             "the input ends within it; nothing of the last %zu rows before it is merged",
             import->count);
    import_refuse(import, line, import->count > 0 ? message : "the input ends within it");
    import->refused += import->count;
    import->count = 0;
    import->cut_off = true;
}

/* Reads all records; ends at the first failure that is not a row's own. */
static int read_records(struct import *import) {
    struct text record = { 0 };
    bool array = input_peek(&import->input) == '[' && !import->csv;
    bool first = true;
    int result = 0;
    while (result == 0) {
        uint64_t line = 0;
        enum input_result got = array ? input_element(&import->input, first, &record, &line)
                                      : input_line(&import->input, &record, &line);
        first = false;
        if (got == INPUT_END)
            break;
        if (got == INPUT_RECORD && (record.size > 0 || !array)) {
            result = import_record(import, &record, line);
            continue;
        }
        import->total += got != INPUT_TRAILING;
        if (got == INPUT_TRUNCATED) {
            cut_off(import, line);
            break;
        }
        import_refuse(import, line,
                      got == INPUT_RECORD ? "nothing stands between two commas"
                      : got == INPUT_TOO_LONG
                          ? "it is longer than a mebibyte"
                          : "something follows the end of the array; it is not read");
        if (got != INPUT_TOO_LONG && got != INPUT_RECORD)
            break;
    }
    text_free(&record);
    if (result == 0 && import->input.failed != 0)
        result = say_failure(CANARY_E_SYSTEM, NULL, "cannot read the input: %s",
                             strerror(import->input.failed));
    return result == 0 ? flush(import) : result;
}

static void say_result(struct import *import) {
    const char *rollout = import->session->rollout;
    if (say_mode.json) {
        jsonout_print(json_pack(
            "{s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:O, s:O}", "rollout", jsonout_string(rollout),
            "key", jsonout_string(import->last_key), "dry_run", import->dry_run, "rows",
            (json_int_t)import->total, "merged", (json_int_t)(import->dry_run ? 0 : import->merged),
            "repeated", (json_int_t)import->repeated, "refused", (json_int_t)import->refused,
            "declared", import->declared_json, "refusals", import->refusals));
        return;
    }
    struct text out = { 0 };
    text_addf(&out, "%s%s%s  ", say_begin(SAY_STRONG), rollout, say_end());
    if (import->dry_run)
        text_addf(&out, "%sdry run, nothing is changed:%s ", say_begin(SAY_WARN), say_end());
    figures_count(import->merged, &out);
    text_addf(&out, " of ");
    figures_count(import->total, &out);
    text_addf(&out, " row%s %s", import->total == 1 ? "" : "s",
              import->dry_run ? "can be read" : "merged");
    if (import->refused > 0) {
        text_addf(&out, ", %s", say_begin(SAY_BAD));
        figures_count(import->refused, &out);
        text_addf(&out, " refused%s", say_end());
    }
    if (import->repeated > 0) {
        text_add(&out, ", ");
        figures_count(import->repeated, &out);
        text_add(&out, " merged before and not counted again");
    }
    text_add(&out, "\n");
    if (import->last_key[0] != '\0' && !import->dry_run)
        text_addf(&out, "  %skey      %s  %s\n", say_begin(SAY_DIM), say_end(), import->last_key);
    if (import->declared.size > 0)
        text_addf(&out, "  %sdeclared %s  %s\n", say_begin(SAY_DIM), say_end(),
                  import->declared.data);
    if (import->repeated > 0 && import->key == NULL)
        text_addf(&out,
                  "  %snext     %s  figures that are new although they look the same: give them a "
                  "--key, or times in `at`\n",
                  say_begin(SAY_DIM), say_end());
    say_text(&out);
    text_free(&out);
}

static int finish(struct import *import) {
    clear_progress(import);
    if (import->total == 0)
        return say_failure(CANARY_E_INVALID, NULL, "the input holds no rows%s",
                           import->csv && import->column_count == 0 ? ", and no header" : "");
    say_result(import);
    if (import->refused == 0)
        return 0;
    if (!say_mode.json && import->refused > IMPORT_SHOWN)
        fprintf(stderr, "and %" PRIu64 " more refused\n", import->refused - IMPORT_SHOWN);
    if (!say_mode.json && import->cut_off)
        fputs("next: deliver all of it again; what is merged already is not counted again\n",
              stderr);
    else if (!say_mode.json)
        fprintf(stderr, "next: correct these rows%s and import them %s\n",
                import->undeclared && !import->declare
                    ? ", or let them declare metrics (--declare),"
                    : "",
                import->merged + import->repeated > 0 ? "alone; the others are merged"
                                                      : "again; nothing is merged");
    return CTL_EXIT_ERROR;
}

static int check_format(const struct session *session, const char *file, bool *csv) {
    const char *format = session_value(session, OPTION_FORMAT);
    const char *dot = file != NULL ? strrchr(file, '.') : NULL;
    if (format == NULL && dot != NULL)
        format =
            strcmp(dot, ".csv") == 0 ? "csv"
            : strcmp(dot, ".json") == 0 || strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0
                ? "json"
                : NULL;
    if (format == NULL)
        return say_usage(session->command, "give --format json or --format csv");
    if (strcmp(format, "json") != 0 && strcmp(format, "csv") != 0)
        return say_usage(session->command, "--format \"%s\" is none: json or csv", format);
    *csv = strcmp(format, "csv") == 0;
    return 0;
}

static int check_key(const struct session *session) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    const char *key = session_value(session, OPTION_KEY);
    if (key == NULL || (strlen(key) <= KEY_MOST && key[strspn(key, allowed)] == '\0'))
        return 0;
    return say_usage(session->command,
                     "--key \"%.140s\" is not allowed: 1 to %d of A-Z a-z 0-9 . _ : -", key,
                     KEY_MOST);
}

static int open_input(const struct session *session, const char *file, int *descriptor) {
    *descriptor = STDIN_FILENO;
    if (file == NULL || strcmp(file, "-") == 0)
        return 0;
    *descriptor = open(file, O_RDONLY | O_CLOEXEC);
    return *descriptor >= 0 ? 0
                            : say_failure(errno == ENOENT ? CANARY_E_NOT_FOUND : CANARY_E_SYSTEM,
                                          NULL, "%s: cannot open \"%s\": %s",
                                          session->command->name, file, strerror(errno));
}

static int run(struct import *import) {
    canary_error error = CANARY_ERROR_INIT;
    /* The kinds of what is there: a number may be a value or a score. */
    if (figures_read(import->session->store, import->session->rollout, NULL, &import->known,
                     &error) != CANARY_OK)
        return session_error(import->session, &error);
    int result = read_records(import);
    return result == 0 ? finish(import) : result;
}

int import_run(struct session *session, int count, char **words) {
    const char *file = count > 0 ? words[0] : NULL;
    bool from_input = session_given(session, OPTION_STDIN);
    bool csv = false;
    int descriptor = -1;
    if (from_input == (file != NULL))
        return say_usage(session->command,
                         from_input ? "give FILE or --stdin, not both" : "give --stdin or FILE");
    int result = check_format(session, file, &csv);
    if (result == 0)
        result = check_key(session);
    if (result == 0)
        result = session_open_rollout(session, 0);
    if (result == 0)
        result = open_input(session, file, &descriptor);
    if (result != 0)
        return result;
    struct import *import = text_memory(NULL, sizeof(*import));
    memset(import, 0, sizeof(*import));
    import->session = session;
    import->csv = csv;
    import->key = session_value(session, OPTION_KEY);
    import->declare = session_given(session, OPTION_DECLARE);
    import->dry_run = session_given(session, OPTION_DRY_RUN);
    import->refusals = say_mode.json ? json_array() : NULL;
    import->declared_json = json_array();
    import->started = when_monotonic();
    input_begin(&import->input, descriptor);
    result = run(import);
    input_end(&import->input);
    figures_free(&import->known);
    text_free(&import->declared);
    json_decref(import->refusals);
    json_decref(import->declared_json);
    free(import);
    return result;
}
