/* SPDX-License-Identifier: MIT */
/* `watch`: follows a rollout and tells others of each change, in order. The trail says what happened;
 * beside it stands what is in effect, since a flag that was edited by SQL leaves no row and must move a
 * mesh's weight all the same. */
#include "cursor.h"
#include "deliver.h"
#include "jsonout.h"
#include "session.h"
#include "state.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often to look at what the watcher thread has found. */
#define LOOK_MS 20
/* What is in effect without a row for so long will have none: a rollback rings before it is recorded. */
#define UNEXPLAINED_NS (WHEN_SECOND / 2)
#define DEFAULT_ATTEMPTS 8
#define FIRST_PAUSE_NS (WHEN_SECOND / 2)
#define LONGEST_PAUSE_NS (30 * WHEN_SECOND)

/* An event that a webhook is to hear of. Commands do not wait for it: they move traffic, and one that
 * takes it back must not stand behind a webhook that hears nothing. */
struct post {
    char *body;
    char *key;
    char action[32];
    uint64_t revision;
    struct cursor after; /* what the cursor is to remember then; change 0 = nothing new */
    int attempt;
    int64_t due; /* monotonic */
    int64_t pause;
};

struct tell {
    struct session *session;
    struct screen screen;
    canary_ctx *context;
    const char *command; /* NULL = none */
    const char *url;
    const char *cursor_path;
    int attempts;
    struct cursor cursor; /* all that came before it was told to everybody */
    uint64_t change;      /* up to which the command was run */
    struct post *posts;   /* in order */
    size_t post_count;
    uint64_t revision; /* up to which the trail was read */
    uint32_t told_bp;  /* exposure that was told last */
    int32_t told_stage;
    int64_t differs_since; /* what is in effect is not what was told; monotonic; 0 = it is */
    bool flag_on;          /* after the last row that was told */
    canary_change *rows;   /* that are to be told, newest first */
    size_t count;
    size_t capacity;
};

static int keep(void *user_data, const canary_change *change) {
    struct tell *tell = user_data;
    if (change->id <= tell->change)
        return 1;
    if (tell->count == tell->capacity) {
        tell->capacity = tell->capacity == 0 ? 16 : tell->capacity * 2;
        tell->rows = text_memory(tell->rows, tell->capacity * sizeof(*tell->rows));
    }
    tell->rows[tell->count++] = *change;
    return 0;
}

static void say_event(const struct event *event) {
    if (say_mode.json) {
        jsonout_line(event_json(event));
        return;
    }
    struct text line = { 0 };
    char at[WHEN_SIZE];
    when_rfc3339(event->at_ns, at);
    text_addf(&line, "%s ", at);
    event_sentence(event, &line);
    text_add(&line, "\n");
    say_text(&line);
    text_free(&line);
}

static int remember(struct tell *tell, const struct cursor *cursor) {
    char why[240];
    if (cursor->change == 0)
        return 0;
    tell->cursor = *cursor;
    if (tell->cursor_path != NULL && !cursor_write(tell->cursor_path, &tell->cursor, why))
        return say_failure(CANARY_E_IO, NULL, "--cursor: %s", why);
    return 0;
}

static void add_post(struct tell *tell, const struct event *event, const struct cursor *after) {
    json_t *body = deliver_body(event);
    struct text key = { 0 };
    struct post post = { .body = json_dumps(body, JSON_COMPACT),
                         .revision = event->revision,
                         .after = *after,
                         .attempt = 1,
                         .due = when_monotonic(),
                         .pause = FIRST_PAUSE_NS };
    json_decref(body);
    if (post.body == NULL) {
        say_warning("--webhook: no memory to tell of revision %" PRIu64, event->revision);
        return;
    }
    text_add(&key, event->key);
    post.key = key.data;
    snprintf(post.action, sizeof(post.action), "%s", event->action);
    tell->posts = text_memory(tell->posts, (tell->post_count + 1) * sizeof(*tell->posts));
    tell->posts[tell->post_count++] = post;
}

static void drop_post(struct tell *tell) {
    free(tell->posts[0].body);
    free(tell->posts[0].key);
    memmove(tell->posts, tell->posts + 1, --tell->post_count * sizeof(*tell->posts));
}

/* `after` is what the cursor remembers when everybody was told. */
static int tell_all(struct tell *tell, const struct event *event, const struct cursor *after,
                    bool *stop) {
    say_event(event);
    if (tell->command != NULL &&
        deliver_exec(tell->command, event, &tell->screen) == DELIVERY_STOPPED) {
        *stop = true;
        return 0;
    }
    tell->told_bp = event->percentage_bp;
    tell->told_stage = event->stage;
    tell->differs_since = 0;
    if (tell->url == NULL)
        return remember(tell, after);
    add_post(tell, event, after);
    return 0;
}

/* Whether the flag was on after a row: flags are told of in rows of their own. */
static bool flag_after(bool before, const canary_change *row) {
    if (strcmp(row->action, "flag_off") == 0)
        return false;
    return strcmp(row->action, "flag_on") == 0 || before;
}

