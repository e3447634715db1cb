"""Chapter 10: beyond the training tasks."""

import numpy as np
import torch
from torch import as_tensor

from ..inner import init_steps, inner_update
from ..policies import GaussianMLP
from ..types import Batch, Meta
from . import close, exercise, seeded


def beyond(goal, low, high):
    goal = np.asarray(goal)
    a = np.rad2deg(np.arctan2(goal[:, 1], goal[:, 0])) % 360
    out = np.minimum((low - a) % 360, (a - high) % 360)
    return np.where((low <= a) & (a <= high), 0.0, out)


def difference(a, b, rng, draws=1000):
    a, b = np.asarray(a).mean(1), np.asarray(b).mean(1)
    many = (a[rng.integers(0, len(a), (draws, len(a)))].mean(1)
            - b[rng.integers(0, len(b), (draws, len(b)))].mean(1))
    low, high = np.quantile(many, [0.025, 0.975])
    return low, a.mean() - b.mean(), high


def stop(returns):
    returns = np.asarray(returns)
    mean = returns.mean(-1)
    error = returns.std(-1, ddof=1) / returns.shape[-1] ** 0.5
    best = mean.argmax(1)[:, None]
    bar = (np.take_along_axis(mean, best, 1)
           - np.take_along_axis(error, best, 1))
    return (mean >= bar).argmax(1)


def search(policy, meta, data, earn, factors=(0.25, 0.5, 1.0, 2.0)):
    options = [meta.params]
    for f in factors:
        step = {k: f * v for k, v in meta.step.items()}
        options.append(inner_update(policy, Meta(meta.params, step), data))
    return options[int(np.argmax([earn(params) for params in options]))]


@exercise("E10.1", beyond)
def degrees(answer):
    def ask(*angles, low=0.0, high=90.0, radius=1.0):
        a = np.deg2rad(angles)
        return np.asarray(answer(
            radius * np.stack([np.cos(a), np.sin(a)], -1), low, high))
    yield ask(10, 50, 80).shape == (3,), "Return one number a goal: [N]."
    yield close(ask(10, 50, 80), np.zeros(3)), (
        "Goals inside the range are 0 degrees beyond it.")
    yield close(ask(100, 120, 180), np.array([10.0, 30, 90])), (
        "Just past the upper end the way back to it counts.")
    yield close(ask(350, 300), np.array([10.0, 60])), (
        "Just below 0 degrees the way is short, not nearly a full turn.")
    yield close(ask(100, 300, radius=2.5), np.array([10.0, 60])), (
        "The distance of the goal from the middle must not matter.")
    every = np.arange(0.5, 360)
    a = np.deg2rad(every)
    goal = np.stack([np.cos(a), np.sin(a)], -1)
    some = [round(x) + 0.0 for x in seeded(0).uniform([1, 180], [170, 350])]
    for low, high in ([30.0, 200.0], some):
        yield close(ask(*every, low=low, high=high),
                    beyond(goal, low, high), 1e-4), (
            f"For a range from {low:g} to {high:g} degrees some angles are "
            "off.")


@exercise("E10.2", difference)
def interval(answer):
    rng = seeded(0)

    def ask(a, b, seed=1):
        return np.array([float(x) for x in answer(
            a, b, seeded(seed), draws=4000)])
    flat = ask(np.full((4, 6), 5.0), np.full((3, 6), 2.0))
    yield flat.shape == (3,), "Return three numbers: low, middle, high."
    yield close(flat, np.full(3, 3.0)), (
        "Where every number of A is 5 and of B is 2, all three are 3.")
    tasks = rng.normal(0, 50, 6)  # hard and easy ones, the same for all
    spread = ask(np.tile(tasks, (4, 1)) + 3, np.tile(tasks, (3, 1)))
    yield close(spread, np.full(3, 3.0)), (
        "Trainings that agree leave no doubt, however different the tasks "
        "are. What did you draw anew?")
    a = rng.normal(0, 1, (8, 1)) + rng.normal(0, 0.2, (8, 30))
    same = ask(a, a)
    yield close(same[1], 0.0), "A method against itself differs by 0."
    yield bool(same[2] - same[0] > 0.1), (
        "The same table twice must leave doubt: seed 0 of A and seed 0 of B "
        "were not trained together. Are they drawn together?")
    b = rng.normal(2, 2, (5, 1)) + rng.normal(0, 0.2, (5, 30))
    ref, out = difference(a, b, rng, 4000), ask(a, b)
    yield close(out[1], ref[1]), "The middle is the data's, A minus B."
    yield bool(np.abs(out - ref).max() < 0.1 * (ref[2] - ref[0])), (
        "The interval is off: wrong percentiles, or the wrong number of "
        "trainings in a draw.")


