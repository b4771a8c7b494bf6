/* SPDX-License-Identifier: MIT */
/* `list`: every rollout of a store. */
#include "jsonout.h"
#include "percent.h"
#include "session.h"
#include "state.h"
#include "table.h"
#include "when.h"

#include <stdlib.h>

struct listing {
    canary_rollout *states;
    size_t count;
    size_t capacity;
};

static int collect(void *user_data, const canary_rollout *entry) {
    struct listing *listing = user_data;
    if (listing->count == listing->capacity) {
        listing->capacity = listing->capacity == 0 ? 8 : listing->capacity * 2;
        listing->states =
            text_memory(listing->states, listing->capacity * sizeof(listing->states[0]));
    }
    listing->states[listing->count++] = *entry;
    return 0;
}

static void say_table(const struct listing *listing) {
    static const char *const titles[] = { "ROLLOUT", "STAGE",    "CONFIGURED", "EFFECTIVE",
                                          "FLAG",    "REVISION", "CHANGED",    "BY" };
    struct table table;
    table_begin(&table, 8, titles, 1u << 2 | 1u << 3 | 1u << 5);
    for (size_t i = 0; i < listing->count; i++) {
        const canary_rollout *state = &listing->states[i];
        char configured[PERCENT_SIZE];
        char effective[PERCENT_SIZE];
        char at[WHEN_SIZE];
        percent_format(state->percentage_bp, configured);
        percent_format(state->effective_bp, effective);
        when_short(state->updated_at_ns, at);
        bool lowered = state->effective_bp < state->percentage_bp || state->kill_reasons != 0;
        bool on = state->flag_enabled == 1;
        table_cell(&table, SAY_STRONG, "%s", state->name);
        table_cell(&table, SAY_PLAIN, "%d %s", state->stage, state->stage_name);
        table_cell(&table, SAY_PLAIN, "%s %%", configured);
        table_cell(&table, lowered ? SAY_BAD : SAY_PLAIN, "%s %%", effective);
        table_cell(&table, on ? SAY_PLAIN : SAY_BAD, "%s %s", state->flag, on ? "on" : "off");
        table_cell(&table, SAY_PLAIN, "%llu", (unsigned long long)state->revision);
        table_cell(&table, SAY_PLAIN, "%s", at);
        table_safe(&table, SAY_PLAIN, state->updated_by);
    }
    struct text out = { 0 };
    table_end(&table, &out, say_columns());
    for (size_t i = 0; i < listing->count; i++) {
        const canary_rollout *state = &listing->states[i];
        if (state->effective_bp < state->percentage_bp || state->doubt != 0) {
            text_addf(&out, "%s: ", state->name);
            state_exposure(state, &out);
            text_add(&out, "\n");
        }
    }
    say_text(&out);
    text_free(&out);
}

int list_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int result = session_open(session, 0);
    if (result != 0)
        return result;
    struct listing listing = { 0 };
    canary_error error = CANARY_ERROR_INIT;
    if (canary_rollout_list(session->store, collect, &listing, &error) != CANARY_OK) {
        free(listing.states);
        return session_error(session, &error);
    }
    if (session_given(session, OPTION_BRIEF) && !say_mode.json) {
        struct text out = { 0 };
        text_add(&out, "");
        for (size_t i = 0; i < listing.count; i++)
            text_addf(&out, "%s\n", listing.states[i].name);
        say_text(&out);
        text_free(&out);
    } else if (say_mode.json) {
        json_t *array = json_array();
        for (size_t i = 0; i < listing.count; i++)
            json_array_append_new(array, session_given(session, OPTION_BRIEF)
                                             ? json_string(listing.states[i].name)
                                             : state_json(&listing.states[i]));
        jsonout_print(array);
    } else if (listing.count == 0) {
        say_out("no rollouts yet; canaryctl create NAME makes one\n", 49);
    } else {
        say_table(&listing);
    }
    free(listing.states);
    return 0;
}
