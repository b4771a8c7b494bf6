/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/futex.h"
#include "control/bell_format.h"

/* How long to wait for another writer of the bell: long enough for any that works, and short, since
 * a stopped process may hold the lock for ever and a rollback must not wait for it. */
enum { LOCK_TRIES = 40, LOCK_STEP_NS = 500000 };

#ifndef MAP_POPULATE
#define MAP_POPULATE 0
#endif

static int fail_path(canary_error *error, const char *path, const char *what) {
    int reason = errno;
    int code = reason == EACCES || reason == EPERM || reason == EROFS ? CANARY_E_PERMISSION
                                                                      : CANARY_E_SYSTEM;

    return canary__fail(error, code, reason, "bell %s: %s failed: %s", path, what,
                        strerror(reason));
}

static int stat_data(const char *path, struct stat *status) {
    static const char suffix[] = "-doorbell";
    size_t length = strlen(path);
    char data[4200];

    if (length < sizeof suffix || length >= sizeof data ||
        strcmp(path + length - (sizeof suffix - 1), suffix) != 0) {
        return -1;
    }
    memcpy(data, path, length - (sizeof suffix - 1));
    data[length - (sizeof suffix - 1)] = '\0';
    return stat(data, status);
}

/* Makes the file whole under another name and links it into place: nobody ever sees half a bell,
 * and of two makers one wins. */
static int make(const char *path, canary_error *error) {
    unsigned char bytes[CANARY__BELL_SIZE];
    char temporary[4200];
    struct stat status;
    int code = CANARY_OK;
    int fd;

    snprintf(temporary, sizeof temporary, "%s.%08x%08x", path, randombytes_random(),
             randombytes_random());
    fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail_path(error, temporary, "open");
    }
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes + CANARY__BELL_MAGIC_AT, CANARY__BELL_MAGIC, 8);
    if (pwrite(fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        code = fail_path(error, temporary, "write");
    } else if (stat_data(path, &status) == 0) {
        /* Whoever may read the store may hear the bell. The owner is a wish: only root can give. */
        if (fchown(fd, status.st_uid, status.st_gid) != 0) {
            (void)fchown(fd, (uid_t)-1, status.st_gid);
        }
        if (fchmod(fd, status.st_mode & 0666) != 0) {
            code = fail_path(error, temporary, "fchmod");
        }
    }
    if (code == CANARY_OK && link(temporary, path) != 0 && errno != EEXIST) {
        code = fail_path(error, path, "link");
    }
    unlink(temporary);
    close(fd);
    return code;
}

static int open_for_writing(const char *path, canary_error *error) {
    for (int attempt = 0;; attempt++) {
        struct stat status;
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        int code;

        if (fd >= 0) {
            if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
                return fd;
            }
            close(fd);
            return canary__fail(error, CANARY_E_SYSTEM, 0,
                                "bell %s is no regular file; remove it and run the command again",
                                path);
        }
        if (errno != ENOENT || attempt == 3) {
            return fail_path(error, path, "open");
        }
        code = make(path, error);
        if (code != CANARY_OK) {
            return code;
        }
    }
}

/* Best effort: two writers that both go on without the lock can lose one entry. */
static void lock_writers(int fd) {
    const struct timespec step = { 0, LOCK_STEP_NS };

    for (int attempt = 0; attempt < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; attempt++) {
        nanosleep(&step, NULL);
    }
}

int canary__bell_ringer_open(struct canary__bell_ringer *ringer, const char *path,
                             canary_error *error) {
    struct stat status;
    uint32_t before = 0;
    void *page;

    *ringer = (struct canary__bell_ringer){ .fd = -1 };
    ringer->fd = open_for_writing(path, error);
    if (ringer->fd < 0) {
        int code = ringer->fd;

        ringer->fd = -1;
        return code;
    }
    if (fstat(ringer->fd, &status) == 0) {
        ringer->device = status.st_dev;
        ringer->inode = status.st_ino;
    }
    (void)!pread(ringer->fd, &before, sizeof before, 0);
    /* A value that nobody waits for: counting up would let two writers who read the same value
     * write the same next one, and the second ring would be lost on a reader who saw the first. */
    do {
        ringer->ring = randombytes_random();
    } while (ringer->ring == before);
    /* The kernel looks the page up when it wakes; without a page table entry that would be a fault,
     * taken when everybody waits for it. */
    page = mmap(NULL, CANARY__BELL_SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE, ringer->fd, 0);
    ringer->word = page == MAP_FAILED ? NULL : page;
    return CANARY_OK;
}

int canary__bell_ringer_ring(const struct canary__bell_ringer *ringer, const char *path,
                             const void *bytes, size_t size, canary_error *error) {
    if (pwrite(ringer->fd, bytes, size, 0) != (ssize_t)size) {
        return fail_path(error, path, "write");
    }
    if (ringer->word != NULL && canary__futex_wake_shared(ringer->word)) {
        /* Whoever was woken may stand in line for this very processor; nothing the caller has left to do
         * is worth their waiting. */
        sched_yield();
    }
    return CANARY_OK;
}

