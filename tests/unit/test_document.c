/* SPDX-License-Identifier: MIT */
/* Documents: written all or none, by whoever saw the last version, and read back in order. */
#include "documents.h"

static void versions_count(void **state) {
    struct unit *unit = *state;
    canary_document gone = documents_of("state", CANARY_ANY_VERSION, NULL);
    struct kept *kept;

    FAILS(CANARY_E_NOT_FOUND, "state", "",
          canary_document_read(unit->store, MEASURED, "state", documents_keep, NULL, &error));
    assert_int_equal(documents_list(unit, NULL, NULL, 0, 0)->count, 0);
    for (uint64_t version = 0; version < 4; version++) {
        char text[16];

        snprintf(text, sizeof text, "text %d", (int)version);
        unit->realtime = UNIT_NOW + (int64_t)version;
        documents_put(unit, "state", version, text);
        kept = documents_one(unit, "state");
        assert_int_equal(kept->all[0].version, version + 1);
        assert_int_equal(kept->all[0].at_ns, UNIT_NOW + (int64_t)version);
        assert_int_equal(kept->all[0].size, strlen(text));
        assert_string_equal(kept->all[0].data, text);
    }
    documents_put(unit, "state", CANARY_ANY_VERSION, "");
    kept = documents_one(unit, "state");
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
          canary_document_read(unit->store, MEASURED, "state", documents_keep, NULL, &error));
    documents_put(unit, "state", 0, "again");
    assert_int_equal(documents_one(unit, "state")->all[0].version, 1);
}

