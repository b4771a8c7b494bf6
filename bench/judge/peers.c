/* SPDX-License-Identifier: MIT */
#include "peers.h"

#include <math.h>
#include <string.h>

#include "judge/classical.h"

static void push(struct peers_window *window, struct canary__judge_share share) {
    window->ticks[window->count++ % PEERS_WINDOW] = share;
}

static double rate(const struct peers_window *window, int ticks) {
    struct canary__judge_share sum = { 0, 0 };

    for (int i = 1; i <= ticks && i <= window->count; i++) {
        const struct canary__judge_share *share =
            &window->ticks[(window->count - i) % PEERS_WINDOW];

        sum.n += share->n;
        sum.k += share->k;
    }
    return sum.k / sum.n;
}

int peers_success_look(struct peers_success *success, const struct release_tick *tick) {
    int exceeded;

    push(&success->window, tick->cohorts.fresh);
    if (success->window.count % success->every != 0) {
        return 0;
    }
    exceeded = success->failed > success->failures;
    /* Written so that no traffic is no success. */
    success->failed += !(1 - rate(&success->window, success->every) >= success->least);
    return success->next ? exceeded : success->failed > success->failures;
}

int peers_z_look(struct peers_z *z, const struct release_tick *tick) {
    const double alpha = 0.05;
    struct canary__judge_test test;

    z->total.fresh.n += tick->cohorts.fresh.n;
    z->total.fresh.k += tick->cohorts.fresh.k;
    z->total.old.n += tick->cohorts.old.n;
    z->total.old.k += tick->cohorts.old.k;
    canary__judge_two_proportions(z->total.fresh, z->total.old, &test);
    return test.p < 2 * alpha && test.statistic > 0; /* one-sided */
}

int peers_up_look(struct peers_up *up, const struct release_tick *tick) {
    push(&up->fresh, tick->cohorts.fresh);
    push(&up->old, tick->cohorts.old);
    return up->fresh.count >= PEERS_WINDOW &&
           rate(&up->fresh, PEERS_WINDOW) > up->factor * rate(&up->old, PEERS_WINDOW);
}

static void insert(double *sorted, int count, double value) {
    int at = count;

    while (at > 0 && sorted[at - 1] > value) {
        at--;
    }
    memmove(sorted + at + 1, sorted + at, (size_t)(count - at) * sizeof *sorted);
    sorted[at] = value;
}

/* The standardised rank sum of x shifted down by `shift` among y, with mean ranks for ties, their
 * correction of the variance, and half a step for continuity. Falls as the shift grows. */
static double rank_sum(const double *x, const double *y, int n, double shift) {
    double ranks = 0;
    double ties = 0;
    double all = 2.0 * n;
    double excess;
    int i = 0;
    int j = 0;

    while (i < n || j < n) {
        double value = i < n && (j == n || x[i] - shift <= y[j]) ? x[i] - shift : y[j];
        int before = i + j;
        int of_x = i;
        double tied;

        while (i < n && x[i] - shift == value) {
            i++;
        }
        while (j < n && y[j] == value) {
            j++;
        }
        tied = i + j - before;
        ranks += (i - of_x) * (before + (tied + 1) / 2);
        ties += tied * (tied * tied - 1);
    }
    excess = ranks - n * (n + 1.0) / 2 - n * (double)n / 2;
    excess -= excess > 0 ? 0.5 : excess < 0 ? -0.5 : 0;
    return excess / sqrt(n * (double)n / 12 * (all + 1 - ties / (all * (all - 1))));
}

/* The shift at which the rank sum is what chance would make it. */
static double estimate(const double *x, const double *y, int n) {
    double low = x[0] - y[n - 1];
    double high = x[n - 1] - y[0];

    while (high - low > 1e-7) {
        double middle = (low + high) / 2;

        if (rank_sum(x, y, n, middle) > 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}

static double mean(const double *x, int n) {
    double sum = 0;

    for (int i = 0; i < n; i++) {
        sum += x[i];
    }
    return sum / n;
}

/* Whether the interval's lower end is above a quarter of the estimate: it is where the rank sum comes
 * down to `z`, so it is above wherever the rank sum is still higher. */
static int is_high(const struct peers_kayenta *kayenta) {
    const double z = 2.3263478740408408; /* two-sided at 98 % */
    const double tolerance = 0.25;
    const double *x = kayenta->fresh;
    const double *y = kayenta->baseline;
    int n = kayenta->minutes;

    return rank_sum(x, y, n, 0) > z && rank_sum(x, y, n, tolerance * fabs(estimate(x, y, n))) > z &&
           mean(x, n) >= mean(y, n);
}

int peers_kayenta_look(struct peers_kayenta *kayenta, const struct release_tick *tick) {
    struct canary__judge_share *minute = kayenta->minute;

    if (tick->begins) {
        memset(kayenta, 0, sizeof *kayenta);
    }
    minute[0].n += tick->cohorts.fresh.n;
    minute[0].k += tick->cohorts.fresh.k;
    minute[1].n += tick->baseline.n;
    minute[1].k += tick->baseline.k;
    if (tick->index % RELEASE_MINUTE != RELEASE_MINUTE - 1) {
        return 0;
    }
    insert(kayenta->fresh, kayenta->minutes, minute[0].k / minute[0].n);
    insert(kayenta->baseline, kayenta->minutes, minute[1].k / minute[1].n);
    kayenta->minutes++;
    memset(minute, 0, sizeof kayenta->minute);
    return kayenta->minutes % (RELEASE_HOUR / RELEASE_MINUTE) == 0 && is_high(kayenta);
}
