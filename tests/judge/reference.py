# SPDX-License-Identifier: MIT
"""The arithmetic of judgement a second time, straight from the formulas, with Python's standard library
alone. Written to be read beside them and to err differently than the C code: where that goes around a
difference of large numbers, this takes the formula as it stands; where that sums a continued fraction,
this sums a series; where that keeps a curve, this keeps every tick.

Each function takes the numbers of a line of compute.c, and answers pairs (result, size): the size of
the largest number that was added on the way to the result, for rounding can be no smaller than that.
"""
import math
from fractions import Fraction

INF = math.inf
NAN = math.nan
ALTERNATIVES = [math.log(1.1) * (math.log(50) / math.log(1.1)) ** (j / 15) for j in range(16)]


class Numbers:
    def __init__(self, numbers):
        self.numbers = iter(numbers)

    def __call__(self):
        return next(self.numbers)

    def many(self, count):
        return [next(self.numbers) for _ in range(int(count))]


def sized(value, size=0.0):
    return value, max(1.0, abs(value) if math.isfinite(value) else 1.0, size)


def ln_sum(values):
    """ln of the sum of exponentials"""
    high = max(values)
    if math.isinf(high):
        return high
    return high + math.log(math.fsum(math.exp(v - high) for v in values))


def ln_mean(values):
    return ln_sum(values) - math.log(len(values))


def bisect(refuted, possible, is_refuted):
    for _ in range(300):
        middle = refuted + (possible - refuted) / 2
        if middle in (refuted, possible):
            break
        if is_refuted(middle):
            refuted = middle
        else:
            possible = middle
    return possible


# -- evidence ---------------------------------------------------------------------------------------


def terms(question, margin, n_new, k_new, n_old, k_old):
    """For each alternative the two numbers whose sum is the step; None where there is nothing to add."""
    found = []
    if question < 2:
        if n_new == 0 or n_old == 0:
            return None
        ratio = n_new / n_old
        for ln_g in ALTERNATIVES:
            g = math.exp(ln_g if question == 0 else -ln_g)
            c = (margin * g * ratio + 1) / (margin * ratio + 1)
            found.append((k_new * math.log(g), -(k_new + k_old) * math.log(c)))
    else:
        if n_new == 0:
            return None
        for ln_g in ALTERNATIVES:
            p = min(margin * math.exp(ln_g), 0.95) if question == 2 else margin * math.exp(-ln_g)
            found.append((k_new * math.log(p / margin),
                          (n_new - k_new) * math.log((1 - p) / (1 - margin))))
    return found


class Process:
    def __init__(self):
        self.since = [0.0] * 16
        self.change = [-INF] * 16
        self.size = 1.0

    def add(self, step, effect, planned):
        for j, pair in enumerate(step):
            by = sum(pair) / effect
            self.size = max(self.size, abs(pair[0]), abs(pair[1]))
            self.since[j] += by
            self.change[j] = (ln_sum([0.0, self.change[j]]) if planned else self.change[j]) + by

    def weigh(self, planned_ticks):
        ln_e = ln_mean(self.since)
        ln_m = ln_mean(self.change)
        return ln_e, ln_m, ln_sum([ln_e - math.log(2), ln_m - math.log(2 * planned_ticks)])


def evidence(n):
    question, margin, effect, planned_ticks, ticks = n(), n(), n(), n(), n()
    process = Process()
    for _ in range(int(ticks)):
        counts, planned = n.many(4), n()
        step = terms(question, margin, *counts)
        if step is not None:
            process.add(step, effect, planned)
    ln_e, ln_m, ln_w = process.weigh(planned_ticks)
    return [sized(v, process.size) for v in (ln_e, ln_m, ln_w, math.exp(min(0.0, -ln_w)))]


def interval(n):
    margin, alpha, effect, ticks = n(), n(), n(), n()
    kept = [n.many(4) for _ in range(int(ticks))]
    kept = [t for t in kept if t[0] > 0 and t[2] > 0]
    bad = sum(t[1] + t[3] for t in kept)

    def ln_e(question, at):
        sums = [0.0] * 16
        for tick in kept:
            for j, pair in enumerate(terms(question, at, *tick)):
                sums[j] += sum(pair) / effect
        return ln_mean(sums)

    def end(question, edge, none):
        def is_refuted(x):
            return ln_e(question, math.exp(x)) >= math.log(2 / alpha)
        if not is_refuted(-edge):
            return none
        return math.exp(bisect(-edge, edge, is_refuted)) if not is_refuted(edge) else math.exp(edge)

    def rises(x):
        slope = 0.0
        for n_new, k_new, n_old, k_old in kept:
            rl = math.exp(x) * n_new / n_old
            slope += k_new - (k_new + k_old) * rl / (1 + rl)
        return slope > 0

    if bad == 0:
        estimate = NAN
    elif not rises(-8):
        estimate = 0.0
    elif rises(8):
        estimate = INF
    else:
        estimate = math.exp(bisect(-8.0, 8.0, rises))
    # The polynomial between the points of the curve is off by up to 2e-9 for each bad event, ends by
    # that divided by the slope, and the flat top of the curve is found to half of a double's digits.
    off = 1e12 * (2e-9 * bad / effect + 1e-12)
    return [sized(ln_e(0, margin), off), sized(ln_e(1, margin), off),
            sized(end(0, 4.0, 0.0), 1e5 + off), sized(estimate, 1e6 * (estimate if 0 < estimate < INF else 1)),
            sized(end(1, -4.0, INF), 1e5 + off * 60)]


