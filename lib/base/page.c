/* SPDX-License-Identifier: MIT */
#include "base/page.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

size_t canary__page_size(void) {
    long size = sysconf(_SC_PAGESIZE);

    return size > 0 ? (size_t)size : 4096;
}

static size_t round_up(size_t size) {
    size_t page = canary__page_size();

    return (size + page - 1) / page * page;
}

static void *map(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static int wipe_on_fork(void *pages, size_t size) {
#ifdef MADV_WIPEONFORK
    return madvise(pages, size, MADV_WIPEONFORK) == 0;
#else
    (void)pages;
    (void)size;
    return 0;
#endif
}

void *canary__page_new(size_t size) {
    void *pages = map(round_up(size));

    if (pages != NULL) {
        (void)wipe_on_fork(pages, round_up(size));
    }
    return pages;
}

void *canary__page_new_split(size_t kept, int *wiped) {
    size_t page = canary__page_size();
    void *pages = map(page + round_up(kept));

    if (pages != NULL) {
        *wiped = wipe_on_fork(pages, page);
    }
    return pages;
}

void canary__page_free(void *pages, size_t size) {
    if (pages != NULL) {
        munmap(pages, round_up(size));
    }
}
