/* SPDX-License-Identifier: MIT */
#include <canary/version.h>

const char *canary_version(void) {
    return CANARY_VERSION;
}

int canary_version_number(void) {
    return CANARY_VERSION_MAJOR * 1000000 + CANARY_VERSION_MINOR * 1000 + CANARY_VERSION_PATCH;
}
