/* SPDX-License-Identifier: MIT */
/* What a dossier is made of, for the files that fill it. */
#ifndef CANARY__JUDGE_DOSSIER_ROOM_H
#define CANARY__JUDGE_DOSSIER_ROOM_H

#include <canary/audit.h>
#include <canary/document.h>

#include "judge/dossier.h"
#include "judge/spans.h"

/* Clocks of hosts differ; a stamp that is further ahead than that was made by one that is wrong. */
#define CANARY__JUDGE_AHEAD_NS CANARY__MINUTE_NS

/* A figure that is asked of the store now and then, not at each look: the value that people read beside
 * a rule about a quantile, and baselines. */
struct canary__asked {
    double values[2]; /* by cohort; NaN */
    double n[2];
    int64_t at_ns; /* when it was asked; 0 = never */
};

/* What the trail says, as of a revision. */
struct canary__trail {
    uint64_t revision; /* 0 = not read yet */
    uint64_t approved_by_change;
    int64_t last_rollback_ns;
    uint32_t guard_rollbacks;
    uint32_t approved;
};

/* The newest verdict that is kept, by anyone. */
struct canary__kept {
    int known;           /* it was looked for */
    int64_t recorded_ns; /* of the newest one in the record; 0 = none */
    char gist[192];      /* action, cause and deciding rule, as they stand in its JSON; "" = none */
};

/* What is wrong with our own figures. It is held against the release for an hour: what was lost is
 * missing from the evidence for good, but one lost row is no reason to stand still for a week. */
struct canary__trouble {
    uint32_t damaged;
    uint64_t dropped;
    int64_t at_ns;
    int64_t ahead_ns; /* latest tick of this generation that was seen */
};

struct canary__dossier {
    canary_store *store;
    char rollout[136];
    canary_rollout seen; /* as it was read last */
    int seen_known;
    canary_policy *policy; /* in force; NULL = none */
    struct canary__state state;
    int state_open; /* `state` is of `policy` */
    int state_new;  /* something in it is not in the store */
    int windows;    /* they hold what was before through_ns */
    int foreign;    /* the stored one is not understood, and stays */
    int behind;     /* they hold what is now, and the state is of a time that has not come */
    int64_t recalled_ns;
    uint64_t state_version; /* of the stored state; 0 = there is none */
    struct canary__trail trail;
    int64_t opened_ns; /* a circuit breaker, last; 0 = none */
    struct canary__kept kept;
    struct canary__trouble trouble;
    struct canary__asked quantiles[CANARY_POLICY_RULES_MAX];
    struct canary__asked baselines[CANARY_POLICY_RULES_MAX];
    canary_exposure exposure;
    canary_verdict verdict;
    canary_rule_result results[CANARY_POLICY_RULES_MAX];
};

/* -- dossier_feed.c -- */

/* Adds what came in since through_ns, up to `until_ns`, and reads back windows where that was not done. */
int canary__dossier_feed(struct canary__dossier *dossier, int64_t now_ns, int64_t until_ns,
                         canary_error *error);

/* -- dossier_around.c -- */

/* What the trail says of rollbacks and approvals; reads nothing where the revision is the same. */
int canary__dossier_trail(struct canary__dossier *dossier, int64_t now_ns, canary_error *error);
/* When a circuit breaker opened last, in any process. */
int canary__dossier_breakers(struct canary__dossier *dossier, int64_t now_ns, canary_error *error);
/* Distinct users of the present generation. */
int canary__dossier_users(struct canary__dossier *dossier, int64_t until_ns, canary_error *error);
/* Baselines, for the rules that are held against one. */
int canary__dossier_baselines(struct canary__dossier *dossier, int64_t until_ns,
                              canary_error *error);
/* Quantiles that people read, for rules of proof POINT. */
int canary__dossier_quantiles(struct canary__dossier *dossier, int64_t until_ns,
                              canary_error *error);

/* -- dossier_keep.c -- */

/* Reads the stored state into a fresh one of the policy. A damaged one is begun anew, and counts as
 * trouble with our own data. */
int canary__dossier_load(struct canary__dossier *dossier, int64_t now_ns, canary_error *error);
/* Writes state and verdict. CANARY_E_CONFLICT: somebody else wrote the state meanwhile. */
int canary__dossier_keep(struct canary__dossier *dossier, int64_t now_ns, canary_error *error);

/* Lets go of state and what was read beside it: all is read anew. */
void canary__dossier_forget(struct canary__dossier *dossier);

#endif
