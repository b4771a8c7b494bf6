/* SPDX-License-Identifier: MIT */
/* Which change of the percentage a revision came after. */
#include <canary/audit.h>

#include <string.h>

#include "observe/merge.h"

/* Rows to read at first: nearly always the change is among the last few of its rollout. */
enum { FEW = 8 };

struct search {
    uint64_t revision;   /* 0: the newest */
    uint64_t generation; /* 0: not found yet */
    uint64_t oldest;     /* change looked at last */
};

static int look(void *user_data, const canary_change *change) {
    struct search *search = user_data;

    search->oldest = change->id;
    if ((search->revision == 0 || change->revision <= search->revision) &&
        (change->from_percentage_bp != change->to_percentage_bp ||
         strcmp(change->action, "create") == 0)) {
        search->generation = change->revision;
    }
    return search->generation != 0;
}

int canary__merge_generation(canary_store *decisions, const char *rollout, uint64_t revision,
                             uint64_t *generation, canary_error *error) {
    struct search search = { .revision = revision };
    int code = canary_history(decisions, rollout, FEW, 0, look, &search, error);

    if (code == CANARY_OK && search.generation == 0 && search.oldest > 1) {
        code = canary_history(decisions, rollout, 0, search.oldest, look, &search, error);
    }
    /* A trail that does not reach back so far belongs to a store that was put in the place of
     * another. */
    *generation = search.generation != 0 ? search.generation : revision;
    return code;
}
