/* SPDX-License-Identifier: MIT */
/* How a state is stored, for its writer and its reader. All numbers are 8 bytes, little-endian, doubles
 * by their bits, unless named otherwise.
 *
 *   byte version; digest of the policy (72 bytes, NUL-padded); generation, its time, through, traffic;
 *   planned ticks, ticks; time and generation of the newest tick of the halves;
 *   byte count of rules; each: question (16 bytes), byte state, since, unknown, byte shape; with PROOF: 32
 *     of evidence, 4 totals, ticks, highest, known; with SUMS 6; with CURVE 195;
 *   byte count of splits; each: byte length and name, 66, ticks, byte differs;
 *   byte count of recents; each: byte length and name, n, overflow, 2 bytes count; each bucket: 2 bytes
 *     index, how many;
 *   SipHash-2-4 of all that. */
#ifndef CANARY__JUDGE_STATE_STORED_H
#define CANARY__JUDGE_STATE_STORED_H

#include <stddef.h>
#include <stdint.h>

enum {
    CANARY__STORED_VERSION = 1,
    CANARY__STORED_PROOF = 1,
    CANARY__STORED_SUMS = 2,
    CANARY__STORED_CURVE = 4,
    CANARY__STORED_SHAPES = 8,
    CANARY__STORED_SEAL = 8,
};

/* Finds damage, not malice: who can write a store's files can do anything to a verdict. */
void canary__stored_seal(const uint8_t *data, size_t size, uint8_t seal[CANARY__STORED_SEAL]);

#endif
