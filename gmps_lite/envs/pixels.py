"""Pushing and door opening as a camera sees them.

The physics, the tasks and the reward are those of `push` and `door`. The
agent sees a picture of 48 x 64 pixels and where its hand is [code], never
the goal, the block or the angle of the door as numbers.

Departures: the picture is taken at this size (there: 84 x 84, turned and
cut), by a camera a little closer, so that the block is some pixels wide; the
wrist is a rod (there: an arm that fills much of the view).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor
from tqdm import tqdm

from .. import frames
from ..types import here
from .core import MujocoEnv
from .door import HINGE, REST, Door
from .push import Push
from .render import Pool


class Pixels(MujocoEnv):
    """What environments seen by a camera share."""

    pixels = True
    camera = "robot"
    obs_dim = frames.SIZE
    expert = view_dim = None  # see `plain`
    numbers: type[MujocoEnv]  # the same without a camera

    def __init__(self, threads: int | None = None):
        super().__init__(threads)
        self.eyes: Pool | None = None  # opened at the first picture

    def observe(self, state: ndarray) -> ndarray:
        """Rows of bytes [R, frames.SIZE], see there. Raises RenderError
        where there is no OpenGL.
        """
        if self.eyes is None:
            self.eyes = Pool(self, frames.HEIGHT, frames.WIDTH)
        return frames.pack(self.eyes(state), state[:, self.qpos][:, :3])

    @cached_property
    def plain(self):
        return self.numbers(self.threads)

    def see(self, obs: Tensor) -> Tensor:
        """Rows of bytes [..., frames.SIZE] where `plain` observes obs
        [..., O]; what is such a row already stays as it is.
        """
        if obs.dtype == torch.uint8:
            return obs
        rows = obs.reshape(-1, obs.shape[-1]).double().cpu().numpy()
        state = np.tile(self.reset(1), (len(rows), 1))
        state[:, self.qpos] = self.pose(rows)
        parts = np.array_split(state, -(-len(rows) // 500))
        out = np.concatenate([self.observe(s) for s in tqdm(
            parts, desc="taking pictures", delay=5, leave=False)])
        return here(out).view(*obs.shape[:-1], -1)

    def pose(self, obs: ndarray) -> ndarray:
        """Joint positions [R, Q] from observations of `plain` [R, O]."""
        raise NotImplementedError


class PushPixels(Pixels, Push):
    """`push`, seen from across the table."""

    name, numbers = "push-pixels", Push

    def pose(self, obs):
        return obs  # hand and block


class DoorPixels(Pixels, Door):
    """`door`, seen from the left."""

    name, numbers = "door-pixels", Door

    def pose(self, obs):
        spoke = obs[:, 3:5] - HINGE
        angle = np.arctan2(spoke[:, 1], spoke[:, 0]) % (2 * np.pi) - REST
        return np.concatenate([obs[:, :3], angle[:, None]], 1)
