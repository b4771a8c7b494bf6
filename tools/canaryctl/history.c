/* SPDX-License-Identifier: MIT */
/* `history`: the audit trail, newest first. */
#include "change.h"
#include "jsonout.h"
#include "percent.h"
#include "session.h"
#include "table.h"
#include "text.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct history {
    struct session *session;
    struct table table;
    json_t *array;
    bool all;
    uint64_t rows;
    char *evidence; /* room for one; NULL when it is not asked for */
    struct text told;
    canary_error error;
};

/* 64 KiB is the most that the library takes. */
enum { EVIDENCE_ROOM = 65537 };

/* Each line on its own, so that none of them can draw over the others. */
static void tell_evidence(struct history *history, const canary_change *change) {
    struct text *out = &history->told;
    text_addf(out, "\n%s", history->all && change->rollout[0] != '\0' ? change->rollout : "");
    text_addf(out, "%srevision %" PRIu64 ", %s:\n",
              history->all && change->rollout[0] != '\0' ? ", " : "", change->revision,
              change->action);
    for (const char *line = history->evidence; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        text_add(out, "  ");
        text_safe(out, line, length);
        text_add(out, "\n");
        line += length + (line[length] == '\n');
    }
}

/* 0, or -1 when it cannot be read. */
static int add_evidence(struct history *history, const canary_change *change, json_t *object) {
    if (history->evidence == NULL)
        return 0;
    if (canary_change_evidence(history->session->store, change->id, history->evidence,
                               EVIDENCE_ROOM, NULL, &history->error) != CANARY_OK)
        return -1;
    if (history->evidence[0] == '\0')
        return 0;
    if (object != NULL)
        json_object_set_new(object, "evidence", jsonout_string(history->evidence));
    else
        tell_evidence(history, change);
    return 0;
}

static void add_move(struct table *table, const canary_change *change) {
    char from[PERCENT_SIZE];
    char to[PERCENT_SIZE];
    percent_format(change->from_percentage_bp, from);
    percent_format(change->to_percentage_bp, to);
    if (change->from_stage < 0)
        table_cell(table, SAY_PLAIN, "%d", change->to_stage);
    else if (change->from_stage == change->to_stage)
        table_cell(table, SAY_PLAIN, "%d", change->to_stage);
    else
        table_cell(table, SAY_PLAIN, "%d -> %d", change->from_stage, change->to_stage);
    if (change->from_stage < 0 || change->from_percentage_bp == change->to_percentage_bp)
        table_cell(table, SAY_PLAIN, "%s %%", to);
    else
        table_cell(table,
                   change->to_percentage_bp < change->from_percentage_bp ? SAY_WARN : SAY_GOOD,
                   "%s -> %s %%", from, to);
}

static int add_row(void *user_data, const canary_change *change) {
    struct history *history = user_data;
    history->rows++;
    if (history->array != NULL) {
        json_t *object = change_json(change);
        json_array_append_new(history->array, object);
        return add_evidence(history, change, object);
    }
    struct table *table = &history->table;
    char at[WHEN_SIZE];
    when_short(change->at_ns, at);
    table_cell(table, SAY_PLAIN, "%s", at);
    if (history->all)
        table_safe(table, SAY_PLAIN, change->rollout[0] != '\0' ? change->rollout : "-");
    table_cell(table, SAY_PLAIN, "%" PRIu64, change->revision);
    if (change->flag[0] != '\0')
        table_cell(table, SAY_PLAIN, "%s %s", change->action, change->flag);
    else if (change->user_hash != 0)
        table_cell(table, SAY_PLAIN, "%s h=%08x", change->action, change->user_hash);
    else
        table_cell(table, SAY_PLAIN, "%s", change->action);
    add_move(table, change);
    table_safe(table, SAY_PLAIN, change->by);
    table_safe(table, SAY_PLAIN, change->note);
    return add_evidence(history, change, NULL);
}

int history_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int64_t limit = 20;
    int result = session_number(session, OPTION_LIMIT, 0, INT64_MAX, &limit);
    if (result == 0)
        result = session_open(session, 0);
    struct history history = { .session = session,
                               .all = session_given(session, OPTION_ALL),
                               .error = CANARY_ERROR_INIT };
    if (result == 0 && !history.all)
        result = session_rollout(session);
    if (result != 0)
        return result;
    static const char *const titles[] = { "TIME", "REV", "ACTION", "STAGE", "SHARE", "BY", "NOTE" };
    static const char *const titles_all[] = { "TIME",  "ROLLOUT", "REV", "ACTION",
                                              "STAGE", "SHARE",   "BY",  "NOTE" };
    if (say_mode.json)
        history.array = json_array();
    else if (history.all)
        table_begin(&history.table, 8, titles_all, 1u << 2);
    else
        table_begin(&history.table, 7, titles, 1u << 1);
    if (session_given(session, OPTION_EVIDENCE))
        history.evidence = text_memory(NULL, EVIDENCE_ROOM);
    canary_error *error = &history.error;
    canary_history(session->store, history.all ? NULL : session->rollout, (uint64_t)limit, 0,
                   add_row, &history, error);
    free(history.evidence);
    if (error->code != CANARY_OK) {
        json_decref(history.array);
        table_free(&history.table);
        text_free(&history.told);
        return session_error(session, error);
    }
    if (history.array != NULL) {
        jsonout_print(history.array);
        return 0;
    }
    struct text out = { 0 };
    table_end(&history.table, &out, say_columns());
    if (limit > 0 && history.rows == (uint64_t)limit)
        text_addf(&out, "%sthe newest %" PRId64 "; --limit 0 shows all%s\n", say_begin(SAY_DIM),
                  limit, say_end());
    text_bytes(&out, history.told.data, history.told.size);
    say_text(&out);
    text_free(&out);
    text_free(&history.told);
    return 0;
}