@exercise("E10.3", stop)
def in_time(answer):
    wave = np.array([-1.0, 1.0, -1, 1])  # standard error 0.577

    def ask(*rows, size=1.0):
        return np.asarray(answer(np.array(
            [[m + size * wave for m in row] for row in rows])))
    got = ask([0, 5, 9, 2], [7, 0, 0, 0])
    yield got.shape == (2,), "Return one k a task: [N]."
    yield np.issubdtype(got.dtype, np.integer), "A number of steps is an int."
    yield got.tolist() == [2, 0], (
        "With clear differences it is the best step; before any step counts "
        "as k = 0.")
    yield ask([0, 8.6, 9, 8.9]).tolist() == [1], (
        "What is within a standard error of the best, and earlier, wins.")
    yield ask([0, 8.2, 9, 8.9]).tolist() == [2], (
        "That one is more than a standard error below the best. Which "
        "spread do you divide, and by what?")
    yield ask([0, 8.6, 9, 8.9], size=0.1).tolist() == [2], (
        "With little noise small differences are real.")
    noisy = np.zeros((1, 3, 4))
    noisy[0, 1], noisy[0, 2] = 8 + 9 * wave, 9 + 0.1 * wave
    yield np.asarray(answer(noisy)).tolist() == [2], (
        "The standard error is that of the best step, not of the others.")
    returns = seeded(0).normal(size=(50, 6, 9))
    yield np.asarray(answer(returns)).tolist() == stop(returns).tolist(), (
        "On random returns some tasks stop at another step.")


@exercise("E10.4", search)
def lengths(answer):
    rng = seeded(3)
    policy = GaussianMLP(2, 2, hidden=(4,), z_dim=2, std=0.5)
    params = {k: x.double() for k, x in policy.init(rng).items()}
    meta = Meta(params, init_steps(params, 0.3))
    obs, act = as_tensor(rng.normal(size=(2, 7, 2)))
    data = Batch(obs, act, *as_tensor(rng.normal(size=(2, 7))))
    whole = inner_update(policy, meta, data)["W0"] - params["W0"]

    def share(p):  # how much of the whole step was taken
        return float(((p["W0"] - params["W0"]) * whole).sum()
                     / (whole * whole).sum())
    for want in (0.25, 0.5, 1.0, 2.0):
        asked = []

        def earn(p, asked=asked, want=want):
            asked.append(share(p))
            return -abs(asked[-1] - want)
        got = answer(policy, meta, data, earn)
        yield isinstance(got, dict) and got.keys() == params.keys(), (
            "Return parameters: a dict like meta.params.")
        yield abs(share(got) - want) < 1e-6, (
            f"Where {want} of the step earns most, that is not what comes "
            "back.")
        yield len(asked) == 5, (
            f"earn was asked {len(asked)} times: 4 factors and the old "
            "parameters make 5.")
        yield close(np.sort(asked), np.array([0, 0.25, 0.5, 1, 2])), (
            "Not all factors were tried from the old parameters, or the old "
            "ones were not asked about.")
    got = answer(policy, meta, data, lambda p: -abs(share(p)))
    yield abs(share(got)) < 1e-6, (
        "If every step makes things worse, nothing may move.")
    got = answer(policy, meta, data, share, factors=(3.0, 0.1))
    yield abs(share(got) - 3.0) < 1e-6, "The argument factors is not used."
    moved = max(float((v - params[k] - 3 * (inner_update(
        policy, meta, data)[k] - params[k])).abs().max())
        for k, v in got.items())
    yield moved < 1e-9, "Some parameter did not take the same share."
    yield all(torch.equal(v, torch.full_like(v, 0.3))
              for v in meta.step.values()), (
        "meta.step itself was changed; make new step sizes.")
