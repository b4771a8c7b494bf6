/* SPDX-License-Identifier: MIT */
/* Policies kept with a rollout: set, read back, taken away, edited by hand; and the generation that
 * judgement counts from. */
#include "tamper.h"

#include "digest.h"
#include "observe/merge.h"

#define NAME "policy"

static const char text_a[] = "{\"name\": \"a\"}\n";
static const char text_b[] = "{\"name\": \"b\", \"note\": \"\xc3\xbc\"}";

/* By other code than the library's. */
static const char *sha256(const char *text) {
    static char hex[65];
    unsigned char bytes[32];

    crypto_hash_sha256(bytes, (const unsigned char *)text, strlen(text));
    digest_hex(bytes, hex);
    return hex;
}

static canary_change set(struct unit *unit, const char *text) {
    canary_change change = { .size = sizeof change };

    OK(canary_rollout_policy_set(unit->store, NAME, text, text != NULL ? strlen(text) : 0, NULL,
                                 &change, &error));
    return change;
}

static void reads(struct unit *unit, const char *digest, const char *text, uint64_t revision) {
    canary_change change = { .size = sizeof change };
    char buffer[256];
    uint64_t size = 0;

    memset(buffer, 'x', sizeof buffer);
    OK(canary_rollout_policy_read(unit->store, NAME, digest, buffer, sizeof buffer, &size, &change,
                                  &error));
    assert_string_equal(buffer, text);
    assert_int_equal(size, strlen(text));
    assert_string_equal(change.action, "policy");
    assert_int_equal(change.revision, revision);
}

static void set_and_read(void **state) {
    struct unit *unit = *state;
    canary_rollout before = unit_begin_at(unit, NAME, 2500);
    canary_rollout now;
    canary_change change;

    assert_string_equal(before.policy, "");
    assert_int_equal(before.policy_revision, 0);
    FAILS(CANARY_E_NOT_FOUND, NAME, "no policy",
          canary_rollout_policy_read(unit->store, NAME, NULL, NULL, 0, NULL, NULL, &error));
    unit->realtime += 1000;
    change = set(unit, text_a); /* revision 3 */
    assert_string_equal(change.action, "policy");
    assert_int_equal(change.revision, 3);
    assert_int_equal(change.from_percentage_bp, 2500);
    assert_int_equal(change.to_percentage_bp, 2500);
    assert_int_equal(change.to_stage, before.stage);
    now = unit_read(unit, NAME);
    assert_string_equal(now.policy, sha256(text_a));
    assert_int_equal(now.policy_revision, 3);
    assert_int_equal(now.revision, 3);
    assert_int_equal(now.percentage_bp, 2500);
    assert_int_equal(now.doubt, 0);
    reads(unit, NULL, text_a, 3);
    reads(unit, sha256(text_a), text_a, 3);
    set(unit, text_b); /* 4 */
    reads(unit, NULL, text_b, 4);
    reads(unit, sha256(text_b), text_b, 4);
    reads(unit, sha256(text_a), text_a, 3); /* what ever was */
    set(unit, text_a);                      /* 5 */
    reads(unit, NULL, text_a, 5);
    reads(unit, sha256(text_a), text_a, 5); /* the newest that set it */
    OK(canary_override_set(unit->store, NAME, "u", 1, 1, NULL, NULL, &error)); /* 6 */
    assert_int_equal(unit_read(unit, NAME).policy_revision, 5);
    set(unit, NULL); /* 7 */
    now = unit_read(unit, NAME);
    assert_string_equal(now.policy, "");
    assert_int_equal(now.policy_revision, 0);
    FAILS(CANARY_E_NOT_FOUND, NAME, "no policy",
          canary_rollout_policy_read(unit->store, NAME, NULL, NULL, 0, NULL, NULL, &error));
    reads(unit, sha256(text_b), text_b, 4);
    FAILS(CANARY_E_NOT_FOUND, "never had", "",
          canary_rollout_policy_read(unit->store, NAME, sha256("other"), NULL, 0, NULL, NULL,
                                     &error));
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
}

