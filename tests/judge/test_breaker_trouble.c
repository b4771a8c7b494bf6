/* SPDX-License-Identifier: MIT */
/* The circuit breaker when things go wrong: forks, a store that is away, options that cannot be; and what
 * it tells the store. */
#include "broken.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../sanitizers.h"
#include "../settle.h"

static void open_it(struct broken *broken) {
    broken_record(broken, CANARY_NEW, 40, 30);
    broken_look(broken);
    assert_int_equal(broken_state(broken), CANARY_BREAKER_OPEN);
    assert_true(broken_serves(broken, 0));
}

/* Answers the child's exit code; 99 when it hung. */
static int in_child(struct broken *broken, int (*act)(struct broken *broken)) {
    int status = 0;
    pid_t pid;

    settle(5000);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(120);
        _exit(act(broken));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int looks_and_stops(struct broken *broken) {
    canary_breaker_info info = CANARY_BREAKER_INFO_INIT;

    if (!broken_serves(broken, 0)) {
        return 1;
    }
    if (canary_breaker_read(broken->breaker, &info) != CANARY_OK ||
        info.state != CANARY_BREAKER_OPEN) {
        return 2;
    }
    canary_breaker_stop(&broken->breaker);
    if (broken->breaker != NULL) {
        return 3;
    }
    return broken_serves(broken, 5000) ? 0 : 4;
}

/* ThreadSanitizer allows no threads in the child of a program that has some. */
#if !UNDER_TSAN
static int starts_its_own(struct broken *broken) {
    canary_breaker *own = NULL;

    if (canary_breaker_start(broken->ctx, &broken->options, &own, NULL) != CANARY_OK) {
        return 1;
    }
    if (!broken_serves(broken, 5000)) {
        return 2;
    }
    broken_record(broken, CANARY_NEW, 100, 100);
    broken_look(broken);
    if (!broken_serves(broken, 0)) {
        return 3;
    }
    canary_breaker_stop(&own);
    return broken_serves(broken, 5000) ? 0 : 4;
}
#endif

static void a_child_has_none(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    broken_start(broken);
    open_it(broken);
    /* Some of them at moments when the thread has the lock. */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(in_child(broken, looks_and_stops), 0);
    }
#if !UNDER_TSAN
    assert_int_equal(in_child(broken, starts_its_own), 0);
#endif
    assert_true(broken_serves(broken, 0));
    broken_pass(broken, BROKEN_OPEN);
    assert_true(broken_serves(broken, 500));
    broken_free(broken);
}

struct seen {
    char name[256];
    char text[1024];
};

static int keep(void *user_data, const canary_document *document) {
    struct seen *seen = user_data;

    snprintf(seen->name, sizeof seen->name, "%s", document->name);
    assert_true(document->data_size < sizeof seen->text);
    memcpy(seen->text, document->data, document->data_size);
    seen->text[document->data_size] = '\0';
    return 0;
}

