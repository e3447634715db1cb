"""Checkers of chapter 8: an ant that learns to learn."""

import numpy as np
import torch
from torch import Tensor

from . import close, exercise, seeded, torch_seeded


def parting(xy: Tensor, a: Tensor, b: Tensor) -> int:
    ra, rb = (-(xy - goal).abs().sum(-1) for goal in (a, b))
    apart = (ra.diff() - rb.diff()).abs() > 1e-5
    return int(apart.float().argmax()) + 1 if apart.any() else len(xy)


def lasting(steps, score, bar, m):
    if len(score) < m:
        return np.inf
    ok = np.asarray(score) >= bar
    rows = np.lib.stride_tricks.sliding_window_view(ok, m).all(1)
    return steps[rows.argmax()] if rows.any() else np.inf


def reliability(g: Tensor) -> Tensor:
    noise = g.var(1).mean(0).sum() / g.shape[1]
    return 1 - noise / g.mean(1).var(0).sum()


@exercise("E8.1", parting)
def part(answer):
    t = torch.arange(30.0)
    up = torch.stack([0 * t, 0.1 * t], 1)  # straight up, y = 0 to 2.9
    right, left, high = torch.tensor([[2.0, 0.5], [-2.0, 0.5], [0.7, 1.85]])
    out = answer(up, right, high)
    yield isinstance(out, int | np.integer) or (
        torch.is_tensor(out) and out.dim() == 0), (
        "Return one whole number, the index of a step.")
    # y passes 0.5 in the step to 0.6, which is step 6.
    yield int(out) == 6, (
        "A walk along y, with goals at y = 0.5 and 1.85: they part in the "
        "step in which the first of them is passed. Is your index that of "
        "the step, not of the difference?")
    yield int(answer(up, right, left)) == 30, (
        "Two goals left and right of a walk straight up are paid alike at "
        "every step: then the answer is T.")
    yield int(answer(up.flip(1), right, left)) == 1, (
        "A walk to the right: of a goal to the right and one to the left, "
        "one gets nearer and the other farther from the first change on.")
    yield int(answer(up[:5], right, high)) == 5, (
        "On a path too short to pass anything the answer is its length.")
    yield int(answer(up + 3.0, right, right + 0.4)) == 30, (
        "Goals that pay a different amount, but change alike, have not "
        "parted: compare changes, not rewards.")
    rng = seeded(0)
    for _ in range(9):
        args = [torch.from_numpy(x) for x in (
            rng.uniform(0, 0.2, (30, 2)).cumsum(0), *rng.uniform(0.5, 3, (
                2, 2)))]
        yield int(answer(*args)) == parting(*args), (
            "On a random walk between random goals it is off.")


@exercise("E8.2", lambda ret: ret.max(0).mean() - ret.mean(1).max())
def knowing(answer):
    one = np.array([[3.0, 3.0], [1.0, 2.0]])
    yield close(answer(one), 0.0), (
        "If one policy is best for all goals, it is worth nothing to know "
        "the goal.")
    two = np.array([[10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [4.0, 4.0, 4.0]])
    yield close(answer(two), 8 - 4), (
        "Two specialists and an all-rounder, three goals: told the goal you "
        "earn 10, 10 and 4, else the all-rounder's 4.")
    ret = seeded(0).normal(size=(7, 4)) + 5.0
    want = np.mean([max(ret[:, n]) for n in range(4)]) - max(
        np.mean(ret[d]) for d in range(7))
    yield close(answer(ret), want), (
        "Seven policies on four goals are wrong: rows of ret are policies, "
        "columns goals.")
    yield close(answer(3 * ret - 100), 3 * want), (
        "A bonus for everybody must not change it; another currency scales "
        "it.")


@exercise("E8.3", lasting)
def hold(answer):
    steps = np.array([10.0, 25.0, 30.0, 70.0, 90.0, 95.0])
    score = np.array([0.0, 0.9, 0.5, 0.9, 0.95, 1.0])
    yield answer(steps, score, 0.9, 1) == 25.0, (
        "With m = 1 it is the first time at the bar; at the bar counts.")
    yield answer(steps, score, 0.9, 2) == 70.0, (
        "With m = 2 one lucky evaluation is not enough. The answer is where "
        "the row begins, in environment steps.")
    yield answer(steps, score, 0.9, 3) == 70.0, (
        "A row may end with the run.")
    yield answer(steps, score, 0.9, 4) == np.inf, (
        "Three good ones and then nothing more is no row of four.")
    yield answer(steps, score, 0.9, 9) == np.inf, (
        "A run with fewer than m evaluations has no row of m.")
    yield answer(steps, 0 * score, 0.9, 1) == np.inf, (
        "A seed that never arrives gets infinity.")
    gap = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    yield answer(steps, gap, 0.9, 3) == np.inf, (
        "Four good ones with gaps between them are no row of three.")
    steps, *scores = seeded(0).random((9, 20))
    steps = steps.cumsum()
    yield all(answer(steps, x, 0.4, m) == lasting(steps, x, 0.4, m)
              for x in scores for m in range(1, 6)), (
        "On random scores it is off.")


@exercise("E8.4", lambda act: (act[1:] - act[:-1]).square().mean((1, 2)))
def jump(answer):
    act = torch.zeros(5, 3, 2)
    act[3:] = 2.0
    out = torch.as_tensor(answer(act))
    yield out.shape == (4,), (
        "Five goals have four neighboring pairs, shape (4,); yours is "
        f"{tuple(out.shape)}.")
    yield close(out, [0.0, 0, 4, 0]), (
        "A teacher that changes all its actions by 2 between goals 2 and 3 "
        "has one jump, of 4.")
    gen = torch_seeded(0)
    act = torch.randn(6, 4, 3, generator=gen)
    want = [float(((act[i + 1] - act[i]) ** 2).mean()) for i in range(5)]
    yield close(answer(act), want), (
        "Random actions of six goals are wrong: square first, then average "
        "over observations and motors.")


@exercise("E8.5", reliability)
def signal(answer):
    gen = torch_seeded(0)
    task = torch.randn(6, 1, 9, generator=gen)
    out = torch.as_tensor(answer(task.expand(6, 4, 9)))
    yield out.shape == (), "Return one number."
    yield close(out, 1.0), (
        "If all episodes of a task give one gradient, all of the variance "
        "is signal.")
    noise = torch.randn(200, 5, 50, generator=gen)
    yield bool(abs(torch.as_tensor(answer(noise))) < 0.1), (
        "Pure noise, 200 equal tasks: the share must be near 0. Means of E "
        "episodes vary too, by how much?")
    mixed = task + 0.7 * torch.randn(6, 4, 9, generator=gen)
    yield close(answer(mixed), reliability(mixed)), (
        "Signal with some noise is wrong: unbiased variances, summed over "
        "the weights before you divide.")
    scale = torch.linspace(0.1, 5, 9)
    yield close(answer(mixed * scale), reliability(mixed * scale)), (
        "Weights on different scales are wrong: one ratio of sums, not a "
        "mean of ratios.")
