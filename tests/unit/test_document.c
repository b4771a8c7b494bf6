/* SPDX-License-Identifier: MIT */
/* Documents: written all or none, by whoever saw the last version, and read back in order. */
#include "measured.h"

#include <pthread.h>

#include "figures.h"

enum { KEPT = 300, KEPT_DATA = 64 };

/* What a reading gave. */
struct kept {
    uint32_t count;
    uint32_t stop_after; /* 0 = never */
    uint64_t damaged;
    struct {
        char name[CANARY_DOCUMENT_NAME_MAX + 1];
        uint64_t version;
        int64_t at_ns;
        uint64_t size;
        char data[KEPT_DATA];
    } all[KEPT];
};

static int keep(void *user_data, const canary_document *document) {
    struct kept *kept = user_data;

    assert_true(kept->count < KEPT);
    assert_int_equal(document->size, sizeof *document);
    assert_int_equal(document->flags, 0);
    assert_non_null(document->data);
    snprintf(kept->all[kept->count].name, sizeof kept->all[0].name, "%s", document->name);
    kept->all[kept->count].version = document->version;
    kept->all[kept->count].at_ns = document->at_ns;
    kept->all[kept->count].size = document->data_size;
    memcpy(kept->all[kept->count].data, document->data,
           document->data_size < KEPT_DATA ? document->data_size : KEPT_DATA);
    kept->count++;
    return kept->count == kept->stop_after;
}

static canary_document document_of(const char *name, uint64_t version, const char *text) {
    canary_document document = CANARY_DOCUMENT_INIT;

    document.name = name;
    document.version = version;
    document.data = text;
    document.data_size = text != NULL ? strlen(text) : 0;
    return document;
}

static void put(struct unit *unit, const char *name, uint64_t version, const char *text) {
    canary_document document = document_of(name, version, text);

    OK(canary_document_write(unit->store, MEASURED, &document, 1, &error));
}

/* The last reading, good until the next. */
static struct kept *list(struct unit *unit, const char *prefix, const char *from, int descending,
                         uint64_t limit) {
    static struct kept kept;
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;

    memset(&kept, 0, sizeof kept);
    query.prefix = prefix;
    query.from = from;
    query.descending = (uint32_t)descending;
    query.limit = limit;
    OK(canary_document_list(unit->store, MEASURED, &query, keep, &kept, &kept.damaged, &error));
    return &kept;
}

static struct kept *one(struct unit *unit, const char *name) {
    static struct kept kept;

    memset(&kept, 0, sizeof kept);
    OK(canary_document_read(unit->store, MEASURED, name, keep, &kept, &error));
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.all[0].name, name);
    return &kept;
}

/* The names that a reading gave, each followed by a blank. */
static const char *names(const struct kept *kept) {
    static char text[4096];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < kept->count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s ", kept->all[i].name);
    }
    return text;
}

static void versions_count(void **state) {
    struct unit *unit = *state;
    canary_document gone = document_of("state", CANARY_ANY_VERSION, NULL);
    struct kept *kept;

    FAILS(CANARY_E_NOT_FOUND, "state", "",
          canary_document_read(unit->store, MEASURED, "state", keep, NULL, &error));
    assert_int_equal(list(unit, NULL, NULL, 0, 0)->count, 0);
    for (uint64_t version = 0; version < 4; version++) {
        char text[16];

        snprintf(text, sizeof text, "text %d", (int)version);
        unit->realtime = UNIT_NOW + (int64_t)version;
        put(unit, "state", version, text);
        kept = one(unit, "state");
        assert_int_equal(kept->all[0].version, version + 1);
        assert_int_equal(kept->all[0].at_ns, UNIT_NOW + (int64_t)version);
        assert_int_equal(kept->all[0].size, strlen(text));
        assert_string_equal(kept->all[0].data, text);
    }
    put(unit, "state", CANARY_ANY_VERSION, "");
    kept = one(unit, "state");
    assert_int_equal(kept->all[0].version, 5);
    assert_int_equal(kept->all[0].size, 0);
    /* Removing is as careful, and begins anew. */
    gone.flags = CANARY_DOCUMENT_REMOVE;
    gone.version = 4;
    FAILS(CANARY_E_CONFLICT, "version 4", "version 5",
          canary_document_write(unit->store, MEASURED, &gone, 1, &error));
    gone.version = 5;
    OK(canary_document_write(unit->store, MEASURED, &gone, 1, &error));
    OK(canary_document_write(unit->store, MEASURED, &gone, 1, &error)); /* done is done */
    FAILS(CANARY_E_NOT_FOUND, "state", "",
          canary_document_read(unit->store, MEASURED, "state", keep, NULL, &error));
    put(unit, "state", 0, "again");
    assert_int_equal(one(unit, "state")->all[0].version, 1);
}

