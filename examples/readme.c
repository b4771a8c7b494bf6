#include <canary/canary.h>
#include <stdio.h>

int main(int argc, char **argv) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    if (canary_open("canary.db", "checkout", NULL, &ctx, &error) != CANARY_OK) {
        fprintf(stderr, "everybody gets the old path: %s\n", error.message);
    }
    for (int i = 1; i < argc; i++) {
        const char *user = argv[i];
        if (canary_should_use_new(ctx, user)) {
            printf("%s: new checkout\n", user);
        } else {
            printf("%s: old checkout\n", user);
        }
    }
    canary_close(&ctx);
}
