"""MAESN: meta-learned exploration by structured noise.

Gupta, Mendonca, Liu, Abbeel, Levine, NeurIPS 2018. The policy sees a latent
z beside its observation. z is drawn once an episode from a Gaussian that each
training task has of its own, so exploration is a plan kept for an episode, not
a tremble. Adapting moves that Gaussian alone, by policy gradient; a new task
begins with N(0, I), to which training keeps the others near.

Departures: the release meta-trains on dense rewards and tests on sparse ones,
here both are the environment's own; and its tasks are 100, here those of the
train split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap

from ..advantages import advantages, normalize
from ..demos import subsample
from ..envs import Env
from ..policies import GaussianMLP, gaussian_kl, log_density, prior_kl
from ..rollout import report, rollout
from ..trpo import trpo_step
from ..types import Batch, Episodes, Params, Tasks, batch


@dataclass(frozen=True)
class Config:
    """Every number of the method. [release]: maesn_suite, [code]: as in
    `gmps.Config`, [ours]: measured here.
    """

    iterations: int = 100
    """Outer steps [release: 500]."""
    episodes: int = 20
    """E, episodes a task before and after adaptation [release: 20, 50]."""
    latent: int = 2
    """Size of z [release]."""
    step_size: float = 1.0
    """Where the step size of each latent dimension begins [release: 0.5, 1];
    learned with the rest."""
    kl: float = 0.1
    """Price of a nat between a task's Gaussian and N(0, I) [release]."""
    max_kl: float = 0.01
    """Trust region of the outer step [release]."""
    cg_steps: int = 10
    """Conjugate-gradient steps [release]."""
    fisher_share: float = 0.1
    """Share of the samples for the Fisher matrix [ours, as for MAML]."""
    damping: float = 1e-3
    """Added to the Fisher matrix [ours: what moves no action, as a step size
    of a latent that is not used, has none]."""
    gamma: float = 0.99
    """Discount [release]."""
    lam: float = 1.0
    """GAE's lambda [release]."""
    hidden: tuple[int, ...] = (100, 100)
    """Hidden layers [release]."""
    std: float = 1.0
    """Initial standard deviation of every action dimension [release]."""


PRESETS = {
    "point": Config(iterations=60, hidden=(32, 32), std=0.5),
    # As for MAML: ten times the steps that guided search meta-trains with.
    "push-sparse": Config(iterations=32, episodes=40, hidden=(64, 64),
                          std=0.4),
    "door": Config(iterations=54, hidden=(64, 64)),
    "ant-sparse": Config(iterations=46, hidden=(64, 64), std=0.7, gamma=1.0,
                         lam=0.97),
}


class Learner(NamedTuple):
    """The policy, and all that is learned, in one dictionary: its weights,
    "mean" and "log_std_z" [N, L] of each training task, "step" [2, L].
    """

    policy: GaussianMLP  # sees (obs, z)
    params: Params
    gamma: float
    lam: float


class State(NamedTuple):
    learner: Learner


class Carry(NamedTuple):
    """What is known about n tasks."""

    mean: Tensor  # [n, L]
    log_std: Tensor  # [n, L]
    z: Tensor  # [n, E, L] the plan of each episode; E = 0: none yet

    @property
    def noise_dim(self) -> int:
        """Normal numbers that `act` needs beside those of the action."""
        return self.mean.shape[-1]


class Plans(NamedTuple):
    """Plans of one task's episodes, as the inner step eats them."""

    z: Tensor  # [N, E, L]
    adv: Tensor  # [N, E] of the first step
    logp: Tensor  # [N, E] of the Gaussian that drew them


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh weights; every task's Gaussian is N(0, I)."""
    n, size = env.splits["train"].tasks.n, cfg.latent
    policy = GaussianMLP(
        env.obs_dim + size, env.act_dim, hidden=cfg.hidden, z_dim=0,
        std=cfg.std, mid=np.append(env.obs_mid, np.zeros(size)),
        scale=np.append(env.obs_scale, np.ones(size)))
    params = policy.init(rng) | {
        "mean": torch.zeros(n, size), "log_std_z": torch.zeros(n, size),
        "step": torch.full((2, size), cfg.step_size)}
    return State(Learner(policy, params, cfg.gamma, cfg.lam))


def inner_update(mean: Tensor, log_std: Tensor, step: Tensor, plans: Plans
                 ) -> tuple[Tensor, Tensor]:
    """One task's Gaussian [L] after a policy-gradient step on its plans:
    z is an action that was taken once, at the first step.
    """
    def loss(pair):
        logp = log_density(*pair, plans.z)
        w = (logp - plans.logp).detach().exp().clamp(max=20.0)
        return -(w * logp * plans.adv).mean()
    g = grad(loss)((mean, log_std))
    return mean - step[0] * g[0], log_std - step[1] * g[1]


