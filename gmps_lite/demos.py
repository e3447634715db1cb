"""Demonstrations: what the experts do, and the loss that imitates it.

An expert is any function (tasks, obs [N, E, O]) -> act [N, E, A]. It may use
the goal, which `tasks` holds and the agent never sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from .envs import Env
from .rollout import expert_act, rollout
from .types import Batch, Demos, Episodes, Params, Tasks, check_count

Expert = Callable[[Tasks, Tensor], Tensor]
Data = TypeVar("Data", Demos, Batch)


def bc_loss(policy, params: Params, demos: Demos,
            kind: str = "mse") -> Tensor:
    """How far one task's policy is from its expert, over [M] states.

    "mse": mean squared distance of the mean action [released code].
    "nll": minus the mean log-likelihood of the expert's action [paper].
    """
    if kind == "mse":
        mean = policy.mean(params, demos.obs)
        return ((mean - demos.act) ** 2).mean()
    if kind == "nll":
        return -policy.logp(params, demos.obs, demos.act).mean()
    raise ValueError(f"loss is {kind!r}, must be 'mse' or 'nll'")


def collect(env: Env, tasks: Tasks, expert: Expert, *, episodes: int,
            rng: np.random.Generator, noise: float = 0.0) -> Demos:
    """E episodes of every task's expert; actions clipped to [-1, 1].

    noise: standard deviation of Gaussian noise on what is executed. The
    action written down is the expert's own, so noise widens the states
    without spoiling the labels.
    """
    out, _ = rollout(env, tasks, expert_act(expert, tasks), None,
                     episodes=episodes, rng=rng, noise=noise)
    return relabel(expert, tasks, out)


def relabel(expert: Expert, tasks: Tasks, episodes: Episodes) -> Demos:
    """What each task's expert would have done at the visited observations:
    the step that makes cloning into DAgger (Ross et al. 2011). Raises
    ValueError unless there is one task for each row of episodes.
    """
    if tasks.n != episodes.obs.shape[0]:
        raise ValueError(f"episodes of {episodes.obs.shape[0]} tasks, but "
                         f"{tasks.n} tasks to label them for")
    obs = episodes.obs.flatten(1, 2)  # [N, B, O]
    return Demos(obs, expert(tasks, obs).clamp(-1.0, 1.0))


def aggregate(old: Demos, new: Demos, asked: float = 1.0) -> Demos:
    """Both sets, one after the other along M.

    asked: share of the tasks, evenly spread, of which something new can be
        known; for the others their old steps stand there once more.
    """
    check_demos(new, old.obs.shape[-1], old.act.shape[-1], old.obs.shape[0])
    n, m = new.obs.shape[:2]
    marks = torch.floor(torch.arange(n + 1) * asked + 1e-6)
    mine = (marks[1:] > marks[:-1])[:, None, None]
    again = torch.arange(m) % old.obs.shape[1]
    new = Demos(*(torch.where(mine, x, y[:, again])
                  for x, y in zip(new, old, strict=True)))
    return Demos(torch.cat([old.obs, new.obs], 1),
                 torch.cat([old.act, new.act], 1))


def subsample(data: Data, m: int, rng: np.random.Generator) -> Data:
    """m random steps, the same rows for every task, of demonstrations
    [N, M, .] or of a batch [N, B, .]; all of them where there are fewer.
    Raises ValueError unless m is an int of 1 or more.
    """
    check_count("m", m, 1)
    total = data.obs.shape[1]
    if m >= total:
        return data
    index = torch.as_tensor(rng.choice(total, m, replace=False))
    return type(data)(*(x[:, index] for x in data))


def check_demos(demos: Demos, obs_dim: int, act_dim: int, n: int) -> None:
    """Raise unless the demonstrations fit O, A and N and are finite."""
    for name, x, dim in (("obs", demos.obs, obs_dim),
                         ("act", demos.act, act_dim)):
        if x.dim() != 3 or x.shape[0] != n or x.shape[2] != dim:
            raise ValueError(
                f"demonstrations: {name} has shape {tuple(x.shape)}, "
                f"expected [{n}, M, {dim}]")
        if not torch.isfinite(x).all():
            raise ValueError(f"demonstrations: {name} has values that are "
                             "not finite")
    if demos.obs.shape[1] != demos.act.shape[1] or not demos.obs.shape[1]:
        raise ValueError(f"demonstrations: {demos.obs.shape[1]} observations"
                         f" and {demos.act.shape[1]} actions a task")
