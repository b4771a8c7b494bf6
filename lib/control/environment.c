/* SPDX-License-Identifier: MIT */
#include "control/environment.h"

#include <stdlib.h>
#include <string.h>

int canary__environment_kills(const char *rollout) {
    const char *list = getenv("CANARY_KILL");
    size_t length = strlen(rollout);

    while (list != NULL && *list != '\0') {
        size_t word = strcspn(list, ", \t\n");

        if ((word == 3 && memcmp(list, "all", 3) == 0) ||
            (word == length && memcmp(list, rollout, length) == 0)) {
            return 1;
        }
        list += word;
        list += strspn(list, ", \t\n");
    }
    return 0;
}
