/* SPDX-License-Identifier: MIT */
/* From a policy's text to its rules as they are applied. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/policy_parts.h"
#include "judge/policy_text.h"
#include "judge/policy_units.h"

static const char *const keys[] = { "$schema", "policy",   "name",       "description",
                                    "mode",    "freeze",   "alpha",      "design_effect",
                                    "grace",   "cooldown", "attempts",   "sample_ratio",
                                    "stages",  "rules",    "objectives", NULL };

static void read_head(struct canary__policy_reading *reading, const struct canary__spot *spot,
                      struct canary_policy *out) {
    char quote[CANARY__POLICY_QUOTE];
    const json_t *version = canary__policy_read_get(spot, "policy");
    const json_t *schema = canary__policy_read_get(spot, "$schema");
    int64_t number = 0;

    if (schema != NULL && !json_is_string(schema)) {
        canary__policy_read_say(reading, spot, "$schema", "%s is no text",
                                canary__policy_read_quote(schema, quote));
    }
    if (version == NULL) {
        canary__policy_read_say(reading, spot, "policy", "is missing; the format's version, %d",
                                CANARY_POLICY_FORMAT);
    } else if (!canary__policy_read_whole(version, &number) || number != CANARY_POLICY_FORMAT) {
        canary__policy_read_say(reading, spot, "policy",
                                "%s is no version of the format that this library reads; %d is",
                                canary__policy_read_quote(version, quote), CANARY_POLICY_FORMAT);
    }
    canary__policy_read_name(reading, spot, "name", "", "._-", CANARY_NAME_MAX, out->name);
    canary__policy_read_line(reading, spot, "description", sizeof out->description - 1,
                             out->description);
}

static void read_settings(struct canary__policy_reading *reading, const struct canary__spot *spot,
                          struct canary_policy *out) {
    const json_t *effect = canary__policy_read_get(spot, "design_effect");
    char quote[CANARY__POLICY_QUOTE];
    int64_t attempts = 3;

    out->mode = CANARY_MODE_APPROVE;
    canary__policy_read_choice(reading, spot, "mode", canary_mode_name, 0, &out->mode);
    canary__policy_read_flag(reading, spot, "freeze", &out->frozen);
    out->alpha = 0.05;
    canary__policy_read_number(reading, spot, "alpha", 0.0001, 0.2, &out->alpha);
    if (effect != NULL &&
        (!json_is_string(effect) || strcmp(json_string_value(effect), "measured") != 0)) {
        if (!json_is_number(effect) || !(json_number_value(effect) >= 1) ||
            !(json_number_value(effect) <= 1000)) {
            canary__policy_read_say(reading, spot, "design_effect",
                                    "%s is neither \"measured\" nor a number from 1 to 1000",
                                    canary__policy_read_quote(effect, quote));
        } else {
            out->design_effect = json_number_value(effect);
        }
    }
    out->grace_ns = 900 * CANARY__SECOND_NS;
    canary__policy_read_time(reading, spot, "grace", 0, 3 * CANARY_TICK_NS, CANARY__WINDOW_MAX_NS,
                             CANARY_TICK_NS, &out->grace_ns);
    out->cooldown_ns = 1800 * CANARY__SECOND_NS;
    canary__policy_read_time(reading, spot, "cooldown", 0, 0, CANARY__WINDOW_MAX_NS,
                             CANARY__SECOND_NS, &out->cooldown_ns);
    canary__policy_read_integer(reading, spot, "attempts", 0, 1000, &attempts);
    out->attempts = (uint32_t)attempts;
    out->check_ratio = 1;
    canary__policy_read_flag(reading, spot, "sample_ratio", &out->check_ratio);
}

static const char *kind_name(uint32_t kinds) {
    if ((kinds & CANARY__KIND(CANARY_METRIC_PROPORTION)) != 0) {
        return "proportion";
    }
    if ((kinds & CANARY__KIND(CANARY_METRIC_CLASSIFICATION)) != 0) {
        return "classification";
    }
    return (kinds & CANARY__KINDS_NUMBER) != 0 ? "value or score" : "duration";
}

/* A metric has one kind: two rules that need different ones cannot both be meant. */
static void add_metric(struct canary__policy_reading *reading, const struct canary__spot *spot,
                       uint32_t index, struct canary_policy *out) {
    struct canary__rule *rule = &out->rules[index];

    for (uint32_t i = 0; i < index; i++) {
        const struct canary__rule *other = &out->rules[i];

        if (strcmp(other->metric, rule->metric) == 0 && other->kinds != 0 &&
            (other->kinds & rule->kinds) == 0) {
            canary__policy_read_say(
                reading, spot, "metric", "\"%s\" is taken for a %s here and for a %s in rules[%u]",
                rule->metric, kind_name(rule->kinds), kind_name(other->kinds), i);
            return;
        }
    }
    for (uint32_t i = 0; i < out->metric_count; i++) {
        if (strcmp(out->metrics[i], rule->metric) == 0) {
            rule->metric_index = i;
            return;
        }
    }
    rule->metric_index = out->metric_count;
    memcpy(out->metrics[out->metric_count++], rule->metric, sizeof rule->metric);
}

