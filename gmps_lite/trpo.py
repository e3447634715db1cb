"""Trust-region policy optimization (Schulman et al. 2015) for any pair of
functions (loss, kl) of a dictionary of parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .types import Params


def conjugate_gradient(product: Callable[[Tensor], Tensor], b: Tensor,
                       steps: int = 10, tol: float = 1e-10) -> Tensor:
    """Approximate x with product(x) = b, for a positive definite matrix
    that is known only by its product with a vector [D].
    """
    x, r = torch.zeros_like(b), b.clone()
    p, rr = r.clone(), r @ r
    for _ in range(steps):
        if rr <= tol:
            break
        ap = product(p)
        alpha = rr / (p @ ap)
        x, r = x + alpha * p, r - alpha * ap
        new = r @ r
        p, rr = r + (new / rr) * p, new
    return x


def flatten(params: Params) -> Tensor:
    """All numbers of the dictionary in one vector [D]."""
    return torch.cat([v.reshape(-1) for v in params.values()])


def unflatten(vector: Tensor, like: Params) -> Params:
    """The inverse of `flatten`, with the shapes of `like`."""
    parts = vector.split([v.numel() for v in like.values()])
    return {k: x.view_as(v)
            for (k, v), x in zip(like.items(), parts, strict=True)}


def trpo_step(params: Params, loss: Callable[[Params], Tensor],
              kl: Callable[[Params], Tensor], *, max_kl: float = 0.01,
              damping: float = 1e-5, cg_steps: int = 10,
              backtrack: float = 0.8, tries: int = 15,
              metric: Callable[[Params], Tensor] | None = None
              ) -> tuple[Params, dict]:
    """One step that lowers `loss` while kl stays below max_kl.

    metric: a cheaper estimate of kl, whose curvature shapes the step; the
    line search asks kl itself.

    kl must be zero with zero gradient at `params`. If no step of the line
    search fits, the parameters come back unchanged and info["accepted"] is
    0: the policy is never made worse by more than the surrogate is wrong.
    """
    x0 = flatten(params).detach().requires_grad_()
    value = loss(unflatten(x0, params))
    g, value = torch.autograd.grad(value, x0)[0], float(value.detach())
    near = (metric or kl)(unflatten(x0, params))
    gk = torch.autograd.grad(near, x0, create_graph=True)[0]

    def fisher(v: Tensor) -> Tensor:
        hv = torch.autograd.grad(gk @ v, x0, retain_graph=True)[0]
        return hv + damping * v

    direction = conjugate_gradient(fisher, g, cg_steps)
    length = torch.sqrt(2 * max_kl / (direction @ fisher(direction)))
    info = {"loss": value, "loss_new": value, "kl": 0.0,
            "accepted": 0.0}
    if not torch.isfinite(length):  # zero gradient: nothing to do
        return params, info
    for i in range(tries):
        x = (x0 - backtrack**i * length * direction).detach()
        new = unflatten(x, params)
        with torch.no_grad():
            after, moved = float(loss(new)), float(kl(new))
        if after < value and moved <= max_kl:
            return new, info | {"loss_new": after, "kl": moved,
                                "accepted": 1.0}
    return params, info
