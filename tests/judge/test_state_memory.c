/* SPDX-License-Identifier: MIT */
/* Opening and storing a state while memory runs out, at each allocation in turn. Linked with malloc() and
 * calloc() wrapped. */
#include "ticks.h"

static long left; /* allocations until one fails */
static int armed;
static long live; /* blocks that were handed out while armed */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);

static int fails(void) {
    return armed && left-- == 0;
}

static void *counted(void *block) {
    live += armed && block != NULL;
    return block;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void __wrap_free(void *block) {
    live -= armed && block != NULL;
    __real_free(block);
}

static const char rules[] =
    HARM ",{\"name\": \"slow\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\":"
         " \"old\", \"above\": 1.3, \"action\": \"rollback\"},"
         "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"4%\", \"window\": \"2m\","
         " \"action\": \"hold\"},"
         "{\"name\": \"burn\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\": 0.98,"
         " \"above\": 2, \"window\": \"1h\", \"short_window\": \"5m\", \"action\": \"hold\"}";

static void every_allocation_may_fail(void **unused) {
    struct world world;
    struct canary__state state;
    canary_error error = CANARY_ERROR_INIT;
    uint8_t *data = NULL;
    size_t size = 0;
    int code = CANARY_E_NOMEM;
    long failed = -1;

    (void)unused;
    world_open(&world, "", rules);
    while (code != CANARY_OK) {
        live = 0;
        left = ++failed;
        armed = 1;
        code = canary__state_open(world.policy, &state, &error);
        armed = 0;
        if (code != CANARY_OK) {
            assert_int_equal(code, CANARY_E_NOMEM);
            assert_true(live == 0 && strlen(error.message) > 0);
            canary__state_close(&state); /* allowed all the same */
        }
    }
    /* Two proofs, one window, two more of the burn rate, splits, durations. */
    assert_int_equal(failed, 7);
    armed = 1;
    left = 0;
    assert_int_equal(canary__state_encode(&state, &data, &size, &error), CANARY_E_NOMEM);
    assert_true(data == NULL && size == 0);
    left = -1;
    assert_int_equal(canary__state_encode(&state, &data, &size, &error), CANARY_OK);
    free(data);
    canary__state_close(&state);
    armed = 0;
    assert_int_equal(live, 0);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
