"""Wrong answers to the exercises of chapter 8: each must be refused."""

import numpy as np
import torch


def paid(xy, *goals):
    return [-(xy - goal).abs().sum(-1) for goal in goals]


def part_amount(xy, a, b):
    """Compares rewards, not their changes."""
    ra, rb = paid(xy, a, b)
    apart = (ra - rb).abs() > 1e-5
    return int(apart.float().argmax()) if apart.any() else len(xy)


def part_off_by_one(xy, a, b):
    ra, rb = paid(xy, a, b)
    apart = (ra.diff() - rb.diff()).abs() > 1e-5
    return int(apart.float().argmax()) if apart.any() else len(xy)


def part_never_is_one(xy, a, b):
    ra, rb = paid(xy, a, b)
    return int(((ra.diff() - rb.diff()).abs() > 1e-5).float().argmax()) + 1


def part_euclid(xy, a, b):
    ra, rb = (-(xy - g).norm(dim=-1) for g in (a, b))
    apart = (ra.diff() - rb.diff()).abs() > 1e-5
    return int(apart.float().argmax()) + 1 if apart.any() else len(xy)


def part_x_only(xy, a, b):
    ra, rb = (-(xy - g).abs()[..., 0] for g in (a, b))
    apart = (ra.diff() - rb.diff()).abs() > 1e-5
    return int(apart.float().argmax()) + 1 if apart.any() else len(xy)


def part_last(xy, a, b):
    ra, rb = paid(xy, a, b)
    apart = torch.nonzero((ra.diff() - rb.diff()).abs() > 1e-5)
    return int(apart[-1]) + 1 if len(apart) else len(xy)


def first(ok, steps):
    return steps[ok.argmax()] if ok.any() else np.inf


def lasting_lucky(steps, score, bar, m):
    return first(score >= bar, steps)


def lasting_above(steps, score, bar, m):
    ok = score > bar
    rows = [ok[i:i + m].all() for i in range(len(ok) - m + 1)]
    return first(np.array(rows), steps) if rows else np.inf


def lasting_end(steps, score, bar, m):
    """Where the row ends."""
    ok = score >= bar
    rows = [ok[i:i + m].all() for i in range(len(ok) - m + 1)]
    return first(np.array(rows), steps[m - 1:]) if rows else np.inf


def lasting_short(steps, score, bar, m):
    """A row cut off by the end of the run counts."""
    ok = score >= bar
    return first(np.array([ok[i:i + m].all() for i in range(len(ok))]),
                 steps)


def lasting_count(steps, score, bar, m):
    """m good ones anywhere."""
    ok = score >= bar
    left = ok[::-1].cumsum()[::-1]
    return first(ok & (left >= m), steps)


def lasting_index(steps, score, bar, m):
    ok = score >= bar
    rows = np.array([ok[i:i + m].all() for i in range(len(ok) - m + 1)])
    return first(rows, np.arange(len(steps))) if len(rows) else np.inf


def within(g):
    return g.var(1).mean(0).sum()


WRONG = {
    "E8.1": [part_amount, part_off_by_one, part_never_is_one, part_euclid,
             part_x_only, part_last],
    "E8.2": [lambda ret: ret.max(1).mean() - ret.mean(0).max(),
             lambda ret: ret.max(0).mean() - ret.mean(),
             lambda ret: ret.max() - ret.mean(1).max(),
             lambda ret: ret.mean(1).max() - ret.max(0).mean(),
             lambda ret: (ret.max(0) - ret.mean(0)).mean(),
             lambda ret: ret.max(0).mean() / ret.mean(1).max() - 1],
    "E8.3": [lasting_lucky, lasting_above, lasting_end, lasting_short,
             lasting_count, lasting_index],
    "E8.4": [lambda act: (act[1:] - act[:-1]).abs().mean((1, 2)),
             lambda act: (act[1:] - act[:-1]).mean((1, 2)) ** 2,
             lambda act: (act[1:] - act[:-1]).square().sum((1, 2)),
             lambda act: (act[:, 1:] - act[:, :-1]).square().mean((1, 2)),
             lambda act: (act - act.roll(1, 0)).square().mean((1, 2)),
             lambda act: (act[1:] - act[0]).square().mean((1, 2))],
    "E8.5": [lambda g: 1 - within(g) / g.mean(1).var(0).sum(),
             lambda g: g.mean(1).var(0).sum() / (
                 g.mean(1).var(0).sum() + within(g)),
             lambda g: 1 - within(g) / g.shape[1] / g.flatten(0, 1).var(
                 0).sum(),
             lambda g: 1 - (g.var(1).mean(0) / g.shape[1] / g.mean(1).var(
                 0)).mean(),
             lambda g: 1 - within(g) / g.shape[1] / g.mean(1).var(
                 0, unbiased=False).sum(),
             lambda g: within(g) / g.shape[1] / g.mean(1).var(0).sum()],
}
