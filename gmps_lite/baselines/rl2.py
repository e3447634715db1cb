"""RL squared: a recurrent policy whose memory is the learning algorithm.

Duan, Schulman, Chen, Bartlett, Sutskever, Abbeel 2016, with proximal policy
optimization. A trial is several episodes of one task, one after the other,
and the hidden state lives through all of them: what was earned and where
tells the policy which task it is in. Gradients flow through a whole trial.

Departure: the last reward of an episode is not seen, since its sight would
come with the first observation of the next one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..advantages import advantages
from ..envs import Env
from ..policies import GaussianMLP
from ..ppo import clipped_loss, fit
from ..rollout import report, rollout
from ..types import Episodes, Params, Tasks


@dataclass(frozen=True)
class Config:
    """Every number of the method; sources as in `gmps.Config`."""

    iterations: int = 100
    """Rounds of collecting and learning."""
    episodes: int = 4
    """E, trials of a task side by side [garage]."""
    trial: int = 2
    """Episodes of a trial, one after the other [code: 2 or 5]."""
    epochs: int = 5
    """Passes over one collection [garage: 10; ours, for time]."""
    minibatch: int = 40
    """Trials of one gradient step [garage: 32]."""
    lr: float = 1e-3
    """Adam's rate [ours]."""
    clip: float = 0.2
    """How far a probability ratio may profit from leaving 1 [garage]."""
    gamma: float = 0.99
    """Discount, from an episode to the next as well [garage]."""
    lam: float = 0.95
    """GAE's lambda [garage], with a linear baseline a task [garage]."""
    memory: int = 64
    """Units of the recurrent layer [garage]."""
    rew_scale: float = 1.0
    """Multiplies the rewards that the policy sees [ours: about 1 each]."""
    std: float = 1.0
    """Initial standard deviation of every action dimension [code]."""


PRESETS = {
    "point": Config(iterations=60, std=0.5, lr=3e-3),
    # 6 million steps on the quarter circle, 15 on the wider ones, 5 on push.
    "ant": Config(iterations=150, episodes=10, rew_scale=0.3, std=0.5),
    "ant-half": Config(iterations=190, episodes=10, rew_scale=0.3, std=0.5),
    "ant-full": Config(iterations=190, episodes=10, rew_scale=0.3, std=0.5),
    "push": Config(iterations=250, episodes=10, rew_scale=0.1, std=0.4),
    # Ten times the steps that guided search meta-trains with.
    "push-sparse": Config(iterations=128, episodes=10, rew_scale=3.0,
                          std=0.4),
    "door": Config(iterations=108, episodes=10, rew_scale=0.2),
    "ant-sparse": Config(iterations=92, episodes=10, rew_scale=0.3,
                         std=0.5),
}


class Recurrent(NamedTuple):
    """The policy: a gated recurrent unit, then a linear Gaussian."""

    head: GaussianMLP  # sees the hidden state
    params: Params  # of both
    mid: Tensor  # [O] normalizes observations
    scale: Tensor  # [O]
    rew_scale: float


class State(NamedTuple):
    learner: Recurrent
    opt: torch.optim.Adam


class Carry(NamedTuple):
    hidden: Tensor  # [N, E, H], or [N, 1, H] for any E
    first: Tensor  # the same, [., ., 1]: 1 at the first step of an episode


class Trials(NamedTuple):
    """R trials of S = K * T steps, as the loss eats them."""

    x: Tensor  # [R, S, X]
    act: Tensor  # [R, S, A]
    logp: Tensor  # [R, S]
    adv: Tensor  # [R, S]


def gru(params: Params, x: Tensor, hidden: Tensor) -> Tensor:
    """Hidden states [T, ..., H] after inputs [T, ..., X], from [..., H]:
    r, u = sigmoid(.), n = tanh(W x + r (V h)), h' = u h + (1 - u) n, with
    gates in the order r, u, n (Cho et al. 2014, as torch has it).
    """
    out, h = [], hidden.shape[-1]
    for a in (x @ params["W_x"] + params["b_x"]).unbind(0):
        b = hidden @ params["W_h"] + params["b_h"]  # [..., 3 H]
        gates = torch.sigmoid(a[..., :2 * h] + b[..., :2 * h])
        r, u = gates.chunk(2, -1)
        new = torch.tanh(a[..., 2 * h:] + r * b[..., 2 * h:])
        hidden = torch.lerp(new, hidden, u)
        out.append(hidden)
    return torch.stack(out)


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh parameters: uniform within 1 / sqrt(H), as torch's own GRU."""
    x_dim, h = env.obs_dim + env.act_dim + 2, cfg.memory
    head = GaussianMLP(h, env.act_dim, hidden=(), z_dim=0, std=cfg.std)
    params = head.init(rng)
    params["W0"] *= 0.1
    bound = 1 / math.sqrt(h)
    for key, shape in (("W_x", (x_dim, 3 * h)), ("W_h", (h, 3 * h)),
                       ("b_x", (3 * h,)), ("b_h", (3 * h,))):
        params[key] = torch.as_tensor(rng.uniform(-bound, bound, shape),
                                      dtype=torch.float32)
    leaves = [x.requires_grad_() for x in params.values()]
    mid, scale = (torch.as_tensor(x, dtype=torch.float32)
                  for x in (env.obs_mid, env.obs_scale))
    return State(
        Recurrent(head, params, mid, scale, cfg.rew_scale),
        torch.optim.Adam(leaves, lr=cfg.lr))


