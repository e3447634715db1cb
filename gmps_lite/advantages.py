"""How much better than expected was an action?"""

from __future__ import annotations

import torch
from torch import Tensor

from . import frames
from .types import Episodes

RIDGE = 1e-5  # of the least squares [code: LinearFeatureBaseline]


def returns(rew: Tensor, gamma: float) -> Tensor:
    """Discounted sums of future rewards [..., T]:
    R_t = r_t + gamma R_{t+1}, and zero after the last step.
    """
    out, future = torch.empty_like(rew), torch.zeros_like(rew[..., 0])
    for t in reversed(range(rew.shape[-1])):
        future = rew[..., t] + gamma * future
        out[..., t] = future
    return out


def features(obs: Tensor) -> Tensor:
    """[o, o^2, t, t^2, t^3, 1], t in units of 100 steps (Duan et al. 2016).

    obs [N, E, T, O], clipped to [-10, 10] -> [N, E, T, 2 O + 4].
    """
    o = obs.clamp(-10, 10)
    t = torch.arange(obs.shape[-2], dtype=obs.dtype) / 100
    time = torch.stack([t, t**2, t**3, torch.ones_like(t)], -1)
    return torch.cat([o, o**2, time.expand(*obs.shape[:-1], 4)], -1)


def linear_baseline(obs: Tensor, target: Tensor) -> Tensor:
    """The least-squares fit to `target` [N, E, T], one fit a task, at the
    same samples: predictions [N, E, T].
    """
    x = features(obs).flatten(1, 2).double()  # [N, B, F]
    y = target.flatten(1, 2).double().unsqueeze(-1)  # [N, B, 1]
    gram = x.mT @ x + RIDGE * torch.eye(x.shape[-1], dtype=x.dtype)
    weight = torch.linalg.solve(gram, x.mT @ y)
    return (x @ weight).to(target).view_as(target)


def gae(rew: Tensor, value: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalized advantage estimates [..., T] (Schulman et al. 2016):
    A_t = sum_l (gamma lam)^l delta_{t+l},
    delta_t = r_t + gamma V_{t+1} - V_t, with V = 0 after the last step.
    """
    nxt = torch.cat([value[..., 1:], torch.zeros_like(value[..., :1])], -1)
    return returns(rew + gamma * nxt - value, gamma * lam)


def normalize(adv: Tensor) -> Tensor:
    """Zero mean and unit standard deviation within each task [N, E, T];
    zero where all are the same.
    """
    flat = adv.flatten(1).double()  # else rounding passes for a difference
    mean, std = flat.mean(1), flat.std(1)
    return ((adv - mean[:, None, None])
            / (std[:, None, None] + 1e-8)).to(adv)


def advantages(episodes: Episodes, *, gamma: float, lam: float) -> Tensor:
    """Normalized advantages [N, E, T] with a linear baseline fitted to the
    same batch; gamma and lam in [0, 1].
    """
    for name, x in (("gamma", gamma), ("lam", lam)):
        if not 0 <= x <= 1:
            raise ValueError(f"{name} is {x}, must be in [0, 1]")
    target = returns(episodes.rew, gamma)
    obs = episodes.obs  # of pixels, a linear baseline sees the hand alone
    value = linear_baseline(
        frames.hand(obs) if obs.dtype == torch.uint8 else obs, target)
    return normalize(gae(episodes.rew, value, gamma, lam))
