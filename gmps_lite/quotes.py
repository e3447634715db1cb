"""The numbers that prose may quote from the stored results."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .claims import success
from .columns import after, best_rows, ledger
from .results import results
from .score import samples, scored

# What a `<!-- claim: ... -->` in prose may say, words after the first are
# arguments: `claim: value push-gmps test_error_3`.
QUOTES: dict[str, Callable[..., float]] = {
    # mean over seeds of the kept checkpoints; `score_3` is a column too
    "value": lambda name, key: best_rows(
        scored(name) if key.startswith("score") else results(name)[0]
        )[key].mean(),
    "expert": lambda name, split="test", key="ret": results(name)[1][
        "expert"][split][key],
    "seeds": lambda name: len(results(name)[1]["seeds"]),
    "minutes": lambda name: results(name)[1]["minutes"] / len(
        results(name)[1]["seeds"]),  # of one seed
    "steps": lambda name, experts="all": ledger(
        results(name)[0], experts == "all")[:, -1].mean(),
    # until 0.9 of GMPS's final score, or the budget
    "samples": lambda env, method: np.minimum(*samples(env, method)).mean(),
    "ratio": lambda env, a, b: quote(f"samples {env} {a}") / quote(
        f"samples {env} {b}"),
    # share of unseen tasks after at most 5 steps
    "success": lambda name: success(name).mean(),
    # of a measured table: mean over seeds and tasks after k steps
    "after": lambda name, k, key="ret": after(
        results(name)[0], key, int(k))[1].mean(),
}


def quote(words: str) -> float:
    """The number that a claim in prose stands for."""
    first, *rest = words.split()
    return float(QUOTES[first](*rest))
