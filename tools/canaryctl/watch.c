/* SPDX-License-Identifier: MIT */
/* See watch.h. Redraws on a terminal; piped, prints a line whenever something differs. */
#include "watch.h"

#include "jsonout.h"
#include "percent.h"
#include "screen.h"
#include "state.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How often to look at what the watcher thread has found; the eye sees no less. */
#define LOOK_MS 50
/* On a terminal the age goes on even when nothing changes. */
#define REDRAW_NS (WHEN_SECOND / 2)
#define BUSY_IS_NEWS_NS WHEN_SECOND

struct watch {
    struct session *session;
    canary_ctx *context;
    canary_store
        *store; /* one that does not wait for locks: what the bell says must show at once */
    canary_ctx_info info;
    canary_rollout state;
    bool state_known; /* read once at least */
    bool state_fresh; /* and at the last try */
};

static const char *source_name(int source) {
    static const char *const names[] = {
        "none", "open", "bell", "tick", "refresh", "change", "fork"
    };
    return source >= 0 && source < 7 ? names[source] : "unknown";
}

static void look(struct watch *watch) {
    watch->info = (canary_ctx_info)CANARY_CTX_INFO_INIT;
    canary_info(watch->context, &watch->info);
    /* Whoever commits holds the lock for a moment; that is no news until it lasts. */
    if (watch->info.last_error == CANARY_E_BUSY && watch->info.age_ns >= 0 &&
        watch->info.age_ns < BUSY_IS_NEWS_NS) {
        watch->info.last_error = 0;
        watch->info.last_message[0] = '\0';
    }
}

/* The context's numbers are what this host acts on; they win over the store's. */
static void read_state(struct watch *watch) {
    const canary_ctx_info *info = &watch->info;
    canary_rollout now = STATE_ROLLOUT_INIT;
    watch->state_fresh =
        canary_rollout_read(watch->store, watch->session->rollout, &now, NULL) == CANARY_OK;
    if (watch->state_fresh) {
        watch->state = now;
        watch->state_known = true;
    }
    watch->state.stage = info->stage;
    watch->state.percentage_bp = info->percentage_bp;
    watch->state.effective_bp = info->effective_bp;
    watch->state.kill_reasons = info->kill_reasons;
    watch->state.doubt = info->doubt;
    snprintf(watch->state.stage_name, sizeof(watch->state.stage_name), "%s", info->stage_name);
}

/* What counts as a change: everything but the age. */
static bool differs(const canary_ctx_info *a, const canary_ctx_info *b) {
    return a->revision != b->revision || a->stage != b->stage ||
           a->percentage_bp != b->percentage_bp || a->effective_bp != b->effective_bp ||
           a->kill_reasons != b->kill_reasons || a->doubt != b->doubt ||
           a->last_error != b->last_error || a->overrides_new != b->overrides_new ||
           a->overrides_old != b->overrides_old || strcmp(a->stage_name, b->stage_name) != 0;
}

static void say_line(const struct watch *watch) {
    const canary_ctx_info *info = &watch->info;
    char at[WHEN_SIZE];
    char configured[PERCENT_SIZE];
    char effective[PERCENT_SIZE];
    when_rfc3339(when_now(), at);
    percent_format(info->percentage_bp, configured);
    percent_format(info->effective_bp, effective);
    struct text out = { 0 };
    text_addf(&out, "%s %s revision %" PRIu64 " stage %d ", at, info->rollout, info->revision,
              info->stage);
    text_safe_string(&out, info->stage_name);
    text_addf(&out, ": %s %% configured, %s %% effective", configured, effective);
    if (info->kill_reasons != 0) {
        text_add(&out, "; killed by ");
        state_kill_text(info->kill_reasons, &out);
    }
    if (info->doubt != 0) {
        text_add(&out, "; in doubt: ");
        state_doubt_text(info->doubt, &out);
    }
    if (watch->state_fresh && watch->state.revision == info->revision) {
        text_add(&out, "; by ");
        text_safe_string(&out, watch->state.updated_by);
        if (watch->state.note[0] != '\0') {
            text_add(&out, ": ");
            text_safe_string(&out, watch->state.note);
        }
    }
    text_addf(&out, "; seen by %s", source_name(info->source));
    if (info->last_error != 0) {
        text_add(&out, "; last error: ");
        text_safe_string(&out, info->last_message);
    }
    text_add(&out, "\n");
    say_text(&out);
    text_free(&out);
}

