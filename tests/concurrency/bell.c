/* SPDX-License-Identifier: MIT */
/* What may happen to the bell's file while processes listen to it. None may die or spin, none may
 * raise exposure, all follow by the tick meanwhile, and hear again when the bell is back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "herd.h"

enum { TICK_MS = 250, SIZE = 4096 };

static const char *path;
static char bell[800];
static char aside[800];
static canary_store *store;
static canary_store *hasty; /* does not wait for a lock that is not going to go */

static void remove_bell(void) {
    CHECK(unlink(bell) == 0, "unlink: %s", strerror(errno));
}

static void cut_to_nothing(void) {
    CHECK(truncate(bell, 0) == 0, "truncate: %s", strerror(errno));
}

static void cut_to_100(void) {
    CHECK(truncate(bell, 100) == 0, "truncate: %s", strerror(errno));
}

static void copy_aside(void) {
    unsigned char bytes[SIZE];
    int from = open(bell, O_RDONLY);
    int to = open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    CHECK(read(from, bytes, SIZE) == SIZE && write(to, bytes, SIZE) == SIZE, "copy: %s",
          strerror(errno));
    close(from);
    close(to);
}

static void make_symlink(void) {
    copy_aside();
    remove_bell();
    CHECK(symlink(aside, bell) == 0, "symlink: %s", strerror(errno));
}

static void make_fifo(void) {
    remove_bell();
    CHECK(mkfifo(bell, 0666) == 0, "mkfifo: %s", strerror(errno));
}

static void make_directory(void) {
    remove_bell();
    CHECK(mkdir(bell, 0777) == 0, "mkdir: %s", strerror(errno));
}

static void make_unreadable(void) {
    remove_bell();
    CHECK(symlink("/proc/self/mem", bell) == 0, "symlink: %s", strerror(errno));
}

static void write_garbage(void) {
    unsigned char bytes[SIZE];
    uint64_t random = test_seed();
    int fd = open(bell, O_WRONLY);

    for (int i = 0; i < SIZE; i++) {
        bytes[i] = (unsigned char)next_random(&random);
    }
    CHECK(pwrite(fd, bytes, SIZE, 0) == SIZE, "write: %s", strerror(errno));
    close(fd);
}

static void write_zeros(void) {
    static const unsigned char bytes[SIZE];
    int fd = open(bell, O_WRONLY);

    CHECK(pwrite(fd, bytes, SIZE, 0) == SIZE, "write: %s", strerror(errno));
    close(fd);
}

static void replace_by_empty_bell(void) {
    unsigned char bytes[SIZE] = { 0 };
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    memcpy(bytes + 416, "CANBELL1", 8);
    CHECK(write(fd, bytes, SIZE) == SIZE, "write: %s", strerror(errno));
    close(fd);
    CHECK(rename(aside, bell) == 0, "rename: %s", strerror(errno));
}

static const struct {
    const char *name;
    void (*mangle)(void);
    int damage; /* shows as damage, not as absence: everybody gets `old` until it is looked at */
} cases[] = {
    { "removed", remove_bell, 0 },
    { "cut to nothing", cut_to_nothing, 1 },
    { "cut to 100 bytes", cut_to_100, 1 },
    { "a symbolic link", make_symlink, 0 },
    { "a link to a device of sorts", make_unreadable, 0 },
    { "a pipe", make_fifo, 1 },
    { "a directory", make_directory, 1 },
    { "garbage", write_garbage, 1 },
    { "zeros", write_zeros, 1 },
    { "another, empty bell", replace_by_empty_bell, 0 },
};

static void set(uint32_t bp) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_set_percentage(store, "main", bp, NULL, NULL, NULL, &error), error);
}

static void bring_back(void) {
    canary_error error = CANARY_ERROR_INIT;

    if (unlink(bell) != 0 && errno == EISDIR) {
        CHECK(rmdir(bell) == 0, "rmdir: %s", strerror(errno));
    }
    unlink(aside);
    /* A look from the operator's side settles what is left of it. */
    MUST(canary_accept(store, "main", NULL, NULL, &error), error);
}