def plans(learner: Learner, carry: Carry, episodes: Episodes) -> Plans:
    """What the episodes say about their plans: how much more each returned
    than the task's others, discounted.
    """
    t = torch.arange(episodes.rew.shape[-1])
    ret = (episodes.rew * learner.gamma**t).sum(-1)  # [N, E]
    adv = normalize(ret.unsqueeze(-1)).squeeze(-1)
    logp = log_density(carry.mean[:, None], carry.log_std[:, None], carry.z)
    return Plans(carry.z, adv, logp)


def start(state: State, n: int) -> Carry:
    """The prior N(0, I) for each of n tasks."""
    size = state.learner.params["step"].shape[-1]
    return Carry(torch.zeros(n, size), torch.zeros(n, size),
                 torch.empty(n, 0, size))


@torch.no_grad()
def adapt(state: State, carry: Carry, episodes: Episodes) -> Carry:
    """One inner step for each task, from the plans that `carry` holds after
    the rollout; the next `act` draws new ones.
    """
    step = state.learner.params["step"]
    mean, log_std = vmap(lambda m, s, p: inner_update(m, s, step, p))(
        carry.mean, carry.log_std, plans(state.learner, carry, episodes))
    return Carry(mean, log_std, carry.z[:, :0])


def act(state: State, carry: Carry, obs: Tensor, prev, noise: Tensor):
    """Act on the plan z, which the first step draws and all later ones
    keep: (act, logp, carry).
    """
    learner, dim = state.learner, carry.noise_dim
    if not carry.z.shape[1]:
        std = carry.log_std.exp()[:, None]
        carry = carry._replace(z=carry.mean[:, None] + noise[..., -dim:] * std)
    a, logp = learner.policy.act(learner.params, torch.cat([obs, carry.z], -1),
                                 noise[..., :-dim])
    return a, logp, carry


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One outer step: roll out, adapt, roll out again, TRPO."""
    learner = state.learner
    policy, params = learner.policy, learner.params
    roll = partial(rollout, env, tasks, partial(act, state), rng=rng,
                   episodes=cfg.episodes)
    own = Carry(params["mean"], params["log_std_z"],
                start(state, tasks.n).z)
    first, drawn = roll(own)
    before = plans(learner, drawn, first)
    second, after = roll(adapt(state, drawn, first))
    data, last = samples(learner, after, second), plans(learner, after, second)
    few = subsample(data, math.ceil(cfg.fisher_share * data.adv.shape[1]), rng)
    horizon = env.horizon

    def adapted(p: Params):
        return vmap(lambda m, s, x: inner_update(m, s, p["step"], x))(
            p["mean"], p["log_std_z"], before)

    def surrogate(p: Params) -> Tensor:
        mean, log_std = adapted(p)
        ratio = (policy.logp(p, data.obs, data.act) - data.logp).exp()
        plan = (log_density(mean[:, None], log_std[:, None], last.z)
                - last.logp).exp()
        far = from_prior(p).mean()
        return cfg.kl * far / horizon - (ratio * data.adv).mean() - (
            plan * last.adv).mean() / horizon

    def moved(p: Params, batch: Batch) -> Tensor:
        mean, log_std = adapted(p)
        return policy.kl(params, p, batch.obs).mean() + gaussian_kl(
            after.mean, after.log_std, mean, log_std).mean() / horizon
    new, info = trpo_step(
        params, surrogate, partial(moved, batch=data),
        metric=partial(moved, batch=few), max_kl=cfg.max_kl,
        cg_steps=cfg.cg_steps, damping=cfg.damping)
    far = float(from_prior(new).mean())
    return State(learner._replace(params=new)), info | {
        "nats": far} | report(first, second)


def samples(learner: Learner, carry: Carry, episodes: Episodes) -> Batch:
    """Episodes flattened, with z beside each observation."""
    z = carry.z.unsqueeze(2).expand(*episodes.obs.shape[:3], -1)
    adv = advantages(episodes, gamma=learner.gamma, lam=learner.lam)
    return batch(episodes._replace(obs=torch.cat([episodes.obs, z], -1)), adv)


def from_prior(params: Params) -> Tensor:
    """How far each training task's Gaussian is from N(0, I), nats [N]."""
    return prior_kl(params["mean"], params["log_std_z"])


__all__ = ["PRESETS", "Config", "State", "act", "adapt", "init", "start",
           "update"]
