/* SPDX-License-Identifier: MIT */
/* See generations.h. */
#include "generations.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static int begins(const canary_change *change) {
    return change->from_percentage_bp != change->to_percentage_bp ||
           strcmp(change->action, "create") == 0;
}

static int keep(void *user_data, const canary_change *change) {
    struct generations *generations = user_data;
    if (!begins(change))
        return 0;
    size_t size = (generations->count + 1) * sizeof(generations->list[0]);
    generations->list = text_memory(generations->list, size);
    generations->list[generations->count++] =
        (struct generation){ .revision = change->revision,
                             .percentage_bp = change->to_percentage_bp,
                             .stage = change->to_stage,
                             .from_ns = change->at_ns };
    return 0;
}

int generations_read(canary_store *store, const char *rollout, struct generations *out,
                     canary_error *error) {
    generations_free(out);
    int code = canary_history(store, rollout, 0, 0, keep, out, error);
    /* The trail comes newest first. */
    for (size_t i = 0; i < out->count / 2; i++) {
        struct generation other = out->list[i];
        out->list[i] = out->list[out->count - 1 - i];
        out->list[out->count - 1 - i] = other;
    }
    for (size_t i = 0; i + 1 < out->count; i++)
        out->list[i].to_ns = out->list[i + 1].from_ns;
    return code;
}

void generations_free(struct generations *generations) {
    free(generations->list);
    *generations = (struct generations){ 0 };
}

const struct generation *generations_find(const struct generations *generations,
                                          uint64_t revision) {
    for (size_t i = 0; i < generations->count; i++) {
        if (generations->list[i].revision == revision)
            return &generations->list[i];
    }
    return NULL;
}

static int keep_first(void *user_data, const canary_change *change) {
    if (!begins(change))
        return 0;
    *(uint64_t *)user_data = change->revision;
    return 1;
}

uint64_t generations_present(canary_store *store, const char *rollout) {
    uint64_t revision = 0;
    canary_history(store, rollout, 0, 0, keep_first, &revision, NULL);
    return revision;
}
