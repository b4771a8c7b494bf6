/* SPDX-License-Identifier: MIT */
/* Verdicts as evidence in the trail. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dump.h"
#include "judge/fail.h"
#include "judge/guard_ward.h"
#include "judge/verdict_fields.h"

/* Whole rules from the end until it fits, and how many they were. The rule that decided stays, and is
 * named by its new place. */
static char *shorten(json_t *root, int decided) {
    json_t *rules = json_object_get(root, "rules");
    char *text = canary__judge_dump(root, CANARY__DUMP_EXACT, NULL);
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
        text = canary__judge_dump(root, CANARY__DUMP_EXACT, NULL);
    }
    if (text != NULL && strlen(text) >= CANARY__GUARD_EVIDENCE) {
        json_object_del(root, "rules");
        free(text);
        text = canary__judge_dump(root, CANARY__DUMP_EXACT, NULL);
    }
    return text;
}

int canary__guard_evidence(const canary_verdict *verdict, const char *by, char **out,
                           canary_error *error) {
    json_t *root = canary__verdict_object(verdict);

    *out = NULL;
    if (root != NULL && json_object_set_new(root, "acted_by", json_string(by)) == 0) {
        *out = shorten(root, verdict->rule);
    }
    json_decref(root);
    return *out != NULL ? CANARY_OK
                        : canary__judge_fail(error, CANARY_E_NOMEM, "no memory for evidence");
}
