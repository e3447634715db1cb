"""PEARL: guess the task from context, then act as if the guess were true.

Rakelly, Zhou, Quillen, Finn, Levine, ICML 2019. An encoder turns every
transition of a task into a Gaussian over a latent z; their product is the
belief about the task. Soft actor-critic learns with z as a part of what it
sees, off-policy, so that old episodes keep teaching. To explore is to draw z
from the belief and to keep it for an episode: posterior sampling.

Departures: the prior N(0, I) is a factor of the product (there: only where
there is no context); the KL is a mean over tasks (there: a sum); no separate
value network; no penalty on the actor's mean and spread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import sac
from ..envs import Env
from ..policies import prior_kl, product
from ..rollout import report, rollout
from ..types import Episodes, Params, Tasks
from . import replay


@dataclass(frozen=True)
class Config:
    """Every number of the method. [oyster release]: the authors' defaults,
    [ours]: measured here, with the reason.
    """

    iterations: int = 50
    """Rounds of collecting and learning."""
    episodes: int = 2
    """E, episodes a task with z from the prior, and as many with z from the
    belief after them [oyster release]."""
    outer_steps: int = 1000
    """Gradient steps a round [oyster release: 2000]."""
    task_batch: int = 10
    """Tasks in a gradient step [oyster release: 16]."""
    batch: int = 32
    """Transitions of each of them [oyster release: 256; ours: for a CPU]."""
    context: int = 128
    """Most transitions a task that one adaptation step takes in, evenly
    spaced [oyster release: 64 to 256]."""
    capacity: int = 150
    """Newest episodes a task that are remembered [ours]."""
    latent: int = 5
    """Size of z [oyster release]."""
    kl: float = 0.1
    """Price of a nat of information about the task [oyster release]."""
    shaped: bool = False
    """Reward the agent as experts are, by `Env.shaped` [ours]; the encoder
    sees the task's own reward always."""
    reward_scale: float = 5.0
    """Multiplies the agent's reward [oyster release]."""
    reward_std: float = 1.0
    """Divides the reward that the encoder sees [ours]."""
    gamma: float = 0.99
    """Discount [oyster release]."""
    tau: float = 0.005
    """Share of the critics that enters their targets [oyster release]."""
    lr: float = 3e-4
    """Adam's rate for all networks [oyster release]."""
    hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of actor and critics [oyster release: 3 x 300]."""
    encoder: tuple[int, ...] = (64, 64)
    """Hidden layers of the encoder [oyster release: 3 x 200]."""


# Values of progress are small, and so must be what information costs: with
# oyster's 0.1 the ants' beliefs stay the prior, at 0.02 nats.
# A run has 1.3 M steps on the quarter circle, 1.2 M on push: as many as
# guided search needs with its expert.
_ANT = Config(iterations=80, episodes=4, outer_steps=750, shaped=True, kl=1e-3,
              lr=1e-3, tau=0.01)
_SPARSE = replace(_ANT, episodes=10, outer_steps=240, shaped=False)
PRESETS = {
    "point": Config(iterations=10, outer_steps=200, batch=16, context=40,
                    kl=0.01, gamma=0.8, tau=0.02, lr=3e-3, hidden=(64, 64),
                    encoder=(32, 32)),
    "ant": _ANT, "ant-half": _ANT, "ant-full": _ANT,
    "push": Config(iterations=60, episodes=10, shaped=True, kl=1e-3,
                   reward_std=5.0, lr=1e-3, tau=0.01, outer_steps=500),
    # The task's own reward, near 1, and ten times guided search's steps.
    "push-sparse": replace(_SPARSE, iterations=128, reward_std=0.1),
    "door": replace(_SPARSE, iterations=108, outer_steps=280,
                    reward_scale=0.5, reward_std=5.0),
    "ant-sparse": replace(_SPARSE, iterations=230, episodes=4,
                          outer_steps=120, reward_scale=1.0),
}


class Belief(NamedTuple):
    """What is known about the tasks: the carry."""

    mean: Tensor  # [N, L]
    prec: Tensor  # [N, L] one over the variance
    z: Tensor  # [N, E, L] the guess of each episode; E = 0: none yet

    @property
    def noise_dim(self) -> int:
        """Normal numbers that `act` needs beside those of the action."""
        return self.mean.shape[-1]


class State(NamedTuple):
    learner: sac.Learner  # a single one: L = 1
    encoder: Params
    encoder_opt: torch.optim.Adam
    memory: replay.Replay
    norm: Tensor  # [2, O + A + 1] middle and spread of (obs, act, rew)
    context: Tensor  # [] Config.context


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh networks, empty memory; ValueError if that is too small."""
    if cfg.capacity < 2 * cfg.episodes:
        raise ValueError(f"capacity is {cfg.capacity}, must be at least "
                         f"{2 * cfg.episodes}: twice the episodes")
    learner = sac.init(rng, env.obs_dim + cfg.latent, env.act_dim,
                       hidden=cfg.hidden, lr=cfg.lr)
    encoder = sac.mlp_init(rng, (env.obs_dim + env.act_dim + 1, *cfg.encoder,
                                 2 * cfg.latent))
    opt = torch.optim.Adam([w.requires_grad_() for w in encoder.values()],
                           lr=cfg.lr, fused=True)
    norm = np.array([[*env.obs_mid, *[0] * env.act_dim, 0],
                     [*env.obs_scale, *[1] * env.act_dim, cfg.reward_std]])
    return State(learner, encoder, opt, replay.empty(env, cfg.capacity),
                 torch.from_numpy(norm).float(), torch.tensor(cfg.context))


