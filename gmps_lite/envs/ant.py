"""A four-legged ant that must walk to a hidden goal on a ring.

Body, motors, start, horizon, goals and rewards are those of the released
code [method: ant, goal on a ring]: 100 control steps a second for two
seconds, goals 2 m away. Three families of tasks: the quarter circle of the
article's figures, the half circle of the release, and the full circle.

Departures: the integrator is implicitfast (there: RK4), 4-5 times as fast;
the observation leaves out 84 contact forces and the reward their cost; the
distance is that of the torso (there: of the center of mass of the whole
body); an ant that falls over or jumps earns 0 for the rest of its episode
and lies still (there: the episode ends).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .core import MujocoEnv, Split, ring
from .symmetry import LEGS, TURN, VIEW, which

RADIUS = 2.0  # meters from the start to every goal
NEAR = 0.8  # meters; the sparse goal term is constant farther away
BONUS = 4.0  # added to minus the distance, so that most rewards are positive
EFFORT = 0.005  # cost of the sum of squared actions
ALIVE = 0.05  # for every step
HEALTHY = (0.2, 1.0)  # meters, allowed heights of the torso


class Ant(MujocoEnv):
    """Reward: 4 - |x - gx| - |y - gy| - 0.005 sum a^2 + 0.05, while healthy.

    The last column of a state row is 1 for a healthy ant and 0 from the step
    on at which it was not; the other columns then keep the last healthy
    state, so that nothing infinite is ever observed.
    """

    name = body = "ant"
    xml, frame_skip, extra = "ant.xml", 1, 1
    horizon, obs_dim, act_dim = 200, 38, 8
    tolerance, camera = 0.5, "side"
    view_dim = 28
    obs_mid = np.concatenate([
        [0, 0, 0.55, 1, 0, 0, 0], [0, 1, 0, -1, 0, -1, 0, 1],
        np.zeros(14), np.eye(3).ravel()])
    obs_scale = np.concatenate([
        [1, 1, 0.15], np.full(4, 0.2), np.full(8, 0.35),
        [1, 1, 1], np.full(3, 1.5), np.full(8, 3.0), np.full(9, 0.25)])

    def __init__(self, threads: int | None = None):
        super().__init__(threads)
        self.splits = {name: Split(name, goals)
                       for name, goals in self.goals().items()}
        self.first[-1] = 1.0

    def dynamics(self, state, act):
        nxt = np.empty_like(state)
        nxt[:, :-1] = self.simulate(state, act)
        low, high = HEALTHY
        height = nxt[:, 3]
        alive = ((height >= low) & (height <= high) & (state[:, -1] > 0)
                 & np.isfinite(nxt[:, :-1]).all(-1))
        nxt[:, -1] = 1.0
        if not alive.all():
            nxt[~alive] = state[~alive]
            nxt[~alive, -1] = 0.0
        return nxt

    def observe(self, state):
        pos, vel = state[:, self.qpos], state[:, self.qvel]
        return np.concatenate([pos, vel, rotation(pos[:, 3:7])], -1,
                              dtype=np.float32)

    def error(self, state, goal):
        return np.linalg.norm(state[:, 1:3] - goal, axis=-1)

    def progress(self, state, goal):
        """The part of the reward that depends on the goal, [R]."""
        return BONUS - np.abs(state[:, 1:3] - goal).sum(-1)

    def reward(self, state, act, nxt, goal):
        effort = EFFORT * np.square(act).sum(-1)
        return nxt[:, -1] * (self.progress(nxt, goal) - effort + ALIVE)

    def marker(self, goal):
        return np.array([goal[0], goal[1], 0.01])

    @staticmethod
    def goals() -> dict[str, np.ndarray]:
        """The quarter circle: 40 goals, of which the release trains on
        every fourth; tests lie in the middle of every other gap.
        """
        goals, half = ring(0, 90, 40, RADIUS), 45 / 39
        return {"train": goals[::4], "train40": goals,
                "test": ring(half, 90 - half, 20, RADIUS),
                "extrapolation": ring(94.5, 180, 20, RADIUS)}

    def view(self, obs: Tensor, goal: Tensor) -> Tensor:
        """Height, up, goal, velocities and joints in the frame of the
        body's heading, with the legs named such that the goal lies between
        0 and 90 degrees of where the ant looks at the start [..., 28].

        The body looks the same after a quarter turn, so that one quarter of
        the circle is all that an expert has to learn. It also does in a
        mirror (`twin`), but an expert of one eighth alone, though cheaper
        still, has another gait on either side of 45 degrees: their mean,
        with which a learner must begin, hardly walks.
        """
        turn = obs[..., 29:38]  # rotation matrix, row by row
        yaw = torch.atan2(turn[..., 3], turn[..., 0])
        c, s = yaw.cos().unsqueeze(-1), yaw.sin().unsqueeze(-1)

        def ahead(v):  # [..., 2] in the world -> along and across
            x, y = v[..., :1], v[..., 1:2]
            return torch.cat([c * x + s * y, c * y - s * x], -1)
        seen = torch.cat([
            (obs[..., 2:3] - 0.55) / 0.15,
            turn[..., 6:9] * torch.tensor([4.0, 4.0, 1.0]),
            ahead(goal - obs[..., :2]), ahead(obs[..., 15:17]),
            obs[..., 17:18], obs[..., 18:21] / 1.5,
            obs[..., 7:15] * TURN * 2.5, obs[..., 21:29] * TURN / 3], -1)
        k = which(goal).expand(seen.shape[:-1])
        seen = seen.gather(-1, VIEW.order[k]) * VIEW.sign[k]
        seen[..., 13:20:2] -= 2.25  # ankles rest at 0.9 rad
        return seen

    def fold(self, act: Tensor, goal: Tensor) -> Tensor:
        k = which(goal).expand(act.shape[:-1])
        return act.gather(-1, LEGS.order[k]) * LEGS.sign[k]

    def unfold(self, act: Tensor, goal: Tensor) -> Tensor:
        k = which(goal).expand(act.shape[:-1])
        return torch.zeros_like(act).scatter(
            -1, LEGS.order[k], act * LEGS.sign[k])

    def twin(self, x, act, nxt, which):
        def mirror(v, order, sign):  # along the line of 45 degrees
            return torch.where(which.unsqueeze(-1), v[..., order] * sign, v)
        order, sign = VIEW.order[5], VIEW.sign[5]
        return (mirror(x, order, sign),
                mirror(act, order[12:20] - 12, sign[12:20]),
                mirror(nxt, order, sign))

    def shaped(self, obs, act, nxt, goal):
        """Ten times the progress toward the goal, minus the effort. With a
        discount this asks for the same as the distance in the task's
        reward, a constant aside (Ng et al. 1999), but right away. An ant
        that lies still for ever, as after a fall, earns nothing more.
        """
        before = (obs[..., :2] - goal).abs().sum(-1)
        after = (nxt[..., :2] - goal).abs().sum(-1)
        effort = EFFORT * act.clamp(-1, 1).square().sum(-1)
        return 10 * (before - after) - effort, (nxt == obs).all(-1).float()


class AntHalf(Ant):
    """Goals on the half circle, where no compromise direction earns much."""

    name = "ant-half"

    @staticmethod
    def goals():
        return {"train": ring(4.5, 175.5, 20, RADIUS),
                "test": ring(9, 171, 19, RADIUS),
                "extrapolation": ring(189, 351, 19, RADIUS)}


class AntFull(Ant):
    """Goals all around: nothing is left to extrapolate to."""

    name = "ant-full"

    @staticmethod
    def goals():
        return {"train": ring(9, 351, 20, RADIUS),
                "test": ring(0, 342, 20, RADIUS)}


class AntSparse(Ant):
    """The same reward within NEAR meters of the goal; farther away the goal
    term is what it is at the origin: moving changes nothing.
    """

    name = "ant-sparse"

    def progress(self, state, goal):
        near = self.error(state, goal) <= NEAR
        return np.where(near, super().progress(state, goal),
                        BONUS - np.abs(goal).sum(-1))


def rotation(quat: np.ndarray) -> np.ndarray:
    """Unit quaternions [R, 4] (w x y z) to rotation matrices [R, 9]."""
    w, x, y, z = quat.T
    return np.stack([
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ], -1)
