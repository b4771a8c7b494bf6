/* SPDX-License-Identifier: MIT */
/* The conformance suite on the stores in the box. */
#include <canary/conformance.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "storage/stores.h"

static struct canary__hooks hooks;

static int open_memory(void *user_data, const char *name, int fresh,
                       canary_storage_methods *methods, void **implementation) {
    (void)user_data;
    (void)name;
    (void)fresh;
    return canary__memory_open(&hooks, methods, implementation, NULL);
}

static int open_box(void *user_data, const char *name, int fresh, canary_storage_methods *methods,
                    void **implementation) {
    (void)user_data;
    (void)name;
    (void)fresh;
    return box_open(methods, implementation, NULL);
}

static int open_sqlite(void *user_data, const char *name, int fresh,
                       canary_storage_methods *methods, void **implementation) {
    static const char *const files[] = { "", "-journal", "-metrics", "-metrics-journal" };
    canary_error error = CANARY_ERROR_INIT;
    char path[256];
    char file[300];
    int code;

    snprintf(path, sizeof path, "%s/%s.db", (const char *)user_data, name);
    for (size_t i = 0; fresh && i < sizeof files / sizeof files[0]; i++) {
        snprintf(file, sizeof file, "%s%s", path, files[i]);
        unlink(file);
    }
    code = canary__sqlite_open(path, fresh ? CANARY_OPEN_CREATE : 0, &hooks, methods,
                               implementation, &error);
    if (code != CANARY_OK) {
        printf("%s\n", error.message);
    }
    return code;
}

static void report(void *user_data, const char *check, int passed, const char *detail) {
    (void)user_data;
    printf("%-7s %s  %s\n", passed > 0 ? "ok" : passed < 0 ? "skipped" : "FAILED", check, detail);
    fflush(stdout);
}

int main(int count, char **arguments) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_conformance suite = { .size = (uint32_t)sizeof suite, .report = report };
    const char *seed = getenv("CANARY_TEST_SEED");
    char directory[] = "/tmp/canary-conformance.XXXXXX";
    char command[64];
    int failed;

    canary__hooks_init(&hooks, &options);
    suite.seed = seed == NULL ? 0 : strtoull(seed, NULL, 10);
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    if (count > 1 && strcmp(arguments[1], "sqlite") != 0) {
        suite.open = strcmp(arguments[1], "memory") == 0 ? open_memory : open_box;
        suite.flags = CANARY_CONFORMANCE_ONE_HANDLE;
    } else {
        suite.open = open_sqlite;
        suite.user_data = directory;
    }
    failed = canary_conformance_run(&suite);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) != 0 || failed != 0;
}
