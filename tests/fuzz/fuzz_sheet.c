/* SPDX-License-Identifier: MIT */
/* Any bytes as figures and as samples of users. What is read is written as the same bytes, and merges
 * with whatever else is read, in either order, to the same. The first two bytes cut the rest in two;
 * each part is read as it is and with the seal that it should have. */
#include "claim.h"

#include <sodium/crypto_shorthash_siphash24.h>
#include <string.h>

#include "observe/histogram.h"
#include "observe/sample.h"
#include "observe/sheet.h"

enum { SEAL = crypto_shorthash_siphash24_BYTES, MEMORY_A_BYTE = 1536 };

static size_t held;
static size_t most;

static void *allocate(void *unused, void *block, uint64_t old_size, uint64_t size) {
    (void)unused;
    held += (size_t)size - (size_t)old_size;
    most = held > most ? held : most;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, (size_t)size);
}

static const struct canary__hooks hooks = { .allocate = allocate };

static void must_be_named(int code, const canary_error *error) {
    FUZZ_CLAIM(code == CANARY_E_CORRUPT || code == CANARY_E_NEWER);
    FUZZ_CLAIM(error->code == code && error->message[0] != '\0');
}

/* -- figures -- */

static void sheet_is(const struct canary__sheet *sheet, const uint8_t *expected, size_t size) {
    uint8_t *data;
    size_t written;

    FUZZ_CLAIM(canary__sheet_encode(&hooks, sheet, &data, &written) == 0);
    FUZZ_CLAIM(written == size && memcmp(data, expected, size) == 0);
    canary__free(&hooks, data, written);
}

/* Answers whether it could be read. */
static int read_sheet(const uint8_t *data, size_t size, struct canary__sheet *sheet) {
    canary_error error = CANARY_ERROR_INIT;
    int code;

    most = held;
    code = canary__sheet_decode(&hooks, data, size, sheet, &error);
    FUZZ_CLAIM(most - held <= MEMORY_A_BYTE * size);
    if (code != CANARY_OK) {
        FUZZ_CLAIM(sheet->entries == NULL && sheet->count == 0);
        must_be_named(code, &error);
        return 0;
    }
    sheet_is(sheet, data, size);
    for (uint32_t i = 0; i < sheet->count; i++) {
        const struct canary__entry *entry = &sheet->entries[i];
        canary_figures figures;

        FUZZ_CLAIM(canary__sheet_find(sheet, entry->generation, entry->cohort, entry->metric) ==
                   &entry->tally);
        canary__tally_figures(&entry->tally, CANARY_STATUS_ERROR, &figures);
        FUZZ_CLAIM(!(figures.variance < 0) && !(figures.minimum > figures.maximum) &&
                   !(figures.p50 > figures.p999) && figures.k <= figures.n);
        FUZZ_CLAIM(figures.half_n[0] <= figures.n &&
                   figures.half_n[1] <= figures.n - figures.half_n[0]);
        FUZZ_CLAIM(figures.half_k[0] <= figures.half_n[0] &&
                   figures.half_k[1] <= figures.half_n[1]);
    }
    return 1;
}

static void merge_sheets(const struct canary__sheet *a, const struct canary__sheet *b) {
    struct canary__sheet ab = { 0 };
    struct canary__sheet ba = { 0 };
    uint8_t *data;
    size_t size;
    int code;

    FUZZ_CLAIM(canary__sheet_merge(&hooks, &ab, a) == 0);
    FUZZ_CLAIM(canary__sheet_encode(&hooks, &ab, &data, &size) == 0);
    code = canary__sheet_merge(&hooks, &ab, b);
    FUZZ_CLAIM(code == CANARY_OK || code == CANARY_E_CONFLICT);
    if (code == CANARY_E_CONFLICT) {
        sheet_is(&ab, data, size);
    }
    canary__free(&hooks, data, size);
    FUZZ_CLAIM(canary__sheet_merge(&hooks, &ba, b) == 0);
    FUZZ_CLAIM(canary__sheet_merge(&hooks, &ba, a) == code);
    if (code == CANARY_OK) {
        FUZZ_CLAIM(canary__sheet_encode(&hooks, &ab, &data, &size) == 0);
        sheet_is(&ba, data, size);
        canary__sheet_free(&hooks, &ba);
        FUZZ_CLAIM(read_sheet(data, size, &ba));
        canary__free(&hooks, data, size);
        code = canary__sheet_relabel(&hooks, &ba, 7);
        FUZZ_CLAIM(code == CANARY_OK || code == CANARY_E_CONFLICT);
    }
    canary__sheet_free(&hooks, &ab);
    canary__sheet_free(&hooks, &ba);
}