# -- mixtures ---------------------------------------------------------------------------------------


def ln_mismatch(counts, asked, weight):
    total = sum(counts)
    found = [math.lgamma(weight), -math.lgamma(weight + total)]
    for x, theta in zip(counts, asked):
        if theta == 0:
            if x > 0:
                return INF, 1.0
            continue
        found += [math.lgamma(weight * theta + x), -math.lgamma(weight * theta)]
        found.append(-x * math.log(theta))
    return math.fsum(found), max(abs(f) for f in found)


def mismatch(n):
    cells, weight = n(), n()
    counts = n.many(cells)
    return [sized(*ln_mismatch(counts, n.many(cells), weight))]


def batch(n):
    cells = n()
    counts, prior, asked = n.many(cells), n.many(cells), n.many(cells)
    total, weight = sum(counts), sum(prior)
    orders = [math.lgamma(total + 1)] + [-math.lgamma(x + 1) for x in counts]
    drawn = orders + [math.lgamma(weight), -math.lgamma(weight + total)]
    drawn += [math.lgamma(a + x) - math.lgamma(a) for a, x in zip(prior, counts)]
    fixed = orders + [x * math.log(p) for x, p in zip(counts, asked) if x > 0]
    size = math.lgamma(weight + total + 1)
    return [sized(math.fsum(drawn), size), sized(math.fsum(fixed), size)]


def best_rho(v, alpha):
    return v / (2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha)))


def mixture(n):
    s, v, best_v, alpha = n.many(4)
    rho = best_rho(best_v, alpha)
    ln = 0.5 * math.log(rho / (v + rho)) + s * s / (2 * (v + rho))
    bound = math.sqrt((v + rho) * (math.log((v + rho) / rho) + 2 * math.log(1 / alpha)))
    return [sized(rho), sized(ln), sized(bound)]


def rate(n):
    total, k, alpha, best_n = n.many(4)
    if total == 0:
        return [sized(0.0), sized(1.0)]
    weight = max(best_rho(best_n, alpha) - 1, 1e-3)

    def is_refuted(p):
        return ln_mismatch([k, total - k], [p, 1 - p], weight)[0] >= math.log(1 / alpha)

    at = k / total
    return [sized(bisect(0.0, at, is_refuted) if at > 0 else 0.0),
            sized(bisect(1.0, at, is_refuted) if at < 1 else 1.0)]


# -- means ------------------------------------------------------------------------------------------


def moments(sums):
    count, total, squares = sums
    mean = Fraction(total) / Fraction(count)
    variance = (Fraction(squares) - Fraction(total) * mean) / (Fraction(count) - 1)
    return count, float(mean), float(variance)


def means(n):
    factor, offset, alpha, best_n, effect, sign, strata = n.many(7)
    sign = -1 if sign < 0 else 1
    found, total = [], 0.0
    for _ in range(int(strata)):
        new, old = n.many(3), n.many(3)
        if new[0] < 100 or old[0] < 100:
            continue
        (a, mean_new, var_new), (b, mean_old, var_old) = moments(new), moments(old)
        found.append((mean_new - factor * mean_old - offset, var_new / a + factor**2 * var_old / b,
                      max(abs(mean_new), abs(factor * mean_old), abs(offset))))
        total += a + b
    if not found:
        return [sized(v) for v in (-1, NAN, NAN, NAN, NAN, 0, 0)]
    inverse = math.fsum(1 / v for _, v, _ in found)
    estimate = math.fsum(d / v for d, v, _ in found) / inverse
    size = max(s for _, _, s in found)
    variance = effect / inverse
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / best_n
    spread = 2 * (total * rho2 + 1) / (total * total * rho2)
    width = math.sqrt(variance * total * spread
                      * math.log(1 + math.sqrt(total * rho2 + 1) / (2 * alpha)))
    p = 1.0
    if sign * estimate > 0:
        exponent = estimate**2 / (variance * total * spread)
        p = min(1.0, math.sqrt(total * rho2 + 1) / 2 / math.expm1(exponent)) if exponent < 700 else 0.0
    return [sized(int(sign * estimate - width > 0)), sized(estimate, size), sized(math.sqrt(variance)),
            sized(width), sized(p, size / math.sqrt(variance)), sized(total), sized(len(found))]


