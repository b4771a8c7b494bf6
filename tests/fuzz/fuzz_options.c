/* SPDX-License-Identifier: MIT */
/* Structs of any size and content: admitted or refused, never half. Pointers are the fuzzer's only as
 * far as they may be: NULL, or a text. */
#include "claim.h"

#include <string.h>

#include <canary/canary.h>

#include "control/options.h"

/* A copy of `size` raw bytes, in memory of just that size. */
static void *raw(struct fuzz_stream *stream, size_t least, uint32_t *size) {
    uint8_t *bytes;

    *size = (uint32_t)least + fuzz_byte(stream);
    bytes = calloc(1, *size);
    FUZZ_CLAIM(bytes != NULL);
    for (uint32_t i = 0; i < *size; i++) {
        bytes[i] = fuzz_byte(stream);
    }
    return bytes;
}

static void null_at(void *bytes, uint32_t size, size_t at) {
    static const void *const nothing = NULL;

    if (at + sizeof nothing <= size) {
        memcpy((char *)bytes + at, &nothing, sizeof nothing);
    }
}

static void text_at(void *bytes, uint32_t size, size_t at, const char *text) {
    if (at + sizeof text <= size) {
        memcpy((char *)bytes + at, &text, sizeof text);
    }
}

static void fuzz_admission(struct fuzz_stream *stream) {
    canary_options admitted;
    canary_error error = CANARY_ERROR_INIT;
    uint32_t size;
    void *bytes = raw(stream, 16, &size);
    uint32_t told = (fuzz_byte(stream) & 3) != 0 ? size : fuzz_byte(stream) % (size + 1);
    int code;

    null_at(bytes, size, offsetof(canary_options, kill_switch));
    null_at(bytes, size, offsetof(canary_options, log));
    null_at(bytes, size, offsetof(canary_options, clock));
    null_at(bytes, size, offsetof(canary_options, allocate));
    memcpy(bytes, &told, sizeof told);
    code = canary__options_admit(bytes, &admitted, &error);
    FUZZ_CLAIM(code == CANARY_OK || code == CANARY_E_INVALID);
    if (code == CANARY_OK) {
        FUZZ_CLAIM(admitted.tick_ns == 0 || admitted.tick_ns >= 1000000);
        FUZZ_CLAIM(admitted.busy_timeout_ns >= 0 && admitted.stale_after_ns >= 0);
        FUZZ_CLAIM(admitted.log_level <= CANARY_LOG_DEBUG);
    } else {
        FUZZ_CLAIM(error.message[0] != '\0');
    }
    free(bytes);
}

static char *text(struct fuzz_stream *stream) {
    size_t length = fuzz_byte(stream);
    char *out;

    if (length == 255) {
        return NULL;
    }
    out = malloc(length + 1);
    FUZZ_CLAIM(out != NULL);
    for (size_t i = 0; i < length; i++) {
        out[i] = (char)fuzz_byte(stream);
    }
    out[length] = '\0';
    return out;
}

static void fuzz_create(struct fuzz_stream *stream, canary_store *store) {
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };
    canary_error error = CANARY_ERROR_INIT;
    uint32_t stages[64];
    int64_t dwell[64];
    char *texts[4];
    uint32_t spec_size;
    uint32_t change_size;
    uint8_t *spec = raw(stream, sizeof(canary_rollout_spec) - 8, &spec_size);
    uint8_t *change = raw(stream, 16, &change_size);
    uint32_t count = fuzz_byte(stream) % 64;
    int code;

    for (int i = 0; i < 64; i++) {
        stages[i] =
            (uint32_t)i < count ? (uint32_t)(fuzz_byte(stream) << 8 | fuzz_byte(stream)) : 0;
        dwell[i] = (int64_t)stages[i] - 10;
    }
    for (int i = 0; i < 4; i++) {
        texts[i] = text(stream);
    }
    memcpy(spec, &spec_size, sizeof spec_size);
    memcpy(spec + offsetof(canary_rollout_spec, stage_count), &count, sizeof count);
    text_at(spec, spec_size, offsetof(canary_rollout_spec, name), texts[0]);
    text_at(spec, spec_size, offsetof(canary_rollout_spec, stages_bp), (const char *)stages);
    null_at(spec, spec_size, offsetof(canary_rollout_spec, stage_names));
    text_at(spec, spec_size, offsetof(canary_rollout_spec, dwell_ns),
            count % 2 == 0 ? NULL : (const char *)dwell);
    text_at(spec, spec_size, offsetof(canary_rollout_spec, salt), texts[1]);
    text_at(spec, spec_size, offsetof(canary_rollout_spec, flag), texts[2]);
    memcpy(change, &change_size, sizeof change_size);
    text_at(change, change_size, offsetof(canary_change_options, by), texts[3]);
    text_at(change, change_size, offsetof(canary_change_options, note), texts[1]);
    null_at(change, change_size, offsetof(canary_change_options, evidence));

    code = canary_create(store, (const canary_rollout_spec *)(void *)spec,
                         (const canary_change_options *)(void *)change, NULL, &error);
    FUZZ_CLAIM(code == CANARY_OK || code == CANARY_E_INVALID || code == CANARY_E_CONFLICT);
    FUZZ_CLAIM(code == CANARY_OK || error.message[0] != '\0');
    if (code == CANARY_OK && texts[0] != NULL &&
        canary_rollout_read(store, texts[0], &rollout, &error) == CANARY_OK) {
        FUZZ_CLAIM(rollout.percentage_bp == 0 && rollout.doubt == 0 && rollout.stage_count <= 32);
    }
    FUZZ_CLAIM(canary_verify(store, NULL, NULL, NULL, &error) == CANARY_OK);
    for (int i = 0; i < 4; i++) {
        free(texts[i]);
    }
    free(spec);
    free(change);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_stream stream = { data, size };
    canary_store *store = NULL;

    fuzz_admission(&stream);
    FUZZ_CLAIM(canary_store_open_memory(NULL, &store, NULL) == CANARY_OK);
    fuzz_create(&stream, store);
    canary_store_close(&store);
    return 0;
}
