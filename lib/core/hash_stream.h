/* SPDX-License-Identifier: MIT */
/* What kernels with instructions for SHA-256 have in common: from an id to message words, and one block
 * or two in step. Included by the file of a kernel after it has defined TARGET, INLINE, ONE, MANY and,
 * for 16 bytes at a time,
 *
 *     vector, load, either, move, pair_of, zero     bits; `move` by indexes, 0x80 gives zero
 *     words                                         bytes as four big-endian words
 *     length, short_length                          the end of a message
 *     struct state, begin, rounds, next_words, join, first_word
 *
 * An id is turned into message words in registers. Writing it to a buffer and loading that would be
 * simpler, but such loads span several stores, which processors do not forward: they wait until the
 * stores are done. Which vectors are full is decided by branches, which are predicted, rather than
 * by the size itself; so the rounds begin before strlen() has an answer. */
#ifndef CANARY__HASH_STREAM_H
#define CANARY__HASH_STREAM_H

#include <string.h>

#include "core/hash_kernels.h"

struct block {
    vector w[4];
};

/* The next four words of the schedule, in place of the oldest four. */
INLINE void schedule(struct block *m, int i) {
    m->w[i & 3] = next_words(m->w[i & 3], m->w[(i + 1) & 3], m->w[(i + 2) & 3], m->w[(i + 3) & 3]);
}

#define EACH_QUAD(step)                                                                            \
    step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7) step(8) step(9) step(10)       \
        step(11) step(12) step(13) step(14) step(15)

INLINE void compress(struct state *s, struct block m) {
#define STEP(i)                                                                                    \
    if ((i) >= 4) {                                                                                \
        schedule(&m, i);                                                                           \
    }                                                                                              \
    rounds(s, i, m.w[(i)&3]);
    EACH_QUAD(STEP)
#undef STEP
}

/* Two at a time: each round waits for the one before it, and a processor that does not look far
 * ahead would wait with it. */
INLINE void compress_two(struct state *s, struct block m, struct state *t, struct block n) {
#define STEP(i)                                                                                    \
    if ((i) >= 4) {                                                                                \
        schedule(&m, i);                                                                           \
        schedule(&n, i);                                                                           \
    }                                                                                              \
    rounds(s, i, m.w[(i)&3]);                                                                      \
    rounds(t, i, n.w[(i)&3]);
    EACH_QUAD(STEP)
#undef STEP
}

INLINE void absorb(struct state *s, const unsigned char *p) {
    struct state before = *s;

    compress(s, (struct block){ { words(load(p)), words(load(p + 16)), words(load(p + 32)),
                                  words(load(p + 48)) } });
    join(s, before);
}

/* Fewer than 16 bytes where nothing before or behind them may be read. */
INLINE vector load_short(const unsigned char *p, size_t size) {
    uint64_t low = 0;
    uint64_t high = 0;

    if (size >= 8) {
        memcpy(&low, p, 8);
        memcpy(&high, p + size - 8, 8);
        high = high >> (8 * (15 - size)) >> 8; /* what `low` has already goes; 64 is no shift */
    } else if (size >= 4) {
        uint32_t first;
        uint32_t last;

        memcpy(&first, p, 4);
        memcpy(&last, p + size - 4, 4);
        low = first | (uint64_t)last << (8 * (size - 4));
    } else if (size > 0) {
        low = p[0] | (uint64_t)p[size / 2] << (8 * (size / 2)) |
              (uint64_t)p[size - 1] << (8 * (size - 1));
    }
    return pair_of(low, high);
}

/* Read from 16 - n: the last n bytes to the front, zeros behind; read from 32 - n, the first ones to
 * the back, n zeros before them. */
/* clang-format off */
static const unsigned char moves[48] = {
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15
};
/* clang-format on */

/* The last `size` (below 16) bytes of an id, the bit behind them, zeros. `behind` says that 16 bytes
 * or more of the id end with them. */
INLINE vector last_bytes(const unsigned char *p, size_t size, int behind) {
    static const unsigned char bit[32] = { [16] = 0x80 }; /* read from 16 - size */
    vector bytes =
        behind ? move(load(p + size - 16), load(moves + 16 - size)) : load_short(p, size);

    return either(bytes, load(bit + 16 - size));
}

/* The bytes of the last block but for the length: `size` (below 64), of which `before` more
 * precede. */
INLINE struct block last_block(const unsigned char *p, size_t size, size_t before) {
    /* An empty id may be NULL, to which C allows not even 0 to be added. */
    const void *rest = (const void *)((uintptr_t)p + (size & ~(size_t)15));
    vector end = last_bytes(rest, size & 15, before + size >= 16);
    vector none = zero();

    if (size < 16) {
        return (struct block){ { end, none, none, none } };
    }
    if (size < 32) {
        return (struct block){ { load(p), end, none, none } };
    }
    if (size < 48) {
        return (struct block){ { load(p), load(p + 16), end, none } };
    }
    return (struct block){ { load(p), load(p + 16), load(p + 32), end } };
}

/* Written out, here and below: compilers leave loops over four vectors as loops, and the vectors in
 * memory. */
INLINE struct block words_of(struct block bytes) {
    return (struct block){ { words(bytes.w[0]), words(bytes.w[1]), words(bytes.w[2]),
                             words(bytes.w[3]) } };
}

/* The words of a last block. */
INLINE struct block completed(struct block bytes, vector end) {
    struct block m = words_of(bytes);

    m.w[3] = either(m.w[3], end);
    return m;
}

