"""Wrong answers to the exercises of chapter 12: each must be refused."""

import math

import numpy as np
import torch

from gmps_lite.exercises.ch12 import largest_gain, moving


def late_plain(seconds, dt, speed=1.0):
    return math.ceil(seconds * speed / dt)


def late_round(seconds, dt, speed=1.0):
    return round(seconds * speed / dt)


def late_down(seconds, dt, speed=1.0):
    return int(seconds * speed / dt + 1e-9)


def late_inverse(seconds, dt, speed=1.0):
    return int(np.ceil(seconds / speed / dt - 1e-9))


def late_float(seconds, dt, speed=1.0):
    return float(np.ceil(seconds * speed / dt - 1e-9))


def delay_early(act, want, most):
    T = len(act)
    gaps = [(act[:T - most] - want[d:T - most + d]).square().mean()
            for d in range(most + 1)]
    return int(torch.stack(gaps).argmin())


def delay_all_steps(act, want, most):
    T = len(act)
    gaps = [(act[d:] - want[:T - d]).square().mean() for d in range(most + 1)]
    return int(torch.stack(gaps).argmin())


def delay_sum(act, want, most):
    T = len(act)
    gaps = [(act[d:] - want[:T - d]).square().sum() for d in range(most + 1)]
    return int(torch.stack(gaps).argmin())


def delay_largest(act, want, most):
    T = len(act)
    gaps = torch.stack([(act[most:] - want[most - d:T - d]).square().mean()
                        for d in range(most + 1)])
    return int(torch.nonzero(gaps == gaps.min()).max())


def delay_short(act, want, most):
    T = len(act)
    gaps = [(act[most:-1] - want[most - d:T - d - 1]).square().mean()
            for d in range(most + 1)]
    return int(torch.stack(gaps).argmin())


def moving_anywhere(act, length, still=0.05):
    return (act.abs() > still).any(-1)


def moving_signed(act, length, still=0.05):
    return moving(act.clamp(min=0), length, still)


def moving_file(act, length, still=0.05):
    return (act.abs() > still).any(-1).cumsum(0) > 0


def moving_all_axes(act, length, still=0.05):
    return torch.cat([(x.abs() > still).all(-1).cumsum(0) > 0
                      for x in act.split(length.tolist())])


def moving_fixed(act, length, still=0.05):
    return moving(act, length, 0.05)


def gain_text(d, m):
    return 2 * math.sin(math.pi / (2 * (2 * d + 1)))


def gain_scaled(d, m):
    return gain_text(d, m) / (1 - m)


def gain_old_u(d, m):
    def stable(k):
        rule = np.zeros((d + 2, d + 2))
        rule[0, 0], rule[0, 1 + d] = m, -(1 - m) * k
        rule[1, 0] = rule[1, 1] = 1
        for i in range(d):
            rule[2 + i, 1 + i] = 1
        return np.abs(np.linalg.eigvals(rule)).max() < 1
    low, high = 0.0, 4.0
    while high - low > 1e-6:
        k = (low + high) / 2
        low, high = (k, high) if stable(k) else (low, k)
    return low


def gain_coarse(d, m):
    return round(largest_gain(d, m), 2)


WRONG = {
    "E12.1": [late_plain, late_round, late_down, late_inverse, late_float],
    "E12.2": [delay_early, delay_all_steps, delay_sum, delay_largest,
              delay_short],
    "E12.3": [moving_anywhere, moving_signed, moving_file, moving_all_axes,
              moving_fixed],
    "E12.4": [gain_text, gain_scaled, gain_old_u, gain_coarse],
}