def inputs(net: Recurrent, obs: Tensor, act: Tensor, rew: Tensor,
           first: Tensor) -> Tensor:
    """What the recurrent layer eats, [..., X]: obs [..., O], the act
    [..., A] and reward [...] of the step before, first [..., 1].
    """
    return torch.cat([(obs - net.mid) / net.scale, act.clamp(-1, 1),
                      net.rew_scale * rew.unsqueeze(-1), first], -1)


def start(state: State, n: int) -> Carry:
    """n fresh tasks: nothing remembered."""
    h = state.learner.params["W_h"].shape[0]
    return Carry(torch.zeros(n, 1, h), torch.ones(n, 1, 1))


def adapt(state: State, carry: Carry, episodes: Episodes) -> Carry:
    """Keep what the first of E parallel episodes left in memory: one more
    episode of experience. The other E - 1 are not used.
    """
    del state, episodes  # all that they tell is in the hidden state
    return Carry(carry.hidden[:, :1], torch.ones_like(carry.first[:, :1]))


def act(state: State, carry: Carry, obs: Tensor, prev, noise: Tensor):
    """One step of the memory, then sample: (act, logp, carry)."""
    net, lead = state.learner, obs.shape[:2]
    x = inputs(net, obs, *prev, carry.first.expand(*lead, 1))
    hidden = gru(net.params, x[None], carry.hidden.expand(*lead, -1))[0]
    a, logp = net.head.act(net.params, hidden, noise)
    return a, logp, Carry(hidden, torch.zeros(*lead, 1))


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round: trials of every task, then epochs of clipped steps."""
    net, opt = state
    carry, chain = start(state, tasks.n), []
    for _ in range(cfg.trial):
        out, carry = rollout(env, tasks, partial(act, state), carry,
                             episodes=cfg.episodes, rng=rng)
        carry = Carry(carry.hidden, torch.ones_like(carry.first))
        chain.append(out)
    data = trials(net, chain, cfg.gamma, cfg.lam)

    last = fit(opt, lambda d: clipped_loss(
        logp(net, d.x, d.act), d.logp, d.adv, cfg.clip), data,
        epochs=cfg.epochs, minibatch=cfg.minibatch, rng=rng)
    metrics = report(chain[0], chain[-1]) | {
        "loss": last, "steps_post": sum(e.steps for e in chain[1:])}
    return state, metrics


def trials(net: Recurrent, chain: list[Episodes], gamma: float,
           lam: float) -> Trials:
    """Consecutive episodes [N, E, T, .] as trials [N * E, K * T, .], with
    advantages that look beyond the end of an episode.
    """
    xs = []
    for e in chain:
        a, r = (torch.cat([torch.zeros_like(y[:, :, :1]), y[:, :, :-1]], 2)
                for y in (e.act, e.rew))
        first = torch.zeros_like(r)
        first[:, :, 0] = 1
        xs.append(inputs(net, e.obs, a, r, first.unsqueeze(-1)))
    whole = Episodes(*(torch.cat(y, 2) for y in zip(*chain, strict=True)))
    adv = advantages(whole, gamma=gamma, lam=lam)
    return Trials(*(y.flatten(0, 1) for y in (
        torch.cat(xs, 2), whole.act, whole.logp, adv)))


def logp(net: Recurrent, x: Tensor, act: Tensor) -> Tensor:
    """log pi of the acts [R, S, A] of whole trials x [R, S, X], [R, S]."""
    zero = x.new_zeros(len(x), net.params["W_h"].shape[0])
    hidden = gru(net.params, x.transpose(0, 1), zero).transpose(0, 1)
    return net.head.logp(net.params, hidden, act)