static int tell_row(struct tell *tell, const canary_change *row, bool *stop) {
    tell->flag_on = flag_after(tell->flag_on, row);
    struct event event = {
        .rollout = row->rollout,
        .action = row->action,
        .reason = row->note,
        .by = row->by,
        .stage = row->to_stage,
        .from_stage = row->from_stage,
        .percentage_bp = tell->flag_on ? row->to_percentage_bp : 0,
        .from_bp = tell->told_bp,
        .revision = row->revision,
        .change = row->id,
        .at_ns = row->at_ns,
        .key = row->hash,
    };
    struct cursor after = { .change = row->id };
    memcpy(after.hash, row->hash, sizeof(after.hash));
    int result = tell_all(tell, &event, &after, stop);
    if (!*stop)
        tell->change = row->id;
    return result;
}

/* The flag before the first of these rows, from how it is now: the first row that switches it says
 * that it was the other way before. */
static bool flag_before(const struct tell *tell, bool now) {
    for (size_t i = tell->count; i-- > 0;) {
        if (strcmp(tell->rows[i].action, "flag_off") == 0)
            return true;
        if (strcmp(tell->rows[i].action, "flag_on") == 0)
            return false;
    }
    return now;
}

static int tell_rows(struct tell *tell, bool *stop) {
    struct session *session = tell->session;
    canary_rollout now = STATE_ROLLOUT_INIT;
    canary_error error = CANARY_ERROR_INIT;
    int result = 0;
    tell->count = 0;
    /* The state first: rows that come after it are told in the next round. */
    if (canary_rollout_read(session->store, session->rollout, &now, &error) != CANARY_OK ||
        canary_history(session->store, session->rollout, 0, 0, keep, tell, &error) != CANARY_OK) {
        /* A locked or broken store is waited for: exposure in effect is told all the same. */
        return error.code == CANARY_E_NOT_FOUND ? session_error(session, &error) : 0;
    }
    tell->flag_on = flag_before(tell, now.flag_enabled != 0);
    for (size_t i = tell->count; i-- > 0 && result == 0 && !*stop;)
        result = tell_row(tell, &tell->rows[i], stop);
    tell->revision = now.revision;
    return result;
}

static int tell_exposure(struct tell *tell, const canary_ctx_info *info, uint32_t in_effect,
                         bool *stop) {
    struct text reason = { 0 };
    struct text key = { 0 };
    int64_t now = when_now();
    if ((info->kill_reasons & ~CANARY_KILL_ENVIRONMENT) != 0) {
        text_add(&reason, "killed by ");
        state_kill_text(info->kill_reasons & ~CANARY_KILL_ENVIRONMENT, &reason);
    }
    if (info->doubt != 0) {
        text_add(&reason, reason.size > 0 ? "; in doubt: " : "in doubt: ");
        state_doubt_text(info->doubt, &reason);
    }
    text_add(&reason, "");
    text_addf(&key, "%s-%" PRIu64 "-%" PRIu32 "-%" PRId64, info->rollout, info->revision, in_effect,
              now / WHEN_SECOND);
    struct event event = {
        .rollout = info->rollout,
        .action = "exposure",
        .reason = reason.data,
        .by = "",
        .stage = info->stage,
        .from_stage = tell->told_stage,
        .percentage_bp = in_effect,
        .from_bp = tell->told_bp,
        .revision = info->revision,
        .at_ns = now,
        .key = key.data,
    };
    int result = tell_all(tell, &event, &(struct cursor){ 0 }, stop);
    text_free(&reason);
    text_free(&key);
    return result;
}

/* What services of this host act on: a kill by this process's own environment does not reach them. */
static uint32_t effective(const canary_ctx_info *info) {
    bool only_here = info->kill_reasons == CANARY_KILL_ENVIRONMENT && info->doubt == 0;
    return only_here ? info->percentage_bp : info->effective_bp;
}

/* Whether a command waits that has to be run. */
static bool is_urgent(void *user_data) {
    const struct tell *tell = user_data;
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    if (tell->command == NULL)
        return false;
    canary_info(tell->context, &info);
    return info.revision != tell->revision || effective(&info) != tell->told_bp;
}

static void later(struct tell *tell, struct post *post) {
    post->attempt++;
    post->due = when_monotonic() + post->pause;
    post->pause = post->pause * 2 < LONGEST_PAUSE_NS ? post->pause * 2 : LONGEST_PAUSE_NS;
    if (post->attempt <= tell->attempts)
        return;
    post->attempt = 0;
}

/* Posts what is due, until something urgent comes. */
static int post_all(struct tell *tell, bool *stop) {
    int result = 0;
    while (tell->post_count > 0 && result == 0 && !*stop && !is_urgent(tell) &&
           tell->posts[0].due <= when_monotonic()) {
        struct post *post = &tell->posts[0];
        char attempt[32];
        snprintf(attempt, sizeof(attempt), "%d of %d", post->attempt, tell->attempts);
        enum delivery delivery =
            deliver_post(tell->url, post->body, post->key, attempt, &tell->screen, is_urgent, tell);
        if (delivery == DELIVERY_LATER)
            later(tell, post);
        if (delivery == DELIVERY_FAILED || post->attempt == 0) {
            say_warning("--webhook: nobody was told of revision %" PRIu64 " (%s)", post->revision,
                        post->action);
            delivery = DELIVERY_DONE;
        }
        if (delivery == DELIVERY_DONE) {
            result = remember(tell, &post->after);
            drop_post(tell);
        }
        *stop = delivery == DELIVERY_STOPPED;
    }
    return result;
}

