/* SPDX-License-Identifier: MIT */
/* The small parts of canaryctl that a command line reaches only in part: the table of exit codes,
 * percentages, times, lines of CSV, making text harmless, and what `doctor` says of a machine that
 * hashes wrong. */
#include "csv.h"
#include "doctor.h"
#include "exits.h"
#include "percent.h"
#include "text.h"
#include "when.h"

#include <canary/canary.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

/* Where findings go here. */
struct doctor {
    enum doctor_severity severity;
    char message[400];
};

void doctor_find(struct doctor *doctor, enum doctor_severity severity, const char *name,
                 const char *next, const char *format, ...) {
    va_list arguments;
    (void)name;
    (void)next;
    doctor->severity = severity;
    va_start(arguments, format);
    vsnprintf(doctor->message, sizeof(doctor->message), format, arguments);
    va_end(arguments);
}

static void check(int good, const char *what) {
    printf("%s %s\n", good ? "ok     " : "FAILED ", what);
    failures += !good;
}

static void test_exits(void) {
    static const struct {
        int code;
        int exit_code;
    } wanted[] = {
        { CANARY_OK, 0 },          { CANARY_E_INVALID, 2 },   { CANARY_E_NOMEM, 1 },
        { CANARY_E_NOT_FOUND, 1 }, { CANARY_E_EXISTS, 1 },    { CANARY_E_CONFLICT, 6 },
        { CANARY_E_REFUSED, 5 },   { CANARY_E_TIMEOUT, 7 },   { CANARY_E_BUSY, 7 },
        { CANARY_E_IO, 3 },        { CANARY_E_CORRUPT, 3 },   { CANARY_E_NOT_A_STORE, 3 },
        { CANARY_E_NEWER, 3 },     { CANARY_E_READ_ONLY, 3 }, { CANARY_E_FULL, 3 },
        { CANARY_E_REPLACED, 3 },  { CANARY_E_NO_STORE, 3 },  { CANARY_E_PERMISSION, 3 },
        { CANARY_E_HOSTILE, 3 },   { CANARY_E_TAMPERED, 5 },  { CANARY_E_UNSUPPORTED, 1 },
        { CANARY_E_SYSTEM, 1 },    { CANARY_E_STORAGE, 3 },   { -1000, 1 },
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        char what[80];
        snprintf(what, sizeof(what), "%s leads to exit code %d", canary_error_name(wanted[i].code),
                 wanted[i].exit_code);
        check(exits_of(wanted[i].code, true) == wanted[i].exit_code, what);
    }
    check(exits_of(CANARY_E_TAMPERED, false) == 8, "state that cannot be believed is a finding");
}

static void test_percent(void) {
    static const struct {
        const char *text;
        uint32_t bp;
        const char *back;
    } good[] = {
        { "0", 0, "0" },
        { "100", 10000, "100" },
        { "7.5", 750, "7.5" },
        { "7.5%", 750, "7.5" },
        { "7.5 %", 750, "7.5" },
        { "0.01", 1, "0.01" },
        { "99.99", 9999, "99.99" },
        { "100.00", 10000, "100" },
        { "0007", 700, "7" },
        { "12.30", 1230, "12.3" },
    };
    static const char *const bad[] = { "",
                                       "-1",
                                       "101",
                                       "100.01",
                                       "7.555",
                                       "nan",
                                       "inf",
                                       "1e1",
                                       "0x10",
                                       " 5",
                                       "5 x",
                                       "5.",
                                       ".5",
                                       "1,5",
                                       "+5",
                                       "5%%",
                                       "99999999999999999999",
                                       "7.5.5" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint32_t bp = 77777;
        char back[PERCENT_SIZE] = "";
        char what[80];
        snprintf(what, sizeof(what), "\"%s\" is %u basis points", good[i].text, good[i].bp);
        check(percent_parse(good[i].text, &bp) == NULL && bp == good[i].bp, what);
        percent_format(bp, back);
        snprintf(what, sizeof(what), "and is written \"%s\"", good[i].back);
        check(strcmp(back, good[i].back) == 0, what);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t bp = 77777;
        char what[80];
        snprintf(what, sizeof(what), "\"%s\" is no percentage", bad[i]);
        check(percent_parse(bad[i], &bp) != NULL && bp == 77777, what);
    }
}

static void check_time(int64_t ns, const char *wanted) {
    char text[WHEN_SIZE];
    char what[120];
    when_rfc3339(ns, text);
    snprintf(what, sizeof(what), "%lld ns is %s", (long long)ns, wanted);
    check(strcmp(text, wanted) == 0, what);
}

static void check_ago(int64_t seconds, const char *wanted) {
    char text[WHEN_SIZE];
    when_ago(0, seconds * WHEN_SECOND, text);
    check(strcmp(text, wanted) == 0, wanted);
}

