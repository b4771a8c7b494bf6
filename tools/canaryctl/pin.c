/* SPDX-License-Identifier: MIT */
/* See pin.h. The library lists pins and looks none up, since a decision says it already; only where
 * a kill hides it, and for the line that undoes a change, is the list gone through. */
#include "pin.h"

#include <string.h>

struct search {
    const void *user;
    size_t size;
    int cohort;
};

static int compare(void *user_data, const void *user_id, uint64_t size, int cohort) {
    struct search *search = user_data;
    if (size != search->size || memcmp(user_id, search->user, size) != 0)
        return 0;
    search->cohort = cohort;
    return 1;
}

int pin_find(const struct session *session, const void *user, size_t size) {
    struct search search = { user, size, -1 };
    canary_override_list(session->store, session->rollout, compare, &search, NULL);
    return search.cohort;
}
