/* SPDX-License-Identifier: MIT */
#include "chance.h"

#include <math.h>

/* splitmix64 (Steele, Lea and Flood, 2014): any seed is a good one. */
double chance_next(struct chance *chance) {
    uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

/* By inversion: the counts' probabilities are summed from 0 up until they exceed one uniform number. */
unsigned chance_binomial(struct chance *chance, unsigned n, double p) {
    double odds = p / (1 - p);
    double term = exp(n * log1p(-p));
    double left = chance_next(chance);
    unsigned k = 0;

    while (left >= term && k < n) {
        left -= term;
        term *= odds * (n - k) / (k + 1);
        k++;
    }
    return k;
}
