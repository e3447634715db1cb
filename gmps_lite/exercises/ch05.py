"""Exercises of chapter 5: imitation, drift and DAgger."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.distributions import Normal

from ..demos import aggregate, relabel, subsample
from ..types import Demos, Episodes, Tasks
from . import close, exercise, seeded


@exercise("E5.1", lambda mse, std, act_dim: act_dim * (
    mse / (2 * std**2) + math.log(std) + 0.5 * math.log(2 * math.pi)))
def nll_from_mse(answer):
    yield close(answer(0.0, 1.0, 1), 0.5 * math.log(2 * math.pi)), (
        "No error, std 1, one dimension: only a constant should be left.")
    yield close(answer(0.3, 0.5, 1) - answer(0.1, 0.5, 1), 0.4), (
        "At std 0.5, A = 1, 0.2 more squared error must cost 0.4 more.")
    yield close(answer(0.2, 0.7, 4), 4 * answer(0.2, 0.7, 1)), (
        "Compare A = 4 with A = 1: what is a mean over them, what a sum?")
    rng = seeded(0)
    mean, act = torch.from_numpy(rng.normal(size=(2, 9, 3)))
    want = -Normal(mean, 0.3).log_prob(act).sum(-1).mean()
    yield close(answer(((mean - act) ** 2).mean().item(), 0.3, 3), want), (
        "At std 0.3 it is wrong for random actions. What depends on std?")


@exercise("E5.2", lambda expert, tasks, episodes, m, rng: subsample(
    relabel(expert, tasks, episodes), m, rng))
def ask(answer):
    n, e, t, m = 3, 4, 5, 9
    tasks = Tasks(torch.tensor([[-0.5], [0.0], [0.5]]))
    index = torch.arange(e * t).view(1, e, t).expand(n, e, t).float()
    obs = torch.stack([index, 0.05 * index + 10], -1)
    zero = torch.zeros(n, e, t)
    runs = Episodes(obs, torch.full((n, e, t, 1), 0.123), zero, zero, zero)

    def expert(tasks, obs):
        return 0.1 * obs[..., :1] + tasks.goal.view(-1, 1, 1)
    out = answer(expert, tasks, runs, m, seeded(0))
    have = [list(x.shape) for x in out]
    yield have == [[n, m, 2], [n, m, 1]], (
        f"Shapes must be [{n}, {m}, 2] and [{n}, {m}, 1], not {have}.")
    rows = out.obs[..., 0]
    kept = close(out.obs[..., 1], 0.05 * rows + 10)
    yield kept, "The observations must be visited ones, left as they are."
    more = [answer(expert, tasks, runs, m, seeded(s)) for s in range(40)]
    different = all(len(set(r.tolist())) == m
                    for d in more for r in d.obs[..., 0])
    yield different, "The drawn steps must differ from each other."
    yield len({float(i) for d in more for i in d.obs[0, :, 0]}) == e * t, (
        "Over many draws every step of every episode must turn up.")
    yield not close(out.act, torch.full((n, m, 1), 0.123)), (
        "Those actions were executed. Who should say what is right?")
    clipped = all(d.act.abs().max() <= 1 for d in more)
    yield clipped, "Some labels lie outside [-1, 1]."
    yield close(out.act, expert(tasks, out.obs).clamp(-1, 1)), (
        "A label is not what that task's expert does at its observation.")


def _dagger(first, rounds, fit, visit, label, cost):
    demos, fits = first, [fit(first)]
    for _ in range(rounds):
        demos = aggregate(demos, label(visit(fits[-1])))
        fits.append(fit(demos))
    return fits[int(np.argmin([cost(p) for p in fits]))], demos


@exercise("E5.3", _dagger)
def dagger(answer):
    rng = seeded(0)
    for costs in ([5, 3, 1, 2], [1, 2, 3, 4], [4, 3, 2, 1],
                  rng.random(4).tolist()):
        fits, visits, asked = [], [], []  # parameters are numbers here
        x = torch.from_numpy(rng.random((1, 3, 1))).float()
        best, demos = answer(
            Demos(x, x), 3,
            lambda d, f=fits: f.append(d.obs.flatten().tolist()) or len(f) - 1,
            lambda p, v=visits: v.append(p) or p,
            lambda e: Demos(*[torch.full((1, 2, 1), 10.0 + e)] * 2),
            lambda p, a=asked, c=costs: a.append(p) or c[p])
        yield len(fits) == 4 and fits[0] == x.flatten().tolist(), (
            "3 rounds mean 4 fits, the first to the demonstrations alone.")
        yield visits == [0, 1, 2], (
            "Each round must visit once, with the newest parameters.")
        yield [len(f) for f in fits] == [3, 5, 7, 9], (
            "The data must grow by the new labels of each round.")
        yield sorted(asked) == [0, 1, 2, 3], (
            "Call cost once for every fit, also the first and the last.")
        yield isinstance(best, int), "Hand back the parameters first."
        yield costs[best] == min(costs), (
            "Those are not the parameters of lowest cost.")
        yield demos.obs.flatten().tolist() == fits[-1], (
            "Return all demonstrations: the first and every label.")


def _cost(eps, r, steps):
    off = [0.0]
    for _ in range(steps):
        off.append(eps + (1 - eps - r) * off[-1])
    return sum(off)


@exercise("E5.4", _cost)
def expected_cost(answer):
    cases = [
        ((0.2, 0.5, 1), 0.2, "in a single step you can only slip"),
        ((0.1, 0.9, 30), 3.0, "with r = 1 - eps each step costs eps"),
        ((0.5, 0.0, 2), 1.25, "0.5 after one step, 0.75 after two"),
        ((0.5, 0.25, 2), 1.125, "0.5 after one step, 0.625 after two"),
        ((0.0, 0.0, 9), 0.0, "who never slips never pays"),
        ((1.0, 1.0, 5), 3.0, "off, on, off, on, off")]
    for case, want, why in cases:
        try:
            have = answer(*case)
        except ZeroDivisionError:
            have = math.nan
        yield close(have, want), (
            f"At (eps, r, T) = {case} it must be {want}: {why}.")
    for eps, r in seeded(0).random((20, 2)):
        yield close(answer(eps, r, 40), _cost(eps, r, 40)), (
            f"eps = {eps:.2f}, r = {r:.2f}, T = 40: not the recursion's.")