/* -- samples -- */

static void samples_are(const struct canary__sample *cohorts, const uint8_t *expected,
                        size_t size) {
    uint8_t *data;
    size_t written;

    FUZZ_CLAIM(canary__sample_encode(&hooks, cohorts, &data, &written) == 0);
    FUZZ_CLAIM(written == size && memcmp(data, expected, size) == 0);
    canary__free(&hooks, data, written);
}

static int read_samples(const uint8_t *data, size_t size, struct canary__sample *cohorts) {
    canary_error error = CANARY_ERROR_INIT;
    int code = canary__sample_decode(&hooks, data, size, cohorts, &error);

    if (code != CANARY_OK) {
        FUZZ_CLAIM(cohorts[0].users == NULL && cohorts[1].users == NULL);
        must_be_named(code, &error);
        return 0;
    }
    samples_are(cohorts, data, size);
    return 1;
}

static void merge_samples(const struct canary__sample *a, const struct canary__sample *b) {
    struct canary__sample ab = { 0 };
    struct canary__sample ba = { 0 };
    int changed;
    double users;
    double error;

    FUZZ_CLAIM(canary__sample_merge(&hooks, &ab, a, &changed) == 0);
    FUZZ_CLAIM(canary__sample_merge(&hooks, &ab, b, &changed) == 0);
    FUZZ_CLAIM(canary__sample_merge(&hooks, &ba, b, &changed) == 0);
    FUZZ_CLAIM(canary__sample_merge(&hooks, &ba, a, &changed) == 0);
    FUZZ_CLAIM(ab.level == ba.level && ab.count == ba.count);
    FUZZ_CLAIM(ab.count == 0 || memcmp(ab.users, ba.users, ab.count * sizeof *ab.users) == 0);
    FUZZ_CLAIM(canary__sample_common(a, b) <= (a->count < b->count ? a->count : b->count));
    canary__sample_estimate(&ab, &users, &error);
    FUZZ_CLAIM(users >= 0 && error >= 0);
    canary__sample_free(&hooks, &ab);
    canary__sample_free(&hooks, &ba);
}

/* -- either -- */

static void read_parts(const uint8_t *a, size_t size_a, const uint8_t *b, size_t size_b) {
    struct canary__sheet sheets[2] = { { 0 } };
    struct canary__sample samples[2][2] = { { { 0 } } };
    int read_a = read_sheet(a, size_a, &sheets[0]);
    int read_b = read_sheet(b, size_b, &sheets[1]);

    if (read_a && read_b) {
        merge_sheets(&sheets[0], &sheets[1]);
    }
    read_a = read_samples(a, size_a, samples[0]);
    read_b = read_samples(b, size_b, samples[1]);
    if (read_a && read_b) {
        merge_samples(&samples[0][0], &samples[1][0]);
        merge_samples(&samples[0][1], &samples[1][0]);
    }
    for (int i = 0; i < 2; i++) {
        canary__sheet_free(&hooks, &sheets[i]);
        canary__sample_free(&hooks, &samples[i][0]);
        canary__sample_free(&hooks, &samples[i][1]);
    }
    FUZZ_CLAIM(held == 0);
}

static uint8_t *sealed(const uint8_t *bytes, size_t size) {
    static const uint8_t key[crypto_shorthash_siphash24_KEYBYTES];
    uint8_t *data = malloc(size + SEAL);

    FUZZ_CLAIM(data != NULL);
    if (size > 0) {
        memcpy(data, bytes, size);
    }
    crypto_shorthash_siphash24(data + size, data, size, key);
    return data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *a;
    uint8_t *b;
    size_t cut;

    if (size < 2) {
        return 0;
    }
    cut = data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    cut = cut < size ? cut : size;
    read_parts(data, cut, data + cut, size - cut);
    a = sealed(data, cut);
    b = sealed(data + cut, size - cut);
    read_parts(a, cut + SEAL, b, size - cut + SEAL);
    free(a);
    free(b);
    return 0;
}
