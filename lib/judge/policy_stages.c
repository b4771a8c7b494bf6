/* SPDX-License-Identifier: MIT */
/* The ladder that a policy names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge/policy_parts.h"
#include "judge/policy_units.h"

static int read_percentage(struct canary__policy_reading *reading, const struct canary__spot *spot,
                           uint32_t *out) {
    double share = 0;
    double points;
    const json_t *value = canary__policy_read_get(spot, "percentage");
    char quote[CANARY__POLICY_QUOTE];

    if (value == NULL) {
        canary__policy_read_say(reading, spot, "percentage",
                                "is missing; a number from 0.01 to 100");
        return 0;
    }
    if (json_is_number(value)) {
        share = json_number_value(value) / 100;
    } else if (!json_is_string(value) || !canary__units_percent(json_string_value(value), &share)) {
        share = -1;
    }
    points = floor(share * 10000 + 0.5);
    if (!(share > 0 && share <= 1) || fabs(points - share * 10000) > 1e-6) {
        canary__policy_read_say(reading, spot, "percentage",
                                "%s is no percentage; a number from 0.01 to 100 with at most two "
                                "decimals",
                                canary__policy_read_quote(value, quote));
        return 0;
    }
    *out = (uint32_t)points;
    return 1;
}

static void read_stage(struct canary__policy_reading *reading, const struct canary__spot *spot,
                       uint32_t index, struct canary_policy *out) {
    static const char *const keys[] = { "percentage", "dwell", "name", NULL };
    struct canary__policy_stage *stage = &out->stages[index];

    stage->dwell_ns = -1;
    if (!canary__policy_read_object(reading, spot, keys)) {
        return;
    }
    if (read_percentage(reading, spot, &stage->percentage_bp) && index > 0 &&
        stage->percentage_bp <= out->stages[index - 1].percentage_bp) {
        canary__policy_read_say(reading, spot, "percentage",
                                "%u.%02u %% is not above the %u.%02u %% of the stage before",
                                stage->percentage_bp / 100, stage->percentage_bp % 100,
                                out->stages[index - 1].percentage_bp / 100,
                                out->stages[index - 1].percentage_bp % 100);
    }
    canary__policy_read_time(reading, spot, "dwell", 0, 0, 366 * CANARY__DAY_NS, CANARY__SECOND_NS,
                             &stage->dwell_ns);
    if (canary__policy_read_has(spot, "name")) {
        canary__policy_read_name(reading, spot, "name", "", "._-", sizeof stage->name - 1,
                                 stage->name);
    }
}

void canary__policy_stages(struct canary__policy_reading *reading, const struct canary__spot *spot,
                           struct canary_policy *out) {
    const json_t *list = canary__policy_read_get(spot, "stages");
    char quote[CANARY__POLICY_QUOTE];

    if (list == NULL) {
        return;
    }
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > CANARY__POLICY_STAGES) {
        canary__policy_read_say(
            reading, spot, "stages",
            "%s is no list of 1 to %d stages above 0, such as [{\"percentage\": 5, "
            "\"dwell\": \"24h\"}]",
            canary__policy_read_quote(list, quote), CANARY__POLICY_STAGES);
        return;
    }
    out->stage_count = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < out->stage_count; i++) {
        struct canary__spot at = { json_array_get(list, i), "" };

        snprintf(at.path, sizeof at.path, "stages[%u]", i);
        read_stage(reading, &at, i, out);
        for (uint32_t j = 0; j < i; j++) {
            if (out->stages[i].name[0] != '\0' &&
                strcmp(out->stages[j].name, out->stages[i].name) == 0) {
                canary__policy_read_say(reading, &at, "name",
                                        "\"%s\" is the name of stages[%u], too",
                                        out->stages[i].name, j);
                break;
            }
        }
    }
}
