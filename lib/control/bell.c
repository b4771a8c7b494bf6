/* SPDX-License-Identifier: MIT */
#include "control/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sodium/crypto_hash_sha256.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/bell_format.h"

/* A pread beside a pwrite may see half of it. Damage that is only that is gone after a few looks.
 */
enum { LOOKS = 8 };

static uint64_t first_eight(crypto_hash_sha256_state *state) {
    unsigned char digest[crypto_hash_sha256_BYTES];
    uint64_t value;

    crypto_hash_sha256_final(state, digest);
    memcpy(&value, digest, sizeof value);
    return value;
}

uint64_t canary__bell_key(const char *rollout) {
    crypto_hash_sha256_state state;
    uint64_t key;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)rollout, strlen(rollout));
    key = first_eight(&state);
    return key != 0 ? key : 1; /* 0 marks an empty entry */
}

uint64_t canary__bell_check_of(const struct canary__bell_entry *entry) {
    static const char tag[] = "canary-bell-1";
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)tag, sizeof tag);
    crypto_hash_sha256_update(&state, (const unsigned char *)entry,
                              offsetof(struct canary__bell_entry, check));
    return first_eight(&state);
}

int canary__bell_empty(const struct canary__bell_entry *entry) {
    static const struct canary__bell_entry nothing;

    return memcmp(entry, &nothing, sizeof nothing) == 0;
}

int canary__bell_valid(const struct canary__bell_entry *entry) {
    return entry->key != 0 && entry->cap_bp <= 10000 &&
           (entry->state == CANARY__BELL_PENDING || entry->state == CANARY__BELL_RECORDED) &&
           entry->check == canary__bell_check_of(entry);
}

void canary__bell_init(struct canary__bell *bell, const char *path) {
    *bell = (struct canary__bell){ .path = path, .fd = -1 };
}

void canary__bell_close(struct canary__bell *bell) {
    if (bell->word != NULL) {
        munmap((void *)(uintptr_t)bell->word, CANARY__BELL_SIZE);
        bell->word = NULL;
    }
    if (bell->fd >= 0) {
        close(bell->fd);
        bell->fd = -1;
    }
}

/* Answers 1 when what stands there is no whole bell. */
static int open_bell(struct canary__bell *bell) {
    struct stat status;
    void *page;

    bell->fd = open(bell->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (bell->fd < 0) {
        return 0;
    }
    if (fstat(bell->fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size < (off_t)CANARY__BELL_SIZE) {
        canary__bell_close(bell);
        return 1;
    }
    bell->device = status.st_dev;
    bell->inode = status.st_ino;
    page = mmap(NULL, CANARY__BELL_SIZE, PROT_READ, MAP_SHARED, bell->fd, 0);
    bell->word = page == MAP_FAILED ? NULL : page;
    return 0;
}

static void notice_replacement(struct canary__bell *bell) {
    struct stat status;

    if (stat(bell->path, &status) != 0 || status.st_dev != bell->device ||
        status.st_ino != bell->inode || status.st_size < (off_t)CANARY__BELL_SIZE) {
        canary__bell_close(bell);
    }
}

static void parse(const unsigned char *bytes, struct canary__bell_image *image) {
    image->present = 1;
    image->damaged = memcmp(bytes + CANARY__BELL_MAGIC_AT, CANARY__BELL_MAGIC, 8) != 0;
    image->pending = 0;
    image->used = 0;
    memcpy(&image->ring, bytes, sizeof image->ring);
    memcpy(image->head, bytes, sizeof image->head);
    memcpy(&image->stamp, bytes + CANARY__BELL_STAMP_AT, sizeof image->stamp);
    for (unsigned i = 0; i < CANARY__BELL_ENTRIES; i++) {
        const unsigned char *place = bytes + CANARY__BELL_FIRST + i * sizeof image->entries[i];
        struct canary__bell_entry *entry = &image->entries[i];

        /* What was valid in the reading before is so still: hashing every entry at every ring would
         * cost more than the look at the store. */
        if (memcmp(entry, place, sizeof *entry) != 0) {
            memcpy(entry, place, sizeof *entry);
            if (!canary__bell_empty(entry) && !canary__bell_valid(entry)) {
                image->damaged++;
                memset(entry, 0, sizeof *entry);
            }
        }
        image->pending += entry->state == CANARY__BELL_PENDING;
        image->used = entry->key != 0 ? i + 1 : image->used;
    }
}

/* Bells are made whole, so a short one has lost entries, and they may have been anybody's. Those of
 * the reading before stay. */
static void cut_short(struct canary__bell_image *image) {
    image->present = 1;
    image->damaged = 1;
}

void canary__bell_read(struct canary__bell *bell, int check_path,
                       struct canary__bell_image *image) {
    unsigned char bytes[CANARY__BELL_SIZE];

    image->present = 0;
    if (bell->path == NULL) {
        return;
    }
    if (bell->fd >= 0 && check_path) {
        notice_replacement(bell);
    }
    if (bell->fd < 0 && open_bell(bell)) {
        cut_short(image);
        return;
    }
    if (bell->fd < 0) {
        image->damaged = 0;
        image->pending = 0;
        return;
    }
    for (int look = 0; look < LOOKS; look++) {
        ssize_t got = pread(bell->fd, bytes, sizeof bytes, 0);

        if (got >= 0 && got < (ssize_t)sizeof bytes) {
            /* Not to be waited on: its first word can still be there and ring, and would then
             * differ for ever from the one that was read last. */
            canary__bell_close(bell);
            cut_short(image);
            return;
        }
        if (got < 0) {
            image->present = 0;
            image->damaged = 0;
            image->pending = 0;
            return;
        }
        parse(bytes, image);
        if (image->damaged == 0) {
            return;
        }
        sched_yield();
    }
}

CANARY__HOT int canary__bell_read_head(struct canary__bell *bell,
                                       struct canary__bell_image *image) {
    if (bell->fd < 0 || !image->present || image->damaged > 0 ||
        pread(bell->fd, image->head, sizeof image->head, 0) != (ssize_t)sizeof image->head ||
        memcmp(image->head + CANARY__BELL_MAGIC_AT, CANARY__BELL_MAGIC, 8) != 0 ||
        memcmp(image->head + CANARY__BELL_STAMP_AT, &image->stamp, sizeof image->stamp) != 0) {
        return 0;
    }
    memcpy(&image->ring, image->head, sizeof image->ring);
    return 1;
}

CANARY__HOT const struct canary__bell_entry *
canary__bell_find(const struct canary__bell_image *image, uint64_t key) {
    for (unsigned i = 0; image->present && i < image->used; i++) {
        if (image->entries[i].key == key) {
            return &image->entries[i];
        }
    }
    return NULL;
}

int canary__bell_peek(const char *path, uint64_t key, struct canary__bell_entry *out) {
    const struct canary__bell_entry *entry;
    struct canary__bell_image image = { 0 };
    struct canary__bell bell;

    memset(out, 0, sizeof *out);
    if (path == NULL || (access(path, F_OK) != 0 && errno == ENOENT)) {
        return 0;
    }
    canary__bell_init(&bell, path);
    canary__bell_read(&bell, 0, &image);
    canary__bell_close(&bell);
    entry = canary__bell_find(&image, key);
    if (entry != NULL) {
        *out = *entry;
    }
    return image.present && image.damaged == 0 ? 0 : -1;
}
