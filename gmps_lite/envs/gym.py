"""Gymnasium shells around the pure core.

`TaskEnv` is one environment, `TaskVectorEnv` many rows of one that advance
in a single call. Every episode has a hidden task: its goal shapes the
reward, is told in `info["goal"]`, and is not part of the observation unless
`goal_in_obs=True` asks for it (for experts, which may know it).

    env = gymnasium.make("gmps_lite/Ant-v0", split="train")
    obs, info = env.reset(seed=0, options={"task": 3, "split": "test"})
    obs, info = env.reset(options={"goal": [0.0, 2.0]})

An episode ends by truncation at the horizon, never by termination.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy import ndarray

from ..types import lookup
from . import ENVS
from .render import painter

# The largest number in a state that MuJoCo does not call diverged.
BIG = 1e10


class Rows:
    """What both shells share: n rows of state and their goals."""

    def open(self, name: str, n: int, threads: int | None, split: str,
             task: int | None, goal_in_obs: bool, render_mode: str | None,
             size: int) -> None:
        """Make the core environment and its spaces."""
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}, allowed are "
                             "None and 'rgb_array'")
        self.core = lookup("environment", name, ENVS)(threads)
        self.n, self.split, self.task = n, split, task
        self.goal_in_obs, self.render_mode = goal_in_obs, render_mode
        self.size, self.painter = size, None
        self.pick({}, np.random.default_rng(0))  # a wrong task fails here
        self.state: ndarray | None = None
        width = self.core.obs_dim + self.core.goal_dim * goal_in_obs
        self.box_obs = Box(-BIG, BIG, (width,), np.float32)
        self.box_act = Box(-1.0, 1.0, (self.core.act_dim,), np.float32)
        self.metadata = {**self.metadata,
                         "render_fps": round(1 / self.core.dt)}

    def pick(self, options: dict | None, rng: np.random.Generator) -> ndarray:
        """The goals [n, G] that the reset options ask for."""
        options, name = options or {}, self.core.name
        unknown = sorted(set(options) - {"task", "split", "goal"})
        if unknown:
            raise ValueError(f"{name}: unknown reset options {unknown}, "
                             "allowed are 'task', 'split' and 'goal'")
        if "goal" in options:
            if len(options) > 1:
                raise ValueError(f"{name}: option 'goal' stands alone, got "
                                 f"{sorted(options)}")
            # Rounded like the goals of the splits.
            try:
                goal = np.asarray(options["goal"], np.float32).astype(float)
            except (TypeError, ValueError):
                goal = np.array(np.nan)
            shapes = (self.core.goal_dim,), (self.n, self.core.goal_dim)
            if goal.shape not in shapes or not np.isfinite(goal).all():
                raise ValueError(
                    f"{name}: option 'goal' is {options['goal']!r}, expected "
                    f"finite numbers of shape {' or '.join(map(str, shapes))}")
            return np.broadcast_to(goal, shapes[1]).copy()
        split = lookup("split", options.get("split", self.split),
                       self.core.splits)
        task = options.get("task", self.task)
        if task is None:
            index = rng.integers(len(split), size=self.n)
        else:
            index = np.asarray(task)
            if index.dtype.kind not in "iu" or index.shape not in (
                    (), (self.n,)):
                raise ValueError(f"{name}: task is {task!r}, expected an "
                                 f"int or {self.n} ints")
            index = np.broadcast_to(index, self.n).copy()
        return split[index].goal.double().numpy()

    def begin(self, options: dict | None, rng) -> tuple[ndarray, dict]:
        """Start an episode in every row."""
        self.goal = self.pick(options, rng)
        self.state, self.t = self.core.reset(self.n), 0
        return self.observe(), self.describe(
            self.core.error(self.state, self.goal))

    def advance(self, act: ndarray) -> tuple[ndarray, ndarray, dict]:
        """One control step of every row."""
        if self.state is None:
            raise RuntimeError(f"{self.core.name}: call reset before step")
        self.state, rew, error = self.core.step(
            self.state, np.asarray(act, np.float64), self.goal)
        self.t += 1
        return self.observe(), rew, self.describe(error)

    def observe(self) -> ndarray:
        """Observations [n, O], or [n, O + G] with the goal."""
        obs = self.core.observe(self.state)
        if self.goal_in_obs:
            obs = np.concatenate([obs, self.goal], -1, dtype=np.float32)
        return obs

    def describe(self, error: ndarray) -> dict[str, ndarray]:
        """The info of every row."""
        return {"goal": self.goal.astype(np.float32), "error": error,
                "success": error < self.core.tolerance}

    def frames(self) -> tuple[ndarray, ...] | None:
        """A picture of every row."""
        if self.render_mode is None:
            raise RuntimeError(f"{self.core.name}: nothing to render, make "
                               "it with render_mode='rgb_array'")
        if self.state is None:
            raise RuntimeError(f"{self.core.name}: call reset before render")
        if self.painter is None:
            self.painter = painter(self.core, self.size)
        return tuple(self.painter(s, g)
                     for s, g in zip(self.state, self.goal))

    def shut(self) -> None:
        """Free what drawing has taken."""
        if self.painter is not None:
            self.painter.close()
            self.painter = None


class TaskEnv(Rows, gymnasium.Env):
    """One environment, on the calling thread."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, name: str, *, split: str = "train",
                 task: int | None = None, goal_in_obs: bool = False,
                 render_mode: str | None = None, size: int = 240):
        """name: a key of ENVS. split, task: where episodes take their goal
        from when reset is not told; no task means any of the split.
        size: pixels along each side of a picture.
        """
        self.open(name, 1, 0, split, task, goal_in_obs, render_mode, size)
        self.observation_space = self.box_obs
        self.action_space = self.box_act

    def reset(self, *, seed: int | None = None,
              options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        obs, info = self.begin(options, self.np_random)
        return obs[0], self.single(info)

    def step(self, action):
        obs, rew, info = self.advance(np.asarray(action)[None])
        return (obs[0], float(rew[0]), False, self.t >= self.core.horizon,
                self.single(info))

    @staticmethod
    def single(info: dict) -> dict:
        """The info of the only row."""
        return {"goal": info["goal"][0], "error": float(info["error"][0]),
                "success": bool(info["success"][0])}

    def render(self):
        return self.frames()[0]

    def close(self):
        self.shut()


class TaskVectorEnv(Rows, VectorEnv):
    """num_envs rows in one batched call, physics on every core.

    All rows have the same horizon, so all end together; the step after that
    ignores its actions and starts new episodes (autoreset NEXT_STEP).
    """

    metadata = {"render_modes": ["rgb_array"],
                "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(self, name: str, num_envs: int = 1, *,
                 max_episode_steps: int | None = None,
                 threads: int | None = None, split: str = "train",
                 task: int | None = None, goal_in_obs: bool = False,
                 render_mode: str | None = None, size: int = 240):
        """As TaskEnv; a task may also be a list of one per row.
        max_episode_steps: an earlier end than the environment's horizon.
        threads: size of the physics pool (None: every core).
        """
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}, must be 1 or more")
        self.open(name, num_envs, threads, split, task, goal_in_obs,
                  render_mode, size)
        top = self.core.horizon
        self.horizon = top if max_episode_steps is None else max_episode_steps
        if not 1 <= self.horizon <= top:
            raise ValueError(f"{name}: max_episode_steps is {self.horizon}, "
                             f"must be 1 to {top}")
        self.num_envs = num_envs
        self.single_observation_space = self.box_obs
        self.single_action_space = self.box_act
        self.observation_space = batch_space(self.box_obs, num_envs)
        self.action_space = batch_space(self.box_act, num_envs)

    def reset(self, *, seed: int | None = None,
              options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        obs, info = self.begin(options, self.np_random)
        return obs, self.masked(info)

    def step(self, actions):
        no = np.zeros(self.n, bool)
        if self.state is not None and self.t >= self.horizon:
            obs, info = self.begin(None, self.np_random)
            return obs, np.zeros(self.n), no, no.copy(), self.masked(info)
        obs, rew, info = self.advance(actions)
        over = np.full(self.n, self.t >= self.horizon)
        return obs, rew, no, over, self.masked(info)

    def masked(self, info: dict) -> dict:
        """Gymnasium's form: beside each key, which rows have it."""
        return info | {f"_{k}": np.ones(self.n, bool) for k in info}

    def render(self):
        return self.frames()

    def close_extras(self, **kwargs):
        self.shut()
