"""Multi-task reinforcement learning: one policy for all tasks at once, which
does not know the goal; at meta-test it is fine-tuned by policy gradient.

What a method that trains on many tasks earns without learning to adapt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..envs import Env
from ..inner import Gradient, act, adapt, init_steps, samples, start
from ..policies import mlp_for
from ..ppo import clipped_loss, fit
from ..rollout import rollout
from ..types import Batch, Meta, Tasks


@dataclass(frozen=True)
class Config:
    """Every number of the method; sources as in `gmps.Config`, [PPO]: the
    article's table for MuJoCo.
    """

    iterations: int = 100
    """Rounds of collecting and learning."""
    episodes: int = 10
    """E, episodes a task in each round and for each step of fine-tuning."""
    step_size: float = 0.1
    """Every step size of fine-tuning, fixed [ours: where MAML begins]."""
    epochs: int = 4
    """Passes over one collection [PPO: 10; ours: 4 lose nothing]."""
    minibatch: int = 2000
    """Samples of one gradient step [ours, as for the expert]."""
    lr: float = 1e-3
    """Adam's rate [ours]."""
    clip: float = 0.2
    """How far a probability ratio may profit from leaving 1 [PPO]."""
    gamma: float = 0.99
    """Discount [code]."""
    lam: float = 0.95
    """GAE's lambda [PPO], with a linear baseline a task [code]: it knows
    the task, which the policy does not, and needs no scale of rewards."""
    hidden: tuple[int, ...] = (100, 100)
    """Hidden layers [code]."""
    std: float = 1.0
    """Initial standard deviation of every action dimension [code]."""


PRESETS = {
    "point": Config(iterations=30, hidden=(32, 32), std=0.5),
    # 6 million steps on the quarter circle, 15 on the wider ones, 5 on push.
    "ant": Config(iterations=150, episodes=20, std=0.5),
    "ant-half": Config(iterations=190, episodes=20, std=0.5),
    "ant-full": Config(iterations=190, episodes=20, std=0.5),
    "push": Config(iterations=250, episodes=20, std=0.4),
}


class State(NamedTuple):
    learner: Gradient
    opt: torch.optim.Adam  # over the parameters


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh parameters; there is no bias transformation to adapt by."""
    policy = mlp_for(env, hidden=cfg.hidden, z_dim=0, std=cfg.std)
    params = policy.init(rng)
    meta = Meta(params, init_steps(params, cfg.step_size))
    leaves = [x.requires_grad_() for x in params.values()]
    return State(Gradient(policy, meta, cfg.gamma, cfg.lam),
                 torch.optim.Adam(leaves, lr=cfg.lr))


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round of proximal policy optimization on all tasks' samples."""
    learner, opt = state
    out, _ = rollout(env, tasks, partial(act, state), start(state, tasks.n),
                     episodes=cfg.episodes, rng=rng)
    data = Batch(*(x.flatten(0, 1) for x in samples(learner, out)))

    def loss(d: Batch) -> Tensor:
        logp = learner.policy.logp(learner.meta.params, d.obs, d.act)
        return clipped_loss(logp, d.logp, d.adv, cfg.clip)
    last = fit(opt, loss, data, epochs=cfg.epochs, minibatch=cfg.minibatch,
               rng=rng)
    ret = float(out.ret.mean())  # training does not adapt: before is after
    return state, {"loss": last, "ret_pre": ret, "ret_post": ret,
                   "error_post": float(out.error[..., -1].mean()),
                   "steps_pre": out.steps}


__all__ = ["PRESETS", "Config", "State", "act", "adapt", "init", "start",
           "update"]
