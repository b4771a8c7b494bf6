/* SPDX-License-Identifier: MIT */
/* News in the bell that must not be believed: forged, damaged, put back, or in doubt. */
#include "hearing.h"

#include <time.h>

#include "tamper.h"

/* Nobody may pass for the store's writer; whoever could (who can read the store) gets as far as the
 * next look. This is also the proof that the forgeries below lack nothing but what they say. */
static void store_has_the_last_word(void **state) {
    struct hearing s = hearing_new(*state);
    struct canary__news news = hearing_news(&s, 10000);

    hearing_sign(&s, &news, s.reader->secret);
    hearing_write(&s, &news, sizeof news);
    hearing_hear(&s);
    hearing_believed(&s, 10000);
    hearing_confirm(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    assert_true((unit_info(s.ctx).doubt & CANARY_DOUBT_TRAIL) != 0);
    /* In doubt news is not listened to. */
    news = hearing_news(&s, 10000);
    hearing_sign(&s, &news, s.reader->secret);
    hearing_write(&s, &news, sizeof news);
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    hearing_end(&s);
}

static void wrong_code(struct hearing *s, struct canary__news *news) {
    uint8_t secret[CANARY__SECRET];

    memcpy(secret, s->reader->secret, sizeof secret);
    secret[31] ^= 1; /* another store's */
    hearing_sign(s, news, secret);
}

static void no_code(struct hearing *s, struct canary__news *news) {
    hearing_sign(s, news, s->reader->secret);
    memset(news->code, 0, sizeof news->code);
}

static void other_ring(struct hearing *s, struct canary__news *news) {
    hearing_sign(s, news, s->reader->secret);
    news->ring ^= 1;
}

static void ring_seen_before(struct hearing *s, struct canary__news *news) {
    struct canary__bell_ringer ringer;

    OK(canary__bell_ringer_open(&ringer, s->bell, &error));
    ringer.ring = s->reader->image.ring;
    canary__news_sign(news, &ringer, s->reader->secret);
    canary__bell_ringer_close(&ringer, s->bell);
}

static void other_file(struct hearing *s, struct canary__news *news) {
    struct canary__bell_ringer ringer;

    OK(canary__bell_ringer_open(&ringer, s->bell, &error));
    ringer.inode++; /* the bell of a copy of the store */
    canary__news_sign(news, &ringer, s->reader->secret);
    canary__bell_ringer_close(&ringer, s->bell);
}

#define SIGNED_WITH(name, change)                                                                  \
    static void name(struct hearing *s, struct canary__news *news) {                               \
        change;                                                                                    \
        hearing_sign(s, news, s->reader->secret);                                                  \
    }
SIGNED_WITH(id_too_low, news->id--)
SIGNED_WITH(id_too_high, news->id++)
SIGNED_WITH(other_trail, news->previous_hash[0] ^= 1)
SIGNED_WITH(other_row, news->row_before[31] ^= 1)
SIGNED_WITH(revision_too_low, news->revision--)
SIGNED_WITH(revision_too_high, news->revision++)
SIGNED_WITH(other_stage, news->stage--)
SIGNED_WITH(too_much, news->percentage_bp = 10001)
SIGNED_WITH(name_without_end, memset(news->rollout, 'a', sizeof news->rollout))
SIGNED_WITH(phase_without_end, memset(news->phase, 'a', sizeof news->phase))

static void forgeries(void **state) {
    static void (*const forge[])(struct hearing * s, struct canary__news * news) = {
        wrong_code,  no_code,     other_ring,       ring_seen_before,  other_file,
        id_too_low,  id_too_high, other_trail,      other_row,         revision_too_low,
        other_stage, too_much,    name_without_end, phase_without_end, revision_too_high,
    };
    struct hearing s = hearing_new(*state);

    for (size_t i = 0; i < COUNT(forge); i++) {
        struct canary__news news = hearing_news(&s, 10000);

        forge[i](&s, &news);
        hearing_write(&s, &news, sizeof news);
        hearing_hear(&s);
        hearing_looked(&s);
        assert_int_equal(unit_info(s.ctx).effective_bp, 500);
        assert_int_equal(unit_info(s.ctx).doubt, 0);
    }
    hearing_end(&s);
}

/* Every bit of news that is right in every way. */
static void flipped_bits(void **state) {
    struct hearing s = hearing_new(*state);

    for (size_t bit = 0; bit < sizeof(struct canary__news) * 8; bit++) {
        struct canary__news news = hearing_news(&s, 10000);
        unsigned char bytes[sizeof news];

        hearing_ring(&s);
        hearing_sign(&s, &news, s.reader->secret);
        memcpy(bytes, &news, sizeof bytes);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        hearing_write(&s, bytes, sizeof bytes);
        hearing_hear(&s);
        hearing_looked(&s);
        assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    }
    hearing_end(&s);
}

/* Rung by itself it counts; there being a page that would be believed counts nowhere else. */
static void only_at_a_ring(void **state) {
    struct hearing s = hearing_new(*state);
    struct canary__news news = hearing_news(&s, 10000);
    struct hearing fresh;

    hearing_sign(&s, &news, s.reader->secret);
    hearing_write(&s, &news, sizeof news);
    hearing_refresh(&s, CANARY_SOURCE_TICK);
    hearing_looked(&s);
    hearing_hear(&s); /* the ring is an old one by now */
    hearing_looked(&s);
    OK(canary_refresh(s.reader, &error));
    assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    fresh = hearing_open(s.unit, "a");
    hearing_hear(&fresh);
    hearing_looked(&fresh);
    assert_int_equal(unit_info(fresh.ctx).effective_bp, 500);
    hearing_end(&fresh);
    hearing_end(&s);
}

/* Before the child of a fork has looked, or after a look that failed. */
static void not_before_a_look(void **state) {
    struct hearing s = hearing_new(*state);
    struct canary__news news = hearing_news(&s, 10000);

    s.reader->news_ready = 0;
    hearing_sign(&s, &news, s.reader->secret);
    hearing_write(&s, &news, sizeof news);
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    assert_int_equal(s.reader->news_ready, 1);
    hearing_end(&s);
}

static void doubt_wants_a_look(void **state) {
    static const char *const edits[] = {
        "UPDATE rollouts SET note = 'x'",
        "UPDATE feature_flags SET note = 'x' WHERE name = 'a'",
        "INSERT INTO overrides VALUES ('a', x'31', 0)",
    };
    struct hearing s = hearing_new(*state);

    for (size_t i = 0; i < COUNT(edits); i++) {
        struct canary__news news;

        tamper_by_hand(s.unit, edits[i]);
        hearing_refresh(&s, CANARY_SOURCE_TICK);
        assert_true(unit_info(s.ctx).doubt != 0);
        news = hearing_news(&s, 10000);
        hearing_sign(&s, &news, s.reader->secret);
        hearing_write(&s, &news, sizeof news);
        hearing_hear(&s);
        hearing_looked(&s);
        assert_int_equal(unit_info(s.ctx).effective_bp, 500);
        tamper_by_hand(s.unit, "DELETE FROM overrides");
        OK(canary_accept(s.unit->store, "a", NULL, NULL, &error));
        hearing_refresh(&s, CANARY_SOURCE_TICK);
        assert_int_equal(unit_info(s.ctx).doubt, 0);
    }
    hearing_end(&s);
}

/* Edited and not yet noticed here: the writer noticed, and tells nothing. */
static void edited_row_is_no_news(void **state) {
    struct hearing s = hearing_new(*state);

    tamper_by_hand(s.unit, "UPDATE rollouts SET note = 'x'");
    unit_set(s.unit, "a", 400);
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 400);
    hearing_end(&s);
}

