/* SPDX-License-Identifier: MIT */
/* Reading documents: a range of names, gathered part by part, handed out when the store is not locked. */
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/row_values.h"
#include "control/rows.h"
#include "observe/document.h"
#include "observe/scan.h"

enum {
    QUERY_LEAST = offsetof(canary_document_query, limit) + sizeof(uint64_t),
    PART = 1 << 20, /* bytes that are gathered before they are handed out */
    NAME_ROOM = CANARY_DOCUMENT_NAME_MAX + 1,
};

/* Sort before and behind every byte of a name. */
#define BELOW "!"
#define BEYOND "~"

/* One document as it is gathered; its data follow, up to a multiple of 8. */
struct gathered {
    uint64_t version;
    int64_t at_ns;
    uint64_t data_size;
    char name[NAME_ROOM];
};

_Static_assert(sizeof(struct gathered) % 8 == 0, "the next one is aligned");

struct listing {
    canary_store *store; /* of measurements */
    const char *rollout;
    canary_document_query query;
    canary_document_fn callback;
    void *user_data;
    struct canary__rows rows; /* of the part under way */
    char last[NAME_ROOM + 1]; /* the next part begins behind it */
    uint64_t left;            /* documents that are still wanted */
    uint64_t damaged;
    int more; /* the part is full, there may be another one */
};

/* The document of a row, whose name is known. */
static int decode(const canary_storage_row *row, const char *rollout, const char *name,
                  canary_document *out, canary_error *error) {
    const canary_storage_value *data = &row->values[CANARY__DOCUMENT_DATA];
    struct canary__row_cursor version = { row, CANARY__DOCUMENT_VERSION, 0 };
    int code;

    if (row->count <= CANARY__DOCUMENT_DATA || data->type != CANARY_VALUE_BLOB) {
        return canary__fail(error, CANARY_E_CORRUPT, 0, "a document is damaged: it has no data");
    }
    code = canary__document_decode(data->data, (size_t)data->size, rollout, name, out, error);
    if (code == CANARY_OK &&
        (uint64_t)canary__row_take_integer(&version, 0, INT64_MAX) != out->version) {
        code = canary__fail(error, CANARY_E_CORRUPT, 0,
                            "a document is damaged: its row tells another version");
    }
    return code;
}

/* -- one part -- */

static int gather(struct listing *listing, const char *name, const canary_document *document) {
    static const uint64_t nothing;
    struct gathered head = { document->version, document->at_ns, document->data_size, { 0 } };

    canary__text_copy(head.name, sizeof head.name, name);
    if (canary__rows_add(&listing->rows, &head, sizeof head) != 0 ||
        (head.data_size > 0 &&
         canary__rows_add(&listing->rows, document->data, (size_t)head.data_size) != 0)) {
        return -1;
    }
    return canary__rows_add(&listing->rows, &nothing, (size_t)(-head.data_size & 7));
}

static int take(void *user_data, const canary_storage_row *row) {
    struct listing *listing = user_data;
    struct canary__row_cursor cursor = { row, CANARY__DOCUMENT_NAME, 0 };
    canary_error ignored = canary__fail_none;
    canary_document document = { 0 };
    char name[NAME_ROOM];

    canary__row_take_text(&cursor, name, sizeof name);
    if (cursor.misfit || !canary__document_name_fits(name, 0)) {
        listing->damaged++;
        return 0; /* put there by hand */
    }
    if (strncmp(name, listing->query.prefix, strlen(listing->query.prefix)) != 0) {
        return 1;
    }
    canary__text_copy(listing->last, sizeof listing->last, name);
    if (decode(row, listing->rollout, name, &document, &ignored) != CANARY_OK) {
        listing->damaged++;
        return 0;
    }
    if (gather(listing, name, &document) != 0) {
        return 1;
    }
    listing->left--;
    listing->more = listing->rows.used >= PART;
    return listing->left == 0 || listing->more;
}

