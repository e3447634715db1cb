"""Soft actor-critic (Haarnoja et al. 2018), for any number of learners.

Parameters and data carry a leading axis L, one slice a learner, and every
layer is one batched product: ten experts that learn apart cost one call.
With L = 1 it is the textbook algorithm. PEARL uses it too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .types import Params

LOG_STD = (-5.0, 1.0)  # range of the actor's log standard deviation
LOG_2PI = math.log(2 * math.pi)


class Transitions(NamedTuple):
    """Steps of L learners, as the losses eat them."""

    x: Tensor  # [L, B, X] what the learner sees
    act: Tensor  # [L, B, A] in [-1, 1]
    rew: Tensor  # [L, B]
    nxt: Tensor  # [L, B, X]
    done: Tensor  # [L, B] 1 where nothing can be earned afterwards


def mlp_init(rng: np.random.Generator, sizes: Sequence[int],
             lead: tuple[int, ...] = ()) -> Params:
    """Weights [*lead, in, out] of a multi-layer perceptron, uniform within
    1 / sqrt(in) as torch's own layers.
    """
    params: Params = {}
    for i, (fan_in, fan_out) in enumerate(zip(sizes[:-1], sizes[1:])):
        bound = 1 / math.sqrt(fan_in)
        for key, shape in ((f"W{i}", (fan_in, fan_out)),
                           (f"b{i}", (1, fan_out))):
            w = rng.uniform(-bound, bound, (*lead, *shape))
            params[key] = torch.as_tensor(w, dtype=torch.float32)
    return params


def mlp(params: Params, x: Tensor, norm: bool = False) -> Tensor:
    """x [..., B, in] -> [..., B, out]. norm: normalize every hidden layer
    to zero mean and unit variance, which keeps critics from exploding when
    they make many steps on little data (Ball et al. 2023).
    """
    last = len(params) // 2 - 1
    for i in range(last + 1):
        x = x @ params[f"W{i}"] + params[f"b{i}"]
        if i < last:
            x = F.layer_norm(x, x.shape[-1:]) if norm else x
            x = torch.relu(x)
    return x


def actor(params: Params, x: Tensor, noise: Tensor):
    """(act, logp) of the squashed Gaussian tanh(mean + std * noise), for
    standard normal noise [..., B, A]; zero noise gives tanh(mean).
    """
    mean, log_std = mlp(params, x).chunk(2, -1)
    low, high = LOG_STD
    log_std = low + 0.5 * (high - low) * (torch.tanh(log_std) + 1)
    u = mean + log_std.exp() * noise
    logp = -(0.5 * noise**2 + log_std + 0.5 * LOG_2PI
             # log of the derivative of tanh, in a form that never overflows
             + 2 * (math.log(2) - u - F.softplus(-2 * u))).sum(-1)
    return torch.tanh(u), logp


def uniform(noise: Tensor) -> Tensor:
    """Standard normal noise as actions spread evenly over [-1, 1]."""
    return torch.erf(noise / 2**0.5)


def critic(params: Params, x: Tensor, act: Tensor) -> Tensor:
    """Values [2, L, B] by two critics of L learners."""
    return mlp(params, torch.cat([x, act], -1), norm=True).squeeze(-1)


class Learner(NamedTuple):
    """L learners; every leaf has L in front, the critics' [2, L]."""

    actor: Params
    critic: Params
    target: Params
    log_alpha: Tensor  # [L] the price of entropy
    actor_opt: torch.optim.Adam
    critic_opt: torch.optim.Adam
    alpha_opt: torch.optim.Adam


def init(rng: np.random.Generator, x_dim: int, act_dim: int, *,
         learners: int = 1, hidden: Sequence[int] = (256, 256),
         lr: float = 3e-4, alpha: float = 0.1) -> Learner:
    """Fresh networks and optimizers."""
    pi = mlp_init(rng, (x_dim, *hidden, 2 * act_dim), (learners,))
    q = mlp_init(rng, (x_dim + act_dim, *hidden, 1), (2, learners))
    target = {k: v.clone() for k, v in q.items()}
    log_alpha = torch.full((learners,), math.log(alpha))
    leaves = [[v.requires_grad_() for v in d.values()] for d in (pi, q)]

    def adam(params):
        return torch.optim.Adam(params, lr=lr, fused=True)
    return Learner(pi, q, target, log_alpha.requires_grad_(),
                   adam(leaves[0]), adam(leaves[1]), adam([log_alpha]))


def update(s: Learner, data: Transitions, rng: np.random.Generator, *,
           gamma: float, tau: float, entropy: float,
           extra: Tensor | float = 0.0) -> dict:
    """One step of critics, actor and temperature, in place.

    extra: added to the critics' loss. Where data.x has a gradient, as with
    PEARL's latent, that loss alone goes on into whatever made it.
    """
    n = data.act.shape
    eps = torch.from_numpy(
        rng.standard_normal((2, *n), dtype=np.float32))
    alpha = s.log_alpha.detach().exp().unsqueeze(-1)  # [L, 1]
    with torch.no_grad():
        act, logp = actor(s.actor, data.nxt, eps[0])
        q = critic(s.target, data.nxt, act).amin(0) - alpha * logp
        y = data.rew + gamma * (1 - data.done) * q  # [L, B]
    loss = ((critic(s.critic, data.x, data.act) - y) ** 2).mean((0, 2)).sum()
    s.critic_opt.zero_grad()
    (loss + extra).backward()
    s.critic_opt.step()

    x = data.x.detach()
    act, logp = actor(s.actor, x, eps[1])
    frozen = {k: v.detach() for k, v in s.critic.items()}
    pi_loss = (alpha * logp - critic(frozen, x, act).amin(0)).mean(1)
    s.actor_opt.zero_grad()
    pi_loss.sum().backward()
    s.actor_opt.step()

    gap = logp.detach().mean(1) + entropy  # [L]
    s.alpha_opt.zero_grad()
    (-s.log_alpha.exp() * gap).sum().backward()
    s.alpha_opt.step()
    with torch.no_grad():
        for k, v in s.target.items():
            v.lerp_(s.critic[k], tau)
    return {"q_loss": float(loss.detach())}
