/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/fail.h"
#include "observe/codec.h"
#include "observe/document.h"

#define NAME "a document"

enum { FORM = 1 };

static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-";

int canary__document_name_fits(const char *name, int part) {
    size_t length = name != NULL ? strspn(name, allowed) : 0;

    return name != NULL && name[length] == '\0' && length <= CANARY_DOCUMENT_NAME_MAX &&
           (length > 0 || part);
}

/* -- writing -- */

struct written {
    const char *rollout;
    const canary_document *document;
};

static void write_text(struct canary__writer *w, const char *text) {
    size_t length = strlen(text);

    canary__write_number(w, length);
    canary__write_bytes(w, text, length);
}

static void write_document(struct canary__writer *w, const void *what) {
    const struct written *written = what;
    const canary_document *document = written->document;

    canary__write_byte(w, FORM);
    write_text(w, written->rollout);
    write_text(w, document->name);
    canary__write_number(w, document->version);
    canary__write_signed(w, document->at_ns);
    if (document->data_size > 0) {
        canary__write_bytes(w, document->data, (size_t)document->data_size);
    }
}

int canary__document_encode(const struct canary__hooks *hooks, const char *rollout,
                            const canary_document *document, uint8_t **data, size_t *size) {
    const struct written written = { rollout, document };

    return canary__write_sealed(hooks, write_document, &written, data, size);
}

/* -- reading -- */

static void read_text(struct canary__reader *r, const char *expected) {
    size_t length = strlen(expected);

    if (canary__read_number(r, UINT64_MAX) != length || r->left < length ||
        memcmp(r->next, expected, length) != 0) {
        canary__read_wrong(r, "it is another one's");
        return;
    }
    r->next += length;
    r->left -= length;
}

int canary__document_decode(const void *bytes, size_t size, const char *rollout, const char *name,
                            canary_document *out, canary_error *error) {
    struct canary__reader reader;
    int code = canary__read_sealed(&reader, bytes, size, FORM, NAME, error);

    if (code != CANARY_OK) {
        return code;
    }
    read_text(&reader, rollout);
    read_text(&reader, name);
    out->version = canary__read_number(&reader, INT64_MAX);
    out->at_ns = canary__read_signed(&reader);
    if (reader.wrong == NULL && out->version == 0) {
        canary__read_wrong(&reader, "it has no version");
    }
    if (reader.left > CANARY_DOCUMENT_SIZE_MAX) {
        canary__read_wrong(&reader, "it is longer than documents are");
    }
    if (reader.wrong != NULL) {
        return canary__fail(error, CANARY_E_CORRUPT, 0, NAME " is damaged: %s", reader.wrong);
    }
    out->data = reader.next;
    out->data_size = reader.left;
    return CANARY_OK;
}
