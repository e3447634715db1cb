"""One folder a run: config.json, metrics.csv, checkpoints; one line an
iteration on the console.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .checkpoint import read_json, write

try:
    import fcntl
except ImportError:  # Windows: nothing stops a second run in a folder
    fcntl = None


class Log:
    """Metrics of one run. Keys that begin with "steps_" are environment
    steps: every one is counted here, by phase, and summed in `total_steps`.
    """

    def __init__(self, folder: str | Path | None, config: dict):
        """folder: where to write, or None to keep rows in memory only. A
        folder that holds another config is refused, not overwritten, by
        a ValueError.
        """
        self.folder = Path(folder) if folder is not None else None
        self.rows: list[dict] = []
        if self.folder is None:
            return
        path = self.folder / "config.json"
        if path.exists():
            old = read_json(path)
            diff = [k for k in sorted({*old, *config})
                    if old.get(k) != config.get(k)]
            if diff:
                changes = ", ".join(
                    f"{k}: {old.get(k)!r} there, {config.get(k)!r} now"
                    for k in diff)
                raise ValueError(f"{self.folder} holds a run of another "
                                 f"config ({changes}); choose another folder")
        write(path, json.dumps(config, indent=1).encode())

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
def alone(folder: str | Path | None) -> Iterator[None]:
    """Make a folder and hold it. Raises ValueError if it is a file or if
    another run holds it; the system lets go when a process dies.
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
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
