"""What chapters call: set-up, showing code, checking exercises, stored
results, and the stamp at the end of a run.
"""

from __future__ import annotations

import inspect
import os
import resource
import time
from pathlib import Path

import torch

from . import plots
from .checkpoint import shipped, versions
from .exercises import check
from .log import Log
from .results import label, results
from .train import Run, restore
from .types import lookup

CHAPTERS = ["Watch", "Tasks", "Policy", "Inner step", "MAML", "Imitation",
            "GMPS", "Experts", "Ant", "Push", "Beyond", "Demos", "Your hand",
            "Pixels"]
_began = time.perf_counter()


def setup() -> None:
    """One torch thread, the figure style, and a line of versions."""
    global _began
    _began = time.perf_counter()
    # A second thread spins on small networks and slows everything down.
    torch.set_num_threads(1)
    plots.style()
    print(" · ".join(f"{k} {v}" for k, v in versions().items()))


def show(thing) -> None:
    """Print the source of a function or class of the package."""
    thing = inspect.unwrap(thing)  # look through decorators
    source = inspect.getsource(thing).rstrip()
    path = Path(inspect.getsourcefile(thing))
    where = "/".join(path.parts[path.parts.index("gmps_lite"):]) \
        if "gmps_lite" in path.parts else path.name
    try:
        from IPython.display import Code, display
        print(f"# {where}")
        display(Code(source, language="python"))
    except ImportError:
        print(f"# {where}\n{source}")


def chapter_map(today: int) -> plots.Figure:
    """The map that every chapter opens with, today's box in bold."""
    return plots.chapter_map(CHAPTERS, today)


def pretrained(name: str) -> Run:
    """A trained method that ships with the package."""
    return restore(lookup("checkpoint", name, shipped()))


def keep(name: str, env: str, seed: int, config: dict,
         rows: list[dict]) -> None:
    """Write an experiment's rows as a run folder that `gmps collect` reads,
    if the variable GMPS_LITE_KEEP names a folder; otherwise do nothing.
    This is how a chapter's stored results are made: by its own cells.
    """
    if folder := os.environ.get("GMPS_LITE_KEEP"):
        about = {"method": name, "env": env, "seed": seed, "config": config}
        log = Log(Path(folder) / f"{name}-s{seed}", about)
        share = (time.perf_counter() - _began) / len(rows)
        for row in rows:
            log.add({"seconds": share} | row)


def stamp(*, seed: int, steps: int) -> None:
    """The last line of a chapter: what ran, how long, what it cost.

    seed: the chapter's SEED; steps: environment steps that it took.
    """
    seconds = time.perf_counter() - _began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(" · ".join(f"{k} {v}" for k, v in versions().items()))
    print(f"gmps_lite {package_version()} · seed {seed} · "
          f"{seconds:.0f} s · {steps:,} environment steps · "
          f"{peak:.0f} MB · {os.cpu_count()} cores")


def package_version() -> str:
    """The installed version; it ends in the commit."""
    from importlib.metadata import PackageNotFoundError, version
    try:
        return version("gmps-lite")
    except PackageNotFoundError:
        return "not installed"


__all__ = ["chapter_map", "check", "keep", "label", "pretrained",
           "results", "setup", "show", "stamp"]
