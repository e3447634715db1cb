"""A point in the plane that must find a hidden goal. No MuJoCo: fast
enough for first chapters and for every quick test.

The point starts at the origin and moves by 0.1 m times the action. Goals lie
on the half circle of radius 1 m, as in PEARL's point robot [oyster]; the
extrapolation split is the other half.

Departures from that environment: the action is a fraction of 0.1 m (there:
clipped to 0.1), and the dense reward is offered beside the sparse one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..types import Tasks
from .core import Env, Split, ring

STEP = 0.1  # meters that an action of 1 moves the point along one axis
RADIUS = 1.0  # meters from the start to every goal
NEAR = 0.2  # meters; the sparse reward is zero farther away


class Point(Env):
    """Reward: minus the distance to the goal, in meters."""

    name = body = "point"
    horizon, state_dim, obs_dim, act_dim, dt = 20, 2, 2, 2, 0.1
    tolerance, view_dim = 0.2, 4
    obs_mid, obs_scale = np.zeros(2), np.full(2, 0.5)

    def __init__(self, threads: int | None = None):
        del threads  # every environment takes it; a point needs none
        self.splits = {
            "train": Split("train", ring(0, 180, 40, RADIUS)),
            "test": Split("test", ring(2.3, 177.7, 20, RADIUS)),
            "extrapolation": Split("extrapolation",
                                   ring(190, 350, 20, RADIUS)),
        }

    def reset(self, n):
        return np.zeros((n, 2))

    def dynamics(self, state, act):
        return state + STEP * act

    def observe(self, state):
        return state.astype(np.float32)

    def reward(self, state, act, nxt, goal):
        return -self.error(nxt, goal)

    def error(self, state, goal):
        return np.linalg.norm(state - goal, axis=-1)

    def shaped(self, obs, act, nxt, goal):
        rew = -(nxt - goal).norm(dim=-1)
        return rew, torch.zeros_like(rew)

    @staticmethod
    def expert(tasks: Tasks, obs: Tensor) -> Tensor:
        """Straight to the goal, at full speed, and stop there.

        obs [N, ..., 2] -> act [N, ..., 2].
        """
        goal = tasks.goal.view(-1, *[1] * (obs.dim() - 2), 2)
        act = (goal - obs) / STEP
        top = act.abs().amax(-1, keepdim=True)
        return act / torch.clamp(top, min=1.0)


class PointSparse(Point):
    """Reward: 1 - distance / NEAR within NEAR meters of the goal, else 0."""

    name = "point-sparse"

    def reward(self, state, act, nxt, goal):
        return np.maximum(0.0, 1.0 - self.error(nxt, goal) / NEAR)