def half_step(a):
    """gamma(a + 1/2) / gamma(a), from an a below 2, where lgamma() is small"""
    logs = []
    while a >= 2:
        a -= 1
        logs.append(math.log1p(0.5 / a))
    return math.exp(math.fsum(logs) + math.lgamma(a + 0.5) - math.lgamma(a))


def t_tails(t, df, front):
    """I_x(df/2, 1/2), x = df/(df + t^2), by a series with positive terms (DLMF 8.17.8), in x or, by
    1 - I_(1-x)(1/2, df/2), in 1 - x, whichever is smaller"""
    a, b, x = df / 2, 0.5, df / (df + t * t)
    ln_both = -a * math.log1p(t * t / df)
    if ln_both < -600:
        return 0.0
    scale = math.exp(ln_both) * math.sqrt(1 - x) / math.sqrt(math.pi) * front
    turned = x > 0.5
    if turned:
        a, b, x = b, a, t * t / (df + t * t)
    found = [1.0]
    while found[-1] > 1e-18 * found[0] or len(found) < a + b:
        i = len(found) - 1
        found.append(found[-1] * (a + b + i) / (a + 1 + i) * x)
        if found[-1] < 1e-18 and (a + b + i) * x < a + 1 + i:
            break
    value = scale / a * math.fsum(found)
    return 1 - value if turned else value


def lift(n):
    alpha, best_n = n(), n()
    (a, mean_new, var_new), (b, mean_old, var_old) = moments(n.many(3)), moments(n.many(3))
    relative = (mean_new - mean_old) / mean_old
    variance = var_new / (mean_old**2 * a) + var_old * mean_new**2 / (mean_old**4 * b)
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / best_n
    total = a + b
    width = math.sqrt(variance * total * 2 * (total * rho2 + 1)
                      * math.log(math.sqrt(total * rho2 + 1) / alpha) / (total * total * rho2))
    t = (mean_new - mean_old) / math.sqrt(var_new / a + var_old / b)
    df = ((var_new / a + var_old / b)**2
          / (var_new**2 / (a * a * (a - 1)) + var_old**2 / (b * b * (b - 1))))
    error = math.sqrt(variance)
    front = half_step(df / 2)
    high = 1.0
    while t_tails(high, df, front) > alpha:
        high *= 2
    reach = bisect(0.0, high, lambda x: t_tails(x, df, front) > alpha) * error
    size = max(abs(mean_new), abs(mean_old)) / math.sqrt(var_new / a + var_old / b)
    # The ends of an interval are as exact as what they are the difference of.
    wide = abs(relative) + width
    far = abs(relative) + reach
    return [sized(relative - width, wide), sized(relative + width, wide), sized(t, size), sized(df),
            sized(t_tails(t, df, front), size), sized(relative), sized(error),
            sized(relative - reach, far), sized(relative + reach, far),
            sized(t_tails(relative / error, df, front), size)]


def split(n):
    planned_ticks, ticks = n(), n()
    processes = [Process(), Process()]
    effects = []

    def effect():
        return max(1.0, math.fsum(effects) / len(effects)) if len(effects) >= 200 else NAN

    for _ in range(int(ticks)):
        n_a, k_a, n_b, k_b = n.many(4)
        if n_a == 0 or n_b == 0:
            continue
        now = effect()
        if now == now:
            processes[0].add(terms(0, 1.0, n_a, k_a, n_b, k_b), now, 1)
            processes[1].add(terms(0, 1.0, n_b, k_b, n_a, k_a), now, 1)
        m, pi = k_a + k_b, n_a / (n_a + n_b)
        if m > 0:
            effects.append((k_a - m * pi)**2 / (m * pi * (1 - pi)))
    return [sized(len(effects)), sized(effect())] + [
        sized(p.weigh(planned_ticks)[2], p.size * 10) for p in processes]


# -- textbooks --------------------------------------------------------------------------------------


def proportions(n):
    n_a, k_a, n_b, k_b = n.many(4)
    pooled = (k_a + k_b) / (n_a + n_b)
    if not 0 < pooled < 1:
        return [sized(NAN), sized(NAN)]
    z = (k_a / n_a - k_b / n_b) / math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    size = k_a / n_a / math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    return [sized(z, size), sized(math.erfc(abs(z) / math.sqrt(2)), size)]


