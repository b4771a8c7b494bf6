/* SPDX-License-Identifier: MIT */
#include "observe/sample.h"

#include <math.h>
#include <string.h>

enum {
    USERS_SIZE = CANARY__SAMPLE_MOST * sizeof(uint32_t),
    TAKEN_SIZE = CANARY__SAMPLE_SLOTS * sizeof(uint32_t),
};

/* -- the table -- */

/* What is needed of the order of memory: take() must not miss a user who belongs to the level that it
 * answers.
 *   - A put that came before take() left its user in a slot, or found him there; whoever overwrites him
 *     has seen a level before that he does not belong to.
 *   - That exchange is a release, and take() loads slots with acquire and the level after them. So when
 *     it sees a slot overwritten, the level it sees afterwards is no lower than the overwriter's.
 *   - A put that gave up because its user does not belong saw that level itself, before take().
 * A thread that still sees an old level can put in a user who has left; take() passes over him, and
 * the next to come overwrites him. Two threads may put one user into two slots; take() sees one.
 * `added` is raised after the change, with release, and read by gathering before take(): when it has
 * the number of a change, take() sees the change. */

static void changed(struct canary__sample_table *table) {
    atomic_fetch_add_explicit(&table->added, 1, memory_order_release);
}

static void raise_level(struct canary__sample_table *table, uint32_t from, uint32_t to) {
    while (from < to) {
        if (atomic_compare_exchange_weak_explicit(&table->level, &from, to, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            changed(table);
            return;
        }
    }
}

/* Puts a user into his run at `level`. 0 when all of it is taken by others who belong to the level. */
static int put_at(struct canary__sample_table *table, uint32_t mixed, uint32_t level) {
    for (uint32_t i = 0; i < CANARY__SAMPLE_RUN; i++) {
        _Atomic(uint32_t) *slot = &table->slots[(mixed + i) % CANARY__SAMPLE_SLOTS];
        uint32_t user = atomic_load_explicit(slot, memory_order_relaxed);

        /* One exchange a slot: who loses it looks who won, and goes on. In the first slot that he can
         * have, though he may stand further on from when this one was taken: then he stands twice. */
        if ((user == 0 || !canary__sample_holds(level, user)) &&
            atomic_compare_exchange_strong_explicit(slot, &user, mixed, memory_order_release,
                                                    memory_order_relaxed)) {
            changed(table);
            return 1;
        }
        if (user == mixed) {
            return 1;
        }
    }
    return 0;
}

void canary__sample_search(struct canary__sample_table *table, uint32_t mixed) {
    uint32_t level = atomic_load_explicit(&table->level, memory_order_relaxed);

    while (canary__sample_holds(level, mixed) && !put_at(table, mixed, level)) {
        raise_level(table, level, level + 1);
        level = atomic_load_explicit(&table->level, memory_order_relaxed);
    }
}

void canary__sample_clear(struct canary__sample_table *table) {
    for (uint32_t i = 0; i < CANARY__SAMPLE_SLOTS; i++) {
        atomic_store_explicit(&table->slots[i], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&table->level, 0, memory_order_relaxed);
    atomic_store_explicit(&table->added, 0, memory_order_relaxed);
}

/* -- samples at rest -- */

void canary__sample_free(const struct canary__hooks *hooks, struct canary__sample *sample) {
    canary__free(hooks, sample->users, USERS_SIZE);
    memset(sample, 0, sizeof *sample);
}

static void sift(uint32_t *users, uint32_t root, uint32_t count) {
    uint32_t user = users[root];
    uint32_t child;

    while ((child = 2 * root + 1) < count) {
        child += child + 1 < count && users[child] < users[child + 1];
        if (users[child] <= user) {
            break;
        }
        users[root] = users[child];
        root = child;
    }
    users[root] = user;
}

/* In place: qsort() of the C library takes memory of its own past the hooks. */
static void sort(uint32_t *users, uint32_t count) {
    for (uint32_t root = count / 2; root > 0; root--) {
        sift(users, root - 1, count);
    }
    for (uint32_t end = count; end > 1; end--) {
        uint32_t greatest = users[0];

        users[0] = users[end - 1];
        users[end - 1] = greatest;
        sift(users, 0, end - 1);
    }
}

/* How many of a sorted sample belong to a level. */
static uint32_t holds(const uint32_t *users, uint32_t count, uint32_t level) {
    while (count > 0 && !canary__sample_holds(level, users[count - 1])) {
        count--;
    }
    return count;
}

/* Sorts, leaves out who stands there twice, and raises the level until the rest fits. */
static uint32_t tidy(uint32_t *users, uint32_t count, uint32_t *level) {
    uint32_t kept = 0;

    sort(users, count);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || users[i] != users[kept - 1]) {
            users[kept++] = users[i];
        }
    }
    kept = holds(users, kept, *level);
    while (kept > CANARY__SAMPLE_MOST) {
        kept = holds(users, kept, ++*level);
    }
    return kept;
}

