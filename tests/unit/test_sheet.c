/* SPDX-License-Identifier: MIT */
/* Figures of a rollout: the same bytes however the data was divided, and bytes of any kind read. */
#include "figures.h"

#include <inttypes.h>
#include <math.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include "observe/histogram.h"

/* -- dividing and merging -- */

static struct canary__sheet through_storage(const struct canary__sheet *sheet) {
    struct canary__sheet out = { 0 };
    uint8_t *data;
    size_t size;

    assert_int_equal(canary__sheet_encode(&figures_hooks, sheet, &data, &size), 0);
    OK(canary__sheet_decode(&figures_hooks, data, size, &out, &error));
    canary__free(&figures_hooks, data, size);
    return out;
}

static void merge(struct canary__sheet *to, struct canary__sheet *from) {
    assert_int_equal(canary__sheet_merge(&figures_hooks, to, from), 0);
    canary__sheet_free(&figures_hooks, from);
}

/* Records go to the whole and to one of the parts; then the parts are merged two at a time, in any
 * order, now and then by way of the database. */
static void any_partition_merges_to_the_whole(void **state) {
    enum { PARTS = 12 };
    uint64_t seed = unit_seed();

    (void)state;
    for (int run = 0; run < 60; run++) {
        struct canary__sheet parts[PARTS] = { { 0 } };
        struct canary__sheet whole = { 0 };
        size_t left = 1 + figures_below(&seed, PARTS);
        uint64_t records = figures_below(&seed, run < 40 ? 10 : 1000);

        for (uint64_t i = 0; i < records; i++) {
            struct canary__sheet one = { 0 };

            figures_record(&seed, &one);
            assert_int_equal(canary__sheet_merge(&figures_hooks, &whole, &one), 0);
            merge(&parts[figures_below(&seed, left)], &one);
        }
        while (left > 1) {
            size_t a = figures_below(&seed, left);
            size_t b = (a + 1 + figures_below(&seed, left - 1)) % left;

            if (figures_below(&seed, 3) == 0) {
                struct canary__sheet read = through_storage(&parts[a]);

                canary__sheet_free(&figures_hooks, &parts[a]);
                parts[a] = read;
            }
            merge(&parts[a], &parts[b]);
            parts[b] = parts[--left];
            if (a == left) {
                parts[b] = parts[a];
            }
        }
        figures_equal(&parts[0], &whole);
        canary__sheet_free(&figures_hooks, &parts[0]);
        canary__sheet_free(&figures_hooks, &whole);
    }
}

static struct canary__sheet some_sheet(uint64_t *seed, uint64_t records) {
    struct canary__sheet sheet = { 0 };

    for (uint64_t i = 0; i < records; i++) {
        figures_record(seed, &sheet);
    }
    return sheet;
}

static void what_is_stored_is_read_back(void **state) {
    uint64_t seed = unit_seed();
    struct canary__sheet sheet = some_sheet(&seed, 2000);
    struct canary__sheet read = through_storage(&sheet);

    (void)state;
    figures_equal(&sheet, &read);
    for (uint32_t i = 0; i < sheet.count; i++) {
        const struct canary__entry *entry = &sheet.entries[i];
        const struct canary__tally *tally =
            canary__sheet_find(&read, entry->generation, entry->cohort, entry->metric);
        canary_figures before;
        canary_figures after;

        assert_non_null(tally);
        assert_int_equal(tally->kind, entry->tally.kind);
        canary__tally_figures(&entry->tally, 1, &before);
        canary__tally_figures(tally, 1, &after);
        assert_memory_equal(&before, &after, offsetof(canary_figures, threshold_n));
        assert_memory_equal(before.half_n, after.half_n,
                            sizeof before.half_n + sizeof before.half_k);
    }
    assert_null(canary__sheet_find(&read, 77, 0, "cost"));
    assert_null(canary__sheet_find(&read, 1, 0, "nothing"));
    canary__sheet_free(&figures_hooks, &sheet);
    canary__sheet_free(&figures_hooks, &read);
}

