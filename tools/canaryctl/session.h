/* SPDX-License-Identifier: MIT */
/* One run of the tool: its options, its store, the rollout it is about. */
#ifndef CTL_SESSION_H
#define CTL_SESSION_H

#include "commands.h"
#include "options.h"
#include "say.h"

#include <canary/canary.h>

struct session {
    const struct command *command;
    struct options options;
    canary_store *store;
    const char *rollout;     /* set by session_rollout() */
    char rollout_name[136];  /* where it was found in the store */
    int64_t busy_timeout_ns; /* of --timeout */
    const char *by;          /* of --by, CANARY_ACTOR, or the login */
    char by_buffer[256];
};

/* Reads --output, --timeout and --by. Returns 0 or the exit code after an error was told. */
int session_begin(struct session *session);
/* Opens the store, without a watcher, `flags` besides. As above. */
int session_open(struct session *session, uint32_t flags);
/* Finds out which rollout is meant; needs an open store. As above. */
int session_rollout(struct session *session);
/* Both, one after the other. */
int session_open_rollout(struct session *session, uint32_t flags);
/* The same for commands whose first word, when there is one, names the rollout. */
int session_open_named(struct session *session, int count, char **words, uint32_t flags);
/* Tells an error of the library about this session's store or rollout, with what to do next. */
int session_error(const struct session *session, const canary_error *error);
void session_end(struct session *session);

/* Whether an option was given, and its value. */
bool session_given(const struct session *session, enum option_id id);
const char *session_value(const struct session *session, enum option_id id);
/* Reads a whole number, `least` to `most`; `*out` stays as it is when the option is not given. */
int session_number(const struct session *session, enum option_id id, int64_t least, int64_t most,
                   int64_t *out);

/* How changes are made in this session: by, note, expectations, --dry-run, --emergency. */
int session_change_options(const struct session *session, canary_change_options *out);

/* Adds a command line that continues this session: "canaryctl --db app.db --rollout x ", with what
 * the environment does not say already. */
void session_command(const struct session *session, bool with_rollout, struct text *out);

#endif
