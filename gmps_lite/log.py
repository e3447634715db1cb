"""One folder a run: config.json, metrics.csv, checkpoints; one line an
iteration on the console.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

from .checkpoint import write


class Log:
    """Metrics of one run. Keys that begin with "steps_" are environment
    steps: every one is counted here, by phase, and summed in `total_steps`.
    """

    def __init__(self, folder: str | Path | None, config: dict):
        """folder: where to write, or None to keep rows in memory only. A
        folder that holds another config is refused, not overwritten.
        """
        self.folder = Path(folder) if folder is not None else None
        self.rows: list[dict] = []
        if self.folder is None:
            return
        path = self.folder / "config.json"
        if path.exists():
            old = json.loads(path.read_text())
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
        """Keep the rows of iterations before `iteration`."""
        path = self.folder / "metrics.csv"
        if path.exists():
            with path.open(newline="") as file:
                self.rows = [
                    {k: float(v) for k, v in row.items() if v != ""}
                    for row in csv.DictReader(file)
                    if row.get("iteration") and None not in row.values()
                    and float(row["iteration"]) < iteration]

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


def say(*words: object) -> None:
    """A line for the person who watches, beside the results."""
    print(*words, file=sys.stderr, flush=True)
