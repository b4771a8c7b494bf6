/* SPDX-License-Identifier: MIT */
/* Verdicts as evidence in the trail. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dossier_room.h"
#include "judge/fail.h"
#include "judge/guard_ward.h"

/* NULL when there is no memory. */
static char *dump(const json_t *root) {
    return json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
}

/* Whole rules from the end until it fits, and how many they were. The rule that decided stays, and is
 * named by its new place. */
static char *shorten(json_t *root, int decided) {
    json_t *rules = json_object_get(root, "rules");
    char *text = dump(root);
    int left_out = 0;

    while (text != NULL && strlen(text) >= CANARY__GUARD_EVIDENCE && json_array_size(rules) > 1) {
        size_t last = json_array_size(rules) - 1;

        last -= (int)last == decided;
        json_array_remove(rules, last);
        decided -= decided > (int)last;
        left_out++;
        json_object_set_new(root, "rules_left_out", json_integer(left_out));
        if (decided >= 0) {
            json_object_set_new(root, "rule", json_integer(decided));
        }
        free(text);
        text = dump(root);
    }
    if (text != NULL && strlen(text) >= CANARY__GUARD_EVIDENCE) {
        json_object_del(root, "rules");
        free(text);
        text = dump(root);
    }
    return text;
}

int canary__guard_evidence(const canary_verdict *verdict, const char *by, char **out,
                           canary_error *error) {
    char *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    int code = canary__dossier_text(verdict, &text, &size, error);

    if (code == CANARY_OK) {
        root = json_loadb(text, size, 0, NULL);
        free(text);
        *out = NULL;
        if (json_object_set_new(root, "acted_by", json_string(by)) == 0) {
            *out = shorten(root, verdict->rule);
        }
        json_decref(root);
        if (*out == NULL) {
            code = canary__judge_fail(error, CANARY_E_NOMEM, "no memory for evidence");
        }
    }
    return code;
}
