/* SPDX-License-Identifier: MIT */
/* SHA-256 by the cryptographic extension of ARMv8 (Arm ARM, SHA256H, SHA256H2, SHA256SU0,
 * SHA256SU1). Message words are made in registers and by branches, as in hash_shani.c. */
#include "core/hash_kernels.h"

#ifdef CANARY__HASH_ARM

#include <arm_neon.h>
#include <string.h>

#if defined(__clang__)
#define TARGET __attribute__((target("sha2")))
#else
#define TARGET __attribute__((target("+crypto")))
#endif
#define INLINE static inline TARGET __attribute__((always_inline))

struct state {
    uint32x4_t abcd;
    uint32x4_t efgh;
};

struct block {
    uint32x4_t w[4];
};

INLINE uint32x4_t words(uint8x16_t bytes) {
    return vreinterpretq_u32_u8(vrev32q_u8(bytes));
}

INLINE uint32x4_t load_words(const unsigned char *p) {
    return words(vld1q_u8(p));
}

INLINE struct state begin(const uint32_t *words8) {
    return (struct state){ vld1q_u32(words8), vld1q_u32(words8 + 4) };
}

/* Rounds 4i to 4i+3. */
INLINE void rounds(struct state *s, int i, uint32x4_t w) {
    uint32x4_t sum = vaddq_u32(w, vld1q_u32(&canary__sha256_k[4 * i]));
    uint32x4_t abcd = s->abcd;

    s->abcd = vsha256hq_u32(abcd, s->efgh, sum);
    s->efgh = vsha256h2q_u32(s->efgh, abcd, sum);
}

/* The next four words of the schedule, in place of the oldest four. */
INLINE void schedule(struct block *m, int i) {
    m->w[i & 3] = vsha256su1q_u32(vsha256su0q_u32(m->w[i & 3], m->w[(i + 1) & 3]),
                                  m->w[(i + 2) & 3], m->w[(i + 3) & 3]);
}

#define EACH_QUAD(step)                                                                            \
    step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7) step(8) step(9) step(10)       \
        step(11) step(12) step(13) step(14) step(15)

INLINE void compress(struct state *s, struct block m) {
#define STEP(i)                                                                                    \
    if (i >= 4) {                                                                                  \
        schedule(&m, i);                                                                           \
    }                                                                                              \
    rounds(s, i, m.w[i & 3]);
    EACH_QUAD(STEP)
#undef STEP
}

/* Two at a time: each round waits for the one before it, and a processor that does not look far
 * ahead would wait with it. */
INLINE void compress_two(struct state *s, struct block m, struct state *t, struct block n) {
#define STEP(i)                                                                                    \
    if (i >= 4) {                                                                                  \
        schedule(&m, i);                                                                           \
        schedule(&n, i);                                                                           \
    }                                                                                              \
    rounds(s, i, m.w[i & 3]);                                                                      \
    rounds(t, i, n.w[i & 3]);
    EACH_QUAD(STEP)
#undef STEP
}

INLINE void join(struct state *s, struct state before) {
    s->abcd = vaddq_u32(s->abcd, before.abcd);
    s->efgh = vaddq_u32(s->efgh, before.efgh);
}

INLINE void absorb(struct state *s, const unsigned char *p) {
    struct state before = *s;

    compress(s, (struct block){ { load_words(p), load_words(p + 16), load_words(p + 32),
                                  load_words(p + 48) } });
    join(s, before);
}

/* Fewer than 16 bytes where nothing before or behind them may be read. */
INLINE uint8x16_t load_short(const unsigned char *p, size_t size) {
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
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}

/* The last `size` (below 16) bytes of an id, the bit behind them, zeros. `behind` says that 16 bytes
 * or more of the id end with them. */
INLINE uint32x4_t last_words(const unsigned char *p, size_t size, int behind) {
    /* Read from 16 - size: moves the last bytes to the front, and puts the bit in its place. An
     * index beyond the table gives zero. */
    static const unsigned char moves[32] = { 0,    1,    2,    3,    4,    5,    6,    7,
                                             8,    9,    10,   11,   12,   13,   14,   15,
                                             0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                             0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80 };
    static const unsigned char bit[32] = { [16] = 0x80 };
    uint8x16_t bytes = behind ? vqtbl1q_u8(vld1q_u8(p + size - 16), vld1q_u8(moves + 16 - size))
                              : load_short(p, size);

    return words(vorrq_u8(bytes, vld1q_u8(bit + 16 - size)));
}

