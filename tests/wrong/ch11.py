"""Wrong answers to the exercises of chapter 11: each must be refused."""

import torch

from gmps_lite.exercises.ch11 import better_half


def heard_any(rew, other, tol=1e-4):
    return (rew - other).abs().amax(-1) > tol


def heard_reward(rew, other, tol=1e-4):
    return rew.amax(-1) - rew.amin(-1) > tol


def heard_size(rew, other, tol=1e-4):
    gap = (rew - other).abs()
    return gap.amax(-1) - gap.amin(-1) > tol


def heard_ends(rew, other, tol=1e-4):
    gap = rew - other
    return (gap[:, -1] - gap[:, 0]).abs() > tol


def half_rounded(ret, goal):
    keep = torch.zeros(len(ret), dtype=torch.bool)
    for g in goal.unique(dim=0):
        mine = torch.nonzero((goal == g).all(1)).flatten()
        order = ret[mine].argsort(descending=True, stable=True)
        keep[mine[order[:max(1, round(len(mine) / 2))]]] = True
    return keep


def heard_last(rew, other, tol=1e-4):
    gap = rew - other
    return (gap[:, -1] - gap[:, 0]).abs() > tol * 0 + 1e-4


def heard_more(rew, other, tol=1e-4):
    gap = rew - other
    return gap[:, 1:].amax(-1) - gap[:, 0] > tol


def heard_sum(rew, other, tol=1e-4):
    return (rew.sum(-1) - other.sum(-1)).abs() > tol


def half_of_file(ret, goal):
    keep = torch.zeros(len(ret), dtype=torch.bool)
    order = ret.argsort(descending=True, stable=True)
    keep[order[:(len(ret) + 1) // 2]] = True
    return keep


def half_down(ret, goal):
    keep = torch.zeros(len(ret), dtype=torch.bool)
    for g in goal.unique(dim=0):
        mine = torch.nonzero((goal == g).all(1)).flatten()
        order = ret[mine].argsort(descending=True, stable=True)
        keep[mine[order[:len(mine) // 2]]] = True
    return keep


def half_worse(ret, goal):
    return better_half(-ret, goal)


def half_by_x(ret, goal):
    return better_half(ret, goal[:, :1])


def half_late(ret, goal):
    return better_half(ret.flip(0), goal.flip(0)).flip(0)


def nats_mean(mean, log_std):
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).mean(-1)


def nats_reverse(mean, log_std):
    var = (2 * log_std).exp()
    return (0.5 * ((1 + mean**2) / var - 1) + log_std).sum(-1)


def nats_std(mean, log_std):
    return (0.5 * (log_std.exp() + mean**2 - 1) - log_std).sum(-1)


def nats_no_half(mean, log_std):
    return ((2 * log_std).exp() + mean**2 - 1 - 2 * log_std).sum(-1)


def label_nearest(last, goals):
    return torch.cdist(last, goals).argmin(1)


def label_in_turn(last, goals):
    return torch.arange(len(last)) % len(goals)


def label_greedy(last, goals):
    free = torch.full((len(goals),), len(last) // len(goals))
    out = []
    for row in torch.cdist(last, goals):
        best = (row + 1e9 * (free == 0)).argmin()
        free[best] -= 1
        out.append(int(best))
    return torch.tensor(out)


def label_blocks(last, goals):
    from scipy.optimize import linear_sum_assignment
    seats = len(last) // len(goals)
    cost = torch.cdist(last, goals).repeat(1, seats)
    _, column = linear_sum_assignment(cost.numpy())
    return torch.as_tensor(column) // seats


WRONG = {
    "E11.1": [heard_any, heard_reward, heard_last, heard_more, heard_sum,
              heard_size, heard_ends],
    "E11.2": [half_of_file, half_down, half_worse, half_by_x, half_late,
              half_rounded],
    "E11.3": [nats_mean, nats_reverse, nats_std, nats_no_half],
    "E11.4": [label_nearest, label_in_turn, label_greedy, label_blocks],
}
