/* SPDX-License-Identifier: MIT */
#include "hearing.h"

#include <fcntl.h>
#include <unistd.h>

struct hearing hearing_open(struct unit *unit, const char *name) {
    struct hearing s = { .unit = unit, .reader = unit_another(unit) };

    OK(canary_open_in(s.reader, name, &unit->options, &s.ctx, &error));
    s.f = s.reader->followers;
    s.reader->tick_at = INT64_MAX;
    snprintf(s.bell, sizeof s.bell, "%s-doorbell", unit->path);
    return s;
}

struct hearing hearing_new(struct unit *unit) {
    unit_create(unit, "a");
    unit_set(unit, "a", 500);
    return hearing_open(unit, "a");
}

void hearing_end(struct hearing *s) {
    canary_close(&s->ctx);
    canary_store_close(&s->reader);
}

void hearing_refresh(struct hearing *s, int source) {
    canary_error error = CANARY_ERROR_INIT;

    s->unit->monotonic += 1000;
    canary__store_lock(s->reader);
    assert_int_equal(canary__store_refresh(s->reader, source, 0, &error), CANARY_OK);
    canary__store_unlock(s->reader);
}

void hearing_hear(struct hearing *s) {
    if (s->reader->confirm_at > 1) {
        s->reader->confirm_at = INT64_MAX;
    }
    hearing_refresh(s, CANARY_SOURCE_BELL);
}

/* The clock stands still but for hearing_refresh(): a state that is confirmed has no age. */
void hearing_looked(struct hearing *s) {
    assert_int_equal(unit_info(s->ctx).age_ns, 0);
    assert_int_equal(s->reader->confirm_at, 0);
}

void hearing_believed(struct hearing *s, uint32_t bp) {
    assert_true(unit_info(s->ctx).age_ns > 0);
    assert_true(s->reader->confirm_at != 0);
    assert_int_equal(unit_info(s->ctx).effective_bp, bp);
}

void hearing_confirm(struct hearing *s) {
    s->reader->confirm_at = 1; /* long ago */
    hearing_hear(s);
    hearing_looked(s);
}

void hearing_read(struct hearing *s, void *bytes, size_t size) {
    int fd = open(s->bell, O_RDONLY);

    assert_int_equal(pread(fd, bytes, size, 0), size);
    close(fd);
}

void hearing_write(struct hearing *s, const void *bytes, size_t size) {
    int fd = open(s->bell, O_WRONLY);

    assert_int_equal(pwrite(fd, bytes, size, 0), size);
    close(fd);
}

struct canary__news hearing_news(struct hearing *s, uint32_t bp) {
    struct canary__news news;

    memset(&news, 0, sizeof news);
    news.percentage_bp = bp;
    news.stage = canary__row_stage_of(&s->f->good, bp);
    news.id = s->reader->head_id + 1;
    news.revision = s->f->good.revision + 1;
    news.made_at = UNIT_NOW;
    news.updated_at = UNIT_NOW;
    canary__row_digest_parse(s->reader->head_hash, news.previous_hash);
    canary__row_digest_parse(s->f->good.checksum, news.row_before);
    memset(news.hash, 1, sizeof news.hash);
    memset(news.row_after, 2, sizeof news.row_after);
    strcpy(news.phase, "FORGED");
    strcpy(news.rollout, s->f->name);
    return news;
}

void hearing_sign(struct hearing *s, struct canary__news *news, const uint8_t *secret) {
    struct canary__bell_ringer ringer;

    OK(canary__bell_ringer_open(&ringer, s->bell, &error));
    canary__news_sign(news, &ringer, secret);
    canary__bell_ringer_close(&ringer, s->bell);
}

void hearing_ring(struct hearing *s) {
    OK(canary__bell_ring(s->bell, &error));
    hearing_hear(s);
}
