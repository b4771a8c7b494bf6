/* SPDX-License-Identifier: MIT */
#include "judge/window.h"

#include <stdlib.h>
#include <string.h>

#include "judge/spans.h"

struct canary__window {
    int64_t pane_ns;
    int64_t panes; /* that count; the last one is under way */
    int64_t head;  /* number of the last one, since 1970; -1 = nothing yet */
    uint64_t
        leaves; /* at least `panes`, a power of two: a pane's place is its number modulo that */
    struct canary__reading nodes[]; /* root at 1, children of i at 2i and 2i+1, leaves last */
};

static int64_t pane_of(int64_t length_ns) {
    if (length_ns <= CANARY__HOUR_NS) {
        return CANARY_TICK_NS;
    }
    return length_ns <= 6 * CANARY__HOUR_NS ? CANARY__MINUTE_NS : CANARY__HOUR_NS;
}

struct canary__window *canary__window_open(int64_t length_ns) {
    int64_t pane_ns = pane_of(length_ns);
    int64_t panes = (length_ns + pane_ns - 1) / pane_ns + 1;
    struct canary__window *window;
    uint64_t leaves = 1;

    while (leaves < (uint64_t)panes) {
        leaves *= 2;
    }
    window = malloc(sizeof *window + 2 * leaves * sizeof window->nodes[0]);
    if (window != NULL) {
        window->pane_ns = pane_ns;
        window->panes = panes;
        window->leaves = leaves;
        canary__window_clear(window);
    }
    return window;
}

void canary__window_close(struct canary__window *window) {
    free(window);
}

void canary__window_clear(struct canary__window *window) {
    window->head = -1;
    memset(window->nodes, 0, 2 * window->leaves * sizeof window->nodes[0]);
}

const struct canary__reading *canary__window_sum(const struct canary__window *window) {
    return &window->nodes[1];
}

static void sum(const struct canary__reading *a, const struct canary__reading *b,
                struct canary__reading *out) {
    for (int i = 0; i < 2; i++) {
        out->n[i] = a->n[i] + b->n[i];
        out->x[i] = a->x[i] + b->x[i];
        out->squares[i] = a->squares[i] + b->squares[i];
    }
}

/* Sums anew on the way from a leaf to the root. */
static void climb(struct canary__window *window, uint64_t leaf) {
    for (uint64_t i = leaf / 2; i >= 1; i /= 2) {
        sum(&window->nodes[2 * i], &window->nodes[2 * i + 1], &window->nodes[i]);
    }
}

static uint64_t leaf_of(const struct canary__window *window, int64_t pane) {
    return window->leaves + ((uint64_t)pane & (window->leaves - 1));
}

static void move_to(struct canary__window *window, int64_t head) {
    if (window->head >= 0 && head - window->head >= window->panes) {
        canary__window_clear(window);
    }
    for (int64_t pane = window->head; window->head >= 0 && pane < head; pane++) {
        int64_t leaving = pane + 1 - window->panes;

        if (leaving >= 0) {
            uint64_t leaf = leaf_of(window, leaving);

            memset(&window->nodes[leaf], 0, sizeof window->nodes[leaf]);
            climb(window, leaf);
        }
    }
    window->head = head;
}

void canary__window_slide(struct canary__window *window, int64_t now_ns) {
    int64_t pane = now_ns / window->pane_ns;

    if (now_ns >= 0 && pane > window->head) {
        move_to(window, pane);
    }
}

void canary__window_add(struct canary__window *window, int64_t from_ns,
                        const struct canary__reading *reading) {
    int64_t pane = from_ns / window->pane_ns;
    uint64_t leaf = leaf_of(window, pane);

    canary__window_slide(window, from_ns);
    if (from_ns < 0 || pane <= window->head - window->panes) {
        return;
    }
    sum(&window->nodes[leaf], reading, &window->nodes[leaf]);
    climb(window, leaf);
}
