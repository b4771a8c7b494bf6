/* SPDX-License-Identifier: MIT */
/* Runs a target without libFuzzer: on the files named, or on random inputs for a while. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LONGEST = 4096, SECONDS = 2 };

static uint64_t state;

static uint64_t random_number(void) { /* splitmix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int run_file(const char *path) {
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL) {
        fprintf(stderr, "cannot open %s\n", path);
        return 1;
    }
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return LLVMFuzzerTestOneInput(bytes, size);
}

int main(int count, char **arguments) {
    static uint8_t bytes[LONGEST];
    const char *given = getenv("CANARY_TEST_SEED");
    time_t end = time(NULL) + SECONDS;
    unsigned long inputs = 0;

    for (int i = 1; i < count; i++) {
        if (run_file(arguments[i]) != 0) {
            return 1;
        }
    }
    if (count > 1) {
        return 0;
    }
    state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)end;
    printf("CANARY_TEST_SEED=%llu\n", (unsigned long long)state);
    fflush(stdout);
    do {
        size_t size = random_number() % LONGEST >> random_number() % 12;
        unsigned kind = (unsigned)(random_number() % 3);

        for (size_t i = 0; i < size; i++) {
            uint64_t number = random_number();

            /* Small numbers reach further into code that chooses by a byte. */
            bytes[i] = (uint8_t)(kind == 0 || (kind == 1 && number % 4 == 0) ? number >> 8
                                                                             : number >> 8 & 7);
        }
        LLVMFuzzerTestOneInput(bytes, size);
        inputs++;
    } while (time(NULL) < end);
    printf("%lu inputs\n", inputs);
    return 0;
}
