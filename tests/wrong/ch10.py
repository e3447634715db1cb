"""Wrong answers to the exercises of chapter 10: each must be refused."""

import numpy as np

from gmps_lite.inner import inner_update
from gmps_lite.types import Meta


def angle(goal):
    return np.rad2deg(np.arctan2(goal[:, 1], goal[:, 0])) % 360


def beyond_signed(goal, low, high):
    return angle(goal) - high


def beyond_no_wrap(goal, low, high):
    a = angle(goal)
    return np.maximum(0, np.maximum(low - a, a - high))


def beyond_negative(goal, low, high):
    a = np.rad2deg(np.arctan2(goal[:, 1], goal[:, 0]))
    return np.maximum(0, np.maximum(low - a, a - high))


def beyond_radians(goal, low, high):
    a = np.arctan2(goal[:, 1], goal[:, 0]) % (2 * np.pi)
    out = np.minimum((low - a) % 360, (a - high) % 360)
    return np.where((low <= a) & (a <= high), 0.0, out)


def beyond_swapped(goal, low, high):
    a = np.rad2deg(np.arctan2(goal[:, 0], goal[:, 1])) % 360
    out = np.minimum((low - a) % 360, (a - high) % 360)
    return np.where((low <= a) & (a <= high), 0.0, out)


def beyond_one_way(goal, low, high):
    a = angle(goal)
    return np.where((low <= a) & (a <= high), 0.0, (a - high) % 360)


def ends(many, middle):
    low, high = np.quantile(many, [0.025, 0.975])
    return low, middle, high


def diff_rows(a, b, rng, draws=1000):
    x, y = a.ravel(), b.ravel()
    many = (x[rng.integers(0, x.size, (draws, x.size))].mean(1)
            - y[rng.integers(0, y.size, (draws, y.size))].mean(1))
    return ends(many, a.mean() - b.mean())


def diff_tasks(a, b, rng, draws=1000):
    x, y = a.mean(0), b.mean(0)
    i = rng.integers(0, x.size, (draws, x.size))
    return ends(x[i].mean(1) - y[i].mean(1), a.mean() - b.mean())


def diff_paired(a, b, rng, draws=1000):
    n = min(len(a), len(b))
    d = a.mean(1)[:n] - b.mean(1)[:n]
    i = rng.integers(0, n, (draws, n))
    return ends(d[i].mean(1), a.mean() - b.mean())


def diff_one_seed(a, b, rng, draws=1000):
    x, y = a.mean(1), b.mean(1)
    return ends(x[rng.integers(0, len(x), draws)]
                - y[rng.integers(0, len(y), draws)], a.mean() - b.mean())


def diff_reversed(a, b, rng, draws=1000):
    x, y = a.mean(1), b.mean(1)
    many = (y[rng.integers(0, len(y), (draws, len(y)))].mean(1)
            - x[rng.integers(0, len(x), (draws, len(x)))].mean(1))
    return ends(many, b.mean() - a.mean())


def diff_quartiles(a, b, rng, draws=1000):
    x, y = a.mean(1), b.mean(1)
    many = (x[rng.integers(0, len(x), (draws, len(x)))].mean(1)
            - y[rng.integers(0, len(y), (draws, len(y)))].mean(1))
    low, high = np.quantile(many, [0.25, 0.75])
    return low, a.mean() - b.mean(), high


def stop_best(returns):
    return returns.mean(-1).argmax(1)


def stop_one(returns):
    return int(returns.mean((0, 2)).argmax())


def stop_spread(returns):
    mean, best = returns.mean(-1), returns.mean(-1).argmax(1)[:, None]
    bar = np.take_along_axis(mean - returns.std(-1, ddof=1), best, 1)
    return (mean >= bar).argmax(1)


def stop_own_error(returns):
    mean = returns.mean(-1)
    error = returns.std(-1, ddof=1) / returns.shape[-1] ** 0.5
    return (mean + error >= mean.max(1, keepdims=True)).argmax(1)


def stop_latest(returns):
    mean, best = returns.mean(-1), returns.mean(-1).argmax(1)[:, None]
    error = returns.std(-1, ddof=1) / returns.shape[-1] ** 0.5
    bar = np.take_along_axis(mean - error, best, 1)
    return mean.shape[1] - 1 - (mean >= bar)[:, ::-1].argmax(1)


def stop_from_one(returns):
    return stop_best(returns) + 1


def taken(policy, meta, data, f):
    step = {k: f * v for k, v in meta.step.items()}
    return inner_update(policy, Meta(meta.params, step), data)


FACTORS = (0.25, 0.5, 1.0, 2.0)


def search_moves_always(policy, meta, data, earn, factors=FACTORS):
    earn(meta.params)
    return max((taken(policy, meta, data, f) for f in factors), key=earn)


def search_asks_twice(policy, meta, data, earn, factors=FACTORS):
    best = meta.params
    for f in factors:
        new = taken(policy, meta, data, f)
        if earn(new) > earn(best):
            best = new
    return best


def search_chain(policy, meta, data, earn, factors=FACTORS):
    best, most = meta.params, earn(meta.params)
    for f in factors:
        new = taken(policy, Meta(best, meta.step), data, f)
        if (got := earn(new)) > most:
            best, most = new, got
    return best


def search_worst(policy, meta, data, earn, factors=FACTORS):
    return min([meta.params] + [taken(policy, meta, data, f)
                                for f in factors], key=earn)


def search_fixed(policy, meta, data, earn, factors=FACTORS):
    return max([meta.params] + [taken(policy, meta, data, f)
                                for f in FACTORS], key=earn)


def search_factor(policy, meta, data, earn, factors=FACTORS):
    earned = [earn(meta.params)] + [
        earn(taken(policy, meta, data, f)) for f in factors]
    return (0.0, *factors)[int(np.argmax(earned))]


def search_in_place(policy, meta, data, earn, factors=FACTORS):
    options, last = [meta.params], 1.0
    for f in factors:
        for v in meta.step.values():
            v.mul_(f / last)
        last = f
        options.append(inner_update(policy, meta, data))
    return max(options, key=earn)


WRONG = {
    "E10.1": [beyond_signed, beyond_no_wrap, beyond_negative, beyond_radians,
              beyond_swapped, beyond_one_way],
    "E10.2": [diff_rows, diff_tasks, diff_paired, diff_one_seed,
              diff_reversed, diff_quartiles],
    "E10.3": [stop_best, stop_one, stop_spread, stop_own_error, stop_latest,
              stop_from_one],
    "E10.4": [search_moves_always, search_asks_twice, search_chain,
              search_worst, search_fixed, search_factor, search_in_place],
}
