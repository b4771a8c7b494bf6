/* SPDX-License-Identifier: MIT */
/* Any bytes in the doorbell: a running service may go down with exposure, never up. */
#include "fuzz.h"

#include "control/bell_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static canary_store *store;
static canary_ctx *ctx;
static char bell[512];
static uint8_t before[FUZZ_USERS];

static void tear_down(void) {
    canary_close(&ctx);
    canary_store_close(&store);
}

static void set_up(void) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = "checkout" };
    const char *path = fuzz_path("store.db");

    options.flags = CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER;
    fuzz_require(canary_store_open(path, &options, &store, NULL) == 0 &&
                     canary_create(store, &spec, NULL, NULL, NULL) == 0 &&
                     canary_set_percentage(store, "checkout", 5000, NULL, NULL, NULL, NULL) == 0 &&
                     canary_override_set(store, "checkout", "user-1", 6, CANARY_NEW, NULL, NULL,
                                         NULL) == 0 &&
                     canary_open_in(store, "checkout", &options, &ctx, NULL) == 0,
                 "a store can be made");
    snprintf(bell, sizeof bell, "%s-doorbell", path);
    fuzz_cohorts(ctx, before);
    atexit(tear_down);
}

/* Any bytes, or the entry of somebody who knows the format: that may lower as well, and no more. */
static void put_entry(struct fuzz_input *input, uint8_t *place) {
    uint8_t kind = fuzz_byte(input);
    struct canary__bell_entry entry;
    size_t taken;
    const uint8_t *raw;

    if (kind % 4 == 0) {
        raw = fuzz_bytes(input, sizeof entry, &taken);
        memcpy(place, raw, taken);
        return;
    }
    entry.key = kind & 4 ? fuzz_number(input, 8) : canary__bell_key("checkout");
    entry.revision = kind & 8 ? fuzz_number(input, 8) : fuzz_byte(input);
    entry.cap_bp = (uint32_t)fuzz_number(input, 2) % (kind & 16 ? 65536 : CANARY_BP_MAX + 1);
    entry.state = kind & 32 ? CANARY__BELL_PENDING : fuzz_byte(input) % 4;
    entry.check = canary__bell_check_of(&entry);
    memcpy(place, &entry, sizeof entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t bytes[4096] = { 0 };
    struct fuzz_input input = { data, size };

    if (ctx == NULL) {
        set_up();
    }
    /* A whole head most of the time: behind a broken one nothing is looked at. */
    if (fuzz_byte(&input) % 8 != 0) {
        memcpy(bytes + 8, "CANBELL1", 8);
    }
    while (input.size > 0) {
        size_t place = CANARY__BELL_FIRST + fuzz_number(&input, 1) % CANARY__BELL_ENTRIES * 32;

        put_entry(&input, bytes + place);
    }
    fuzz_write_file(bell, bytes, sizeof bytes);
    canary_refresh(store, NULL);
    fuzz_require_consistent(ctx);
    fuzz_require_not_raised(ctx, before);
    return 0;
}
