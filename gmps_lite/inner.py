"""The inner loop: one policy-gradient step that adapts to a task.

`inner_loss` and `inner_update` are written for one task; callers batch them
over tasks with one `torch.func.vmap`. They are the same functions in
meta-training, in DAgger and at meta-test: nothing else in the package
computes an adapted parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import grad, vmap

from .advantages import advantages
from .types import (
    CHOICES,
    Batch,
    Episodes,
    Meta,
    Params,
    batch,
    detach,
    expand,
)


def inner_loss(policy, params: Params, data: Batch,
               max_ratio: float = 20.0) -> Tensor:
    """-mean(w * log pi(a|s) * A) over one task's samples [B].

    w = pi(a|s) / pi_old(a|s) with no gradient of its own, at most max_ratio:
    pi_old collected the samples (`data.logp`), so w = 1 until the parameters
    move. Its gradient is then an estimate of the policy gradient at `params`
    although the samples came from elsewhere (GMPS, section 4.3). Only the
    gradient is right: w counts as a constant, as in the released code, so
    the *second* derivative lacks the part that flows through w.
    """
    logp = policy.logp(params, data.obs, data.act)
    w = (logp - data.logp).detach().exp().clamp(max=max_ratio)
    return -(w * logp * data.adv).mean()


def inner_update(policy, meta: Meta, data: Batch, max_ratio: float = 20.0,
                 loss: Callable[..., Tensor] = inner_loss) -> Params:
    """One adaptation step for one task: phi = theta - alpha * gradient.

    `meta.step` holds one step size alpha for every single weight; a
    parameter without one is left as it is. Differentiable: the outer
    gradient flows through theta, through alpha and through the gradient.
    """
    moved = {k: p for k, p in meta.params.items() if k in meta.step}
    g = grad(lambda p: loss(policy, meta.params | p, data, max_ratio))(moved)
    return meta.params | {k: p - meta.step[k] * g[k]
                          for k, p in moved.items()}


def adapt_steps(policy, meta: Meta, batches: list[Batch],
                max_ratio: float = 20.0) -> list[Params]:
    """[theta, phi_1, ..., phi_K] of one task, one step a batch."""
    path = [meta.params]
    for data in batches:
        now = Meta(path[-1], meta.step)
        path.append(inner_update(policy, now, data, max_ratio))
    return path


def init_steps(params: Params, size: float, adapt: str = "all") -> Params:
    """Step sizes that all begin at `size`: for every weight but those of
    convolutions ("all"), for these too ("conv"), or for the bias
    transformation alone ("z").
    """
    if adapt not in CHOICES["adapt"]:
        raise ValueError(f"adapt is {adapt!r}, must be one of "
                         f"{', '.join(map(repr, CHOICES['adapt']))}")
    keys = ["z"] if adapt == "z" else [
        k for k in params if adapt == "conv" or not k.startswith("conv")]
    return {k: torch.full_like(params[k], size) for k in keys}


class Gradient(NamedTuple):
    """What `act` and `adapt` of every gradient method work on."""

    policy: object
    meta: Meta
    gamma: float
    lam: float


class GradientCarry(NamedTuple):
    params: Params  # each [N, ...]; without the N where nothing adapts it


def samples(learner: Gradient, episodes: Episodes) -> Batch:
    """Episodes as the inner loss eats them: with advantages, flattened."""
    return batch(episodes, advantages(episodes, gamma=learner.gamma,
                                      lam=learner.lam))


@torch.no_grad()
def effective_share(learner: Gradient, data: Batch) -> float:
    """Effective sample size of the importance weights over their number,
    (sum w)^2 / (n sum w^2), after the outer steps: 1 means that the policy
    has not moved from the one that collected the data.
    """
    logp = learner.policy.logp(learner.meta.params, data.obs, data.act)
    w = (logp - data.logp).exp()
    return float(w.sum() ** 2 / (w**2).sum() / w.numel())


def start(state, n: int) -> GradientCarry:
    """n fresh tasks, all at the meta-learned initial parameters."""
    meta = state.learner.meta
    params = detach(meta.params)
    return GradientCarry(params | expand(
        {k: params[k] for k in meta.step}, n))


def axes(meta: Meta) -> dict:
    """Where `vmap` finds the tasks in a carry's parameters."""
    return {k: 0 if k in meta.step else None for k in meta.params}


def adapt(state, carry: GradientCarry, episodes: Episodes) -> GradientCarry:
    """One inner step for each task, from episodes that `carry` rolled out."""
    g = state.learner
    data = samples(g, episodes)
    step = detach(g.meta.step)

    def one(params, data):
        return inner_update(g.policy, Meta(params, step), data)
    where = axes(g.meta)
    return GradientCarry(detach(
        vmap(one, (where, 0), where)(carry.params, data)))


def act(state, carry: GradientCarry, obs: Tensor, prev, noise: Tensor):
    """Sample from each task's own policy: (act, logp, carry)."""
    del prev  # a memoryless policy
    a, logp = state.learner.policy.act(carry.params, obs, noise)
    return a, logp, carry
