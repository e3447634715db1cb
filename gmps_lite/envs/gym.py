"""Gymnasium shells around the pure core.

`TaskEnv` is one environment, `TaskVectorEnv` many rows of one that advance
in a single call. Every episode has a hidden task: its goal shapes the
reward, is told in `info["goal"]`, and is not part of the observation unless
`goal_in_obs=True` asks for it.

`goal_view=True` is for training experts, which may know the goal, with any
gymnasium learner: observations are the core's `view`, which has the goal in
it, actions are folded likewise (see `Env.fold`), and the reward is `shaped`,
so that more of it comes early. `info` still tells the distance to the goal.

    env = gymnasium.make("gmps_lite/Ant-v0", split="train")
    obs, info = env.reset(seed=0, options={"task": 3, "split": "test"})
    obs, info = env.reset(options={"goal": [0.0, 2.0]})

An episode ends by truncation at the horizon, never by termination.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from .rows import Rows


class TaskEnv(Rows, gymnasium.Env):
    """One environment, on the calling thread."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, name: str, *, split: str = "train",
                 task: int | None = None, goal_in_obs: bool = False,
                 goal_view: bool = False, render_mode: str | None = None,
                 size: int = 240):
        """name: a key of ENVS. split, task: where episodes take their goal
        from when reset is not told; no task means any of the split.
        size: pixels along each side of a picture.
        """
        self.open(name, 1, 0, split, task, goal_in_obs, goal_view,
                  render_mode, size)
        self.observation_space = self.box_obs
        self.action_space = self.box_act

    def reset(self, *, seed: int | None = None,
              options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        obs, info = self.begin(options, self.np_random)
        return self.first(obs), self.single(info)

    def step(self, action):
        obs, rew, info = self.advance(np.asarray(action)[None])
        return (self.first(obs), float(rew[0]), False,
                self.t >= self.core.horizon, self.single(info))

    @staticmethod
    def first(obs):
        """The observation of the only row."""
        return ({k: v[0] for k, v in obs.items()} if isinstance(obs, dict)
                else obs[0])

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
                 goal_view: bool = False, render_mode: str | None = None,
                 size: int = 240):
        """As TaskEnv; a task may also be a list of one per row.
        max_episode_steps: an earlier end than the environment's horizon.
        threads: size of the physics pool (None: every core).
        """
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}, must be 1 or more")
        self.open(name, num_envs, threads, split, task, goal_in_obs,
                  goal_view, render_mode, size)
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
