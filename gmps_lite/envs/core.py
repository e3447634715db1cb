"""Batched simulation: pure functions over rows of state.

An environment here has no current state. `reset` makes rows, `step` maps
rows to rows, and whoever calls holds them. So one object serves any number
of tasks and episodes at once, and a rollout is a value like any other.

MuJoCo environments go through `mujoco.rollout`: one call advances every row,
in C++, on a pool of threads that lives as long as the environment.
"""

from __future__ import annotations

import os
from importlib import resources
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from .split import Split, ring

try:
    import mujoco
except (AttributeError, ImportError, RuntimeError):
    # MUJOCO_GL names an OpenGL that is not there. Physics needs none.
    _wish = os.environ.pop("MUJOCO_GL", None)
    if _wish is None:
        raise
    import mujoco
    os.environ["MUJOCO_GL"] = _wish
from mujoco import rollout

FULL = mujoco.mjtState.mjSTATE_FULLPHYSICS
CTRL = mujoco.mjtState.mjSTATE_CTRL


class Step(NamedTuple):
    """R rows after one control step."""

    state: ndarray  # [R, S]
    rew: ndarray  # [R]
    error: ndarray  # [R] distance to the goal; meters or radians


class Env:
    """What every environment has. A subclass fills in the constants and
    `reset`, `dynamics`, `observe`, `reward`, `error`.
    """

    name: str
    horizon: int  # T, control steps of every episode
    state_dim: int  # S
    obs_dim: int  # O
    act_dim: int  # A; actions live in [-1, 1]
    dt: float  # seconds of one control step
    tolerance: float  # success: the last error is below this (ours)
    unit = "m"  # of the error
    start = "fixed"  # every episode starts in the same state
    splits: dict[str, Split]
    # Typical center and spread of an observation, fixed constants by which
    # policies normalize: meters, radians and velocities become comparable.
    obs_mid: ndarray  # [O]
    obs_scale: ndarray  # [O]
    pixels = False  # observations are rows of bytes, see frames.py
    path = slice(0, 2)  # of an observation: what a top view draws
    expert = None  # analytic expert (tasks, obs [N, ..., O]) -> act, if any
    view_dim: int | None = None  # V, of what a trained expert sees
    body: str  # environments of one body can share their experts

    def reset(self, n: int) -> ndarray:
        """n rows of initial state, [n, S]."""
        raise NotImplementedError

    def dynamics(self, state: ndarray, act: ndarray) -> ndarray:
        """The next state [R, S]; act in [-1, 1]."""
        raise NotImplementedError

    def observe(self, state: ndarray) -> ndarray:
        """What the agent sees, float32 [R, O]. Never the goal."""
        raise NotImplementedError

    def reward(self, state, act, nxt, goal) -> ndarray:
        """The reward of the transition, [R]."""
        raise NotImplementedError

    def error(self, state: ndarray, goal: ndarray) -> ndarray:
        """How far the state is from the goal, [R], in `unit`."""
        raise NotImplementedError

    # Where the agent sees pictures, experts and demonstrators do not.

    @property
    def plain(self) -> Env:
        """The same environment with observations that are numbers."""
        return self

    def see(self, obs: Tensor) -> Tensor:
        """What is observed here where `plain` observes obs [..., O]."""
        return obs

    # A trained expert may see and be rewarded with more than the agent. Its
    # obs and act are those of `rollout`, [..., O] and [..., A].

    def view(self, obs: Tensor, goal: Tensor) -> Tensor:
        """What an expert sees when it heads for goal [..., G]: [..., V]."""
        seen = (obs - torch.as_tensor(self.obs_mid)) / torch.as_tensor(
            self.obs_scale)
        goal = goal.expand(*obs.shape[:-1], self.goal_dim)
        return torch.cat([seen, goal], -1).float()

    def fold(self, act: Tensor, goal: Tensor) -> Tensor:
        """An action as an expert with that view would give it."""
        return act

    def unfold(self, act: Tensor, goal: Tensor) -> Tensor:
        """The inverse of `fold`."""
        return act

    def shaped(self, obs: Tensor, act: Tensor, nxt: Tensor, goal: Tensor
               ) -> tuple[Tensor, Tensor]:
        """(rew, done) of transitions [...] for an expert with that goal;
        done is 1 where nothing can be earned afterwards.
        """
        raise ValueError(f"{self.name} has no reward for trained experts")

    def twin(self, x: Tensor, act: Tensor, nxt: Tensor, which: Tensor
             ) -> tuple[Tensor, Tensor, Tensor]:
        """The same transitions of an expert, those where `which` is true
        replaced by their mirror image, if the body has one.
        """
        return x, act, nxt

    def step(self, state: ndarray, act: ndarray, goal: ndarray) -> Step:
        """One control step of R rows; actions are clipped to [-1, 1]."""
        state, act, goal = (np.asarray(x, float) for x in (state, act, goal))
        n = max(1, len(state))
        self.check("states", state, (n, self.state_dim))
        self.check("actions", act, (n, self.act_dim))
        self.check("goals", goal, (n, self.goal_dim))
        act = np.clip(act, -1.0, 1.0)
        nxt = self.dynamics(state, act)
        rew = self.reward(state, act, nxt, goal)
        return Step(nxt, rew, self.error(nxt, goal))

    @property
    def goal_dim(self) -> int:
        """G, how many numbers make a goal."""
        return self.splits["train"].tasks.goal.shape[1]

    def check(self, what: str, rows: ndarray, shape: tuple) -> None:
        """Raise a ValueError unless rows are finite and of this shape."""
        if rows.shape != shape:
            raise ValueError(f"{self.name}: {what} have shape {rows.shape}, "
                             f"expected {shape}")
        if not np.isfinite(rows).all():
            bad = int((~np.isfinite(rows)).any(-1).sum())
            raise ValueError(f"{self.name}: {what} are not finite in {bad} "
                             f"of {len(rows)} rows")


