"""MAML with a TRPO outer step: reinforcement learning inside and outside.

Finn, Abbeel, Levine, ICML 2017. The outer step needs fresh episodes of the
adapted policies every time, which is what makes it expensive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.func import vmap

from ..demos import subsample
from ..envs import Env
from ..inner import (
    Gradient,
    GradientCarry,
    act,
    adapt,
    axes,
    init_steps,
    inner_update,
    samples,
    start,
)
from ..policies import policy_for
from ..rollout import report, rollout
from ..trpo import trpo_step
from ..types import Batch, Episodes, Meta, Params, Tasks, detach


@dataclass(frozen=True)
class Config:
    """Every number of the method; sources as in `gmps.Config`."""

    iterations: int = 100
    """Outer steps."""
    episodes: int = 20
    """E, episodes a task before and after adaptation [code: 20 to 50]."""
    step_size: float = 0.1
    """Where the inner step sizes begin [ProMP release]."""
    learn_steps: bool = True
    """Learn the step sizes with the rest, as the GMPS release does."""
    adapt: str = "all"
    """What the inner step moves, as for guided search: "all", "z", "conv"."""
    max_kl: float = 0.01
    """Trust region of the outer step [code]."""
    cg_steps: int = 10
    """Conjugate-gradient steps [code]."""
    fisher_share: float = 0.1
    """Share of the samples that the Fisher matrix is estimated from [ours:
    its products are most of the work; Schulman et al. 2015 do the same]."""
    damping: float = 1e-5
    """Added to the Fisher matrix [ours; ProMP has 0]."""
    gamma: float = 0.99
    """Discount [code]."""
    lam: float = 1.0
    """GAE's lambda [code]."""
    hidden: tuple[int, ...] = (100, 100)
    """Hidden layers [code]."""
    z_dim: int = 4
    """Size of the bias transformation [code: 2 or 4]."""
    std: float = 1.0
    """Initial standard deviation of every action dimension [code]."""


# As for GMPS: noise that leaves the gait alone, and lambda below 1, with
# which one step knows more of the goal.
_ANT = Config(iterations=130, hidden=(64, 64), std=0.7, lam=0.9)
_PUSH = Config(iterations=80, episodes=40, hidden=(64, 64), std=0.4)
PRESETS = {
    "point": Config(hidden=(32, 32), std=0.5, iterations=40),
    "ant": _ANT, "ant-half": _ANT, "ant-full": _ANT,
    "push": _PUSH,
    # Ten times the steps that guided search meta-trains with.
    "push-sparse": replace(_PUSH, iterations=32),
    "door": replace(_PUSH, iterations=54, episodes=20, std=1.0),
    "ant-sparse": replace(_ANT, iterations=46, gamma=1.0, lam=0.97),
    # From pixels, the same steps.
    "push-pixels": replace(_PUSH, iterations=6, episodes=20),
    "door-pixels": replace(_PUSH, iterations=6, episodes=20, std=0.3,
                           lam=0.95),
}


class State(NamedTuple):
    learner: Gradient


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh parameters."""
    policy = policy_for(env, hidden=cfg.hidden, z_dim=cfg.z_dim, std=cfg.std)
    params = policy.init(rng)
    meta = Meta(params, init_steps(params, cfg.step_size, cfg.adapt))
    return State(Gradient(policy, meta, cfg.gamma, cfg.lam))


def surrogate(policy, meta: Meta, before: Batch, after: Batch) -> Tensor:
    """Minus the importance-weighted advantage of the adapted policies,
    mean over tasks; before, after: [N, B, .].
    """
    def one(before, after):
        phi = inner_update(policy, meta, before)
        logp = policy.logp(phi, after.obs, after.act)
        return -((logp - after.logp).exp() * after.adv).mean()
    return vmap(one)(before, after).mean()


def mean_kl(policy, old: Params, meta: Meta, before: Batch,
            after: Batch) -> Tensor:
    """How far the adapted policies move from `old`, a carry's: mean
    KL(old || new) over the states they visited.
    """
    def one(old, before, after):
        phi = inner_update(policy, meta, before)
        return policy.kl(old, phi, after.obs).mean()
    return vmap(one, (axes(meta), 0, 0))(old, before, after).mean()


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One outer step: roll out, adapt, roll out again, TRPO."""
    learner = state.learner
    policy, meta = learner.policy, learner.meta
    first, carry, second = before_after(state, env, tasks, cfg.episodes, rng)
    before, after = samples(learner, first), samples(learner, second)

    flat = _join(meta) if cfg.learn_steps else dict(meta.params)
    size = math.ceil(cfg.fisher_share * before.adv.shape[1])
    few = [subsample(x, size, rng) for x in (before, after)]
    old = detach(vmap(lambda x: inner_update(policy, meta, x),
                      out_dims=axes(meta))(few[0]))
    new, info = trpo_step(
        flat,
        lambda x: surrogate(policy, _split(x, meta), before, after),
        lambda x: mean_kl(policy, carry.params, _split(x, meta), before,
                          after),
        metric=lambda x: mean_kl(policy, old, _split(x, meta), *few),
        max_kl=cfg.max_kl, cg_steps=cfg.cg_steps, damping=cfg.damping)
    metrics = info | report(first, second)
    return State(learner._replace(meta=_split(new, meta))), metrics


def before_after(state, env: Env, tasks: Tasks, episodes: int,
                 rng: np.random.Generator
                 ) -> tuple[Episodes, GradientCarry, Episodes]:
    """Roll out, adapt, roll out again: episodes of the initial policy, what
    they adapted it to, episodes of that.
    """
    roll = partial(rollout, env, tasks, partial(act, state), rng=rng,
                   episodes=episodes)
    first, carry = roll(start(state, tasks.n))
    carry = adapt(state, carry, first)
    return first, carry, roll(carry)[0]


def _join(meta: Meta) -> Params:
    return meta.params | {f"step.{k}": v for k, v in meta.step.items()}


def _split(flat: Params, like: Meta) -> Meta:
    return Meta({k: flat[k] for k in like.params},
                {k: flat.get(f"step.{k}", v) for k, v in like.step.items()})


__all__ = ["PRESETS", "Config", "State", "act", "adapt", "init", "start",
           "update"]
