"""The only loop that steps an environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .envs import Env
from .log import slow
from .types import Episodes, Tasks, check_count, check_memory, here

Carry = Any  # what a method remembers between steps; see evaluate.py


@torch.no_grad()
def rollout(env: Env, tasks: Tasks, act: Callable, carry: Carry, *,
            episodes: int, rng: np.random.Generator,
            noise: float = 1.0) -> tuple[Episodes, Carry]:
    """Roll out E episodes of every task, all rows side by side.

    act(carry, obs [N, E, O], prev, noise [N, E, A]) -> (act [N, E, A],
    logp [N, E], carry), where prev = (act, rew [N, E]) of the step before.
    noise scales the standard normal noise handed to `act`: 1 samples from
    the policy, 0 takes its mean. A carry with an attribute `noise_dim` gets
    so many columns more, [N, E, A + noise_dim].

    Returns the episodes and the last carry. Costs N * E * T steps. Raises
    ValueError for counts or shapes that do not fit, FloatingPointError if an
    action is not finite.
    """
    check_count("episodes", episodes, 1)
    check_count("the number of tasks", tasks.n, 1)
    n, e, t_max = tasks.n, episodes, env.horizon
    kind = torch.uint8 if env.pixels else torch.float32
    size = env.obs_dim * kind.itemsize + 4 * env.act_dim + 12
    check_memory(f"{e} episodes of {n} tasks", n * e * t_max * size)
    out = Episodes(
        obs=torch.empty(n, e, t_max, env.obs_dim, dtype=kind),
        act=torch.empty(n, e, t_max, env.act_dim),
        rew=torch.empty(n, e, t_max), logp=torch.empty(n, e, t_max),
        error=torch.empty(n, e, t_max))
    goal = tasks.goal.double().repeat_interleave(e, 0).cpu().numpy()
    state = env.reset(n * e)
    prev = (torch.zeros(n, e, env.act_dim), torch.zeros(n, e))
    columns = env.act_dim + getattr(carry, "noise_dim", 0)
    for t in slow(t_max, "rollout"):
        obs = here(env.observe(state)).view(n, e, -1)
        eps = torch.zeros(n, e, columns) if noise == 0 else (
            here(noise * rng.standard_normal(
                (n, e, columns), dtype=np.float32)))
        a, logp, carry = act(carry, obs, prev, eps)
        if a.shape != (n, e, env.act_dim) or logp.shape != (n, e):
            raise ValueError(
                f"act returned {tuple(a.shape)} and {tuple(logp.shape)}, "
                f"expected {(n, e, env.act_dim)} and {(n, e)}")
        if not torch.isfinite(a).all():
            raise FloatingPointError(f"{env.name}: an action at step {t} is "
                                     "not finite")
        state, rew, error = env.step(
            state, a.reshape(n * e, -1).double().cpu().numpy(), goal)
        rew = here(rew).float().view(n, e)
        out.obs[:, :, t], out.act[:, :, t] = obs, a
        out.rew[:, :, t], out.logp[:, :, t] = rew, logp
        out.error[:, :, t] = here(error).view(n, e)
        prev = (a, rew)
    return out, carry


def report(first: Episodes, second: Episodes) -> dict:
    """The metrics that every learner has, from episodes before and after
    adaptation.
    """
    return {"ret_pre": float(first.ret.mean()),
            "ret_post": float(second.ret.mean()),
            "error_post": float(second.error[..., -1].mean()),
            "steps_pre": first.steps, "steps_post": second.steps}


def expert_act(expert: Callable, tasks: Tasks) -> Callable:
    """The `act` of an expert (tasks, obs) -> act; noise is added to it."""
    def act(carry, obs, prev, noise):
        a = expert(tasks, obs)
        return a + noise, torch.zeros(a.shape[:2]), carry
    return act
