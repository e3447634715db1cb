"""The environments, by name."""

from __future__ import annotations

from functools import lru_cache

from ..types import lookup
from .core import Env, MujocoEnv, Split, Step
from .point import Point, PointSparse
from .push import Push, PushSparse

ENVS = {cls.name: cls for cls in (Point, PointSparse, Push, PushSparse)}


@lru_cache(maxsize=16)
def make(name: str, threads: int | None = None) -> Env:
    """The environment called `name`; the same object at every call.

    threads: size of the physics pool (None: every core, 0: none).
    """
    return lookup("environment", name, ENVS)(threads)


__all__ = ["ENVS", "Env", "MujocoEnv", "Split", "Step", "make"]
