"""Stored results and shipped checkpoints, each with where it comes from."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np

from .checkpoint import load_file, read_json, save_file, versions, write
from .log import read_rows

RECORD = ("method", "env", "config", "seeds", "commit", "minutes",
          "hardware", "versions")


def results(name: str) -> tuple[dict[str, np.ndarray], dict]:
    """Stored results: columns by name, and the record (method, env, config,
    seeds, commit, minutes, hardware, versions). Raises ValueError, naming
    the file, for results that are missing or damaged.
    """
    folder = resources.files("gmps_lite").joinpath("results")
    path = folder.joinpath(f"{name}.csv")
    if not path.is_file():
        have = sorted(p.name[:-4] for p in folder.iterdir()
                      if p.name.endswith(".csv"))
        raise ValueError(f"no results called {name!r}; there are "
                         f"{', '.join(have) or 'none'}")
    rows = _rows(path)
    columns = {key: np.array([row.get(key, np.nan) for row in rows])
               for key in _keys(rows)}
    path = folder.joinpath(f"{name}.json")
    return columns, _need(read_json(path), RECORD, path)


def label(record: dict) -> str:
    """One line of provenance for a figure or a table."""
    return (f"{record['method']} on {record['env']}: "
            f"{len(record['seeds'])} seeds, {record['minutes']:.0f} min in "
            f"all on {record['hardware']}, commit {record['commit'][:7]}")


def best_rows(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each seed the iteration whose post-update return on *training*
    tasks is best: the checkpoint that `train` keeps. [seeds] a column.
    """
    picked = []
    for seed in np.unique(columns["seed"]):
        rows = np.flatnonzero(columns["seed"] == seed)
        picked.append(rows[np.nanargmax(columns["ret_post"][rows])])
    return {key: values[picked] for key, values in columns.items()}


def gather(name: str, folders: list[Path], out: Path) -> Path:
    """Write NAME.csv (every iteration of every run) and NAME.json (the
    record). Raises ValueError unless the runs are finished, whole and
    differ in the seed alone.
    """
    if not name or Path(name).name != name:
        raise ValueError(f"name is {name!r}, must be a file name's stem")
    if not folders:
        raise ValueError("there are no run folders to gather")
    abouts, rows = [], []
    for folder in map(Path, folders):
        for part in ("config.json", "metrics.csv"):
            if not (folder / part).is_file():
                raise ValueError(f"{folder} holds no {part}")
        about = _need(read_json(folder / "config.json"),
                      ("method", "env", "seed", "config"), folder)
        _need(about["config"], (), f"{folder}, config")
        first = abouts[0] if abouts else about
        for key in ("method", "env", "config"):
            if about[key] != first[key]:
                raise ValueError(f"{folder} has {key} {about[key]!r}, "
                                 f"{folders[0]} has {first[key]!r}")
        if about["seed"] in [a["seed"] for a in abouts]:
            raise ValueError(f"{folder} repeats seed {about['seed']}")
        abouts.append(about)
        found = _rows(folder / "metrics.csv")
        if not rows:  # a chapter's own experiment has rows as it likes
            size = (len(found) if str(about["method"]).startswith("ch")
                    else about["config"].get("iterations"))
        if len(found) != size:
            raise ValueError(f"{folder} has {len(found)} of {size} "
                             "iterations; finish the run first")
        rows += [{"seed": about["seed"]} | {
            k: f"{v:.6g}" for k, v in row.items()} for row in found]
    seconds = sum(float(row.get("seconds", 0)) for row in rows)
    record = {
        "name": name, "method": abouts[0]["method"], "env": abouts[0]["env"],
        "config": abouts[0]["config"], "seeds": [a["seed"] for a in abouts],
        "command": command(abouts[0]),
        "commit": commit(), "minutes": round(seconds / 60, 2),
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": versions()}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _keys(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(out / f"{name}.csv", text.getvalue().encode())
    write(out / f"{name}.json", json.dumps(record, indent=1).encode())
    return out / f"{name}.csv"


def command(about: dict) -> str:
    """What makes such a run; the Config in the record has its numbers."""
    method, env = about["method"], about["env"]
    if method.startswith("ch"):  # a chapter's own experiment
        return (f"GMPS_LITE_KEEP=runs papermill book/{method}.ipynb "
                f"out.ipynb -p SEED {about['seed']}")
    return f"gmps train {method} {env} --seed {about['seed']}"


def slim(checkpoint: Path, out: Path) -> Path:
    """A checkpoint without its optimizer and with one demonstrated step a
    task: enough to act, adapt and evaluate, too little to go on training.
    Raises ValueError if `out` is there already.
    """
    if Path(out).exists():
        raise ValueError(f"{out} is there already; delete it first or choose "
                         "another name")
    tensors, header = load_file(checkpoint)
    small = {k: v[:, :1] if k.startswith("demos.") else v
             for k, v in tensors.items() if not k.startswith("opt.")}
    header = {k: v for k, v in header.items() if k != "rng"}
    save_file(out, small, header | {"commit": commit()})
    return out


def commit() -> str:
    """The commit of the source, "unknown" outside a checkout."""
    done = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _rows(path) -> list[dict[str, float]]:
    """The rows of a CSV file that has some."""
    rows = read_rows(path)
    if not rows:
        raise ValueError(f"{path} holds no rows")
    return rows


def _keys(rows: list[dict]) -> list[str]:
    """Every column that a row has, in the order of appearance."""
    return list(dict.fromkeys(k for row in rows for k in row))


def _need(found: dict, keys: tuple[str, ...], path) -> dict:
    """`found`, or an error that says which keys it lacks."""
    if not isinstance(found, dict):
        raise ValueError(f"{path} is {found!r}, must be an object")
    if lack := [key for key in keys if key not in found]:
        raise ValueError(f"{path} lacks {', '.join(lack)}")
    return found
