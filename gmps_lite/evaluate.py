"""How good is a policy after 0, 1, ..., K adaptation steps?

A method is a module with six names, so this file knows none of them:

| name     | signature                                        |
|----------|--------------------------------------------------|
| `Config` | frozen dataclass                                 |
| `init`   | (cfg, env, rng) -> State                         |
| `update` | (state, cfg, env, tasks, rng) -> (State, metrics)|
| `start`  | (state, n) -> carry of n fresh tasks             |
| `adapt`  | (state, carry, episodes) -> carry                |
| `act`    | (state, carry, obs, prev, noise) -> (act, logp, carry) |
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .envs import Env
from .rollout import expert_act, rollout
from .types import Tasks, check_count


class Adaptation(NamedTuple):
    """Results per task; column k is after k adaptation steps."""

    ret: Tensor  # [N, K+1] undiscounted return
    error: Tensor  # [N, K+1] last distance to the goal; m or rad
    success: Tensor  # [N, K+1] share of episodes that end within tolerance
    obs: Tensor  # [N, K+1, T, O] what one measuring episode saw
    steps: int  # environment steps spent on adapting

    def table(self) -> str:
        """Means over tasks, a line for each number of steps."""
        rows = ["steps  return   error  success"]
        for k in range(self.ret.shape[1]):
            rows.append(f"{k:5d}  {self.ret[:, k].mean():6.1f}  "
                        f"{self.error[:, k].mean():6.3f}  "
                        f"{self.success[:, k].mean():6.0%}")
        return "\n".join(rows)


def evaluate(method, state, env: Env, tasks: Tasks, *, steps: int,
             episodes: int, rng: np.random.Generator) -> Adaptation:
    """Adapt to each task `steps` times, from `episodes` sampled episodes a
    step, and measure before and after every step with zero noise.

    The measuring episodes are not counted in `steps` of the result and are
    never used to adapt. Raises what `rollout` raises.
    """
    check_count("steps", steps)
    check_count("episodes", episodes, 1)
    roll = partial(rollout, env, tasks, partial(method.act, state), rng=rng)
    carry, cost, results = method.start(state, tasks.n), 0, []
    for k in range(steps + 1):
        test, _ = roll(carry, episodes=1, noise=0.0)
        results.append(_score(test, env))
        if k < steps:
            data, carry = roll(carry, episodes=episodes)
            carry = method.adapt(state, carry, data)
            cost += data.steps
    return Adaptation(*(torch.stack(x, 1).cpu()
                        for x in zip(*results, strict=True)), cost)


def evaluate_expert(env: Env, tasks: Tasks, expert) -> Adaptation:
    """The expert's own scores, as an `Adaptation` of zero steps."""
    out, _ = rollout(env, tasks, expert_act(expert, tasks), None,
                     episodes=1, rng=np.random.default_rng(0), noise=0.0)
    return Adaptation(*(x[:, None] for x in _score(out, env)), 0)


def _score(episodes, env):
    last = episodes.error[..., -1]
    return (episodes.ret.mean(1), last.mean(1),
            (last < env.tolerance).float().mean(1), episodes.obs[:, 0])
