/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../settle.h"

void fail_at(const char *file, int line, const char *format, ...) {
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%d: process %d: %s\n", file, line, (int)getpid(), text);
    _exit(1);
}

void skip(const char *why) {
    printf("%s\n", why);
    exit(77);
}

int64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_us(int64_t us) {
    struct timespec span = { us / 1000000, us % 1000000 * 1000 };

    nanosleep(&span, NULL);
}

static char directory[512];
static pid_t directory_owner;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static void remove_directory(void) {
    /* Children inherit the handler, and leave the directory to whom it belongs. */
    if (getpid() == directory_owner) {
        nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

const char *private_directory(void) {
    if (directory[0] == '\0') {
        const char *base = getenv("TMPDIR");

        snprintf(directory, sizeof directory, "%s/canary-concurrency-XXXXXX",
                 base != NULL && base[0] != '\0' ? base : "/tmp");
        CHECK(mkdtemp(directory) != NULL, "mkdtemp %s: %s", directory, strerror(errno));
        CHECK(chmod(directory, 0755) == 0, "chmod: %s", strerror(errno));
        directory_owner = getpid();
        atexit(remove_directory);
    }
    return directory;
}

const char *path_in(const char *name) {
    static char paths[64][700];
    static unsigned next;
    char *path = paths[next++];

    CHECK(next < 64, "too many paths");
    snprintf(path, sizeof paths[0], "%s/%s", private_directory(), name);
    return path;
}

uint64_t test_seed(void) {
    const char *given = getenv("CANARY_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)now_ns();

    printf("CANARY_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

uint64_t next_random(uint64_t *state) {
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

int count_descriptors(void) {
    DIR *open_files = opendir("/proc/self/fd");
    int count = -3; /* ".", ".." and the directory itself */

    CHECK(open_files != NULL, "/proc/self/fd: %s", strerror(errno));
    while (readdir(open_files) != NULL) {
        count++;
    }
    closedir(open_files);
    return count;
}

int count_mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    int lines = 0;
    int c;

    CHECK(maps != NULL, "/proc/self/maps: %s", strerror(errno));
    while ((c = getc(maps)) != EOF) {
        lines += c == '\n';
    }
    fclose(maps);
    return lines;
}

pid_t in_child(int (*body)(void *data), void *data, unsigned watchdog_seconds) {
    pid_t pid;

    fflush(NULL);
    settle(100); /* some are busy for good */
    pid = fork();
    CHECK(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        alarm(watchdog_seconds);
        _exit(body(data));
    }
    return pid;
}

void child_succeeded(pid_t pid, const char *what) {
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        CHECK(errno == EINTR, "%s: waitpid: %s", what, strerror(errno));
    }
    CHECK(!WIFSIGNALED(status), "%s: ended by signal %d (%s)", what, WTERMSIG(status),
          WTERMSIG(status) == SIGALRM ? "the watchdog: it hung" : strsignal(WTERMSIG(status)));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: left with %d", what,
          WEXITSTATUS(status));
}

pid_t run_role(const char *role, const char *first, const char *second, const char *third) {
    pid_t parent = getpid();
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        execl("/proc/self/exe", "role", role, first, second, third, (char *)NULL);
        _exit(126);
    }
    return pid;
}

void stop_role(pid_t pid) {
    int status;

    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
          "process %d ended by itself, status 0x%x", (int)pid, status);
}
