"""Stored results as columns: one array a name, one entry a row of the table.
Pure functions that bring them into the shape of a question.
"""

from __future__ import annotations

import numpy as np

Columns = dict[str, np.ndarray]


def by_seed(columns: Columns, key: str) -> np.ndarray:
    """A column of stored results as [seeds, iterations]."""
    seeds = np.unique(columns["seed"])
    rows = [columns[key][columns["seed"] == s] for s in seeds]
    short = min(map(len, rows))
    return np.stack([row[:short] for row in rows])


def ledger(columns: Columns, experts: bool = True
           ) -> np.ndarray:
    """All environment steps so far, with or without what the experts cost,
    [seeds, iterations]. Steps of evaluation are in neither.
    """
    total = by_seed(columns, "total_steps")
    if experts or "steps_expert" not in columns:
        return total
    return total - by_seed(columns, "steps_expert").cumsum(1)


def as_good(ret, best):
    """Whether a return is the best so far or within 3 % of it, which a mean
    over a few episodes cannot tell apart: then the newer policy, made at a
    lower rate, is the one to keep. One that has collapsed is not.
    """
    return ret >= best - 0.03 * np.abs(best)


def best_rows(columns: Columns) -> Columns:
    """For each seed the newest iteration whose post-update return on
    *training* tasks is `as_good` as the best before it: the checkpoint that
    `train` keeps, where every iteration was evaluated; else the newest of
    those that were. [seeds] a column.
    """
    tested = ~np.isnan(columns.get("test_ret_0", columns["ret_post"]))
    picked = []
    for seed in np.unique(columns["seed"]):
        rows = np.flatnonzero((columns["seed"] == seed) & tested)
        ret = columns["ret_post"][rows]
        good = as_good(ret, np.fmax.accumulate(ret))
        picked.append(rows[np.flatnonzero(good)[-1]])
    return {key: values[picked] for key, values in columns.items()}


def steps_to(columns: Columns, key: str, threshold: float,
             experts: bool = True) -> np.ndarray:
    """Environment steps after which a column first reaches the threshold,
    [seeds]; infinite for a seed that never does. It may fall below later:
    to be lucky once is enough, which helps whoever is measured more often.
    """
    hit = by_seed(columns, key) >= threshold
    steps = ledger(columns, experts)
    first = steps[np.arange(len(hit)), hit.argmax(1)]
    return np.where(hit.any(1), first, np.inf)


def after(columns: Columns, key: str, k: int, by: str = "seed"
          ) -> tuple[np.ndarray, np.ndarray]:
    """A column of a measured table after k steps. By "seed": (seeds, mean
    over tasks [seeds]); by "angle": (angles, values [seeds, angles]).
    """
    rows = columns["k"] == k
    if not rows.any():
        raise ValueError(f"k is {k}, measured were 0 to "
                         f"{columns['k'].max():.0f} steps")
    seeds = np.unique(columns["seed"])
    if by == "seed":
        return seeds, np.array([columns[key][rows & (columns["seed"] == s)]
                                .mean() for s in seeds])
    x = np.unique(columns[by][rows])
    return x, np.array([[columns[key][rows & (columns["seed"] == s)
                                      & (columns[by] == v)].mean()
                         for v in x] for s in seeds])