/* 1 for a list of `least` to `most` entries. */
static int is_list(struct canary__policy_reading *reading, const struct canary__spot *spot,
                   const char *key, size_t least, size_t most) {
    const json_t *list = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];

    if (list == NULL) {
        if (least > 0) {
            canary__policy_read_say(reading, spot, key, "is missing; a list of %zu to %zu", least,
                                    most);
        }
        return 0;
    }
    if (!json_is_array(list)) {
        canary__policy_read_say(reading, spot, key, "%s stands where a list [ ] must be",
                                canary__policy_read_quote(list, quote));
        return 0;
    }
    if (json_array_size(list) < least || json_array_size(list) > most) {
        canary__policy_read_say(reading, spot, key, "has %zu entries; %zu to %zu are allowed",
                                json_array_size(list), least, most);
        return 0;
    }
    return 1;
}

static void read_rules(struct canary__policy_reading *reading, const struct canary__spot *spot,
                       struct canary_policy *out) {
    const json_t *list = canary__policy_read_get(spot, "rules");

    if (!is_list(reading, spot, "rules", 1, CANARY_POLICY_RULES_MAX)) {
        return;
    }
    out->rule_count = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < out->rule_count; i++) {
        struct canary__spot at = { json_array_get(list, i), "" };

        snprintf(at.path, sizeof at.path, "rules[%u]", i);
        canary__policy_rule(reading, &at, out->stage_count, &out->rules[i]);
        if (out->rules[i].metric[0] != '\0') {
            add_metric(reading, &at, i, out);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (out->rules[i].name[0] != '\0' &&
                strcmp(out->rules[j].name, out->rules[i].name) == 0) {
                canary__policy_read_say(reading, &at, "name",
                                        "\"%s\" is the name of rules[%u], too", out->rules[i].name,
                                        j);
                break;
            }
        }
    }
}

static void read_objectives(struct canary__policy_reading *reading, const struct canary__spot *spot,
                            struct canary_policy *out) {
    const json_t *list = canary__policy_read_get(spot, "objectives");

    if (!is_list(reading, spot, "objectives", 0, CANARY_POLICY_OBJECTIVES_MAX)) {
        return;
    }
    out->objective_count = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < out->objective_count; i++) {
        struct canary__objective *objective = &out->objectives[i];
        struct canary__spot at = { json_array_get(list, i), "" };

        snprintf(at.path, sizeof at.path, "objectives[%u]", i);
        canary__policy_objective(reading, &at, objective);
        for (uint32_t j = 0; j < i; j++) {
            if (objective->name[0] != '\0' &&
                strcmp(out->objectives[j].name, objective->name) == 0) {
                canary__policy_read_say(reading, &at, "name",
                                        "\"%s\" is the name of objectives[%u], too",
                                        objective->name, j);
                break;
            }
        }
        for (uint32_t j = 0; j < out->rule_count; j++) {
            if (objective->kinds != 0 && out->rules[j].kinds != 0 &&
                strcmp(out->rules[j].metric, objective->metric) == 0 &&
                (out->rules[j].kinds & objective->kinds) == 0) {
                canary__policy_read_say(reading, &at, "metric",
                                        "\"%s\" is taken for a %s here and for a %s in rules[%u]",
                                        objective->metric, kind_name(objective->kinds),
                                        kind_name(out->rules[j].kinds), j);
                break;
            }
        }
    }
}

/* All rollback rules together have the policy's alpha: that any of them ever harms a healthy release
 * is at most the sum of their chances. */
