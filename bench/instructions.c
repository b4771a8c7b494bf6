/* SPDX-License-Identifier: MIT */
/* How many instructions a decision takes: a figure that no other work on the machine can move.
 *
 * A child makes decisions, and is stepped through them one instruction at a time. Counted is what
 * lies outside this program, by the library it lies in: the loop here is not counted. Unlike
 * simulators this knows every instruction that the processor knows, so that all hash kernels can be
 * counted. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/kernels.h"
#include "lib/record.h"
#include "lib/rounds.h"
#include "lib/subject.h"
#include "lib/timing.h"

enum { CALLS = 8, BATCH = 64, HALF_BP = 2500, MOST_MAPS = 64, MOST_STEPS = 4000000 };

struct count {
    uint64_t total;
    uint64_t canary;
    uint64_t sodium;
};

enum place { PROGRAM, CANARY, SODIUM, OTHER };

struct map {
    uint64_t from;
    uint64_t to;
    enum place place;
};

static struct map maps[MOST_MAPS];
static int map_count;

/* The child is a copy of this process: what it has loaded lies where it lies here. */
static void read_maps(void) {
    char own[512];
    ssize_t own_size = readlink("/proc/self/exe", own, sizeof own - 1);
    FILE *file = fopen("/proc/self/maps", "re");
    char line[1024];

    if (file == NULL || own_size < 0) {
        bench_die("/proc/self/maps", "cannot be read");
    }
    own[own_size] = '\0';
    while (fgets(line, sizeof line, file) != NULL && map_count < MOST_MAPS) {
        struct map *map = &maps[map_count];
        char rights[8];

        if (sscanf(line, "%lx-%lx %7s", &map->from, &map->to, rights) == 3 && rights[2] == 'x') {
            map->place = strstr(line, own) != NULL           ? PROGRAM
                         : strstr(line, "libcanary") != NULL ? CANARY
                         : strstr(line, "libsodium") != NULL ? SODIUM
                                                             : OTHER;
            map_count++;
        }
    }
    fclose(file);
}

static enum place place_of(uint64_t address) {
    for (int i = 0; i < map_count; i++) {
        if (address >= maps[i].from && address < maps[i].to) {
            return maps[i].place;
        }
    }
    return OTHER;
}

static uint64_t program_counter(pid_t child) {
    struct user_regs_struct registers;
    struct iovec space = { &registers, sizeof registers };

    if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &space) != 0) {
        bench_die("registers", strerror(errno));
    }
#if defined(__x86_64__)
    return registers.rip;
#elif defined(__aarch64__)
    return registers.pc;
#else
    return 0;
#endif
}

/* Stops itself before and after; what that takes is measured with no calls in between. */
static _Noreturn void child_work(bench_work_fn work, void *data, uint64_t calls) {
    work(data, calls > 0 ? calls : 1); /* names are bound and kernels chosen at the first call */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
        _exit(1);
    }
    raise(SIGSTOP);
    work(data, calls);
    raise(SIGSTOP);
    _exit(0);
}

static void step_through(bench_work_fn work, void *data, uint64_t calls, struct count *out) {
    pid_t child = fork();
    int status = 0;
    uint64_t steps = 0;

    memset(out, 0, sizeof *out);
    if (child == 0) {
        child_work(work, data, calls);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        bench_die("fork", strerror(errno));
    }
    if (!WIFSTOPPED(status)) {
        puts("programs may not be stepped through here");
        exit(77);
    }
    while (steps++ < MOST_STEPS) {
        enum place place;

        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
            waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
            WSTOPSIG(status) != SIGTRAP) {
            break;
        }
        place = place_of(program_counter(child));
        out->total += place != PROGRAM;
        out->canary += place == CANARY;
        out->sodium += place == SODIUM;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

/* Of one call: the difference between many and none, so that what surrounds them is gone. */
static void report(const char *name, bench_work_fn work, void *data, uint64_t calls) {
    struct count none;
    struct count all;
    char line[160];
    double per = (double)calls;

    step_through(work, data, 0, &none);
    step_through(work, data, calls, &all);
    bench_number(name, "instructions", (double)(all.total - none.total) / per);
    if (all.sodium > none.sodium) {
        snprintf(line, sizeof line, "%s: of these in libsodium", name);
        bench_number(line, "instructions", (double)(all.sodium - none.sodium) / per);
    }
}

static void each_kind(void) {
    static const struct {
        const char *name;
        bench_work_fn work;
        uint32_t percentage_bp;
        uint32_t size;
        const char *salt;
        enum bench_pins pins;
    } cases[] = {
        { "0 %", bench_text, 0, 36, NULL, BENCH_NO_PINS },
        { "100 %", bench_text, 10000, 36, NULL, BENCH_NO_PINS },
        { "25 %, 8 bytes", bench_text, HALF_BP, 8, NULL, BENCH_NO_PINS },
        { "25 %, 36 bytes", bench_text, HALF_BP, 36, NULL, BENCH_NO_PINS },
        { "25 %, 36 bytes, with its length", bench_bytes, HALF_BP, 36, NULL, BENCH_NO_PINS },
        { "25 %, 36 bytes, salted", bench_text, HALF_BP, 36, "spring", BENCH_NO_PINS },
        { "25 %, 36 bytes, others are pinned", bench_text, HALF_BP, 36, NULL, BENCH_OTHERS_PINNED },
        { "25 %, 36 bytes, all are pinned", bench_text, HALF_BP, 36, NULL, BENCH_ALL_PINNED },
        { "25 %, 64 bytes", bench_text, HALF_BP, 64, NULL, BENCH_NO_PINS },
        { "25 %, 200 bytes", bench_text, HALF_BP, 200, NULL, BENCH_NO_PINS },
        { "25 %, 36 bytes, 64 users a call, a user", bench_many, HALF_BP, 36, NULL, BENCH_NO_PINS },
    };

    bench_heading("Instructions of one decision");
    for (unsigned i = 0; i < (bench_is_smoke() ? 4 : sizeof cases / sizeof cases[0]); i++) {
        struct bench_subject subject = { .ids = bench_ids_new(cases[i].size) };

        subject.ctx = bench_ctx(cases[i].percentage_bp, cases[i].salt, cases[i].pins, subject.ids);
        bench_batch(&subject, BATCH);
        report(cases[i].name, cases[i].work, &subject, cases[i].work == bench_many ? BATCH : CALLS);
        canary_close(&subject.ctx);
    }
}

/* In a process that hashes by one kernel alone. */
static void one_kernel(const char *kernel) {
    struct bench_subject subject = { .ids = bench_ids_new(36) };
    char line[120];
    int one;
    int many;

    bench_kernel_serves(&one, &many);
    subject.ctx = bench_ctx(HALF_BP, NULL, BENCH_NO_PINS, subject.ids);
    bench_batch(&subject, BATCH);
    if (one || many) {
        bench_heading("Instructions by kernel (25 %, 36 bytes)");
    }
    if (one) {
        snprintf(line, sizeof line, "%s, id with its length", kernel);
        report(line, bench_bytes, &subject, CALLS);
    }
    if (many) {
        snprintf(line, sizeof line, "%s, 64 users a call, a user", kernel);
        report(line, bench_many, &subject, bench_is_smoke() ? 8 : BATCH);
    }
    canary_close(&subject.ctx);
}

int main(int argc, char **argv) {
    bench_begin("instructions", argc, argv);
    bench_pin(0); /* the two take turns */
    read_maps();
    if (bench_kernel() != NULL) {
        one_kernel(bench_kernel());
    } else {
        each_kind();
        bench_each_kernel(argv);
    }
    return bench_end();
}
