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

INLINE struct state begin(const uint32_t *words8) {
    __m128i badc = _mm_shuffle_epi32(load(words8), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(load(words8 + 4), 0x1b);

    return (struct state){ _mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xf0) };
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
    struct block m;

    for (int i = 0; i < 4; i++) {
        m.w[i] = words(load(p + 16 * i));
    }
    compress(s, m);
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

/* The last `size` (below 16) bytes of an id, the bit behind them, zeros. `behind` says that 16 bytes
 * or more of the id end with them. */
INLINE __m128i last_bytes(const unsigned char *p, size_t size, int behind) {
    /* Read from 16 - size: moves the last bytes to the front, and puts the bit in its place. */
    static const unsigned char moves[32] = { 0,    1,    2,    3,    4,    5,    6,    7,
                                             8,    9,    10,   11,   12,   13,   14,   15,
                                             0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                             0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80 };
    static const unsigned char bit[32] = { [16] = 0x80 };
    __m128i bytes = behind ? _mm_shuffle_epi8(load(p + size - 16), load(moves + 16 - size))
                           : load_short(p, size);

    return _mm_or_si128(bytes, load(bit + 16 - size));
}

/* The last block but for the length: `size` (below 64) bytes, of which `before` more precede. */
INLINE struct block last_block(const unsigned char *p, size_t size, size_t before) {
    __m128i end = words(last_bytes(p + (size & ~(size_t)15), size & 15, before + size >= 16));
    __m128i zero = _mm_setzero_si128();

    if (size < 16) {
        return (struct block){ { end, zero, zero, zero } };
    }
    if (size < 32) {
        return (struct block){ { words(load(p)), end, zero, zero } };
    }
    if (size < 48) {
        return (struct block){ { words(load(p)), words(load(p + 16)), end, zero } };
    }
    return (struct block){ { words(load(p)), words(load(p + 16)), words(load(p + 32)), end } };
}

INLINE __m128i length(uint64_t total) {
    return _mm_set_epi32((int)(uint32_t)(total << 3), (int)(uint32_t)(total >> 29), 0, 0);
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
        compress(&s, m);
        s.abef = start.abef = _mm_add_epi32(s.abef, start.abef);
        s.cdgh = _mm_add_epi32(s.cdgh, start.cdgh);
        m.w[0] = m.w[1] = m.w[2] = m.w[3] = _mm_setzero_si128();
    }
    m.w[3] = _mm_or_si128(m.w[3], length(total));
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

TARGET uint32_t canary__hash_shani_one(const struct canary__hash_start *start, const void *id,
                                       size_t size) {
    struct state before;
    struct state s;
    struct block m;

    if (__builtin_expect(start->tail_size != 0 || size > 55, 0)) {
        return any(start, id, size);
    }
    s = before = begin(start->state);
    m = last_block(id, size, 0);
    m.w[3] = _mm_or_si128(m.w[3], length(start->absorbed + size));
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

    m.w[3] = _mm_or_si128(m.w[3], length(start->absorbed + users[0].size));
    n.w[3] = _mm_or_si128(n.w[3], length(start->absorbed + users[1].size));
    compress_two(&s, m, &t, n);
    hashes[0] = first_word(s, before);
    hashes[1] = first_word(t, before);
}

static int fits(const canary_user *user) {
    return user->id != NULL && user->size <= 55;
}

TARGET void canary__hash_shani_many(const struct canary__hash_start *start,
                                    const canary_user *users, size_t count, uint32_t *hashes) {
    for (size_t i = 0; i < count; i++) {
        if (start->tail_size == 0 && i + 1 < count && fits(&users[i]) && fits(&users[i + 1])) {
            pair(start, &users[i], &hashes[i]);
            i++;
        } else {
            hashes[i] = canary__hash_shani_one(start, users[i].id,
                                               users[i].id != NULL ? (size_t)users[i].size : 0);
        }
    }
}

#endif
