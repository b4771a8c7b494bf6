/* SPDX-License-Identifier: MIT */
/* Every call to the file system failing once, and from there on; no space left. Afterwards the
 * store is in the old state or in the new one, whole, and what was acknowledged is there. */
#include "figures.h"
#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USERS = 40 };

static void copy_file(const char *from, const char *to) {
    static char data[1 << 20];
    FILE *in = fopen(from, "r");
    FILE *out = fopen(to, "w");
    size_t size;

    assert_non_null(in);
    assert_non_null(out);
    size = fread(data, 1, sizeof data, in);
    assert_true(size < sizeof data);
    assert_int_equal(fwrite(data, 1, size, out), size);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void journal_of(const struct place *place, char *out, size_t size) {
    snprintf(out, size, "%s-journal", place->path);
}

/* The change that is made under faults: two flags and some users, all or nothing. */
static int change(struct place *place, int64_t at) {
    int code = place_begin(place, CANARY_STORAGE_WRITE);
    canary_error first;

    if (code != CANARY_OK) {
        return code;
    }
    code = place_put_flag(place, "a", at);
    for (int i = 0; i < USERS && code == CANARY_OK; i++) {
        char id[400];

        memset(id, 'u', sizeof id);
        snprintf(id, sizeof id, "%d", i);
        code = place_put_override(place, "r", id, sizeof id);
    }
    if (code == CANARY_OK) {
        code = place_put_flag(place, "b", at);
    }
    if (code == CANARY_OK) {
        return place_end(place, 1);
    }
    /* Whatever the caller does: a change that failed in the middle is not committed, and what
     * follows in it does not commit by itself. */
    first = place->error;
    place_put_flag(place, "b", 9);
    assert_int_not_equal(place_end(place, 1), CANARY_OK);
    place->error = first;
    return code;
}

static void check_whole(struct place *place, int64_t at_least, int64_t at_most) {
    int64_t a = place_flag(place, "a");
    int64_t b = place_flag(place, "b");

    assert_int_equal(a, b);
    assert_in_range(a, at_least, at_most);
    assert_int_equal(place_number(place, "SELECT count(*) FROM pragma_integrity_check "
                                         "WHERE integrity_check <> 'ok'"),
                     0);
    assert_int_equal(place_number(place, "SELECT count(*) FROM overrides"), a == 1 ? 0 : USERS);
}

/* An error under faults is one that a user can act on, and says something. */
static void check_failure(const struct place *place, int code) {
    switch (code) {
    case CANARY_E_IO:
    case CANARY_E_FULL:
    case CANARY_E_BUSY:
    case CANARY_E_NO_STORE:
    case CANARY_E_READ_ONLY:
    case CANARY_E_PERMISSION:
        break;
    default:
        fail_msg("a fault ended as %s: %s", canary_error_name(code), place->error.message);
    }
    assert_int_equal(place->error.code, code);
    assert_true(strlen(place->error.message) > 20);
}

static void every_call_fails(struct place *place, enum shim_fault fault, int onwards) {
    char pristine[160];
    char journal[160];
    int64_t at = 0;
    int changed = 0;

    journal_of(place, journal, sizeof journal);
    snprintf(pristine, sizeof pristine, "%s.pristine", place->path);
    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "b", 1), CANARY_OK);
    place_close(place);
    copy_file(place->path, pristine);
    do {
        int code;

        unlink(journal);
        copy_file(pristine, place->path);
        shim_arm(++at, fault, onwards);
        code = place_open(place, 0);
        if (code == CANARY_OK) {
            code = change(place, 2);
        }
        if (code != CANARY_OK) {
            check_failure(place, code);
        }
        shim_arm(0, fault, 0);
        changed += code == CANARY_OK;
        /* The handle that saw the fault goes on. */
        if (place->store != NULL) {
            check_whole(place, code == CANARY_OK ? 2 : 1, 2);
            place_close(place);
        }
        assert_int_equal(place_open(place, 0), CANARY_OK);
        check_whole(place, code == CANARY_OK ? 2 : 1, 2);
        assert_int_equal(change(place, 3), CANARY_OK);
        check_whole(place, 3, 3);
        place_close(place);
        /* The loop ends when the change is over before the armed call. */
        shim_arm(at, fault, onwards);
        unlink(journal);
        copy_file(pristine, place->path);
        code = place_open(place, 0) != CANARY_OK || change(place, 2) != CANARY_OK;
        place_close(place);
        code = shim_fired();
        shim_arm(0, fault, 0);
        if (!code) {
            break;
        }
    } while (at < 2000);
    print_message("%d calls, the change was made in spite of %d of them\n", (int)at - 1, changed);
    assert_in_range(at, 30, 1000);
}

static void each_call_fails_once(void **state) {
    every_call_fails(*state, SHIM_IO_ERROR, 0);
}

static void each_call_and_all_after(void **state) {
    every_call_fails(*state, SHIM_IO_ERROR, 1);
}

static void each_write_is_torn(void **state) {
    every_call_fails(*state, SHIM_HALF_WRITE, 1);
}

