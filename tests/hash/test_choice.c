/* SPDX-License-Identifier: MIT */
/* Which kernel a process takes: by what the processor has, by CANARY_SHA256, and never one whose
 * answers are wrong. A process chooses once, so each choice is made in a child of its own. */
#include "common.h"

#include <canary/canary.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu.h"

#define ROLLOUT "choice"

/* -- a process that chooses -- */

static char logged[4096];

static void keep_line(void *user_data, int level, const char *message) {
    size_t used = strlen(logged);

    (void)user_data;
    if (level <= CANARY_LOG_WARNING) {
        snprintf(logged + used, sizeof logged - used, "%d %s\n", level, message);
    }
}

/* In such a process. cmocka's own asserts would go on with the next test there. */
#define HERE(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n%s", __FILE__, __LINE__, #condition, logged);      \
            fflush(stderr);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* What canary_info() tells about a context of this process; the log is kept in `logged`. */
static canary_ctx_info info_here(void) {
    canary_options options = { .size = sizeof options, .log = keep_line };
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;

    HERE(canary_store_open_memory(&options, &store, NULL) == CANARY_OK);
    HERE(canary_create(store, &spec, NULL, NULL, NULL) == CANARY_OK);
    HERE(canary_open_in(store, ROLLOUT, &options, &ctx, NULL) == CANARY_OK);
    HERE(canary_info(ctx, &info) == CANARY_OK);
    canary_close(&ctx);
    canary_store_close(&store);
    return info;
}