static void test_when(void) {
    int64_t ns = 0;
    check_time(0, "1970-01-01T00:00:00.000Z");
    check_time(INT64_C(1709210096789654321), "2024-02-29T12:34:56.789Z");
    check_time(-1, "1969-12-31T23:59:59.999Z");
    check_ago(0, "just now");
    check_ago(7, "7 s ago");
    check_ago(90, "90 s ago");
    check_ago(600, "10 min ago");
    check_ago(3 * 3600, "3 h ago");
    check_ago(4 * 86400, "4 days ago");
    check_ago(-30, "in 30 s");
    check(when_parse_seconds("0.2", &ns) && ns == 200000000, "a time limit of 0.2 s");
    check(when_parse_seconds("5s", &ns) && ns == 5 * WHEN_SECOND, "a time limit of 5s");
    check(when_parse_seconds("3600", &ns), "a time limit of an hour");
    check(!when_parse_seconds("3600.1", &ns) && !when_parse_seconds("-1", &ns) &&
              !when_parse_seconds("1e3", &ns) && !when_parse_seconds("", &ns) &&
              !when_parse_seconds("1.", &ns),
          "what is no time limit");
    check(when_parse_dwell("30m", &ns) && ns == 1800 * WHEN_SECOND, "a dwell time of 30m");
    check(when_parse_dwell("0", &ns) && ns == 0, "a dwell time of 0");
    check(!when_parse_dwell("30", &ns) && !when_parse_dwell("999999w", &ns) &&
              !when_parse_dwell("h", &ns),
          "what is no dwell time");
}

static void check_when(const char *string, int64_t now, int64_t wanted) {
    int64_t ns = -1;
    char what[120];
    bool read = when_parse_time(string, now, &ns);
    snprintf(what, sizeof(what), "\"%s\" is %lld", string, (long long)wanted);
    check(wanted < 0 ? !read : read && ns == wanted, what);
}

