"""The pieces of proximal policy optimization (Schulman et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from .advantages import gae
from .optim import descend
from .sac import mlp
from .types import Params

MAX_NORM = 0.5  # of a gradient [Schulman's and every later release]
Rows = TypeVar("Rows", bound=NamedTuple)


class Data(NamedTuple):
    """R samples for a policy and a value network."""

    x: Tensor  # [R, X] what the learner sees
    act: Tensor  # [R, A]
    logp: Tensor  # [R] of the policy that acted
    adv: Tensor  # [R]
    target: Tensor  # [R] of the value network


def clipped_loss(logp: Tensor, old: Tensor, adv: Tensor,
                 clip: float) -> Tensor:
    """-mean(min(r A, clip(r, 1 - c, 1 + c) A)), r = exp(logp - old), for
    advantages A and a clip c above 0; equation 7 of the article.
    """
    ratio = (logp - old).exp()
    return -torch.min(ratio * adv,
                      ratio.clamp(1 - clip, 1 + clip) * adv).mean()


def value(params: Params, x: Tensor) -> Tensor:
    """The value network [..., X] -> [...]; `sac.mlp_init` makes it."""
    return mlp(params, x).squeeze(-1)


def targets(val: Tensor, rew: Tensor, done: Tensor, *, gamma: float,
            lam: float) -> tuple[Tensor, Tensor, Tensor]:
    """Advantages, value targets and which steps count, [..., T-1] each.

    val [..., T]: values of every observation; rew, done [..., T-1]: of the
    steps between them, done = 1 where nothing can be earned afterwards. The
    last value stands for all that would follow, so a time limit is no end.
    """
    ended = (done.cumsum(-1) > 0).float()
    live = 1 - torch.cat([torch.zeros_like(ended[..., :1]), ended], -1)
    val, live, rew = val * live, live[..., :-1], rew * live[..., :-1]
    last = rew[..., -1:] + gamma * val[..., -1:]
    adv = gae(torch.cat([rew[..., :-1], last], -1), val[..., :-1], gamma,
              lam)
    return adv, adv + val[..., :-1], live.bool()


def fit(opt: torch.optim.Optimizer, loss: Callable[[Rows], Tensor],
        data: Rows, *, epochs: int, minibatch: int,
        rng: np.random.Generator) -> float:
    """Pass `epochs` times over the rows of `data`, each time in another
    order and in equal parts of about `minibatch` rows, one step a part.
    Returns the mean loss of the last pass.
    """
    rows = len(data[0])
    parts = max(1, round(rows / minibatch))
    for _ in range(epochs):
        losses = [
            descend(opt, loss(type(data)(*(x[i] for x in data))), MAX_NORM)
            for i in torch.from_numpy(rng.permutation(rows)).chunk(parts)]
    return float(np.mean(losses))
