/* SPDX-License-Identifier: MIT */
/* What tests of documents share: writing one, and what a reading gave. */
#ifndef UNIT_DOCUMENTS_H
#define UNIT_DOCUMENTS_H

#include "measured.h"

enum { KEPT = 300, KEPT_DATA = 64 };

/* What a reading gave. */
struct kept {
    uint32_t count;
    uint32_t stop_after; /* 0 = never */
    uint64_t damaged;
    struct {
        char name[CANARY_DOCUMENT_NAME_MAX + 1];
        uint64_t version;
        int64_t at_ns;
        uint64_t size;
        char data[KEPT_DATA];
    } all[KEPT];
};

/* A canary_document_fn; `user_data` is a struct kept. */
int documents_keep(void *user_data, const canary_document *document);
canary_document documents_of(const char *name, uint64_t version, const char *text);
void documents_put(struct unit *unit, const char *name, uint64_t version, const char *text);
/* What a reading gives; good until the next. */
struct kept *documents_list(struct unit *unit, const char *prefix, const char *from, int descending,
                            uint64_t limit);
struct kept *documents_one(struct unit *unit, const char *name);
/* The names that a reading gave, each followed by a blank. */
const char *documents_names(const struct kept *kept);

#endif
