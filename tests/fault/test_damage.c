/* SPDX-License-Identifier: MIT */
/* Damage to the files of a store: nobody may get `new` who did not get it before, whatever bit of
 * whatever file is wrong; nothing may crash; and what was noticed is named. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DATABASE_FLIPS = 1600, BELL_FLIPS = 400, PAGE = 4096, SECTOR = 512 };

/* One store in the state before the damage, and what its users got. */
struct past {
    unsigned past;
    char path[FAULT_PATH];
    uint8_t before[FAULT_USERS];
    uint64_t used; /* bytes of the database that hold data */
};

static struct past pasts[] = { { .past = 0 },
                               { .past = FAULT_PAST_FLAG_OFF },
                               { .past = FAULT_PAST_PENDING } };
enum { PASTS = sizeof pasts / sizeof pasts[0] };

static char place[FAULT_PATH];
static char place_bell[FAULT_PATH + 16];

static struct {
    unsigned refused;
    unsigned doubted;
    unsigned lowered;
    unsigned unnoticed;
} tally;

static canary_ctx *open_there(canary_error *error, int *code) {
    canary_options options = fault_options();
    canary_ctx *ctx = NULL;

    *code = canary_open(place, FAULT_ROLLOUT, &options, &ctx, error);
    if (*code != CANARY_OK) {
        fault_named(*code, error);
        assert_null(ctx);
    }
    return ctx;
}

static int setup(void **unused) {
    (void)unused;
    fault_seed();
    fault_path(place, "damaged.db");
    fault_bell(place_bell, place);
    for (int i = 0; i < PASTS; i++) {
        char name[32];
        unsigned char pages[4];
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *ctx;
        int code;

        snprintf(name, sizeof name, "past-%d.db", i);
        fault_path(pasts[i].path, name);
        fault_make(pasts[i].path, pasts[i].past);
        fault_read(pasts[i].path, 28, pages, sizeof pages);
        pasts[i].used = ((uint64_t)pages[2] << 8 | pages[3]) * PAGE;
        fault_copy_store(pasts[i].path, place);
        ctx = open_there(&error, &code);
        assert_non_null(ctx);
        fault_decide(ctx, pasts[i].before);
        canary_close(&ctx);
    }
    assert_in_range(fault_count(pasts[0].before), FAULT_USERS / 5, FAULT_USERS / 3);
    assert_int_equal(fault_count(pasts[1].before), 0);
    /* Pins stand above percentages, rung rollbacks included. */
    assert_int_equal(fault_count(pasts[2].before), 4);
    return 0;
}

/* Less than before, and the context does not say why? */
static void noticed(canary_ctx *ctx, const struct past *past, const uint8_t *after,
                    const char *what) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;

    assert_int_equal(canary_info(ctx, &info), CANARY_OK);
    if (info.last_error != 0) {
        assert_string_not_equal(canary_error_name(info.last_error), "CANARY_E_UNKNOWN");
        assert_true(info.last_message[0] != '\0');
        tally.refused++;
    } else if (info.doubt != (past->past == FAULT_PAST_PENDING ? CANARY_DOUBT_ROLLBACK : 0)) {
        tally.doubted++;
    } else {
        tally.unnoticed++;
    }
    if (memcmp(after, past->before, FAULT_USERS) != 0) {
        tally.lowered++;
        if (info.last_error == 0 && info.doubt == 0 && info.kill_reasons == 0) {
            fail_msg("%s: exposure fell, and canary_info() does not say why", what);
        }
    }
}

/* Every call that reads: whatever it finds, it answers. */
static int take_finding(void *user_data, const canary_finding *finding) {
    (void)user_data;
    return finding->message[0] == '\0';
}

static int take_change(void *user_data, const canary_change *change) {
    (void)user_data;
    return change->size == 0;
}

static int take_rollout(void *user_data, const canary_rollout *rollout) {
    (void)user_data;
    return rollout->stage_count > 32;
}

static int take_flag(void *user_data, const canary_flag *flag) {
    (void)user_data;
    return flag->enabled > 1;
}

static void read_all(canary_store *store) {
    canary_error error = CANARY_ERROR_INIT;
    int codes[4];

    codes[0] = canary_verify(store, take_finding, NULL, NULL, &error);
    codes[1] = canary_history(store, NULL, 0, 0, take_change, NULL, &error);
    codes[2] = canary_rollout_list(store, take_rollout, NULL, &error);
    codes[3] = canary_flag_list(store, take_flag, NULL, &error);
    for (int i = 0; i < 4; i++) {
        assert_true(codes[i] <= 0);
        assert_string_not_equal(canary_error_name(codes[i]), "CANARY_E_UNKNOWN");
    }
}

