"""A gripper that must push a block to a hidden goal.

Sizes, start, horizon, goals and rewards are those of the released code
[method: Sawyer push v4]. The block starts 12 cm in front of the hand; goals
lie 18 to 29 cm farther on, in a region of 20 x 10 cm.

Departures: three slide joints under position servos carry the hand (there: a
mocap body welded to an arm), which is twice as fast and keeps the whole
state in one row; the jaw is open, with side fingers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..types import Tasks
from .core import MujocoEnv, Split

SPEED = 0.2  # m/s that an action of 1 commands: 10 mm a control step
JAW = np.array([0.0, 0.025, -0.03])  # m, from the hand to between its fingers
TRAIN = [
    (0.0124, 0.7361), (0.0985, 0.7290), (-0.0033, 0.7870),
    (0.0677, 0.7938), (0.0975, 0.7506), (-0.0763, 0.7980),
    (0.0209, 0.7614), (-0.0530, 0.7577), (0.0731, 0.7505),
    (0.0155, 0.7509), (-0.0784, 0.7656), (0.0414, 0.7359),
    (0.0650, 0.7790), (-0.0875, 0.7214), (-0.0088, 0.7757),
    (0.0577, 0.7329), (-0.0351, 0.7992), (0.0883, 0.7482),
    (-0.0536, 0.7363), (-0.0103, 0.7333)]
TEST = [
    (-0.0032, 0.7448), (-0.0483, 0.7603), (-0.0522, 0.7458),
    (-0.0310, 0.7376), (-0.0446, 0.7694), (-0.0020, 0.7269),
    (-0.0859, 0.7477), (0.0564, 0.7354), (-0.0738, 0.7163),
    (-0.0835, 0.7177), (0.0450, 0.7028), (0.0553, 0.7729),
    (0.0929, 0.7094), (-0.0114, 0.7623), (0.0228, 0.7683),
    (-0.0254, 0.7045), (0.0160, 0.7761), (-0.0558, 0.7666),
    (-0.0586, 0.7977), (0.0199, 0.7068)]
# Ours: goals to the left and right of the training region.
BEYOND = [(s * x, y) for s in (-1, 1) for x in (0.12, 0.14, 0.16)
          for y in (0.70, 0.75, 0.80)]


class Push(MujocoEnv):
    """Reward [posPlace]: -|block - jaw| + 100 max(0, d0 - d), where d is
    the distance in the plane from block to goal and d0 its first value.
    """

    name = body = "push"
    xml, frame_skip = "push.xml", 5
    horizon, obs_dim, act_dim = 50, 6, 3
    tolerance, view_dim = 0.05, 10
    path = slice(3, 5)  # the block
    obs_mid = np.array([0.0, 0.62, 0.05, 0.0, 0.65, 0.02])
    obs_scale = np.array([0.1, 0.12, 0.05, 0.1, 0.1, 0.05])

    def __init__(self, threads: int | None = None):
        super().__init__(threads)
        self.splits = {"train": Split("train", TRAIN),
                       "test": Split("test", TEST),
                       "extrapolation": Split("extrapolation", BEYOND)}
        self.block = slice(self.column("block_x"), self.column("block_x") + 2)

    def dynamics(self, state, act):
        return self.simulate(state, SPEED * act)

    def observe(self, state):
        return state[:, self.qpos].astype(np.float32)  # hand xyz, block xyz

    def error(self, state, goal):
        return np.linalg.norm(state[:, self.block] - goal, axis=-1)

    def reward(self, state, act, nxt, goal):
        pos = nxt[:, self.qpos]
        reach = np.linalg.norm(pos[:, 3:] - pos[:, :3] - JAW, axis=-1)
        first = np.linalg.norm(self.first[self.block] - goal, axis=-1)
        gain = np.maximum(0.0, first - self.error(nxt, goal))
        return 100.0 * gain - reach

    def marker(self, goal):
        return np.array([goal[0], goal[1], 0.001])

    def view(self, obs, goal):
        """Height of the hand, jaw to block, block to goal, goal and places,
        in units that make each about 1 [..., 10].
        """
        hand, block = obs[..., :3], obs[..., 3:]
        jaw = hand + torch.as_tensor(JAW, dtype=obs.dtype)
        scale = torch.tensor([20.0, 20.0, 20.0])
        return torch.cat([
            (block - jaw) * scale, (goal - block[..., :2]) * 10,
            (hand - torch.tensor([0.0, 0.6, 0.05])) * 10,
            (block[..., :2] - torch.tensor([0.0, 0.65])) * 10], -1)

    def shaped(self, obs, act, nxt, goal):
        """Ten times what a step brought the jaw to the block and, counted
        ten times more, the block to the goal: progress, as for the ant.
        """
        def far(o):
            jaw = o[..., :3] + torch.as_tensor(JAW, dtype=o.dtype)
            return ((o[..., 3:] - jaw).norm(dim=-1)
                    + 10 * (o[..., 3:5] - goal).norm(dim=-1))
        rew = 10 * (far(obs) - far(nxt))
        return rew, torch.zeros_like(rew)

    @staticmethod
    def expert(tasks: Tasks, obs: Tensor) -> Tensor:
        """Go behind the block, then move by goal - block.

        obs [N, ..., 6] -> act [N, ..., 3] in [-1, 1].
        """
        goal = tasks.goal.view(-1, *[1] * (obs.dim() - 2), 2)
        hand, block = obs[..., :3], obs[..., 3:]
        jaw = hand[..., :2] + torch.tensor(JAW[:2], dtype=obs.dtype)
        inside = ((block[..., :2] - jaw).abs() < 0.022).all(-1, keepdim=True)
        move = torch.where(inside, goal - block[..., :2],
                           block[..., :2] - jaw)
        # Half the way at each step, at most full speed: no overshoot.
        act = torch.cat([move, 0.05 - hand[..., 2:]], -1) / 0.02
        return act / act.norm(dim=-1, keepdim=True).clamp(min=1.0)


class PushSparse(Push):
    """Reward [l2Sparse]: -d, without a term that rewards reaching: nothing
    is learned before the block is touched.
    """

    name = "push-sparse"

    def reward(self, state, act, nxt, goal):
        return -self.error(nxt, goal)
