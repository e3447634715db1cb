"""Exercises of chapter 7: where experts come from."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.distributions import Normal

from ..types import Tasks
from . import close, exercise, seeded, torch_seeded


def _logp_of(act, mean, std):
    a = act.clamp(-1 + 1e-6, 1 - 1e-6)
    return (Normal(mean, std).log_prob(a.atanh())
            - torch.log(1 - a**2)).sum(-1)


@exercise("E7.1", _logp_of)
def squashed(answer):
    zero, one = torch.zeros(1, 3), torch.ones(1, 3)
    out = answer(zero, zero, one)
    yield out.shape == (1,), (
        "One number for each action vector: the last axis is summed over.")
    yield close(out, torch.tensor([-1.5 * math.log(2 * math.pi)])), (
        "At the center of the box tanh has slope 1: with mean 0 and std 1 "
        "three dimensions have the density of three standard normals there.")
    a = torch.linspace(-1, 1, 40_001, dtype=torch.float64)[1:-1, None]
    for mean, std in ((0.0, 0.5), (0.7, 0.4)):
        mean, std = torch.tensor([mean]), torch.tensor([std])
        area = torch.trapezoid(answer(a, mean, std).exp(), a[:, 0])
        yield close(area, 1.0, 2e-3), (
            f"With mean {mean.item():.1f} and std {std.item():.1f} it "
            f"integrates to {area:.3f} over the box, and must to 1.")
    edge = torch.tensor([[1.0, 0.0], [-1.0, 0.5]])
    out = answer(edge, torch.zeros(2, 2), torch.ones(2, 2))
    yield bool(torch.isfinite(out).all()), (
        "An action of exactly 1 or -1 gives a number that is not finite.")
    g = torch_seeded(0)
    act, mean = torch.rand(2, 4, 5, 2, generator=g) * 1.8 - 0.9
    std = torch.rand(4, 5, 2, generator=g) + 0.2
    yield close(answer(act, mean, std), _logp_of(act, mean, std), 1e-4), (
        "On random actions, means and standard deviations it is off.")


def _future(reached, k, rng):
    t = len(reached)
    index = rng.integers(np.arange(t)[:, None], t, (t, k))
    return reached[torch.as_tensor(index)]


@exercise("E7.2", _future)
def future(answer):
    t, k = 8, 1000
    reached = torch.stack([torch.arange(t).float(), torch.ones(t)], -1)
    out = answer(reached, k, seeded(0))
    yield out.shape == (t, k, 2), (
        f"The shape must be [T, k, G] = [{t}, {k}, 2], not "
        f"{list(out.shape)}.")
    yield close(out[..., 1], torch.ones(t, k)), (
        "Draw whole places: both coordinates of one goal belong together.")
    index = out[..., 0]
    yield bool((index[-1] == t - 1).all()), (
        "After the last step only one place is left: its own.")
    yield bool((index >= torch.arange(t)[:, None]).all()), (
        "Some goals were reached before the step that they should judge.")
    for i in range(t):
        seen = set(index[i].tolist())
        yield seen == set(range(i, t)), (
            f"Of {k} goals for step {i} some places of its future never "
            "turn up, or only a few do. Its own place counts too.")
    share = torch.bincount(index[0].long()) / k
    yield bool((share - 1 / t).abs().max() < 0.05), (
        f"Step 0 draws one of its {t} places with probability "
        f"{share.max():.2f}; all should be alike.")
    yield not torch.equal(index[0], index[0].sort().values), (
        "The k draws of a step must be independent of each other.")


def _shape(rew, potential, done, gamma):
    return rew + gamma * (1 - done) * potential[1:] - potential[:-1]


@exercise("E7.3", _shape)
def shaping(answer):
    rng = seeded(0)
    rew, phi = rng.normal(size=6), rng.normal(size=7)
    on, end = np.zeros(6), np.eye(6)[5]
    out = answer(rew, phi, on, 0.9)
    yield out.shape == (6,), "Return one reward for each of the T steps."
    yield close(answer(rew, 0 * phi, end, 0.9), rew), (
        "A potential of zero must leave every reward as it is, also the "
        "last one of an episode that ends.")
    power = 0.9 ** np.arange(6)
    extra = (power * (out - rew)).sum()
    yield close(extra, 0.9**6 * phi[6] - phi[0]), (
        "Where nothing ends, the extra terms must sum, discounted, to "
        "gamma^T Phi(s_T) - Phi(s_0). Which of the two is discounted?")
    extra = (power * (answer(rew, phi, end, 0.9) - rew)).sum()
    yield close(extra, -phi[0]), (
        "Where the episode ends, the discounted extra terms must sum to "
        "-Phi(s_0), whatever the state it ended in.")
    done = np.array([0, 0, 1, 0, 0, 1.0])
    yield close(answer(rew, phi, done, 0.9), _shape(rew, phi, done, 0.9)), (
        "With two ends in one array it is off.")


def _bill(steps, seconds, ret, level, per_step, per_minute):
    hit = ret >= level
    if not hit.any():
        return np.inf
    n = hit.argmax() + 1
    return per_step * steps[:n].sum() + per_minute * seconds[:n].sum() / 60


@exercise("E7.4", _bill)
def price(answer):
    steps = np.array([100.0, 200, 300, 400])
    seconds = np.array([60.0, 120, 30, 240])
    ret = np.array([np.nan, 5.0, np.nan, 9.0])
    yield close(answer(steps, seconds, ret, 5.0, 1.0, 0.0), 300.0), (
        "The level is reached in the second iteration. Its steps and all "
        "before it must be paid: rows are not sums so far.")
    yield close(answer(steps, seconds, ret, 5.0, 0.0, 1.0), 3.0), (
        "Minutes: the first two iterations took 180 seconds.")
    yield close(answer(steps, seconds, ret, 9.0, 0.01, 2.0), 25.0), (
        "1,000 steps at 0.01 and 7.5 minutes at 2 make 25.")
    out = answer(steps, seconds, ret, 9.5, 1.0, 1.0)
    yield out is not None and math.isinf(out) and out > 0, (
        "A level that is never reached cannot be had at any price.")
    fall = np.array([6.0, 2.0, 7.0, 1.0])
    yield close(answer(steps, seconds, fall, 5.0, 1.0, 0.0), 100.0), (
        "It may fall below the level later: the first time counts.")
    steps, seconds, ret = seeded(0).random((3, 9)) * 900
    args = steps, seconds, ret, ret[5], 0.02, 3.0
    yield close(answer(*args), _bill(*args)), (
        "On nine random iterations it is off.")


def _jump(expert, obs, angles, radius):
    a = torch.deg2rad(angles)
    tasks = Tasks(radius * torch.stack([a.cos(), a.sin()], -1))
    act = expert(tasks, obs.expand(len(a), 1, -1))[:, 0]
    return (act[1:] - act[:-1]).norm(dim=-1) / angles.diff()


@exercise("E7.5", _jump)
def smooth(answer):
    angles = torch.tensor([10.0, 20.0, 40.0, 45.0, 80.0])
    obs, asked = torch.tensor([0.5, -0.2, 0.1]), []

    def degrees(tasks):
        return torch.rad2deg(torch.atan2(*tasks.goal.unbind(-1)[::-1]))

    def ramp(tasks, at):  # 3 and 4 units a degree: 5 in all
        asked.append((tasks, at))
        return degrees(tasks)[:, None, None] * torch.tensor([3.0, 4.0])
    out = answer(ramp, obs, angles, 2.0)
    tasks, at = asked[0]
    yield out.shape == (4,), "Between n goals there are n - 1 jumps."
    yield close(tasks.goal.norm(dim=-1), torch.full((5,), 2.0)), (
        "The goals do not lie on the circle of that radius.")
    yield close(degrees(tasks), angles, 1e-3), (
        "The goals do not lie at those angles. Degrees or radians?")
    yield close(at, obs.expand(5, 1, 3)), (
        "The expert must be asked at the given observation, [n, 1, O].")
    yield close(out, torch.full((4,), 5.0), 1e-3), (
        "An action that moves by (3, 4) with each degree has a jump of 5 "
        "everywhere, also where the angles are farther apart.")

    def seam(tasks, at):
        side = (degrees(tasks) > 42).float()[:, None, None]
        return side.expand(-1, 1, 2) * at[..., :1]
    want = torch.tensor([0, 0, 0.5 * 2**0.5 / 5, 0])
    yield close(answer(seam, obs, angles, 1.0), want, 1e-4), (
        "An expert with a seam at 42 degrees must show it between 40 and 45 "
        "and nowhere else.")

    def waves(tasks, at):
        return (tasks.goal[:, None] + at[..., :2]).sin()
    rng = seeded(0)
    args = (waves, torch.from_numpy(rng.normal(size=3)),
            torch.from_numpy(rng.uniform(5, 40, 7).cumsum()), 1.5)
    yield close(answer(*args), _jump(*args), 1e-4), (
        "At a random observation, for random angles it is off.")