def chi_square(n):
    cells = int(n())
    counts, asked = n.many(cells), n.many(cells)
    total = math.fsum(counts)
    x = math.fsum((c - total * p)**2 / (total * p) for c, p in zip(counts, asked))
    df = cells - 1
    # Whole degrees of freedom have closed forms (Abramowitz and Stegun, 26.4.4 and 26.4.5).
    if df % 2 == 0:
        logs = [i * math.log(x / 2) - math.lgamma(i + 1) if x > 0 else (0.0 if i == 0 else -INF)
                for i in range(df // 2)]
        p = math.fsum(math.exp(ln - x / 2) for ln in logs)
    else:
        p = math.erfc(math.sqrt(x / 2))
        if x > 0:
            p += math.fsum(math.exp((i - 0.5) * math.log(x / 2) - x / 2 - math.lgamma(i + 0.5))
                           for i in range(1, df // 2 + 1))
    return [sized(x, total), sized(p, x)]


def ranks(n):
    buckets = int(n())
    counts = n.many(buckets), n.many(buckets)
    values = [sorted(i for i, c in enumerate(side) for _ in range(int(c))) for side in counts]
    everyone = sorted(values[0] + values[1])
    first, last = {}, {}
    for position, value in enumerate(everyone, 1):
        first.setdefault(value, position)
        last[value] = position
    a, b = len(values[0]), len(values[1])
    # By the sum of ranks, tied values sharing the mean of theirs.
    u = sum((first[v] + last[v]) / 2 for v in values[0]) - a * (a + 1) / 2
    ties = sum((last[v] - first[v] + 1)**3 - (last[v] - first[v] + 1) for v in first)
    everybody = a + b
    if a == 0 or b == 0 or everybody < 2:
        return [sized(NAN), sized(NAN)]
    spread = math.sqrt(a * b / 12 * (everybody + 1 - ties / (everybody * (everybody - 1))))
    if spread == 0:
        return [sized(NAN), sized(NAN)]
    z = (max(u, a * b - u) - a * b / 2 - 0.5) / spread
    return [sized(u), sized(min(1.0, math.erfc(z / math.sqrt(2))))]


# -- budgets and plans ------------------------------------------------------------------------------


def burn(n):
    (n_long, k_long, n_short, k_short), objective, factor = n.many(4), n(), n()

    def speed(total, bad):
        return bad / total / (1 - objective) if total > 0 else NAN

    in_long, in_short = speed(n_long, k_long), speed(n_short, k_short)
    if in_long < factor or in_short < factor:
        fires = 0
    elif in_long >= factor and in_short >= factor and k_long >= 5:
        fires = 1
    else:
        fires = -1
    return [sized(in_long), sized(in_short), sized(fires)]


def factor(n):
    budget, window, period = n.many(3)
    return [sized(budget * period / window)]


def plan(n):
    base, share, ratio, margin, alpha, effect, sign = n.many(7)
    new, old = base * ratio, base * (1 - share) / share
    odds = share / (1 - share)
    drifts = []
    for ln_g in ALTERNATIVES:
        ln_g *= -1 if sign < 0 else 1
        ln_c = math.log((margin * math.exp(ln_g) * odds + 1) / (margin * odds + 1))
        drifts.append(((new * (ln_g - ln_c) - old * ln_c) / effect,
                       (new * (ln_g - ln_c)**2 + old * ln_c**2) / effect))
    drift, variance = max(drifts)
    if drift <= 0:
        return [sized(INF)]
    threshold = math.log((1 if sign < 0 else 2) / alpha)
    most = (threshold + math.log(16)) / drift
    mean = bisect(0.0, most, lambda x: ln_mean([d * x for d, _ in drifts]) < threshold)
    shape = drift**2 * mean / variance
    if shape >= 100:
        return [sized(mean)]

    def normal(z):
        return math.erfc(-z / math.sqrt(2)) / 2

    def has_not_passed(x):
        return (normal(math.sqrt(shape / x) * (x - 1))
                + math.exp(2 * shape) * normal(-math.sqrt(shape / x) * (x + 1))) < 0.5

    part = bisect(1e-9, 1.0, has_not_passed)
    # Close to nothing, drifts are differences of nearly equal numbers.
    return [sized(mean * part, mean * part * max(1.0, 1e-2 * (new + old) / effect / drift))]


FUNCTIONS = {f.__name__: f for f in (
    evidence, interval, mismatch, batch, mixture, rate, means, lift, split, proportions, chi_square,
    ranks, burn, factor, plan)}


def compute(name, numbers):
    return FUNCTIONS[name](Numbers(numbers))
