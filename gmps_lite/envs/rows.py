"""What the Gymnasium shells share: rows of state, each with its goal."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.spaces import Box, Dict
from numpy import ndarray

from .. import frames
from ..types import lookup
from . import ENVS
from .render import painter

# The largest number in a state that MuJoCo does not call diverged.
BIG = 1e10


class Rows:
    """What both shells share: n rows of state and their goals."""

    def open(self, name: str, n: int, threads: int | None, split: str,
             task: int | None, goal_in_obs: bool, goal_view: bool,
             render_mode: str | None, size: int) -> None:
        """Make the core environment and its spaces."""
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}, allowed are "
                             "None and 'rgb_array'")
        self.core = lookup("environment", name, ENVS)(threads)
        self.n, self.split, self.task = n, split, task
        self.goal_in_obs, self.goal_view = goal_in_obs, goal_view
        self.render_mode, self.size, self.painter = render_mode, size, None
        self.pick({}, np.random.default_rng(0))  # a wrong task fails here
        self.state: ndarray | None = None
        width = self.core.obs_dim + self.core.goal_dim * goal_in_obs
        if goal_view:
            if goal_in_obs:
                raise ValueError(f"{name}: goal_in_obs and goal_view are both "
                                 "set, but the view has the goal in it")
            if self.core.view_dim is None:
                raise ValueError(f"{name} has no view for trained experts, "
                                 "so goal_view must be False")
            width = self.core.view_dim
        self.box_obs = Box(-BIG, BIG, (width,), np.float32)
        if self.core.pixels:
            if goal_in_obs:
                raise ValueError(f"{name}: goal_in_obs is set, but a picture "
                                 "has no room for the goal")
            shape = (frames.HEIGHT, frames.WIDTH, 3)
            self.box_obs = Dict(
                image=Box(0, 255, shape, np.uint8),
                hand=Box(frames.LOW, frames.HIGH, (3,), np.float32))
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
        act = np.asarray(act, np.float64)
        if self.goal_view:
            self.core.check("actions", act, (self.n, self.core.act_dim))
            act = self.core.unfold(torch.from_numpy(act), self.aim).numpy()
        before = self.state
        self.state, rew, error = self.core.step(before, act, self.goal)
        self.t += 1
        if self.goal_view:
            obs, nxt = (torch.from_numpy(self.core.observe(s))
                        for s in (before, self.state))
            rew = self.core.shaped(obs, torch.from_numpy(act), nxt,
                                   self.aim)[0].double().numpy()
        return self.observe(), rew, self.describe(error)

    @property
    def aim(self) -> torch.Tensor:
        """The goals [n, G], as the core's functions of tensors take them."""
        return torch.from_numpy(self.goal).float()

    def observe(self) -> ndarray | dict[str, ndarray]:
        """Observations [n, O], or [n, O + G] with the goal, or [n, V]; of a
        camera, {"image": [n, 48, 64, 3], "hand": [n, 3]}.
        """
        obs = self.core.observe(self.state)
        if self.core.pixels:
            obs = torch.from_numpy(obs)
            return {"image": frames.picture(obs).numpy(),
                    "hand": frames.hand(obs).numpy()}
        if self.goal_view:
            return self.core.view(torch.from_numpy(obs), self.aim).numpy()
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
