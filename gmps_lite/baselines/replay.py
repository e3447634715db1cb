"""The newest episodes of every training task, in a ring of fixed size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..envs import Env
from ..types import Episodes


class Replay(NamedTuple):
    """Row i belongs to training task i."""

    obs: Tensor  # [N, capacity, T, O]
    act: Tensor  # [N, capacity, T, A]
    rew: Tensor  # [N, capacity, T]
    count: Tensor  # [] episodes of each task ever written


def empty(env: Env, capacity: int) -> Replay:
    """Room for so many episodes a task."""
    size = len(env.splits["train"]), capacity, env.horizon
    return Replay(torch.zeros(*size, env.obs_dim),
                  torch.zeros(*size, env.act_dim), torch.zeros(size),
                  torch.tensor(0))


def remember(replay: Replay, episodes: Episodes) -> Replay:
    """Write episodes over the oldest ones, in place."""
    e, count = episodes.rew.shape[1], int(replay.count)
    i = torch.arange(count, count + e) % replay.rew.shape[1]
    replay.obs[:, i] = episodes.obs
    replay.act[:, i] = episodes.act
    replay.rew[:, i] = episodes.rew
    return replay._replace(count=replay.count + e)


def context(replay: Replay, rows: np.ndarray, rng: np.random.Generator, *,
            steps: int, episodes: int):
    """Random transitions of the tasks at `rows`, each task's from as many
    `episodes` as one adaptation step has, drawn from the two such steps of
    the last round: (obs, act [n, C, .], rew [n, C]).
    """
    count, (size, t_max) = int(replay.count), replay.rew.shape[1:]
    shape = len(rows), min(steps, episodes * t_max)
    few = rng.integers(count - 2 * episodes, count, (len(rows), episodes))
    e = np.take_along_axis(few, rng.integers(0, episodes, shape), 1) % size
    at = rows[:, None], e, rng.integers(0, t_max, shape)
    return replay.obs[at], replay.act[at], replay.rew[at]


def steps(replay: Replay, rows: np.ndarray, rng: np.random.Generator,
          n: int):
    """n random steps of each task at `rows`, but the last of an episode,
    which no observation follows: (obs, act, next obs [n, B, .], rew).
    """
    size, t_max = replay.rew.shape[1:]
    shape = len(rows), n
    i, e = rows[:, None], rng.integers(
        0, min(int(replay.count), size), shape)
    t = rng.integers(0, t_max - 1, shape)
    return (replay.obs[i, e, t], replay.act[i, e, t],
            replay.obs[i, e, t + 1], replay.rew[i, e, t])
