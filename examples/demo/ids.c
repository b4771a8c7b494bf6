/* SPDX-License-Identifier: MIT */
#include "ids.h"

#include <inttypes.h>
#include <stdio.h>

/* 2026-01-01 00:00 UTC in milliseconds: where the ids that carry a time begin. */
#define EPOCH_MS UINT64_C(1767225600000)

uint64_t demo_mix(uint64_t value) {
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

int demo_shape(uint64_t number) {
    return (int)(number % DEMO_SHAPES);
}

const char *demo_shape_name(int shape) {
    static const char *const names[DEMO_SHAPES] = { "uuid-v4", "uuid-v7", "e-mail", "integer",
                                                    "ulid" };

    return shape < 0 || shape >= DEMO_SHAPES ? "?" : names[shape];
}

static void uuid(uint64_t high, uint64_t low, uint64_t version, char out[DEMO_ID_SIZE]) {
    high = (high & ~UINT64_C(0xf000)) | version << 12;
    low = (low & (UINT64_MAX >> 2)) | UINT64_C(1) << 63;
    snprintf(out, DEMO_ID_SIZE,
             "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
             high >> 16 & 0xffff, high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
}

static void email(uint64_t random, uint64_t number, char out[DEMO_ID_SIZE]) {
    static const char *const first[] = { "maria", "wei",  "fatima", "john", "aiko", "olu",
                                         "ivan",  "lena", "jose",   "anna", "raj",  "chloe" };
    static const char *const last[] = { "okafor", "li",    "garcia", "smith", "novak", "sato",
                                        "khan",   "meyer", "rossi",  "silva", "cohen" };
    static const char *const domain[] = { "example.com", "mail.example.org", "example.net" };

    snprintf(out, DEMO_ID_SIZE, "%s.%s%" PRIu64 "@%s", first[random % 12], last[random / 12 % 11],
             number, domain[random / 132 % 3]);
}

/* 48 bits of time and 80 of chance, 5 bits a character in Crockford's alphabet. */
static void ulid(uint64_t time_ms, uint64_t high, uint64_t low, char out[DEMO_ID_SIZE]) {
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    for (int i = 9; i >= 0; i--, time_ms >>= 5) {
        out[i] = alphabet[time_ms & 31];
    }
    for (int i = 17; i >= 10; i--, high >>= 5) {
        out[i] = alphabet[high & 31];
    }
    for (int i = 25; i >= 18; i--, low >>= 5) {
        out[i] = alphabet[low & 31];
    }
    out[26] = '\0';
}

void demo_id(uint64_t seed, uint64_t number, char out[DEMO_ID_SIZE]) {
    uint64_t high = demo_mix(demo_mix(seed) ^ number);
    uint64_t low = demo_mix(high);
    uint64_t time_ms = EPOCH_MS + number * 37;

    switch (demo_shape(number)) {
    case 0:
        uuid(high, low, 4, out);
        break;
    case 1:
        uuid(time_ms << 16 | (high & 0xffff), low, 7, out);
        break;
    case 2:
        email(high, number, out);
        break;
    case 3:
        snprintf(out, DEMO_ID_SIZE, "%" PRIu64, UINT64_C(10000000) + number);
        break;
    default:
        ulid(time_ms, high, low, out);
        break;
    }
}
