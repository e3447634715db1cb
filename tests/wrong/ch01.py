"""Wrong answers to the exercises of chapter 1: each must be refused."""

import numpy as np

from gmps_lite.envs import Env, Split


def ring_degrees(n, radius, start, stop):
    a = np.linspace(start, stop, n)
    return radius * np.stack([np.cos(a), np.sin(a)], -1)


def ring_no_end(n, radius, start, stop):
    a = np.deg2rad(np.linspace(start, stop, n, endpoint=False))
    return radius * np.stack([np.cos(a), np.sin(a)], -1)


def ring_swapped(n, radius, start, stop):
    a = np.deg2rad(np.linspace(start, stop, n))
    return radius * np.stack([np.sin(a), np.cos(a)], -1)


def ring_flat(n, radius, start, stop):
    a = np.deg2rad(np.linspace(start, stop, n))
    return radius * np.stack([np.cos(a), np.sin(a)])


def ring_unit(n, radius, start, stop):
    a = np.deg2rad(np.linspace(start, stop, n))
    return np.stack([np.cos(a), np.sin(a)], -1)


def ring_from_zero(n, radius, start, stop):
    a = np.deg2rad(np.linspace(0, stop, n))
    return radius * np.stack([np.cos(a), np.sin(a)], -1)


def axis(goal):
    return np.concatenate([np.cos(goal), np.sin(goal)], 1)


def effort(act):
    return 0.01 * np.square(act).sum(1)


def heading_place(state, act, nxt, goal):
    return (nxt * axis(goal)).sum(1) - effort(act)


def heading_total(state, act, nxt, goal):
    return ((nxt - state) * axis(goal)).sum() - effort(act).sum()


def heading_free(state, act, nxt, goal):
    return ((nxt - state) * axis(goal)).sum(1)


def heading_degrees(state, act, nxt, goal):
    return (((nxt - state) * axis(np.deg2rad(goal))).sum(1) - effort(act))


def heading_mean(state, act, nxt, goal):
    return (((nxt - state) * axis(goal)).sum(1)
            - 0.01 * np.square(act).mean(1))


def heading_cosine(state, act, nxt, goal):
    move = nxt - state
    length = np.linalg.norm(move, axis=1) + 1e-12
    return (move * axis(goal)).sum(1) / length - effort(act)


def heading_forwards(state, act, nxt, goal):
    gain = ((nxt - state) * axis(goal)).sum(1)
    return np.maximum(0, gain) - effort(act)


def heading_first(state, act, nxt, goal):
    return ((nxt - state) * axis(goal[:1])).sum(1) - effort(act)


def puck_loop(state, act):
    out = np.empty_like(state)
    for i in range(len(state)):
        out[i] = puck_right(state[i:i + 1], act[i:i + 1])[0]
    return out


def puck_list(state, act):
    return np.stack([puck_right(s[None], a[None])[0]
                     for s, a in zip(state, act, strict=True)])


def puck_right(state, act):
    vel = 0.9 * state[:, 2:] + 0.2 * np.clip(act, -1, 1)
    pos = state[:, :2] + 0.1 * vel
    vel = np.where(np.abs(pos) > 2, 0.0, vel)
    return np.concatenate([np.clip(pos, -2, 2), vel], -1)


def puck_old_velocity(state, act):
    pos = state[:, :2] + 0.1 * state[:, 2:]
    vel = 0.9 * state[:, 2:] + 0.2 * np.clip(act, -1, 1)
    vel = np.where(np.abs(pos) > 2, 0.0, vel)
    return np.concatenate([np.clip(pos, -2, 2), vel], -1)


def puck_in_place(state, act):
    state[:, 2:] = 0.9 * state[:, 2:] + 0.2 * np.clip(act, -1, 1)
    state[:, :2] += 0.1 * state[:, 2:]
    state[:, 2:][np.abs(state[:, :2]) > 2] = 0
    state[:, :2] = state[:, :2].clip(-2, 2)
    return state


