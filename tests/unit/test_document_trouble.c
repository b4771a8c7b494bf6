/* SPDX-License-Identifier: MIT */
/* Documents that are damaged or fought over, in databases that are older or read only, and without memory. */
#include "documents.h"

#include <pthread.h>

#include "figures.h"

static void damage_is_told(void **state) {
    static const struct {
        const char *sql;
        const char *why;
    } edits[] = {
        { "UPDATE documents SET data = x'0102' WHERE name = 'b'", "cut short" },
        { "UPDATE documents SET data = zeroblob(40) WHERE name = 'b'", "checksum" },
        { "UPDATE documents SET version = 9 WHERE name = 'b'", "version" },
        { "UPDATE documents SET data = (SELECT data FROM documents WHERE name = 'a')"
          " WHERE name = 'b'",
          "another one" },
    };
    struct unit *unit = *state;
    struct kept *kept;

    for (size_t i = 0; i < COUNT(edits); i++) {
        documents_put(unit, "a", CANARY_ANY_VERSION, "one");
        documents_put(unit, "b", CANARY_ANY_VERSION, "two");
        documents_put(unit, "c", CANARY_ANY_VERSION, "three");
        kept = documents_list(unit, NULL, NULL, 0, 0);
        assert_int_equal(kept->count, 3);
        assert_int_equal(kept->damaged, 0);
        measured_by_hand(unit, edits[i].sql);
        kept = documents_list(unit, NULL, NULL, 0, 0);
        assert_string_equal(documents_names(kept), "a c ");
        assert_int_equal(kept->damaged, 1);
        kept = documents_list(unit, NULL, "b", 1, 1); /* it does not count for the limit */
        assert_string_equal(documents_names(kept), "a ");
        FAILS(CANARY_E_CORRUPT, "damaged", edits[i].why,
              canary_document_read(unit->store, MEASURED, "b", documents_keep, NULL, &error));
    }
    /* Written whole again. */
    documents_put(unit, "b", CANARY_ANY_VERSION, "two");
    assert_string_equal(documents_one(unit, "b")->all[0].data, "two");
    measured_by_hand(unit, "INSERT INTO documents VALUES('checkout', 'b b', 1, 1, x'00')");
    kept = documents_list(unit, NULL, NULL, 0, 0);
    assert_string_equal(documents_names(kept), "a b c ");
    assert_int_equal(kept->damaged, 1);
    /* A version at its end begins anew rather than ending the writing. */
    measured_by_hand(unit, "UPDATE documents SET version = 9223372036854775807 WHERE name = 'b'");
    documents_put(unit, "b", CANARY_ANY_VERSION, "two");
    assert_int_equal(documents_one(unit, "b")->all[0].version, 1);
}

/* A metrics database that was made before there were documents. */
static void older_databases(void **state) {
    struct unit *unit = *state;
    canary_document document = documents_of("a", 0, "text");
    canary_store *store;
    uint64_t damaged = 1;

    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, CANARY_OLD, 10, 1);
    measured_by_hand(unit, "DROP TABLE documents");
    unit->options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    store = unit_another(unit);
    FAILS(CANARY_E_NOT_FOUND, "\"a\"", "",
          canary_document_read(store, MEASURED, "a", documents_keep, NULL, &error));
    OK(canary_document_list(store, MEASURED, NULL, documents_keep, NULL, &damaged, &error));
    assert_int_equal(damaged, 0);
    assert_int_equal(measured_count(measured_read(unit, NULL), CANARY_OLD), 10);
    assert_int_equal(documents_list(unit, NULL, NULL, 0, 0)->count, 0);
    /* A conflict rolls the table back that the transaction had made. */
    document.version = 3;
    FAILS(CANARY_E_CONFLICT, "none", "",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    assert_int_equal(documents_list(unit, NULL, NULL, 0, 0)->count, 0);
    document.version = 0;
    OK(canary_document_write(unit->store, MEASURED, &document, 1, &error));
    assert_string_equal(documents_one(unit, "a")->all[0].data, "text");
    OK(canary_document_read(store, MEASURED, "a", documents_keep, &(struct kept){ 0 }, &error));
    measured_by_hand(unit, "DROP TABLE documents");
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, CANARY_OLD, 10, 1);
    assert_int_equal(measured_count(measured_read(unit, NULL), CANARY_OLD), 20);
    canary_store_close(&store);
}