def divergence(mean: Tensor, prec: Tensor) -> Tensor:
    """KL(N(mean, 1 / prec) || N(0, I)) in nats, [N, L] -> [N]."""
    return prior_kl(mean, -0.5 * prec.log())


def believe(state: State, prior: Belief, obs: Tensor, act: Tensor,
            rew: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and precision [N, L] of a belief times those of C transitions."""
    x = torch.cat([obs, act, rew.unsqueeze(-1)], -1)
    x = (x - state.norm[0]) / state.norm[1]
    means, raw = sac.mlp(state.encoder, x).chunk(2, -1)
    return product(prior.mean, prior.prec, means,
                   1 / F.softplus(raw).clamp(min=1e-6))


def seen(state: State, obs: Tensor, z: Tensor) -> Tensor:
    """What actor and critics see: obs [..., O], z [..., L] in one row."""
    mid, std = state.norm[:, :obs.shape[-1]]
    return torch.cat([(obs - mid) / std, z], -1)


def start(state: State, n: int) -> Belief:
    """The prior: a standard normal for each of n tasks."""
    size = [*state.encoder.values()][-1].shape[-1] // 2  # mean and spread
    return Belief(torch.zeros(n, size), torch.ones(n, size),
                  torch.empty(n, 0, size))


@torch.no_grad()
def adapt(state: State, carry: Belief, episodes: Episodes) -> Belief:
    """Multiply in what `Config.context` transitions at most say, evenly
    spaced as in training; the next `act` guesses anew.
    """
    rew = episodes.rew.flatten(1)
    most = min(rew.shape[1], int(state.context))
    i = torch.linspace(0, rew.shape[1] - 1, most).long()
    mean, prec = believe(state, carry, episodes.obs.flatten(1, 2)[:, i],
                         episodes.act.flatten(1, 2)[:, i], rew[:, i])
    return Belief(mean, prec, mean.new_empty(len(mean), 0, mean.shape[-1]))


def act(state: State, carry: Belief, obs: Tensor, prev, noise: Tensor
        ) -> tuple[Tensor, Tensor, Belief]:
    """Act on the guess z, which the first step draws from the belief and
    all later ones keep; to draw again, roll out the belief itself.
    """
    n, e, dim = *obs.shape[:2], carry.noise_dim
    if not carry.z.shape[1]:
        std = carry.prec[:, None] ** -0.5
        carry = carry._replace(z=carry.mean[:, None] + noise[..., -dim:] * std)
    x = seen(state, obs, carry.z).view(1, n * e, -1)
    a, logp = sac.actor(state.learner.actor, x,
                        noise[..., :-dim].reshape(1, n * e, -1))
    return a.view(n, e, -1), logp.view(n, e), carry


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round of the training tasks. Moves the tensors of state."""
    n = len(state.memory.rew)
    if tasks.n != n:
        raise ValueError(f"got {tasks.n} tasks, the memory is of {n}")

    # Roll out guesses from the prior, then from what those have shown.
    # Before anything is learned, actions are spread evenly over [-1, 1].
    def play(carry, obs, prev, noise):
        if state.memory.count:
            return act(state, carry, obs, prev, noise)
        a = sac.uniform(noise[..., :env.act_dim])
        return a, a[..., 0], carry
    roll = partial(rollout, env, tasks, play, rng=rng, episodes=cfg.episodes)
    before, _ = roll(start(state, n))
    after, _ = roll(adapt(state, start(state, n), before))
    memory = replay.remember(replay.remember(state.memory, before), after)
    state, infos = state._replace(memory=memory), []

    # Many gradient steps on old and new episodes.
    for _ in range(cfg.outer_steps):
        rows = rng.permutation(n)[:cfg.task_batch]
        mean, prec = believe(state, start(state, len(rows)), *replay.context(
            memory, rows, rng, steps=cfg.context, episodes=cfg.episodes))
        eps = rng.standard_normal(mean.shape, dtype=np.float32)
        z = mean + torch.from_numpy(eps) * prec ** -0.5
        nats = divergence(mean, prec).mean()
        state.encoder_opt.zero_grad()
        info = sac.update(
            state.learner, transitions(state, cfg, env, tasks, rows, z, rng),
            rng, gamma=cfg.gamma, tau=cfg.tau, entropy=-env.act_dim,
            extra=cfg.kl * nats)
        state.encoder_opt.step()
        infos.append((info["q_loss"], nats.item()))
    q_loss, nats = np.mean(infos, 0)
    return state, report(before, after) | {
        "q_loss": float(q_loss), "kl": float(nats)}


def transitions(state: State, cfg: Config, env: Env, tasks: Tasks,
                rows: np.ndarray, z: Tensor, rng: np.random.Generator
                ) -> sac.Transitions:
    """Remembered steps of the tasks at `rows`, seen with z [n, L]."""
    obs, a, nxt, own = replay.steps(state.memory, rows, rng, cfg.batch)
    rew, done = own, torch.zeros_like(own)
    if cfg.shaped:
        rew, done = env.shaped(obs, a, nxt, tasks.goal[rows, None])
    rew = cfg.reward_scale * rew
    z = z[:, None].expand(-1, cfg.batch, -1)
    return sac.Transitions(*(x.flatten(0, 1)[None] for x in (
        seen(state, obs, z), a, rew, seen(state, nxt, z), done)))