static void tells_the_store(void **state) {
    struct broken *broken = broken_in_memory();
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
    struct seen seen = { "", "" };
    char name[256];
    json_t *object;

    (void)state;
    broken_start(broken);
    open_it(broken);
    query.prefix = "judge/breaker/";
    OK(canary_document_list(broken->store, BROKEN_ROLLOUT, &query, keep, &seen, NULL, &error));
    snprintf(name, sizeof name, "judge/breaker/%020lld-%ld", (long long)UNIT_NOW, (long)getpid());
    assert_string_equal(seen.name, name);
    object = json_loads(seen.text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    assert_int_equal(json_object_size(object), 7);
    assert_int_equal(json_integer_value(json_object_get(object, "at")), UNIT_NOW);
    assert_int_equal(json_integer_value(json_object_get(object, "pid")), getpid());
    assert_string_equal(json_string_value(json_object_get(object, "state")), "open");
    assert_true(json_real_value(json_object_get(object, "rate")) == 0.75);
    assert_int_equal(json_integer_value(json_object_get(object, "outcomes")), 40);
    assert_int_equal(json_integer_value(json_object_get(object, "failures")), 30);
    assert_int_equal(json_integer_value(json_object_get(object, "window_ms")), 100);
    json_decref(object);
    broken_free(broken);
}

static int64_t machine_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Another program has the database with the documents to itself. */
static void a_store_that_is_away(void **state) {
    struct unit *files = unit_new(UNIT_SQLITE);
    struct broken *broken = broken_new();
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    sqlite3 *other = NULL;
    char path[600];
    int64_t began;
    int warnings;

    (void)state;
    options.flags = CANARY_OPEN_NO_WATCHER;
    options.busy_timeout_ns = 1000000000;
    broken_hooks(broken, &options);
    OK(canary_store_open(files->path, &options, &store, &error));
    broken_on(broken, store);
    OK(canary_flush(store, &error));
    broken_start(broken);
    broken_record(broken, CANARY_NEW, 1, 0);
    OK(canary_flush(store, &error)); /* and so the database is there */
    snprintf(path, sizeof path, "%s-metrics", files->path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 20000);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);

    began = machine_ns();
    broken_record(broken, CANARY_NEW, 40, 40);
    while (broken_state(broken) != CANARY_BREAKER_OPEN) {
        struct timespec step = { 0, 1000000 };

        nanosleep(&step, NULL);
    }
    /* Long before it is known whether the store can be told. */
    assert_true(broken_serves(broken, 0));
    warnings = atomic_load(&broken->warnings);
    if (machine_ns() - began < options.busy_timeout_ns) {
        assert_int_equal(warnings, 0);
    }
    while (atomic_load(&broken->warnings) == 0) {
        struct timespec step = { 0, 1000000 };

        nanosleep(&step, NULL);
    }
    assert_int_equal(atomic_load(&broken->states[CANARY_BREAKER_OPEN]), 1);

    /* It is told as soon as it is there again, while the breaker is open. */
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    while (broken_documents(broken->store) == 0) {
        struct timespec step = { 0, 1000000 };

        nanosleep(&step, NULL);
    }
    assert_int_equal(broken_documents(broken->store), 1);
    assert_int_equal(atomic_load(&broken->warnings), 1);

    /* And never: it half-opens all the same, and ends. */
    broken_pass(broken, BROKEN_OPEN);
    assert_true(broken_serves(broken, 500));
    sqlite3_busy_timeout(other, 20000);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    broken_record(broken, CANARY_NEW, 40, 40);
    broken_look(broken);
    assert_true(broken_serves(broken, 0));
    broken_pass(broken, 2 * BROKEN_OPEN);
    assert_true(broken_serves(broken, 500));
    canary_breaker_stop(&broken->breaker);
    assert_true(broken_serves(broken, 5000));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(broken_documents(broken->store), 1);
    broken_free(broken);
    unit_free(files);
}

static void refuse(struct broken *broken, const canary_breaker_options *options, const char *what) {
    canary_breaker *breaker = NULL;

    FAILS(CANARY_E_INVALID, what, "", canary_breaker_start(broken->ctx, options, &breaker, &error));
    assert_null(breaker);
    assert_true(broken_serves(broken, 5000));
}

