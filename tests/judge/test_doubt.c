/* SPDX-License-Identifier: MIT */
/* What is old, edited, of another time or of another store raises nothing, and blinds no limit. */
#include "judged.h"

static struct judged now;

static uint32_t percentage(struct unit *unit) {
    return unit_read(unit, JUDGED).percentage_bp;
}

static void guard(struct unit *unit, canary_guard_fn callback) {
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;

    options.rollout = JUDGED;
    options.callback = callback;
    options.user_data = unit;
    OK(canary_guard_once(unit->store, &options, &error));
}

/* -- kill switches -- */

/* A stage is lived through in traffic, not behind a kill switch. */
static void a_kill_switch_is_no_dwell_time(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto",
                 ",\"stages\":[{\"percentage\":\"5%\",\"dwell\":\"24h\"},{\"percentage\":\"25%\"},"
                 "{\"percentage\":\"50%\"},{\"percentage\":\"100%\"}]");
    judged_ticks(unit, 30, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DWELL);
    OK(canary_flag_set(unit->store, JUDGED, 0, NULL, NULL, &error));
    judged_pass(unit, DAY);
    OK(canary_flag_set(unit->store, JUDGED, 1, NULL, NULL, &error));
    judged_ticks(unit, 30, 950, 10, 50, 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 500);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DWELL);
    assert_non_null(strstr(now.verdict.message, "23 h 55 min are left of the stage's 1 d"));
    judged_pass(unit, DAY);
    judged_ticks(unit, 30, 950, 10, 50, 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 2500);
    unit_free(unit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_switch_is_no_dwell_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