static int read_part(struct listing *listing, canary_error *error) {
    char bound[NAME_ROOM + 1]; /* taking rows moves the one in `listing` */
    const canary_storage_value key = canary__value_text(listing->rollout);
    canary_storage_value after;
    const canary_storage_range range = {
        .size = (uint32_t)sizeof range,
        .key_count = 1,
        .descending = listing->query.descending,
        .key = &key,
        .after = listing->last[0] != '\0' ? &after : NULL,
    };
    void *transaction;
    int code = canary__rows_begin(listing->store, NULL, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    memcpy(bound, listing->last, sizeof bound);
    after = canary__value_text(bound);
    listing->more = 0;
    code = listing->store->methods.read(transaction, CANARY_TABLE_DOCUMENTS, &range, take, listing,
                                        error);
    code = canary__rows_end(listing->store, transaction, code, error);
    if (code == CANARY_OK && listing->rows.out_of_memory) {
        code = canary__fail(error, CANARY_E_NOMEM, 0, "no memory for documents");
    }
    return code;
}

/* Answers 1 when the callback wants no more. */
static int hand_out(struct listing *listing) {
    size_t at = 0;

    while (at < listing->rows.used) {
        const struct gathered *head =
            (const struct gathered *)(const void *)(listing->rows.bytes + at);
        const canary_document document = {
            .size = (uint32_t)sizeof document,
            .name = head->name,
            .version = head->version,
            .at_ns = head->at_ns,
            .data = head + 1,
            .data_size = head->data_size,
        };

        if (listing->callback(listing->user_data, &document) != 0) {
            return 1;
        }
        at += sizeof *head + (size_t)(head->data_size + (-head->data_size & 7));
    }
    listing->rows.used = 0;
    return 0;
}

/* -- where to begin -- */

/* A text behind which, upwards, the first name is `name` or one greater: nothing that is a name lies
 * between the two. */
static void set_before(char out[NAME_ROOM + 1], const char *name) {
    size_t length = strlen(name);

    memcpy(out, name, length + 1);
    if (length > 0) {
        out[length - 1] = (char)(out[length - 1] - 1);
        memcpy(out + length, BEYOND, sizeof BEYOND);
    }
}

static void set_behind(char out[NAME_ROOM + 1], const char *name, const char *end) {
    size_t length = strlen(name);

    memcpy(out, name, length);
    memcpy(out + length, end, strlen(end) + 1);
}

static void set_start(struct listing *listing) {
    const canary_document_query *query = &listing->query;
    char bound[NAME_ROOM + 1] = { 0 };

    if (!query->descending) {
        set_before(listing->last, query->from != NULL && strcmp(query->from, query->prefix) > 0
                                      ? query->from
                                      : query->prefix);
        return;
    }
    if (query->prefix[0] != '\0') {
        set_behind(listing->last, query->prefix, BEYOND);
    }
    if (query->from != NULL) {
        set_behind(bound, query->from, BELOW);
        if (listing->last[0] == '\0' || strcmp(bound, listing->last) < 0) {
            memcpy(listing->last, bound, sizeof bound);
        }
    }
}

/* -- the calls -- */

static int admit_query(const canary_document_query *from, canary_document_query *query,
                       canary_error *error) {
    if (from != NULL &&
        (canary__sized_in(query, from, sizeof *query, QUERY_LEAST) != 0 || query->descending > 1)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "query: its size is wrong, `descending` is neither 0 nor 1, or it has "
                            "fields that this library does not know");
    }
    query->prefix = query->prefix != NULL ? query->prefix : "";
    if (!canary__document_name_fits(query->prefix, 1) ||
        (query->from != NULL && !canary__document_name_fits(query->from, 0))) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "query: `prefix` or `from` is no name of up to %d of A-Z a-z 0-9 . _ : "
                            "/ -",
                            CANARY_DOCUMENT_NAME_MAX);
    }
    return CANARY_OK;
}

