"""Checkers of chapter 0: watch a policy adapt."""

import torch

from . import close, exercise, torch_seeded


@exercise("E0.1", lambda error, tolerance: (
    (error[..., -1] < tolerance).float().mean(-1)))
def success_rate(f):
    error = torch.tensor([[[0.9, 0.5, 0.1], [0.9, 0.0, 0.9]],
                          [[0.9, 0.1, 0.2], [0.1, 0.1, 0.1]]])
    out = torch.as_tensor(f(error, 0.3))
    yield out.shape == (2,), (
        f"errors [N, E, T] = [2, 2, 3] give one share for each of the 2 "
        f"tasks, shape (2,); yours is {tuple(out.shape)}.")
    yield close(out, [0.5, 1.0]), (
        "An episode counts where it ends: one that passed over the goal and "
        "left it again is no success, one that ends within tolerance is.")
    yield close(f(error, 0.15), [0.5, 0.5]), (
        "With another tolerance the shares must change.")
    x = torch.rand(5, 7, 3, generator=torch_seeded(0))
    want = (x[:, :, 2] < 0.5).double().mean(1)
    yield close(f(x, 0.5), want), (
        "Five tasks with seven random episodes each are wrong: average over "
        "the episodes, keep the tasks.")


@exercise("E0.2", lambda x, blind, expert: (
    (x.mean(0) - blind.mean()) / (expert.mean() - blind.mean())))
def score(f):
    blind, expert = torch.tensor([1.0, 3.0]), torch.tensor([5.0, 9.0])
    x = torch.stack([blind, expert, (blind + expert) / 2], 1)  # [N, 3]
    out = torch.as_tensor(f(x, blind, expert))
    yield out.shape == (3,), (
        "x [N, K+1] gives one number for each number of steps, shape (K+1,) "
        f"= (3,); yours is {tuple(out.shape)}.")
    yield close(out[0], 0.0), "A column that equals the blind one scores 0."
    yield close(out[1], 1.0), "A column that equals the expert scores 1."
    yield close(out[2], 0.5), "Half of the way scores 0.5."
    uneven = torch.tensor([[2.0], [9.0]])
    yield close(f(uneven, blind, expert), [0.7]), (
        "Average over tasks first, then divide: where blind and expert are "
        "nearly equal on a task, its own ratio explodes.")
    worse = torch.tensor([[0.0, 9.0], [0.0, 11.0]])
    yield close(f(worse, blind, expert), [-0.4, 1.6]), (
        "Worse than blind is negative, better than the expert above 1: keep "
        "the sign and do not clip.")
    yield close(f(-worse, -blind, -expert), [-0.4, 1.6]), (
        "It must also work where less is better, as for a distance.")
    gen = torch_seeded(0)
    x, b, e = (torch.rand(s, generator=gen) for s in ((6, 4), 6, 6))
    want = (x.mean(0) - b.mean()) / (e.mean() - b.mean())
    yield close(f(x, b, e), want), "Six random tasks are wrong."


@exercise("E0.3", lambda before, after, factor: {
    k: before[k] + factor * (after[k] - before[k]) for k in before})
def dial(f):
    before = {"W": torch.ones(2, 3), "b": torch.zeros(2)}
    after = {"W": torch.full((2, 3), 2.0), "b": torch.tensor([1.0, -1.0])}
    for factor, want in [(0, (1.0, 0.0)), (1, (2.0, 1.0)),
                         (0.5, (1.5, 0.5)), (3, (4.0, 3.0)),
                         (-1, (0.0, -1.0))]:
        out = f(before, after, factor)
        yield isinstance(out, dict) and out.keys() == before.keys(), (
            "Return a dict with the same names as the parameters.")
        yield close(out["W"], torch.full((2, 3), want[0])) and close(
            out["b"], torch.tensor([want[1], -want[1]])), (
            f"With the factor {factor} it is wrong: 0 is before, 1 is after, "
            "others lie on the line through both.")
        yield close(before["W"], torch.ones(2, 3)) and close(
            after["W"], torch.full((2, 3), 2.0)), (
            "Leave the tensors that you are given as they are.")
    a, b = torch.randn(2, 4, 3, generator=torch_seeded(0))
    yield close(f({"V": a}, {"V": b}, 0.7)["V"], 0.3 * a + 0.7 * b), (
        "Random weights under another name are wrong.")


def ridge(x, y, lam):
    out = []
    for i in range(len(x)):
        keep = torch.arange(len(x)) != i
        mx, my = x[keep].mean(0), y[keep].mean(0)
        a, b = x[keep] - mx, y[keep] - my
        k = a @ a.T + lam * torch.eye(len(a), dtype=x.dtype)
        out.append((x[i] - mx) @ a.T @ torch.linalg.solve(k, b) + my)
    return torch.stack(out)


@exercise("E0.4", ridge)
def leave_one_out(f):
    gen = torch_seeded(0)
    x, w = (torch.randn(s, generator=gen).double() for s in ((9, 3), (3, 2)))
    y = x @ w + 5.0
    out = f(x, y, 1e-9)
    yield tuple(out.shape) == (9, 2), "One prediction for each row of y."
    yield close(out, y, 1e-4), (
        "y = x w + 5 without noise and hardly any penalty: predictions must "
        "be exact. Is there an intercept, free of penalty?")
    other = y.clone()
    other[4] += 100.0
    yield close(f(x, other, 0.1)[4], f(x, y, 0.1)[4]), (
        "The prediction for a row must not use that row's own y.")
    rest = torch.stack([y[torch.arange(9) != i].mean(0) for i in range(9)])
    yield close(f(x, y, 1e12), rest, 1e-4), (
        "With a huge penalty only the mean of the other rows is left.")
    wide = torch.randn(9, 40, generator=gen).double()
    yield close(f(wide, y, 0.7), ridge(wide, y, 0.7)), (
        "With more columns than rows it is wrong: is the penalty lam |w|^2 "
        "next to a sum (not a mean) of squared errors?")