int canary__sample_take(const struct canary__hooks *hooks, struct canary__sample_table *table,
                        struct canary__sample *out) {
    uint32_t *users = canary__alloc(hooks, TAKEN_SIZE);
    uint32_t seen;
    uint32_t level;
    uint32_t count = 0;

    out->users = canary__alloc(hooks, USERS_SIZE);
    if (users == NULL || out->users == NULL) {
        canary__free(hooks, users, TAKEN_SIZE);
        canary__sample_free(hooks, out);
        return CANARY_E_NOMEM;
    }
    for (uint32_t i = 0; i < CANARY__SAMPLE_SLOTS; i++) {
        users[count] = atomic_load_explicit(&table->slots[i], memory_order_acquire);
        count += users[count] != 0;
    }
    seen = level = atomic_load_explicit(&table->level, memory_order_relaxed);
    out->count = tidy(users, count, &level);
    out->level = level;
    memcpy(out->users, users, out->count * sizeof *users);
    canary__free(hooks, users, TAKEN_SIZE);
    raise_level(table, seen, level);
    return CANARY_OK;
}

/* Who is in the union of two, in order, at `level`: their number, and how many of them are in both.
 * `out` may be NULL. */
static uint32_t unite(const struct canary__sample *a, const struct canary__sample *b,
                      uint32_t level, uint32_t *out, uint32_t *both) {
    uint32_t of_a = holds(a->users, a->count, level);
    uint32_t of_b = holds(b->users, b->count, level);
    uint32_t count = 0;
    uint32_t i = 0;
    uint32_t k = 0;

    *both = 0;
    while (i < of_a || k < of_b) {
        int take_a = i < of_a && (k == of_b || a->users[i] <= b->users[k]);
        int take_b = k < of_b && (i == of_a || b->users[k] <= a->users[i]);

        if (out != NULL) {
            out[count] = take_a ? a->users[i] : b->users[k];
        }
        count++;
        *both += (uint32_t)(take_a & take_b);
        i += (uint32_t)take_a;
        k += (uint32_t)take_b;
    }
    return count;
}

int canary__sample_merge(const struct canary__hooks *hooks, struct canary__sample *to,
                         const struct canary__sample *from, int *changed) {
    uint32_t level = to->level > from->level ? to->level : from->level;
    uint32_t *users;
    uint32_t count;
    uint32_t both;

    while ((count = unite(to, from, level, NULL, &both)) > CANARY__SAMPLE_MOST) {
        level++;
    }
    /* At one level, one that has as many as the union is the union. */
    *changed = level != to->level || count != to->count;
    if (!*changed) {
        return CANARY_OK;
    }
    users = canary__alloc(hooks, USERS_SIZE);
    if (users == NULL) {
        *changed = 0;
        return CANARY_E_NOMEM;
    }
    (void)unite(to, from, level, users, &both);
    canary__sample_free(hooks, to);
    *to = (struct canary__sample){ level, count, users };
    return CANARY_OK;
}

uint32_t canary__sample_common(const struct canary__sample *a, const struct canary__sample *b) {
    uint32_t both;

    (void)unite(a, b, a->level > b->level ? a->level : b->level, NULL, &both);
    return both;
}

void canary__sample_estimate(const struct canary__sample *sample, double *users, double *error) {
    const double hashes = 0x1p32 - 1; /* that canary__sample_mix() answers */
    double share = 1 / (double)(UINT64_C(1) << sample->level);
    double seen = sample->count / share;

    *users = sample->count;
    *error = 0;
    if (sample->level == 0) {
        return;
    }
    /* Of n users thrown into m hashes, m * (1 - exp(-n / m)) are distinct; the error of n is that of
     * the hashes times dn/dm of the inverse. As many hashes as there are: nothing is known but that. */
    if (seen > hashes * (1 - share)) {
        seen = hashes * (1 - share);
    }
    *users = -hashes * log1p(-seen / hashes);
    *error =
        sqrt((sample->count > 0 ? sample->count : 1) * (1 - share)) / share / (1 - seen / hashes);
}