static void room(void **state) {
    struct unit *unit = *state;
    char buffer[64];
    uint64_t size;

    unit_create(unit, NAME);
    set(unit, text_a);
    for (uint64_t capacity = 0; capacity <= strlen(text_a); capacity++) {
        memset(buffer, 'x', sizeof buffer);
        size = 0;
        FAILS(CANARY_E_FULL, "the policy has 14 bytes", "",
              canary_rollout_policy_read(unit->store, NAME, NULL, buffer, capacity, &size, NULL,
                                         &error));
        assert_int_equal(size, strlen(text_a));
        assert_true(unit_all(buffer, sizeof buffer, 'x'));
    }
    size = 0;
    FAILS(CANARY_E_FULL, "", "",
          canary_rollout_policy_read(unit->store, NAME, NULL, NULL, 1000, &size, NULL, &error));
    assert_int_equal(size, strlen(text_a));
    OK(canary_rollout_policy_read(unit->store, NAME, NULL, buffer, strlen(text_a) + 1, NULL, NULL,
                                  &error));
    assert_string_equal(buffer, text_a);
    assert_int_equal(buffer[strlen(text_a) + 1], 'x');
}

static void greatest(void **state) {
    struct unit *unit = *state;
    char *text = malloc(CANARY_POLICY_MAX + 2);
    char *back = malloc(CANARY_POLICY_MAX + 1);
    uint64_t size = 0;

    assert_non_null(text);
    assert_non_null(back);
    memset(text, 'p', CANARY_POLICY_MAX + 1);
    text[CANARY_POLICY_MAX + 1] = '\0';
    unit_create(unit, NAME);
    FAILS(CANARY_E_INVALID, "65537", "65536",
          canary_rollout_policy_set(unit->store, NAME, text, CANARY_POLICY_MAX + 1, NULL, NULL,
                                    &error));
    OK(canary_rollout_policy_set(unit->store, NAME, text, CANARY_POLICY_MAX, NULL, NULL, &error));
    OK(canary_rollout_policy_read(unit->store, NAME, NULL, back, CANARY_POLICY_MAX + 1, &size, NULL,
                                  &error));
    assert_int_equal(size, CANARY_POLICY_MAX);
    assert_memory_equal(text, back, CANARY_POLICY_MAX);
    free(text);
    free(back);
}