static void conflicts_are_told(void **state) {
    struct unit *unit = *state;
    canary_document document = document_of("lease", 0, "mine");

    put(unit, "lease", CANARY_ANY_VERSION, "first");
    put(unit, "lease", 1, "second");
    FAILS(CANARY_E_CONFLICT, "lease", "expected is none, but there is version 2",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    document.version = 1;
    FAILS(CANARY_E_CONFLICT, "expected is version 1", "there is version 2",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    document.name = "other";
    FAILS(CANARY_E_CONFLICT, "other", "expected is version 1, but there is none",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    assert_string_equal(one(unit, "lease")->all[0].data, "second");
    assert_int_equal(list(unit, NULL, NULL, 0, 0)->count, 1);
}

static void all_or_none(void **state) {
    struct unit *unit = *state;
    canary_document three[3] = {
        document_of("a", CANARY_ANY_VERSION, "new a"),
        document_of("b", CANARY_ANY_VERSION, NULL),
        document_of("c", 7, "new c"),
    };

    three[1].flags = CANARY_DOCUMENT_REMOVE;
    put(unit, "a", 0, "old a");
    put(unit, "b", 0, "old b");
    FAILS(CANARY_E_CONFLICT, "\"c\"", "",
          canary_document_write(unit->store, MEASURED, three, 3, &error));
    assert_string_equal(names(list(unit, NULL, NULL, 0, 0)), "a b ");
    assert_string_equal(one(unit, "a")->all[0].data, "old a");
    assert_int_equal(one(unit, "a")->all[0].version, 1);
    three[2].version = 0;
    OK(canary_document_write(unit->store, MEASURED, three, 3, &error));
    assert_string_equal(names(list(unit, NULL, NULL, 0, 0)), "a c ");
    assert_string_equal(one(unit, "a")->all[0].data, "new a");
}

static void ranges_of_names(void **state) {
    static const char *const all[] = {
        "v/00", "v/01", "v/01-", "v/010", "v/02", "v/0A", "v",
        "v.",   "v-",   "w/0",   "V/0",   "u/9",  "v/z",  "v/zz",
    };
    struct unit *unit = *state;
    canary_document documents[COUNT(all)];
    struct kept *kept;

    for (size_t i = 0; i < COUNT(all); i++) {
        documents[i] = document_of(all[i], 0, all[i]);
    }
    OK(canary_document_write(unit->store, MEASURED, documents, COUNT(all), &error));
    assert_string_equal(names(list(unit, NULL, NULL, 0, 0)),
                        "V/0 u/9 v v- v. v/00 v/01 v/01- v/010 v/02 v/0A v/z v/zz w/0 ");
    assert_string_equal(names(list(unit, "", NULL, 1, 0)),
                        "w/0 v/zz v/z v/0A v/02 v/010 v/01- v/01 v/00 v. v- v u/9 V/0 ");
    assert_string_equal(names(list(unit, "v/", NULL, 0, 0)),
                        "v/00 v/01 v/01- v/010 v/02 v/0A v/z v/zz ");
    assert_string_equal(names(list(unit, "v/", NULL, 1, 0)),
                        "v/zz v/z v/0A v/02 v/010 v/01- v/01 v/00 ");
    assert_string_equal(names(list(unit, "v/01", NULL, 0, 0)), "v/01 v/01- v/010 ");
    assert_string_equal(names(list(unit, "v/01", NULL, 1, 0)), "v/010 v/01- v/01 ");
    assert_string_equal(names(list(unit, "v", NULL, 1, 2)), "v/zz v/z ");
    assert_string_equal(names(list(unit, "v", NULL, 0, 2)), "v v- ");
    assert_string_equal(names(list(unit, "x", NULL, 0, 0)), "");
    assert_string_equal(names(list(unit, "x", NULL, 1, 0)), "");
    /* From: itself included, be it there or not. */
    assert_string_equal(names(list(unit, "v/", "v/01", 0, 0)),
                        "v/01 v/01- v/010 v/02 v/0A v/z v/zz ");
    assert_string_equal(names(list(unit, "v/", "v/01", 1, 0)), "v/01 v/00 ");
    assert_string_equal(names(list(unit, "v/", "v/015", 0, 1)), "v/02 ");
    assert_string_equal(names(list(unit, "v/", "v/015", 1, 1)), "v/010 ");
    assert_string_equal(names(list(unit, "v/", "a", 0, 1)), "v/00 ");
    assert_string_equal(names(list(unit, "v/", "a", 1, 0)), "");
    assert_string_equal(names(list(unit, "v/", "x", 0, 0)), "");
    assert_string_equal(names(list(unit, "v/", "x", 1, 1)), "v/zz ");
    assert_string_equal(names(list(unit, NULL, "v/zz", 0, 0)), "v/zz w/0 ");
    assert_string_equal(names(list(unit, NULL, "v", 1, 0)), "v u/9 V/0 ");
    /* The callback may end it; no query is all. */
    kept = list(unit, "none", NULL, 0, 0);
    kept->stop_after = 3;
    OK(canary_document_list(unit->store, MEASURED, NULL, keep, kept, NULL, &error));
    assert_string_equal(names(kept), "V/0 u/9 v ");
    /* Other rollouts have their own. */
    unit_create(unit, "checkout2");
    OK(canary_document_write(unit->store, "checkout2", documents, 1, &error));
    assert_int_equal(list(unit, NULL, NULL, 0, 0)->count, COUNT(all));
}

static int measure(void *user_data, const canary_document *document) {
    uint64_t *sum = user_data;
    const unsigned char *bytes = document->data;

    assert_int_equal((uintptr_t)bytes % 8, 0);
    for (uint64_t i = 0; i < document->data_size; i += 4093) {
        assert_int_equal(bytes[i], (unsigned char)(i * 31 + (unsigned char)document->name[0]));
    }
    sum[0] += document->data_size;
    sum[1]++;
    return 0;
}

/* More than one part, with documents of the greatest size. */
static void long_ones(void **state) {
    static unsigned char bytes[CANARY_DOCUMENT_SIZE_MAX + 1];
    static const uint64_t sizes[] = {
        0, 1, 7, 8, 9, 1048576, CANARY_DOCUMENT_SIZE_MAX, 3000001, 5
    };
    struct unit *unit = *state;
    char name[CANARY_DOCUMENT_NAME_MAX + 2];
    canary_document document = document_of(name, 0, NULL);
    uint64_t all = 0;

    for (size_t i = 0; i < COUNT(sizes); i++) {
        memset(name, 'a' + (int)i, CANARY_DOCUMENT_NAME_MAX);
        name[CANARY_DOCUMENT_NAME_MAX] = '\0';
        for (uint64_t b = 0; b < sizeof bytes; b++) {
            bytes[b] = (unsigned char)(b * 31 + (unsigned char)name[0]);
        }
        document.data = bytes;
        document.data_size = sizes[i];
        OK(canary_document_write(unit->store, MEASURED, &document, 1, &error));
        all += sizes[i];
    }
    for (uint32_t descending = 0; descending < 2; descending++) {
        canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
        uint64_t sum[2] = { 0 };

        query.descending = descending;
        OK(canary_document_list(unit->store, MEASURED, &query, measure, sum, NULL, &error));
        assert_int_equal(sum[0], all);
        assert_int_equal(sum[1], COUNT(sizes));
        query.limit = COUNT(sizes) - 1;
        sum[1] = 0;
        OK(canary_document_list(unit->store, MEASURED, &query, measure, sum, NULL, &error));
        assert_int_equal(sum[1], COUNT(sizes) - 1);
    }
    document.data_size = CANARY_DOCUMENT_SIZE_MAX + 1;
    FAILS(CANARY_E_INVALID, "4194305", "4194304",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
}

static void what_is_refused(void **state) {
    static const char *const bad[] = { "", "a b", "a\n", "\xc3\xa4", "a~", "a,b", "a\\b" };
    struct unit *unit = *state;
    char longest[CANARY_DOCUMENT_NAME_MAX + 2];
    canary_document many[CANARY_DOCUMENTS_MAX + 1];
    canary_document document = document_of("a", CANARY_ANY_VERSION, "text");
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
    struct {
        canary_document document;
        uint64_t later;
    } newer = { document, 0 };

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i <= COUNT(bad); i++) {
        document.name = i < COUNT(bad) ? bad[i] : longest;
        FAILS(CANARY_E_INVALID, "191", "",
              canary_document_write(unit->store, MEASURED, &document, 1, &error));
        FAILS(CANARY_E_INVALID, "191", "",
              canary_document_read(unit->store, MEASURED, document.name, keep, NULL, &error));
        query.from = document.name;
        FAILS(CANARY_E_INVALID, "from", "",
              canary_document_list(unit->store, MEASURED, &query, keep, NULL, NULL, &error));
    }
    document.name = "a";
    FAILS(CANARY_E_NOT_FOUND, "nowhere", "",
          canary_document_write(unit->store, "nowhere", &document, 1, &error));
    FAILS(CANARY_E_NOT_FOUND, "nowhere", "",
          canary_document_list(unit->store, "nowhere", NULL, keep, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "nowhere", "",
          canary_document_read(unit->store, "nowhere", "a", keep, NULL, &error));
    FAILS(CANARY_E_INVALID, "NULL", "",
          canary_document_list(unit->store, MEASURED, NULL, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "", "", canary_document_write(NULL, MEASURED, &document, 1, &error));
    FAILS(CANARY_E_INVALID, "0 documents", "64",
          canary_document_write(unit->store, MEASURED, &document, 0, &error));
    for (size_t i = 0; i < COUNT(many); i++) {
        many[i] = document;
    }
    FAILS(CANARY_E_INVALID, "65 documents", "64",
          canary_document_write(unit->store, MEASURED, many, COUNT(many), &error));
    FAILS(CANARY_E_INVALID, "twice", "\"a\"",
          canary_document_write(unit->store, MEASURED, many, 2, &error));
    document.flags = 2;
    FAILS(CANARY_E_INVALID, "flags", "",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    document.flags = 0;
    document.data = NULL;
    FAILS(CANARY_E_INVALID, "NULL", "",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    /* What a later program adds must be 0. */
    newer.document.size = sizeof newer;
    OK(canary_document_write(unit->store, MEASURED, &newer.document, 1, &error));
    newer.later = 1;
    FAILS(CANARY_E_INVALID, "fields", "",
          canary_document_write(unit->store, MEASURED, &newer.document, 1, &error));
    assert_int_equal(list(unit, NULL, NULL, 0, 0)->count, 1);
}

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
        put(unit, "a", CANARY_ANY_VERSION, "one");
        put(unit, "b", CANARY_ANY_VERSION, "two");
        put(unit, "c", CANARY_ANY_VERSION, "three");
        kept = list(unit, NULL, NULL, 0, 0);
        assert_int_equal(kept->count, 3);
        assert_int_equal(kept->damaged, 0);
        measured_by_hand(unit, edits[i].sql);
        kept = list(unit, NULL, NULL, 0, 0);
        assert_string_equal(names(kept), "a c ");
        assert_int_equal(kept->damaged, 1);
        kept = list(unit, NULL, "b", 1, 1); /* it does not count for the limit */
        assert_string_equal(names(kept), "a ");
        FAILS(CANARY_E_CORRUPT, "damaged", edits[i].why,
              canary_document_read(unit->store, MEASURED, "b", keep, NULL, &error));
    }
    /* Written whole again. */
    put(unit, "b", CANARY_ANY_VERSION, "two");
    assert_string_equal(one(unit, "b")->all[0].data, "two");
    measured_by_hand(unit, "INSERT INTO documents VALUES('checkout', 'b b', 1, 1, x'00')");
    kept = list(unit, NULL, NULL, 0, 0);
    assert_string_equal(names(kept), "a b c ");
    assert_int_equal(kept->damaged, 1);
    /* A version at its end begins anew rather than ending the writing. */
    measured_by_hand(unit, "UPDATE documents SET version = 9223372036854775807 WHERE name = 'b'");
    put(unit, "b", CANARY_ANY_VERSION, "two");
    assert_int_equal(one(unit, "b")->all[0].version, 1);
}

/* A metrics database that was made before there were documents. */
static void older_databases(void **state) {
    struct unit *unit = *state;
    canary_document document = document_of("a", 0, "text");
    canary_store *store;
    uint64_t damaged = 1;

    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, CANARY_OLD, 10, 1);
    measured_by_hand(unit, "DROP TABLE documents");
    unit->options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    store = unit_another(unit);
    FAILS(CANARY_E_NOT_FOUND, "\"a\"", "",
          canary_document_read(store, MEASURED, "a", keep, NULL, &error));
    OK(canary_document_list(store, MEASURED, NULL, keep, NULL, &damaged, &error));
    assert_int_equal(damaged, 0);
    assert_int_equal(measured_count(measured_read(unit, NULL), CANARY_OLD), 10);
    assert_int_equal(list(unit, NULL, NULL, 0, 0)->count, 0);
    /* A conflict rolls the table back that the transaction had made. */
    document.version = 3;
    FAILS(CANARY_E_CONFLICT, "none", "",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    assert_int_equal(list(unit, NULL, NULL, 0, 0)->count, 0);
    document.version = 0;
    OK(canary_document_write(unit->store, MEASURED, &document, 1, &error));
    assert_string_equal(one(unit, "a")->all[0].data, "text");
    OK(canary_document_read(store, MEASURED, "a", keep, &(struct kept){ 0 }, &error));
    measured_by_hand(unit, "DROP TABLE documents");
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, CANARY_OLD, 10, 1);
    assert_int_equal(measured_count(measured_read(unit, NULL), CANARY_OLD), 20);
    canary_store_close(&store);
}

static void read_only_handles(void **state) {
    struct unit *unit = *state;
    canary_document document = document_of("a", CANARY_ANY_VERSION, "text");
    canary_store *store;

    put(unit, "a", 0, "text");
    unit->options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    store = unit_another(unit);
    FAILS(CANARY_E_READ_ONLY, "READ_ONLY", "",
          canary_document_write(store, MEASURED, &document, 1, &error));
    OK(canary_document_read(store, MEASURED, "a", keep, &(struct kept){ 0 }, &error));
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
        canary_document document = document_of("lease", round, "mine");
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
    assert_int_equal(one(unit, "lease")->all[0].version, ROUNDS);
}

/* -- without a database, without memory -- */

static void without_memory(void **state) {
    struct unit *unit = *state;
    canary_document document = document_of("a", CANARY_ANY_VERSION, "text");
    canary_document two[2] = { document, document_of("b", 0, "text") };
    canary_store *measurements = measured_store(unit);
    struct canary__hooks kept = measurements->hooks;
    struct kept read = { 0 };

    put(unit, "a", 0, "text");
    measurements->hooks = figures_hooks;
    figures_left = 0;
    FAILS(CANARY_E_NOMEM, "memory", "",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    FAILS(CANARY_E_NOMEM, "memory", "",
          canary_document_list(unit->store, MEASURED, NULL, keep, &read, NULL, &error));
    FAILS(CANARY_E_NOMEM, "memory", "",
          canary_document_read(unit->store, MEASURED, "a", keep, &read, &error));
    figures_left = 1; /* for the first of two */
    FAILS(CANARY_E_NOMEM, "memory", "\"b\"",
          canary_document_write(unit->store, MEASURED, two, 2, &error));
    figures_left = UINT64_MAX;
    measurements->hooks = kept;
    assert_int_equal(read.count, 0);
    assert_int_equal(one(unit, "a")->all[0].version, 1);
}

static void inits_are_the_macros(void **state) {
    canary_document document = CANARY_DOCUMENT_INIT;
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
    canary_document made;
    canary_document_query asked;

    (void)state;
    canary_document_init(NULL, sizeof made);
    canary_document_init(&made, sizeof made);
    assert_memory_equal(&made, &document, sizeof made);
    canary_document_query_init(NULL, sizeof asked);
    canary_document_query_init(&asked, sizeof asked);
    assert_memory_equal(&asked, &query, sizeof asked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(versions_count),      MEASURED_BOTH(conflicts_are_told),
        MEASURED_BOTH(all_or_none),         MEASURED_BOTH(ranges_of_names),
        MEASURED_BOTH(long_ones),           MEASURED_BOTH(what_is_refused),
        MEASURED_SQLITE(damage_is_told),    MEASURED_SQLITE(older_databases),
        MEASURED_SQLITE(read_only_handles), MEASURED_BOTH(one_wins),
        MEASURED_BOTH(without_memory),      cmocka_unit_test(inits_are_the_macros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
