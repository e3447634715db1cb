"""One folder a run: config.json, provenance.json, metrics.csv, checkpoints;
one line an iteration on the console.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from .checkpoint import read_json, versions, write

try:
    import fcntl
except ImportError:  # Windows: nothing stops a second run in a folder
    fcntl = None


class Log:
    """Metrics of one run. Keys that begin with "steps_" are environment
    steps: every one is counted here, by phase, and summed in `total_steps`.
    Steps of evaluation have a key of their own, `eval_steps`.
    """

    def __init__(self, folder: str | Path | None, config: dict):
        """folder: where to write, or None to keep rows in memory only. A
        folder that holds another config is refused, not overwritten, by
        a ValueError.
        """
        self.folder = Path(folder) if folder is not None else None
        self.rows: list[dict] = []
        self.signed = self.folder is None
        if self.folder is None:
            return
        path = self.folder / "config.json"
        if path.exists() and (diff := changes(read_json(path), config)):
            raise ValueError(f"{self.folder} holds a run of another config "
                             f"({diff}); choose another folder")
        write(path, json.dumps(config, indent=1).encode())

    def sign(self) -> None:
        """Add to provenance.json who makes the rows from here on."""
        self.signed, path = True, self.folder / "provenance.json"
        old = read_json(path).get("starts", []) if path.exists() else []
        new = {"row": len(self.rows)} | provenance()
        write(path, json.dumps({"starts": [*old, new]}, indent=1).encode())

    def resume(self, iteration: int) -> None:
        """Keep the rows of iterations before `iteration`, the checkpoint's.

        Raises ValueError if one is missing or damaged, or if the rows go on
        after the one that a kill can leave: the checkpoint was lost.
        """
        path = self.folder / "metrics.csv"
        rows = read_rows(path) if path.exists() else []
        self.rows = rows[:iteration]
        have = [r.get("iteration") for r in self.rows if "total_steps" in r]
        if have != list(range(iteration)) or len(rows) > iteration + 1:
            raise ValueError(
                f"{path} has {len(rows)} rows, last.safetensors has made "
                f"{iteration} iterations: a file was lost or damaged; choose "
                "another folder")

    def add(self, row: dict) -> dict:
        """Append one iteration's numbers and write the file whole."""
        if not self.signed:
            self.sign()
        last = self.rows[-1]["total_steps"] if self.rows else 0
        spent = sum(v for k, v in row.items() if k.startswith("steps_"))
        row = row | {"total_steps": last + spent}
        self.rows.append(row)
        if self.folder is not None:
            keys = list(dict.fromkeys(k for r in self.rows for k in r))
            out = io.StringIO(newline="")
            writer = csv.DictWriter(out, keys, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
            write(self.folder / "metrics.csv", out.getvalue().encode())
        return row


def changes(old: dict, new: dict) -> str:
    """What differs, field by field, the fields of a dict in it too."""
    words = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            words += [changes(a, b)] if a != b else []
        elif a != b:
            words.append(f"{key}: {a!r} there, {b!r} now")
    return ", ".join(words)


def provenance() -> dict:
    """What makes numbers now: command, commit, hardware, versions. Where
    they are written on somebody's disk is left out.
    """
    own = Path(sys.argv[0]).stem in ("gmps", "cli")
    words = [w for before, w in itertools.pairwise(sys.argv)
             if "--folder" not in (before, w)]
    return {"command": shlex.join(["gmps", *words]) if own else "",
            "commit": commit(), "hardware": hardware(),
            "versions": versions()}


def commit() -> str:
    """The commit of the source, with a + if the source differs from it;
    "unknown" outside a checkout.
    """
    def git(*args):
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *args],
            capture_output=True, text=True, check=False)
    found = shutil.which("git") and git("rev-parse", "HEAD").stdout.strip()
    if not found:
        return "unknown"
    clean = git("diff", "--quiet", "HEAD", "--", "*.py", "*.xml")
    return found + "+" * bool(clean.returncode)


def hardware() -> str:
    """The processor's model, how many cores there are, and a GPU in use."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    found = re.search(r"model name\s*: (.*)", text)
    cpu = found[1] if found else platform.processor() or platform.machine()
    gpu = (f", {torch.cuda.get_device_name()}"
           if torch.get_default_device().type == "cuda" else "")
    return f"{cpu}, {os.cpu_count()} cores{gpu}"


def read_rows(path) -> list[dict[str, float]]:
    """The rows of a CSV file, empty cells left out. Raises ValueError,
    naming file and row, for a cell that is missing or no number.
    """
    rows: list[dict[str, float]] = []
    try:
        for row in csv.DictReader(path.read_text().splitlines()):
            rows.append({k: float(v) for k, v in row.items() if v != ""})
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{path} is truncated or corrupted in row "
                         f"{len(rows)} ({error})") from error
    return rows


@contextmanager
def alone(folder: str | Path | None, wait: bool = False) -> Iterator[None]:
    """Make a folder and hold it. Raises ValueError if it is a file or if
    another run holds it, unless told to wait for that one; the system lets
    go when a process dies.
    """
    if folder is None:
        yield
        return
    if Path(folder).is_file():
        raise ValueError(f"{folder} is a file, a run needs a folder")
    Path(folder).mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    handle = os.open(Path(folder), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (
                0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ValueError(f"another run is writing to {folder}; wait or "
                             "choose another folder") from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)


def say(*words: object) -> None:
    """A line for the person who watches, beside the results."""
    print(*words, file=sys.stderr, flush=True)


def slow(n: int, what: str) -> tqdm:
    """range(n), with a progress bar where it takes more than 5 seconds."""
    return tqdm(range(n), desc=what, delay=5, mininterval=1, leave=False)