static void say_object(const struct watch *watch) {
    const canary_ctx_info *info = &watch->info;
    json_t *object = watch->state_known ? state_json(&watch->state) : json_object();
    json_object_set_new(object, "rollout", jsonout_string(info->rollout));
    json_object_set_new(object, "stage", json_integer(info->stage));
    json_object_set_new(object, "stage_name", jsonout_string(info->stage_name));
    json_object_set_new(object, "percentage", jsonout_percent(info->percentage_bp));
    json_object_set_new(object, "effective_percentage", jsonout_percent(info->effective_bp));
    json_object_set_new(object, "killed", json_boolean(info->kill_reasons != 0));
    json_object_set_new(object, "kill_reasons", state_kill_words(info->kill_reasons));
    json_object_set_new(object, "doubt", state_doubt_words(info->doubt));
    json_object_set_new(object, "revision", json_integer((json_int_t)info->revision));
    json_object_set_new(object, "seen_at", jsonout_time(when_now()));
    json_object_set_new(object, "source", json_string(source_name(info->source)));
    json_object_set_new(object, "age_ms",
                        info->age_ns < 0 ? json_null() : jsonout_milliseconds(info->age_ns));
    json_object_set_new(object, "last_error",
                        info->last_error != 0 ? json_string(canary_error_name(info->last_error))
                                              : json_null());
    json_object_set_new(object, "last_message", jsonout_string(info->last_message));
    jsonout_line(object);
}

/* How fresh the picture is, and what stands in the way of a fresh one. */
static void add_freshness(const struct watch *watch, struct text *out) {
    const canary_ctx_info *info = &watch->info;
    char span[WHEN_SIZE] = "never";
    if (info->age_ns >= 0)
        when_span(info->age_ns, span);
    text_addf(out, "  %sseen     %s  confirmed %s%s, last change seen by %s; %s\n",
              say_begin(SAY_DIM), say_end(), span, info->age_ns >= 0 ? " ago" : "",
              source_name(info->source),
              info->bell == 1 ? "the bell reaches this host" : "no bell: by polling");
    if (info->last_error != 0) {
        text_addf(out, "  %serror    %s  ", say_begin(SAY_BAD), say_end());
        text_safe_string(out, info->last_message);
        text_addf(out, " (%s)\n", canary_error_name(info->last_error));
    }
}

static void redraw(struct watch *watch) {
    struct text out = { 0 };
    char at[WHEN_SIZE];
    when_short(when_now(), at);
    text_addf(&out, "%scanaryctl  %s  Ctrl-C ends%s\n\n", say_begin(SAY_DIM), at, say_end());
    if (watch->state_known)
        state_describe(&watch->state, &out);
    else
        text_addf(&out, "%s: the store cannot be read now; in effect on this host: %u.%02u %%\n",
                  watch->info.rollout, watch->info.effective_bp / 100,
                  watch->info.effective_bp % 100);
    add_freshness(watch, &out);
    screen_draw(&out);
    text_free(&out);
}

static void show(struct watch *watch) {
    if (say_mode.screen)
        redraw(watch);
    else if (say_mode.json)
        say_object(watch);
    else
        say_line(watch);
}

static void follow(struct watch *watch, struct screen *screen) {
    canary_ctx_info shown;
    int64_t drawn = 0;
    look(watch);
    read_state(watch);
    shown = watch->info;
    show(watch);
    drawn = when_monotonic();
    while (!screen_wait(screen, LOOK_MS)) {
        look(watch);
        if (differs(&watch->info, &shown)) {
            read_state(watch);
            shown = watch->info;
            show(watch);
            drawn = when_monotonic();
        } else if (say_mode.screen && when_monotonic() - drawn >= REDRAW_NS) {
            if (!watch->state_fresh)
                read_state(watch);
            show(watch);
            drawn = when_monotonic();
        }
    }
}

int watch_follow(struct session *session) {
    struct screen screen;
    screen_begin(&screen);
    struct watch watch = { .session = session };
    canary_options options = CANARY_OPTIONS_INIT;
    options.busy_timeout_ns = session->busy_timeout_ns;
    canary_error error = CANARY_ERROR_INIT;
    if (canary_open(session_value(session, OPTION_DB), session->rollout, &options, &watch.context,
                    &error) != CANARY_OK) {
        screen_end(&screen);
        return session_error(session, &error);
    }
    options.flags = CANARY_OPEN_DEFER | CANARY_OPEN_NO_WATCHER;
    options.busy_timeout_ns = 1;
    if (canary_store_open(session_value(session, OPTION_DB), &options, &watch.store, &error) !=
        CANARY_OK) {
        canary_close(&watch.context);
        screen_end(&screen);
        return session_error(session, &error);
    }
    screen_show();
    follow(&watch, &screen);
    screen_hide();
    canary_close(&watch.context);
    canary_store_close(&watch.store);
    screen_end(&screen);
    if (say_mode.screen && watch.state_known) {
        struct text out = { 0 };
        state_describe(&watch.state, &out);
        say_text(&out);
        text_free(&out);
    }
    return 0;
}
