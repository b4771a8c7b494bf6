/* SPDX-License-Identifier: MIT */
/* The form of the text for Prometheus: families, heads, escapes and numbers, in any locale. */
#include "exposed.h"

#include <locale.h>
#include <math.h>

#include "observe/openmetrics_text.h"

/* -- families and lines -- */

/* Name of the family that a sample's name belongs to, by the type of the family at hand. */
static int is_of(const char *sample, size_t length, const char *family, const char *type) {
    static const char *const suffixes[][2] = {
        { "gauge", "" },         { "counter", "_total" },   { "histogram", "_bucket" },
        { "histogram", "_sum" }, { "histogram", "_count" }, { "summary", "_sum" },
        { "summary", "_count" },
    };
    char name[200];

    for (size_t i = 0; i < COUNT(suffixes); i++) {
        if (strcmp(type, suffixes[i][0]) == 0) {
            snprintf(name, sizeof name, "%s%s", family, suffixes[i][1]);
            if (strlen(name) == length && memcmp(name, sample, length) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

/* Each family once and together, its head before its samples, each series once, numbers in C's form. */
static void check_form(char *text) {
    static char seen[4096][160];
    static char families[200][80];
    size_t series = 0;
    size_t known = 0;
    char type[20] = "";
    char *save = NULL;
    char *last = NULL;

    assert_int_equal(text[strlen(text) - 1], '\n');
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char family[80];
        char *space;
        char *end;

        last = line;
        if (sscanf(line, "# TYPE %79s %19s", family, type) == 2) {
            for (size_t i = 0; i < known; i++) {
                assert_string_not_equal(families[i], family);
            }
            strcpy(families[known++], family);
            continue;
        }
        if (line[0] == '#') {
            if (sscanf(line, "# %*s %79s", family) == 1) {
                assert_string_equal(family, families[known - 1]);
            }
            continue;
        }
        space = strrchr(line, ' ');
        assert_non_null(space);
        (void)strtod(space + 1, &end);
        assert_int_equal(*end, '\0');
        *space = '\0';
        if (!is_of(line, strcspn(line, "{"), families[known - 1], type)) {
            fail_msg("%s is no sample of %s (%s)", line, families[known - 1], type);
        }
        for (size_t i = 0; i < series; i++) {
            assert_string_not_equal(seen[i], line);
        }
        assert_true(strlen(line) < sizeof seen[0]);
        strcpy(seen[series++], line);
    }
    assert_string_equal(last, "# EOF");
}

static void form(void **state) {
    static const int kinds[] = { CANARY_METRIC_PROPORTION, CANARY_METRIC_DURATION,
                                 CANARY_METRIC_VALUE, CANARY_METRIC_SCORE,
                                 CANARY_METRIC_CLASSIFICATION };
    /* Names that would meet built-in families or each other's suffixes. */
    static const char *const names[] = { "decisions", "outcomes_total", "results",
                                         "value_sum", "stage",          "duration_seconds_bucket" };
    struct unit *unit = *state;
    canary_ctx *contexts[3];
    char *text;

    for (int i = 0; i < 3; i++) {
        char name[20];

        snprintf(name, sizeof name, "r%d", i);
        unit_create(unit, name);
        contexts[i] = unit_open(unit, name);
        for (size_t k = 0; k < COUNT(names); k++) {
            /* The same name is another kind of thing in each rollout. */
            int kind = kinds[((size_t)i + k) % COUNT(kinds)];
            int ranged = kind == CANARY_METRIC_SCORE || kind == CANARY_METRIC_VALUE;

            (void)exposed_declare(contexts[i], names[k], kind, NULL, 0, ranged ? 10 : 0);
        }
        exposed_record(contexts[i], CANARY_NEW, CANARY_STATUS_OK, 1234567);
    }
    text = exposed_text(unit->store);
    check_form(text);
    free(text);
    for (int i = 0; i < 3; i++) {
        canary_close(&contexts[i]);
    }
}

struct kept {
    char text[65536];
    size_t used;
};

static int keep(void *user_data, const char *text, uint64_t size) {
    struct kept *kept = user_data;

    assert_true(kept->used + size < sizeof kept->text);
    memcpy(kept->text + kept->used, text, size);
    kept->used += size;
    kept->text[kept->used] = '\0';
    return 0;
}

/* The same lines but for the heads of counters, units and the end. */
static void older_form(void **state) {
    struct unit *unit = *state;
    static struct kept older;
    char *text;
    char *save = NULL;
    const char *at = older.text;
    canary_ctx *ctx;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    OK(canary_write_prometheus(unit->store, keep, &older, &error));
    text = exposed_text(unit->store);
    HAS(older.text, "# TYPE canary_outcomes_total counter");
    HAS(older.text, "# HELP canary_outcomes_total Outcomes that were recorded.");
    HAS(older.text, "# TYPE canary_duration_seconds histogram");
    LACKS(older.text, "# UNIT");
    LACKS(older.text, "# EOF");
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (line[0] != '#') {
            HAS(older.text, line);
            assert_true(strstr(at, line) >= at);
            at = strstr(at, line);
        }
    }
    FAILS(CANARY_E_INVALID, "NULL", "", canary_write_prometheus(NULL, keep, &older, &error));
    FAILS(CANARY_E_INVALID, "NULL", "", canary_write_prometheus(unit->store, NULL, &older, &error));
    free(text);
    canary_close(&ctx);
}

static void escaping(void **state) {
    static const struct canary__family family = { "x", "gauge", "", "Help." };
    static struct kept kept;
    struct canary__exposition out = { .write = keep, .user_data = &kept };

    (void)state;
    canary__exposition_family(&out, &family);
    canary__exposition_sample(&out, "");
    canary__exposition_label(&out, "a", "a\\b\"c\nd\xc3\xa4");
    canary__exposition_label(&out, "b", "");
    canary__exposition_count(&out, UINT64_MAX);
    canary__exposition_sample(&out, "");
    canary__exposition_real(&out, 0.5);
    canary__exposition_end(&out);
    assert_string_equal(kept.text, "# TYPE x gauge\n# HELP x Help.\n"
                                   "x{a=\"a\\\\b\\\"c\\nd\xc3\xa4\",b=\"\"} 18446744073709551615\n"
                                   "x 0.5\n# EOF\n");
}

/* -- numbers -- */

static void check_digits(void) {
    static const struct {
        double value;
        const char *digits;
        int whole;
    } cases[] = {
        { 0, "0", 1 },
        { 1, "1", 1 },
        { -1, "-1", 1 },
        { 0.0005, "0.0005", 0 },
        { 0.1, "0.1", 0 },
        { 1.1, "1.1", 0 },
        { 2.5e-7, "2.5e-07", 0 },
        { 1e-5, "1e-05", 0 },
        { 65.536, "65.536", 0 },
        { 1234567.875, "1234567.875", 0 },
        { 123456789012345, "123456789012345", 1 },
        { 1e15, "1e+15", 0 },
        { 1e22, "1e+22", 0 },
        { 1.7976931348623157e308, "1.7976931348623157e+308", 0 },
        { 4.9406564584124654e-324, "4.94065645841247e-324", 0 },
        { (double)INFINITY, "+Inf", 0 },
        { -(double)INFINITY, "-Inf", 0 },
        { (double)NAN, "NaN", 0 },
    };
    char digits[CANARY__REAL_TEXT];

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(canary__exposition_digits(cases[i].value, digits), cases[i].whole);
        assert_string_equal(digits, cases[i].digits);
    }
}

static void numbers(void **state) {
    uint64_t seed = unit_seed();

    (void)state;
    check_digits();
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = unit_random(&seed);
        char digits[CANARY__REAL_TEXT];
        double value;

        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            (void)canary__exposition_digits(value, digits);
            assert_true(strtod(digits, NULL) == value);
        }
    }
}

