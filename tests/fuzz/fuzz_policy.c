/* SPDX-License-Identifier: MIT */
/* Any bytes as a policy, and policies put together from keys and values that nearly fit: refused with
 * what is wrong, or resolved to rules without anything left open. */
#include "claim.h"

#include <math.h>
#include <string.h>

#include "judge/policy.h"

struct fuzz_hearing {
    uint32_t count;
    char first[512];
};

/* Whatever stood in the text, nothing of it steers a terminal. */
static int hear(void *user_data, const char *place, const char *message) {
    struct fuzz_hearing *hearing = user_data;

    FUZZ_CLAIM(place[0] != '\0' && message[0] != '\0');
    for (int i = 0; i < 2; i++) {
        for (const unsigned char *at = (const unsigned char *)(i == 0 ? place : message);
             *at != '\0'; at++) {
            FUZZ_CLAIM(*at >= 0x20 && *at < 0x7f);
        }
    }
    if (hearing->count++ == 0) {
        snprintf(hearing->first, sizeof hearing->first, "%s: %s", place, message);
    }
    return 0;
}

static int count_lines(void *user_data, const char *text, uint64_t size) {
    FUZZ_CLAIM(size > 0 && text[size - 1] == '\n');
    ++*(uint32_t *)user_data;
    return 0;
}

static void claim_rule(const struct canary_policy *policy, const struct canary__rule *rule) {
    FUZZ_CLAIM(rule->name[0] != '\0' && rule->metric[0] != '\0');
    FUZZ_CLAIM(rule->metric_index < policy->metric_count);
    FUZZ_CLAIM(strcmp(policy->metrics[rule->metric_index], rule->metric) == 0);
    FUZZ_CLAIM(rule->action >= CANARY_RULE_ROLLBACK && rule->action <= CANARY_RULE_WARN);
    FUZZ_CLAIM(rule->urgency >= CANARY_URGENCY_LOW && rule->urgency <= CANARY_URGENCY_CRITICAL);
    FUZZ_CLAIM(rule->statistic >= CANARY_STATISTIC_RATE &&
               rule->statistic <= CANARY_STATISTIC_BURN);
    FUZZ_CLAIM(rule->cohort == 0 || rule->cohort == 1);
    FUZZ_CLAIM(rule->above == 0 || rule->above == 1);
    FUZZ_CLAIM(rule->stages != 0 && (rule->stages & 1) == 0 && rule->kinds != 0);
    FUZZ_CLAIM(rule->to_stage >= -1 && rule->to_stage < 31);
    FUZZ_CLAIM(rule->to_stage <= 0 || (rule->stages & ((UINT32_C(2) << rule->to_stage) - 1)) == 0);
    FUZZ_CLAIM(isfinite(rule->threshold) && rule->least >= 1 && isfinite(rule->least));
    FUZZ_CLAIM((rule->quantile > 0) == (rule->statistic == CANARY_STATISTIC_QUANTILE));
    FUZZ_CLAIM((rule->objective > 0) == (rule->statistic == CANARY_STATISTIC_BURN));
    FUZZ_CLAIM((rule->short_window_ns > 0) == (rule->statistic == CANARY_STATISTIC_BURN));
    FUZZ_CLAIM(rule->window_ns % INT64_C(10000000000) == 0 && rule->for_ns >= 0);
    FUZZ_CLAIM(rule->window_ns <= canary__policy_longest_window(policy));
    if (rule->proof == CANARY_PROOF_EVIDENCE) {
        FUZZ_CLAIM(rule->window_ns == 0 && rule->alpha > 0 && rule->alpha <= 0.2);
        FUZZ_CLAIM(rule->against != CANARY_AGAINST_BASELINE);
    } else {
        FUZZ_CLAIM(rule->proof == CANARY_PROOF_POINT && rule->window_ns > 0 && rule->alpha == 0);
    }
}

static void claim_policy(const struct canary_policy *policy) {
    double spent = 0;
    uint32_t lines = 0;
    canary_error error = CANARY_ERROR_INIT;

    FUZZ_CLAIM(policy->rule_count >= 1 && policy->rule_count <= CANARY_POLICY_RULES_MAX);
    FUZZ_CLAIM(policy->mode >= CANARY_MODE_OBSERVE && policy->mode <= CANARY_MODE_AUTO);
    FUZZ_CLAIM(policy->stage_count <= CANARY__POLICY_STAGES);
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        const struct canary__rule *rule = &policy->rules[i];

        claim_rule(policy, rule);
        if (rule->action == CANARY_RULE_ROLLBACK) {
            spent += rule->alpha;
        }
    }
    FUZZ_CLAIM(spent <= policy->alpha * 1.000001);
    for (uint32_t i = 0; i < policy->stage_count; i++) {
        FUZZ_CLAIM(policy->stages[i].percentage_bp >= 1);
        FUZZ_CLAIM(policy->stages[i].percentage_bp <= 10000);
        FUZZ_CLAIM(i == 0 || policy->stages[i].percentage_bp > policy->stages[i - 1].percentage_bp);
    }
    for (uint32_t i = 0; i < policy->objective_count; i++) {
        FUZZ_CLAIM(policy->objectives[i].name[0] != '\0');
        FUZZ_CLAIM(isfinite(policy->objectives[i].target));
    }
    FUZZ_CLAIM(canary_policy_explain(policy, count_lines, &lines, &error) == CANARY_OK);
    FUZZ_CLAIM(lines >= 9 + policy->rule_count + policy->objective_count);
}

