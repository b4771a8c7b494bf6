/* SPDX-License-Identifier: MIT */
#include "judge/dump.h"

#include <stdlib.h>

char *canary__judge_dump(const json_t *value, size_t form, size_t *size) {
    size_t room = value != NULL ? json_dumpb(value, NULL, 0, form) : 0;
    char *text = room > 0 ? malloc(room + 1) : NULL;

    if (text != NULL && json_dumpb(value, text, room, form) != room) {
        free(text);
        return NULL;
    }
    if (text != NULL) {
        text[room] = '\0';
        if (size != NULL) {
            *size = room;
        }
    }
    return text;
}
