/* SPDX-License-Identifier: MIT */
/* Writing and reading of what is stored: numbers as LEB128, sealed by a checksum. */
#ifndef CANARY__CODEC_H
#define CANARY__CODEC_H

#include "observe/tally.h"

enum { CANARY__SEAL = 8 }; /* bytes of the checksum, at the end */

/* With `data` NULL it only counts. */
struct canary__writer {
    uint8_t *data;
    size_t size;
};

void canary__write_byte(struct canary__writer *writer, uint8_t byte);
void canary__write_bytes(struct canary__writer *writer, const void *bytes, size_t size);
void canary__write_number(struct canary__writer *writer, uint64_t number);
void canary__write_signed(struct canary__writer *writer, int64_t number);
void canary__write_wide(struct canary__writer *writer, struct canary__wide number);
void canary__write_wide_signed(struct canary__writer *writer, struct canary__wide number);

/* Calls `write` to count, allocates, calls it again, and seals: CANARY_E_NOMEM. */
int canary__write_sealed(const struct canary__hooks *hooks,
                         void (*write)(struct canary__writer *writer, const void *what),
                         const void *what, uint8_t **data, size_t *size);

/* After the first fault, reading gives zeros. */
struct canary__reader {
    const uint8_t *next;
    size_t left;
    const char *wrong; /* NULL, or what is */
};

/* Begins behind the version byte, whose highest known value is `version`. `name` is what it would be:
 * "row of figures". CANARY_E_CORRUPT, _NEWER. */
int canary__read_sealed(struct canary__reader *reader, const void *data, size_t size, int version,
                        const char *name, canary_error *error);

void canary__read_wrong(struct canary__reader *reader, const char *what);
uint8_t canary__read_byte(struct canary__reader *reader);
void canary__read_bytes(struct canary__reader *reader, void *bytes, size_t size);
/* A number in its shortest form, at most `most`. */
uint64_t canary__read_number(struct canary__reader *reader, uint64_t most);
int64_t canary__read_signed(struct canary__reader *reader);
struct canary__wide canary__read_wide(struct canary__reader *reader);
struct canary__wide canary__read_wide_signed(struct canary__reader *reader);

#endif