def puck_unclipped(state, act):
    vel = 0.9 * state[:, 2:] + 0.2 * act
    pos = state[:, :2] + 0.1 * vel
    vel = np.where(np.abs(pos) > 2, 0.0, vel)
    return np.concatenate([np.clip(pos, -2, 2), vel], -1)


def puck_both_stop(state, act):
    vel = 0.9 * state[:, 2:] + 0.2 * np.clip(act, -1, 1)
    pos = state[:, :2] + 0.1 * vel
    hit = (np.abs(pos) > 2).any(1, keepdims=True)
    return np.concatenate([np.clip(pos, -2, 2), np.where(hit, 0, vel)], -1)


def puck_all_stop(state, act):
    vel = 0.9 * state[:, 2:] + 0.2 * np.clip(act, -1, 1)
    pos = state[:, :2] + 0.1 * vel
    if (np.abs(pos) > 2).any():
        vel = np.zeros_like(vel)
    return np.concatenate([np.clip(pos, -2, 2), vel], -1)


def puck_no_stop(state, act):
    vel = 0.9 * state[:, 2:] + 0.2 * np.clip(act, -1, 1)
    pos = state[:, :2] + 0.1 * vel
    return np.concatenate([np.clip(pos, -2, 2), vel], -1)


class Cruise(Env):
    """Right; the wrong ones below each change one thing."""

    name, unit, tolerance = "cruise", "m/s", 0.1
    horizon, state_dim, obs_dim, act_dim, dt = 30, 2, 2, 1, 0.1
    obs_mid, obs_scale = np.zeros(2), np.ones(2)
    goals = ((0.2, 1.0, 9), (0.25, 0.95, 8), (1.1, 1.5, 5))

    def __init__(self, threads=None):
        names = ("train", "test", "extrapolation")
        self.splits = {k: Split(k, np.linspace(*v))
                       for k, v in zip(names, self.goals, strict=True)}

    def reset(self, n):
        return np.zeros((n, 2))

    def dynamics(self, state, act):
        vel = state[:, 1] + 0.1 * act[:, 0]
        return np.stack([state[:, 0] + 0.1 * vel, vel], -1)

    def observe(self, state):
        return state.astype(np.float32)

    def error(self, state, goal):
        return np.abs(state[:, 1] - goal[:, 0])

    def reward(self, state, act, nxt, goal):
        return -self.error(nxt, goal)


class OldReward(Cruise):
    def reward(self, state, act, nxt, goal):
        return -self.error(state, goal)


class Signed(Cruise):
    def error(self, state, goal):
        return goal[:, 0] - state[:, 1]


class Position(Cruise):
    def error(self, state, goal):
        return np.abs(state[:, 0] - goal[:, 0])


class OldVelocity(Cruise):
    def dynamics(self, state, act):
        return np.stack([state[:, 0] + 0.1 * state[:, 1],
                         state[:, 1] + 0.1 * act[:, 0]], -1)


class Seen(Cruise):
    goals = ((0.2, 1.0, 9), (0.2, 1.0, 5), (1.1, 1.5, 5))


class Inside(Cruise):
    goals = ((0.2, 1.0, 9), (0.25, 0.95, 8), (0.9, 1.5, 5))


class Blind(Cruise):
    def observe(self, state):
        return state[:, :1].astype(np.float32)


class Double(Cruise):
    def observe(self, state):
        return state


WRONG = {
    "E1.1": [ring_degrees, ring_no_end, ring_swapped, ring_flat, ring_unit,
             ring_from_zero],
    "E1.2": [heading_place, heading_total, heading_free, heading_degrees,
             heading_mean, heading_cosine, heading_forwards, heading_first],
    "E1.3": [puck_loop, puck_list, puck_old_velocity, puck_in_place,
             puck_unclipped, puck_both_stop, puck_all_stop, puck_no_stop],
    "E1.4": [OldReward, Signed, Position, OldVelocity, Seen, Inside, Blind,
             Double],
}
