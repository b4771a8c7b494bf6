/* SPDX-License-Identifier: MIT */
#include "core/hash_lanes.h"

/* Ids of one length, waiting until there is one for each lane. */
struct queue {
    const canary_user *users[CANARY__HASH_LANES_MAX];
    uint32_t *hashes[CANARY__HASH_LANES_MAX];
    unsigned count;
};

static void run(const struct canary__hash_lanes *kernel, const struct canary__hash_start *start,
                struct queue *queue, unsigned blocks) {
    uint32_t found[CANARY__HASH_LANES_MAX];

    kernel->group(start, queue->users, blocks, found);
    for (unsigned i = 0; i < queue->count; i++) {
        *queue->hashes[i] = found[i];
    }
    queue->count = 0;
}

static void finish(const struct canary__hash_lanes *kernel, const struct canary__hash_start *start,
                   struct queue *queue, unsigned blocks) {
    if (queue->count > 0 && queue->count >= kernel->at_least) {
        for (unsigned i = queue->count; i < kernel->lanes; i++) {
            queue->users[i] = queue->users[0];
        }
        run(kernel, start, queue, blocks);
        return;
    }
    for (unsigned i = 0; i < queue->count; i++) {
        *queue->hashes[i] =
            canary__hash_one(start, queue->users[i]->id, (size_t)queue->users[i]->size);
    }
}

void canary__hash_in_lanes(const struct canary__hash_lanes *kernel,
                           const struct canary__hash_start *start, const canary_user *users,
                           size_t count, uint32_t *hashes) {
    enum { LENGTH_FIELD = 8, BLOCK = 64 };
    static const canary_user nobody = { "", 0 };
    struct queue queues[CANARY__HASH_LANES_BLOCKS];

    for (unsigned i = 0; i < CANARY__HASH_LANES_BLOCKS; i++) {
        queues[i].count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        const canary_user *user = users[i].id != NULL ? &users[i] : &nobody;
        struct queue *queue;
        uint64_t more;

        if (user->size > CANARY__HASH_LANES_BLOCKS * BLOCK ||
            (more = (start->tail_size + user->size + LENGTH_FIELD) / BLOCK) >=
                CANARY__HASH_LANES_BLOCKS) {
            hashes[i] = canary__hash_one(start, user->id, (size_t)user->size);
            continue;
        }
        queue = &queues[more];
        queue->users[queue->count] = user;
        queue->hashes[queue->count] = &hashes[i];
        if (++queue->count == kernel->lanes) {
            run(kernel, start, queue, (unsigned)more + 1);
        }
    }
    for (unsigned i = 0; i < CANARY__HASH_LANES_BLOCKS; i++) {
        finish(kernel, start, &queues[i], i + 1);
    }
}
