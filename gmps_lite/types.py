"""The data that flows through the package, and the letters of its axes.

| letter | axis                       |
|--------|----------------------------|
| N      | tasks                      |
| E      | episodes of one task       |
| T      | control steps of an episode|
| B      | E * T, samples of one task |
| M      | demonstrated steps of one task |
| O, A   | observation, action        |
| K      | adaptation steps           |

The order is always ``[N, E, T, feature]``.
"""

from __future__ import annotations

import math
from dataclasses import fields
from difflib import get_close_matches
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch
from torch import Tensor

Params = dict[str, Tensor]

# What `check_config` allows in the fields of a method's Config.
LEAST = {"iterations": 1, "episodes": 1, "outer_steps": 1, "inner_steps": 0,
         "inner_samples": 1, "bc_samples": 1, "demo_episodes": 1,
         "dagger_episodes": 1, "z_dim": 1, "cg_steps": 1, "epochs": 1,
         "minibatch": 1, "trial": 1, "memory": 1, "latent": 1,
         "task_batch": 1, "batch": 1, "context": 1, "capacity": 1,
         "updates": 1, "warmup": 0}
POSITIVE = ("lr", "warmup_lr", "std", "clip", "max_kl", "max_ratio",
            "reward_scale", "reward_std")
SHARES = ("gamma", "lam", "lr_end", "tau", "relabel", "fisher_share",
          "asked", "step_lr")
CHOICES = {"adapt": ("all", "z", "conv"), "loss": ("mse", "nll")}
KINDS = {"bool": bool, "int": int, "float": (float, int), "str": str,
         "tuple[int, ...]": tuple}


class Tasks(NamedTuple):
    """Rows of task parameters: what the reward wants, never observed."""

    goal: Tensor  # [N, G] meters or radians

    @property
    def n(self) -> int:
        """How many tasks."""
        return self.goal.shape[0]

    def rows(self, index) -> Tasks:
        """The tasks at `index` (anything that indexes a tensor)."""
        return Tasks(self.goal[index])


class Episodes(NamedTuple):
    """What `rollout` returns: nothing derived."""

    obs: Tensor  # [N, E, T, O]
    act: Tensor  # [N, E, T, A] as sampled, before clipping to [-1, 1]
    rew: Tensor  # [N, E, T]
    logp: Tensor  # [N, E, T] of the policy that acted
    error: Tensor  # [N, E, T] distance to the goal after the step; m or rad

    @property
    def steps(self) -> int:
        """Environment steps that these episodes cost."""
        return self.rew.numel()

    @property
    def ret(self) -> Tensor:
        """Undiscounted return of each episode, [N, E]."""
        return self.rew.sum(-1)


class Batch(NamedTuple):
    """What the inner loss eats: one task's samples in a heap."""

    obs: Tensor  # [N, B, O]
    act: Tensor  # [N, B, A]
    adv: Tensor  # [N, B]
    logp: Tensor  # [N, B] of the policy that collected the samples


class Demos(NamedTuple):
    """States and what the expert does there."""

    obs: Tensor  # [N, M, O]
    act: Tensor  # [N, M, A]


class Meta(NamedTuple):
    """What meta-training learns."""

    params: Params  # the initial parameters theta
    step: Params  # one step size per weight; a key left out is not adapted


def batch(episodes: Episodes, adv: Tensor) -> Batch:
    """Flatten [N, E, T] to [N, B]."""
    e = episodes
    return Batch(e.obs.flatten(1, 2), e.act.flatten(1, 2),
                 adv.flatten(1, 2), e.logp.flatten(1, 2))


def expand(params: Params, n: int) -> Params:
    """The same parameters for n tasks: every leaf gains a leading N."""
    return {k: v.expand(n, *v.shape) for k, v in params.items()}


def detach(params: Params) -> Params:
    """The same numbers, cut from the graph that made them."""
    return {k: v.detach() for k, v in params.items()}