/* `damage` is done to the files at `place` between the two looks of a running context; after it a
 * context is opened afresh. */
static void suffer(const struct past *past, void (*damage)(void *), void *argument,
                   const char *what) {
    canary_error error = CANARY_ERROR_INIT;
    uint8_t after[FAULT_USERS];
    canary_ctx *ctx;
    int code;

    fault_copy_store(past->path, place);
    ctx = open_there(&error, &code);
    assert_non_null(ctx);
    damage(argument);
    for (int look = 0; look < 2; look++) {
        code = canary_refresh(canary_ctx_store(ctx), &error);
        if (code != CANARY_OK) {
            fault_named(code, &error);
        }
        fault_decide(ctx, after);
        fault_never_raised(past->before, after, what);
        noticed(ctx, past, after, what);
        if (look == 0 && fault_size(place) >= 96) {
            fault_bump(place);
        }
    }
    canary_close(&ctx);

    ctx = open_there(&error, &code);
    if (ctx != NULL) {
        fault_decide(ctx, after);
        fault_never_raised(past->before, after, what);
        noticed(ctx, past, after, what);
        if (fault_below(8) == 0) {
            read_all(canary_ctx_store(ctx));
            fault_decide(ctx, after);
            fault_never_raised(past->before, after, what);
        }
        canary_close(&ctx);
    } else {
        tally.refused++;
    }
}

static void report(const char *what) {
    print_message("%s: %u looks refused, %u in doubt, %u lowered, %u without effect\n", what,
                  tally.refused, tally.doubted, tally.lowered, tally.unnoticed);
    memset(&tally, 0, sizeof tally);
}

static const struct past *any_past(void) {
    return &pasts[fault_below(PASTS)];
}

struct flip {
    const char *path;
    uint64_t bit;
};

static void do_flip(void *argument) {
    const struct flip *flip = argument;

    fault_flip(flip->path, flip->bit);
}

static void test_bits_of_the_database(void **unused) {
    (void)unused;
    for (int i = 0; i < DATABASE_FLIPS; i++) {
        const struct past *past = any_past();
        /* Mostly where data are, and the header as often as a page. */
        uint64_t bytes = i % 8 == 0 ? fault_size(past->path) : i % 8 == 1 ? 100 : past->used;
        struct flip flip = { place, fault_below(bytes * 8) };
        char what[96];

        snprintf(what, sizeof what, "bit %llu of the database, past %u",
                 (unsigned long long)flip.bit, past->past);
        suffer(past, do_flip, &flip, what);
    }
    report("bits of the database");
}

static void test_bits_of_the_bell(void **unused) {
    (void)unused;
    for (int i = 0; i < BELL_FLIPS; i++) {
        const struct past *past = any_past();
        /* The entries in use stand first. */
        uint64_t bytes = i % 2 == 0 ? 192 : PAGE;
        struct flip flip = { place_bell, fault_below(bytes * 8) };
        char what[96];

        snprintf(what, sizeof what, "bit %llu of the bell, past %u", (unsigned long long)flip.bit,
                 past->past);
        suffer(past, do_flip, &flip, what);
    }
    report("bits of the bell");
}

struct burst {
    const char *path;
    uint64_t at;
    unsigned char bytes[64];
    size_t size;
};

static void do_burst(void *argument) {
    const struct burst *burst = argument;

    fault_write(burst->path, burst->at, burst->bytes, burst->size);
}

static void test_bursts(void **unused) {
    (void)unused;
    for (int i = 0; i < 300; i++) {
        const struct past *past = any_past();
        int bell = i % 4 == 0;
        struct burst burst = { .path = bell ? place_bell : place };
        char what[96];

        burst.size = 2 + fault_below(sizeof burst.bytes - 1);
        burst.at = fault_below((bell ? PAGE : past->used) - burst.size);
        for (size_t byte = 0; byte < burst.size; byte++) {
            burst.bytes[byte] = (unsigned char)fault_random();
        }
        snprintf(what, sizeof what, "%zu bytes at %llu of the %s, past %u", burst.size,
                 (unsigned long long)burst.at, bell ? "bell" : "database", past->past);
        suffer(past, do_burst, &burst, what);
    }
    report("bursts");
}

struct pages {
    uint64_t one;
    uint64_t other; /* swapped with `one`; equal: `one` becomes zeros */
};

