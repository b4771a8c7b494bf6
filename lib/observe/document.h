/* SPDX-License-Identifier: MIT */
/* Stored documents: what writing and reading them have in common. */
#ifndef CANARY__DOCUMENT_H
#define CANARY__DOCUMENT_H

#include <canary/document.h>

#include "base/hooks.h"

enum {
    CANARY__DOCUMENT_NAME = 1, /* columns of the table */
    CANARY__DOCUMENT_VERSION = 2,
    CANARY__DOCUMENT_DATA = 4,
    CANARY__DOCUMENT_COLUMNS = 5,
};

/* Whether it is a name, or with `part` the beginning of one. */
int canary__document_name_fits(const char *name, int part);

/* Stored form: a version byte, size and bytes of the rollout's and the document's name, the document's
 * version, the time, its data, and 8 bytes SipHash-2-4 as in sheet.h. So what was moved to another row
 * by hand is found out, too. The result is allocated; free it with its size. CANARY_E_NOMEM. */
int canary__document_encode(const struct canary__hooks *hooks, const char *rollout,
                            const canary_document *document, uint8_t **data, size_t *size);
/* Any bytes, which must be those of this document: fills all but the name, with data that lies in `bytes`.
 * CANARY_E_CORRUPT, or CANARY_E_NEWER for a form of a later library. */
int canary__document_decode(const void *bytes, size_t size, const char *rollout, const char *name,
                            canary_document *out, canary_error *error);

#endif