static void each_write_finds_no_space(void **state) {
    every_call_fails(*state, SHIM_FULL, 0);
}

/* Creating: afterwards there is a store or there is none, and creating again makes one. */
static void creation_fails(void **state) {
    struct place *place = *state;
    char journal[160];
    int fired = 1;

    journal_of(place, journal, sizeof journal);
    for (int64_t at = 1; fired; at++) {
        int code;

        unlink(journal);
        unlink(place->path);
        shim_arm(at, SHIM_IO_ERROR, (int)(at % 2));
        code = place_open(place, CANARY_OPEN_CREATE);
        fired = shim_fired();
        shim_arm(0, SHIM_IO_ERROR, 0);
        if (code != CANARY_OK) {
            check_failure(place, code);
        }
        place_close(place);
        code = place_open(place, 0);
        place_close(place);
        if (code != CANARY_OK) {
            assert_int_equal(code, CANARY_E_NO_STORE);
        }
        assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
        assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
        assert_int_equal(place_flag(place, "a"), 1);
        place_close(place);
    }
}

/* -- measurements -- */

enum { TICKS = 8 };

/* A flush: some rows, all or nothing. */
static int flush(struct place *figures, int64_t requests) {
    int code = place_begin(figures, CANARY_STORAGE_WRITE);
    canary_error first;

    if (code != CANARY_OK) {
        return code;
    }
    for (int i = 0; i < TICKS && code == CANARY_OK; i++) {
        code = figures_put(figures, CANARY_TABLE_TICKS, "r", i, requests, 700);
        if (code == CANARY_OK) {
            code = figures_put(figures, CANARY_TABLE_HOURS, "r", i, requests, 9000);
        }
    }
    if (code == CANARY_OK) {
        return place_end(figures, 1);
    }
    first = figures->error;
    figures_put(figures, CANARY_TABLE_TICKS, "r", 0, 9, 700);
    assert_int_not_equal(place_end(figures, 1), CANARY_OK);
    figures->error = first;
    return code;
}

/* All ticks say the same, one of these, or there is nothing. */
static void check_figures(struct place *figures, int64_t at_least, int64_t at_most) {
    struct figures_sum sum;
    int code = figures_read(figures, "r", NULL, 0, 0, &sum);

    if (code == CANARY_E_NO_STORE && at_least == 0) {
        return;
    }
    place_expect(figures, code, CANARY_OK, "");
    assert_int_equal(sum.damaged, 0);
    assert_true(sum.rows == TICKS || (sum.rows == 0 && at_least == 0));
    assert_in_range(sum.requests, TICKS * at_least, TICKS * at_most);
    assert_int_equal(sum.requests % TICKS, 0);
    assert_int_equal(place_number(figures, "SELECT count(*) FROM pragma_integrity_check "
                                           "WHERE integrity_check <> 'ok'"),
                     0);
}

/* From no file at all (`before` 0), or from one with ticks, to one with more. Afterwards the handle
 * that saw the fault goes on, and so does a new one. The decisions were never touched. */
static void figures_under(struct place *place, enum shim_fault fault, int onwards, int64_t before) {
    struct place figures;
    struct place other;
    char journal[160];
    int fired = 1;
    int made = 0;
    int64_t at = 0;

    place_create(place);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    while (fired && at < 1000) {
        int code;

        assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
        journal_of(&figures, journal, sizeof journal);
        if (before > 0) {
            assert_int_equal(flush(&figures, before), CANARY_OK);
        }
        shim_arm(++at, fault, onwards);
        code = flush(&figures, 2);
        fired = shim_fired();
        shim_arm(0, fault, 0);
        if (code != CANARY_OK) {
            check_failure(&figures, code);
        }
        made += code == CANARY_OK;
        check_figures(&figures, code == CANARY_OK ? 2 : before, 2);
        assert_int_equal(figures_open(place, 1, &other), CANARY_OK);
        check_figures(&other, code == CANARY_OK ? 2 : before, 2);
        assert_int_equal(flush(&other, 3), CANARY_OK);
        check_figures(&figures, 3, 3);
        assert_int_equal(flush(&figures, 4), CANARY_OK);
        check_figures(&other, 4, 4);
        place_close(&figures);
        place_close(&other);
        assert_int_equal(unlink(figures.path), 0);
        unlink(journal);
    }
    print_message("%d calls, the figures were there in spite of %d of them\n", (int)at - 1,
                  made - 1);
    assert_in_range(at, 20, 500);
    assert_int_equal(place_flag(place, "a"), 1);
}

static void figures_each_call_once(void **state) {
    figures_under(*state, SHIM_IO_ERROR, 0, 1);
}

static void figures_each_call_and_all_after(void **state) {
    figures_under(*state, SHIM_IO_ERROR, 1, 1);
}

static void figures_each_write_torn(void **state) {
    figures_under(*state, SHIM_HALF_WRITE, 1, 1);
}

static void figures_each_write_without_space(void **state) {
    figures_under(*state, SHIM_FULL, 0, 1);
}

static void figures_made_under_faults(void **state) {
    figures_under(*state, SHIM_IO_ERROR, 1, 0);
}

