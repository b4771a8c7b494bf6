/* SPDX-License-Identifier: MIT */
/* What of a dossier is kept in the store: the state of its evidence, the latest verdict, and the record
 * of verdicts. State and verdict are written together, so that who finds the state as he left it knows
 * the latest verdict, too. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dossier_room.h"
#include "judge/dump.h"
#include "judge/fail.h"
#include "judge/verdict_fields.h"

#define RECORD_NS CANARY__HOUR_NS         /* one at least so often */
#define RECORDS_NS (400 * CANARY__DAY_NS) /* how long they stay */
enum { SWEPT = 8, NAME = 64, DOCUMENTS = 3 + SWEPT };

/* -- a verdict as text -- */

/* The verdict as JSON; free(). */
static int text_of(const canary_verdict *verdict, char **text, size_t *size, canary_error *error) {
    json_t *root = canary__verdict_object(verdict);

    *text = canary__judge_dump(root, CANARY__DUMP_EXACT, size);
    json_decref(root);
    return *text != NULL ? CANARY_OK
                         : canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a verdict");
}

/* What makes two verdicts the same one. */
static void gist_of(const char *data, size_t size, char gist[192]) {
    static const char *const keys[] = { "action", "cause", "rule", "policy" };
    json_t *root = json_loadb(data, size, 0, NULL);
    json_t *parts = json_array();
    char *text;

    gist[0] = '\0';
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *value = json_object_get(root, keys[i]);

        json_array_append_new(parts, value != NULL ? json_incref(value) : json_null());
    }
    text = root != NULL ? canary__judge_dump(parts, JSON_COMPACT, NULL) : NULL;
    if (text != NULL) {
        snprintf(gist, 192, "%s", text);
    }
    free(text);
    json_decref(parts);
    json_decref(root);
}

static void name_of(int64_t at_ns, char name[NAME]) {
    snprintf(name, NAME, CANARY__DOCUMENT_VERDICT "%020" PRId64, at_ns > 0 ? at_ns : 0);
}

/* -- reading -- */

struct loading {
    struct canary__dossier *dossier;
    int code;
    canary_error error;
};

static int take_state(void *user_data, const canary_document *document) {
    struct loading *loading = user_data;
    struct canary__dossier *dossier = loading->dossier;

    dossier->state_version = document->version;
    loading->code = canary__state_decode(&dossier->state, dossier->policy, document->data,
                                         (size_t)document->data_size, &loading->error);
    return 0;
}

int canary__dossier_load(struct canary__dossier *dossier, int64_t now_ns, canary_error *error) {
    struct loading loading = { .dossier = dossier, .error = CANARY_ERROR_INIT };
    int code;

    canary__dossier_forget(dossier);
    code = canary__state_open(dossier->policy, &dossier->state, error);
    if (code != CANARY_OK) {
        return code;
    }
    dossier->state_open = 1;
    code = canary_document_read(dossier->store, dossier->rollout, CANARY__DOCUMENT_STATE,
                                take_state, &loading, &loading.error);
    if (code == CANARY_OK) {
        code = loading.code;
    } else if (code == CANARY_E_CORRUPT) {
        dossier->state_version = CANARY_ANY_VERSION;
    }
    /* A newer library's is as good as damaged for us, but not ours to write over. */
    dossier->foreign = loading.code == CANARY_E_NEWER;
    if (dossier->foreign) {
        canary_store_log(dossier->store, CANARY_LOG_WARNING, loading.error.message);
        code = CANARY_E_CORRUPT;
    }
    if (code == CANARY_E_CORRUPT) {
        dossier->trouble.damaged++;
        dossier->trouble.at_ns = now_ns;
        dossier->state_new = 1;
        return CANARY_OK;
    }
    if (code == CANARY_OK || code == CANARY_E_NOT_FOUND) {
        return CANARY_OK;
    }
    canary__dossier_forget(dossier);
    return canary__judge_pass(error, code, &loading.error);
}

static int take_latest(void *user_data, const canary_document *document) {
    struct canary__kept *kept = user_data;

    gist_of(document->data, (size_t)document->data_size, kept->gist);
    return 0;
}

static int64_t time_of(const char *name) {
    return strtoll(strrchr(name, '/') + 1, NULL, 10);
}

static int take_newest(void *user_data, const canary_document *document) {
    struct canary__kept *kept = user_data;

    kept->recorded_ns = time_of(document->name);
    return 1;
}

/* A damaged latest verdict is as good as none: this one is recorded then. */
static int find_kept(struct canary__dossier *dossier, canary_error *error) {
    struct canary__kept *kept = &dossier->kept;
    canary_document_query newest = CANARY_DOCUMENT_QUERY_INIT;
    canary_error own = CANARY_ERROR_INIT;
    int code;

    if (kept->known) {
        return CANARY_OK;
    }
    memset(kept, 0, sizeof *kept);
    code = canary_document_read(dossier->store, dossier->rollout, CANARY__DOCUMENT_LATEST,
                                take_latest, kept, &own);
    if (code != CANARY_OK && code != CANARY_E_NOT_FOUND && code != CANARY_E_CORRUPT) {
        return canary__judge_pass(error, code, &own);
    }
    newest.descending = 1;
    newest.prefix = CANARY__DOCUMENT_VERDICT;
    newest.limit = 1;
    code = canary_document_list(dossier->store, dossier->rollout, &newest, take_newest, kept, NULL,
                                error);
    kept->known = code == CANARY_OK;
    return code;
}

