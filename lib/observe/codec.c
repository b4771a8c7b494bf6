/* SPDX-License-Identifier: MIT */
#include "observe/codec.h"

#include <sodium/crypto_shorthash_siphash24.h>
#include <string.h>

#include "base/fail.h"

enum {
    WIDE_BYTES = 19, /* of 7 bits, for 128 */
    LAST_BYTE = 3,   /* greatest value of the last of these */
};

_Static_assert(CANARY__SEAL == crypto_shorthash_siphash24_BYTES, "the checksum fills its place");

static void seal(const uint8_t *data, size_t size, uint8_t *out) {
    static const uint8_t key[crypto_shorthash_siphash24_KEYBYTES];

    crypto_shorthash_siphash24(out, data, size, key);
}

/* -- writing -- */

void canary__write_bytes(struct canary__writer *writer, const void *bytes, size_t size) {
    if (writer->data != NULL) {
        memcpy(writer->data + writer->size, bytes, size);
    }
    writer->size += size;
}

void canary__write_byte(struct canary__writer *writer, uint8_t byte) {
    canary__write_bytes(writer, &byte, 1);
}

void canary__write_wide(struct canary__writer *writer, struct canary__wide number) {
    while (number.high != 0 || number.low > 127) {
        canary__write_byte(writer, (uint8_t)(number.low | 128));
        number.low = number.low >> 7 | number.high << 57;
        number.high >>= 7;
    }
    canary__write_byte(writer, (uint8_t)number.low);
}

void canary__write_number(struct canary__writer *writer, uint64_t number) {
    canary__write_wide(writer, (struct canary__wide){ number, 0 });
}

/* Zigzag: twice the number, and all bits turned when it is negative. */
void canary__write_wide_signed(struct canary__writer *writer, struct canary__wide number) {
    uint64_t turn = 0 - (number.high >> 63);

    canary__write_wide(writer, (struct canary__wide){
                                   number.low << 1 ^ turn,
                                   (number.high << 1 | number.low >> 63) ^ turn,
                               });
}

void canary__write_signed(struct canary__writer *writer, int64_t number) {
    canary__write_wide_signed(
        writer, (struct canary__wide){ (uint64_t)number, number < 0 ? UINT64_MAX : 0 });
}

int canary__write_sealed(const struct canary__hooks *hooks,
                         void (*write)(struct canary__writer *writer, const void *what),
                         const void *what, uint8_t **data, size_t *size) {
    struct canary__writer writer = { NULL, 0 };

    write(&writer, what);
    writer.data = canary__alloc(hooks, writer.size + CANARY__SEAL);
    if (writer.data == NULL) {
        return CANARY_E_NOMEM;
    }
    writer.size = 0;
    write(&writer, what);
    seal(writer.data, writer.size, writer.data + writer.size);
    *data = writer.data;
    *size = writer.size + CANARY__SEAL;
    return CANARY_OK;
}

/* -- reading -- */

int canary__read_sealed(struct canary__reader *reader, const void *data, size_t size, int version,
                        const char *name, canary_error *error) {
    const uint8_t *bytes = data;
    uint8_t sealed[CANARY__SEAL];

    if (size < 1 + CANARY__SEAL) {
        return canary__fail(error, CANARY_E_CORRUPT, 0, "%s is damaged: cut short at %zu bytes",
                            name, size);
    }
    /* First of all, so that a damaged version is not taken for a later one. */
    seal(bytes, size - CANARY__SEAL, sealed);
    if (memcmp(sealed, bytes + size - CANARY__SEAL, CANARY__SEAL) != 0) {
        return canary__fail(error, CANARY_E_CORRUPT, 0, "%s is damaged: it fails its checksum",
                            name);
    }
    if (bytes[0] > version) {
        return canary__fail(error, CANARY_E_NEWER, 0,
                            "%s is of version %d, written by a later libcanary; this one knows "
                            "version %d",
                            name, bytes[0], version);
    }
    *reader = (struct canary__reader){ bytes + 1, size - 1 - CANARY__SEAL, NULL };
    if (bytes[0] == 0) {
        canary__read_wrong(reader, "version 0");
    }
    return CANARY_OK;
}

void canary__read_wrong(struct canary__reader *reader, const char *what) {
    if (reader->wrong == NULL) {
        reader->wrong = what;
    }
    reader->left = 0;
}

void canary__read_bytes(struct canary__reader *reader, void *bytes, size_t size) {
    if (size > reader->left) {
        canary__read_wrong(reader, "it ends too early");
        memset(bytes, 0, size);
        return;
    }
    memcpy(bytes, reader->next, size);
    reader->next += size;
    reader->left -= size;
}

uint8_t canary__read_byte(struct canary__reader *reader) {
    uint8_t byte;

    canary__read_bytes(reader, &byte, 1);
    return byte;
}

struct canary__wide canary__read_wide(struct canary__reader *reader) {
    struct canary__wide number = { 0, 0 };
    unsigned shift = 0;
    uint8_t byte;

    do {
        uint64_t part;

        byte = canary__read_byte(reader);
        part = byte & 127;
        if (shift < 64) {
            number.low |= part << shift;
            number.high |= shift > 57 ? part >> (64 - shift) : 0;
        } else {
            number.high |= part << (shift - 64);
        }
        shift += 7;
        if (shift == 7 * WIDE_BYTES && byte > LAST_BYTE) {
            canary__read_wrong(reader, "a number has more than 128 bits");
        }
    } while ((byte & 128) != 0 && reader->wrong == NULL);
    if (byte == 0 && shift > 7) {
        canary__read_wrong(reader, "a number is longer than need be");
    }
    return reader->wrong == NULL ? number : (struct canary__wide){ 0, 0 };
}

uint64_t canary__read_number(struct canary__reader *reader, uint64_t most) {
    struct canary__wide number = canary__read_wide(reader);

    if (number.high != 0 || number.low > most) {
        canary__read_wrong(reader, "a number is too great");
        return 0;
    }
    return number.low;
}

struct canary__wide canary__read_wide_signed(struct canary__reader *reader) {
    struct canary__wide number = canary__read_wide(reader);
    uint64_t turn = 0 - (number.low & 1);

    return (struct canary__wide){
        (number.low >> 1 | number.high << 63) ^ turn,
        number.high >> 1 ^ turn,
    };
}

int64_t canary__read_signed(struct canary__reader *reader) {
    uint64_t number = canary__read_number(reader, UINT64_MAX);

    return (int64_t)(number >> 1 ^ (0 - (number & 1)));
}
