/* SPDX-License-Identifier: MIT */
/* Leases: documents that guards take by compare-and-set. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dump.h"
#include "judge/fail.h"
#include "judge/guard_ward.h"

#include <canary/document.h>

/* Somebody may write between our reading and writing, once or twice. */
enum { ATTEMPTS = 3 };

struct stored {
    uint64_t version; /* 0 = there is none */
    int64_t until_ns; /* 0: damaged, and free for all */
    char holder[CANARY__GUARD_HOLDER];
};

static int take_document(void *user_data, const canary_document *document) {
    struct stored *stored = user_data;
    json_t *root = json_loadb(document->data, (size_t)document->data_size, 0, NULL);
    const char *holder = json_string_value(json_object_get(root, "holder"));

    stored->version = document->version;
    if (holder != NULL) {
        snprintf(stored->holder, sizeof stored->holder, "%s", holder);
        stored->until_ns = json_integer_value(json_object_get(root, "until"));
    }
    json_decref(root);
    return 0;
}

static int read_lease(canary_store *store, const char *rollout, struct stored *stored,
                      canary_error *error) {
    canary_error own = CANARY_ERROR_INIT;
    int code;

    memset(stored, 0, sizeof *stored);
    code =
        canary_document_read(store, rollout, CANARY__DOCUMENT_LEASE, take_document, stored, &own);
    if (code == CANARY_OK || code == CANARY_E_NOT_FOUND) {
        return CANARY_OK;
    }
    if (code == CANARY_E_CORRUPT) {
        stored->version = CANARY_ANY_VERSION;
        return CANARY_OK;
    }
    return canary__judge_pass(error, code, &own);
}

static int write_lease(canary_store *store, const char *rollout, const char *holder,
                       int64_t until_ns, uint64_t version, canary_error *error) {
    canary_document document = CANARY_DOCUMENT_INIT;
    json_t *root = json_pack("{s:s, s:I}", "holder", holder, "until", (json_int_t)until_ns);
    char *text = canary__judge_dump(root, JSON_COMPACT, NULL);
    int code;

    json_decref(root);
    if (text == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a lease");
    }
    document.name = CANARY__DOCUMENT_LEASE;
    document.version = version;
    document.data = text;
    document.data_size = strlen(text);
    code = canary_document_write(store, rollout, &document, 1, error);
    free(text);
    return code;
}

/* Whose time is over, or lies where no honest clock put it, holds nothing. */
static int is_free(const struct stored *stored, const char *holder, int64_t now_ns) {
    return strcmp(stored->holder, holder) == 0 || stored->until_ns <= now_ns ||
           stored->until_ns - now_ns > CANARY__GUARD_LEASE_MOST_NS;
}

int canary__lease_take(canary_store *store, const char *rollout, const char *holder,
                       struct canary__lease *lease, canary_error *error) {
    canary_error own = CANARY_ERROR_INIT;
    struct stored stored;
    int code = CANARY_OK;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int64_t now_ns = canary_store_now(store, CANARY_CLOCK_REALTIME);

        code = read_lease(store, rollout, &stored, &own);
        if (code != CANARY_OK) {
            break;
        }
        if (!is_free(&stored, holder, now_ns)) {
            lease->held = 0;
            lease->until_ns = stored.until_ns;
            snprintf(lease->other, sizeof lease->other, "%s", stored.holder);
            return CANARY_OK;
        }
        code = write_lease(store, rollout, holder, now_ns + CANARY__GUARD_LEASE_NS, stored.version,
                           &own);
        if (code == CANARY_OK) {
            lease->held = 1;
            lease->until_ns = now_ns + CANARY__GUARD_LEASE_NS;
            return CANARY_OK;
        }
        if (code != CANARY_E_CONFLICT) {
            break;
        }
    }
    if (code == CANARY_E_CONFLICT) {
        lease->held = 0;
        snprintf(lease->other, sizeof lease->other, "%s", stored.holder);
        return CANARY_OK;
    }
    return canary__judge_fail(error, code, "the lease of rollout \"%s\" could not be had: %s",
                              rollout, own.message);
}

void canary__lease_give(canary_store *store, const char *rollout, const char *holder,
                        struct canary__lease *lease) {
    canary_document document = CANARY_DOCUMENT_INIT;
    struct stored stored;

    if (!lease->held) {
        return;
    }
    lease->held = 0;
    if (read_lease(store, rollout, &stored, NULL) == CANARY_OK && stored.version != 0 &&
        strcmp(stored.holder, holder) == 0) {
        document.name = CANARY__DOCUMENT_LEASE;
        document.flags = CANARY_DOCUMENT_REMOVE;
        document.version = stored.version;
        (void)canary_document_write(store, rollout, &document, 1, NULL);
    }
}
