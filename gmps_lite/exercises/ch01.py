"""Checkers of chapter 1: many tasks, one body."""

import sys

import numpy as np

from ..envs.core import Split, ring
from ..envs.point import Point
from . import close, exercise, seeded


@exercise("E1.1", lambda n, radius, start, stop: ring(start, stop, n, radius))
def ring_goals(f):
    out = np.asarray(f(5, 2.0, 0, 180))
    yield out.shape == (5, 2), f"5 goals have shape (5, 2), not {out.shape}."
    yield close(out[0], [2.0, 0.0]), "Angle 0 points along x: (radius, 0)."
    yield close(out[-1], [-2.0, 0.0]), "Both ends count: the last is `stop`."
    yield close(f(3, 0.5, -90, 30), ring(-90, 30, 3, 0.5)), "This ring fails."
    start, stop = np.sort(seeded(0).uniform(-180, 180, 2))
    yield close(f(6, 1.5, start, stop), ring(start, stop, 6, 1.5)), (
        "Six goals between two random angles are wrong.")


@exercise("E1.2", lambda state, act, nxt, goal: (
    ((nxt - state) * np.concatenate([np.cos(goal), np.sin(goal)], 1)).sum(1)
    - 0.01 * np.square(act).sum(1)))
def heading_reward(f):
    for row, want, sentence in [
            ([(0, 0), (0, 0), (0.1, 0), (0,)], 0.1, "A step of 0.1 m along x "
             "with goal angle 0 and no action earns 0.1, as shape (1,)."),
            ([(3, 5), (0, 0), (3.2, 5), (0,)], 0.2, "Where the step begins "
             "does not matter; twice as far earns twice as much."),
            ([(0, 0), (0, 0), (0, 0.1), (np.pi / 2,)], 0.1, "Angles are in "
             "radians: pi / 2 points along y."),
            ([(0, 0), (0, 0), (-0.1, 0), (0,)], -0.1, "A step backwards "
             "costs as much as one forwards earns."),
            ([(0, 0), (1, -2), (0, 0), (0,)], -0.05, "Effort is 0.01 times "
             "the sum of squares: (1, -2) without movement earns -0.05.")]:
        yield close(f(*(np.array([x], float) for x in row)), [want]), sentence
    rows = np.split(seeded(0).random((6, 7)), [2, 4, 6], 1)
    single = [np.asarray(f(*(x[i:i + 1] for x in rows)))[0] for i in range(6)]
    yield close(f(*rows), np.array(single)), (
        "Six rows earn six rewards, shape (6,), each row on its own.")


def puck(state, act):
    vel = 0.9 * state[:, 2:] + 0.2 * np.clip(act, -1, 1)
    pos = state[:, :2] + 0.1 * vel
    vel = np.where(np.abs(pos) > 2, 0.0, vel)
    return np.concatenate([np.clip(pos, -2, 2), vel], -1)


def ticks(f, *args) -> int:
    """Lines and calls of Python that one call of f runs."""
    count, old = [0], sys.gettrace()

    def trace(*_):
        count[0] += 1
        return trace
    sys.settrace(trace)
    try:
        f(*args)
    finally:
        sys.settrace(old)
    return count[0]


@exercise("E1.3", puck)
def puck_step(f):
    state, act = np.zeros((3, 4)), np.array([[0, 0], [0, 0], [0.5, -3]], float)
    state[1, 2] = 1.0
    out = np.asarray(f(state, act))
    yield close(state[1:, 2], [1.0, 0.0]) and out is not state, (
        "Leave the rows that you are given as they are.")
    yield close(out[1], [0.09, 0, 0.9, 0]), (
        "A puck at 1 m/s slows to 0.9, then moves with its new velocity.")
    yield close(out[2], [0.01, -0.02, 0.1, -0.2]), (
        "From rest: clip the action, 0.2 of it is the velocity, then move.")
    wall = np.array([[1.95, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    yield close(f(wall, np.zeros((2, 2))), [
        [2.0, 0.09, 0.0, 0.9], [0.09, 0.09, 0.9, 0.9]]), (
        "Only the component that hits a wall stops, only in that row.")
    s, a = np.split(seeded(0).uniform(-2, 2, (50, 6)), [4], 1)
    yield close(f(s, a), puck(s, a)), "Fifty random rows are wrong somewhere."
    yield ticks(f, s[:2], a[:2]) == ticks(f, s, a), "Right, but it has a loop."


class Cruise(Point):
    name, state_dim, obs_dim, act_dim = "cruise", 2, 2, 1

    def __init__(self, threads=None):
        self.splits = {k: Split(k, np.linspace(*v)) for k, v in (
            ("train", (0.2, 1.0, 9)), ("test", (0.25, 0.95, 8)),
            ("extrapolation", (1.1, 1.5, 5)))}

    def dynamics(self, state, act):
        vel = state[:, 1] + 0.1 * act[:, 0]
        return np.stack([state[:, 0] + 0.1 * vel, vel], -1)

    def error(self, state, goal):
        return np.abs(state[:, 1] - goal[:, 0])


@exercise("E1.4", Cruise)
def cruise(cls):
    env = cls()
    train, test, far = (env.splits[k].tasks.goal for k in (
        "train", "test", "extrapolation"))
    low, high = train.min(), train.max()  # of goals [n, 1]
    yield low < test.min() and test.max() < high and (
        (test - train.T).abs() > 1e-6).all(), (
        "Test velocities lie between training ones and repeat none of them.")
    yield ((far < low) | (far > high)).all(), "Extrapolate beyond train."
    yield close(env.reset(2), np.zeros((2, 2))), "Episodes start at rest at 0."
    one = env.step(env.reset(2), [[1.0], [5.0]], [[0.4], [0.4]])
    yield close(one.state, [[0.01, 0.1]] * 2), (
        "Action 1 from rest: 0.1 m/s, so 0.01 m on; larger ones are clipped.")
    yield close(one.rew, [-0.3] * 2), "At 0.1 m/s the goal 0.4 earns -0.3."
    yield close(env.step([[0, 0.9]], [[0.0]], [[0.4]]).error, [0.5]), (
        "Too fast by 0.5 m/s is an error of 0.5, positive.")
    obs = env.observe(np.array([[1.0, 2.0]]))
    yield obs.dtype == np.float32 and close(obs, np.float32([[1, 2]])), (
        "The agent sees position and velocity, as float32 [R, 2].")
    rows = np.split(seeded(0).uniform(-1, 1, (20, 4)), [2, 3], 1)
    one, want = env.step(*rows), Cruise().step(*rows)
    yield close(one.state, want.state) and close(one.rew, want.rew), (
        "Twenty steps from random states to random goals are wrong.")
