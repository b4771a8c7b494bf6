/* SPDX-License-Identifier: MIT */
#include "core/pins.h"

#include <canary/decide.h>

#include <stdlib.h>
#include <string.h>

/* Layout of a block, in words:
 *   0 filter mask, 1 table mask, 2 table start, 3 number of old hashes, 4 their start, 5.. filter
 *   table: 0 = empty, else  fingerprint << 40 | cohort << 39 | word index of the record
 *   record: size of the id, then its bytes, zero-padded to whole words
 *   old hashes: sorted, two to a word
 *
 * Writers store with release order: a reader who sees a word of a new set thereby also sees the
 * zeroed generation of every slot that named the old one, so its validation fails. Readers load
 * with acquire order: the validation that follows cannot move up before the word was read. */
enum { FILTER_MASK, TABLE_MASK, TABLE_START, OLD_COUNT, OLD_START, FILTER_START };

/* Probes between two glances at whether the chain can still be honest: a table is at most half
 * full. */
#define RECORD_MASK ((UINT64_C(1) << 39) - 1)
#define COHORT_BIT (UINT64_C(1) << 39)
#define FINGERPRINT_MASK (~((UINT64_C(1) << 40) - 1))

static void put(struct canary__pins *block, uint64_t index, uint64_t value) {
    atomic_store_explicit(&block->words[index], value, memory_order_release);
}

/* 0 outside the block: a torn index must not become a wild read. */
static uint64_t get(const struct canary__pins *block, uint64_t index) {
    return index < block->length ? atomic_load_explicit(&block->words[index], memory_order_acquire)
                                 : 0;
}

static uint64_t word_at(const unsigned char *p, uint64_t left) {
    uint64_t word = 0;

    memcpy(&word, p, left < sizeof word ? (size_t)left : sizeof word);
    return word;
}

static uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t low = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);

    return low ^ low >> 32;
}

static uint64_t eight(const unsigned char *p) {
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

static uint64_t spread(uint64_t word, uint64_t factor) {
    uint64_t product = (word ^ factor >> 7) * factor;

    return product ^ product >> 32;
}

/* Not SHA-256: the users who are not pinned pay for this one at 0 % and 100 % too. It spreads; it
 * need not withstand anybody, since only an operator's own ids get into the table. The words are
 * multiplied independently of each other, each with a factor of its place, so that a processor
 * works on all of them at once; the last one overlaps the one before it rather than being cut. */
static uint64_t quick_hash(const void *id, uint64_t size) {
    const unsigned char *p = id;
    uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = size * UINT64_C(0xff51afd7ed558ccd);

    if (size >= 8) {
        const unsigned char *last = p + size - 8;

        for (; p < last; p += 8) {
            hash += spread(eight(p), factor);
            factor += UINT64_C(0x3c6ef372fe94f82a);
        }
        hash += spread(eight(last), factor);
    } else {
        hash += spread(word_at(p, size), factor);
    }
    return mix(hash, hash >> 29);
}

/* Three bits of one filter word: one cache line a look-up. */
static uint64_t filter_bits(uint64_t hash) {
    return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) |
           UINT64_C(1) << (hash >> 12 & 63);
}

static uint64_t filter_word(uint64_t hash, uint64_t mask) {
    return FILTER_START + (hash >> 18 & mask);
}

static uint64_t power_of_two(uint64_t at_least) {
    uint64_t n = 1;

    while (n < at_least) {
        n <<= 1;
    }
    return n;
}

static uint64_t filter_size(uint64_t count) {
    return power_of_two(count / 4 + 1); /* 16 bits a pin or more */
}

uint64_t canary__pins_words(uint64_t count, uint64_t bytes) {
    uint64_t records = count * 2 + bytes / 8; /* the size, and the padding of the last word */

    return FILTER_START + filter_size(count) + power_of_two(2 * count + 1) + records +
           (count + 1) / 2;
}

struct canary__pins *canary__pins_new(const struct canary__hooks *hooks, uint64_t words) {
    struct canary__pins *block;

    if (words >= RECORD_MASK) {
        return NULL;
    }
    block = canary__alloc(hooks, sizeof *block + (size_t)words * sizeof block->words[0]);
    if (block != NULL) {
        block->length = words;
    }
    return block;
}

void canary__pins_free(const struct canary__hooks *hooks, struct canary__pins *block) {
    if (block != NULL) {
        canary__free(hooks, block, sizeof *block + (size_t)block->length * sizeof block->words[0]);
    }
}

