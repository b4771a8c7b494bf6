/* SPDX-License-Identifier: MIT */
/* Eight threads hash for the first time at the same moment, in many processes one after the other:
 * each gets the right answer, and none reads what another one is writing. */
#include <canary/canary.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROLLOUT "first"

enum { THREADS = 8, PROCESSES = 40, USERS = 64 };

static const struct {
    const char *salt;
    const char *id;
    uint32_t hash;
} known[] = {
    { NULL, "alice", 735577801u },
    { NULL, "bob", 2176202712u },
    { NULL, "user-1", 3334638052u },
    { "spring", "alice", 196761749u },
};

static pthread_barrier_t barrier;

static int hash_users(void) {
    int wrong = 0;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t hash = 0;

        wrong |=
            canary_hash_user(known[i].salt, known[i].id, strlen(known[i].id), &hash) != CANARY_OK ||
            hash != known[i].hash;
    }
    return wrong;
}

/* `alice` has bucket 178. */
static int decide_users(void) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    canary_user users[USERS];
    uint8_t cohorts[USERS];
    int wrong;

    for (size_t i = 0; i < USERS; i++) {
        users[i] = (canary_user){ "alice", 5 };
    }
    wrong = canary_store_open_memory(NULL, &store, NULL) != CANARY_OK ||
            canary_create(store, &spec, NULL, NULL, NULL) != CANARY_OK ||
            canary_set_percentage(store, ROLLOUT, 178, NULL, NULL, NULL, NULL) != CANARY_OK ||
            canary_open_in(store, ROLLOUT, NULL, &ctx, NULL) != CANARY_OK ||
            canary_decide_many(ctx, users, USERS, cohorts) != 0 ||
            canary_set_percentage(store, ROLLOUT, 179, NULL, NULL, NULL, NULL) != CANARY_OK ||
            canary_refresh(store, NULL) < 0 ||
            canary_decide_many(ctx, users, USERS, cohorts) != USERS;
    canary_close(&ctx);
    canary_store_close(&store);
    return wrong;
}

/* Opening a context chooses as well, to have something to say in its log. */
static void *use(void *argument) {
    int opens = (int)(uintptr_t)argument % 2;
    int wrong;

    pthread_barrier_wait(&barrier);
    wrong = opens ? decide_users() : hash_users();
    wrong |= opens ? hash_users() : decide_users();
    return wrong ? argument : NULL;
}

static int run(void) {
    pthread_t threads[THREADS];
    int wrong = 0;

    if (pthread_barrier_init(&barrier, NULL, THREADS) != 0) {
        return 1;
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, use, (void *)(i + 1)) != 0) {
            return 1;
        }
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result;

        wrong |= pthread_join(threads[i], &result) != 0 || result != NULL;
    }
    return wrong;
}

int main(void) {
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        int status;

        if (child == 0) {
            _exit(run());
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            fprintf(stderr, "process %d of %d had a wrong answer or ended badly\n", i, PROCESSES);
            return 1;
        }
    }
    printf("%d first uses by %d threads\n", PROCESSES, THREADS);
    return 0;
}
