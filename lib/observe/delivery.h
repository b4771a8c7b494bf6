/* SPDX-License-Identifier: MIT */
/* Keys of deliveries, which keep one from being merged twice. */
#ifndef CANARY__DELIVERY_H
#define CANARY__DELIVERY_H

#include <canary/metrics.h>

#include "control/store.h"

struct canary__delivery {
    const char *rollout;
    const char *key; /* NULL = none */
    char digest[CANARY__DIGEST_TEXT];
};

/* Checks the key, and computes the digest of what is delivered under it. */
int canary__delivery_admit(struct canary__delivery *delivery, const canary_import_row *rows,
                           uint64_t count, canary_error *error);

/* In a transaction of the measurement store. `*known` becomes 1 when it was delivered in the last 400
 * days. CANARY_E_CONFLICT: the key was used for other rows. */
int canary__delivery_find(const struct canary__delivery *delivery, canary_store *store,
                          void *transaction, int64_t now_ns, int32_t *known, canary_error *error);
/* Remembers it. */
int canary__delivery_keep(const struct canary__delivery *delivery, canary_store *store,
                          void *transaction, uint64_t rows, int64_t now_ns, canary_error *error);

#endif
