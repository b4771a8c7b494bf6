/* SPDX-License-Identifier: MIT */
/* Documents: pieces of data that belong to a rollout and are kept beside its figures, in the metrics
 * database of the store. What judges a rollout keeps its state, its verdicts and its lease here. They
 * decide nothing by themselves: a lost or damaged document can make a judge hold, never raise exposure.
 *
 * Each has a version, which begins at 1 and grows by one with each writing, so that of two writers who
 * saw the same version one wins and the other hears of it. */
#ifndef CANARY_DOCUMENT_H
#define CANARY_DOCUMENT_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>

CANARY_BEGIN_DECLS

#define CANARY_DOCUMENT_NAME_MAX 191               /* [A-Za-z0-9._:/-]{1,191} */
#define CANARY_DOCUMENT_SIZE_MAX UINT64_C(4194304) /* bytes of one document */
#define CANARY_DOCUMENTS_MAX 64                    /* that one call writes */
#define CANARY_ANY_VERSION UINT64_MAX              /* expect nothing */

/* canary_document.flags */
/* Writing: remove it, whatever its `data`. One that is not there is no error, whatever the version. Should
 * it be written again, its versions begin at 1 again. */
#define CANARY_DOCUMENT_REMOVE 1u

/* A document. Writing: owned by the caller, who sets `size`. Reading: owned by the library, valid
 * during the callback. */
typedef struct canary_document {
    uint32_t size;      /* sizeof(canary_document) of whoever made it */
    uint32_t flags;     /* writing: CANARY_DOCUMENT_...; reading: 0 */
    const char *name;   /* within the rollout */
    uint64_t version;   /* writing: the version that must be there, 0 = none, or CANARY_ANY_VERSION;
                           reading: its version */
    int64_t at_ns;      /* reading: real time it was written; writing: not looked at */
    const void *data;   /* any bytes */
    uint64_t data_size; /* at most CANARY_DOCUMENT_SIZE_MAX */
} canary_document;

/* clang-format off */
#define CANARY_DOCUMENT_INIT { (uint32_t)sizeof(canary_document), 0, 0, CANARY_ANY_VERSION, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_DOCUMENT_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_document_init(canary_document *document, uint32_t size);

/* Any value but 0 ends the reading, without error. */
typedef int (*canary_document_fn)(void *user_data, const canary_document *document);

/* Writes or removes `count` documents of one rollout, 1 to CANARY_DOCUMENTS_MAX of one size, in one
 * transaction: all or none. A name may stand in `documents` once. When it returns 0 every process sees
 * them, and none that is killed takes them with it; a power cut may, as with figures.
 * Thread: any thread. Blocking: may block on storage, waiting for a lock up to busy_timeout_ns. Errors:
 * CANARY_E_INVALID (an argument, a name, a size), _CONFLICT (a version differs; the message names the
 * document and both versions), _NOT_FOUND (no such rollout), _UNSUPPORTED (the store keeps no metrics),
 * _READ_ONLY, _NOMEM, and every storage error: then nothing was written. */
CANARY_API int canary_document_write(canary_store *store, const char *rollout,
                                     const canary_document *documents, uint64_t count,
                                     canary_error *error);

/* Which documents to read. Owned by the caller, who sets `size`. */
typedef struct canary_document_query {
    uint32_t size;       /* sizeof(canary_document_query) of the caller */
    uint32_t descending; /* 1: from the last name to the first */
    const char
        *prefix; /* names that begin so; NULL or "" = all; a whole name reads that document, and
                            those it is a prefix of */
    const char *from; /* ascending: names from this on; descending: names up to this one, itself
                            included; NULL = no bound */
    uint64_t limit;   /* at most so many; 0 = all */
} canary_document_query;

/* clang-format off */
#define CANARY_DOCUMENT_QUERY_INIT { (uint32_t)sizeof(canary_document_query), 0, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_DOCUMENT_QUERY_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_document_query_init(canary_document_query *query, uint32_t size);

/* Calls `callback` for documents in the order of the bytes of their names; `query` NULL: for all. No lock
 * is held during callbacks. Long lists are read in parts of about 1 MiB, each consistent in itself. A
 * document that fails its checksum is left out; `*damaged` (may be NULL) counts them.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOT_FOUND (no such
 * rollout), _UNSUPPORTED, _NOMEM, and every storage error. That there are none is no error. */
CANARY_API int canary_document_list(canary_store *store, const char *rollout,
                                    const canary_document_query *query, canary_document_fn callback,
                                    void *user_data, uint64_t *damaged, canary_error *error);

/* Reads one document, or answers CANARY_E_NOT_FOUND when there is none of that name, and
 * CANARY_E_CORRUPT when it fails its checksum.
 * Thread: any thread. Blocking: may block on storage. Errors: as above. */
CANARY_API int canary_document_read(canary_store *store, const char *rollout, const char *name,
                                    canary_document_fn callback, void *user_data,
                                    canary_error *error);

CANARY_END_DECLS

#endif
