/* SPDX-License-Identifier: MIT */
/* A store that was written by a machine of one kind and is read and changed by one of another:
 *
 *   carry write FILE    makes it
 *   carry read FILE     finds in it what was written, all of it verified, and changes it once
 *   carry FILE          both, by this machine alone
 *
 * `.ci/run` carries files between this machine and the ones that it emulates. */
#include <canary/canary.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROLLOUT "carried"
#define SALT "spring"
#define PINNED "zoë"

enum { PERCENTAGE = 4917 }; /* leaves out `alice`, who has this bucket behind the salt */

static canary_error error = CANARY_ERROR_INIT;

#define DO(call)                                                                                   \
    do {                                                                                           \
        if ((call) != CANARY_OK) {                                                                 \
            fprintf(stderr, "%s: %s\n", #call, error.message);                                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CLAIM(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int report(void *user_data, const canary_finding *finding) {
    (void)user_data;
    fprintf(stderr, "%s\n", finding->message);
    return 0;
}

static void verify(canary_store *store) {
    canary_verify_report totals = { .size = sizeof totals };

    DO(canary_verify(store, report, NULL, &totals, &error));
    CLAIM(totals.findings == 0 && totals.rollouts == 1 && totals.changes >= 5);
}

static void write_store(const char *path) {
    canary_rollout_spec spec = {
        .size = sizeof spec, .name = ROLLOUT, .salt = SALT, .flag = "carried-flag"
    };
    canary_change_options by = CANARY_CHANGE_OPTIONS_INIT;
    canary_options options = { .size = sizeof options, .flags = CANARY_OPEN_CREATE };
    canary_store *store = NULL;

    by.by = "carrier";
    by.note = "to be carried";
    DO(canary_store_open(path, &options, &store, &error));
    DO(canary_create(store, &spec, &by, NULL, &error));
    DO(canary_set_percentage(store, ROLLOUT, 9000, "ALMOST_ALL", &by, NULL, &error));
    DO(canary_flag_set(store, "carried-flag", 1, &by, NULL, &error));
    DO(canary_override_set(store, ROLLOUT, PINNED, strlen(PINNED), CANARY_NEW, &by, NULL, &error));
    DO(canary_set_percentage(store, ROLLOUT, PERCENTAGE, NULL, &by, NULL, &error));
    verify(store);
    canary_store_close(&store);
}

/* Each machine before this one has raised the percentage by a basis point. */
static void read_store(const char *path) {
    canary_options options = { .size = sizeof options };
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    unsigned carried;

    DO(canary_store_open(path, &options, &store, &error));
    verify(store);
    DO(canary_open_in(store, ROLLOUT, &options, &ctx, &error));
    DO(canary_info(ctx, &info));
    CLAIM(info.doubt == 0 && info.kill_reasons == 0 && strcmp(info.salt, SALT) == 0);
    CLAIM(info.overrides_new == 1 && info.overrides_old == 0);
    CLAIM(info.percentage_bp >= PERCENTAGE && info.percentage_bp == info.effective_bp);
    carried = info.percentage_bp - PERCENTAGE;
    CLAIM(canary_should_use_new(ctx, PINNED) == CANARY_NEW);
    CLAIM(canary_should_use_new(ctx, "alice") == (carried > 0 ? CANARY_NEW : CANARY_OLD));
    DO(canary_set_percentage(store, ROLLOUT, info.percentage_bp + 1, NULL, NULL, NULL, &error));
    DO(canary_refresh(store, &error));
    CLAIM(canary_should_use_new(ctx, "alice") == CANARY_NEW);
    verify(store);
    canary_close(&ctx);
    canary_store_close(&store);
    printf("carried %u times before\n", carried);
}

static void clear(const char *path) {
    static const char *const files[] = { "", "-doorbell", "-journal" };
    char name[4096];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, files[i]);
        (void)unlink(name);
    }
}

int main(int count, char **arguments) {
    int writes = count == 2 || (count == 3 && strcmp(arguments[1], "write") == 0);
    int reads = count == 2 || (count == 3 && strcmp(arguments[1], "read") == 0);

    if (!writes && !reads) {
        fprintf(stderr, "usage: %s [write|read] FILE\n", arguments[0]);
        return 2;
    }
    if (count == 2) {
        clear(arguments[1]);
    }
    if (writes) {
        write_store(arguments[count - 1]);
    }
    if (reads) {
        read_store(arguments[count - 1]);
    }
    return 0;
}
