"""Policies that know the goal, for the learners to imitate.

| name         | who                                                      |
|--------------|----------------------------------------------------------|
| "analytic"   | the environment's own, written by hand                   |
| "ant-sac"    | a trained one that ships with the package                |
| "x.safetensors" | one that `gmps train sac` or `gmps train ppo` made    |
| "mine"       | whatever `register("mine", expert)` was given            |
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..checkpoint import load_file, shipped, unpack
from ..envs import Env, make
from ..types import Tasks, build_config, lookup
from . import offpolicy, onpolicy

TRAINERS = {"sac": offpolicy, "ppo": onpolicy}


class Expert(NamedTuple):
    """What is imitated, and what it cost to make."""

    act: Callable[[Tasks, Tensor], Tensor]  # (tasks, obs [N, ..., O])
    steps: int = 0  # environment steps of its training
    name: str = "analytic"

    def __call__(self, tasks: Tasks, obs: Tensor) -> Tensor:
        """Actions [N, ..., A] for each task at obs [N, ..., O]."""
        return self.act(tasks, obs)


_registered: dict[str, Expert] = {}


def register(name: str, expert: Expert) -> None:
    """Give an expert of your own a name for `Config.expert`."""
    if not isinstance(expert, Expert):
        raise ValueError(f"{name!r} is a {type(expert).__name__}, must be an "
                         "Expert; wrap it: Expert(act, steps, name)")
    _registered[name] = expert


def expert_for(env: Env, name: str) -> Expert:
    """The expert called `name` for an environment, see above. Raises
    ValueError if there is none or if it does not fit.
    """
    if name == "analytic":
        if env.expert is None:
            raise ValueError(f"{env.name} has no analytic expert")
        return Expert(env.expert)
    if name in _registered:
        return _registered[name]
    if name.endswith(".safetensors"):
        return load_expert(name, env.name)
    ours = {k: path for k, path in shipped().items()
            if k.rpartition("-")[2] in TRAINERS}
    path = lookup("expert", name, {"analytic": None} | _registered | ours)
    return load_expert(str(path), env.name)


@lru_cache(maxsize=16)
def load_expert(path: str, env: str) -> Expert:
    """An expert from the checkpoint that its training left. Raises
    ValueError, naming the file, if it is damaged, of another body, or of a
    method that never sees the goal.
    """
    world, (tensors, header) = make(env), load_file(path)
    method = header.get("method")
    if method not in TRAINERS:
        raise ValueError(f"{path} is a checkpoint of {method!r}, which does "
                         "not see the goal and cannot be an expert; allowed "
                         f"are {', '.join(TRAINERS)}")
    trainer = TRAINERS[method]
    try:
        home = make(str(header.get("env")))
        if home.body != world.body:
            raise ValueError(f"an expert of {home.name} cannot act in "
                             f"{world.name}")
        cfg = build_config(trainer.Config, header.get("config"))
        steps = header.get("steps")
        if not isinstance(steps, int | float) or not steps >= 0:
            raise ValueError(f"its environment steps are {steps!r}")
        fresh = trainer.init(cfg, home, np.random.default_rng(0))
        params = unpack(trainer.actor(fresh), {
            k.removeprefix(trainer.ACTOR): v for k, v in tensors.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Expert(trainer.player(cfg, home, params), int(steps),
                  Path(path).stem)


__all__ = ["TRAINERS", "Expert", "expert_for", "load_expert", "register"]