static int look(struct tell *tell, bool *stop) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_info(tell->context, &info);
    if (info.revision != tell->revision) {
        int result = tell_rows(tell, stop);
        if (result != 0 || *stop)
            return result;
        canary_info(tell->context, &info);
    }
    uint32_t in_effect = effective(&info);
    if (in_effect == tell->told_bp) {
        tell->differs_since = 0;
        return 0;
    }
    if (tell->differs_since == 0)
        tell->differs_since = when_monotonic();
    if (when_monotonic() - tell->differs_since < UNEXPLAINED_NS)
        return 0;
    return tell_exposure(tell, &info, in_effect, stop);
}

static int find_row(void *user_data, const canary_change *change) {
    canary_change *found = user_data;
    *found = *change;
    return 1;
}

/* Where to begin: after the row that the cursor remembers, else after the newest. */
static int find_begin(struct tell *tell) {
    struct session *session = tell->session;
    canary_change newest = { .size = sizeof(newest) };
    canary_error error = CANARY_ERROR_INIT;
    char why[240];
    if (tell->cursor_path != NULL && !cursor_read(tell->cursor_path, &tell->cursor, why))
        return say_failure(CANARY_E_INVALID, "remove the file to begin with the next change",
                           "--cursor: %s", why);
    struct cursor first = { 0 };
    uint64_t before = tell->cursor.change != 0 ? tell->cursor.change + 1 : 0;
    if (canary_history(session->store, session->rollout, 1, before, find_row, &newest, &error) !=
        CANARY_OK)
        return session_error(session, &error);
    tell->change = newest.id;
    if (tell->cursor.change == 0) {
        first.change = newest.id;
        memcpy(first.hash, newest.hash, sizeof(first.hash));
        return remember(tell, &first);
    }
    if (newest.id != tell->cursor.change || strcmp(newest.hash, tell->cursor.hash) != 0)
        return say_failure(CANARY_E_INVALID, "remove the file to begin with the next change",
                           "--cursor: %s remembers change %" PRIu64
                           ", and the trail of this rollout has no such row",
                           tell->cursor_path, tell->cursor.change);
    return 0;
}

static int begin(struct tell *tell) {
    struct session *session = tell->session;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_rollout now = STATE_ROLLOUT_INIT;
    options.busy_timeout_ns = session->busy_timeout_ns;
    if (canary_open(session_value(session, OPTION_DB), session->rollout, &options, &tell->context,
                    &error) != CANARY_OK ||
        canary_rollout_read(session->store, session->rollout, &now, &error) != CANARY_OK)
        return session_error(session, &error);
    int result = find_begin(tell);
    if (result != 0)
        return result;
    tell->told_bp = state_effective_elsewhere(&now);
    tell->told_stage = now.stage;
    tell->revision = tell->cursor_path != NULL ? 0 : now.revision;
    return 0;
}

static int read_options(struct session *session, struct tell *tell) {
    int64_t attempts = DEFAULT_ATTEMPTS;
    const char *why = NULL;
    int result = session_number(session, OPTION_ATTEMPTS, 1, 100, &attempts);
    if (result != 0)
        return result;
    tell->command = session_value(session, OPTION_EXEC);
    tell->url = session_value(session, OPTION_WEBHOOK);
    tell->cursor_path = session_value(session, OPTION_CURSOR);
    tell->attempts = (int)attempts;
    if (tell->url != NULL && !deliver_can_post())
        return say_failure(CANARY_E_UNSUPPORTED,
                           "build it with libcurl's headers (Debian: "
                           "libcurl4-openssl-dev)",
                           "this canaryctl was built without libcurl, and calls no webhooks");
    if (tell->url != NULL && (why = deliver_check_url(tell->url)) != NULL)
        return say_usage(session->command, "--webhook: %s", why);
    return 0;
}

int tell_run(struct session *session, int count, char **words) {
    struct tell tell = { .session = session };
    bool stop = false;
    (void)count;
    (void)words;
    int result = read_options(session, &tell);
    if (result == 0)
        result = session_open_rollout(session, 0);
    if (result != 0)
        return result;
    screen_begin(&tell.screen);
    result = begin(&tell);
    while (result == 0 && !stop) {
        result = look(&tell, &stop);
        if (result == 0 && !stop)
            result = post_all(&tell, &stop);
        stop = stop || screen_wait(&tell.screen, LOOK_MS);
    }
    canary_close(&tell.context);
    screen_end(&tell.screen);
    free(tell.rows);
    while (tell.post_count > 0)
        drop_post(&tell);
    free(tell.posts);
    return result;
}