static void what_is_empty_is_not_stored(void **state) {
    struct canary__sheet nothing = { 0 };
    struct canary__sheet sheet = { 0 };
    struct canary__tally *tally = canary__sheet_at(&figures_hooks, &sheet, 3, 1, "wait");

    (void)state;
    tally->kind = CANARY_METRIC_DURATION;
    tally->threshold_count = 1;
    tally->thresholds_ns[0] = 5;
    assert_int_equal(canary__tally_need_buckets(&figures_hooks, tally), 0);
    canary__sheet_at(&figures_hooks, &sheet, 3, 0, "cost")->kind = CANARY_METRIC_VALUE;
    figures_equal(&sheet, &nothing);
    canary__sheet_free(&figures_hooks, &sheet);
}

static void one_generation_takes_all(void **state) {
    uint64_t seed = unit_seed();
    struct canary__sheet sheet = some_sheet(&seed, 500);
    struct canary__sheet expected = { 0 };

    (void)state;
    for (uint32_t i = 0; i < sheet.count; i++) {
        struct canary__entry *entry = &sheet.entries[i];

        assert_int_equal(canary__tally_merge(&figures_hooks,
                                             canary__sheet_at(&figures_hooks, &expected, 9,
                                                              entry->cohort, entry->metric),
                                             &entry->tally),
                         0);
    }
    assert_int_equal(canary__sheet_relabel(&figures_hooks, &sheet, 9), 0);
    figures_equal(&sheet, &expected);
    assert_int_equal(canary__sheet_relabel(&figures_hooks, &sheet, 10), 0);
    assert_non_null(canary__sheet_find(&sheet, 10, 0, "cost"));
    assert_int_equal(sheet.count, expected.count);
    canary__sheet_free(&figures_hooks, &sheet);
    canary__sheet_free(&figures_hooks, &expected);
}

/* -- all or nothing -- */

static void every_allocation_may_fail(void **state) {
    uint64_t seed = unit_seed();

    (void)state;
    for (int what = 0; what < 4; what++) {
        int code = CANARY_E_NOMEM;

        for (uint64_t n = 0; code != CANARY_OK; n++) {
            struct canary__sheet to = some_sheet(&seed, 30);
            struct canary__sheet from = some_sheet(&seed, 200);
            struct canary__sheet before = { 0 };
            uint8_t *data = NULL;
            size_t size = 0;

            assert_int_equal(canary__sheet_merge(&figures_hooks, &before, &to), 0);
            if (what == 3) {
                assert_int_equal(canary__sheet_encode(&figures_hooks, &from, &data, &size), 0);
                canary__sheet_free(&figures_hooks, &to);
                canary__sheet_free(&figures_hooks, &before);
            }
            figures_left = n;
            code = what == 0   ? canary__sheet_merge(&figures_hooks, &to, &from)
                   : what == 1 ? canary__sheet_relabel(&figures_hooks, &to, 1000)
                   : what == 2 ? canary__sheet_encode(&figures_hooks, &to, &data, &size)
                               : canary__sheet_decode(&figures_hooks, data, size, &to, NULL);
            figures_left = UINT64_MAX;
            if (code != CANARY_OK) {
                assert_int_equal(code, CANARY_E_NOMEM);
                figures_equal(&to, &before);
            }
            assert_true(n < 1000);
            canary__free(&figures_hooks, data, size);
            canary__sheet_free(&figures_hooks, &to);
            canary__sheet_free(&figures_hooks, &from);
            canary__sheet_free(&figures_hooks, &before);
        }
    }
}

