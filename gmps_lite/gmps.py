"""Guided Meta-Policy Search: reinforcement learning inside, imitation outside.

Mendonca, Gupta, Kralev, Abbeel, Levine, Finn, NeurIPS 2019, Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from .dataset.source import first_demos
from .demos import aggregate, bc_loss, check_demos, relabel, subsample
from .envs import Env
from .experts import Expert, expert_for
from .inner import (
    Gradient,
    act,
    adapt,
    adapt_steps,
    effective_share,
    init_steps,
    samples,
    start,
)
from .log import slow
from .optim import descend, set_rate
from .policies import policy_for
from .rollout import rollout
from .types import Batch, Demos, Meta, Tasks


@dataclass(frozen=True)
class Config:
    """Every number of the method. [code]: the authors' release, [paper]:
    the article, [ours]: measured here, with the reason.
    """

    iterations: int = 20
    """Rounds of collecting and imitating."""
    episodes: int = 20
    """E, episodes a task for one adaptation step [code: 20 to 50]."""
    inner_steps: int = 1
    """K, adaptation steps that the outer loss goes through [code: 1]. With 0
    nothing adapts: the goal-blind imitator of the same experts."""
    outer_steps: int = 500
    """Adam steps on one collection of episodes [code: 500]."""
    warmup: int = 0
    """Adam steps of imitation without adaptation before the first episode
    [ours: they cost no environment step, and an ant that walks shows more of
    its task than one that trembles; see chapter 8]."""
    lr: float = 1e-3
    """Adam's rate [code]; decays along a half cosine to lr_end [ours: a
    constant rate falls apart after some rounds]."""
    lr_end: float = 0.1
    """The last rate, as a fraction of the first [ours]."""
    step_lr: float = 1.0
    """Adam's rate for the step sizes, over that for the weights [ours: where
    a good step size is a hundredth, a rate made for weights is a leap]."""
    clip: float = 1.0
    """Largest norm of the outer gradient [ours: the released code has none,
    and the only public curve of it diverges once]."""
    step_size: float = 0.5
    """Where every learned inner step size begins [code]."""
    adapt: str = "all"
    """What the inner step moves: "all", the bias transformation "z", or of
    a policy from pixels "conv", all and the convolutions [code: "all"]."""
    gamma: float = 0.99
    """Discount [code]."""
    lam: float = 1.0
    """GAE's lambda [code]."""
    max_ratio: float = 20.0
    """Largest importance weight [ours; the released code has no limit]."""
    inner_samples: int = 1000
    """Samples a task drawn for the inner step in each outer step [ours]."""
    bc_samples: int = 300
    """Imitated states a task drawn in each outer step [ours]."""
    loss: str = "mse"
    """Outer loss: "mse" on the mean [code] or "nll" [paper]."""
    expert: str = "analytic"
    """Who is imitated: a name in `experts`, or a checkpoint's path."""
    demos: str = ""
    """Recorded demonstrations to begin with, and whose tasks to train on: a
    name in `dataset.shipped()` or a file. Empty: the expert is asked."""
    demo_episodes: int = 5
    """Most demonstrations a task [code: 1 to 20]."""
    dagger: bool = True
    """Label and add the states that adapted policies visit [paper]. Without,
    an expert is never asked about them: demonstrations are all there is."""
    asked: float = 1.0
    """Share of the tasks, evenly spread, whose expert can be asked; of the
    others there are demonstrations alone [paper: the hybrid]."""
    dagger_episodes: int = 5
    """Episodes a task of the fully adapted policy, for DAgger [ours]."""
    hidden: tuple[int, ...] = (100, 100)
    """Hidden layers [code]."""
    z_dim: int = 4
    """Size of the bias transformation [code: 2 or 4]."""
    std: float = 1.0
    """Initial standard deviation of every action dimension [code: 1]."""


# Ants: 40 episodes tell the inner step more of the goal than 20; lambda below
# 1 helps a little, and a spread of 0.7 leaves more of the gait than 1. Half of
# the samples in each outer step: with a quarter, adapted policies were half as
# good after a round. A higher rate, or none of the warmup, drives theta so far
# in a round that the weights leave a handful of samples, and later rounds undo
# the earlier ones.
_ANT = Config(iterations=5, episodes=40, outer_steps=150, lr=8e-4,
              warmup=1000, step_size=0.2, lam=0.9, inner_samples=2000,
              demo_episodes=1,
              hidden=(64, 64), std=0.7, expert="ant-ppo")
# Push: with std 1 the exploring hand loses the block, and what it then sees
# says nothing about the goal; 0.4 made all the difference. The warmup is
# worth three rounds.
_PUSH = Config(iterations=6, episodes=40, inner_steps=3, outer_steps=100,
               warmup=1000, lr=2e-3, step_size=0.1, inner_samples=500,
               bc_samples=200, hidden=(32, 32), std=0.4, expert="push-ppo")
