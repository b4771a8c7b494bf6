/* SPDX-License-Identifier: MIT */
/* What a guard does for one rollout: a look, and what follows from it. */
#ifndef CANARY__JUDGE_GUARD_WARD_H
#define CANARY__JUDGE_GUARD_WARD_H

#include <canary/guard.h>

#include "judge/dossier.h"
#include "judge/spans.h"

/* How long a lease holds that nobody renews; one that reaches further ahead than LEASE_MOST was made by
 * a clock that jumped, and holds nothing. */
#define CANARY__GUARD_LEASE_NS (30 * CANARY__SECOND_NS)
#define CANARY__GUARD_LEASE_MOST_NS CANARY__MINUTE_NS

enum {
    CANARY__GUARD_HOLDER = 320,
    CANARY__GUARD_EVIDENCE = 65536, /* bytes of a change's evidence, its NUL included */
};

/* The right to act on one rollout, which one guard of a store has at a time. */
struct canary__lease {
    int held;
    int64_t until_ns;                 /* real time of the store's clock; ours or the other's */
    char other[CANARY__GUARD_HOLDER]; /* who has it, when not held */
};

/* Takes or renews the lease for `holder`: fills `lease`. That somebody else has it is no error. */
int canary__lease_take(canary_store *store, const char *rollout, const char *holder,
                       struct canary__lease *lease, canary_error *error);
/* Gives it back, if it is still held. Trouble is passed over: it ends by itself. */
void canary__lease_give(canary_store *store, const char *rollout, const char *holder,
                        struct canary__lease *lease);

/* A verdict as the evidence of a change: its JSON with "acted_by", whole rules left out from the end
 * where it would be longer than evidence may be. free(). */
int canary__guard_evidence(const canary_verdict *verdict, const char *by, char **text,
                           canary_error *error);

/* What all wards of a guard share. */
struct canary__guard_setup {
    canary_store *store;
    uint32_t flags;
    char by[CANARY_ACTOR_MAX + 1];
    char holder[CANARY__GUARD_HOLDER]; /* `by`, and what makes it one of a kind */
    canary_guard_fn callback;
    void *user_data;
};

/* One rollout. */
struct canary__ward {
    const struct canary__guard_setup *setup;
    char rollout[CANARY_NAME_MAX + 8];
    struct canary__dossier *dossier;
    struct canary__lease lease;
    int looked;          /* the trail was looked at: what is newer is news */
    uint64_t revision;   /* that was looked at */
    uint64_t own_change; /* made by this guard; told as such */
    int ruled;           /* the rollout has a policy */
    int elsewhere;       /* another guard has the lease */
    int told_lease;      /* -1 = nothing yet */
    int32_t told_action; /* verdict that was told last */
    int32_t told_cause;
    char told_rule[64];
    char told_error[512];
    struct canary__ward *next;
};

int canary__ward_open(const struct canary__guard_setup *setup, const char *rollout,
                      struct canary__ward **out, canary_error *error);
/* Gives the lease back. */
void canary__ward_close(struct canary__ward **ward);

/* One round: tells news, judges and acts. CANARY_E_BUSY: another guard has the lease. */
int canary__ward_round(struct canary__ward *ward, canary_error *error);

#endif