static void share_alpha(struct canary__policy_reading *reading, const struct canary__spot *spot,
                        struct canary_policy *out) {
    const double slack = out->alpha * 1e-9;
    char given_text[CANARY__UNITS_TEXT];
    char alpha_text[CANARY__UNITS_TEXT];
    double given = 0;
    uint32_t others = 0;

    for (uint32_t i = 0; i < out->rule_count; i++) {
        const struct canary__rule *rule = &out->rules[i];

        if (rule->proof == CANARY_PROOF_EVIDENCE && rule->action == CANARY_RULE_ROLLBACK) {
            given += rule->alpha;
            others += rule->alpha == 0 ? 1 : 0;
        }
    }
    if (given > out->alpha + slack || (others > 0 && given > out->alpha - slack)) {
        canary__policy_read_say(
            reading, spot, "alpha", "%s is less than what the rollback rules take of it, %s%s",
            canary__units_number_text(out->alpha, alpha_text),
            canary__units_number_text(given, given_text),
            others > 0 ? ", and something must be left for those without one" : "");
        return;
    }
    for (uint32_t i = 0; i < out->rule_count; i++) {
        struct canary__rule *rule = &out->rules[i];

        if (rule->proof == CANARY_PROOF_EVIDENCE && rule->alpha == 0) {
            rule->alpha =
                rule->action == CANARY_RULE_ROLLBACK ? (out->alpha - given) / others : out->alpha;
        }
    }
}

/* The design effect is measured from proportions. Where no rule names one it is that of "error", which
 * every program records; else such evidence would be waited for in vain. */
static void add_measured(struct canary_policy *out) {
    int evidence = 0;

    for (uint32_t i = 0; i < out->rule_count; i++) {
        if ((out->rules[i].kinds & CANARY__KIND(CANARY_METRIC_PROPORTION)) != 0) {
            return;
        }
        evidence |= out->rules[i].proof == CANARY_PROOF_EVIDENCE;
    }
    if (evidence && out->design_effect == 0 && out->metric_count < CANARY_POLICY_RULES_MAX) {
        strcpy(out->metrics[out->metric_count++], "error");
    }
}

static void resolve(struct canary__policy_reading *reading, const json_t *root,
                    struct canary_policy *out) {
    const struct canary__spot top = { root, "" };

    if (!canary__policy_read_object(reading, &top, keys)) {
        return;
    }
    read_head(reading, &top, out);
    read_settings(reading, &top, out);
    canary__policy_stages(reading, &top, out);
    read_rules(reading, &top, out);
    read_objectives(reading, &top, out);
    if (reading->count == 0) {
        share_alpha(reading, &top, out);
        add_measured(out);
    }
}

static struct canary_policy *copy_text(const char *text, size_t size) {
    struct canary_policy *policy = calloc(1, sizeof *policy);
    unsigned char digest[crypto_hash_sha256_BYTES];

    if (policy == NULL) {
        return NULL;
    }
    policy->text = malloc(size + 1);
    if (policy->text == NULL) {
        free(policy);
        return NULL;
    }
    memcpy(policy->text, text, size);
    policy->text[size] = '\0';
    policy->text_size = size;
    crypto_hash_sha256(digest, (const unsigned char *)text, size);
    sodium_bin2hex(policy->digest, sizeof policy->digest, digest, sizeof digest);
    return policy;
}

int canary_policy_parse(const char *text, uint64_t size, canary_policy **out,
                        canary_policy_problem_fn problem, void *user_data, canary_error *error) {
    struct canary__policy_reading reading = { .problem = problem, .user_data = user_data };
    struct canary_policy *policy = NULL;
    json_t *root = NULL;

    if (text == NULL || out == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  text == NULL ? "text" : "out");
    }
    *out = NULL;
    if (canary__policy_text_fits(&reading, text, size)) {
        root = canary__policy_text_json(&reading, text, size);
        policy = root != NULL ? copy_text(text, size) : NULL;
        if (policy == NULL && reading.count == 0) {
            json_decref(root);
            return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a policy of %llu bytes",
                                      (unsigned long long)size);
        }
    }
    if (policy != NULL) {
        resolve(&reading, root, policy);
    }
    json_decref(root);
    if (reading.count > 0) {
        canary_policy_close(&policy);
        return canary__judge_fail(error, CANARY_E_INVALID, "%s: %s", reading.place,
                                  reading.message);
    }
    *out = policy;
    return CANARY_OK;
}