static void do_pages(void *argument) {
    const struct pages *pages = argument;
    unsigned char one[PAGE] = { 0 };
    unsigned char other[PAGE] = { 0 };

    if (pages->one != pages->other) {
        fault_read(place, pages->one * PAGE, one, PAGE);
        fault_read(place, pages->other * PAGE, other, PAGE);
        fault_write(place, pages->other * PAGE, one, PAGE);
    }
    fault_write(place, pages->one * PAGE, other, PAGE);
}

static void test_pages(void **unused) {
    (void)unused;
    for (int p = 0; p < PASTS; p++) {
        uint64_t count = pasts[p].used / PAGE;
        char what[96];

        for (uint64_t one = 0; one < count; one++) {
            for (uint64_t other = one; other < count; other++) {
                struct pages pages = { one, other };

                /* Each page to zeros; of the pairs some, always those with the first two. */
                if (one != other && one > 1 && fault_below(3) != 0) {
                    continue;
                }
                snprintf(what, sizeof what, "pages %llu and %llu of the database, past %u",
                         (unsigned long long)one, (unsigned long long)other, pasts[p].past);
                suffer(&pasts[p], do_pages, &pages, what);
            }
        }
    }
    report("pages");
}

struct cut {
    const char *path;
    uint64_t size;
};

static void do_cut(void *argument) {
    const struct cut *cut = argument;

    assert_int_equal(truncate(cut->path, (off_t)cut->size), 0);
}

static void test_truncation(void **unused) {
    char what[96];

    (void)unused;
    for (int p = 0; p < PASTS; p++) {
        uint64_t last = p == 0 ? fault_size(pasts[p].path) : pasts[p].used;

        for (uint64_t size = 0; size < last; size += SECTOR) {
            struct cut cut = { place, size };

            snprintf(what, sizeof what, "database cut to %llu bytes, past %u",
                     (unsigned long long)size, pasts[p].past);
            suffer(&pasts[p], do_cut, &cut, what);
        }
        for (uint64_t size = 0; size < PAGE; size += SECTOR) {
            struct cut cut = { place_bell, size };

            snprintf(what, sizeof what, "bell cut to %llu bytes, past %u", (unsigned long long)size,
                     pasts[p].past);
            suffer(&pasts[p], do_cut, &cut, what);
        }
    }
    report("truncation");
}

static void do_garbage(void *argument) {
    const struct cut *cut = argument; /* of the file as it is: where to append how much */
    unsigned char garbage[PAGE];
    uint64_t at = fault_size(cut->path);

    for (size_t i = 0; i < sizeof garbage; i++) {
        garbage[i] = (unsigned char)fault_random();
    }
    for (uint64_t done = 0; done < cut->size; done += sizeof garbage) {
        uint64_t left = cut->size - done;

        fault_write(cut->path, at + done, garbage, left < PAGE ? left : PAGE);
    }
}

static void test_appended_garbage(void **unused) {
    static const uint64_t sizes[] = { 1, 511, 4096, 4097, 65536 };
    uint8_t after[FAULT_USERS];
    char what[96];

    (void)unused;
    for (int p = 0; p < PASTS; p++) {
        for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
            struct cut cut = { i % 2 == 0 ? place : place_bell, sizes[i / 2] };
            canary_error error = CANARY_ERROR_INIT;
            canary_ctx *ctx;
            int code;

            snprintf(what, sizeof what, "%llu bytes of garbage behind the %s, past %u",
                     (unsigned long long)cut.size, i % 2 == 0 ? "database" : "bell", pasts[p].past);
            suffer(&pasts[p], do_garbage, &cut, what);
            /* Behind the end nobody looks: this is no damage. */
            ctx = open_there(&error, &code);
            assert_non_null(ctx);
            fault_decide(ctx, after);
            assert_memory_equal(after, pasts[p].before, FAULT_USERS);
            canary_close(&ctx);
        }
    }
    report("appended garbage");
}

/* The test must be able to fail: real damage of each kind is noticed somewhere. */
static void test_noticing(void **unused) {
    struct pages zero = { 1, 1 };

    (void)unused;
    memset(&tally, 0, sizeof tally);
    for (uint64_t page = 1; page < pasts[0].used / PAGE; page++) {
        zero.one = zero.other = page;
        suffer(&pasts[0], do_pages, &zero, "a page of zeros");
    }
    assert_true(tally.refused + tally.doubted > pasts[0].used / PAGE / 2);
    report("pages of zeros");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_of_the_database),
        cmocka_unit_test(test_bits_of_the_bell),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_appended_garbage),
        cmocka_unit_test(test_noticing),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
