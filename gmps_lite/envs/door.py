"""A hand that must open a door to a hidden angle.

Sizes, horizon, reward and the range of target angles are those of the
released code [method: Sawyer door]. The door turns about a vertical hinge;
its handle is a bar 10 cm in front of the panel. The hand sees where it is
and where the bar is, neither the angle of the door nor the target.

Departures: the hand of `push`, its open side to the right, hooks the bar
(there: a mocap body welded to an arm, with a two-finger gripper); the hinge
has damping 10 (there: 100), so that the servos lag about 1 cm and the
door stops where the hand stops; the hand starts at the height of the handle
(as in an earlier version of that code); the handle has one arm, below;
training and test angles take turns on an even grid (there: two lists).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..types import Tasks
from .core import MujocoEnv, Split

SPEED = 0.2  # m/s that an action of 1 commands: 10 mm a control step
JAW = np.array([0.025, 0.0, 0.0])  # m, from the hand to between its fingers
NEAR = 0.1  # meters from jaw to bar; farther away the reward is zero
HINGE = (0.2, 1.0)  # meters, where the hinge stands
BAR = (-0.3, -0.1)  # meters, from hinge to bar when the door is closed
HEIGHT = 0.3  # meters, of the middle of the bar
REST = np.arctan2(BAR[1], BAR[0]) % (2 * np.pi)  # direction of BAR
GRID = np.linspace(0.04, 0.97, 40)  # radians: test and train in turn
BEYOND = np.linspace(1.0, 1.3, 20)


class Door(MujocoEnv):
    """Reward: with the jaw within NEAR of the bar, 10 times the angle up to
    the target; beyond it, 10 times (2 target - angle); never below zero.
    """

    name = body = "door"
    xml, frame_skip = "door.xml", 5
    horizon, obs_dim, act_dim = 100, 6, 3
    tolerance, unit, camera = 0.1, "rad", "angled"
    obs_mid = np.array([-0.05, 0.75, 0.3, 0.0, 0.8, 0.3])
    obs_scale = np.array([0.1, 0.12, 0.05, 0.1, 0.1, 0.05])

    def __init__(self, threads: int | None = None):
        super().__init__(threads)
        self.splits = {"train": Split("train", GRID[1::2]),
                       "test": Split("test", GRID[::2]),
                       "extrapolation": Split("extrapolation", BEYOND)}
        self.hinge = self.column("hinge")

    def dynamics(self, state, act):
        return self.simulate(state, SPEED * act)

    def observe(self, state):
        hand = state[:, self.qpos][:, :3]
        return np.concatenate([hand, self.grasp(state[:, self.hinge])], -1,
                              dtype=np.float32)

    def grasp(self, angle):
        """Where the bar of the handle is [..., 3] at a door angle [...]."""
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([HINGE[0] + cos * BAR[0] - sin * BAR[1],
                         HINGE[1] + sin * BAR[0] + cos * BAR[1],
                         np.full_like(angle, HEIGHT)], -1)

    def error(self, state, goal):
        return np.abs(goal[:, 0] - state[:, self.hinge])

    def reward(self, state, act, nxt, goal):
        angle, target = nxt[:, self.hinge], goal[:, 0]
        jaw = nxt[:, self.qpos][:, :3] + JAW
        near = np.linalg.norm(self.grasp(angle) - jaw, axis=-1) < NEAR
        opened = np.where(angle <= target, angle, 2 * target - angle)
        return np.where(near, 10.0 * np.maximum(opened, 0.0), 0.0)

    def marker(self, goal):
        return self.grasp(goal[0]) + (0.0, 0.0, 0.1)  # above the bar

    @staticmethod
    def expert(tasks: Tasks, obs: Tensor) -> Tensor:
        """Hook the bar from the left, then lead it along its circle.

        obs [N, ..., 6] -> act [N, ..., 3] in [-1, 1].
        """
        goal = tasks.goal.view(-1, *[1] * (obs.dim() - 2))
        jaw = obs[..., :3] + torch.tensor(JAW, dtype=obs.dtype)
        bar = obs[..., 3:]
        hinge = torch.tensor([*HINGE, 0.0], dtype=obs.dtype)
        spoke = bar - hinge
        angle = torch.atan2(spoke[..., 1], spoke[..., 0]) % (2 * np.pi) - REST
        turn = (goal - angle).clamp(-0.1, 0.1).unsqueeze(-1)
        tangent = torch.stack([-spoke[..., 1], spoke[..., 0],
                               torch.zeros_like(angle)], -1)
        gap = bar - jaw
        level = gap[..., 1:].abs().amax(-1, keepdim=True) < 0.018
        hooked = level & (gap[..., :1].abs() < 0.02)
        aside = torch.tensor([0.06, 0.0, 0.0], dtype=obs.dtype)
        move = torch.where(hooked, turn * tangent + 0.3 * gap,
                           torch.where(level, gap, gap - aside))
        act = move / 0.02  # half the way at each step: no overshoot
        return act / act.abs().amax(-1, keepdim=True).clamp(min=1.0)