/* Processor time of one thread in clock ticks; 0 when it has just ended. */
static long time_of(int pid, const char *thread) {
    char file[320];
    char line[1024] = "";
    unsigned long user = 0;
    unsigned long kernel = 0;
    FILE *stat_file;

    snprintf(file, sizeof file, "/proc/%d/task/%s/stat", pid, thread);
    stat_file = fopen(file, "r");
    if (stat_file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof line, stat_file) != NULL) {
        sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &kernel);
    }
    fclose(stat_file);
    return (long)(user + kernel);
}

/* Processor time that the herd's watchers have used, in ms. The first thread of each process looks at
 * what it decides two thousand times a second, which on a slow machine is work enough. */
static long time_used(const struct herd *herd) {
    long sum = 0;

    for (int i = 0; i < herd->count; i++) {
        char folder[64];
        struct dirent *thread;
        DIR *threads;

        snprintf(folder, sizeof folder, "/proc/%d/task", (int)herd->pids[i]);
        threads = opendir(folder);
        CHECK(threads != NULL, "%s: %s", folder, strerror(errno));
        while ((thread = readdir(threads)) != NULL) {
            if (thread->d_name[0] != '.' && atoi(thread->d_name) != (int)herd->pids[i]) {
                sum += time_of((int)herd->pids[i], thread->d_name);
            }
        }
        closedir(threads);
    }
    return sum * 1000 / sysconf(_SC_CLK_TCK);
}

static void mangled_in_peace(struct herd *herd, int i) {
    uint32_t shown;
    int64_t began;
    long used;

    herd->what = cases[i].name;
    set(5000);
    herd_await(herd, 5000);
    cases[i].mangle();
    herd_stays_below(herd, 5000, TICK_MS);
    if (cases[i].damage) {
        herd_await(herd, 0);
    }
    set(3000);
    shown = cases[i].damage ? 0 : 3000;
    herd_await(herd, shown);
    began = now_ns();
    used = time_used(herd);
    herd_stays_below(herd, shown, 2 * TICK_MS);
    used = time_used(herd) - used;
    /* Half a second and more of all of them; a thread that spins would use it up alone. */
    CHECK(UNDER_ASAN || UNDER_TSAN || used < (now_ns() - began) * 2 / 5 / 1000000,
          "%s: %ld ms of processor time in %lld ms", cases[i].name, used,
          (long long)(now_ns() - began) / 1000000);
    bring_back();
    herd_await(herd, 3000);
    set(4000);
    herd_await(herd, 4000);
}

/* A rollback that is in effect and not recorded outlasts what happens to its entry. */
static void mangled_in_need(struct herd *herd, int i) {
    canary_error error = CANARY_ERROR_INIT;
    pid_t locker;

    herd->what = cases[i].name;
    set(5000);
    herd_await(herd, 5000);
    locker = lock_exclusively(path);
    CHECK(canary_rollback(hasty, "main", 0, NULL, NULL, &error) == CANARY_E_BUSY &&
              error.in_effect == 1,
          "%s: rollback: %s", cases[i].name, error.message);
    herd_await(herd, 0);
    cases[i].mangle();
    herd_stays_below(herd, 0, 2 * TICK_MS);
    stop_role(locker);
    herd_stays_below(herd, 0, 2 * TICK_MS);
    MUST(canary_rollback(store, "main", 1, NULL, NULL, &error), error);
    bring_back();
    herd_await(herd, 500);
}

int main(int argc, char **argv) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    struct herd herd;

    herd_role(argc, argv);
    path = path_in("db");
    snprintf(bell, sizeof bell, "%s-doorbell", path);
    snprintf(aside, sizeof aside, "%s-aside", path);
    store = make_store(path, "main", 500);
    canary_store_close(&store);
    MUST(canary_store_open(path, &options, &store, &error), error);
    options.busy_timeout_ns = 50000000;
    MUST(canary_store_open(path, &options, &hasty, &error), error);
    herd_start(&herd, "bell", 3, path, 0);
    for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]); i++) {
        mangled_in_peace(&herd, i);
    }
    for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]); i++) {
        mangled_in_need(&herd, i);
    }
    herd_stop(&herd);
    canary_store_close(&hasty);
    canary_store_close(&store);
    return 0;
}