/* The last block but for the length: `size` (below 64) bytes, of which `before` more precede. */
INLINE struct block last_block(const unsigned char *p, size_t size, size_t before) {
    uint32x4_t end = last_words(p + (size & ~(size_t)15), size & 15, before + size >= 16);
    uint32x4_t zero = vdupq_n_u32(0);

    if (size < 16) {
        return (struct block){ { end, zero, zero, zero } };
    }
    if (size < 32) {
        return (struct block){ { load_words(p), end, zero, zero } };
    }
    if (size < 48) {
        return (struct block){ { load_words(p), load_words(p + 16), end, zero } };
    }
    return (struct block){ { load_words(p), load_words(p + 16), load_words(p + 32), end } };
}

INLINE void put_length(struct block *m, uint64_t total) {
    m->w[3] =
        vorrq_u32(m->w[3], vcombine_u32(vdup_n_u32(0), vcreate_u32(total >> 29 | total << 35)));
}

INLINE uint32_t first_word(struct state s, struct state before) {
    return vgetq_lane_u32(vaddq_u32(s.abcd, before.abcd), 0);
}

/* What fits no single block, or stands behind a prefix. Apart from the common case, which would
 * otherwise pay for keeping this one's constants at hand. */
static TARGET __attribute__((noinline)) uint32_t
finish(struct state s, const unsigned char *p, size_t size, size_t before, uint64_t total) {
    struct block m = last_block(p, size, before);
    struct state start = s;

    if (size > 55) {
        compress(&s, m);
        join(&s, start);
        start = s;
        m.w[0] = m.w[1] = m.w[2] = m.w[3] = vdupq_n_u32(0);
    }
    put_length(&m, total);
    compress(&s, m);
    return first_word(s, start);
}

static TARGET __attribute__((noinline)) uint32_t any(const struct canary__hash_start *start,
                                                     const unsigned char *id, size_t size) {
    uint64_t total = (uint64_t)start->absorbed + start->tail_size + size;
    struct state s = begin(start->state);
    size_t taken = 0;

    if (start->tail_size > 0) {
        unsigned char bytes[64];
        size_t room = sizeof bytes - start->tail_size;

        taken = size < room ? size : room;
        memcpy(bytes, start->tail, sizeof bytes);
        if (taken > 0) {
            memcpy(bytes + start->tail_size, id, taken);
        }
        if (taken < room) {
            return finish(s, bytes, start->tail_size + taken, 0, total);
        }
        absorb(&s, bytes);
    }
    for (; size - taken >= 64; taken += 64) {
        absorb(&s, id + taken);
    }
    return finish(s, id + taken, size - taken, taken, total);
}

TARGET uint32_t canary__hash_armv8_one(const struct canary__hash_start *start, const void *id,
                                       size_t size) {
    struct state before;
    struct state s;
    struct block m;

    if (__builtin_expect(start->tail_size != 0 || size > 55, 0)) {
        return any(start, id, size);
    }
    s = before = begin(start->state);
    m = last_block(id, size, 0);
    put_length(&m, start->absorbed + (uint64_t)size);
    compress(&s, m);
    return first_word(s, before);
}

/* Two ids of one block each, without a prefix. */
INLINE void pair(const struct canary__hash_start *start, const canary_user *users,
                 uint32_t *hashes) {
    struct state before = begin(start->state);
    struct state s = before;
    struct state t = before;
    struct block m = last_block(users[0].id, (size_t)users[0].size, 0);
    struct block n = last_block(users[1].id, (size_t)users[1].size, 0);

    put_length(&m, start->absorbed + users[0].size);
    put_length(&n, start->absorbed + users[1].size);
    compress_two(&s, m, &t, n);
    hashes[0] = first_word(s, before);
    hashes[1] = first_word(t, before);
}

static int fits(const canary_user *user) {
    return user->id != NULL && user->size <= 55;
}

TARGET void canary__hash_armv8_many(const struct canary__hash_start *start,
                                    const canary_user *users, size_t count, uint32_t *hashes) {
    for (size_t i = 0; i < count; i++) {
        if (start->tail_size == 0 && i + 1 < count && fits(&users[i]) && fits(&users[i + 1])) {
            pair(start, &users[i], &hashes[i]);
            i++;
        } else {
            hashes[i] = canary__hash_armv8_one(start, users[i].id,
                                               users[i].id != NULL ? (size_t)users[i].size : 0);
        }
    }
}

#endif
