/* SPDX-License-Identifier: MIT */
/* SHA-256 by the SHA extensions of x86 (Intel SDM volume 2B, SHA256RNDS2, SHA256MSG1, SHA256MSG2).
 *
 * An id is turned into message words in registers. Writing it to a buffer and loading that would be
 * simpler, but such loads span several stores, which processors do not forward: they wait some
 * fifteen cycles. Which vectors are full is decided by branches, which are predicted, rather than
 * by the size itself; so the rounds begin before strlen() has an answer. */
#include "core/hash_kernels.h"

#ifdef CANARY__HASH_X86

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("sha,sse4.1")))
#define INLINE static inline TARGET __attribute__((always_inline))

/* a..h of FIPS 180-4 in the order of the instructions, highest element first. */
struct state {
    __m128i abef;
    __m128i cdgh;
};

struct block {
    __m128i w[4];
};

INLINE __m128i load(const void *p) {
    return _mm_loadu_si128((const __m128i *)p);
}

INLINE __m128i words(__m128i bytes) {
    return _mm_shuffle_epi8(bytes, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

INLINE struct state begin(const struct canary__hash_start *start) {
    return (struct state){ load(start->abef), load(start->cdgh) };
}

/* Rounds 4i to 4i+3. */
INLINE void rounds(struct state *s, int i, __m128i w) {
    __m128i sum = _mm_add_epi32(w, _mm_load_si128((const __m128i *)&canary__sha256_k[4 * i]));

    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* The next four words of the schedule, in place of the oldest four. */
INLINE void schedule(struct block *m, int i) {
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(m->w[i & 3], m->w[(i + 1) & 3]),
                                _mm_alignr_epi8(m->w[(i + 3) & 3], m->w[(i + 2) & 3], 4));

    m->w[i & 3] = _mm_sha256msg2_epu32(sum, m->w[(i + 3) & 3]);
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

INLINE void absorb(struct state *s, const unsigned char *p) {
    struct state before = *s;

    compress(s, (struct block){ { words(load(p)), words(load(p + 16)), words(load(p + 32)),
                                  words(load(p + 48)) } });
    s->abef = _mm_add_epi32(s->abef, before.abef);
    s->cdgh = _mm_add_epi32(s->cdgh, before.cdgh);
}

/* Fewer than 16 bytes where nothing before or behind them may be read. */
INLINE __m128i load_short(const unsigned char *p, size_t size) {
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
    return _mm_set_epi64x((int64_t)high, (int64_t)low);
}

/* Read from 16 - n: the last n bytes to the front, zeros behind; read from 32 - n, the first ones to
 * the back, n zeros before them. */
static const unsigned char moves[48] = { 0,    1,    2,    3,    4,    5,    6,    7,    8,    9,
                                         10,   11,   12,   13,   14,   15,   0x80, 0x80, 0x80, 0x80,
                                         0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                         0x80, 0x80, 0,    1,    2,    3,    4,    5,    6,    7,
                                         8,    9,    10,   11,   12,   13,   14,   15 };

/* The last `size` (below 16) bytes of an id, the bit behind them, zeros. `behind` says that 16 bytes
 * or more of the id end with them. */
INLINE __m128i last_bytes(const unsigned char *p, size_t size, int behind) {
    static const unsigned char bit[32] = { [16] = 0x80 }; /* read from 16 - size */
    __m128i bytes = behind ? _mm_shuffle_epi8(load(p + size - 16), load(moves + 16 - size))
                           : load_short(p, size);

    return _mm_or_si128(bytes, load(bit + 16 - size));
}

/* The bytes of the last block but for the length: `size` (below 64), of which `before` more
 * precede. */
INLINE struct block last_block(const unsigned char *p, size_t size, size_t before) {
    __m128i end = last_bytes(p + (size & ~(size_t)15), size & 15, before + size >= 16);
    __m128i zero = _mm_setzero_si128();

    if (size < 16) {
        return (struct block){ { end, zero, zero, zero } };
    }
    if (size < 32) {
        return (struct block){ { load(p), end, zero, zero } };
    }
    if (size < 48) {
        return (struct block){ { load(p), load(p + 16), end, zero } };
    }
    return (struct block){ { load(p), load(p + 16), load(p + 32), end } };
}

INLINE __m128i length(uint64_t total) {
    return _mm_set_epi32((int)(uint32_t)(total << 3), (int)(uint32_t)(total >> 29), 0, 0);
}

/* Of a message that is known to be short. */
INLINE __m128i short_length(uint32_t total) {
    return _mm_slli_si128(_mm_cvtsi32_si128((int)(total << 3)), 12);
}

/* Written out, here and below: compilers leave loops over four vectors as loops, and the vectors in
 * memory. */
INLINE struct block words_of(struct block bytes) {
    return (struct block){ { words(bytes.w[0]), words(bytes.w[1]), words(bytes.w[2]),
                             words(bytes.w[3]) } };
}

/* The words of a last block. */
INLINE struct block completed(struct block bytes, __m128i end) {
    struct block m = words_of(bytes);

    m.w[3] = _mm_or_si128(m.w[3], end);
    return m;
}

INLINE uint32_t first_word(struct state s, struct state before) {
    return (uint32_t)_mm_extract_epi32(_mm_add_epi32(s.abef, before.abef), 3);
}

/* What fits no single block, or stands behind a prefix. Apart from the common case, which would
 * otherwise pay for keeping this one's constants at hand. */
static TARGET __attribute__((noinline)) uint32_t
finish(struct state s, const unsigned char *p, size_t size, size_t before, uint64_t total) {
    struct block m = last_block(p, size, before);
    struct state start = s;

    if (size > 55) {
        compress(&s, words_of(m));
        s.abef = start.abef = _mm_add_epi32(s.abef, start.abef);
        s.cdgh = _mm_add_epi32(s.cdgh, start.cdgh);
        m.w[0] = m.w[1] = m.w[2] = m.w[3] = _mm_setzero_si128();
    }
    compress(&s, completed(m, length(total)));
    return first_word(s, start);
}

static TARGET __attribute__((noinline)) uint32_t any(const struct canary__hash_start *start,
                                                     const unsigned char *id, size_t size) {
    uint64_t total = (uint64_t)start->absorbed + start->tail_size + size;
    struct state s = begin(start);
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

/* The one block of an id behind a prefix that fits it: the id moved to its place in registers. */
static TARGET __attribute__((noinline)) void behind_prefix(const struct canary__hash_start *start,
                                                           const unsigned char *id, size_t size,
                                                           struct block *out) {
    unsigned part = start->tail_size % 16;
    __m128i back = load(moves + 32 - part);
    __m128i front = load(moves + 16 - part);
    struct block m = last_block(id, size, 0);
    __m128i a = _mm_shuffle_epi8(m.w[0], back);
    __m128i b = _mm_or_si128(_mm_shuffle_epi8(m.w[1], back), _mm_shuffle_epi8(m.w[0], front));
    __m128i c = _mm_or_si128(_mm_shuffle_epi8(m.w[2], back), _mm_shuffle_epi8(m.w[1], front));
    __m128i d = _mm_or_si128(_mm_shuffle_epi8(m.w[3], back), _mm_shuffle_epi8(m.w[2], front));
    __m128i zero = _mm_setzero_si128();

    switch (start->tail_size / 16) {
    case 0:
        m = (struct block){ { a, b, c, d } };
        break;
    case 1:
        m = (struct block){ { zero, a, b, c } };
        break;
    case 2:
        m = (struct block){ { zero, zero, a, b } };
        break;
    default:
        m = (struct block){ { zero, zero, zero, a } };
        break;
    }
    m.w[0] = _mm_or_si128(m.w[0], load(start->tail));
    m.w[1] = _mm_or_si128(m.w[1], load(start->tail + 16));
    m.w[2] = _mm_or_si128(m.w[2], load(start->tail + 32));
    m.w[3] = _mm_or_si128(m.w[3], load(start->tail + 48));
    *out = completed(m, short_length(start->absorbed + start->tail_size + (uint32_t)size));
}

/* With what the start has absorbed. */
static int fits_one_block(const struct canary__hash_start *start, size_t size) {
    return size <= 55 && start->tail_size + size <= 55;
}

static TARGET __attribute__((noinline)) uint32_t
one_behind_prefix(const struct canary__hash_start *start, const unsigned char *id, size_t size) {
    struct state before = begin(start);
    struct state s = before;
    struct block m;

    behind_prefix(start, id, size, &m);
    compress(&s, m);
    return first_word(s, before);
}

TARGET uint32_t canary__hash_shani_one(const struct canary__hash_start *start, const void *id,
                                       size_t size) {
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
    struct block m;

    if (start->tail_size != 0) {
        behind_prefix(start, user->id, (size_t)user->size, &m);
        return m;
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

TARGET void canary__hash_shani_many(const struct canary__hash_start *start,
                                    const canary_user *users, size_t count, uint32_t *hashes) {
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && can_pair(start, &users[i]) && can_pair(start, &users[i + 1])) {
            pair(start, &users[i], &hashes[i]);
            i++;
        } else {
            hashes[i] = canary__hash_shani_one(start, users[i].id,
                                               users[i].id != NULL ? (size_t)users[i].size : 0);
        }
    }
}

#endif