class MujocoEnv(Env):
    """An `Env` whose state row is MuJoCo's full physics state:
    time, positions, velocities, actuator activations. A subclass may append
    `extra` columns of its own.
    """

    xml: str  # file name beside this module
    frame_skip: int  # physics steps of one control step
    extra = 0
    camera = "top"  # in the XML, from which pictures are taken

    def __init__(self, threads: int | None = None):
        """threads: size of the physics pool; None takes every core,
        0 runs on the calling thread.
        """
        if threads is None:
            threads = len(os.sched_getaffinity(0)) if hasattr(
                os, "sched_getaffinity") else os.cpu_count() or 1
        if threads < 0:
            raise ValueError(f"threads is {threads}, must be 0 or more")
        path = resources.files(__package__).joinpath(self.xml)
        self.model = mujoco.MjModel.from_xml_string(path.read_text())
        # A diverged row must be seen as such, not put back to the start.
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.dt = self.model.opt.timestep * self.frame_skip
        self.size = mujoco.mj_stateSize(self.model, FULL)
        self.state_dim = self.size + self.extra
        nq, nv = self.model.nq, self.model.nv
        self.qpos = slice(1, 1 + nq)
        self.qvel = slice(1 + nq, 1 + nq + nv)
        self.threads, self.pool = threads, rollout.Rollout(nthread=threads)
        self.data = [mujoco.MjData(self.model)
                     for _ in range(max(1, threads))]
        self.models: list = []
        self.first = np.zeros(self.state_dim)  # the keyframe "start" [S]
        key, data = self.model.key("start").id, mujoco.MjData(self.model)
        mujoco.mj_resetDataKeyframe(self.model, data, key)
        mujoco.mj_getState(self.model, data, self.first[:self.size], FULL)

    def reset(self, n):
        return np.tile(self.first, (n, 1))

    def __reduce__(self):
        # Nothing here changes: a copy is another one like it.
        return type(self), (self.threads,)

    def column(self, joint: str) -> int:
        """The column of a joint's position in a state row."""
        return 1 + int(self.model.joint(joint).qposadr[0])

    def simulate(self, state: ndarray, control: ndarray) -> ndarray:
        """Advance R rows by one control step; control [R, U]."""
        n, skip = len(state), self.frame_skip
        if len(self.models) != n:
            self.models = [self.model] * n
        first = np.ascontiguousarray(state[:, :self.size], np.float64)
        ctrl = np.repeat(control[:, None], skip, 1)
        ctrl = ctrl.astype(np.float64, copy=False)
        out = np.empty((n, skip, self.size))  # fresh: rows are the caller's
        # Checks are skipped for speed: the shapes were made just above.
        self.pool.rollout(
            self.models, self.data, first, ctrl, control_spec=CTRL.value,
            skip_checks=True, nstep=skip, state=out)
        return out[:, -1]

    def marker(self, goal: ndarray) -> ndarray:
        """Where the goal [G] is drawn, [3] in meters."""
        raise NotImplementedError


__all__ = ["Env", "MujocoEnv", "Split", "Step", "ring"]
