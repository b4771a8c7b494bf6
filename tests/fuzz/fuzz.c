/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint8_t fuzz_byte(struct fuzz_input *input) {
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

uint64_t fuzz_number(struct fuzz_input *input, int bytes) {
    uint64_t number = 0;

    for (int i = 0; i < bytes; i++) {
        number = number << 8 | fuzz_byte(input);
    }
    return number;
}

const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t most, size_t *taken) {
    const uint8_t *bytes = input->data;

    *taken = input->size < most ? input->size : most;
    input->data += *taken;
    input->size -= *taken;
    return bytes;
}

void fuzz_require(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static char directory[256];
static char names[8][320];
static size_t name_count;

static void clean_up(void) {
    for (size_t i = 0; i < name_count; i++) {
        char beside[sizeof names[0] + 16];
        static const char *const endings[] = { "", "-journal", "-doorbell" };

        for (size_t j = 0; j < sizeof endings / sizeof endings[0]; j++) {
            snprintf(beside, sizeof beside, "%.320s%s", names[i], endings[j]);
            unlink(beside);
        }
    }
    rmdir(directory);
}

const char *fuzz_path(const char *name) {
    if (directory[0] == '\0') {
        const char *where = getenv("TMPDIR");

        /* Thousands of files are written and none is kept. */
        if (where == NULL) {
            where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        }
        snprintf(directory, sizeof directory, "%s/canary-fuzz-XXXXXX", where);
        fuzz_require(mkdtemp(directory) != NULL, "a directory can be made");
        atexit(clean_up);
    }
    fuzz_require(name_count < sizeof names / sizeof names[0], "there are few paths");
    snprintf(names[name_count], sizeof names[0], "%s/%s", directory, name);
    return names[name_count++];
}

void fuzz_write_file(const char *path, const void *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    fuzz_require(fd >= 0 && write(fd, bytes, size) == (ssize_t)size &&
                     ftruncate(fd, (off_t)size) == 0,
                 "a file can be written");
    close(fd);
}

static void name_user(unsigned number, char name[16]) {
    snprintf(name, 16, "user-%u", number);
}

void fuzz_cohorts(canary_ctx *ctx, uint8_t cohorts[FUZZ_USERS]) {
    for (unsigned i = 0; i < FUZZ_USERS; i++) {
        char name[16];

        name_user(i, name);
        cohorts[i] = (uint8_t)canary_should_use_new(ctx, name);
    }
}

void fuzz_require_consistent(canary_ctx *ctx) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;

    fuzz_require(canary_info(ctx, &info) == CANARY_OK, "a context tells its state");
    fuzz_require(info.effective_bp <= CANARY_BP_MAX, "the effective share is a share");
    for (unsigned i = 0; i < FUZZ_USERS; i++) {
        canary_decision decision = CANARY_DECISION_INIT;
        char name[16];

        name_user(i, name);
        fuzz_require(canary_explain(ctx, name, strlen(name), &decision) == CANARY_OK,
                     "a decision can be explained");
        fuzz_require(decision.cohort == canary_should_use_new(ctx, name),
                     "the explanation tells the decision");
        fuzz_require(decision.reason >= CANARY_REASON_KILLED &&
                         decision.reason <= CANARY_REASON_SPLIT,
                     "there is a reason");
        fuzz_require(decision.reason != CANARY_REASON_SPLIT ||
                         (decision.bucket < decision.effective_bp) == (decision.cohort != 0),
                     "the split goes by the effective share");
        fuzz_require(info.kill_reasons == 0 || decision.cohort == CANARY_OLD,
                     "killed means old for everybody");
    }
}

void fuzz_require_not_raised(canary_ctx *ctx, const uint8_t before[FUZZ_USERS]) {
    uint8_t now[FUZZ_USERS];

    fuzz_cohorts(ctx, now);
    for (unsigned i = 0; i < FUZZ_USERS; i++) {
        fuzz_require(now[i] <= before[i], "doubt raised nobody");
    }
}
