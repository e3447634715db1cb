"""Checkers of chapter 4: meta-RL the expensive way."""

import torch
from torch.distributions import Normal, kl_divergence

from ..trpo import conjugate_gradient
from . import close, exercise, seeded, torch_seeded


@exercise("E4.1", lambda n, e, t, k=1: (k + 1) * n * e * t)
def iteration_steps(f):
    one = f(1, 1, 1)
    yield one == 2, (
        f"One task, one episode, one step, k = 1: you say {one}. Count the "
        "rollout before adaptation and the one after it.")
    yield f(2, 3, 5) == 60, "Tasks, episodes and steps multiply: f(2, 3, 5)."
    yield f(1, 1, 1, 0) == 1, (
        "With k = 0 nothing adapts, but the initial policy still acts.")
    yield f(2, 3, 5, 4) == 150, (
        "Each further adaptation step adds the episodes of one more policy.")
    n, e, t, k = seeded(0).integers(2, 30, 4).tolist()
    yield f(n, e, t, k) == (k + 1) * n * e * t, (
        f"It is off for n = {n}, e = {e}, t = {t} and k = {k}.")


def kl_reference(m0, log_s0, m1, log_s1):
    old, new = Normal(m0, log_s0.exp()), Normal(m1, log_s1.exp())
    return kl_divergence(old, new).sum(-1)


@exercise("E4.2", kl_reference)
def gaussian_kl(f):
    zero = torch.zeros(4, 3)
    out = f(zero, zero, zero, zero)
    yield out.shape == (4,), (
        f"Inputs [4, 3] give shape [4], not {list(out.shape)}.")
    yield close(out, torch.zeros(4)), "A policy is at distance 0 from itself."
    x = torch.zeros(1, 2)
    yield close(f(x, x, x + 0.1, x), [0.01]), (
        "Both means moved by 0.1 at deviation 1: 0.1^2 / 2 for each mean.")
    yield close(f(x, x, x, x + 1), [2 * (1 - 0.5 + 0.5 * 0.135335283)]), (
        "Equal means, the new log deviation larger by 1: which of the two "
        "distributions is the average taken over?")
    yield close(f(x, x - 1, x + 0.1, x), f(x, x - 1, x - 0.1, x)), (
        "The direction in which the mean moves does not matter.")
    gen = torch_seeded(0)
    args = [0.5 * torch.randn(5, 7, 3, generator=gen) for _ in range(4)]
    yield close(f(*args), kl_reference(*args), 1e-4), (
        "Random Gaussians differ from torch.distributions: look at the scale "
        "by which the shift of the mean is measured.")
    flat = args[0], args[1][0, 0], args[2], args[3][0, 0]
    yield close(f(*flat), kl_reference(*flat), 1e-4), (
        "Log deviations [A] must broadcast against means [N, B, A].")


class Counted:
    """v -> F v, and how often it was asked."""

    def __init__(self, matrix):
        self.matrix, self.calls = matrix, 0

    def __call__(self, v):
        self.calls += 1
        return self.matrix @ v


@exercise("E4.3", lambda product, b, tol=1e-6: conjugate_gradient(
    product, b, len(b), 1e-300 + float(tol * b.norm()) ** 2))
def solve(f):
    gen = torch_seeded(0)
    root = torch.randn(20, 20, generator=gen, dtype=torch.float64)
    matrix = root @ root.T / 20 + 0.1 * torch.eye(20)
    b = torch.randn(20, generator=gen, dtype=torch.float64)
    two = Counted(torch.diag(torch.tensor([1.0, 4.0])))
    x = f(two, torch.tensor([1.0, 4.0]), 1e-5)
    yield close(x, [1.0, 1.0], 1e-4), (
        "F = diag(1, 4) and b = (1, 4) have the solution (1, 1).")
    yield two.calls <= 2, (
        f"Two unknowns took {two.calls} products; conjugate directions need "
        "at most 2, and one product a direction.")
    none = f(Counted(matrix), torch.zeros(20, dtype=torch.float64), 1e-6)
    yield close(none, torch.zeros(20)), "b = 0 has the solution 0, no nan."
    for scale in (1.0, 1e-9, 1e6):
        product = Counted(matrix)
        x = f(product, scale * b, 1e-3)
        left = float((matrix @ x / scale - b).norm() / b.norm())
        yield left <= 1.001e-3, (
            f"With b of size {scale:g} the residual is {left:.1e} of b.")
        need = Counted(matrix)
        conjugate_gradient(need, b, 20, float((1e-3 * b.norm()) ** 2))
        yield product.calls <= need.calls, (
            f"With b of size {scale:g} you took {product.calls} products, "
            f"{need.calls} do: stop once the residual is small beside b.")


def clipped_reference(logp, old_logp, adv, eps=0.2):
    w = (logp - old_logp).exp()
    return -torch.where(adv > 0, w.clamp(max=1 + eps),
                        w.clamp(min=1 - eps)).mul(adv).mean()


@exercise("E4.4", clipped_reference)
def clipped_loss(f):
    zero, adv = torch.zeros(3), torch.tensor([1.0, 2.0, -6.0])
    out = f(zero, zero, adv)
    yield out.dim() == 0, "The loss is one number, the mean over samples."
    yield close(out, 1.0), (
        "Where nothing moved the loss is minus the mean advantage, here 1.")
    for w, a, want, sentence in (
            (1.1, 1.0, -1.1, "inside the interval nothing is clipped"),
            (2.0, 1.0, -1.2, "gains beyond 1 + eps do not count"),
            (0.5, -1.0, 0.8, "gains below 1 - eps do not count"),
            (2.0, -1.0, 2.0, "losses count in full, however large w is"),
            (0.5, 1.0, -0.5, "losses count in full")):
        logp = torch.tensor([w]).log().sub(3.0)
        yield close(f(logp, torch.tensor([-3.0]), torch.tensor([a]), 0.2),
                    want), f"w = {w:g}, A = {a:g}, eps = 0.2: {sentence}."
    logp = torch.tensor([0.7, -0.7]).requires_grad_()
    loss = f(logp, torch.zeros(2), torch.tensor([-1.0, 1.0]))
    yield loss.requires_grad, "The loss must be differentiable in logp."
    grad, = torch.autograd.grad(loss, logp)
    yield bool((grad.abs() > 1e-3).all()), (
        "Samples that went the wrong way need a gradient that pulls back.")
    args = torch.randn(3, 4, 50, generator=torch_seeded(0))
    yield close(f(*args, eps=0.3), clipped_reference(*args, eps=0.3)), (
        "On random samples with eps = 0.3 it is off.")
