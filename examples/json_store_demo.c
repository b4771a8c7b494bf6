/* SPDX-License-Identifier: MIT */
/* The proof of the store in json_store.c, and its use.
 *
 *     json_store                       proves the store with the conformance suite
 *     json_store DIRECTORY ROLLOUT     advances the rollout in DIRECTORY/rollouts.json, both made
 *                                      when missing */
#include "json_store.h"

#include <canary/canary.h>
#include <canary/conformance.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_named(void *parent, const char *name, int fresh, canary_storage_methods *methods,
                      void **implementation) {
    char directory[256];
    char file[300];

    snprintf(directory, sizeof directory, "%s/%s", (const char *)parent, name);
    snprintf(file, sizeof file, "%s/rollouts.json", directory);
    mkdir(directory, 0700);
    if (fresh) {
        unlink(file);
    }
    return json_store_open(directory, methods, implementation, NULL);
}

static void report(void *user_data, const char *check, int passed, const char *detail) {
    (void)user_data;
    printf("%-7s %s  %s\n", passed > 0 ? "ok" : passed < 0 ? "skipped" : "FAILED", check, detail);
}

static int prove(void) {
    char parent[] = "/tmp/json_store.XXXXXX";
    char command[64];
    canary_conformance suite = { sizeof suite, 0, open_named, parent, report, NULL, 0 };
    int failed;

    if (mkdtemp(parent) == NULL) {
        perror(parent);
        return 1;
    }
    failed = canary_conformance_run(&suite);
    snprintf(command, sizeof command, "rm -r %s", parent);
    return system(command) != 0 || failed != 0;
}

static int advance(const char *directory, const char *rollout) {
    canary_error error = CANARY_ERROR_INIT;
    canary_change change = { .size = sizeof change };
    canary_rollout_spec spec = { .size = sizeof spec, .name = rollout };
    canary_storage_methods methods;
    canary_store *store = NULL;
    void *mine = NULL;
    int code = json_store_open(directory, &methods, &mine, &error);

    if (code == CANARY_OK) {
        code = canary_store_open_custom(&methods, mine, NULL, &store, &error);
        if (code != CANARY_OK) {
            methods.close(mine); /* from success on it is the library's */
        }
    }
    if (code == CANARY_OK) {
        code = canary_create(store, &spec, NULL, NULL, &error);
    }
    if (code == CANARY_OK || code == CANARY_E_EXISTS) {
        code = canary_advance(store, rollout, NULL, &change, &error);
    }
    if (code == CANARY_OK) {
        printf("%s is at stage %d, %g %%\n", rollout, change.to_stage,
               change.to_percentage_bp / 100.0);
    } else {
        fprintf(stderr, "%s: %s\n", canary_error_name(code), error.message);
    }
    canary_store_close(&store);
    return code == CANARY_OK ? 0 : 1;
}

int main(int count, char **arguments) {
    return count == 3 ? advance(arguments[1], arguments[2]) : prove();
}