static void test_parse_time(void) {
    const int64_t day = 86400 * WHEN_SECOND;
    const int64_t noon = INT64_C(1769860800) * WHEN_SECOND; /* 2026-01-31T12:00:00Z */
    check_when("2026-01-31T12:00:00Z", 0, noon);
    check_when("2026-01-31T12:00:00.25Z", 0, noon + WHEN_SECOND / 4);
    check_when("2026-01-31t12:00:00.123456789123z", 0, noon + 123456789);
    check_when("2026-01-31T14:00:00+02:00", 0, noon);
    check_when("2026-01-31T06:30:00-0530", 0, noon);
    check_when("2026-01-31 12:00", 0, noon);
    check_when("2026-01-31 12:00:00 UTC", 0, noon);
    check_when("2026-01-31", 0, noon - day / 2);
    check_when("2024-02-29", 0, INT64_C(1709164800) * WHEN_SECOND);
    check_when("2016-12-31T23:59:60Z", 0, INT64_C(1483228800) * WHEN_SECOND);
    check_when("1769860800", 0, noon);
    check_when("@1769860800.5", 0, noon + WHEN_SECOND / 2);
    check_when("now", noon, noon);
    check_when("2h", noon, noon - 2 * 3600 * WHEN_SECOND);
    check_when("7d", noon, noon - 7 * day);
    static const char *const bad[] = {
        "",
        "2h",
        "now",
        "12",
        "2026-02-29",
        "2026-13-01",
        "2026-1-31",
        "2026-01-32",
        "2026-01-00",
        "1969-12-31",
        "2026-01-31T",
        "2026-01-31T25:00",
        "2026-01-31T12",
        "2026-01-31T12:60",
        "2026-01-31T12:00:61",
        "2026-01-31T12:00:00+2",
        "2026-01-31T12:00:00 CET",
        "2026-01-31T12:00:00Z ",
        "1769860800000",
        "-1769860800",
        "0x1769860800",
        "tomorrow",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_when(bad[i], 0, -1);
}

static void check_span(const char *string, bool bare, double wanted) {
    double ns = -1;
    char what[120];
    bool read = when_parse_duration(string, bare, &ns);
    snprintf(what, sizeof(what), "the duration \"%s\" is %.0f ns", string, wanted);
    check(wanted < 0 ? !read : read && ns == wanted, what);
}

static void test_parse_duration(void) {
    check_span("12.5ms", false, 12500000);
    check_span("3 s", false, 3e9);
    check_span("800us", false, 800000);
    check_span("800\xc2\xb5s", false, 800000);
    check_span("7ns", false, 7);
    check_span("1e-3s", false, 1000000);
    check_span("90m", false, 5400e9);
    check_span("0", false, 0);
    check_span("0.0125", true, 12500000);
    check_span("0.0125", false, -1);
    static const char *const bad[] = { "",       "ms",   "12 parsecs", "0x10s", "nan", "inf",
                                       "1e999s", "1,5s", "s12",        "12s ",  "--1s" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_span(bad[i], true, -1);
}

/* Cuts a line and puts it together again with bars between its fields. */
static void check_csv(const char *line, const char *wanted) {
    const char *fields[CSV_FIELDS];
    size_t count = 0;
    char *copy = malloc(strlen(line) + 1);
    char found[400] = "";
    char what[500];
    if (copy == NULL)
        abort();
    strcpy(copy, line);
    const char *wrong = csv_split(copy, strlen(line), fields, &count);
    for (size_t i = 0; wrong == NULL && i < count; i++) {
        strcat(found, i == 0 ? "" : "|");
        strcat(found, fields[i]);
    }
    snprintf(what, sizeof(what), "CSV: %s is %s", line, wrong != NULL ? wrong : found);
    check(wanted == NULL ? wrong != NULL : wrong == NULL && strcmp(found, wanted) == 0, what);
    free(copy);
}

static void test_csv(void) {
    check_csv("a,b,c", "a|b|c");
    check_csv("a", "a");
    check_csv("", "");
    check_csv(",", "|");
    check_csv(" a , b\t,", "a|b|");
    check_csv("\"a\",\"b,c\"", "a|b,c");
    check_csv("\"say \"\"hi\"\"\" , x", "say \"hi\"|x");
    check_csv("\"\",\"\"\"\"", "|\"");
    check_csv("\" a \"", " a ");
    check_csv("\"a", NULL);
    check_csv("\"a\"b", NULL);
    check_csv("a\"b", NULL);
    check_csv("a,\"", NULL);
    check_csv("\"\"\"", NULL);
    char many[200] = "";
    for (int i = 0; i < CSV_FIELDS - 1; i++)
        strcat(many, ",");
    const char *fields[CSV_FIELDS];
    size_t count;
    check(csv_split(many, strlen(many), fields, &count) == NULL && count == CSV_FIELDS,
          "CSV: as many fields as fit");
    memset(many, ',', CSV_FIELDS);
    many[CSV_FIELDS] = '\0';
    check(csv_split(many, strlen(many), fields, &count) != NULL, "CSV: and no more");
}

static void check_safe(const char *data, size_t size, const char *wanted) {
    struct text text = { 0 };
    text_add(&text, "");
    text_safe(&text, data, size);
    check(strcmp(text.data, wanted) == 0, wanted);
    text_free(&text);
}

static void test_text(void) {
    check_safe("plain \xc3\xa9 \xf0\x9f\x90\xa4", 13, "plain \xc3\xa9 \xf0\x9f\x90\xa4");
    check_safe("a\033[2Jb\r\n\t", 9, "a\\x1b[2Jb\\x0d\\n\\t");
    check_safe("\0", 1, "\\x00");
    check_safe("\x7f\xc2\x9b", 3, "\\x7f\\x9b");
    check_safe("\xe2\x80\xae", 3, "\\u202e");
    check_safe("\xff\xc0\xaf\xed\xa0\x80", 6, "\\xff\\xc0\\xaf\\xed\\xa0\\x80");
    check_safe("\xe2\x82", 2, "\\xe2\\x82");
    struct text text = { 0 };
    text_shell(&text, "it's", 4);
    check(strcmp(text.data, "'it'\\''s'") == 0, "a quote is quoted for a shell");
    text_clear(&text);
    text_shell(&text, "", 0);
    check(strcmp(text.data, "''") == 0, "an empty word is quoted for a shell");
    text_clear(&text);
    text_shell(&text, "a\n\xff", 3);
    check(strcmp(text.data, "$'a\\x0a\\xff'") == 0, "odd bytes are escaped for a shell");
    text_free(&text);
}

static void check_hashing(uint32_t dropped, uint32_t refused, enum doctor_severity severity,
                          const char *part) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    struct doctor found = { DOCTOR_NOTE, "" };
    snprintf(info.hash_kernel, sizeof(info.hash_kernel), "libsodium");
    snprintf(info.hash_many_kernel, sizeof(info.hash_many_kernel), "avx2");
    info.hash_dropped = dropped;
    info.hash_refused = refused;
    doctor_hashing(&found, &info);
    check(found.severity == severity && strstr(found.message, part) != NULL, found.message);
    check(strstr(found.message, "libsodium") != NULL && strstr(found.message, "avx2") != NULL,
          "and names what is used");
}

static void test_hashing(void) {
    setenv("CANARY_SHA256", "shani", 1);
    check_hashing(0, 0, DOCTOR_OK, "by libsodium, and by avx2");
    check_hashing(0, 1, DOCTOR_WARNING, "CANARY_SHA256=\"shani\"");
    check_hashing(CANARY_HASH_SHANI, 0, DOCTOR_ERROR, "wrong hashes here: shani;");
    /* A kernel that was wanted and dropped is first of all a broken machine. */
    check_hashing(CANARY_HASH_SHANI | CANARY_HASH_AVX512, 1, DOCTOR_ERROR, "here: shani, avx512;");
    check_hashing(CANARY_HASH_ARMV8 | 1u << 9, 0, DOCTOR_ERROR, "here: armv8, number 512;");
}

int main(void) {
    test_exits();
    test_percent();
    test_when();
    test_parse_time();
    test_parse_duration();
    test_csv();
    test_text();
    test_hashing();
    return failures != 0;
}