int canary_document_list(canary_store *store, const char *rollout,
                         const canary_document_query *query, canary_document_fn callback,
                         void *user_data, uint64_t *damaged, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct listing listing = { .rollout = rollout, .callback = callback, .user_data = user_data };
    canary_metrics_query all;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (callback == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_document_list: callback is NULL");
    }
    code = admit_query(query, &listing.query, error);
    if (code == CANARY_OK) {
        code = canary__scan_admit(store, rollout, NULL, &all, &listing.store, error);
    }
    if (code == CANARY_OK && listing.store != NULL) {
        listing.rows.hooks = &listing.store->hooks;
        listing.left = listing.query.limit != 0 ? listing.query.limit : UINT64_MAX;
        set_start(&listing);
        do {
            code = read_part(&listing, error);
        } while (code == CANARY_OK && hand_out(&listing) == 0 && listing.more && listing.left > 0);
        canary__rows_free(&listing.rows);
    }
    if (code == CANARY_OK && damaged != NULL) {
        *damaged = listing.damaged;
    }
    return code;
}

struct finding {
    const struct canary__hooks *hooks;
    const char *rollout;
    const char *name;
    canary_document document;
    void *copy; /* of its data */
    int found;
    int code;
    canary_error *error;
};

static int take_one(void *user_data, const canary_storage_row *row) {
    struct finding *finding = user_data;
    canary_document *document = &finding->document;

    finding->found = 1;
    finding->code = decode(row, finding->rollout, finding->name, document, finding->error);
    if (finding->code == CANARY_OK) {
        finding->copy = canary__alloc(finding->hooks, (size_t)document->data_size + 1);
        if (finding->copy == NULL) {
            finding->code = canary__fail(finding->error, CANARY_E_NOMEM, 0,
                                         "no memory for document \"%s\"", finding->name);
            return 1;
        }
        memcpy(finding->copy, document->data, (size_t)document->data_size);
        document->data = finding->copy;
    }
    return 1;
}

static int find(struct finding *finding, canary_store *measurements, canary_error *error) {
    const canary_storage_value key[2] = { canary__value_text(finding->rollout),
                                          canary__value_text(finding->name) };
    const canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 2, .limit = 1, .key = key
    };
    canary_error own = canary__fail_none;
    void *transaction;
    int code = canary__rows_begin(measurements, NULL, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    finding->error = &own;
    code = measurements->methods.read(transaction, CANARY_TABLE_DOCUMENTS, &range, take_one,
                                      finding, error);
    code = canary__rows_end(measurements, transaction, code, error);
    if (code == CANARY_OK && finding->code != CANARY_OK) {
        canary__fail_copy(error, &own);
        code = finding->code;
    }
    return code;
}

int canary_document_read(canary_store *store, const char *rollout, const char *name,
                         canary_document_fn callback, void *user_data, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct finding finding = { .rollout = rollout, .name = name };
    canary_store *measurements = NULL;
    canary_metrics_query all;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (callback == NULL || !canary__document_name_fits(name, 0)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "callback is NULL, or the document name \"%.200s\" is not 1 to %d of "
                            "A-Z a-z 0-9 . _ : / -",
                            name == NULL ? "(null)" : name, CANARY_DOCUMENT_NAME_MAX);
    }
    code = canary__scan_admit(store, rollout, NULL, &all, &measurements, error);
    if (code == CANARY_OK && measurements != NULL) {
        finding.hooks = &measurements->hooks;
        code = find(&finding, measurements, error);
    }
    if (code == CANARY_OK && !finding.found) {
        code = canary__fail(error, CANARY_E_NOT_FOUND, 0,
                            "\"%s\" has no document of the name \"%s\"", rollout, name);
    }
    if (code == CANARY_OK) {
        finding.document.size = (uint32_t)sizeof finding.document;
        finding.document.name = name;
        (void)callback(user_data, &finding.document);
    }
    canary__free(finding.hooks, finding.copy, (size_t)finding.document.data_size + 1);
    return code;
}

void canary_document_query_init(canary_document_query *query, uint32_t size) {
    if (query != NULL && size >= QUERY_LEAST) {
        memset(query, 0, size);
        query->size = size;
    }
}
