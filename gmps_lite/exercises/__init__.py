"""Self-checking exercises.

A checker looks at properties of an answer and stops at the first that
fails, with a sentence that helps and reveals nothing. Whatever was handed
in, `check` hands back something that works, so that the notebook goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, NamedTuple

from ..types import lookup

if TYPE_CHECKING:
    import numpy as np
    import torch

Checker = Callable[[Any], Iterator[tuple[bool, str]]]


class Exercise(NamedTuple):
    checker: Checker
    answer: Any  # what `check` hands back when the answer does not hold


EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, answer: Any) -> Callable[[Checker], Checker]:
    """Register a checker: a generator of (holds, sentence if it does not).

    answer: the reference, used only so that the notebook can go on.
    """
    def register(checker: Checker) -> Checker:
        if name in EXERCISES:
            raise ValueError(f"exercise {name} is registered twice")
        EXERCISES[name] = Exercise(checker, answer)
        return checker
    return register


_seed = 0  # of the numbers that checkers draw; `verdict` sets it


def seeded(stream: int) -> np.random.Generator:
    """Random numbers for a checker: others for each stream and seed."""
    import numpy as np
    return np.random.default_rng([_seed, stream] if _seed else stream)


def torch_seeded(stream: int) -> torch.Generator:
    """The same as a generator of torch."""
    import torch
    return torch.Generator().manual_seed(stream + 1009 * _seed)


def verdict(name: str, answer: Any, seed: int = 0) -> tuple[bool, str]:
    """(holds, sentence) for an answer to the exercise called `name`.

    seed: of the numbers that it is tried on; 0 are those of the book.
    """
    global _seed
    item = lookup("exercise", name, EXERCISES)
    before, _seed = _seed, seed
    try:
        if answer is None or answer is ...:
            raise NotImplementedError
        for holds, sentence in item.checker(answer):
            if not holds:
                return False, f"{name}: not yet. {sentence}"
    except NotImplementedError:
        return False, (f"{name}: nothing here yet. Fill in the stub; the "
                       "hints help.")
    except Exception as error:  # any error of the reader's own code
        return False, (f"{name}: not yet. Your answer raised "
                       f"{type(error).__name__}: {error}")
    finally:
        _seed = before
    return True, f"{name}: correct."


def graded(name: str, answer: Any, seed: int = 0) -> str:
    """The sentence of `verdict`, for an assignment: what `check` hands back
    does not count as an answer, and what an answer prints is not shown.
    """
    if str(getattr(answer, "__module__", "")).startswith("gmps_lite"):
        return (f"{name}: not yet. This is a function of the package, which "
                "`check` hands back for a wrong answer: hand in your own, "
                "without `check`.")
    with redirect_stdout(StringIO()):
        return verdict(name, answer, seed)[1]


class Grader:
    """What an assignment has in place of otter's `grader` on Colab, where
    that one cannot read a notebook's own tests. It says the same sentences.
    """

    def __init__(self, space: dict[str, Any], names: dict[str, str]):
        """space: the notebook's globals; names: of exercises' answers."""
        self.space, self.names = space, names

    def check(self, name: str) -> None:
        print(graded(name, self.space.get(self.names[name])))

    def export(self, *_: Any, **__: Any) -> None:
        print("Hand in this notebook itself: File, Download, Download .ipynb.")


def check(name: str, answer: Any) -> Any:
    """Say whether an answer holds, and hand back one that works: yours if
    it is correct, else the book's, so that later cells run either way.
    """
    holds, sentence = verdict(name, answer)
    print(sentence if holds else f"{sentence} (From here on this notebook "
          "uses the book's answer.)")
    return answer if holds else EXERCISES[name].answer


def close(a: Any, b: Any, tol: float = 1e-5) -> bool:
    """Whether two tensors (or numbers) have one shape and agree to tol."""
    import torch
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return a.shape == b.shape and bool(
        torch.allclose(a.double(), b.double(), atol=tol, rtol=tol))


for _chapter in iter_modules(__path__):
    import_module(f"{__name__}.{_chapter.name}")
