"""Chapter 12: you are the expert."""

import math

import numpy as np
import torch
from torch import as_tensor, tensor

from . import exercise, seeded


def steps_late(seconds, dt, speed=1.0):
    return int(np.ceil(seconds * speed / dt - 1e-9))


def delay(act, want, most):
    T = len(act)
    gaps = [(act[most:] - want[most - d:T - d]).square().mean()
            for d in range(most + 1)]
    return int(torch.stack(gaps).argmin())


def moving(act, length, still=0.05):
    return torch.cat([
        (x.abs() > still).any(-1).cumsum(0) > 0
        for x in act.split(length.tolist())])


def largest_gain(d, m):
    def stable(k):
        rule = np.zeros((d + 2, d + 2))
        rule[0, 0], rule[0, 1 + d] = m, -(1 - m) * k
        rule[1] = rule[0]
        rule[1, 1] += 1
        for i in range(d):
            rule[2 + i, 1 + i] = 1
        return np.abs(np.linalg.eigvals(rule)).max() < 1
    low, high = 0.0, 40.0
    while high - low > 1e-6:
        k = (low + high) / 2
        low, high = (k, high) if stable(k) else (low, k)
    return low


@exercise("E12.1", steps_late)
def reaction(answer):
    yield answer(0.23, 0.1) == 3, (
        "A reaction of 2.3 steps has reached the hand after the third.")
    yield answer(0.23, 0.1, speed=1.0) == 3, "What is the default speed?"
    yield answer(0.201, 0.1) == answer(0.2999, 0.1) == 3, (
        "However little is left of a step, the reaction waits for its end.")
    yield answer(0.25, 0.1, speed=0.5) == 2, (
        "At half speed a control step lasts twice as long.")
    yield answer(0.25, 0.1, 2.0) == 5, "At double speed you are later."
    yield answer(0.0, 0.1) == 0, "Whoever reacts at once is not late."
    yield answer(0.3, 0.1) == 3, (
        "0.3 s at 0.1 s a step are 3 steps, whatever floating point says.")
    yield all(answer(n * dt, dt) == n for n in range(30)
              for dt in (0.1, 0.05, 0.02)), "Whole numbers must stay whole."
    yield isinstance(answer(0.23, 0.1), int | np.integer), (
        "Return a whole number, not a float.")
    for some in seeded(0).uniform(0.02, 2, (20, 3)).tolist():
        yield answer(*some) == steps_late(*some), (
            "For random times, steps and speeds it is off.")


@exercise("E12.2", delay)
def lateness(answer):
    rng = seeded(0)
    want = as_tensor(rng.normal(size=(40, 2)).cumsum(0)).float()

    def late(d, noise=0.0):
        act = torch.cat([want[:1].expand(d, 2), want[:40 - d]])
        return act + noise * as_tensor(rng.normal(size=(40, 2))).float()
    yield all(answer(late(d), want, 6) == d for d in range(7)), (
        "It misses the delay of a hand that is late and otherwise exact. "
        "What was done at t answers what was seen at t - d.")
    yield answer(late(3, 0.3), want, 6) == 3, "With a tremor it is off."
    flat = torch.ones(20, 2)
    yield answer(flat, flat, 5) == 0, (
        "Where every delay explains the same, the smallest is asked for.")
    # A hand that is 1 late, but for one wild step that only small d contain.
    act = late(1)
    act[2] += 50
    yield answer(act, want, 6) == 1, (
        "Judge all delays on the same steps: those from `most` on.")
    end = late(2)
    end[-1] += 5
    yield answer(end, want, 4) == delay(end, want, 4), (
        "The last steps of the episode count too.")
    yield all(answer(a, w, 5) == delay(a, w, 5) for a, w in (
        (as_tensor(rng.normal(size=(15, 3))), as_tensor(rng.normal(
            size=(15, 3)))) for _ in range(20))), (
        "On random numbers it is off.")


@exercise("E12.3", moving)
def waiting(answer):
    act = tensor([0.0, 0.02, 0.5, 0, 0.3, 0.9, 0, 0, 0, 0.04, -0.2, 0])
    act = torch.stack([torch.zeros(12), act], -1)
    length = tensor([5, 2, 2, 3])
    got = as_tensor(answer(act, length))
    yield got.shape == (12,) and got.dtype == torch.bool, (
        "Return a boolean for each step of the file: [S].")
    yield not got[:2].any() and bool(got[2]), (
        "An episode begins with its first step that moves.")
    yield bool(got[3]), "A later pause stays: it may be meant."
    yield bool(got[5]) and bool(got[6]), (
        "An episode that moves at once stays whole.")
    yield not got[7:9].any(), "An episode that never moves is dropped whole."
    yield not got[9] and bool(got[10:].all()), (
        "A move to the left or down is a move. And each episode waits anew.")
    yield as_tensor(answer(act, length, still=0.6)).sum() == 2, (
        "What is `still` for?")
    yield not as_tensor(answer(tensor([[0.04, 0.04]]), tensor([1])))[0], (
        "Each component is compared by itself, not their sum or norm.")
    rng = seeded(0)
    act = as_tensor(rng.normal(size=(60, 3)) * (rng.random((60, 3)) < 0.2))
    length = tensor([7, 1, 20, 12, 20])
    yield torch.equal(as_tensor(answer(act, length)), moving(act, length)), (
        "On random numbers it is off.")


@exercise("E12.4", largest_gain)
def gains(answer):
    bound = [2 * math.sin(math.pi / (2 * (2 * d + 1))) for d in range(5)]
    yield all(abs(answer(d, 0.0) - bound[d]) < 1e-3 for d in range(5)), (
        "Without inertia it must be the bound of the chapter.")
    yield answer(2, 0.5) != answer(2, 0.0), "Inertia must change the gain."
    yield abs(answer(0, 0.5) - 6.0) < 1e-3, (
        "With inertia and no delay it is off.")
    yield all(abs(answer(d, m) - largest_gain(d, m)) < 2e-4
              for d in (1, 2, 5)
              for m in (0.2, 0.6, 0.9, *seeded(0).uniform(0.1, 0.9, 2))), (
        "With inertia and delay it is off. Is the new position the old one "
        "plus the NEW u?")