/* -- old ones -- */

struct sweep {
    int64_t before_ns;
    uint32_t count;
    char names[SWEPT][NAME];
};

static int take_old(void *user_data, const canary_document *document) {
    struct sweep *sweep = user_data;

    if (time_of(document->name) >= sweep->before_ns || sweep->count == SWEPT) {
        return 1;
    }
    snprintf(sweep->names[sweep->count++], NAME, "%s", document->name);
    return 0;
}

/* A few with each one that is recorded, so that they never become more. */
static int find_old(const struct canary__dossier *dossier, int64_t now_ns, struct sweep *sweep,
                    canary_error *error) {
    static const char *const kinds[] = { CANARY__DOCUMENT_VERDICT, CANARY__DOCUMENT_BREAKER };
    int code = CANARY_OK;

    sweep->before_ns = now_ns - RECORDS_NS;
    for (size_t i = 0; code == CANARY_OK && i < sizeof kinds / sizeof kinds[0]; i++) {
        canary_document_query oldest = CANARY_DOCUMENT_QUERY_INIT;

        oldest.prefix = kinds[i];
        oldest.limit = SWEPT;
        code = canary_document_list(dossier->store, dossier->rollout, &oldest, take_old, sweep,
                                    NULL, error);
    }
    return code;
}

/* -- writing -- */

struct batch {
    canary_document documents[DOCUMENTS];
    uint64_t count;
};

static void add(struct batch *batch, const char *name, uint64_t version, const void *data,
                size_t size) {
    canary_document *document = &batch->documents[batch->count++];

    *document = (canary_document)CANARY_DOCUMENT_INIT;
    document->name = name;
    document->version = version;
    document->data = data;
    document->data_size = size;
}

static int write_all(struct canary__dossier *dossier, int64_t now_ns, const char *text, size_t size,
                     const uint8_t *state, size_t state_size, canary_error *error) {
    struct canary__kept *kept = &dossier->kept;
    struct batch batch = { .count = 0 };
    struct sweep sweep = { .count = 0 };
    char gist[sizeof kept->gist];
    char name[NAME];
    int record;
    int code = find_kept(dossier, error);

    gist_of(text, size, gist);
    record = strcmp(gist, kept->gist) != 0 || kept->recorded_ns / RECORD_NS != now_ns / RECORD_NS;
    if (code == CANARY_OK && record) {
        code = find_old(dossier, now_ns, &sweep, error);
    }
    if (code != CANARY_OK) {
        return code;
    }
    if (state != NULL) {
        add(&batch, CANARY__DOCUMENT_STATE, dossier->state_version, state, state_size);
    }
    add(&batch, CANARY__DOCUMENT_LATEST, CANARY_ANY_VERSION, text, size);
    if (record) {
        name_of(now_ns, name);
        add(&batch, name, CANARY_ANY_VERSION, text, size);
    }
    for (uint32_t i = 0; i < sweep.count; i++) {
        add(&batch, sweep.names[i], CANARY_ANY_VERSION, NULL, 0);
        batch.documents[batch.count - 1].flags = CANARY_DOCUMENT_REMOVE;
    }
    code = canary_document_write(dossier->store, dossier->rollout, batch.documents, batch.count,
                                 error);
    if (code == CANARY_OK) {
        snprintf(kept->gist, sizeof kept->gist, "%s", gist);
        kept->recorded_ns = record ? now_ns : kept->recorded_ns;
    }
    return code;
}

int canary__dossier_keep(struct canary__dossier *dossier, int64_t now_ns, canary_error *error) {
    uint8_t *state = NULL;
    size_t state_size = 0;
    char *text = NULL;
    size_t size = 0;
    int code = text_of(&dossier->verdict, &text, &size, error);

    if (code == CANARY_OK && dossier->state_new && !dossier->foreign) {
        code = canary__state_encode(&dossier->state, &state, &state_size, error);
    }
    if (code == CANARY_OK) {
        code = write_all(dossier, now_ns, text, size, state, state_size, error);
    }
    if (code == CANARY_OK && state != NULL) {
        dossier->state_new = 0;
        if (dossier->state_version == CANARY_ANY_VERSION) {
            canary__dossier_forget(dossier); /* its version is known by reading only */
        } else {
            dossier->state_version++;
        }
    }
    free(state);
    free(text);
    return code;
}

int canary__dossier_record(struct canary__dossier *dossier, canary_error *error) {
    struct batch batch = { .count = 0 };
    char name[NAME];
    char *text = NULL;
    size_t size = 0;
    int code = text_of(&dossier->verdict, &text, &size, error);

    if (code == CANARY_OK) {
        name_of(dossier->verdict.at_ns, name);
        add(&batch, name, CANARY_ANY_VERSION, text, size);
        code = canary_document_write(dossier->store, dossier->rollout, batch.documents, batch.count,
                                     error);
        if (code == CANARY_OK) {
            dossier->kept.recorded_ns = dossier->verdict.at_ns;
        }
    }
    free(text);
    return code;
}
