/* SPDX-License-Identifier: MIT */
/* CANARY_KILL against the rule: "all", or a list of names between commas and white space. The first
 * byte says how long a name comes first; the rest is the variable. */
#include "claim.h"

#include <string.h>

#include "control/environment.h"

static int listed(const char *list, const char *name) {
    char *copy = strdup(list);
    char *rest = copy;
    int found = 0;

    FUZZ_CLAIM(copy != NULL);
    for (char *word = strtok_r(copy, ", \t\n", &rest); word != NULL;
         word = strtok_r(NULL, ", \t\n", &rest)) {
        found |= strcmp(word, "all") == 0 || strcmp(word, name) == 0;
    }
    free(copy);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char name[64];
    size_t length;
    char *list;

    if (size == 0) {
        return 0;
    }
    length = data[0] % sizeof name;
    length = length > size - 1 ? size - 1 : length;
    memcpy(name, data + 1, length);
    name[length] = '\0';
    if (name[0] == '\0' || strpbrk(name, ", \t\n") != NULL) {
        return 0; /* no name of a rollout */
    }
    list = calloc(1, size - length);
    FUZZ_CLAIM(list != NULL);
    memcpy(list, data + 1 + length, size - 1 - length);
    setenv("CANARY_KILL", list, 1);
    FUZZ_CLAIM(canary__environment_kills(name) == listed(list, name));
    unsetenv("CANARY_KILL");
    FUZZ_CLAIM(!canary__environment_kills(name));
    free(list);
    return 0;
}