/* A locale made here: which ones a machine has nobody knows. Its point is a comma, as in half the
 * world. Answers 0 when there is no localedef. */
static int comma_locale(char *directory, size_t size) {
    char path[300];
    FILE *file;

    snprintf(directory, size, "%s/canary-locale-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/source", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n",
          file);
    fclose(file);
    snprintf(path, sizeof path, "%s/charmap", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("<code_set_name> ANSI_X3.4-1968\n<mb_cur_min> 1\n<mb_cur_max> 1\nCHARMAP\n", file);
    for (int i = 0; i < 128; i++) {
        fprintf(file, "<U%04X> /x%02x c\n", (unsigned)i, (unsigned)i);
    }
    fputs("END CHARMAP\n", file);
    fclose(file);
    snprintf(path, sizeof path, "cd '%s' && localedef -c -i source -f ./charmap ./comma >log 2>&1",
             directory);
    (void)!system(path); /* answers 1 for every category that it was not given */
    setenv("LOCPATH", directory, 1);
    return setlocale(LC_NUMERIC, "comma") != NULL;
}

static void any_locale(void **state) {
    struct unit *unit = *state;
    char directory[200];
    char command[300];
    char shown[20];
    canary_ctx *ctx;
    char *text = NULL;
    int there = comma_locale(directory, sizeof directory);

    snprintf(shown, sizeof shown, "%.1f", 1.5);
    if (there) {
        unit_create(unit, "checkout");
        unit_set(unit, "checkout", 2500);
        ctx = unit_open(unit, "checkout");
        exposed_record(ctx, CANARY_OLD, CANARY_STATUS_OK, 1500000000);
        text = exposed_text(unit->store);
        check_digits();
        canary_close(&ctx);
    }
    setlocale(LC_NUMERIC, "C");
    unsetenv("LOCPATH");
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    (void)!system(command);
    if (!there) {
        print_message("no localedef here that makes a locale\n");
        skip();
    }
    assert_string_equal(shown, "1,5");
    HAS(text, "canary_configured_ratio{rollout=\"checkout\"} 0.25");
    HAS(text, "canary_duration_seconds_sum{rollout=\"checkout\",cohort=\"old\"} 1.5");
    check_form(text);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(form),    UNIT_MEMORY_ONLY(older_form), cmocka_unit_test(escaping),
        cmocka_unit_test(numbers), UNIT_MEMORY_ONLY(any_locale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
