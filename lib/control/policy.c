/* SPDX-License-Identifier: MIT */
/* Where a rollout's policy is kept: its digest in the rollout's row, its text in the trail. */
#include <canary/rollout.h>

#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/edit.h"
#include "control/evidence.h"
#include "control/rows.h"
#include "control/row_values.h"

/* -- setting -- */

static int check_text(const char *text, uint64_t size, canary_error *error) {
    if (size > CANARY_POLICY_MAX) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "the policy has %llu bytes: allowed are up to %d",
                            (unsigned long long)size, CANARY_POLICY_MAX);
    }
    if (memchr(text, 0, (size_t)size) != NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "the policy holds a NUL byte: allowed is UTF-8 without");
    }
    return CANARY_OK;
}

/* A copy that ends in a NUL, as the trail takes it. */
static int copy_text(canary_store *store, const char *text, uint64_t size, char **copy,
                     canary_error *error) {
    *copy = canary__alloc(&store->hooks, (size_t)size + 1);
    if (*copy == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for a policy");
    }
    memcpy(*copy, text, (size_t)size);
    if (!canary__text_is_utf8(*copy, CANARY_POLICY_MAX, 0)) {
        return canary__fail(error, CANARY_E_INVALID, 0, "the policy is not UTF-8");
    }
    return CANARY_OK;
}

/* A row in doubt is not signed, and what stands in it could be exchanged without a trace. */
static int check_intact(struct canary__edit *edit, const struct canary__rollout_row *row) {
    return row->intact ? CANARY_OK : canary__edit_may_raise(edit, row);
}

static int set(struct canary__edit *edit, const char *rollout, const char *text, uint64_t size,
               canary_change *out) {
    struct canary__rollout_row row;
    int code = canary__edit_start(edit);

    if (code != CANARY_OK) {
        return code;
    }
    code = canary__edit_load(edit, rollout, &row);
    if (code == CANARY_OK) {
        code = canary__edit_expect(edit, &row);
    }
    if (code == CANARY_OK) {
        code = check_intact(edit, &row);
    }
    if (code == CANARY_OK) {
        struct canary__rollout_row before = row;

        row.policy[0] = '\0';
        if (size > 0) {
            canary__row_text_digest(text, (size_t)size, row.policy);
            edit->options.evidence = text;
        }
        code = canary__edit_write(edit, &row, &before, "policy", "", 0);
    }
    return canary__edit_end(edit, code, out);
}

int canary_rollout_policy_set(canary_store *store, const char *rollout, const char *text,
                              uint64_t size, const canary_change_options *options,
                              canary_change *out, canary_error *error) {
    struct canary__edit edit;
    char *copy = NULL;
    int code = canary__edit_admit(&edit, store, rollout, options, error);

    size = text != NULL ? size : 0;
    if (code == CANARY_OK && edit.options.evidence[0] != '\0') {
        code = canary__fail(error, CANARY_E_INVALID, 0,
                            "evidence: the policy's own text is the evidence of this change; give "
                            "none");
    }
    if (code == CANARY_OK && size > 0) {
        code = check_text(text, size, error);
        if (code == CANARY_OK) {
            code = copy_text(store, text, size, &copy, error);
        }
    }
    if (code == CANARY_OK) {
        code = set(&edit, rollout, copy, size, out);
    }
    if (copy != NULL) {
        canary__free(&store->hooks, copy, (size_t)size + 1);
    }
    return code;
}

/* -- reading -- */

struct search {
    struct canary__evidence_room room;
    const char *rollout;
    const char *digest;
    int only_newest; /* the first one met has to be it */
    int row_intact;
    int edited; /* a row that may have held the text does not match its hash */
    int found;
    struct canary__change_row change;
};

