/* SPDX-License-Identifier: MIT */
/* `doctor`: how this machine hashes. A processor, or what stands in for one, that computes wrong
 * hashes is found when a program hashes first, and nowhere else would an operator see it. */
#include "doctor.h"

#include <stdlib.h>

static const struct {
    uint32_t mark;
    const char *name;
} kernels[] = {
    { CANARY_HASH_LIBSODIUM, "libsodium" }, { CANARY_HASH_SHANI, "shani" },
    { CANARY_HASH_ARMV8, "armv8" },         { CANARY_HASH_AVX2, "avx2" },
    { CANARY_HASH_AVX512, "avx512" },
};

static void add_dropped(struct text *out, uint32_t dropped) {
    const char *separator = "";
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        if ((dropped & kernels[i].mark) == 0)
            continue;
        text_addf(out, "%s%s", separator, kernels[i].name);
        separator = ", ";
        dropped &= ~kernels[i].mark;
    }
    /* What a newer library knows has no name here. */
    if (dropped != 0)
        text_addf(out, "%snumber %u", separator, dropped);
}

void doctor_hashing(struct doctor *doctor, const canary_ctx_info *info) {
    struct text dropped = { 0 };
    const char *wanted = getenv("CANARY_SHA256");
    text_add(&dropped, "");
    add_dropped(&dropped, info->hash_dropped);
    if (info->hash_dropped != 0)
        doctor_find(doctor, DOCTOR_ERROR, "hashing",
                    "look into this machine: its processor, or the virtual machine or emulator "
                    "around it",
                    "left out, because they computed wrong hashes here: %s; in use: %s, and %s for "
                    "many users at once",
                    dropped.data, info->hash_kernel, info->hash_many_kernel);
    else if (info->hash_refused != 0)
        doctor_find(doctor, DOCTOR_WARNING, "hashing", "unset CANARY_SHA256",
                    "CANARY_SHA256=\"%s\" names no way to hash that can be used here; %s is used, "
                    "and %s for many users at once",
                    wanted != NULL ? wanted : "", info->hash_kernel, info->hash_many_kernel);
    else
        doctor_find(doctor, DOCTOR_OK, "hashing", NULL, "by %s, and by %s for many users at once",
                    info->hash_kernel, info->hash_many_kernel);
    text_free(&dropped);
}
