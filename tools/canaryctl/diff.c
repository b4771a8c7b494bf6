/* SPDX-License-Identifier: MIT */
/* See diff.h. */
#include "diff.h"

#include "say.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define AROUND 3
/* Beyond it a table of all pairs of lines is not worth its memory: then all of the middle is changed. */
#define PAIRS_MAX ((size_t)4 << 20)

struct lines {
    struct diff_line *all;
    size_t count;
};

static struct lines split(const char *text, enum diff_side side) {
    struct lines lines = { NULL, 0 };
    size_t room = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        if (lines.count == room) {
            room = room == 0 ? 64 : room * 2;
            lines.all = text_memory(lines.all, room * sizeof(*lines.all));
        }
        lines.all[lines.count++] = (struct diff_line){ side, size, text };
        text += size + (text[size] == '\n');
    }
    return lines;
}

static bool same(const struct diff_line *a, const struct diff_line *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static void put(struct diff *diff, const struct diff_line *line, enum diff_side side) {
    diff->lines[diff->count] = *line;
    diff->lines[diff->count++].side = side;
    diff->different |= side != DIFF_BOTH;
}

/* The longest common subsequence of what is neither begin nor end of both. */
static void put_middle(struct diff *diff, const struct diff_line *a, size_t n,
                       const struct diff_line *b, size_t m) {
    size_t i = 0;
    size_t j = 0;
    if (n > 0 && m > 0 && (n + 1) * (m + 1) <= PAIRS_MAX) {
        uint32_t *longest = text_memory(NULL, (n + 1) * (m + 1) * sizeof(*longest));
        memset(longest, 0, (n + 1) * (m + 1) * sizeof(*longest));
        for (size_t x = n; x-- > 0;) {
            for (size_t y = m; y-- > 0;) {
                uint32_t below = longest[(x + 1) * (m + 1) + y];
                uint32_t right = longest[x * (m + 1) + y + 1];
                longest[x * (m + 1) + y] = same(&a[x], &b[y])
                                               ? longest[(x + 1) * (m + 1) + y + 1] + 1
                                           : below > right ? below
                                                           : right;
            }
        }
        while (i < n && j < m) {
            if (same(&a[i], &b[j])) {
                put(diff, &a[i++], DIFF_BOTH);
                j++;
            } else if (longest[(i + 1) * (m + 1) + j] >= longest[i * (m + 1) + j + 1]) {
                put(diff, &a[i++], DIFF_OLD);
            } else {
                put(diff, &b[j++], DIFF_NEW);
            }
        }
        free(longest);
    }
    while (i < n)
        put(diff, &a[i++], DIFF_OLD);
    while (j < m)
        put(diff, &b[j++], DIFF_NEW);
}

struct diff diff_make(const char *old_text, const char *new_text) {
    struct lines a = split(old_text, DIFF_OLD);
    struct lines b = split(new_text, DIFF_NEW);
    struct diff diff = { NULL, 0, false };
    size_t least = a.count < b.count ? a.count : b.count;
    size_t head = 0;
    size_t tail = 0;
    diff.lines = text_memory(NULL, (a.count + b.count + 1) * sizeof(*diff.lines));
    while (head < least && same(&a.all[head], &b.all[head]))
        head++;
    while (tail < least - head && same(&a.all[a.count - 1 - tail], &b.all[b.count - 1 - tail]))
        tail++;
    for (size_t i = 0; i < head; i++)
        put(&diff, &a.all[i], DIFF_BOTH);
    put_middle(&diff, a.all + head, a.count - head - tail, b.all + head, b.count - head - tail);
    for (size_t i = a.count - tail; i < a.count; i++)
        put(&diff, &a.all[i], DIFF_BOTH);
    free(a.all);
    free(b.all);
    return diff;
}

static bool near_change(const struct diff *diff, size_t at) {
    size_t from = at > AROUND ? at - AROUND : 0;
    for (size_t i = from; i < diff->count && i <= at + AROUND; i++) {
        if (diff->lines[i].side != DIFF_BOTH)
            return true;
    }
    return false;
}

static void add_line(const struct diff_line *line, struct text *out) {
    static const char signs[] = { [DIFF_BOTH] = ' ', [DIFF_OLD] = '-', [DIFF_NEW] = '+' };
    const char *colour = line->side == DIFF_OLD   ? say_begin(SAY_BAD)
                         : line->side == DIFF_NEW ? say_begin(SAY_GOOD)
                                                  : "";
    text_addf(out, "%s%c", colour, signs[line->side]);
    text_safe(out, line->text, line->size);
    text_addf(out, "%s\n", line->side != DIFF_BOTH ? say_end() : "");
}

static void add_range(struct text *out, char sign, size_t first, size_t count) {
    /* As diff writes it: a range of nothing is named by the line before it. */
    text_addf(out, "%c%zu", sign, count > 0 ? first : first - 1);
    if (count != 1)
        text_addf(out, ",%zu", count);
}

void diff_unified(const struct diff *diff, struct text *out) {
    size_t old_line = 1;
    size_t new_line = 1;
    for (size_t i = 0; i < diff->count;) {
        size_t end = i;
        size_t old_count = 0;
        size_t new_count = 0;
        while (end < diff->count && near_change(diff, end)) {
            old_count += diff->lines[end].side != DIFF_NEW;
            new_count += diff->lines[end].side != DIFF_OLD;
            end++;
        }
        if (end == i) {
            old_line++;
            new_line++;
            i++;
            continue;
        }
        text_addf(out, "%s@@ ", say_begin(SAY_DIM));
        add_range(out, '-', old_line, old_count);
        text_add(out, " ");
        add_range(out, '+', new_line, new_count);
        text_addf(out, " @@%s\n", say_end());
        for (; i < end; i++)
            add_line(&diff->lines[i], out);
        old_line += old_count;
        new_line += new_count;
    }
}

void diff_free(struct diff *diff) {
    free(diff->lines);
    diff->lines = NULL;
    diff->count = 0;
}
