"""A four-legged ant that must walk to a hidden goal on a ring.

Body, motors, start, horizon, goals and rewards are those of the released
code [method: ant, goal on a ring]: 100 control steps a second for two
seconds, goals 2 m away, 40 of them between 0 and 90 degrees.

Departures: the integrator is implicitfast (there: RK4), 4-5 times as fast;
the observation leaves out 84 contact forces and the reward their cost; the
distance is that of the torso (there: of the center of mass of the whole
body); an ant that falls over or jumps earns 0 for the rest of its episode
and lies still (there: the episode ends).
"""

from __future__ import annotations

import numpy as np

from .core import MujocoEnv, Split, ring

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

    name = "ant"
    xml, frame_skip, extra = "ant.xml", 1, 1
    horizon, obs_dim, act_dim = 200, 38, 8
    tolerance, camera = 0.5, "side"
    obs_mid = np.concatenate([
        [0, 0, 0.55, 1, 0, 0, 0], [0, 1, 0, -1, 0, -1, 0, 1],
        np.zeros(14), np.eye(3).ravel()])
    obs_scale = np.concatenate([
        [1, 1, 0.15], np.full(4, 0.2), np.full(8, 0.35),
        [1, 1, 1], np.full(3, 1.5), np.full(8, 3.0), np.full(9, 0.25)])

    def __init__(self, threads: int | None = None):
        super().__init__(threads)
        goals, half = ring(0, 90, 40, RADIUS), 45 / 39
        self.splits = {
            "train": Split("train", goals),
            "train10": Split("train10", goals[::4]),  # as the release
            # In the middle of every other gap between training goals.
            "test": Split("test", ring(half, 90 - half, 20, RADIUS)),
            "extrapolation": Split("extrapolation",
                                   ring(94.5, 180, 20, RADIUS)),
        }
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