static void with_environment(const char *value, void (*body)(const void *), const void *argument) {
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (value != NULL) {
            setenv("CANARY_SHA256", value, 1);
        } else {
            unsetenv("CANARY_SHA256");
        }
        body(argument);
        fflush(NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void answers_are_right(void) {
    char id[200];
    canary_user users[COUNT(id)];
    uint32_t hashes[COUNT(id)];
    uint32_t hash = 0;

    memset(id, 'x', sizeof id);
    for (size_t size = 1; size < sizeof id; size++) {
        HERE(canary_hash_user(NULL, id, size, &hash) == CANARY_OK);
        HERE(hash == hash_right("", 0, id, size));
        HERE(canary_hash_user("spring", id, size, &hash) == CANARY_OK);
        HERE(hash == hash_right("spring:", 7, id, size));
    }
    for (size_t i = 0; i < COUNT(users); i++) {
        users[i] = (canary_user){ id, i };
    }
    canary__hash_many(&canary__hash_plain, users, COUNT(users), hashes);
    for (size_t i = 0; i < COUNT(users); i++) {
        HERE(hashes[i] == hash_right("", 0, id, i));
    }
}

/* -- forced -- */

static void is_forced(const void *argument) {
    const struct canary__hash_kernel *kernel = argument;
    canary_ctx_info info = info_here();

    HERE(info.hash_refused == 0 && info.hash_dropped == 0);
    HERE(kernel->one == NULL || strcmp(info.hash_kernel, kernel->name) == 0);
    HERE(kernel->many == NULL || strcmp(info.hash_many_kernel, kernel->name) == 0);
    HERE(logged[0] == '\0');
    answers_are_right();
}

static canary_ctx_info free_choice;

static void is_refused(const void *argument) {
    canary_ctx_info info = info_here();

    (void)argument;
    HERE(info.hash_refused == 1 && info.hash_dropped == 0);
    HERE(strcmp(info.hash_kernel, free_choice.hash_kernel) == 0);
    HERE(strcmp(info.hash_many_kernel, free_choice.hash_many_kernel) == 0);
    HERE(strstr(logged, "CANARY_SHA256") != NULL && strstr(logged, info.hash_kernel) != NULL);
    answers_are_right();
}

static void each_by_name(void **state) {
    unsigned features = canary__cpu_features();

    (void)state;
    for (size_t i = 0; i < canary__hash_kernel_count; i++) {
        const struct canary__hash_kernel *kernel = &canary__hash_kernels[i];
        int usable = (kernel->features & ~features) == 0;

        if (!usable) {
            printf("%s: not forced, this processor cannot run it\n", kernel->name);
        }
        with_environment(kernel->name, usable ? is_forced : is_refused, kernel);
    }
}

static void names_that_are_none(void **state) {
    static const char *const names[] = { "sha256", "LIBSODIUM",   "libsodium ", "shani,avx2",
                                         " ",      "libsodium\n", "0" };
    char *length = malloc(100001);

    (void)state;
    assert_non_null(length);
    memset(length, 'a', 100000);
    length[100000] = '\0';
    for (size_t i = 0; i < COUNT(names); i++) {
        with_environment(names[i], is_refused, NULL);
    }
    with_environment(length, is_refused, NULL);
    free(length);
}

static void is_free(const void *argument) {
    canary_ctx_info info = info_here();

    (void)argument;
    HERE(info.hash_refused == 0 && info.hash_dropped == 0 && logged[0] == '\0');
    HERE(strcmp(info.hash_kernel, free_choice.hash_kernel) == 0);
    HERE(strcmp(info.hash_many_kernel, free_choice.hash_many_kernel) == 0);
}

static void empty_name_is_none(void **state) {
    (void)state;
    with_environment("", is_free, NULL);
    with_environment(NULL, is_free, NULL);
}

static void is_read_once(const void *argument) {
    uint32_t hash;
    canary_ctx_info info;

    (void)argument;
    HERE(canary_hash_user(NULL, "alice", 5, &hash) == CANARY_OK);
    setenv("CANARY_SHA256", "no such kernel", 1);
    info = info_here();
    HERE(info.hash_refused == 0);
    HERE(strcmp(info.hash_kernel, "libsodium") == 0);
    HERE(strcmp(info.hash_many_kernel, "libsodium") == 0);
}

static void read_once(void **state) {
    (void)state;
    with_environment("libsodium", is_read_once, NULL);
}

/* For who runs these tests where only one kernel may be taken. */
static void is_expected(const void *argument) {
    canary_ctx_info info = info_here();

    HERE(strcmp(info.hash_kernel, argument) == 0);
}

static void what_is_expected_here(void **state) {
    const char *expected = getenv("CANARY_TEST_HASH_KERNEL");

    (void)state;
    if (expected == NULL) {
        printf("CANARY_TEST_HASH_KERNEL names no kernel to expect; taken: \"%s\" and \"%s\"\n",
               free_choice.hash_kernel, free_choice.hash_many_kernel);
        skip();
    }
    with_environment(NULL, is_expected, expected);
}

/* -- found by the processor's features -- */

/* The kernel's list of what the processor can do; 0 where there is none for this kind. */
static int listed(char *flags, size_t room) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    int found = 0;

    while (file != NULL && !found && fgets(flags, (int)room - 1, file) != NULL) {
        found = strncmp(flags, "flags", 5) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    flags[strcspn(flags, "\n")] = '\0';
    strcat(flags, " ");
    return found;
}

static int has(const char *flags, const char *name) {
    char word[32];

    snprintf(word, sizeof word, " %s ", name);
    return strstr(flags, word) != NULL;
}

static void features_as_the_system_says(void **state) {
    static char flags[1 << 16];
    unsigned features = canary__cpu_features();

    (void)state;
#if defined(__x86_64__)
    if (!listed(flags, sizeof flags)) {
        print_message("/proc/cpuinfo has no flags\n");
        skip();
    }
    assert_int_equal((features & CANARY__CPU_SHANI) != 0, has(flags, "sha_ni"));
    assert_int_equal((features & CANARY__CPU_AVX2) != 0, has(flags, "avx2") && has(flags, "bmi2"));
    assert_int_equal((features & CANARY__CPU_AVX512) != 0,
                     has(flags, "avx512f") && has(flags, "avx512bw") && has(flags, "avx512vl"));
    assert_false(features & CANARY__CPU_ARMV8);
#else
    (void)listed;
    (void)has;
    (void)flags;
    assert_false(features & ~CANARY__CPU_ARMV8);
#endif
}

/* -- among other kernels than the library's -- */

enum { BEST = 1u << 20, BETTER = 1u << 21, MISSING = 1u << 30 };

static const struct canary__hash_kernel *reference(void) {
    return &canary__hash_kernels[canary__hash_kernel_count - 1];
}

static uint32_t lie_about_a_size(const struct canary__hash_start *start, const void *id,
                                 size_t size) {
    return reference()->one(start, id, size) ^ (size == 55);
}

static uint32_t lie_behind_long_salts(const struct canary__hash_start *start, const void *id,
                                      size_t size) {
    return reference()->one(start, id, size) ^ (start->absorbed > 0 ? 0x80000000u : 0);
}

static void lie_about_the_last(const struct canary__hash_start *start, const canary_user *users,
                               size_t count, uint32_t *hashes) {
    reference()->many(start, users, count, hashes);
    hashes[count - 1] += count > 0;
}

static uint32_t must_not_run(const struct canary__hash_start *start, const void *id, size_t size) {
    (void)start;
    (void)id;
    (void)size;
    fail_msg("a kernel ran that this processor cannot run");
    return 0;
}

/* Two that come before the reference. */
static struct canary__hash_kernel table[3];

static struct canary__hash_choice choose(canary__hash_one_fn best, const char *wanted) {
    struct canary__hash_choice choice;

    table[0] = (struct canary__hash_kernel){ .name = "best", .mark = BEST, .one = best };
    table[1] = (struct canary__hash_kernel){
        .name = "better", .mark = BETTER, .one = reference()->one, .many = reference()->many
    };
    table[2] = *reference();
    canary__hash_choose(table, COUNT(table), 0, wanted, &choice);
    return choice;
}

static void the_first_honest_one(void **state) {
    struct canary__hash_choice choice = choose(reference()->one, NULL);

    (void)state;
    assert_ptr_equal(choice.one, &table[0]);
    assert_ptr_equal(choice.many, &table[1]);
    assert_int_equal(choice.dropped, 0);
    assert_int_equal(choice.refused, 0);
}

static void none_that_lies(void **state) {
    static const canary__hash_one_fn liars[] = { lie_about_a_size, lie_behind_long_salts };

    (void)state;
    for (size_t i = 0; i < COUNT(liars); i++) {
        struct canary__hash_choice choice = choose(liars[i], NULL);

        assert_ptr_equal(choice.one, &table[1]);
        assert_int_equal(choice.dropped, BEST);
        assert_int_equal(canary__hash_prove(&table[0]), 0);
        assert_int_equal(canary__hash_prove(&table[1]), 1);
        choice = choose(liars[i], "best");
        assert_ptr_equal(choice.one, &table[1]);
        assert_int_equal(choice.dropped, BEST);
        assert_int_equal(choice.refused, 1);
    }
}

static void none_that_lies_about_many(void **state) {
    struct canary__hash_choice choice;

    (void)state;
    choose(reference()->one, NULL);
    table[0].many = lie_about_the_last;
    assert_int_equal(canary__hash_prove(&table[0]), 0);
    canary__hash_choose(table, COUNT(table), 0, NULL, &choice);
    assert_ptr_equal(choice.many, &table[1]);
    assert_ptr_equal(choice.one, &table[1]); /* not trusted with one id either */
    assert_int_equal(choice.dropped, BEST);
    table[1].many = lie_about_the_last;
    canary__hash_choose(table, COUNT(table), 0, "better", &choice);
    assert_ptr_equal(choice.many, &table[2]);
    assert_ptr_equal(choice.one, &table[2]);
    assert_int_equal(choice.dropped, BEST | BETTER);
    assert_int_equal(choice.refused, 1);
}

static void none_that_cannot_run(void **state) {
    struct canary__hash_choice choice;

    (void)state;
    choose(reference()->one, NULL);
    table[0].one = must_not_run;
    table[0].features = MISSING;
    for (int forced = 0; forced < 2; forced++) {
        canary__hash_choose(table, COUNT(table), ~(unsigned)MISSING, forced ? "best" : NULL,
                            &choice);
        assert_ptr_equal(choice.one, &table[1]);
        assert_int_equal(choice.dropped, 0);
        assert_int_equal(choice.refused, forced);
    }
}

/* -- */

static void look(const void *argument) {
    *(canary_ctx_info *)(uintptr_t)argument = info_here();
}

static int choose_freely(void **state) {
    canary_ctx_info *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(shared != MAP_FAILED);
    with_environment(NULL, look, shared);
    free_choice = *shared;
    munmap(shared, sizeof *shared);
    return free_choice.hash_kernel[0] != '\0' && free_choice.hash_many_kernel[0] != '\0' ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_by_name),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(empty_name_is_none),
        cmocka_unit_test(read_once),
        cmocka_unit_test(what_is_expected_here),
        cmocka_unit_test(features_as_the_system_says),
        cmocka_unit_test(the_first_honest_one),
        cmocka_unit_test(none_that_lies),
        cmocka_unit_test(none_that_lies_about_many),
        cmocka_unit_test(none_that_cannot_run),
    };

    return cmocka_run_group_tests(tests, choose_freely, NULL);
}
