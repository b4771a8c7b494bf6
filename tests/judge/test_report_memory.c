/* SPDX-License-Identifier: MIT */
/* A report while memory runs out, at every allocation in turn: once only, and from then on. */
#include "support.h"

#include <canary/judge.h>
#include <inttypes.h>

#include "exhausted.h"

static int count(void *user_data, const char *text, uint64_t size) {
    (void)text;
    *(uint64_t *)user_data += size;
    return 0;
}

static void keep(struct unit *unit, const char *kind, const char *data) {
    canary_document document = CANARY_DOCUMENT_INIT;
    char name[96];

    unit->realtime += CANARY_TICK_NS;
    snprintf(name, sizeof name, "judge/%s/%020" PRId64, kind, unit->realtime);
    document.name = name;
    document.data = data;
    document.data_size = strlen(data);
    OK(canary_document_write(unit->store, "checkout", &document, 1, &error));
}

static void fill(struct unit *unit) {
    static const char text[] =
        "{\"policy\":1,\"name\":\"plain\",\"rules\":[{\"name\":\"harm\",\"metric\":\"error\","
        "\"against\":\"old\",\"above\":1.1,\"action\":\"rollback\"}],\"objectives\":[{\"name\":"
        "\"up\",\"statistic\":\"uptime\",\"above\":\"90%\"},{\"name\":\"p\",\"metric\":"
        "\"duration\",\"statistic\":\"p95\",\"below\":\"1s\"}]}";
    canary_import_row rows[] = {
        { .size = sizeof *rows, .cohort = CANARY_OLD, .metric = "error", .n = 90, .k = 1 },
        { .size = sizeof *rows, .cohort = CANARY_NEW, .metric = "error", .n = 10, .k = 1 },
        { .size = sizeof *rows, .cohort = CANARY_OLD, .metric = "duration", .value = 1e8 },
        { .size = sizeof *rows, .cohort = CANARY_NEW, .metric = "duration", .value = 2e8 },
    };
    canary_change_options by = unit_by("alice");
    canary_policy *policy = NULL;

    unit_create(unit, "checkout");
    OK(canary_policy_parse(text, sizeof text - 1, &policy, NULL, NULL, &error));
    OK(canary_policy_set(unit->store, "checkout", policy, NULL, NULL, &error));
    canary_policy_close(&policy);
    by.evidence = "{\"message\":\"a reason\"}";
    OK(canary_advance(unit->store, "checkout", &by, NULL, &error));
    OK(canary_import(unit->store, "checkout", NULL, rows, COUNT(rows), NULL, NULL, &error));
    keep(unit, "verdict",
         "{\"verdict\":1,\"action\":\"rollback\",\"message\":\"m\",\"rules\":[{\"name\":\"harm\","
         "\"state\":\"firing\",\"proof\":\"evidence\",\"ln_w\":4,\"alpha\":0.05,\"message\":\"x\"}]"
         "}");
    keep(unit, "breaker", "{\"pid\":1,\"state\":\"open\",\"outcomes\":20,\"failures\":16}");
    OK(canary_rollback(unit->store, "checkout", 0, &by, NULL, &error));
    unit->realtime += CANARY_TICK_NS;
}

/* Until a report comes about without a failure. */
static long walk(struct unit *unit, int format, int lastingly) {
    canary_report_options options = CANARY_REPORT_OPTIONS_INIT;
    long out_of_memory = 0;

    options.format = format;
    for (long at = 0; at < 100000; at++) {
        canary_error error = CANARY_ERROR_INIT;
        uint64_t size = 0;
        int failed;
        int code;

        exhausted_begin(at, lastingly);
        code = canary_report(unit->store, "checkout", &options, count, &size, &error);
        failed = exhausted_end();
        assert_int_equal(error.code, code);
        if (!failed) {
            assert_int_equal(code, CANARY_OK);
            assert_true(size > 1000);
            return out_of_memory;
        }
        /* A document or policy that there was no memory to read may be left out, and is told of. */
        if (code != CANARY_OK) {
            assert_int_equal(code, CANARY_E_NOMEM);
            assert_true(error.message[0] != '\0');
            assert_true(size == 0);
            out_of_memory++;
        }
    }
    fail_msg("there was no end of allocations");
    return 0;
}

static void every_allocation_may_fail(void **state) {
    struct unit *unit = *state;

    fill(unit);
    exhausted_jansson(1);
    for (int lastingly = 0; lastingly < 2; lastingly++) {
        for (int format = CANARY_REPORT_MARKDOWN; format <= CANARY_REPORT_HTML; format++) {
            assert_true(walk(unit, format, lastingly) > 20);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { UNIT_MEMORY_ONLY(every_allocation_may_fail) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