static int by_hash(const void *a, const void *b) {
    const struct canary__pin *x = a;
    const struct canary__pin *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Returns where the next record may begin. */
static uint64_t put_record(struct canary__pins *block, uint64_t at, const struct canary__pin *pin) {
    put(block, at++, pin->size);
    for (uint64_t done = 0; done < pin->size; done += 8) {
        put(block, at++, word_at((const unsigned char *)pin->id + done, pin->size - done));
    }
    return at;
}

void canary__pins_build(struct canary__pins *block, struct canary__pin *pins, uint64_t count) {
    uint64_t filter = filter_size(count);
    uint64_t table = power_of_two(2 * count + 1);
    uint64_t table_start = FILTER_START + filter;
    uint64_t at = table_start + table;
    uint64_t old = 0;
    uint64_t pair = 0;

    put(block, FILTER_MASK, filter - 1);
    put(block, TABLE_MASK, table - 1);
    put(block, TABLE_START, table_start);
    for (uint64_t i = FILTER_START; i < at; i++) {
        put(block, i, 0);
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t hash = quick_hash(pins[i].id, pins[i].size);
        uint64_t word = filter_word(hash, filter - 1);
        uint64_t slot = hash >> 20 & (table - 1);

        put(block, word, get(block, word) | filter_bits(hash));
        while (get(block, table_start + slot) != 0) {
            slot = (slot + 1) & (table - 1);
        }
        put(block, table_start + slot,
            (hash & FINGERPRINT_MASK) | (pins[i].cohort == CANARY_NEW ? COHORT_BIT : 0) | at);
        at = put_record(block, at, &pins[i]);
    }
    qsort(pins, (size_t)count, sizeof *pins, by_hash);
    put(block, OLD_START, at);
    for (uint64_t i = 0; i < count; i++) {
        if (pins[i].cohort == CANARY_OLD) {
            pair = old % 2 == 0 ? pins[i].hash : pair | (uint64_t)pins[i].hash << 32;
            put(block, at + old / 2, pair);
            old++;
        }
    }
    put(block, OLD_COUNT, old);
}

static int same_id(const struct canary__pins *block, uint64_t record, const void *id,
                   uint64_t size) {
    if (get(block, record) != size) {
        return 0;
    }
    for (uint64_t done = 0; done < size; done += 8) {
        if (get(block, record + 1 + done / 8) !=
            word_at((const unsigned char *)id + done, size - done)) {
            return 0;
        }
    }
    return 1;
}

/* Out of line: the users who are not pinned hardly ever come here. */
static __attribute__((noinline)) int walk(const struct canary__pins *block, const void *id,
                                          uint64_t size, uint64_t hash) {
    uint64_t mask = get(block, TABLE_MASK);
    uint64_t start = get(block, TABLE_START);

    /* A table that is being rebuilt may have no empty entry: the count ends the walk. */
    for (uint64_t probe = 0; probe <= mask && probe < block->length; probe++) {
        uint64_t entry = get(block, start + (((hash >> 20) + probe) & mask));

        if (entry == 0) {
            return CANARY__PIN_NONE;
        }
        if ((entry & FINGERPRINT_MASK) == (hash & FINGERPRINT_MASK) &&
            same_id(block, entry & RECORD_MASK, id, size)) {
            return (entry & COHORT_BIT) != 0 ? CANARY_NEW : CANARY_OLD;
        }
    }
    return CANARY__PIN_TORN;
}

int canary__pins_find(const struct canary__pins *block, const void *id, uint64_t size) {
    uint64_t hash = quick_hash(id, size);
    uint64_t bits = filter_bits(hash);

    if ((get(block, filter_word(hash, get(block, FILTER_MASK))) & bits) != bits) {
        return CANARY__PIN_NONE;
    }
    return walk(block, id, size, hash);
}

int canary__pins_old_hash(const struct canary__pins *block, uint32_t hash) {
    uint64_t start = get(block, OLD_START);
    uint64_t low = 0;
    uint64_t high = get(block, OLD_COUNT);

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t pair = get(block, start + middle / 2);
        uint32_t found = (uint32_t)(middle % 2 == 0 ? pair : pair >> 32);

        if (found == hash) {
            return 1;
        }
        if (found < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 0;
}

int canary__pins_each(const struct canary__pins *block,
                      int (*each)(void *user_data, const void *id, uint64_t size, int cohort),
                      void *user_data) {
    uint64_t start = get(block, TABLE_START);
    uint64_t entries = get(block, TABLE_MASK) + 1;

    for (uint64_t i = 0; i < entries; i++) {
        uint64_t entry = get(block, start + i);
        uint64_t record = entry & RECORD_MASK;
        int answer;

        if (entry == 0) {
            continue;
        }
        /* Only the writer stores into blocks, and it is the caller: its own plain reads are safe.
         */
        answer = each(user_data, (const void *)(uintptr_t)&block->words[record + 1],
                      get(block, record), (entry & COHORT_BIT) != 0 ? CANARY_NEW : CANARY_OLD);
        if (answer != 0) {
            return answer;
        }
    }
    return 0;
}
