/* SPDX-License-Identifier: MIT */
/* Writing documents: all of a call or none, each when it has the version that its writer saw. */
#include "observe/document.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "control/row_values.h"
#include "observe/scan.h"

#define KNOWN_FLAGS CANARY_DOCUMENT_REMOVE

enum { DOCUMENT_LEAST = offsetof(canary_document, data_size) + sizeof(uint64_t) };

/* One call. */
struct writing {
    canary_store *store; /* of measurements */
    void *transaction;
    const char *rollout;
    int64_t now;
    uint64_t count;
    canary_document documents[CANARY_DOCUMENTS_MAX];
};

/* What stands in the row of a document. */
struct stored {
    int present;
    uint64_t version; /* 0 = none, or one that nobody wrote */
};

/* -- arguments -- */

static int admit_document(struct writing *writing, const void *from, canary_error *error) {
    canary_document *document = &writing->documents[writing->count];

    if (canary__sized_in(document, from, sizeof *document, DOCUMENT_LEAST) != 0 ||
        (document->flags & ~KNOWN_FLAGS) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "document %llu: its size is wrong, or it has flags or fields that this "
                            "library does not know",
                            (unsigned long long)writing->count);
    }
    if (!canary__document_name_fits(document->name, 0)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "the document name \"%.200s\" is not 1 to %d of A-Z a-z 0-9 . _ : / -",
                            document->name == NULL ? "(null)" : document->name,
                            CANARY_DOCUMENT_NAME_MAX);
    }
    if ((document->flags & CANARY_DOCUMENT_REMOVE) == 0 &&
        (document->data_size > CANARY_DOCUMENT_SIZE_MAX ||
         (document->data == NULL && document->data_size != 0))) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "document \"%s\": %llu bytes were given, at most %llu are allowed and "
                            "data must not be NULL",
                            document->name, (unsigned long long)document->data_size,
                            (unsigned long long)CANARY_DOCUMENT_SIZE_MAX);
    }
    for (uint64_t i = 0; i < writing->count; i++) {
        if (strcmp(writing->documents[i].name, document->name) == 0) {
            return canary__fail(error, CANARY_E_INVALID, 0,
                                "document \"%s\" is given twice; once is allowed", document->name);
        }
    }
    writing->count++;
    return CANARY_OK;
}

static int admit(struct writing *writing, const canary_document *documents, uint64_t count,
                 canary_error *error) {
    int code = CANARY_OK;

    if (documents == NULL || count == 0 || count > CANARY_DOCUMENTS_MAX) {
        return canary__fail(
            error, CANARY_E_INVALID, 0, "%llu documents were given, 1 to %d are allowed",
            documents == NULL ? 0 : (unsigned long long)count, CANARY_DOCUMENTS_MAX);
    }
    for (uint64_t i = 0; i < count && code == CANARY_OK; i++) {
        const char *from = (const char *)documents + i * documents->size;

        if (i > 0 && ((const canary_document *)(const void *)from)->size != documents->size) {
            return canary__fail(error, CANARY_E_INVALID, 0,
                                "document %llu has another size than the first",
                                (unsigned long long)i);
        }
        code = admit_document(writing, from, error);
    }
    return code;
}

/* -- versions -- */

static int take_version(void *user_data, const canary_storage_row *row) {
    struct canary__row_cursor cursor = { row, CANARY__DOCUMENT_VERSION, 0 };
    struct stored *stored = user_data;
    int64_t version = canary__row_take_integer(&cursor, 0, INT64_MAX - 1);

    stored->present = 1;
    stored->version = cursor.misfit ? 0 : (uint64_t)version;
    return 1;
}

static void tell(char text[48], int present, uint64_t version) {
    if (present) {
        snprintf(text, 48, "version %llu", (unsigned long long)version);
    } else {
        memcpy(text, "none", sizeof "none");
    }
}

