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

from difflib import get_close_matches
from typing import Any, NamedTuple

import torch
from torch import Tensor

Params = dict[str, Tensor]


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


def lookup(kind: str, name: str, table: dict) -> Any:
    """`table[name]`, or an error that lists what is allowed."""
    if name in table:
        return table[name]
    near = get_close_matches(str(name), table, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown {kind} {name!r}{hint} Allowed: "
                   f"{', '.join(sorted(table))}")
