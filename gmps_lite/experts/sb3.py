"""Models of stable-baselines3 as experts.

    env = gymnasium.make("gmps_lite/Point-v0", goal_view=True)
    model = stable_baselines3.SAC("MlpPolicy", env).learn(3000)
    experts.register("mine", from_sb3(model, make("point")))

and then `expert="mine"` in the Config of a method, from Python. A saved
model would have to be unpickled, which can run any code; load one that you
trust with stable-baselines3 yourself.
"""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from ..envs import Env, gym_id
from ..types import Tasks
from . import Expert


def from_sb3(model, env: Env, steps: int | None = None) -> Expert:
    """The expert that a model trained with `goal_view=True` makes.

    model: any algorithm of stable-baselines3, for actions in a Box.
        Normalization by a VecNormalize around its environment is applied.
    steps: environment steps that its training cost; None asks the model.
    Raises ValueError for a model that does not see or act as an expert of
    `env` does.
    """
    how = (f"train it on gymnasium.make({gym_id(env.name)!r}, "
           "goal_view=True)")
    if env.view_dim is None:
        raise ValueError(f"{env.name} has no view for trained experts")
    space, box = model.observation_space, model.action_space
    if not isinstance(space, Box) or space.shape != (env.view_dim,):
        size = (f"{space.shape[0]} numbers" if isinstance(space, Box)
                and len(space.shape) == 1 else str(space))
        raise ValueError(f"the model observes {size}, an expert of "
                         f"{env.name} sees {env.view_dim}, the goal among "
                         f"them: {how}")
    if box != Box(-1.0, 1.0, (env.act_dim,), np.float32):
        raise ValueError(f"the model acts in {box}, an expert of {env.name} "
                         f"in {env.act_dim} numbers from -1 to 1: {how}")
    rows = model.get_env()
    for spec in rows.get_attr("spec") if rows is not None else []:
        if spec is not None and not spec.kwargs.get("goal_view"):
            raise ValueError(f"the model was trained on {spec.id} without "
                             f"goal_view: {how}")
    norm = model.get_vec_normalize_env()

    def act(tasks: Tasks, obs: Tensor) -> Tensor:
        if obs.shape[-1] != env.obs_dim:
            raise ValueError(f"an expert of {env.name} was asked about "
                             f"observations of {obs.shape[-1]} numbers, "
                             f"expected {env.obs_dim}")
        goal = tasks.goal.view(-1, *[1] * (obs.dim() - 2), env.goal_dim)
        seen = env.view(obs, goal).flatten(0, -2).numpy()
        if norm is not None:
            seen = norm.normalize_obs(seen)
        out, _ = model.predict(seen, deterministic=True)
        return env.unfold(torch.from_numpy(out).view(*obs.shape[:-1], -1),
                          goal)
    steps = model.num_timesteps if steps is None else steps
    return Expert(act, steps, f"{type(model).__name__} of {env.name}")
