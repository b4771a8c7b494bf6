/* SPDX-License-Identifier: MIT */
/* The doorbell: one page in a file beside the store through which processes of one host wake each
 * other, and hear of a rollback before it is committed.
 *
 *     0    ring word, 4 bytes: a new random value at every ring; the futex that readers wait on.
 *          It is the first field of the news (news.h), 416 bytes that may tell what a change did
 *     416  magic "CANBELL1"
 *     424  stamp, 4 bytes: a new random value after each change of an entry
 *     448  114 entries of 32 bytes, all zero when never used, else:
 *           key       8   first 8 bytes of SHA-256(rollout name)
 *           revision  8   see below
 *           cap       4   basis points: what exposure may at most be
 *           state     4   1 pending, 2 recorded
 *           check     8   first 8 bytes of SHA-256("canary-bell-1" 0x00, the 24 bytes before)
 *     numbers in the host's byte order: the file never leaves the host.
 *
 * An entry can only lower. Pending: a rollback was rung; the cap holds whatever the store says,
 * until a rollback is recorded. Recorded: the cap holds for who has not yet read state of that
 * revision. A damaged entry may have been anybody's: everybody gets `old`.
 *
 * Written by pwrite only and read by pread only. A store or load through a mapping of a file that
 * was cut short, or lies on a full copy-on-write file system, would kill the process with SIGBUS;
 * the mapping serves the futex call alone. The file is never truncated, renamed or replaced once
 * there. */
#ifndef CANARY__BELL_H
#define CANARY__BELL_H

#include <canary/error.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/hot.h"

#define CANARY__BELL_SIZE 4096u
#define CANARY__BELL_NEWS 416u
#define CANARY__BELL_FIRST 448u
#define CANARY__BELL_ENTRIES 114u

#define CANARY__BELL_PENDING 1u
#define CANARY__BELL_RECORDED 2u

struct canary__bell_entry {
    uint64_t key;
    uint64_t revision;
    uint32_t cap_bp;
    uint32_t state;
    uint64_t check;
};

/* What one reading saw. Zeroed before the first, and handed to each following one as it is. */
struct canary__bell_image {
    int present;                            /* the file is there; whole unless `damaged` */
    uint32_t ring;                          /* value to wait for a change of */
    uint32_t stamp;                         /* while it is the same, so are the entries */
    uint32_t damaged;                       /* entries, or the head, that cannot be believed */
    uint32_t pending;                       /* entries that are pending */
    uint32_t used;                          /* entries up to the last that is not empty */
    unsigned char head[CANARY__BELL_FIRST]; /* news in front, believed by nobody yet */
    struct canary__bell_entry entries[CANARY__BELL_ENTRIES];
};

/* The reader's side, kept open. */
struct canary__bell {
    const char *path; /* NULL: the store has no bell */
    int fd;           /* -1: not open */
    dev_t device;
    ino_t inode;
    const uint32_t *word; /* mapping, for the futex only; NULL: poll */
};

void canary__bell_init(struct canary__bell *bell, const char *path);
void canary__bell_close(struct canary__bell *bell);

/* Opens the file when it is there and not open; with `check_path`, also notices another file in its
 * place. Then reads it. Never fails: what cannot be read is not present, and
 * what is no whole bell is damaged. */
void canary__bell_read(struct canary__bell *bell, int check_path, struct canary__bell_image *image);

/* Reads ring and news alone, when the entries are those of the reading before. 0 when that cannot be
 * told: read it all. */
int canary__bell_read_head(struct canary__bell *bell, struct canary__bell_image *image);

/* The entry of a rollout, or NULL; none when the bell is not present. */
const struct canary__bell_entry *canary__bell_find(const struct canary__bell_image *image,
                                                   uint64_t key);

/* Reads one entry of the file at `path`, zeros where there is none, through nobody's bell: no lock is
 * needed. -1 when there is a file that cannot be read, or holds something damaged. */
int canary__bell_peek(const char *path, uint64_t key, struct canary__bell_entry *out);

uint64_t canary__bell_key(const char *rollout);

/* The writer's side: each call opens the file afresh, makes it when it is missing (with the owner
 * and mode of `like`, the store's file), and lets go of it. 0 or CANARY_E_SYSTEM / _PERMISSION. */

/* Wakes everybody. */
int canary__bell_ring(const char *path, canary_error *error);

/* The same in steps: whoever commits prepares before, and has one write and one wake left to do. */
struct canary__bell_ringer {
    int fd; /* -1: not open */
    dev_t device;
    ino_t inode;
    uint32_t ring;        /* the value it will ring with */
    const uint32_t *word; /* mapping, or NULL */
};
int canary__bell_ringer_open(struct canary__bell_ringer *ringer, const char *path,
                             canary_error *error);
/* Writes `size` bytes from the page's first on; they begin with the ringer's value. */
int canary__bell_ringer_ring(const struct canary__bell_ringer *ringer, const char *path,
                             const void *bytes, size_t size, canary_error *error);
/* Answers 1 when the path led elsewhere meanwhile: nobody heard. */
int canary__bell_ringer_close(struct canary__bell_ringer *ringer, const char *path);

/* Puts the entry of a rollout; does not wake. */
int canary__bell_put(const char *path, uint64_t key, uint64_t revision, uint32_t cap_bp,
                     uint32_t state, canary_error *error);

/* Empties damaged entries and writes the head anew. */
int canary__bell_repair(const char *path, canary_error *error);

#endif
