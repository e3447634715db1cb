"""The environments, by name, and their registration with Gymnasium."""

from __future__ import annotations

from functools import lru_cache

import gymnasium

from ..types import lookup
from .ant import Ant, AntFull, AntHalf, AntSparse
from .core import Env, MujocoEnv, Split, Step
from .door import Door
from .pixels import DoorPixels, PushPixels
from .point import Point, PointSparse
from .push import Push, PushSparse

ENVS = {cls.name: cls for cls in (
    Point, PointSparse, Ant, AntHalf, AntFull, AntSparse, Push, PushSparse,
    Door, PushPixels, DoorPixels)}


@lru_cache(maxsize=16)
def _made(name: str, threads: int | None) -> Env:
    return lookup("environment", name, ENVS)(threads)


def make(name: str, threads: int | None = None, obs: str = "state") -> Env:
    """The environment called `name`; the same object at every call.

    threads: size of the physics pool (None: every core, 0: none).
    obs: "state", or "pixels" for `name`-pixels.
    """
    eyes = lookup("kind of observation", obs,
                  {"state": "", "pixels": "-pixels"})
    return _made(name + eyes, threads)


def gym_id(name: str) -> str:
    """The Gymnasium id of an environment: ant-sparse is
    gmps_lite/AntSparse-v0.
    """
    return f"gmps_lite/{name.title().replace('-', '')}-v0"


for _name, _cls in ENVS.items():
    if gym_id(_name) not in gymnasium.registry:
        gymnasium.register(
            gym_id(_name), entry_point="gmps_lite.envs.gym:TaskEnv",
            vector_entry_point="gmps_lite.envs.gym:TaskVectorEnv",
            max_episode_steps=_cls.horizon, kwargs={"name": _name})


__all__ = ["ENVS", "Env", "MujocoEnv", "Split", "Step", "gym_id", "make"]