static void hostile_options(void **state) {
    struct broken *broken = broken_in_memory();
    canary_breaker_options usual = CANARY_BREAKER_OPTIONS_INIT;
    canary_breaker_options wrong;
    struct {
        canary_breaker_options options;
        uint64_t unknown;
    } longer = { CANARY_BREAKER_OPTIONS_INIT, 0 };

    (void)state;
    FAILS(CANARY_E_INVALID, "ctx", "", canary_breaker_start(NULL, NULL, &broken->breaker, &error));
    FAILS(CANARY_E_INVALID, "out", "", canary_breaker_start(broken->ctx, NULL, NULL, &error));
    assert_int_equal(canary_breaker_start(NULL, NULL, NULL, NULL), CANARY_E_INVALID);

#define REFUSE(field, value)                                                                       \
    wrong = usual;                                                                                 \
    wrong.field = value;                                                                           \
    refuse(broken, &wrong, #field)
    REFUSE(size, 0);
    REFUSE(size, 8);
    REFUSE(size, UINT32_MAX);
    REFUSE(flags, 1);
    REFUSE(reserved, 1);
    REFUSE(rate, -0.1);
    REFUSE(rate, 1);
    REFUSE(rate, 50);
    REFUSE(rate, NAN);
    REFUSE(rate, INFINITY);
    REFUSE(window_ns, -1);
    REFUSE(window_ns, 99999999);
    REFUSE(window_ns, 300000000001);
    REFUSE(window_ns, INT64_MAX);
    REFUSE(open_ns, -1);
    REFUSE(open_ns, 999999);
    REFUSE(open_ns, INT64_MAX);
    REFUSE(half_open_bp, 10001);
    REFUSE(half_open_bp, UINT32_MAX);
#undef REFUSE

    longer.options.size = sizeof longer;
    longer.unknown = 1;
    refuse(broken, &longer.options, "size");
    longer.unknown = 0;
    OK(canary_breaker_start(broken->ctx, &longer.options, &broken->breaker, &error));
    canary_breaker_stop(&broken->breaker);
    usual.least = UINT64_MAX;
    usual.half_open_least = UINT64_MAX;
    OK(canary_breaker_start(broken->ctx, &usual, &broken->breaker, &error));
    canary_breaker_stop(&broken->breaker);
    OK(canary_breaker_start(broken->ctx, NULL, &broken->breaker, &error));
    broken_free(broken);
}

static void small_calls(void **state) {
    struct broken *broken = broken_in_memory();
    canary_breaker *none = NULL;
    canary_breaker_info info = CANARY_BREAKER_INFO_INIT;
    canary_breaker_options options;
    struct {
        canary_breaker_info info;
        uint64_t newer;
    } longer;

    (void)state;
    canary_breaker_stop(NULL);
    canary_breaker_stop(&none);
    broken_start(broken);
    assert_int_equal(canary_breaker_read(NULL, &info), CANARY_E_INVALID);
    assert_int_equal(canary_breaker_read(broken->breaker, NULL), CANARY_E_INVALID);
    info.size = 4;
    assert_int_equal(canary_breaker_read(broken->breaker, &info), CANARY_E_INVALID);
    memset(&longer, 0xff, sizeof longer);
    longer.info.size = sizeof longer;
    assert_int_equal(canary_breaker_read(broken->breaker, &longer.info), CANARY_OK);
    assert_int_equal(longer.info.size, sizeof longer);
    assert_int_equal(longer.info.state, CANARY_BREAKER_CLOSED);
    assert_int_equal(longer.newer, 0);

    canary_breaker_info_init(NULL, sizeof info);
    canary_breaker_options_init(NULL, sizeof options);
    memset(&info, 0xff, sizeof info);
    canary_breaker_info_init(&info, sizeof info);
    assert_int_equal(info.size, sizeof info);
    assert_true(unit_all((char *)&info + 4, sizeof info - 4, 0));
    memset(&options, 0xff, sizeof options);
    canary_breaker_options_init(&options, sizeof options);
    assert_int_equal(options.size, sizeof options);
    assert_true(unit_all((char *)&options + 4, sizeof options - 4, 0));

    assert_string_equal(canary_breaker_state_name(CANARY_BREAKER_CLOSED), "closed");
    assert_string_equal(canary_breaker_state_name(CANARY_BREAKER_OPEN), "open");
    assert_string_equal(canary_breaker_state_name(CANARY_BREAKER_HALF_OPEN), "half_open");
    assert_string_equal(canary_breaker_state_name(0), "unknown");
    assert_string_equal(canary_breaker_state_name(4), "unknown");
    assert_string_equal(canary_breaker_state_name(-1), "unknown");
    broken_free(broken);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_none),     cmocka_unit_test(tells_the_store),
        cmocka_unit_test(a_store_that_is_away), cmocka_unit_test(hostile_options),
        cmocka_unit_test(small_calls),
    };

    return cmocka_run_group_tests_name("circuit breaker in trouble", tests, NULL, NULL);
}