int canary__bell_ringer_close(struct canary__bell_ringer *ringer, const char *path) {
    struct stat status;
    int elsewhere = 0;

    if (ringer->fd >= 0) {
        elsewhere = stat(path, &status) != 0 || status.st_dev != ringer->device ||
                    status.st_ino != ringer->inode;
        close(ringer->fd);
        ringer->fd = -1;
    }
    if (ringer->word != NULL) {
        munmap((void *)(uintptr_t)ringer->word, CANARY__BELL_SIZE);
        ringer->word = NULL;
    }
    return elsewhere;
}

int canary__bell_ring(const char *path, canary_error *error) {
    struct canary__bell_ringer ringer;
    int code = canary__bell_ringer_open(&ringer, path, error);

    if (code == CANARY_OK) {
        code = canary__bell_ringer_ring(&ringer, path, &ringer.ring, sizeof ringer.ring, error);
    }
    canary__bell_ringer_close(&ringer, path);
    return code;
}

/* The rollout's own entry; else an empty one; else the oldest that is only recorded, whose readers
 * have long caught up. */
static int choose(const struct canary__bell_entry *entries, uint64_t key) {
    int empty = -1;
    int recorded = -1;

    for (int i = 0; i < (int)CANARY__BELL_ENTRIES; i++) {
        if (entries[i].key == key && canary__bell_valid(&entries[i])) {
            return i;
        }
        if (empty < 0 && canary__bell_empty(&entries[i])) {
            empty = i;
        }
        if (canary__bell_valid(&entries[i]) && entries[i].state == CANARY__BELL_RECORDED &&
            (recorded < 0 || entries[i].revision < entries[recorded].revision)) {
            recorded = i;
        }
    }
    return empty >= 0 ? empty : recorded;
}

static int read_entries(int fd, struct canary__bell_entry *entries) {
    size_t size = CANARY__BELL_ENTRIES * sizeof *entries;

    return pread(fd, entries, size, CANARY__BELL_FIRST) == (ssize_t)size ? 0 : -1;
}

/* After the entry: whoever reads in between has the new entry under the old stamp, and reads once
 * more. The other way round the entry would be missed. */
static int stamp(int fd) {
    uint32_t value = randombytes_random();

    return pwrite(fd, &value, sizeof value, CANARY__BELL_STAMP_AT) == (ssize_t)sizeof value ? 0
                                                                                            : -1;
}

int canary__bell_put(const char *path, uint64_t key, uint64_t revision, uint32_t cap_bp,
                     uint32_t state, canary_error *error) {
    struct canary__bell_entry entries[CANARY__BELL_ENTRIES];
    struct canary__bell_entry entry = { key, revision, cap_bp, state, 0 };
    int fd = open_for_writing(path, error);
    int code = CANARY_OK;
    int place;

    if (fd < 0) {
        return fd;
    }
    entry.check = canary__bell_check_of(&entry);
    lock_writers(fd);
    if (read_entries(fd, entries) != 0) {
        code = canary__fail(error, CANARY_E_SYSTEM, 0,
                            "bell %s is cut short; run `canaryctl accept` to mend it", path);
    } else if ((place = choose(entries, key)) < 0) {
        code = canary__fail(error, CANARY_E_SYSTEM, 0,
                            "bell %s has no free entry: %u rollbacks are rung and not recorded",
                            path, CANARY__BELL_ENTRIES);
    } else if (pwrite(fd, &entry, sizeof entry,
                      (off_t)(CANARY__BELL_FIRST + (unsigned)place * sizeof entry)) !=
                   (ssize_t)sizeof entry ||
               stamp(fd) != 0) {
        code = fail_path(error, path, "write");
    }
    close(fd); /* drops the lock */
    return code;
}

int canary__bell_repair(const char *path, canary_error *error) {
    unsigned char bytes[CANARY__BELL_SIZE] = { 0 };
    struct canary__bell_entry entry;
    int fd = open_for_writing(path, error);
    int code = CANARY_OK;

    if (fd < 0) {
        return fd;
    }
    lock_writers(fd);
    (void)!pread(fd, bytes, sizeof bytes, 0);
    memset(bytes + sizeof(uint32_t), 0, CANARY__BELL_NEWS - sizeof(uint32_t));
    memset(bytes + CANARY__BELL_NEWS, 0, CANARY__BELL_FIRST - CANARY__BELL_NEWS);
    memcpy(bytes + CANARY__BELL_MAGIC_AT, CANARY__BELL_MAGIC, 8);
    for (unsigned i = 0; i < CANARY__BELL_ENTRIES; i++) {
        unsigned char *place = bytes + CANARY__BELL_FIRST + i * sizeof entry;

        memcpy(&entry, place, sizeof entry);
        if (!canary__bell_valid(&entry)) {
            memset(place, 0, sizeof entry);
        }
    }
    if (pwrite(fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes || stamp(fd) != 0) {
        code = fail_path(error, path, "write");
    }
    close(fd);
    return code;
}
