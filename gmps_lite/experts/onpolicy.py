"""A contextual expert by proximal policy optimization: one policy that is
told the goal, for all tasks.

It sees `env.view`, acts in that frame (`env.unfold`) and is rewarded with
`env.shaped`. Dearer in samples than `offpolicy`, cheaper in minutes. An
episode holds no observation after its last step: that step is dropped, and
the value of the observation before it stands for what follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..advantages import normalize
from ..envs import Env
from ..policies import GaussianMLP
from ..ppo import Data, clipped_loss, fit, targets, value
from ..rollout import rollout
from ..sac import mlp_init
from ..types import Episodes, Params, Tasks

ACTOR = "params."  # what a checkpoint calls the network that acts


@dataclass(frozen=True)
class Config:
    """Every number of the method; sources as in `gmps.Config`, [PPO]: the
    article's table for MuJoCo.
    """

    iterations: int = 100
    """Rounds of collecting and learning."""
    episodes: int = 10
    """E, episodes a task in each round."""
    epochs: int = 4
    """Passes over one collection [PPO: 10; ours]."""
    minibatch: int = 2000
    """Samples of one gradient step [ours: larger than PPO's 64, since a
    step on many rows costs hardly more]."""
    lr: float = 1e-3
    """Adam's rate [ours], falling linearly to lr_end."""
    lr_end: float = 0.05
    """The last rate, as a fraction of the first [ours]."""
    clip: float = 0.2
    """How far a probability ratio may profit from leaving 1 [PPO]."""
    gamma: float = 0.99
    """Discount [PPO]."""
    lam: float = 0.95
    """GAE's lambda [PPO]."""
    hidden: tuple[int, ...] = (64, 64)
    """Hidden layers of policy and value network [PPO]."""
    std: float = 0.5
    """Initial standard deviation of every action dimension [ours]."""


# Ants: small collections, used often, cost a third of the samples. A return of
# 480 takes 0.3 M steps with one episode a task and eight passes in parts of
# 500, 0.5 M with two in parts of 1000, 1 M with five and four passes.
# Push: 640 takes 0.1 M with two episodes, 0.5 M with ten and four passes in
# parts of 2000; with one episode the policy fell apart after 0.03 M.
_ANT = Config(iterations=120, episodes=1, epochs=8, minibatch=500, lr_end=0.3)
PRESETS = {
    "point": Config(iterations=20, minibatch=1000),
    "ant": replace(_ANT, episodes=2), "ant-half": _ANT, "ant-full": _ANT,
    "push": Config(iterations=60, episodes=2, epochs=8, minibatch=500,
                   lr_end=0.1),
}


class State(NamedTuple):
    policy: GaussianMLP
    params: Params
    value: Params
    opt: torch.optim.Adam  # over params and value
    iteration: Tensor  # [] how many updates were made


def network(cfg: Config, env: Env) -> GaussianMLP:
    """The policy over what an expert sees."""
    return GaussianMLP(env.view_dim, env.act_dim, hidden=cfg.hidden,
                       z_dim=0, std=cfg.std)


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh networks; the first actions are all noise."""
    policy = network(cfg, env)
    params = policy.init(rng)
    params[f"W{len(cfg.hidden)}"] *= 0.1
    val = mlp_init(rng, (env.view_dim, *cfg.hidden, 1))
    leaves = [x.requires_grad_() for d in (params, val) for x in d.values()]
    return State(policy, params, val, torch.optim.Adam(leaves, lr=cfg.lr),
                 torch.tensor(0))


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round: roll out with noise, then epochs of clipped steps."""
    policy, params, val, opt, iteration = state
    goal = tasks.goal[:, None]

    def act(carry, obs, prev, noise):
        a, logp = policy.act(params, env.view(obs, goal), noise)
        return env.unfold(a, goal), logp, carry
    out, _ = rollout(env, tasks, act, None, episodes=cfg.episodes, rng=rng)
    data = experience(env, goal[:, None], out, val, cfg.gamma, cfg.lam)

    def loss(d: Data) -> Tensor:
        logp = policy.logp(params, d.x, d.act)
        error = (value(val, d.x) - d.target).square().mean()
        return clipped_loss(logp, d.logp, d.adv, cfg.clip) + 0.5 * error
    left = 1 - int(iteration) / cfg.iterations
    for group in opt.param_groups:
        group["lr"] = cfg.lr * max(cfg.lr_end, left)
    last = fit(opt, loss, data, epochs=cfg.epochs, minibatch=cfg.minibatch,
               rng=rng)
    ret = float(out.ret.mean())  # nothing adapts: before is after
    metrics = {"loss": last, "ret_pre": ret, "ret_post": ret,
               "error_post": float(out.error[..., -1].mean()),
               "steps_expert": out.steps}
    return state._replace(iteration=iteration + 1), metrics


@torch.no_grad()
def experience(env: Env, goal: Tensor, out: Episodes, val: Params,
               gamma: float, lam: float) -> Data:
    """Episodes as the losses eat them; goal [N, 1, 1, G]."""
    x, act = env.view(out.obs, goal), env.fold(out.act, goal)
    rew, done = env.shaped(out.obs[:, :, :-1], out.act[:, :, :-1],
                           out.obs[:, :, 1:], goal)
    adv, target, live = targets(value(val, x), rew, done, gamma=gamma,
                                lam=lam)
    x, act, logp = (y[:, :, :-1][live] for y in (x, act, out.logp))
    return Data(x, act, logp, normalize(adv[live][None, None]).flatten(),
                target[live])


def actor(state: State) -> Params:
    """The weights that act, by the names in a checkpoint less `ACTOR`."""
    return state.params


def player(cfg: Config, env: Env, params: Params
           ) -> Callable[[Tasks, Tensor], Tensor]:
    """The mean action, (tasks, obs [N, ..., O]) -> act [N, ..., A]."""
    policy = network(cfg, env)

    @torch.no_grad()
    def mean(tasks: Tasks, obs: Tensor) -> Tensor:
        goal = tasks.goal.view(tasks.n, *[1] * (obs.dim() - 2), -1)
        return env.unfold(policy.mean(params, env.view(obs, goal)), goal)
    return mean