/* What fits no single block, or stands behind a prefix. Apart from the common case, which would
 * otherwise pay for keeping this one's constants at hand. */
static TARGET __attribute__((noinline)) uint32_t
finish(struct state s, const unsigned char *p, size_t size, size_t before, uint64_t total) {
    int last = size <= 55; /* else the length takes a block of its own */
    struct block bytes = last_block(p, size, before);
    struct block m = last ? completed(bytes, length(total)) : words_of(bytes);

    /* One loop, here and below, for the rounds to be there once. */
    for (;;) {
        struct state start = s;

        compress(&s, m);
        if (last) {
            return first_word(s, start);
        }
        join(&s, start);
        m = (struct block){ { zero(), zero(), zero(), length(total) } };
        last = 1;
    }
}

static TARGET __attribute__((noinline)) uint32_t any(const struct canary__hash_start *start,
                                                     const unsigned char *id, size_t size) {
    uint64_t total = (uint64_t)start->absorbed + start->tail_size + size;
    struct state s = begin(start);
    const unsigned char *block = id;
    unsigned char first[64];
    size_t end = sizeof first; /* in the id, of the block at hand */

    if (start->tail_size > 0) {
        size_t taken;

        end -= start->tail_size;
        taken = size < end ? size : end;
        memcpy(first, start->tail, sizeof first);
        if (taken > 0) {
            memcpy(first + start->tail_size, id, taken);
        }
        if (taken < end) {
            return finish(s, first, start->tail_size + taken, 0, total);
        }
        block = first;
    }
    for (; end <= size; end += 64) {
        absorb(&s, block);
        block = id + end;
    }
    end -= 64; /* of the block before */
    return finish(s, block, size - end, end, total);
}

/* The one block of an id behind a prefix that fits it: the id moved to its place in registers. */
INLINE struct block behind_prefix(const struct canary__hash_start *start, const unsigned char *id,
                                  size_t size) {
    unsigned part = start->tail_size % 16;
    vector back = load(moves + 32 - part);
    vector front = load(moves + 16 - part);
    struct block m = last_block(id, size, 0);
    vector a = move(m.w[0], back);
    vector b = either(move(m.w[1], back), move(m.w[0], front));
    vector c = either(move(m.w[2], back), move(m.w[1], front));
    vector d = either(move(m.w[3], back), move(m.w[2], front));
    vector none = zero();

    switch (start->tail_size / 16) {
    case 0:
        m = (struct block){ { a, b, c, d } };
        break;
    case 1:
        m = (struct block){ { none, a, b, c } };
        break;
    case 2:
        m = (struct block){ { none, none, a, b } };
        break;
    default:
        m = (struct block){ { none, none, none, a } };
        break;
    }
    m.w[0] = either(m.w[0], load(start->tail));
    m.w[1] = either(m.w[1], load(start->tail + 16));
    m.w[2] = either(m.w[2], load(start->tail + 32));
    m.w[3] = either(m.w[3], load(start->tail + 48));
    return completed(m, short_length(start->absorbed + start->tail_size + (uint32_t)size));
}

/* With what the start has absorbed. */
static int fits_one_block(const struct canary__hash_start *start, size_t size) {
    return size <= 55 && start->tail_size + size <= 55;
}

static TARGET __attribute__((noinline)) uint32_t
one_behind_prefix(const struct canary__hash_start *start, const unsigned char *id, size_t size) {
    struct state before = begin(start);
    struct state s = before;

    compress(&s, behind_prefix(start, id, size));
    return first_word(s, before);
}

TARGET uint32_t ONE(const struct canary__hash_start *start, const void *id, size_t size) {
    struct state before;
    struct state s;

    if (__builtin_expect(!fits_one_block(start, size), 0)) {
        return any(start, id, size);
    }
    if (start->tail_size != 0) {
        return one_behind_prefix(start, id, size);
    }
    s = before = begin(start);
    compress(&s,
             completed(last_block(id, size, 0), short_length(start->absorbed + (uint32_t)size)));
    return first_word(s, before);
}

INLINE struct block block_of(const struct canary__hash_start *start, const canary_user *user) {
    if (start->tail_size != 0) {
        return behind_prefix(start, user->id, (size_t)user->size);
    }
    return completed(last_block(user->id, (size_t)user->size, 0),
                     short_length(start->absorbed + (uint32_t)user->size));
}

INLINE void pair(const struct canary__hash_start *start, const canary_user *users,
                 uint32_t *hashes) {
    struct state before = begin(start);
    struct state s = before;
    struct state t = before;

    compress_two(&s, block_of(start, &users[0]), &t, block_of(start, &users[1]));
    hashes[0] = first_word(s, before);
    hashes[1] = first_word(t, before);
}

static int can_pair(const struct canary__hash_start *start, const canary_user *user) {
    return user->id != NULL && user->size <= 55 && fits_one_block(start, (size_t)user->size);
}

TARGET void MANY(const struct canary__hash_start *start, const canary_user *users, size_t count,
                 uint32_t *hashes) {
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && can_pair(start, &users[i]) && can_pair(start, &users[i + 1])) {
            pair(start, &users[i], &hashes[i]);
            i++;
        } else {
            hashes[i] = ONE(start, users[i].id, users[i].id != NULL ? (size_t)users[i].size : 0);
        }
    }
}

#endif