# Sparse rewards, and demonstrations that come with the package: nobody is
# asked. Door: a hand that shakes less keeps the bar and hears more of the
# target. Ant: a heading is chosen a hundred steps before it pays, so nothing
# is discounted: with 0.99 a gradient tells half as much of the goal. Its step
# sizes begin at what is best for a plain gradient (0.2 ruins the policy that
# the outer steps must then repair), and the inner step sees half of the
# samples, or it learns to distrust them; on the door both did harm.
_SHOWN = {"dagger": False, "demo_episodes": 20}
PRESETS = {
    "point": Config(iterations=8, inner_steps=3, outer_steps=60, lr=2e-3,
                    step_size=0.1, inner_samples=400, bc_samples=100,
                    hidden=(32, 32), std=0.5),
    "push": _PUSH, "ant": _ANT, "ant-half": _ANT, "ant-full": _ANT,
    "push-sparse": replace(_PUSH, iterations=2, lr=1e-3,
                           demos="push-sparse", **_SHOWN),
    "door": replace(_PUSH, iterations=3, episodes=20, outer_steps=200,
                    lr_end=0.05, std=0.2, lam=0.95, demos="door",
                    expert="analytic", **_SHOWN),
    "ant-sparse": replace(
        _ANT, iterations=2, episodes=80, outer_steps=120, warmup=3000,
        lr_end=0.05, step_size=0.03, step_lr=0.2, inner_samples=8000,
        bc_samples=500, std=0.4, gamma=1.0, lam=0.97,
        hidden=(100, 100), demos="ant-sparse", expert="ant-long-ppo",
        **_SHOWN),
    # From pixels: smaller batches, since each of their samples is a picture.
    "push-pixels": replace(
        _PUSH, iterations=3, episodes=20, outer_steps=60, warmup=600,
        lr=1e-3, step_size=0.05, inner_samples=300, bc_samples=100,
        hidden=(64, 64), demos="push-sparse", **_SHOWN),
    "door-pixels": replace(
        _PUSH, iterations=3, episodes=15, outer_steps=150, warmup=1000,
        lr=1e-3, step_size=0.02, inner_samples=200, bc_samples=100,
        hidden=(64, 64), std=0.2, lam=0.95, demos="door",
        expert="analytic", **_SHOWN),
}


class State(NamedTuple):
    learner: Gradient  # the policy and what is meta-learned of it
    opt: torch.optim.Adam  # over every tensor of learner.meta
    demos: Demos  # [N, M, .], row i belongs to training task i
    iteration: Tensor  # [] how many updates were made


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh parameters and the experts' demonstrations (lines 1 and 2)."""
    policy = policy_for(env, hidden=cfg.hidden, z_dim=cfg.z_dim, std=cfg.std)
    params = policy.init(rng)
    meta = Meta(params, init_steps(params, cfg.step_size, cfg.adapt))
    groups = [{"params": [x.requires_grad_() for x in d.values()],
               "share": share} for d, share in zip(
                   meta, (1.0, cfg.step_lr), strict=True)]
    return State(Gradient(policy, meta, cfg.gamma, cfg.lam),
                 torch.optim.Adam(groups, lr=cfg.lr),
                 first_demos(cfg, env, rng), torch.tensor(0))


def outer_loss(policy, meta: Meta, batches: list[Batch], demos: Demos,
               loss: str = "mse", max_ratio: float = 20.0) -> Tensor:
    """How badly adapted policies imitate: mean over tasks and over the
    policies after 1..K steps. batches: K of them, each [N, B, .].
    """
    def one(batches, demos):
        path = adapt_steps(policy, meta, batches, max_ratio)
        return torch.stack([bc_loss(policy, phi, demos, loss)
                            for phi in path[1:] or path]).mean()
    return vmap(one)(batches, demos).mean()


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round of Algorithm 1. Moves the tensors of state.learner.meta."""
    learner, opt, demos, iteration = state
    expert = expert_for(env.plain, cfg.expert) if (
        cfg.dagger or not cfg.demos) else Expert(None)
    check_demos(demos, env.obs_dim, env.act_dim, tasks.n)
    roll = partial(rollout, env, tasks, partial(act, state), rng=rng)

    def imitate(batches: list[Batch]) -> float:
        few = [subsample(b, cfg.inner_samples, rng) for b in batches]
        return descend(opt, outer_loss(
            learner.policy, learner.meta, few,
            subsample(demos, cfg.bc_samples, rng), cfg.loss, cfg.max_ratio),
            cfg.clip)

    set_rate(opt, cfg.lr, cfg.lr_end, iteration, cfg.iterations)
    for _ in slow(0 if iteration else cfg.warmup, "imitate"):
        imitate([])

    # Roll out the initial policy; adapt; roll out again, K times.
    carry, collected = start(state, tasks.n), []
    for _ in range(cfg.inner_steps):
        episodes, carry = roll(carry, episodes=cfg.episodes)
        collected.append(episodes)
        carry = adapt(state, carry, episodes)
    batches = [samples(learner, e) for e in collected]

    # Label the states that adapted policies visit; add them to the data.
    last, _ = roll(carry, episodes=cfg.dagger_episodes)
    if cfg.dagger:
        for episodes in [*collected[1:], last]:
            demos = aggregate(demos, relabel(expert, tasks, episodes),
                              cfg.asked)

    # Many supervised steps on this one collection: the importance weights
    # in the inner loss make up for theta moving away from it.
    losses = [imitate(batches) for _ in slow(cfg.outer_steps, "outer steps")]
    metrics = {
        "loss": float(np.mean(losses[-20:])),
        "loss_first": losses[0],
        "ret_pre": float([*collected, last][0].ret.mean()),
        "ret_post": float(last.ret.mean()),
        "error_post": float(last.error[..., -1].mean()),
        "ess": effective_share(learner, batches[0]) if batches else 1.0,
        "steps_expert": 0 if iteration else (
            expert.steps + state.demos.obs.shape[:2].numel()),
        "steps_pre": collected[0].steps if collected else 0,
        "steps_post": sum(e.steps for e in collected[1:]) + last.steps,
    }
    return State(learner, opt, demos, iteration + 1), metrics


__all__ = ["PRESETS", "Config", "State", "act", "adapt", "init",
           "outer_loss", "start", "update"]
