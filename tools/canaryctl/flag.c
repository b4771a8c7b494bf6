/* SPDX-License-Identifier: MIT */
/* `flag list`, `flag on`, `flag off`. */
#include "change.h"
#include "jsonout.h"
#include "state.h"
#include "table.h"
#include "when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    struct table table;
    struct text names;
    json_t *array;
    bool brief;
    uint64_t count;
};

static json_t *flag_json(const canary_flag *flag) {
    json_t *object = json_object();
    json_object_set_new(object, "name", jsonout_string(flag->name));
    json_object_set_new(object, "enabled", json_boolean(flag->enabled));
    json_object_set_new(object, "rollouts", json_integer(flag->rollouts));
    json_object_set_new(object, "doubt", state_doubt_words(flag->doubt));
    json_object_set_new(object, "updated_at", jsonout_time(flag->updated_at_ns));
    json_object_set_new(object, "updated_by", jsonout_string(flag->updated_by));
    json_object_set_new(object, "note", jsonout_string(flag->note));
    return object;
}

static int add_flag(void *user_data, const canary_flag *flag) {
    struct listing *listing = user_data;
    listing->count++;
    if (listing->array != NULL) {
        json_array_append_new(listing->array,
                              listing->brief ? json_string(flag->name) : flag_json(flag));
        return 0;
    }
    if (listing->brief) {
        text_addf(&listing->names, "%s\n", flag->name);
        return 0;
    }
    char at[WHEN_SIZE];
    when_short(flag->updated_at_ns, at);
    table_cell(&listing->table, SAY_STRONG, "%s", flag->name);
    table_cell(&listing->table, flag->enabled ? SAY_GOOD : SAY_BAD, "%s%s",
               flag->enabled ? "on" : "off", flag->doubt != 0 ? ", changed outside" : "");
    table_cell(&listing->table, SAY_PLAIN, "%u", flag->rollouts);
    table_cell(&listing->table, SAY_PLAIN, "%s", at);
    table_safe(&listing->table, SAY_PLAIN, flag->updated_by);
    table_safe(&listing->table, SAY_PLAIN, flag->note);
    return 0;
}

int flag_list_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int result = session_open(session, 0);
    if (result != 0)
        return result;
    static const char *const titles[] = { "FLAG", "STATE", "ROLLOUTS", "CHANGED", "BY", "NOTE" };
    struct listing listing = { .array = say_mode.json ? json_array() : NULL,
                               .brief = session_given(session, OPTION_BRIEF) };
    if (listing.array == NULL && !listing.brief)
        table_begin(&listing.table, 6, titles, 1u << 2);
    canary_error error = CANARY_ERROR_INIT;
    if (canary_flag_list(session->store, add_flag, &listing, &error) != CANARY_OK) {
        json_decref(listing.array);
        table_free(&listing.table);
        text_free(&listing.names);
        return session_error(session, &error);
    }
    struct text out = { 0 };
    text_add(&out, "");
    if (listing.array != NULL)
        jsonout_print(listing.array);
    else if (listing.brief)
        text_bytes(&out, listing.names.data, listing.names.size);
    else
        table_end(&listing.table, &out, say_columns());
    if (listing.array == NULL && !listing.brief && listing.count == 0)
        text_add(&out, "no flags yet; each new rollout makes one\n");
    say_text(&out);
    text_free(&out);
    text_free(&listing.names);
    return 0;
}

/* What a switch will do, seen before it: who obeys the flag, and whether it is there at all. */
struct obeying {
    const char *flag;
    bool exists;
    bool enabled;
    char nearest[136];
    int best;
    uint32_t rollouts;
    uint32_t effective_bp; /* of the only one, or the largest */
    struct text names;
};

static int look_at_flag(void *user_data, const canary_flag *entry) {
    struct obeying *obeying = user_data;
    if (strcmp(entry->name, obeying->flag) == 0) {
        obeying->exists = true;
        obeying->enabled = entry->enabled == 1;
    }
    int distance = say_distance(entry->name, obeying->flag);
    if (distance < obeying->best) {
        obeying->best = distance;
        memcpy(obeying->nearest, entry->name, sizeof(obeying->nearest));
    }
    return 0;
}

static int look_at_rollout(void *user_data, const canary_rollout *entry) {
    struct obeying *obeying = user_data;
    if (strcmp(entry->flag, obeying->flag) != 0)
        return 0;
    text_addf(&obeying->names, "%s%s", obeying->rollouts == 0 ? "" : ", ", entry->name);
    obeying->rollouts++;
    if (state_effective_elsewhere(entry) > obeying->effective_bp)
        obeying->effective_bp = state_effective_elsewhere(entry);
    return 0;
}

static void look(struct session *session, struct obeying *obeying) {
    canary_flag_list(session->store, look_at_flag, obeying, NULL);
    canary_rollout_list(session->store, look_at_rollout, obeying, NULL);
}

static int change_flag(struct session *session, const char *flag, int enabled) {
    struct change run;
    int result = change_open(session, 0, &run);
    if (result != 0)
        return result;
    struct obeying before = { .flag = flag, .best = 4 };
    struct obeying after = { .flag = flag, .best = 4 };
    look(session, &before);
    run.started = when_monotonic();
    if (canary_flag_set(session->store, flag, enabled, &run.options, &run.made, &run.error) !=
        CANARY_OK) {
        text_free(&before.names);
        return session_error(session, &run.error);
    }
    struct change_report report = change_report(&run);
    look(session, &after);
    report.exposure_known = true;
    report.from_effective_bp = before.effective_bp;
    report.to_effective_bp = after.effective_bp;
    struct text what = { 0 };
    struct text undo = { 0 };
    struct text warning = { 0 };
    text_addf(&what, "flag %s is %s", flag, enabled ? "on" : "off");
    if (after.rollouts > 1)
        text_addf(&what, ", for %u rollouts: %s", after.rollouts, after.names.data);
    session_command(session, false, &undo);
    text_addf(&undo, "flag %s %s", enabled ? "off" : "on", flag);
    report.what = what.data;
    if (before.exists && before.enabled == (enabled == 1))
        report.no_undo = "nothing to undo, the flag stood there before";
    else
        report.undo = undo.data;
    if (after.rollouts == 0) {
        text_addf(&warning, "no rollout obeys flag %s%s: nobody moved", flag,
                  before.exists ? "" : ", which was made just now");
        if (!before.exists && before.nearest[0] != '\0')
            text_addf(&warning, "; did you mean \"%s\"?", before.nearest);
        report.warning = warning.data;
    }
    change_say(session, &report);
    text_free(&what);
    text_free(&undo);
    text_free(&warning);
    text_free(&before.names);
    text_free(&after.names);
    return 0;
}

int flag_on_run(struct session *session, int count, char **words) {
    (void)count;
    return change_flag(session, words[0], 1);
}

int flag_off_run(struct session *session, int count, char **words) {
    (void)count;
    return change_flag(session, words[0], 0);
}
