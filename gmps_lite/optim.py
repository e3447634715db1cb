"""One step of an optimizer, and its rate."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def set_rate(opt: torch.optim.Optimizer, lr: float, end: float,
             done: Tensor | int, total: int) -> None:
    """The rate of round `done` of `total`: from lr along a half cosine to
    end * lr in the last; times `share` for a group that has one.
    """
    frac = min(1.0, float(done) / max(1, total - 1))
    decay = 0.5 * (1 + math.cos(math.pi * frac))
    for group in opt.param_groups:
        group["lr"] = group.get("share", 1.0) * lr * (
            end + (1 - end) * decay)


def descend(opt: torch.optim.Optimizer, loss: Tensor,
            max_norm: float) -> float:
    """One step down the gradient of `loss`, its norm cut to max_norm;
    returns the loss.
    """
    opt.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(
        [p for group in opt.param_groups for p in group["params"]], max_norm)
    opt.step()
    return loss.item()
