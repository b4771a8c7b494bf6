/* SPDX-License-Identifier: MIT */
#include "others.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t ran_ns(const char *process, const char *task) {
    char path[600];
    int64_t ns = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", process, task);
    file = fopen(path, "re");
    if (file == NULL) {
        return 0; /* it has ended meanwhile, or the kernel keeps no such account */
    }
    if (fscanf(file, "%" SCNd64, &ns) != 1) {
        ns = 0;
    }
    fclose(file);
    return ns;
}

static int64_t process_ns(const char *process) {
    char path[300];
    int64_t sum = 0;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%s/task", process);
    tasks = opendir(path);
    if (tasks == NULL) {
        return 0;
    }
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (isdigit((unsigned char)task->d_name[0])) {
            sum += ran_ns(process, task->d_name);
        }
    }
    closedir(tasks);
    return sum;
}

int64_t bench_others_ns(void) {
    int64_t sum = 0;
    pid_t own = getpgrp();
    DIR *processes = opendir("/proc");

    if (processes == NULL) {
        return 0;
    }
    for (const struct dirent *process; (process = readdir(processes)) != NULL;) {
        if (isdigit((unsigned char)process->d_name[0]) && getpgid(atoi(process->d_name)) != own) {
            sum += process_ns(process->d_name);
        }
    }
    closedir(processes);
    return sum;
}