def all_finite(tree: Any) -> bool:
    """Whether every number in a dict or tuple of tensors is finite."""
    if isinstance(tree, Tensor):
        return bool(torch.isfinite(tree).all())
    leaves = tree.values() if isinstance(tree, dict) else tree
    return all(all_finite(leaf) for leaf in leaves)


def check_count(name: str, x: Any, least: int = 0) -> None:
    """Raise a ValueError unless x is an int of `least` or more."""
    if isinstance(x, bool) or not isinstance(x, Integral) or x < least:
        raise ValueError(f"{name} is {x!r}, must be an int of {least} or "
                         "more")


def use(device: str) -> None:
    """Make tensors on a device from here on. Raises ValueError if there is
    no such device.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device is {device!r}, which torch cannot use "
                         f"here: {str(error).splitlines()[0]}") from error
    # The mode that this sets costs time at each call, so not in vain.
    if torch.device(device) != torch.get_default_device():
        torch.set_default_device(device)


def here(x: np.ndarray) -> Tensor:
    """An array on the device where the networks are: torch's default."""
    return torch.from_numpy(x).to(torch.get_default_device())


def check_memory(what: str, size: float) -> None:
    """Raise a ValueError if `what`, of `size` bytes, cannot fit into the
    memory that is free.
    """
    cuda = torch.get_default_device().type == "cuda"
    free = (torch.cuda.mem_get_info()[0] if cuda
            else psutil.virtual_memory().available)
    if size > free:
        raise ValueError(f"{what} do not fit into memory: "
                         f"{size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")


def lookup(kind: str, name: str, table: dict) -> Any:
    """`table[name]`. Raises a ValueError that lists what is allowed."""
    if isinstance(name, str) and name in table:
        return table[name]
    near = get_close_matches(str(name), table, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"unknown {kind} {name!r}{hint} Allowed: "
                   f"{', '.join(sorted(table))}")


def build_config(cls: type, found: Any) -> Any:
    """The Config that a JSON object describes. Raises ValueError for a field
    too few or too many, or a value that is not allowed.
    """
    want = {f.name for f in fields(cls)}
    if not isinstance(found, dict) or found.keys() != want:
        diff = want ^ set(found) if isinstance(found, dict) else want
        raise ValueError("its config has too few or too many fields: "
                         f"{', '.join(sorted(diff))}")
    cfg = cls(**{k: tuple(v) if isinstance(v, list) else v
                 for k, v in found.items()})
    check_config(cfg)
    return cfg


def check_config(cfg: Any) -> None:
    """Raise ValueError for a field of the wrong type, a number that is too
    small, too large or not finite, a string that is no choice.
    """
    for f in fields(cfg):
        x, name = getattr(cfg, f.name), f.name
        kind = KINDS.get(f.type, object)
        if not isinstance(x, kind) or (
                isinstance(x, bool) and f.type != "bool"):
            raise ValueError(f"{name} is {x!r}, must be of type {f.type}")
        if isinstance(x, tuple):
            for size in x:
                check_count(f"a size in {name}", size, 1)
        if isinstance(x, float) and not math.isfinite(x):
            raise ValueError(f"{name} is {x}, must be finite")
        if name in LEAST:
            check_count(name, x, LEAST[name])
        if name in POSITIVE and x <= 0:
            raise ValueError(f"{name} is {x}, must be above 0")
        if name in ("step_size", "damping", "kl", "kl_weight",
                    "anchor") and x < 0:
            raise ValueError(f"{name} is {x}, must be 0 or more")
        if name in SHARES and not 0 <= x <= 1:
            raise ValueError(f"{name} is {x}, must be in [0, 1]")
        if name in CHOICES and x not in CHOICES[name]:
            raise ValueError(f"{name} is {x!r}, must be one of "
                             f"{', '.join(map(repr, CHOICES[name]))}")
