/* SPDX-License-Identifier: MIT */
#include "base/fail.h"
#include "observe/codec.h"
#include "observe/sample.h"

#define NAME "a sample of users"

enum { VERSION = 1, LEVEL_MOST = 32 };

static void write_samples(struct canary__writer *w, const void *what) {
    const struct canary__sample *cohorts = what;

    canary__write_byte(w, VERSION);
    for (int cohort = 0; cohort < 2; cohort++) {
        const struct canary__sample *sample = &cohorts[cohort];
        uint32_t before = 0;

        canary__write_byte(w, (uint8_t)sample->level);
        canary__write_number(w, sample->count);
        for (uint32_t i = 0; i < sample->count; i++) {
            canary__write_number(w, sample->users[i] - before);
            before = sample->users[i];
        }
    }
}

int canary__sample_encode(const struct canary__hooks *hooks, const struct canary__sample cohorts[2],
                          uint8_t **data, size_t *size) {
    return canary__write_sealed(hooks, write_samples, cohorts, data, size);
}

static int read_sample(const struct canary__hooks *hooks, struct canary__reader *r,
                       struct canary__sample *sample) {
    uint64_t count;
    uint32_t before = 0;

    sample->level = canary__read_byte(r);
    if (sample->level > LEVEL_MOST) {
        canary__read_wrong(r, "a level is above 32");
    }
    count = canary__read_number(r, r->left < CANARY__SAMPLE_MOST ? r->left : CANARY__SAMPLE_MOST);
    if (r->wrong != NULL || count == 0) {
        return CANARY_OK;
    }
    sample->users = canary__alloc(hooks, CANARY__SAMPLE_MOST * sizeof *sample->users);
    if (sample->users == NULL) {
        return CANARY_E_NOMEM;
    }
    for (; sample->count < count && r->wrong == NULL; sample->count++) {
        uint64_t step = canary__read_number(r, UINT32_MAX - before);

        if (step == 0) {
            canary__read_wrong(r, "users are out of order");
        }
        before += (uint32_t)step;
        sample->users[sample->count] = before;
    }
    if (r->wrong == NULL && !canary__sample_holds(sample->level, before)) {
        canary__read_wrong(r, "a user does not belong to the level");
    }
    return CANARY_OK;
}

int canary__sample_decode(const struct canary__hooks *hooks, const void *data, size_t size,
                          struct canary__sample cohorts[2], canary_error *error) {
    struct canary__reader reader;
    int code = canary__read_sealed(&reader, data, size, VERSION, NAME, error);

    for (int cohort = 0; cohort < 2 && code == CANARY_OK; cohort++) {
        code = read_sample(hooks, &reader, &cohorts[cohort]);
    }
    if (code == CANARY_OK && reader.left > 0) {
        canary__read_wrong(&reader, "it goes on after its end");
    }
    if (code == CANARY_OK && reader.wrong == NULL) {
        return CANARY_OK;
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        canary__sample_free(hooks, &cohorts[cohort]);
    }
    if (code == CANARY_OK) {
        code = canary__fail(error, CANARY_E_CORRUPT, 0, NAME " is damaged: %s", reader.wrong);
    } else if (code == CANARY_E_NOMEM) {
        code = canary__fail(error, code, 0, NAME ": there is no memory for it");
    }
    return code;
}
