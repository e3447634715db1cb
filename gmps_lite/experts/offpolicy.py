"""Experts by soft actor-critic: one that is told the goal, or one a task.

They see `env.view`, act in that frame and are rewarded with `env.shaped`.
What happened on the way to one goal also says what would have happened on
the way to any other (Andrychowicz et al. 2017): the contextual expert learns
from every transition for every goal. Experts of single tasks share nothing:
they are the article's "individual learners" and as many times as dear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import sac
from ..envs import Env
from ..optim import set_rate
from ..rollout import rollout
from ..types import Params, Tasks

ACTOR = "learner.actor."  # what a checkpoint calls the network that acts


@dataclass(frozen=True)
class Config:
    """Every number of the method; sources as in `gmps.Config`, [SAC]: the
    article's table.
    """

    iterations: int = 50
    """Rounds of collecting and learning."""
    episodes: int = 1
    """E, episodes a task in each round [SAC: one step; ours: whole episodes,
    since many rows at once are cheap]."""
    updates: int = 1000
    """Gradient steps a round [SAC: as many as environment steps]."""
    contextual: bool = True
    """One expert that is told the goal; if not, one for each task."""
    relabel: float = 0.5
    """Share of transitions that are judged by another task's goal [HER: 0.8;
    ours]. Experts of single tasks have no other."""
    mirror: float = 0.0
    """Share of transitions that are seen in the body's mirror, if it has one
    [ours: none. With half of them an ant learned no faster, and gaits that
    are mirror images on both sides of 45 degrees are bad teachers: nothing
    that walks lies between them]."""
    minibatch: int = 256
    """Transitions of one gradient step and learner [SAC]."""
    lr: float = 5e-4
    """Adam's rate [SAC: 3e-4; ours], along a half cosine to lr_end."""
    lr_end: float = 0.05
    """The last rate, as a fraction of the first [ours: with a constant one
    an ant's return moves by 20 from round to round]."""
    gamma: float = 0.99
    """Discount [SAC]."""
    tau: float = 0.005
    """How fast the target critics follow [SAC]."""
    entropy: float = -1.0
    """Wanted entropy of an action, per dimension [SAC]."""
    hidden: tuple[int, ...] = (64, 64)
    """Hidden layers [SAC: 256, 256; ours: a core does three times as many
    steps a second with 64]."""


_ANT = Config(iterations=60, updates=2000)
PRESETS = {
    "point": Config(iterations=10, updates=200),
    "push": Config(iterations=100, updates=500),
    # Twice as many steps with 20 tasks as with 10; any of the three is an
    # expert for all.
    "ant": _ANT, "ant-half": _ANT, "ant-full": _ANT,
}


class State(NamedTuple):
    learner: sac.Learner  # L = 1, or one a task
    obs: Tensor  # [N, iterations * E, T, O] all that was ever seen
    act: Tensor  # [N, iterations * E, T, A] and done, in the agent's frame
    iteration: Tensor  # [] how many updates were made


def init(cfg: Config, env: Env, rng: np.random.Generator) -> State:
    """Fresh networks and an empty memory of the size that will be needed."""
    n = env.splits["train"].tasks.n
    learner = sac.init(rng, env.view_dim, env.act_dim, hidden=cfg.hidden,
                       learners=1 if cfg.contextual else n, lr=cfg.lr)
    size = (n, cfg.iterations * cfg.episodes, env.horizon)
    return State(learner, torch.zeros(*size, env.obs_dim),
                 torch.zeros(*size, env.act_dim), torch.tensor(0))