static void refused(void **state) {
    struct unit *unit = *state;
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_rollout before = unit_begin_at(unit, NAME, 2500);
    canary_change small = { .size = 0 };

    FAILS(CANARY_E_INVALID, "UTF-8", "",
          canary_rollout_policy_set(unit->store, NAME, "\xff", 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "NUL", "",
          canary_rollout_policy_set(unit->store, NAME, "a\0b", 3, NULL, NULL, &error));
    options.evidence = "mine";
    FAILS(CANARY_E_INVALID, "evidence", "",
          canary_rollout_policy_set(unit->store, NAME, "p", 1, &options, NULL, &error));
    options.evidence = NULL;
    options.expected_revision = 1;
    FAILS(CANARY_E_CONFLICT, "revision", "",
          canary_rollout_policy_set(unit->store, NAME, "p", 1, &options, NULL, &error));
    options.expected_revision = CANARY_ANY_REVISION;
    options.expected_stage = 4;
    FAILS(CANARY_E_CONFLICT, "stage", "",
          canary_rollout_policy_set(unit->store, NAME, "p", 1, &options, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_rollout_policy_set(unit->store, "nobody", "p", 1, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_rollout_policy_read(unit->store, "nobody", NULL, NULL, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "", "",
          canary_rollout_policy_set(NULL, NAME, "p", 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "", "",
          canary_rollout_policy_read(NULL, NAME, NULL, NULL, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "", "",
          canary_rollout_policy_read(unit->store, NULL, NULL, NULL, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "64", "",
          canary_rollout_policy_read(unit->store, NAME, "abc", NULL, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "size", "",
          canary_rollout_policy_read(unit->store, NAME, NULL, NULL, 0, NULL, &small, &error));
    unit_unchanged(unit, &before);
}

static void dry_run(void **state) {
    struct unit *unit = *state;
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_rollout before = unit_begin_at(unit, NAME, 2500);
    canary_change change = { .size = sizeof change };

    options.flags = CANARY_CHANGE_DRY_RUN;
    OK(canary_rollout_policy_set(unit->store, NAME, text_a, strlen(text_a), &options, &change,
                                 &error));
    assert_string_equal(change.action, "policy");
    assert_int_equal(change.revision, 3);
    assert_string_equal(change.hash, "");
    unit_unchanged(unit, &before);
}

/* -- the generation -- */

static void generation_is(struct unit *unit, uint64_t generation, int64_t at_ns) {
    canary_rollout now = unit_read(unit, NAME);
    uint64_t counted = 0;

    assert_int_equal(now.generation, generation);
    assert_int_equal(now.generation_at_ns, at_ns);
    /* Outcomes are counted by the same number. */
    OK(canary__merge_generation(unit->store, NAME, now.revision, &counted, &error));
    assert_int_equal(counted, generation);
}

static int check_listed(void *user_data, const canary_rollout *entry) {
    const canary_rollout *expected = user_data;

    if (strcmp(entry->name, expected->name) == 0) {
        assert_memory_equal(entry, expected, sizeof *entry);
    }
    return 0;
}

static void generations(void **state) {
    struct unit *unit = *state;
    canary_rollout now;

    unit_create(unit, NAME); /* 1 */
    unit_create(unit, "beside");
    generation_is(unit, 1, UNIT_NOW);
    unit->realtime += 1000;
    unit_set(unit, NAME, 2500); /* 2 */
    unit_set(unit, "beside", 1000);
    generation_is(unit, 2, UNIT_NOW + 1000);
    unit->realtime += 1000;
    unit_set(unit, NAME, 2500);                                                /* 3 */
    OK(canary_flag_set(unit->store, NAME, 0, NULL, NULL, &error));             /* 4 */
    OK(canary_flag_set(unit->store, NAME, 1, NULL, NULL, &error));             /* 5 */
    OK(canary_override_set(unit->store, NAME, "u", 1, 1, NULL, NULL, &error)); /* 6 */
    set(unit, text_a);                                                         /* 7 */
    OK(canary_note(unit->store, NAME, "approve", NULL, NULL, &error));         /* 8 */
    OK(canary_accept(unit->store, NAME, NULL, NULL, &error));                  /* 9 */
    for (int i = 0; i < 20; i++) {
        OK(canary_note(unit->store, NAME, "decision", NULL, NULL, &error)); /* 10 to 29 */
    }
    generation_is(unit, 2, UNIT_NOW + 1000);
    now = unit_read(unit, NAME);
    assert_int_equal(now.policy_revision, 7);
    OK(canary_rollout_list(unit->store, check_listed, &now, &error));
    unit->realtime += 1000;
    OK(canary_rollback(unit->store, NAME, 0, NULL, NULL, &error)); /* 30 */
    generation_is(unit, 30, UNIT_NOW + 3000);
    assert_int_equal(unit_read(unit, NAME).policy_revision, 7);
}

/* What a caller compiled before these fields were there gets is what it got then. */
static void shorter_struct(void **state) {
    struct unit *unit = *state;
    canary_rollout out;

    unit_begin_at(unit, NAME, 2500);
    memset(&out, 0xa5, sizeof out);
    out.size = offsetof(canary_rollout, generation);
    OK(canary_rollout_read(unit->store, NAME, &out, &error));
    assert_string_equal(out.name, NAME);
    assert_true(unit_all((const char *)&out + offsetof(canary_rollout, generation),
                         sizeof out - offsetof(canary_rollout, generation), 0xa5));
}

/* -- by hand -- */

static struct unit *scene_of_policies(void **state) {
    struct unit *unit = *state;

    /* tamper_by_hand() attaches what only its own scene has filled. */
    unit_begin_at(unit, NAME, 2500); /* changes 1, 2 */
    set(unit, text_a);               /* 3 */
    set(unit, text_b);               /* 4 */
    return unit;
}

static void tampered(struct unit *unit, const char *digest) {
    FAILS(CANARY_E_TAMPERED, NAME, "verify",
          canary_rollout_policy_read(unit->store, NAME, digest, NULL, 0, NULL, NULL, &error));
}

static void text_was_edited(void **state) {
    struct unit *unit = scene_of_policies(state);
    char digest[65];

    strcpy(digest, sha256(text_b));
    tamper_by_hand(unit, "UPDATE changes SET evidence = 'laxer' WHERE id = 4");
    tampered(unit, NULL);
    tampered(unit, digest);
    reads(unit, sha256(text_a), text_a, 3); /* the other one is what it was */
    assert_int_equal(tamper_verify(unit->store, NULL).kinds & HASH, HASH);
    tamper_by_hand(unit, "SELECT rehash(4)"); /* and signed, as its forger would */
    tampered(unit, NULL);
    assert_int_equal(tamper_verify(unit->store, "policy").told, 1);
}

static void author_was_edited(void **state) {
    struct unit *unit = scene_of_policies(state);

    tamper_by_hand(unit, "UPDATE changes SET made_by = 'eve' WHERE id = 4");
    tampered(unit, NULL);
}

/* An earlier policy, put in force by hand: with a row that is signed anew it is still not the one that the
 * trail set last. */
static void earlier_policy_put_in_force(void **state) {
    struct unit *unit = scene_of_policies(state);
    char sql[200];

    snprintf(sql, sizeof sql, "UPDATE rollouts SET policy = '%s'", sha256(text_a));
    tamper_by_hand(unit, sql);
    tampered(unit, NULL);
    assert_int_equal(unit_read(unit, NAME).doubt, CANARY_DOUBT_ROLLOUT);
    FAILS(CANARY_E_TAMPERED, "accept", "",
          canary_rollout_policy_set(unit->store, NAME, "p", 1, NULL, NULL, &error));
    /* Somebody looked at it and wants it so. */
    OK(canary_accept(unit->store, NAME, NULL, NULL, &error)); /* 5 */
    reads(unit, NULL, text_a, 3);
    assert_int_equal(tamper_verify(unit->store, NULL).count, 0);
    set(unit, text_b); /* 6 */
    reads(unit, NULL, text_b, 6);
    /* That acceptance is of its time: it does not cover the next edit. */
    tamper_by_hand(unit, sql);
    tampered(unit, NULL);
}

/* What was accepted is the row of that time. */
static void accepted_before_the_edit(void **state) {
    struct unit *unit = scene_of_policies(state);
    char sql[200];

    OK(canary_accept(unit->store, NAME, NULL, NULL, &error)); /* 5 */
    reads(unit, NULL, text_b, 4);
    snprintf(sql, sizeof sql, "UPDATE rollouts SET policy = '%s'", sha256(text_a));
    tamper_by_hand(unit, sql);
    tampered(unit, NULL);
}

/* Signed with what the documentation of the checksum says, as its forger would. */
static void row_is_forged(void **state) {
    struct unit *unit = scene_of_policies(state);
    struct digest digest;
    sqlite3_stmt *row = NULL;
    sqlite3 *db = NULL;
    char checksum[65];
    char sql[400];

    snprintf(sql, sizeof sql, "UPDATE rollouts SET policy = '%s'", sha256(text_a));
    tamper_by_hand(unit, sql);
    assert_int_equal(sqlite3_open(unit->path, &db), SQLITE_OK);
    digest_begin(&digest, "rollouts");
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM rollouts", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    digest_row(&digest, row, 15);
    sqlite3_finalize(row);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM stages ORDER BY stage", -1, &row, NULL),
                     SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        digest_row(&digest, row, 5);
    }
    sqlite3_finalize(row);
    digest_end(&digest, checksum);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    snprintf(sql, sizeof sql, "UPDATE rollouts SET checksum = '%s'", checksum);
    tamper_by_hand(unit, sql);
    assert_int_equal(unit_read(unit, NAME).doubt, 0); /* it is a good forgery */
    tampered(unit, NULL);
    assert_int_equal(tamper_verify(unit->store, "policy").kinds, HEAD);
    assert_int_equal(tamper_verify(unit->store, "policy").told, 1);
}

/* An emergency edit of the percentage is no reason to judge by no policy at all. */
static void other_edits_leave_it(void **state) {
    struct unit *unit = scene_of_policies(state);

    tamper_by_hand(unit, "UPDATE rollouts SET percentage_bp = 100");
    reads(unit, NULL, text_b, 4);
}

/* Time on a generation is rather too short than too long. */
static void generation_of_an_edited_trail(void **state) {
    struct unit *unit = *state;

    unit_begin_at(unit, NAME, 2500); /* 2 */
    unit->realtime += 1000;
    unit_set(unit, NAME, 5000); /* 3 */
    unit->realtime += 1000;
    set(unit, text_a); /* 4 */
    generation_is(unit, 3, UNIT_NOW + 1000);
    tamper_by_hand(unit, "UPDATE changes SET made_at = 5 WHERE id = 3");
    generation_is(unit, 3, UNIT_NOW + 2000);
    tamper_by_hand(unit, "UPDATE changes SET from_percentage_bp = 5000 WHERE id = 3");
    generation_is(unit, 2, UNIT_NOW + 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(set_and_read),
        UNIT_BOTH(room),
        UNIT_BOTH(greatest),
        UNIT_BOTH(refused),
        UNIT_BOTH(dry_run),
        UNIT_BOTH(generations),
        UNIT_BOTH(shorter_struct),
        UNIT_SQLITE_ONLY(text_was_edited),
        UNIT_SQLITE_ONLY(author_was_edited),
        UNIT_SQLITE_ONLY(earlier_policy_put_in_force),
        UNIT_SQLITE_ONLY(accepted_before_the_edit),
        UNIT_SQLITE_ONLY(row_is_forged),
        UNIT_SQLITE_ONLY(other_edits_leave_it),
        UNIT_SQLITE_ONLY(generation_of_an_edited_trail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
