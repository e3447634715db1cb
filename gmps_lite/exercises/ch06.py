"""Chapter 6: guided meta-policy search."""

import numpy as np
import torch
from torch import as_tensor, ones, tensor, zeros

from ..demos import bc_loss
from ..inner import adapt_steps, init_steps, inner_update
from ..policies import GaussianMLP
from ..types import Batch, Demos, Meta
from . import close, exercise, seeded

POLICY = GaussianMLP(2, 2, hidden=(4,), z_dim=2, std=0.5)


def problem():
    """A tiny learner, two batches whose policy has moved, and labels."""
    rng = seeded(3)
    params = {k: x.double() for k, x in POLICY.init(rng).items()}
    obs, act = as_tensor(rng.normal(size=(2, 2, 7, 2)))
    adv, old = as_tensor(rng.normal(size=(2, 2, 7)))
    batches = [Batch(*x) for x in zip(obs, act, adv, old * 0.3 - 2)]
    meta = Meta(params, init_steps(params, 0.3))
    for x in [*meta.params.values(), *meta.step.values()]:
        x.requires_grad_()
    return meta, batches, Demos(*as_tensor(rng.normal(size=(2, 5, 2))))


def last(policy, meta, batches, demos):
    return bc_loss(policy, adapt_steps(policy, meta, batches)[-1], demos)


def effective(new, old):
    w = (new - old - (new - old).amax(-1, keepdim=True)).exp()
    return w.mean(-1) ** 2 / (w**2).mean(-1)


def interval(x, blind, expert, rng, draws=1000):
    def score(rows):
        b = blind[rows].mean(-1)
        return (x[rows].mean(-1) - b) / (expert[rows].mean(-1) - b)
    many = score(rng.integers(0, len(x), (draws, len(x))))
    low, high = np.quantile(many, [0.025, 0.975])
    return low, score(np.arange(len(x))), high


def likelihood(policy, meta, data, demos):
    return bc_loss(policy, inner_update(policy, meta, data), demos, "nll")


def slope(loss, x):
    """Gradient of a loss, zero where none arrives."""
    if loss.requires_grad:
        return torch.autograd.grad(loss, x, retain_graph=True,
                                   materialize_grads=True)[0]
    return torch.zeros_like(x)


@exercise("E6.1", last)
def last_step(answer):
    meta, (one, two), demos = problem()
    first = as_tensor(answer(POLICY, meta, [one], demos))
    yield first.shape == (), "Return one number, a tensor without axes."
    yield close(first, last(POLICY, meta, [one], demos)), (
        "With one batch it is the squared error after one inner update.")
    both = as_tensor(answer(POLICY, meta, [one, two], demos))
    end = last(POLICY, meta, [one, two], demos)
    yield not close(both, (first + end) / 2, 1e-9), (
        "That is the mean over both adapted policies; one of them counts.")
    yield close(both, end), (
        "With two batches the number is off. One update a batch, in order, "
        "each from the parameters that the one before it returned.")
    for name, tree in meta._asdict().items():
        yield close(slope(both, tree["W0"]), slope(end, tree["W0"])), (
            f"The number is right, but its gradient for meta.{name} is not. "
            "Is anything detached on the way?")


@exercise("E6.2", effective)
def share(answer):
    got = as_tensor(answer(zeros(3, 4), zeros(3, 4)))
    yield got.shape == (3,), "Return one share for each task, shape [N]."
    yield close(got, ones(3)), "Equal weights must give a share of 1."
    new = tensor([[0.0, 0.0, -60.0, -60.0], [0.0, -60, -60, -60]])
    yield close(answer(new, 0 * new), tensor([0.5, 0.25])), (
        "If half of the samples have all the weight, the share is 0.5.")
    new, old = as_tensor(seeded(0).normal(size=(2, 3, 30)))
    want = effective(new, old)
    yield close(answer(new, old), want), (
        "On random numbers it is not (sum of w)^2 / (B * sum of w^2), with "
        "w the new over the old density.")
    far = answer(new.float() + tensor([[300.0], [0], [-300]]), old.float())
    yield close(far, want.float(), 1e-3), (
        "A factor common to all weights of a task must change nothing, not "
        "even when exp overflows, and whatever the other tasks' factors.")


@exercise("E6.3", interval)
def score(answer):
    rng = seeded(0)
    blind, gap = rng.normal(5, 3, 20), rng.uniform(1, 9, 20)

    def ask(x):
        return np.array(answer(x, blind, blind + gap,
                               seeded(1), draws=4000))
    out = ask(blind + 0.4 * gap)
    yield out.shape == (3,), "Return three numbers: low, score, high."
    yield close(out, np.full(3, 0.4)), (
        "A learner that is 40 % of the way on every single task has 0.4, "
        "whichever tasks are drawn. Do all arrays use the same draws?")
    x = blind + rng.normal(0.4, 0.3, 20) * gap
    ref, out = interval(x, blind, blind + gap, rng, 4000), ask(x)
    yield close(out[1], ref[1]), (
        "The score is a ratio of means over tasks, of the data themselves; "
        "not a mean of ratios, nor of the draws.")
    yield bool(np.abs(out - ref).max() < 0.15 * (ref[2] - ref[0])), (
        "The interval is off. Draw N of N tasks with replacement, and take "
        "the 2.5 and 97.5 percentiles.")
    yield close(out, ask(x)), "The same rng must give the same interval."


@exercise("E6.4", likelihood)
def outside(answer):
    meta, (data, _), demos = problem()
    got, want = (as_tensor(f(POLICY, meta, data, demos))
                 for f in (answer, likelihood))
    yield got.shape == (), "Return one number: the mean over the M states."
    yield not close(got, -want), "The sign: a likely action is a small loss."
    yield bool(slope(got, meta.step["log_std"]).any()), (
        "The step size of log_std gets no gradient. Which log_std do you use?")
    yield close(got, want), (
        "The number is off: log pi is summed over actions, then averaged "
        "over the demonstrated states.")
    yield close(slope(got, meta.params["W0"]), slope(want, meta.params["W0"])
                ), "The gradient is off: is something detached?"
