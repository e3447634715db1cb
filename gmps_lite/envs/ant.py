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

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .core import MujocoEnv, Split, ring

RADIUS = 2.0  # meters from the start to every goal
NEAR = 0.8  # meters; the sparse goal term is constant farther away
BONUS = 4.0  # added to minus the distance, so that most rewards are positive
EFFORT = 0.005  # cost of the sum of squared actions
ALIVE = 0.05  # for every step
HEALTHY = (0.2, 1.0)  # meters, allowed heights of the torso
# Joints are in the order of legs 1 2 3 4, actuators of legs 4 1 2 3: which
# actuator drives each joint.
MOTOR = torch.tensor([2, 3, 4, 5, 6, 7, 0, 1])
# Ankles of legs 2 and 3 turn the other way round.
TURN = torch.tensor([1.0, 1, 1, -1, 1, -1, 1, 1])


class Ant(MujocoEnv):
    """Reward: 4 - |x - gx| - |y - gy| - 0.005 sum a^2 + 0.05, while healthy.

    The last column of a state row is 1 for a healthy ant and 0 from the step
    on at which it was not; the other columns then keep the last healthy
    state, so that nothing infinite is ever observed.
    """

    name = "ant"
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
        self.first = self.keyframe("start")
        self.first[-1] = 1.0

    def reset(self, n):
        return np.tile(self.first, (n, 1))

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
        0 and 45 degrees of where the ant looks at the start [..., 28].

        The body looks the same after a quarter turn and in a mirror: eight
        symmetries, so that one walk, in one eighth of the circle, is all
        that an expert has to learn.
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
        half = 90 / 19
        return {"train": ring(0, 180, 20, RADIUS),
                "test": ring(half, 180 - half, 19, RADIUS),
                "extrapolation": ring(189, 351, 19, RADIUS)}


class AntFull(Ant):
    """Goals all around: nothing is left to extrapolate to."""

    name = "ant-full"

    @staticmethod
    def goals():
        return {"train": ring(0, 342, 20, RADIUS),
                "test": ring(9, 351, 20, RADIUS)}


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


def which(goal: Tensor) -> Tensor:
    """The symmetry, 0 to 7, that brings a goal [..., 2] between 0 and 45
    degrees: that many quarter turns, and from 4 on a mirror image as well.
    """
    turns = torch.atan2(goal[..., 1], goal[..., 0]) / (torch.pi / 2)
    # A goal on an edge, whatever its last digits, is always on one side.
    near = torch.floor(turns + 0.5 + 1e-5)
    return near.long() % 4 + 4 * (turns - near < -1e-5).long()


class Signed(NamedTuple):
    """What becomes of D numbers under each of the eight symmetries."""

    order: Tensor  # [8, D] which of the old numbers stands in each place
    sign: Tensor  # [8, D] 1 or -1, by which it is multiplied


def symmetries() -> Signed:
    """Those of the view's 28 numbers; `which` has their order."""
    view, turned, mirrored = np.arange(1, 29), [], []  # 0 has no sign
    for _ in range(4):
        turned.append(view)
        # A mirror changes the sign of y, and of the spin about x and z. It
        # swaps the legs 1 and 4, 2 and 3, whose hips swing the other way.
        other = view.copy()
        other[[2, 5, 7, 9, 11]] *= -1
        other[12:] = (view[12:].reshape(2, 4, 2)[:, ::-1] * (-1, 1)).ravel()
        mirrored.append(other)
        # A quarter turn, of goals to the right: x, y become y, -x, and each
        # leg takes the place of the one before it.
        view = view.copy()
        for x in (1, 4, 6, 9):  # up, goal, velocity, spin
            view[[x, x + 1]] = view[x + 1], -view[x]
        view[12:] = np.roll(view[12:].reshape(2, 8), -2, 1).ravel()
    view = torch.as_tensor(np.array(turned + mirrored))
    return Signed(view.abs() - 1, view.sign().float())


VIEW = symmetries()
# The same of the 8 motors: joints 12 to 19 of the view, by their motor.
_joint = VIEW.order[:, 12:20] - 12
LEGS = Signed(MOTOR[_joint], VIEW.sign[:, 12:20] * TURN[_joint])