static void a_conflict_changes_nothing(void **state) {
    uint64_t seed = unit_seed();
    struct canary__sheet to = some_sheet(&seed, 300);
    struct canary__sheet from = some_sheet(&seed, 300);
    struct canary__sheet before = { 0 };
    struct canary__tally *last = canary__sheet_at(&figures_hooks, &to, 1000, 0, "zeal");

    (void)state;
    *last = (struct canary__tally){ .kind = CANARY_METRIC_PROPORTION, .counts = { 1 } };
    last = canary__sheet_at(&figures_hooks, &from, 1000, 0, "zeal");
    *last = (struct canary__tally){ .kind = CANARY_METRIC_CLASSIFICATION, .counts = { 1 } };
    assert_int_equal(canary__sheet_merge(&figures_hooks, &before, &to), 0);
    assert_int_equal(canary__sheet_merge(&figures_hooks, &to, &from), CANARY_E_CONFLICT);
    figures_equal(&to, &before);

    last = canary__sheet_at(&figures_hooks, &to, 1001, 0, "zeal");
    *last = (struct canary__tally){ .kind = CANARY_METRIC_CLASSIFICATION, .counts = { 1 } };
    canary__sheet_free(&figures_hooks, &before);
    assert_int_equal(canary__sheet_merge(&figures_hooks, &before, &to), 0);
    assert_int_equal(canary__sheet_relabel(&figures_hooks, &to, 5), CANARY_E_CONFLICT);
    figures_equal(&to, &before);
    canary__sheet_free(&figures_hooks, &to);
    canary__sheet_free(&figures_hooks, &from);
    canary__sheet_free(&figures_hooks, &before);
}

/* -- any bytes -- */

static int decode_sealed(const uint8_t *bytes, size_t size, const char *first, int expected) {
    static const uint8_t key[crypto_shorthash_siphash24_KEYBYTES];
    uint8_t *data = malloc(size + 8);
    struct canary__sheet sheet = { 0 };
    canary_error error = CANARY_ERROR_INIT;
    int code;

    memcpy(data, bytes, size);
    crypto_shorthash_siphash24(data + size, data, size, key);
    code = canary__sheet_decode(&figures_hooks, data, size + 8, &sheet, &error);
    if (code != expected || (code != 0 && strstr(error.message, first) == NULL)) {
        fail_msg("%s instead of \"%s\": %s", canary_error_name(code), first, error.message);
    }
    assert_true(code == 0 || (sheet.entries == NULL && sheet.count == 0));
    canary__sheet_free(&figures_hooks, &sheet);
    free(data);
    return code;
}

static void every_damaged_bit_is_found(void **state) {
    uint64_t seed = unit_seed();
    struct canary__sheet sheet = some_sheet(&seed, 60);
    struct canary__sheet out = { 0 };
    uint8_t *data;
    size_t size;

    (void)state;
    assert_int_equal(canary__sheet_encode(&figures_hooks, &sheet, &data, &size), 0);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
        FAILS(CANARY_E_CORRUPT, "row of figures is damaged", "checksum",
              canary__sheet_decode(&figures_hooks, data, size, &out, &error));
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        FAILS(CANARY_E_CORRUPT, "row of figures is damaged", "",
              canary__sheet_decode(&figures_hooks, data, cut, &out, &error));
    }
    OK(canary__sheet_decode(&figures_hooks, data, size, &out, &error));
    /* With a seal of its own, too, no part of it is the whole of something. */
    for (size_t cut = 2; cut < size - 8; cut++) {
        decode_sealed(data, cut, "damaged", CANARY_E_CORRUPT);
    }
    canary__free(&figures_hooks, data, size);
    canary__sheet_free(&figures_hooks, &out);
    canary__sheet_free(&figures_hooks, &sheet);
}

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
#define HEAD 1, 1
#define STATUS 7, '+', 's', 't', 'a', 't', 'u', 's', 64
#define ONE 0, 0, 0, 0, 0, 0, 0xf0, 0x3f /* 1.0 */
#define NINE_FF 255, 255, 255, 255, 255, 255, 255, 255, 255
#define TEN_FF 255, 255, 255, 255, 255, 255, 255, 255, 255, 255