static void conflicts_are_told(void **state) {
    struct unit *unit = *state;
    canary_document document = documents_of("lease", 0, "mine");

    documents_put(unit, "lease", CANARY_ANY_VERSION, "first");
    documents_put(unit, "lease", 1, "second");
    FAILS(CANARY_E_CONFLICT, "lease", "expected is none, but there is version 2",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    document.version = 1;
    FAILS(CANARY_E_CONFLICT, "expected is version 1", "there is version 2",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    document.name = "other";
    FAILS(CANARY_E_CONFLICT, "other", "expected is version 1, but there is none",
          canary_document_write(unit->store, MEASURED, &document, 1, &error));
    assert_string_equal(documents_one(unit, "lease")->all[0].data, "second");
    assert_int_equal(documents_list(unit, NULL, NULL, 0, 0)->count, 1);
}

static void all_or_none(void **state) {
    struct unit *unit = *state;
    canary_document three[3] = {
        documents_of("a", CANARY_ANY_VERSION, "new a"),
        documents_of("b", CANARY_ANY_VERSION, NULL),
        documents_of("c", 7, "new c"),
    };

    three[1].flags = CANARY_DOCUMENT_REMOVE;
    documents_put(unit, "a", 0, "old a");
    documents_put(unit, "b", 0, "old b");
    FAILS(CANARY_E_CONFLICT, "\"c\"", "",
          canary_document_write(unit->store, MEASURED, three, 3, &error));
    assert_string_equal(documents_names(documents_list(unit, NULL, NULL, 0, 0)), "a b ");
    assert_string_equal(documents_one(unit, "a")->all[0].data, "old a");
    assert_int_equal(documents_one(unit, "a")->all[0].version, 1);
    three[2].version = 0;
    OK(canary_document_write(unit->store, MEASURED, three, 3, &error));
    assert_string_equal(documents_names(documents_list(unit, NULL, NULL, 0, 0)), "a c ");
    assert_string_equal(documents_one(unit, "a")->all[0].data, "new a");
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
        documents[i] = documents_of(all[i], 0, all[i]);
    }
    OK(canary_document_write(unit->store, MEASURED, documents, COUNT(all), &error));
    assert_string_equal(documents_names(documents_list(unit, NULL, NULL, 0, 0)),
                        "V/0 u/9 v v- v. v/00 v/01 v/01- v/010 v/02 v/0A v/z v/zz w/0 ");
    assert_string_equal(documents_names(documents_list(unit, "", NULL, 1, 0)),
                        "w/0 v/zz v/z v/0A v/02 v/010 v/01- v/01 v/00 v. v- v u/9 V/0 ");
    assert_string_equal(documents_names(documents_list(unit, "v/", NULL, 0, 0)),
                        "v/00 v/01 v/01- v/010 v/02 v/0A v/z v/zz ");
    assert_string_equal(documents_names(documents_list(unit, "v/", NULL, 1, 0)),
                        "v/zz v/z v/0A v/02 v/010 v/01- v/01 v/00 ");
    assert_string_equal(documents_names(documents_list(unit, "v/01", NULL, 0, 0)),
                        "v/01 v/01- v/010 ");
    assert_string_equal(documents_names(documents_list(unit, "v/01", NULL, 1, 0)),
                        "v/010 v/01- v/01 ");
    assert_string_equal(documents_names(documents_list(unit, "v", NULL, 1, 2)), "v/zz v/z ");
    assert_string_equal(documents_names(documents_list(unit, "v", NULL, 0, 2)), "v v- ");
    assert_string_equal(documents_names(documents_list(unit, "x", NULL, 0, 0)), "");
    assert_string_equal(documents_names(documents_list(unit, "x", NULL, 1, 0)), "");
    /* From: itself included, be it there or not. */
    assert_string_equal(documents_names(documents_list(unit, "v/", "v/01", 0, 0)),
                        "v/01 v/01- v/010 v/02 v/0A v/z v/zz ");
    assert_string_equal(documents_names(documents_list(unit, "v/", "v/01", 1, 0)), "v/01 v/00 ");
    assert_string_equal(documents_names(documents_list(unit, "v/", "v/015", 0, 1)), "v/02 ");
    assert_string_equal(documents_names(documents_list(unit, "v/", "v/015", 1, 1)), "v/010 ");
    assert_string_equal(documents_names(documents_list(unit, "v/", "a", 0, 1)), "v/00 ");
    assert_string_equal(documents_names(documents_list(unit, "v/", "a", 1, 0)), "");
    assert_string_equal(documents_names(documents_list(unit, "v/", "x", 0, 0)), "");
    assert_string_equal(documents_names(documents_list(unit, "v/", "x", 1, 1)), "v/zz ");
    assert_string_equal(documents_names(documents_list(unit, NULL, "v/zz", 0, 0)), "v/zz w/0 ");
    assert_string_equal(documents_names(documents_list(unit, NULL, "v", 1, 0)), "v u/9 V/0 ");
    /* The callback may end it; no query is all. */
    kept = documents_list(unit, "none", NULL, 0, 0);
    kept->stop_after = 3;
    OK(canary_document_list(unit->store, MEASURED, NULL, documents_keep, kept, NULL, &error));
    assert_string_equal(documents_names(kept), "V/0 u/9 v ");
    /* Other rollouts have their own. */
    unit_create(unit, "checkout2");
    OK(canary_document_write(unit->store, "checkout2", documents, 1, &error));
    assert_int_equal(documents_list(unit, NULL, NULL, 0, 0)->count, COUNT(all));
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
    char name[CANARY_DOCUMENT_NAME_MAX + 2] = "";
    canary_document document = documents_of(name, 0, NULL);
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
    canary_document document = documents_of("a", CANARY_ANY_VERSION, "text");
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
              canary_document_read(unit->store, MEASURED, document.name, documents_keep, NULL,
                                   &error));
        query.from = document.name;
        FAILS(CANARY_E_INVALID, "from", "",
              canary_document_list(unit->store, MEASURED, &query, documents_keep, NULL, NULL,
                                   &error));
    }
    document.name = "a";
    FAILS(CANARY_E_NOT_FOUND, "nowhere", "",
          canary_document_write(unit->store, "nowhere", &document, 1, &error));
    FAILS(CANARY_E_NOT_FOUND, "nowhere", "",
          canary_document_list(unit->store, "nowhere", NULL, documents_keep, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "nowhere", "",
          canary_document_read(unit->store, "nowhere", "a", documents_keep, NULL, &error));
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
    assert_int_equal(documents_list(unit, NULL, NULL, 0, 0)->count, 1);
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
        MEASURED_BOTH(versions_count),
        MEASURED_BOTH(conflicts_are_told),
        MEASURED_BOTH(all_or_none),
        MEASURED_BOTH(ranges_of_names),
        MEASURED_BOTH(long_ones),
        MEASURED_BOTH(what_is_refused),
        cmocka_unit_test(inits_are_the_macros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