def update(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> tuple[State, dict]:
    """One round: roll out with noise, remember, take gradient steps."""
    goal, first = tasks.goal[:, None], not state.iteration

    def act(carry, obs, prev, noise):
        if first:  # senseless actions show more of the world
            a = sac.uniform(noise)
        else:
            a = _act(state.learner.actor, env.view(obs, goal), noise)
        return env.unfold(a, goal), torch.zeros(a.shape[:2]), carry
    out, _ = rollout(env, tasks, act, None, episodes=cfg.episodes, rng=rng)
    done = int(state.iteration) * cfg.episodes
    full = done + cfg.episodes
    state.obs[:, done:full], state.act[:, done:full] = out.obs, out.act

    seen = state._replace(obs=state.obs[:, :full], act=state.act[:, :full])
    for opt in (state.learner.actor_opt, state.learner.critic_opt):
        set_rate(opt, cfg.lr, cfg.lr_end, state.iteration, cfg.iterations)
    for _ in range(cfg.updates):
        data = sample(seen, cfg, env, tasks, rng)
        info = sac.update(state.learner, data, rng, gamma=cfg.gamma,
                          tau=cfg.tau, entropy=cfg.entropy * env.act_dim)
    ret = float(out.ret.mean())  # nothing adapts: before is after
    return state._replace(iteration=state.iteration + 1), info | {
        "ret_pre": ret, "ret_post": ret,
        "error_post": float(out.error[..., -1].mean()),
        "steps_expert": out.steps}


def sample(state: State, cfg: Config, env: Env, tasks: Tasks,
           rng: np.random.Generator) -> sac.Transitions:
    """Random transitions [L, B]; the last of an episode has no successor
    and is left out.
    """
    n, e, t = state.obs.shape[:3]
    size = (1 if cfg.contextual else n, cfg.minibatch)

    def draw(high):
        return torch.from_numpy(rng.integers(0, high, size))
    row = draw(n) if cfg.contextual else torch.arange(n)[:, None].expand(size)
    index, step = draw(e), draw(t - 1)
    wish = row
    if cfg.contextual:
        other = torch.from_numpy(rng.random(size) < cfg.relabel)
        wish = torch.where(other, draw(n), row)
    goal = tasks.goal[wish]  # [L, B, G]
    obs, nxt = state.obs[row, index, step], state.obs[row, index, step + 1]
    act = state.act[row, index, step]
    rew, end = env.shaped(obs, act, nxt, goal)
    x, a, y = env.view(obs, goal), env.fold(act, goal), env.view(nxt, goal)
    twin = torch.from_numpy(rng.random(size) < cfg.mirror)
    x, a, y = env.twin(x, a, y, twin)
    return sac.Transitions(x, a, rew, y, end)


def _act(params: Params, x: Tensor, noise: Tensor) -> Tensor:
    """Actions at x [N, E, X] by L = 1 learner, or by N."""
    if params["W0"].shape[0] == 1:
        flat = sac.actor(params, x.flatten(0, 1)[None],
                         noise.flatten(0, 1)[None])[0]
        return flat.view(*x.shape[:2], -1)
    if params["W0"].shape[0] != x.shape[0]:
        raise ValueError(f"{params['W0'].shape[0]} experts of a task each, "
                         f"but {x.shape[0]} tasks; they know their own alone")
    return sac.actor(params, x, noise)[0]


def actor(state: State) -> Params:
    """The weights that act, by the names in a checkpoint less `ACTOR`."""
    return state.learner.actor


def player(cfg: Config, env: Env, params: Params
           ) -> Callable[[Tasks, Tensor], Tensor]:
    """The mean action, (tasks, obs [N, ..., O]) -> act [N, ..., A]."""
    own = env.splits["train"].tasks.goal

    @torch.no_grad()
    def mean(tasks: Tasks, obs: Tensor) -> Tensor:
        if not cfg.contextual and not torch.equal(tasks.goal, own):
            raise ValueError("these experts know a training task each, and "
                             "no other goal")
        goal = tasks.goal.view(tasks.n, *[1] * (obs.dim() - 2), -1)
        x = env.view(obs, goal)
        rows = x.reshape(tasks.n, -1, x.shape[-1])
        act = _act(params, rows, torch.zeros(*rows.shape[:2], env.act_dim))
        return env.unfold(act.view(*obs.shape[:-1], -1), goal)
    return mean