/* clang-format off */
static const struct {
    const char *says; /* NULL: it is allowed */
    int code;
    const uint8_t *bytes;
    size_t size;
} blobs[] = {
    { NULL, 0, BYTES(HEAD, 0) },
    { "version 2", CANARY_E_NEWER, BYTES(2, 1, 0) },
    { "version 0", CANARY_E_CORRUPT, BYTES(0, 1, 0) },
    { "layout 2", CANARY_E_NEWER, BYTES(1, 2, 0) },
    { "layout 0", CANARY_E_CORRUPT, BYTES(1, 0, 0) },
    { "after its end", CANARY_E_CORRUPT, BYTES(HEAD, 0, 0) },
    { NULL, 0, BYTES(HEAD, 1, 5, 0, STATUS, 1, 9) },
    { NULL, 0, BYTES(HEAD, 2, 5, 0, STATUS, 1, 9, 0, 3, 64, 1, 9) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 9, 5, 0, STATUS, 1, 9) },
    { "ends too early", CANARY_E_CORRUPT, BYTES(HEAD, 2, 5, 0, STATUS, 1, 9) },
    { "out of order", CANARY_E_CORRUPT, BYTES(HEAD, 2, 5, 0, STATUS, 1, 9, 0, 2, 64, 1, 9) },
    { "out of order", CANARY_E_CORRUPT, BYTES(HEAD, 2, 5, 1, STATUS, 1, 9, 0, 2, 64, 1, 9) },
    { "repeated", CANARY_E_CORRUPT, BYTES(HEAD, 2, 5, 0, STATUS, 1, 9, 0, 1, STATUS, 1, 9) },
    { "out of order", CANARY_E_CORRUPT, BYTES(HEAD, 2, 5, 0, 1, 'b', 1, 1, 9, 0, 1, 1, 'a', 1, 1, 9) },
    { "no name", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 2, 64, 1, 9) },
    { "unknown shape", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 16, STATUS, 1, 9) },
    { "has lost", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 4, STATUS, 1, 9) },
    { "longer than need be", CANARY_E_CORRUPT, BYTES(HEAD, 1, 0x85, 0, 0, STATUS, 1, 9) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, TEN_FF, 1, 0, STATUS, 1, 9) },
    { "more than 128", CANARY_E_CORRUPT, BYTES(HEAD, 1, TEN_FF, TEN_FF, 1, 0, STATUS, 1, 9) },
    { "unknown kind", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 6, 1, 9) },
    { "unknown kind", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 0, 1, 9) },
    { "not allowed", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'A', 1, 1, 9) },
    { "not allowed", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 2, 'a', 0, 1, 1, 9) },
    { "not allowed", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 0, 1, 1, 9) },
    { "not allowed", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 7, '+', 's', 't', 'a', 't', 'u', 's', 1, 1, 9) },
    { "not allowed", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 64, 1, 9) },
    { "not allowed", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 1, 7, '+', 'l', 'o', 's', 's', 'e', 's', 66, 1, 9) },
    { "too long", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 64, 'a', 1, 1, 9) },
    { "more counts", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, STATUS, 4, 1, 1, 1, 1) },
    { "last count is 0", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, STATUS, 2, 1, 0) },
    { "says nothing", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, STATUS, 0) },
    /* halves: of each count, how many of either */
    { NULL, 0, BYTES(HEAD, 1, 5, 8, STATUS, 2, 9, 5, 4, 5, 0, 3, 0, 0) },
    { NULL, 0, BYTES(HEAD, 1, 5, 8, 1, 'a', 1, 2, 9, 5, 0, 0, 0, 1) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 8, STATUS, 2, 9, 5, 4, 6, 0, 3, 0, 0) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 8, STATUS, 2, 9, 5, 10, 0, 0, 3, 0, 0) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 8, STATUS, 2, 9, 5, 4, 5, 0, 3, 0, 1) },
    { "hold nothing", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 8, STATUS, 2, 9, 5, 0, 0, 0, 0, 0, 0) },
    { "not divided", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 9, STATUS, 2, 9, 5, 4, 5, 0, 3, 0, 0) },
    { "not divided", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 8, 1, 'a', 5, 1, 9, 1, 1, 0, 0, 0, 0, 0, 0) },
    { "ends too early", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 8, STATUS, 2, 9, 5, 4, 5, 0, 3, 0) },
    /* values: counts, resolution, sum, squares, least, most */
    { NULL, 0, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, ONE, 6, 9, 14, 14) },
    { NULL, 0, BYTES(HEAD, 1, 5, 4, 1, 'a', 3, 1, 1, ONE, 6, 14, 14) },
    { NULL, 0, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, ONE, 6, 9, 0, 0) },
    { "no value", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, ONE, 6, 9, 14, 10) },
    { "no value", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, ONE, 6, 9, 12, 14) },
    { "no value", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, ONE, 6, 9, 0, 14) },
    { "resolution", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 9, 14, 14) },
    { "resolution", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 6, 9, 14, 14) },
    { "resolution", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf, 6, 9, 14, 14) },
    { "resolution", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 6, 9, 14, 14) },
    { "resolution", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 3, 1, 1, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 6, 9, 14, 14) },
    { "resolution", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 4, 1, 1, 0, 0, 0, 0, 0, 0, 0xf8, 0xff, 6, 9, 14, 14) },
    /* durations: sum, squares, overflow, thresholds, runs */
    { NULL, 0, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 2, 5, 1, 1, 3, 1, 0, 2, 3, 1, 2, 3, 2, 0, 12) },
    { NULL, 0, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 4, 8, 7, 0, 2) },
    { NULL, 0, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, NINE_FF, NINE_FF, 3, 81, 0, 0, 0) },
    { "more than 128", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, NINE_FF, NINE_FF, 4, 81, 0, 0, 0) },
    { "do not rise", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 2, 5, 1, 1, 0, 1, 0, 1, 3, 1, 2) },
    { "too many thresholds", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 9, 5, 1, 1) },
    { "with nothing", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 1, 5, 0, 0, 1, 3, 1, 2) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 1, 5, 1, 2, 1, 3, 1, 2) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 2, 255, 255, 255, 255, 255, 255, 255, 255, 127, 1, 1, 1, 1, 0, 0) },
    { "is none", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 0) },
    { "is none", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 2, 3, 1, 2, 2, 1, 2) },
    { "is none", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 9, 2) },
    { "not the shortest", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 1, 0) },
    { "not the shortest", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 2, 0, 2) },
    { "not the shortest", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 2, 2, 1) },
    { "not the shortest", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 5, 2, 1, 0, 0, 2) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 0xbf, 13, 2, 2, 2) },
    { NULL, 0, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 0xbf, 13, 1, 2) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 0xc1, 13, 1, 2) },
    { "too great", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2) },
    { NULL, 0, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 3, 1, 1) },
    { "is none", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 9, 81, 0, 0, 1, 0xc0, 13, 0) },
    { "says nothing", CANARY_E_CORRUPT, BYTES(HEAD, 1, 5, 0, 1, 'a', 2, 0, 0, 0, 0, 0) },
};
/* clang-format on */

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(blobs); i++) {
        decode_sealed(blobs[i].bytes, blobs[i].size, blobs[i].says, blobs[i].code);
    }
}