static void read_only_handles(void **state) {
    struct unit *unit = *state;
    canary_document document = documents_of("a", CANARY_ANY_VERSION, "text");
    canary_store *store;

    documents_put(unit, "a", 0, "text");
    unit->options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    store = unit_another(unit);
    FAILS(CANARY_E_READ_ONLY, "READ_ONLY", "",
          canary_document_write(store, MEASURED, &document, 1, &error));
    OK(canary_document_read(store, MEASURED, "a", documents_keep, &(struct kept){ 0 }, &error));
    canary_store_close(&store);
}

/* -- racing -- */

enum { RACERS = 4, ROUNDS = 60 };

struct racer {
    pthread_t thread;
    canary_store *store;
    pthread_barrier_t *start;
    uint32_t won;
    uint32_t lost;
    int other; /* an answer that is neither */
};

static void *race(void *data) {
    struct racer *racer = data;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        canary_document document = documents_of("lease", round, "mine");
        int code;

        pthread_barrier_wait(racer->start);
        code = canary_document_write(racer->store, MEASURED, &document, 1, NULL);
        racer->won += code == CANARY_OK;
        racer->lost += code == CANARY_E_CONFLICT;
        racer->other = code == CANARY_OK || code == CANARY_E_CONFLICT ? racer->other : code;
        pthread_barrier_wait(racer->start);
    }
    return NULL;
}

/* Several handles of one file: in each round exactly one of them gets its version in. */
static void one_wins(void **state) {
    struct unit *unit = *state;
    struct racer racers[RACERS] = { { 0 } };
    pthread_barrier_t start;
    uint32_t won = 0;
    uint32_t lost = 0;

    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i].start = &start;
        racers[i].store = unit->kind == UNIT_MEMORY || i == 0 ? unit->store : unit_another(unit);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_int_equal(racers[i].other, 0);
        won += racers[i].won;
        lost += racers[i].lost;
        if (racers[i].store != unit->store) {
            canary_store_close(&racers[i].store);
        }
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(won, ROUNDS);
    assert_int_equal(lost, ROUNDS * (RACERS - 1));
    assert_int_equal(documents_one(unit, "lease")->all[0].version, ROUNDS);
}

/* -- without a database, without memory -- */

static void without_memory(void **state) {
    struct unit *unit = *state;
    canary_document document = documents_of("a", CANARY_ANY_VERSION, "text");
    canary_document two[2] = { document, documents_of("b", 0, "text") };
    canary_store *measurements = measured_store(unit);
    struct canary__hooks kept = measurements->hooks;
    struct kept read = { 0 };

    documents_put(unit, "a", 0, "text");
    measurements->hooks = figures_hooks;
    figures_left = 0;
    FAILS(CANARY_E_NOMEM, "memory", "",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    FAILS(CANARY_E_NOMEM, "memory", "",
          canary_document_list(unit->store, MEASURED, NULL, documents_keep, &read, NULL, &error));
    FAILS(CANARY_E_NOMEM, "memory", "",
          canary_document_read(unit->store, MEASURED, "a", documents_keep, &read, &error));
    figures_left = 1; /* for the first of two */
    FAILS(CANARY_E_NOMEM, "memory", "\"b\"",
          canary_document_write(unit->store, MEASURED, two, 2, &error));
    figures_left = UINT64_MAX;
    measurements->hooks = kept;
    assert_int_equal(read.count, 0);
    assert_int_equal(documents_one(unit, "a")->all[0].version, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_SQLITE(damage_is_told),    MEASURED_SQLITE(older_databases),
        MEASURED_SQLITE(read_only_handles), MEASURED_BOTH(one_wins),
        MEASURED_BOTH(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