static void read_text(const char *text, size_t size) {
    struct fuzz_hearing hearing = { .count = 0 };
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy = NULL;
    int code = canary_policy_parse(text, size, &policy, hear, &hearing, &error);

    if (code == CANARY_OK) {
        uint64_t kept = 0;

        FUZZ_CLAIM(hearing.count == 0 && policy != NULL);
        FUZZ_CLAIM(memcmp(canary_policy_text(policy, &kept), text, size) == 0 && kept == size);
        claim_policy(policy);
    } else {
        FUZZ_CLAIM(code == CANARY_E_INVALID && policy == NULL && hearing.count > 0);
        FUZZ_CLAIM(strcmp(hearing.first, error.message) == 0);
    }
    canary_policy_close(&policy);
}

/* -- texts that nearly fit -- */

struct fuzz_text {
    char bytes[8192];
    size_t size;
};

static void put(struct fuzz_text *text, const char *piece) {
    size_t size = strlen(piece);

    if (text->size + size < sizeof text->bytes) {
        memcpy(text->bytes + text->size, piece, size);
        text->size += size;
    }
}

static const char *pick(struct fuzz_stream *stream, const char *const *words, size_t count) {
    return words[fuzz_byte(stream) % count];
}

#define PICK(stream, words) pick(stream, words, sizeof(words) / sizeof((words)[0]))

static void put_rule(struct fuzz_text *text, struct fuzz_stream *stream, unsigned number) {
    static const char *const subjects[] = {
        "\"metric\":\"error\"",
        "\"metric\":\"timeout\",\"statistic\":\"rate\"",
        "\"metric\":\"duration\",\"statistic\":\"p95\"",
        "\"metric\":\"duration\",\"statistic\":\"mean\"",
        "\"metric\":\"cost\",\"statistic\":\"mean\"",
        "\"metric\":\"quality\",\"statistic\":\"f1\"",
        "\"metric\":\"hits\",\"statistic\":\"rate\"",
        "\"metric\":\"error\",\"statistic\":\"burn\",\"objective\":\"99%\",\"short_window\":\"1m\"",
    };
    static const char *const limits[] = { "0.05", "\"1%\"",   "1.5", "\"150%\"", "\"600ms\"",
                                          "2",    "\"1.5s\"", "0",   "1",        "0.9" };
    static const char *const kinds[] = {
        "",
        ",\"against\":\"old\"",
        ",\"against\":\"old\",\"proof\":\"point\",\"window\":\"1h\"",
        ",\"against\":\"baseline\",\"window\":\"1h\"",
        ",\"window\":\"5m\"",
        ",\"window\":\"1h\",\"for\":\"10m\"",
        ",\"window\":\"5m\",\"cohort\":\"old\"",
        ",\"proof\":\"evidence\"",
    };
    static const char *const actions[] = { "rollback", "rollback\",\"to\":\"previous", "hold",
                                           "require", "warn" };
    static const char *const more[] = { "",
                                        ",\"alpha\":0.01",
                                        ",\"alpha\":0.04",
                                        ",\"stages\":[2,3]",
                                        ",\"stages\":[2],\"to\":1",
                                        ",\"min_samples\":30",
                                        ",\"urgency\":\"low\"" };
    char name[32];

    snprintf(name, sizeof name, "%s{\"name\":\"r%u\",", number > 0 ? "," : "",
             fuzz_byte(stream) % 16 == 0 ? 0 : number);
    put(text, name);
    put(text, PICK(stream, subjects));
    put(text, fuzz_byte(stream) % 2 == 0 ? ",\"above\":" : ",\"below\":");
    put(text, PICK(stream, limits));
    put(text, PICK(stream, kinds));
    put(text, ",\"action\":\"");
    put(text, PICK(stream, actions));
    put(text, "\"");
    put(text, PICK(stream, more));
    put(text, "}");
}

static void read_made(struct fuzz_stream *stream) {
    static const char *const tops[] = {
        "",
        "\"mode\":\"auto\",\"freeze\":true,",
        "\"alpha\":0.1,\"design_effect\":3,",
        "\"stages\":[{\"percentage\":5,\"dwell\":\"1h\"},{\"percentage\":100}],",
        "\"objectives\":[{\"name\":\"up\",\"statistic\":\"uptime\",\"above\":\"99.9%\"}],",
        "\"grace\":\"1m\",\"cooldown\":\"0s\",\"attempts\":0,\"sample_ratio\":false,",
    };
    struct fuzz_text text = { .size = 0 };
    unsigned count = 1 + fuzz_byte(stream) % 4;

    put(&text, "{\"policy\":1,\"name\":\"made\",");
    put(&text, PICK(stream, tops));
    put(&text, "\"rules\":[");
    for (unsigned i = 0; i < count; i++) {
        put_rule(&text, stream, i);
    }
    put(&text, "]}");
    read_text(text.bytes, text.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_stream stream = { data, size };

    read_text((const char *)data, size);
    for (int made = 0; made < 8 && (made == 0 || stream.left > 0); made++) {
        read_made(&stream);
    }
    return 0;
}
