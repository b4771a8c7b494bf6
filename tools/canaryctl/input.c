/* SPDX-License-Identifier: MIT */
/* See input.h. */
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY ((size_t)256 << 10)

void input_begin(struct input *input, int descriptor) {
    *input = (struct input){ .descriptor = descriptor, .line = 1 };
    input->buffer = text_memory(NULL, CAPACITY);
    crypto_hash_sha256_init(&input->digest);
}

static void hash_consumed(struct input *input) {
    crypto_hash_sha256_update(&input->digest, (const unsigned char *)input->buffer + input->hashed,
                              input->start - input->hashed);
    input->hashed = input->start;
}

/* Makes sure that a byte is there, unless the input has ended. */
static bool fill(struct input *input) {
    if (input->start < input->end)
        return true;
    hash_consumed(input);
    input->start = input->end = input->hashed = 0;
    while (!input->ended) {
        ssize_t got = read(input->descriptor, input->buffer, CAPACITY);
        if (got < 0 && errno == EINTR)
            continue;
        input->failed = got < 0 ? errno : 0;
        input->ended = got <= 0;
        input->end = got > 0 ? (size_t)got : 0;
        input->bytes += input->end;
        break;
    }
    return input->end > 0;
}

static int look(struct input *input) {
    return fill(input) ? (unsigned char)input->buffer[input->start] : -1;
}

static int take(struct input *input) {
    int byte = look(input);
    if (byte >= 0)
        input->start++;
    input->line += byte == '\n';
    return byte;
}

static bool blank(int byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

int input_peek(struct input *input) {
    /* A pipe may hand over the mark in pieces; what begins like one and is none is no JSON and no
     * header either, and is told so. */
    static const unsigned char mark[] = { 0xef, 0xbb, 0xbf };
    for (size_t i = 0; i < sizeof(mark) && input->bytes <= CAPACITY && look(input) == mark[i]; i++)
        take(input);
    while (blank(look(input)))
        take(input);
    return look(input);
}

/* Adds a byte while there is room for it. */
static void keep(struct text *out, int byte) {
    char one = (char)byte;
    if (out->size <= INPUT_LONGEST)
        text_bytes(out, &one, 1);
}

static enum input_result kept(const struct text *out) {
    return out->size > INPUT_LONGEST ? INPUT_TOO_LONG : INPUT_RECORD;
}

enum input_result input_line(struct input *input, struct text *out, uint64_t *line) {
    text_clear(out);
    *line = input->line;
    if (!fill(input))
        return INPUT_END;
    bool more = true;
    while (more && fill(input)) {
        /* By pieces of the buffer: lines are what large inputs are made of. */
        const char *begin = input->buffer + input->start;
        size_t left = input->end - input->start;
        const char *newline = memchr(begin, '\n', left);
        size_t size = newline != NULL ? (size_t)(newline - begin) : left;
        size_t room = INPUT_LONGEST + 1 - out->size; /* one more than allowed tells that it is */
        text_bytes(out, begin, size < room ? size : room);
        input->start += size + (newline != NULL ? 1 : 0);
        input->line += newline != NULL;
        more = newline == NULL;
    }
    if (out->size > 0 && out->size <= INPUT_LONGEST && out->data[out->size - 1] == '\r')
        out->data[--out->size] = '\0';
    return kept(out);
}

static void skip_blanks(struct input *input) {
    while (blank(look(input)))
        take(input);
}

/* Behind the last element: nothing but blanks may follow. */
static enum input_result after_array(struct input *input, uint64_t *line) {
    skip_blanks(input);
    *line = input->line;
    return look(input) < 0 ? INPUT_END : INPUT_TRAILING;
}

enum input_result input_element(struct input *input, bool first, struct text *out, uint64_t *line) {
    text_clear(out);
    if (first)
        take(input);
    skip_blanks(input);
    *line = input->line;
    /* Of an empty array, or seen before as the end of its last element. */
    if (look(input) == ']') {
        take(input);
        return after_array(input, line);
    }
    if (!first && look(input) == ',') {
        take(input);
        skip_blanks(input);
        *line = input->line;
    }
    int depth = 0;
    bool string = false;
    for (;;) {
        int byte = look(input);
        if (byte < 0)
            return INPUT_TRUNCATED;
        if (!string && depth == 0 && (byte == ',' || byte == ']'))
            return kept(out);
        take(input);
        keep(out, byte);
        if (string && byte == '\\' && look(input) >= 0)
            keep(out, take(input));
        else if (byte == '"')
            string = !string;
        else if (!string && (byte == '{' || byte == '['))
            depth++;
        else if (!string && (byte == '}' || byte == ']') && depth > 0)
            depth--;
    }
}

void input_digest(struct input *input, char out[INPUT_DIGEST]) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    hash_consumed(input);
    /* Finishing a copy, since more may follow. */
    crypto_hash_sha256_state state = input->digest;
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2hex(out, INPUT_DIGEST, hash, sizeof(hash));
}

void input_end(struct input *input) {
    free(input->buffer);
    input->buffer = NULL;
}