static void no_bytes_take_much_memory(void **state) {
    enum { ENTRIES = 100, SIZE = 11 };
    static uint8_t data[3 + 3 + ENTRIES * SIZE];
    uint8_t *next = data;
    size_t size;

    (void)state;
    /* The shortest entries that have a histogram. */
    *next++ = 1;
    *next++ = 1;
    *next++ = ENTRIES;
    for (int i = 0; i < ENTRIES; i++) {
        const uint8_t first[] = { 1, 4, 1, 'a', 2, 0, 0, 0, 1, 9, 1, 2 };
        const uint8_t later[] = { 1, 6, 2, 0, 0, 0, 1, 9, 1, 2 };

        memcpy(next, i == 0 ? first : later, i == 0 ? sizeof first : sizeof later);
        next += i == 0 ? sizeof first : sizeof later;
    }
    size = (size_t)(next - data);
    figures_most = 0;
    decode_sealed(data, size, "", 0);
    printf("%zu bytes became %" PRIu64 "\n", size + 8, figures_most);
    assert_true(figures_most <= 1536 * size);
    /* As many entries as the count says, and none of them there. */
    data[2] = 0xff;
    data[3] = 1;
    figures_most = 0;
    decode_sealed(data, 255 * 4 + 4, "damaged", CANARY_E_CORRUPT);
    assert_true(figures_most <= 1536 * size);
}

