"""Fixed lists of tasks."""

from __future__ import annotations

import numpy as np
import torch
from numpy import ndarray

from ..types import Tasks


class Split:
    """A fixed list of tasks: row i is the same task in every run."""

    def __init__(self, name: str, goals):
        self.name = name
        goals = torch.as_tensor(np.asarray(goals), dtype=torch.float32)
        self.tasks = Tasks(goals.reshape(len(goals), -1))

    def __len__(self) -> int:
        return self.tasks.n

    def __getitem__(self, index) -> Tasks:
        """The tasks at `index`, an int or a list of ints in 0..len-1."""
        index = np.atleast_1d(np.asarray(index))
        if index.dtype.kind not in "iu" or index.ndim != 1:
            raise ValueError(f"tasks of the split {self.name!r} are chosen "
                             f"by ints, got {index.tolist()}")
        bad = index[(index < 0) | (index >= len(self))]
        if bad.size:
            raise ValueError(f"task {bad.tolist()} is outside the split "
                             f"{self.name!r}: allowed are 0 to "
                             f"{len(self) - 1}")
        return self.tasks.rows(torch.as_tensor(index))

    def sample(self, n: int, rng: np.random.Generator) -> Tasks:
        """n different tasks in random order, 1 <= n <= len(self)."""
        if not 1 <= n <= len(self):
            raise ValueError(f"cannot draw {n} tasks from the split "
                             f"{self.name!r}, which holds {len(self)}")
        return self[rng.permutation(len(self))[:n]]


def ring(start: float, stop: float, n: int, radius: float) -> ndarray:
    """n goals [n, 2] on an arc, angles in degrees, both ends included."""
    a = np.deg2rad(np.linspace(start, stop, n))
    return radius * np.stack([np.cos(a), np.sin(a)], -1)