static void damaged_bell_is_no_news(void **state) {
    struct hearing s = hearing_new(*state);
    struct canary__news news = hearing_news(&s, 10000);
    unsigned char page[CANARY__BELL_SIZE];

    hearing_sign(&s, &news, s.reader->secret);
    hearing_read(&s, page, sizeof page);
    memcpy(page, &news, sizeof news);
    page[CANARY__BELL_NEWS + 8]++; /* the stamp: an entry was changed */
    page[CANARY__BELL_FIRST + 7] = 1;
    hearing_write(&s, page, sizeof page);
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 0);
    assert_int_equal(unit_info(s.ctx).percentage_bp, 500);
    hearing_end(&s);
}

/* -- pages put back -- */

static void page_put_back(void **state) {
    struct hearing s = hearing_new(*state);
    unsigned char page[CANARY__BELL_SIZE];

    OK(canary_set_percentage(s.unit->store, "a", 10000, NULL, NULL, NULL, &error));
    hearing_read(&s, page, sizeof page);
    hearing_hear(&s);
    hearing_believed(&s, 10000);
    unit_set(s.unit, "a", 500);
    hearing_hear(&s);
    hearing_believed(&s, 500);
    hearing_write(&s, page, sizeof page);
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    hearing_end(&s);
}

/* The page fits the store once more when that is put back, too, to where it was before the change. */
static void store_and_page_put_back(void **state) {
    const struct timespec over_a_second = { 1, 100000000 };
    struct hearing s = hearing_new(*state);
    unsigned char page[CANARY__BELL_SIZE];
    struct hearing fresh;
    char saved[700];
    char copy[1500];

    snprintf(saved, sizeof saved, "%s-saved", s.unit->path);
    snprintf(copy, sizeof copy, "cp %s %s", s.unit->path, saved);
    assert_int_equal(system(copy), 0);
    OK(canary_set_percentage(s.unit->store, "a", 10000, NULL, NULL, NULL, &error));
    hearing_read(&s, page, sizeof page);
    unit_set(s.unit, "a", 500);
    hearing_refresh(&s, CANARY_SOURCE_TICK);
    assert_int_equal(rename(saved, s.unit->path), 0);
    /* Who has seen what came after knows better. */
    hearing_write(&s, page, sizeof page);
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    assert_true((unit_info(s.ctx).doubt & CANARY_DOUBT_TRAIL) != 0);
    /* Who starts now has the same trail as then; but news is not a second old. */
    nanosleep(&over_a_second, NULL);
    fresh = hearing_open(s.unit, "a");
    assert_int_equal(unit_info(fresh.ctx).doubt, 0);
    hearing_ring(&fresh);
    hearing_write(&fresh, page, sizeof page);
    hearing_hear(&fresh);
    hearing_looked(&fresh);
    assert_int_equal(unit_info(fresh.ctx).effective_bp, 500);
    hearing_end(&fresh);
    hearing_end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_SQLITE_ONLY(store_has_the_last_word),
        UNIT_SQLITE_ONLY(forgeries),
        UNIT_SQLITE_ONLY(flipped_bits),
        UNIT_SQLITE_ONLY(only_at_a_ring),
        UNIT_SQLITE_ONLY(not_before_a_look),
        UNIT_SQLITE_ONLY(doubt_wants_a_look),
        UNIT_SQLITE_ONLY(edited_row_is_no_news),
        UNIT_SQLITE_ONLY(damaged_bell_is_no_news),
        UNIT_SQLITE_ONLY(page_put_back),
        UNIT_SQLITE_ONLY(store_and_page_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
