"""Proximal meta-policy search: MAML with several cheap outer steps on one
collection of episodes instead of one by a trust region.

Rothfuss, Lee, Clavera, Asfour, Abbeel, ICLR 2019, Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from ..envs import Env
from ..inner import (
    Gradient,
    act,
    adapt,
    init_steps,
    inner_update,
    samples,
    start,
)
from ..optim import descend
from ..policies import mlp_for
from ..ppo import MAX_NORM, clipped_loss
from ..rollout import report
from ..types import Batch, Meta, Params, Tasks, detach
from .maml import before_after


@dataclass(frozen=True)
class Config:
    """Every number of the method; sources as in `gmps.Config`."""

    iterations: int = 100
    """Rounds of collecting and learning."""
    episodes: int = 20
    """E, episodes a task before and after adaptation [ProMP release]."""
    outer_steps: int = 5
    """Adam steps on one collection [ProMP release]."""
    lr: float = 1e-3
    """Adam's rate [ProMP release]."""
    clip: float = 0.3
    """How far a ratio may profit from leaving 1 [ProMP release]."""
    kl_weight: float = 5e-4
    """Price of moving the initial policy away from the one that collected
    the episodes, fixed [ProMP release]."""
    step_size: float = 0.1
    """Where the inner step sizes begin [ProMP release]."""
    learn_steps: bool = True
    """Learn the step sizes with the rest, as the GMPS release does; the
    ProMP release does not."""
    adapt: str = "all"
    """What the inner step moves: "all" or the bias transformation "z"."""
    gamma: float = 0.99
    """Discount [ProMP release]."""
    lam: float = 1.0
    """GAE's lambda [ProMP release]."""
    hidden: tuple[int, ...] = (100, 100)
    """Hidden layers [code; ProMP has two of 64]."""
    z_dim: int = 4
    """Size of the bias transformation [code: 2 or 4]."""
    std: float = 1.0
    """Initial standard deviation of every action dimension [code]."""


PRESETS = {
    "point": Config(hidden=(32, 32), std=0.5, iterations=40, lr=5e-3),
    # 6 million steps on the quarter circle, 15 on the wider ones, 5 on push.
    "ant": Config(iterations=75, std=0.5),
    "ant-half": Config(iterations=190, episodes=10, std=0.5),
    "ant-full": Config(iterations=190, episodes=10, std=0.5),
    "push": Config(iterations=125, std=0.4),
}


class State(NamedTuple):
    learner: Gradient
    opt: torch.optim.Adam  # over what is learned of learner.meta


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh parameters."""
    policy = mlp_for(env, hidden=cfg.hidden, z_dim=cfg.z_dim, std=cfg.std)
    params = policy.init(rng)
    meta = Meta(params, init_steps(params, cfg.step_size, cfg.adapt))
    learned = meta if cfg.learn_steps else meta[:1]
    leaves = [x.requires_grad_() for d in learned for x in d.values()]
    return State(Gradient(policy, meta, cfg.gamma, cfg.lam),
                 torch.optim.Adam(leaves, lr=cfg.lr))


def ratio_loss(policy, params: Params, data: Batch,
               max_ratio: float = 20.0) -> Tensor:
    """-mean(r A), r = pi(a|s) / pi_old(a|s), at most max_ratio, for one
    task's samples [B]; equation 14 of the article. Its gradient is that of
    `inner_loss`; its second derivative also knows that other parameters
    would have sampled other actions, which is the point of the article.
    """
    ratio = (policy.logp(params, data.obs, data.act) - data.logp).exp()
    return -(ratio.clamp(max=max_ratio) * data.adv).mean()


def outer_loss(policy, meta: Meta, before: Batch, after: Batch,
               clip: float) -> Tensor:
    """The clipped loss of the adapted policies on the episodes that their
    older selves sampled, mean over tasks; before, after: [N, B, .].
    """
    def one(before, after):
        phi = inner_update(policy, meta, before, loss=ratio_loss)
        logp = policy.logp(phi, after.obs, after.act)
        return clipped_loss(logp, after.logp, after.adv, clip)
    return vmap(one)(before, after).mean()


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round: roll out, adapt, roll out again, several outer steps."""
    learner, opt = state
    policy, meta = learner.policy, learner.meta
    first, _, second = before_after(state, env, tasks, cfg.episodes, rng)
    before, after = samples(learner, first), samples(learner, second)

    old = {k: v.clone() for k, v in detach(meta.params).items()}
    for _ in range(cfg.outer_steps):
        kl = policy.kl(old, meta.params, before.obs).mean()
        loss = descend(opt, cfg.kl_weight * kl + outer_loss(
            policy, meta, before, after, cfg.clip), MAX_NORM)
    return state, report(first, second) | {"loss": loss, "kl": kl.item()}


__all__ = ["PRESETS", "Config", "State", "act", "adapt", "init", "start",
           "update"]
