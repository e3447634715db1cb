"""Guided Meta-Policy Search: reinforcement learning inside, imitation outside.

Mendonca, Gupta, Kralev, Abbeel, Levine, Finn, NeurIPS 2019, Algorithm 1.
"""

from __future__ import annotations

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
from .gmps_config import PRESETS, Config
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


class State(NamedTuple):
    learner: Gradient  # the policy and what is meta-learned of it
    opt: torch.optim.Adam  # over every tensor of learner.meta
    demos: Demos  # [N, M, .], row i belongs to training task i
    iteration: Tensor  # [] how many updates were made


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh parameters and the experts' demonstrations (lines 1 and 2);
    ValueError for eyes that should rest where there are none."""
    if cfg.rest and not env.pixels:
        raise ValueError(f"rest is True, but {env.name} is seen as numbers, "
                         "not by eyes that could rest; leave it False")
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
               loss: str = "mse", max_ratio: float = 20.0,
               anchor: float = 0.0) -> Tensor:
    """How badly adapted policies imitate: mean over tasks and over the
    policies after 1..K steps, and `anchor` times how badly theta does.
    batches: K of them, each [N, B, .].
    """
    def one(batches, demos):
        first, *rest = [bc_loss(policy, phi, demos, loss) for phi in
                        adapt_steps(policy, meta, batches, max_ratio)]
        after = torch.stack(rest or [first]).mean()
        return after + anchor * first if anchor else after
    return vmap(one)(batches, demos).mean()


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round of Algorithm 1. Moves the tensors of state.learner.meta."""
    learner, opt, demos, iteration = state
    expert = expert_for(env.plain, cfg.expert) if (
        cfg.dagger or not cfg.demos) else Expert(None)
    check_demos(demos, env.obs_dim, env.act_dim, tasks.n)
    roll = partial(rollout, env, tasks, partial(act, state), rng=rng)

    def imitate(batches: list[Batch], demos: Demos) -> float:
        few = [subsample(b, cfg.inner_samples, rng) for b in batches]
        return descend(opt, outer_loss(
            learner.policy, learner.meta, few,
            subsample(demos, cfg.bc_samples, rng), cfg.loss, cfg.max_ratio,
            cfg.anchor), cfg.clip)

    for i in slow(0 if iteration else cfg.warmup, "imitate"):
        set_rate(opt, cfg.lr * cfg.warmup_lr, 1 / cfg.warmup_lr, i, cfg.warmup)
        imitate([], demos)
    set_rate(opt, cfg.lr, cfg.lr_end, iteration, cfg.iterations)

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
    *batches, seen = [learner.policy.rested(learner.meta.params, data)
                      if cfg.rest else data for data in (*batches, demos)]
    losses = [imitate(batches, seen)
              for _ in slow(cfg.outer_steps, "outer steps")]
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