static int holds(const struct search *search, const canary_storage_value *text) {
    char digest[CANARY__DIGEST_TEXT];

    if (text == NULL || text->size == 0) {
        return 0;
    }
    canary__row_text_digest(text->data, (size_t)text->size, digest);
    return strcmp(digest, search->digest) == 0;
}

static int take(void *user_data, const canary_storage_row *stored) {
    struct search *search = user_data;
    const canary_storage_value *text = canary__evidence_of(stored);
    int policy = canary__row_says(stored, CANARY__CHANGE_ACTION, "policy");

    if (!canary__row_says(stored, CANARY__CHANGE_ROLLOUT, search->rollout) ||
        (!policy && !canary__row_says(stored, CANARY__CHANGE_ACTION, "accept"))) {
        return 0;
    }
    canary__row_get_change(stored, &search->change);
    if (!policy) {
        /* An operator signed the row as it stood, whichever policy it named. */
        if (search->change.intact && search->row_intact) {
            search->only_newest = 0;
        }
        return 0;
    }
    search->edited |= !search->change.intact;
    if (search->change.intact && holds(search, text)) {
        search->found = 1;
        canary__evidence_put(&search->room, text);
    }
    return search->found || search->only_newest;
}

static int not_there(const struct search *search, int in_force, canary_error *error) {
    if (in_force || search->edited) {
        return canary__fail(error, CANARY_E_TAMPERED, 0,
                            "the trail holds no unedited text of the policy %.12s... of \"%s\"; "
                            "look with `canaryctl verify`, then set the policy again",
                            search->digest, search->rollout);
    }
    return canary__fail(error, CANARY_E_NOT_FOUND, 0, "\"%s\" never had a policy %.12s...",
                        search->rollout, search->digest);
}

static int find(canary_store *store, struct search *search, struct canary__rollout_row *row,
                canary_error *error) {
    canary_storage_value name = canary__value_text(search->rollout);
    canary_storage_range range = { .size = (uint32_t)sizeof range,
                                   .descending = 1,
                                   .where_column = CANARY__CHANGE_ROLLOUT,
                                   .where_value = &name };
    int in_force = search->digest == NULL;
    void *transaction;
    int code = canary__rows_begin(store, search->rollout, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = canary__row_read_rollout(&store->methods, transaction, search->rollout, row, error);
    if (code == CANARY_OK && in_force) {
        search->digest = row->policy;
        search->only_newest = 1;
        search->row_intact = row->intact;
        if (row->policy[0] == '\0') {
            code = canary__fail(error, CANARY_E_NOT_FOUND, 0,
                                "\"%s\" has no policy; set one with `canaryctl policy set`",
                                search->rollout);
        }
    }
    if (code == CANARY_OK) {
        code = store->methods.read(transaction, CANARY_TABLE_CHANGES, &range, take, search, error);
    }
    code = canary__rows_end(store, transaction, code, error);
    return code == CANARY_OK && !search->found ? not_there(search, in_force, error) : code;
}

int canary_rollout_policy_read(canary_store *store, const char *rollout, const char *digest,
                               char *buffer, uint64_t capacity, uint64_t *size,
                               canary_change *change, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct search search = { .room = { .buffer = buffer, .capacity = capacity },
                             .rollout = rollout,
                             .digest = digest };
    struct canary__rollout_row row;
    uint8_t bytes[32];
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (rollout == NULL || (change != NULL && change->size < sizeof change->size)) {
        return canary__fail(
            error, CANARY_E_INVALID, 0,
            "canary_rollout_policy_read: rollout is NULL, or change->size is not set");
    }
    if (digest != NULL && canary__row_digest_parse(digest, bytes) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "digest \"%.80s\": allowed are 64 lower-case hex digits", digest);
    }
    code = find(store, &search, &row, error);
    if (code != CANARY_OK) {
        return code;
    }
    if (change != NULL) {
        canary__sized_out(change, &search.change.public, sizeof search.change.public);
    }
    return canary__evidence_told(&search.room, "the policy", size, error);
}
