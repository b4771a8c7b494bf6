/* SPDX-License-Identifier: MIT */
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/state.h"
#include "judge/state_stored.h"

_Static_assert(crypto_shorthash_BYTES == CANARY__STORED_SEAL, "the seal is one SipHash");

/* With `data` NULL it only counts. */
struct writer {
    uint8_t *data;
    size_t size;
};

void canary__stored_seal(const uint8_t *data, size_t size, uint8_t seal[CANARY__STORED_SEAL]) {
    static const unsigned char key[crypto_shorthash_KEYBYTES] = "canary state 01";

    crypto_shorthash(seal, data, size, key);
}

static void put_bytes(struct writer *to, const void *bytes, size_t size) {
    if (to->data != NULL) {
        memcpy(to->data + to->size, bytes, size);
    }
    to->size += size;
}

static void put_byte(struct writer *to, uint32_t byte) {
    uint8_t one = (uint8_t)byte;

    put_bytes(to, &one, 1);
}

static void put_short(struct writer *to, uint32_t number) {
    put_byte(to, number & 0xff);
    put_byte(to, number >> 8);
}

static void put(struct writer *to, uint64_t number) {
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
    put_bytes(to, bytes, sizeof bytes);
}

static void put_doubles(struct writer *to, const double *doubles, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;

        memcpy(&bits, &doubles[i], sizeof bits);
        put(to, bits);
    }
}

static void put_double(struct writer *to, double number) {
    put_doubles(to, &number, 1);
}

static void put_name(struct writer *to, const char *name) {
    size_t size = strlen(name);

    put_byte(to, (uint32_t)size);
    put_bytes(to, name, size);
}

static int is_empty(const double *doubles, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (doubles[i] != 0) {
            return 0;
        }
    }
    return 1;
}

static void put_sums(struct writer *to, const struct canary__judge_sums *sums) {
    const double doubles[3] = { sums->n, sums->sum, sums->squares };

    put_doubles(to, doubles, 3);
}

static void put_proof(struct writer *to, const struct canary__proof *proof, uint32_t shape) {
    const struct canary__totals *totals = &proof->totals;
    const double rest[7] = { totals->n_new, totals->n_old,       totals->k_new, totals->k_old,
                             proof->ticks,  proof->highest_ln_w, proof->known };
    double evidence[CANARY__JUDGE_EVIDENCE_DOUBLES];

    canary__judge_evidence_save(&proof->evidence, evidence);
    put_doubles(to, evidence, CANARY__JUDGE_EVIDENCE_DOUBLES);
    put_doubles(to, rest, 7);
    if (shape & CANARY__STORED_SUMS) {
        put_sums(to, &proof->fresh);
        put_sums(to, &proof->old);
    }
    if (shape & CANARY__STORED_CURVE) {
        put_doubles(to, proof->curve.value, CANARY__JUDGE_CURVE_POINTS);
        put_doubles(to, proof->curve.slope, CANARY__JUDGE_CURVE_POINTS);
        put_doubles(to, proof->curve.bend, CANARY__JUDGE_CURVE_POINTS);
    }
}

static void put_rule(struct writer *to, const struct canary__rule_state *rule) {
    const struct canary__proof *proof = rule->proof;
    uint32_t shape = 0;

    if (proof != NULL) {
        shape = CANARY__STORED_PROOF;
        shape |= proof->fresh.n > 0 || proof->old.n > 0 ? CANARY__STORED_SUMS : 0u;
        shape |=
            is_empty(proof->curve.slope, CANARY__JUDGE_CURVE_POINTS) ? 0u : CANARY__STORED_CURVE;
    }
    put_bytes(to, rule->question.bytes, sizeof rule->question.bytes);
    put_byte(to, (uint32_t)rule->state);
    put(to, (uint64_t)rule->since_ns);
    put(to, (uint64_t)rule->unknown_ns);
    put_byte(to, shape);
    if (proof != NULL) {
        put_proof(to, proof, shape);
    }
}

static void put_split(struct writer *to, const struct canary__split_state *split) {
    double doubles[CANARY__JUDGE_SPLIT_DOUBLES];

    canary__judge_split_save(&split->split, doubles);
    put_name(to, split->metric);
    put_doubles(to, doubles, CANARY__JUDGE_SPLIT_DOUBLES);
    put_double(to, split->ticks);
    put_byte(to, split->differs != 0);
}

static void put_recent(struct writer *to, const struct canary__recent *recent) {
    uint32_t used = 0;

    for (uint32_t i = 0; i < CANARY_DURATION_BUCKETS; i++) {
        used += recent->buckets[i] > 0;
    }
    put_name(to, recent->metric);
    put_double(to, recent->n);
    put_double(to, recent->overflow);
    put_short(to, used);
    for (uint32_t i = 0; i < CANARY_DURATION_BUCKETS; i++) {
        if (recent->buckets[i] > 0) {
            put_short(to, i);
            put_double(to, recent->buckets[i]);
        }
    }
}

static void put_state(struct writer *to, const struct canary__state *state) {
    to->size = 0;
    put_byte(to, CANARY__STORED_VERSION);
    put_bytes(to, state->digest, sizeof state->digest);
    put(to, state->generation);
    put(to, (uint64_t)state->generation_at_ns);
    put(to, (uint64_t)state->through_ns);
    put(to, (uint64_t)state->traffic_ns);
    put(to, (uint64_t)state->silent_ns);
    put_double(to, state->planned_ticks);
    put_double(to, state->ticks);
    put(to, (uint64_t)state->halves_ns);
    put(to, state->halves_generation);
    put_byte(to, state->rule_count);
    for (uint32_t i = 0; i < state->rule_count; i++) {
        put_rule(to, &state->rules[i]);
    }
    put_byte(to, state->split_count);
    for (uint32_t i = 0; i < state->split_count; i++) {
        put_split(to, &state->splits[i]);
    }
    put_byte(to, state->recent_count);
    for (uint32_t i = 0; i < state->recent_count; i++) {
        put_recent(to, &state->recents[i]);
    }
}

int canary__state_encode(const struct canary__state *state, uint8_t **data, size_t *size,
                         canary_error *error) {
    struct writer to = { .data = NULL, .size = 0 };

    put_state(&to, state);
    to.data = malloc(to.size + CANARY__STORED_SEAL);
    if (to.data == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for %zu bytes of evidence",
                                  to.size);
    }
    put_state(&to, state);
    canary__stored_seal(to.data, to.size, to.data + to.size);
    *data = to.data;
    *size = to.size + CANARY__STORED_SEAL;
    return CANARY_OK;
}
