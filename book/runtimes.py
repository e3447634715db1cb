"""The page of run times, appendix/runtimes.md, from the last run."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import psutil

from sync import chapters


def machine() -> dict[str, str]:
    """What the run times were measured on."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    found = re.search(r"model name\s*: (.*)", text)
    cpu = found[1] if found else platform.machine()
    memory = psutil.virtual_memory().total / 2**30
    names = ("torch", "numpy", "mujoco", "gymnasium", "jupyter-book")
    return {
        "machine": f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def page(record: dict) -> str:
    """The page appendix/runtimes.md, from runtimes.json."""
    rows = ["| notebook | mode | seconds | peak MB |", "|---|---|---:|---:|"]
    for path in chapters():
        r = record["notebooks"][path.stem]
        rows += [f"| [{path.stem}](../{path.name}) | {r['mode']} "
                 f"| {r['seconds']:.0f} | {r['peak_mb']} |"]  # fmt: skip
    facts = [f"- {k}: {v}" for k, v in record["machine"].items()]
    intro = "Measured when this site was built, one torch thread a notebook."
    return "\n".join(["# Run times", "", intro, "", *rows, "", *facts, ""])