/* Bytes of a row of so many requests around 10 ms, half of them in the new cohort. */
static size_t typical_size(uint64_t *seed, int requests) {
    static const char *const metrics[] = { CANARY__SHEET_STATUS, CANARY__SHEET_DECISIONS };
    struct canary__sheet sheet = { 0 };
    struct canary__tally *tally;
    uint8_t *data;
    size_t size;

    for (int i = 0; i < requests; i++) {
        for (size_t m = 0; m < COUNT(metrics); m++) {
            tally = canary__sheet_at(&figures_hooks, &sheet, 1234, i % 2, metrics[m]);
            tally->kind = m == 0 ? CANARY__TALLY_STATUS : CANARY__TALLY_DECISIONS;
            tally->counts[m == 0 ? figures_below(seed, 100) == 0 : CANARY_REASON_SPLIT]++;
        }
        tally = canary__sheet_at(&figures_hooks, &sheet, 1234, i % 2, CANARY__SHEET_DURATION);
        tally->kind = CANARY_METRIC_DURATION;
        assert_int_equal(canary__tally_add_duration(&figures_hooks, tally,
                                                    (int64_t)(1e7 * exp(figures_normal(seed)))),
                         0);
    }
    assert_int_equal(canary__sheet_encode(&figures_hooks, &sheet, &data, &size), 0);
    canary__free(&figures_hooks, data, size);
    canary__sheet_free(&figures_hooks, &sheet);
    return size;
}

/* In pages of 4 KB, in each of which only whole rows lie, with 150 bytes for what else is in one. */
static double stored_size(size_t row, double rows) {
    return rows * 4096 / (double)(4050 / (row + 150));
}

static void a_year_takes_fifty_megabytes_at_most(void **state) {
    uint64_t seed = unit_seed();
    size_t tick = typical_size(&seed, 1000);
    size_t minute = typical_size(&seed, 6000);
    size_t hour = typical_size(&seed, 360000);
    double year;

    (void)state;
    /* 2 hours of 10 s, 7 days of a minute, 400 days of an hour. */
    year = stored_size(tick, 720) + stored_size(minute, 7 * 1440) + stored_size(hour, 400 * 24);
    printf("rows of %zu, %zu and %zu bytes: %.1f MB\n", tick, minute, hour, year * 1e-6);
    assert_true(year <= 50e6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIGURES_TEST(any_partition_merges_to_the_whole),
        FIGURES_TEST(what_is_stored_is_read_back),
        FIGURES_TEST(what_is_empty_is_not_stored),
        FIGURES_TEST(one_generation_takes_all),
        FIGURES_TEST(every_allocation_may_fail),
        FIGURES_TEST(a_conflict_changes_nothing),
        FIGURES_TEST(every_damaged_bit_is_found),
        FIGURES_TEST(what_makes_no_sense_is_refused),
        FIGURES_TEST(no_bytes_take_much_memory),
        FIGURES_TEST(a_year_takes_fifty_megabytes_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
