/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program_name = "";
static char heading[200];
static FILE *record;
static int smoke;
static int missed;

void bench_begin(const char *program, int argc, char **argv) {
    const char *path = getenv("CANARY_BENCH_RECORD");

    program_name = program;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0) {
            smoke = 1;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* children must not inherit what is not printed yet */
    if (path != NULL && path[0] != '\0') {
        record = fopen(path, "ae");
        if (record == NULL) {
            bench_die(path, "cannot be written");
        }
        setvbuf(record, NULL, _IOLBF, 0);
    }
}

int bench_is_smoke(void) {
    return smoke;
}

void bench_die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s: %s\n", program_name, what, why);
    exit(1);
}

/* Texts of benchmarks hold no control characters. */
static void put_text(const char *key, const char *text) {
    fprintf(record, "\"%s\":\"", key);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', record);
        }
        fputc(*text, record);
    }
    fputs("\",", record);
}

static void put_head(const char *kind) {
    fputc('{', record);
    put_text("kind", kind);
    put_text("program", program_name);
    put_text("heading", heading);
}

void bench_heading(const char *text) {
    snprintf(heading, sizeof heading, "%s", text);
    printf("\n%s\n", text);
}

static void print_line(const char *name, const char *unit, double value) {
    int digits = value >= 10000 || value == (double)(long)value ? 0 : value >= 100 ? 1 : 2;

    printf("  %-66s %12.*f %-10s", name, digits, value, unit);
}

void bench_figure(const char *name, const char *unit, struct bench_spread spread) {
    print_line(name, unit, spread.median);
    printf(" %.2f to %.2f\n", spread.low, spread.high);
    if (record != NULL) {
        put_head("figure");
        put_text("name", name);
        put_text("unit", unit);
        fprintf(record, "\"value\":%.6g,\"low\":%.6g,\"high\":%.6g}\n", spread.median, spread.low,
                spread.high);
    }
}

void bench_number(const char *name, const char *unit, double value) {
    print_line(name, unit, value);
    printf("\n");
    if (record != NULL) {
        put_head("figure");
        put_text("name", name);
        put_text("unit", unit);
        fprintf(record, "\"value\":%.10g}\n", value);
    }
}

void bench_note(const char *format, ...) {
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("  (%s)\n", text);
    if (record != NULL) {
        put_head("note");
        put_text("text", text);
        fputs("\"value\":0}\n", record);
    }
}

static void judge(const char *budget, const char *figure, double ratio, double limit,
                  const char *sense, int kept) {
    printf("  BUDGET %s: %s; ratio %.3f, %s %.2f: %s\n", budget, figure, ratio, sense, limit,
           kept    ? "ok"
           : smoke ? "not judged"
                   : "MISSED");
    missed += !kept && !smoke;
    if (record != NULL) {
        put_head("budget");
        put_text("budget", budget);
        put_text("figure", figure);
        put_text("sense", sense);
        fprintf(record, "\"ratio\":%.6g,\"limit\":%.6g,\"kept\":%s}\n", ratio, limit,
                kept ? "true" : "false");
    }
}

void bench_at_most(const char *budget, const char *figure, double ratio, double limit) {
    judge(budget, figure, ratio, limit, "at most", ratio <= limit);
}

void bench_at_least(const char *budget, const char *figure, double ratio, double limit) {
    judge(budget, figure, ratio, limit, "at least", ratio >= limit);
}

void bench_no_figure(const char *budget, const char *why) {
    printf("  BUDGET %s: %s\n", budget, why);
    if (record != NULL) {
        put_head("budget");
        put_text("budget", budget);
        put_text("figure", why);
        fputs("\"ratio\":null,\"limit\":null,\"kept\":null}\n", record);
    }
}

int bench_end(void) {
    if (missed > 0) {
        printf("\n%d missed\n", missed);
    }
    if (record != NULL) {
        fclose(record);
        record = NULL;
    }
    return missed > 0;
}
