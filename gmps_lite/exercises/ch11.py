"""Chapter 11: learning from demonstrations."""

import torch
from torch import as_tensor, tensor

from . import close, exercise, seeded


def has_heard(rew, other, tol=1e-4):
    gap = rew - other
    return gap.amax(-1) - gap.amin(-1) > tol


def better_half(ret, goal):
    keep = torch.zeros(len(ret), dtype=torch.bool)
    for g in goal.unique(dim=0):
        mine = torch.nonzero((goal == g).all(1)).flatten()
        order = ret[mine].argsort(descending=True, stable=True)
        keep[mine[order[:(len(mine) + 1) // 2]]] = True
    return keep


def nats(mean, log_std):
    var = (2 * log_std).exp()
    return (0.5 * (var + mean**2 - 1) - log_std).sum(-1)


def find_tasks(last, goals):
    from scipy.optimize import linear_sum_assignment
    seats = len(last) // len(goals)
    cost = torch.cdist(last, goals).repeat(1, seats)
    _, column = linear_sum_assignment(cost.numpy())
    return torch.as_tensor(column) % len(goals)


@exercise("E11.1", has_heard)
def hearing(answer):
    rew = tensor([[0.0, 0, 0, 0], [0, 0, 1, 2], [3, 3, 3, 3], [1, 2, 3, 4]])
    other = tensor([[0.0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 2, 3, 4]])
    got = as_tensor(answer(rew, other))
    yield got.shape == (4,), "Return one answer an episode: [E]."
    yield got.dtype == torch.bool, "Return booleans."
    yield bool(got[1]), (
        "An episode whose rewards come apart under the two goals has heard.")
    yield not got[0], "Two rewards that are always equal say nothing."
    yield not got[2], (
        "A difference that is the same in every step does not depend on what "
        "was done.")
    yield not got[3], (
        "Rewards may change in time, as costs do, without telling the goals "
        "apart.")
    yield bool(answer(other, rew)[1]), "Swapped, the answer must be the same."
    late = torch.zeros(1, 6)
    late[0, -1] = -0.5
    yield bool(answer(late, 0 * late)[0]), (
        "A single step that differs is enough, the last one too.")
    inside = tensor([[0.0, 0, -0.5, 0], [0.5, -0.5, 0.5, -0.5]])
    yield bool(answer(inside, 0 * inside).all()), (
        "Look at all steps, and mind the sign.")
    small = 1e-3 * late
    yield not answer(small, 0 * small, tol=1e-2)[0], "What is tol for?"
    yield bool(answer(small, 0 * small, tol=1e-5)[0]), "What is tol for?"
    rew, other = as_tensor(seeded(0).normal(size=(2, 60, 5)))
    yield torch.equal(as_tensor(answer(rew, other, tol=3.0)),
                      has_heard(rew, other, tol=3.0)), (
        "On sixty random episodes, with tol = 3, it is off.")


@exercise("E11.2", better_half)
def halves(answer):
    goal = tensor([[0.0, 1], [2, 0], [0, 1], [0, 1], [2, 0], [5, 5]])
    ret = tensor([1.0, 9, 3, 2, 8, -4])
    got = as_tensor(answer(ret.clone(), goal.clone()))
    yield got.shape == (6,) and got.dtype == torch.bool, (
        "Return a boolean for each episode, in the order of the file.")
    yield bool(got[5]), (
        "A task with one episode keeps it: the half is rounded up.")
    yield int(got[[0, 2, 3]].sum()) == 2, (
        "Of three episodes of a task two are to stay.")
    yield got.tolist() == [False, True, True, True, False, True], (
        "The better half is asked of each task, not of the file.")
    five = as_tensor(answer(tensor([1.0, 5, 2, 4, 3]), torch.ones(5, 2)))
    yield int(five.sum()) == 3, "Of five episodes of a task three stay."
    shared = tensor([[1.0, 0], [1, 0], [1, 2], [1, 2]])
    yield as_tensor(answer(tensor([1.0, 2, 3, 4]), shared)).tolist() == [
        False, True, False, True], (
        "Two tasks may share one number of their goals. Compare all of them.")
    same = as_tensor(answer(torch.zeros(4), torch.zeros(4, 2)))
    yield same.tolist() == [True, True, False, False], (
        "Among equals the earlier episodes stay.")
    rng = seeded(0)
    goal = as_tensor(rng.integers(0, 2, (40, 2))).float()
    ret = as_tensor(rng.normal(size=40)).float()
    yield torch.equal(as_tensor(answer(ret, goal)), better_half(ret, goal)), (
        "On forty random episodes it is off.")


@exercise("E11.3", nats)
def divergence(answer):
    zero = torch.zeros(1, 3)
    got = as_tensor(answer(torch.ones(4, 2), torch.zeros(4, 2)))
    yield got.shape == (4,), "Return one number a task: [N]."
    yield close(answer(zero, zero), torch.zeros(1)), (
        "The prior is no nat away from itself.")
    rng = seeded(0)
    mean, log_std = as_tensor(rng.normal(size=(2, 5, 3)))
    got = as_tensor(answer(mean, log_std))
    yield bool((got > 0).all()), "A divergence is never negative."
    p = torch.distributions.Normal(mean, log_std.exp())
    q = torch.distributions.Normal(torch.zeros(5, 3), torch.ones(5, 3))
    kl = torch.distributions.kl_divergence
    yield not close(got, kl(q, p).sum(-1)), (
        "That is the divergence the other way round.")
    yield close(got, kl(p, q).sum(-1)), (
        "On random numbers it is off. Do the dimensions add up, and is "
        "log_std a logarithm?")


@exercise("E11.4", find_tasks)
def labels(answer):
    goals = tensor([[0.0, 0], [1, 0], [0, 1]])
    near = tensor([[0.0, 0.1], [0.9, 0], [0, 0.9], [0.1, 0], [1, 0.1],
                   [0.1, 1]])
    got = as_tensor(answer(near, goals))
    yield got.shape == (6,), "Return the row of a task for each episode: [R]."
    yield got.tolist() == [0, 1, 2, 0, 1, 2], (
        "Episodes that end right at a goal are of that task.")
    yield as_tensor(answer(near.flip(0), goals)).tolist() == [
        2, 1, 0, 2, 1, 0], "The order of the episodes must not matter."
    crowd = tensor([[0.0, 0], [0.05, 0], [0.4, 0], [1.0, 0]])
    got = as_tensor(answer(crowd, goals[:2]))
    yield got.bincount(minlength=2).tolist() == [2, 2], (
        "Each task was recorded equally often, however near a goal is.")
    yield got.tolist() == [0, 0, 1, 1], (
        "Give the seats such that the sum of the distances is smallest.")
    rng = seeded(0)
    last = as_tensor(rng.normal(size=(24, 2))).float()
    goals = as_tensor(rng.normal(size=(6, 2))).float()
    got = as_tensor(answer(last, goals)).long()
    yield got.bincount(minlength=6).tolist() == [4] * 6, (
        "On random numbers some task has too many episodes.")
    best = (last - goals[find_tasks(last, goals)]).norm(dim=-1).sum()
    yield (last - goals[got]).norm(dim=-1).sum() <= best + 1e-4, (
        "On random numbers the sum of the distances could be smaller.")
