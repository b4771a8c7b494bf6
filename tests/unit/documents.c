/* SPDX-License-Identifier: MIT */
#include "documents.h"

int documents_keep(void *user_data, const canary_document *document) {
    struct kept *kept = user_data;

    assert_true(kept->count < KEPT);
    assert_int_equal(document->size, sizeof *document);
    assert_int_equal(document->flags, 0);
    assert_non_null(document->data);
    snprintf(kept->all[kept->count].name, sizeof kept->all[0].name, "%s", document->name);
    kept->all[kept->count].version = document->version;
    kept->all[kept->count].at_ns = document->at_ns;
    kept->all[kept->count].size = document->data_size;
    memcpy(kept->all[kept->count].data, document->data,
           document->data_size < KEPT_DATA ? document->data_size : KEPT_DATA);
    kept->count++;
    return kept->count == kept->stop_after;
}

canary_document documents_of(const char *name, uint64_t version, const char *text) {
    canary_document document = CANARY_DOCUMENT_INIT;

    document.name = name;
    document.version = version;
    document.data = text;
    document.data_size = text != NULL ? strlen(text) : 0;
    return document;
}

void documents_put(struct unit *unit, const char *name, uint64_t version, const char *text) {
    canary_document document = documents_of(name, version, text);

    OK(canary_document_write(unit->store, MEASURED, &document, 1, &error));
}

struct kept *documents_list(struct unit *unit, const char *prefix, const char *from, int descending,
                            uint64_t limit) {
    static struct kept kept;
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;

    memset(&kept, 0, sizeof kept);
    query.prefix = prefix;
    query.from = from;
    query.descending = (uint32_t)descending;
    query.limit = limit;
    OK(canary_document_list(unit->store, MEASURED, &query, documents_keep, &kept, &kept.damaged,
                            &error));
    return &kept;
}

struct kept *documents_one(struct unit *unit, const char *name) {
    static struct kept kept;

    memset(&kept, 0, sizeof kept);
    OK(canary_document_read(unit->store, MEASURED, name, documents_keep, &kept, &error));
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.all[0].name, name);
    return &kept;
}

const char *documents_names(const struct kept *kept) {
    static char text[4096];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < kept->count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s ", kept->all[i].name);
    }
    return text;
}