static int check(struct writing *writing, const canary_document *document, struct stored *stored,
                 canary_error *error) {
    const canary_storage_value key[2] = { canary__value_text(writing->rollout),
                                          canary__value_text(document->name) };
    const canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 2, .limit = 1, .key = key
    };
    char expected[48];
    char found[48];
    int code = writing->store->methods.read(writing->transaction, CANARY_TABLE_DOCUMENTS, &range,
                                            take_version, stored, error);

    if (code != CANARY_OK || document->version == CANARY_ANY_VERSION ||
        document->version == stored->version ||
        (!stored->present && (document->flags & CANARY_DOCUMENT_REMOVE) != 0)) {
        return code;
    }
    tell(expected, document->version != 0, document->version);
    tell(found, stored->present, stored->version);
    return canary__fail(error, CANARY_E_CONFLICT, 0,
                        "document \"%s\" of \"%s\": expected is %s, but there is %s; somebody else "
                        "wrote meanwhile, so look again",
                        document->name, writing->rollout, expected, found);
}

/* -- rows -- */

static int put(struct writing *writing, const canary_document *document,
               const struct stored *stored, canary_error *error) {
    const struct canary__hooks *hooks = &writing->store->hooks;
    canary_document next = *document;
    uint8_t *data;
    size_t size;
    int code;

    next.version = stored->version + 1;
    next.at_ns = writing->now;
    code = canary__document_encode(hooks, writing->rollout, &next, &data, &size);
    if (code != CANARY_OK) {
        return canary__fail(error, code, 0, "no memory for document \"%s\"", document->name);
    }
    {
        const canary_storage_value values[CANARY__DOCUMENT_COLUMNS] = {
            canary__value_text(writing->rollout),
            canary__value_text(next.name),
            canary__value_integer((int64_t)next.version),
            canary__value_integer(next.at_ns),
            canary__value_blob(data, size),
        };
        const canary_storage_row row = { (uint32_t)sizeof row, CANARY_TABLE_DOCUMENTS,
                                         CANARY__DOCUMENT_COLUMNS, 0, values };

        code = writing->store->methods.write(writing->transaction, &row, error);
    }
    canary__free(hooks, data, size);
    return code;
}

static int take_away(struct writing *writing, const canary_document *document,
                     canary_error *error) {
    const canary_storage_value key[2] = { canary__value_text(writing->rollout),
                                          canary__value_text(document->name) };

    return writing->store->methods.remove(writing->transaction, CANARY_TABLE_DOCUMENTS, key, error);
}

static int change_all(struct writing *writing, canary_error *error) {
    struct stored stored[CANARY_DOCUMENTS_MAX] = { { 0 } };
    int code = CANARY_OK;

    for (uint64_t i = 0; i < writing->count && code == CANARY_OK; i++) {
        code = check(writing, &writing->documents[i], &stored[i], error);
    }
    for (uint64_t i = 0; i < writing->count && code == CANARY_OK; i++) {
        const canary_document *document = &writing->documents[i];

        if ((document->flags & CANARY_DOCUMENT_REMOVE) == 0) {
            code = put(writing, document, &stored[i], error);
        } else if (stored[i].present) {
            code = take_away(writing, document, error);
        }
    }
    return code;
}

static int commit(struct writing *writing, canary_error *error) {
    canary_error own = canary__fail_none;
    int ended;
    int code =
        canary__store_begin(writing->store, CANARY_STORAGE_WRITE, &writing->transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = change_all(writing, error);
    ended = writing->store->methods.end(writing->transaction, code == CANARY_OK, &own);
    canary__store_unlock(writing->store);
    if (code == CANARY_OK && ended != CANARY_OK) {
        canary__fail_copy(error, &own);
        code = ended;
    }
    return code;
}

int canary_document_write(canary_store *store, const char *rollout,
                          const canary_document *documents, uint64_t count, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct writing writing = { .rollout = rollout };
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    code = admit(&writing, documents, count, error);
    if (code == CANARY_OK) {
        code = canary__scan_writable(store, rollout, &writing.store, error);
    }
    if (code == CANARY_OK) {
        writing.now = canary__now(&store->hooks, CANARY_CLOCK_REALTIME);
        code = commit(&writing, error);
    }
    return code;
}

void canary_document_init(canary_document *document, uint32_t size) {
    if (document != NULL && size >= DOCUMENT_LEAST) {
        memset(document, 0, size);
        document->size = size;
        document->version = CANARY_ANY_VERSION;
    }
}