static void figures_on_a_full_disk(void **state) {
    struct place *place = *state;
    struct place figures;

    place_create(place);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
    shim_space(0);
    place_expect(&figures, flush(&figures, 1), CANARY_E_FULL, "free some space");
    shim_space(-1);
    assert_int_equal(flush(&figures, 1), CANARY_OK);
    shim_space(0);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(figures_put(&figures, CANARY_TABLE_MINUTES, "r", i, 2, 9000), CANARY_OK);
    }
    place_expect(&figures, place_end(&figures, 1), CANARY_E_FULL, "free some space");
    assert_int_equal(place_number(&figures, "SELECT count(*) FROM minutes"), 0);
    check_figures(&figures, 1, 1);
    /* What figures may not have had, a change has: its space was kept for it. */
    assert_int_equal(place_commit_flag(place, "a", 2), CANARY_OK);
    shim_space(-1);
    assert_int_equal(flush(&figures, 2), CANARY_OK);
    check_figures(&figures, 2, 2);
    place_close(&figures);
}

/* -- space -- */

/* One page each. */
static int commit_user(struct place *place, int number) {
    char id[4000];
    int code = place_begin(place, CANARY_STORAGE_WRITE);
    canary_error first;

    if (code != CANARY_OK) {
        return code;
    }
    memset(id, 'x', sizeof id);
    snprintf(id, sizeof id, "%06d", number);
    code = place_put_override(place, "r", id, sizeof id);
    if (code == CANARY_OK) {
        return place_end(place, 1);
    }
    first = place->error;
    place_end(place, 0);
    place->error = first;
    return code;
}

static void full_disk(void **state) {
    struct place *place = *state;
    int count = 0;
    int code = CANARY_OK;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    shim_space(0);
    /* What takes no page goes on for ever. */
    for (int i = 2; i < 100; i++) {
        assert_int_equal(place_commit_flag(place, "a", i), CANARY_OK);
    }
    while (code == CANARY_OK && count < 1000) {
        code = commit_user(place, count++);
    }
    place_expect(place, code, CANARY_E_FULL, "free some space");
    print_message("%d changes of a page each on a full disk\n", count - 1);
    assert_in_range(count, 16, 200);
    assert_int_equal(place_flag(place, "a"), 99);
    assert_int_equal(place_number(place, "SELECT count(*) FROM overrides"), count - 1);
    /* A rollback needs no page even now. */
    assert_int_equal(place_commit_flag(place, "a", 100), CANARY_OK);
    shim_space(-1);
    assert_int_equal(commit_user(place, count), CANARY_OK);
    assert_int_equal(place_number(place, "SELECT count(*) FROM overrides"), count);
    /* And the reserve is filled again. */
    shim_space(0);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(commit_user(place, 2000 + i), CANARY_OK);
    }
    shim_space(-1);
}

/* A shell in its own journal mode removes the journal, and with it the reserve. */
static void journal_removed_by_a_shell(void **state) {
    struct place *place = *state;
    struct stat status;
    char journal[160];

    journal_of(place, journal, sizeof journal);
    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    place_sql(place, "UPDATE feature_flags SET updated_at = 2");
    assert_int_equal(stat(journal, &status), -1);
    assert_int_equal(place_commit_flag(place, "a", 3), CANARY_OK);
    assert_int_equal(stat(journal, &status), 0);
    assert_true(status.st_size >= 100000);
}

static void full_tmpfs(void **state) {
    struct place *place = *state;
    char filler[160];
    char junk[4096] = { 0 };
    FILE *file;
    int count = 0;
    int code = CANARY_OK;

    if (mount("tmpfs", place->directory, "tmpfs", 0, "size=1m") != 0) {
        print_message("skipped: cannot mount a small file system: %s\n", strerror(errno));
        skip();
    }
    code = place_open(place, CANARY_OPEN_CREATE);
    if (code == CANARY_OK) {
        code = place_commit_flag(place, "a", 1);
    }
    snprintf(filler, sizeof filler, "%s/filler", place->directory);
    file = fopen(filler, "w");
    while (file != NULL && fwrite(junk, 1, sizeof junk, file) == sizeof junk && fflush(file) == 0) {
    }
    while (code == CANARY_OK && count < 1000) {
        code = commit_user(place, count++);
    }
    if (file != NULL) {
        fclose(file);
    }
    place_close(place);
    assert_int_equal(umount2(place->directory, MNT_DETACH), 0);
    place_expect(place, code, CANARY_E_FULL, "free some space");
    assert_in_range(count, 16, 200);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup_in_memory, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_call_fails_once),
        TEST(each_call_and_all_after),
        TEST(each_write_is_torn),
        TEST(each_write_finds_no_space),
        TEST(creation_fails),
        TEST(figures_each_call_once),
        TEST(figures_each_call_and_all_after),
        TEST(figures_each_write_torn),
        TEST(figures_each_write_without_space),
        TEST(figures_made_under_faults),
        TEST(figures_on_a_full_disk),
        TEST(full_disk),
        TEST(journal_removed_by_a_shell),
        TEST(full_tmpfs),
    };

    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
