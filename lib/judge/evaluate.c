/* SPDX-License-Identifier: MIT */
/* Verdicts on request, and those that were kept. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dossier_room.h"
#include "judge/fail.h"

int canary_evaluate(canary_store *store, const char *rollout, uint32_t flags,
                    canary_verdict_fn callback, void *user_data, canary_error *error) {
    struct canary__dossier *dossier = NULL;
    const canary_verdict *verdict = NULL;
    int code;

    if (store == NULL || rollout == NULL || callback == NULL ||
        (flags & ~CANARY_EVALUATE_LOOK) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "canary_evaluate: store, rollout or callback is NULL, or flags "
                                  "0x%x has others than CANARY_EVALUATE_LOOK (0x1)",
                                  flags);
    }
    if (strlen(rollout) > CANARY_NAME_MAX) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "the name of the rollout has %zu bytes; allowed are 1 to %d",
                                  strlen(rollout), CANARY_NAME_MAX);
    }
    code = canary__dossier_open(store, rollout, &dossier, error);
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__dossier_judge(dossier, (flags & CANARY_EVALUATE_LOOK) == 0, &verdict, error);
    if (verdict != NULL) {
        callback(user_data, verdict);
    }
    canary__dossier_close(&dossier);
    return code;
}

struct listing {
    canary_verdict_text_fn callback;
    void *user_data;
    int64_t from_ns;
    int code;
};

static int take_verdict(void *user_data, const canary_document *document) {
    struct listing *listing = user_data;
    int64_t at_ns = strtoll(document->name + strlen(CANARY__DOCUMENT_VERDICT), NULL, 10);
    char *text;
    int ended;

    if (at_ns < listing->from_ns) {
        return 1;
    }
    /* Whoever reads JSON expects a string. */
    text = malloc((size_t)document->data_size + 1);
    if (text == NULL) {
        listing->code = CANARY_E_NOMEM;
        return 1;
    }
    memcpy(text, document->data, (size_t)document->data_size);
    text[document->data_size] = '\0';
    ended = listing->callback(listing->user_data, at_ns, text, document->data_size);
    free(text);
    return ended;
}

int canary_verdict_list(canary_store *store, const char *rollout, int64_t from_ns, uint64_t limit,
                        canary_verdict_text_fn callback, void *user_data, canary_error *error) {
    struct listing listing = { .callback = callback, .user_data = user_data, .from_ns = from_ns };
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
    int code;

    if (store == NULL || rollout == NULL || callback == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "canary_verdict_list: store, rollout or callback is NULL");
    }
    query.descending = 1;
    query.prefix = CANARY__DOCUMENT_VERDICT;
    query.limit = limit;
    code = canary_document_list(store, rollout, &query, take_verdict, &listing, NULL, error);
    if (code == CANARY_OK && listing.code != CANARY_OK) {
        code = canary__judge_fail(error, listing.code, "no memory for a verdict");
    }
    return code;
}
