"""Stored results and shipped checkpoints, each with where it comes from."""

from __future__ import annotations

import csv
import io
import json
from importlib import resources
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from .checkpoint import load_file, read_json, save_file, write
from .envs import make
from .evaluate import evaluate_expert
from .experts import TRAINERS, expert_for
from .log import alone, changes, commit, provenance, read_rows, say

RECORD = ("method", "env", "config", "seeds", "commit", "minutes",
          "hardware", "versions")

SAME = ("method", "env", "config", "splits")  # in all rows of one table


class Missing(ValueError):
    """Results that nobody has made yet."""


def results(name: str) -> tuple[dict[str, np.ndarray], dict]:
    """Stored results: columns by name, and the record (method, env, config,
    seeds, commit, minutes, hardware, versions). Raises Missing, a
    ValueError, for results that are not there, and ValueError, naming the
    file, for damaged ones.
    """
    folder = resources.files("gmps_lite").joinpath("results")
    path = folder.joinpath(f"{name}.csv")
    if not path.is_file():
        have = sorted(p.name[:-4] for p in folder.iterdir()
                      if p.name.endswith(".csv"))
        raise Missing(f"no results called {name!r}; there are "
                      f"{', '.join(have) or 'none'}")
    rows = _rows(path)
    columns = {key: np.array([row.get(key, np.nan) for row in rows])
               for key in _keys(rows)}
    path = folder.joinpath(f"{name}.json")
    return columns, _need(read_json(path), RECORD, path)


def label(record: dict) -> str:
    """One line of provenance for a figure or a table."""
    commits = "; ".join(c[:7] for c in record["commit"].split("; "))
    return (f"{record['method']} on {record['env']}: "
            f"{len(record['seeds'])} seeds, {record['minutes']:.0f} min in "
            f"all on {record['hardware']}, commit {commits}")


def gather(name: Positional[str], folders: Positional[list[Path]], /,
           out: Path = Path("gmps_lite/results")) -> Path:
    """Gather finished runs that differ in the seed alone: write NAME.csv
    (every iteration of every run) and NAME.json (the record), which keep
    the seeds that they hold besides. Raises ValueError for other runs.

    Args:
        name: of the results, for `results(name)` and `gmps plot`
        folders: run folders
        out: where NAME.csv and NAME.json go
    """
    _stem(name)
    if not folders:
        raise ValueError("there are no run folders to gather")
    abouts, rows, starts = [], [], []
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
        rows += [{"seed": about["seed"]} | row for row in found]
        path = folder / "provenance.json"
        starts += read_json(path)["starts"] if path.exists() else [
            provenance()]
    first = abouts[0]
    record = {"name": name} | {k: first[k] for k in SAME[:3]} | {
        "seeds": [a["seed"] for a in abouts],
        "command": command(first, starts[0]["command"])}
    for key in ("commit", "hardware"):
        record[key] = _join(s[key] for s in starts)
    record["versions"] = starts[-1]["versions"]
    if "expert" in first["config"]:
        record["expert"] = expert_scores(first["env"],
                                         first["config"]["expert"])
    path = store(name, rows, record, out)
    say(f"wrote {path}")
    return path


def store(name: str, rows: list[dict], record: dict, out: Path) -> Path:
    """Write NAME.csv and NAME.json, keeping the rows of other seeds that
    they hold; who else writes there waits. Raises ValueError, naming the
    fields, if they hold rows of another config.
    """
    path, out = Path(out) / f"{_stem(name)}.csv", Path(out)
    with alone(out, wait=True):
        check_stored(name, record, out)
        if path.exists():
            old = read_json(path.with_suffix(".json"))
            kept = [row for row in _rows(path)
                    if row["seed"] not in record["seeds"]]
            if kept:
                record = record | {
                    "seeds": sorted({int(r["seed"]) for r in kept + rows})}
                for key in ("commit", "hardware"):
                    record[key] = _join([old[key], record[key]])
            rows = sorted(kept + rows, key=lambda row: row["seed"])
        seconds = sum(row.get("seconds", 0) for row in rows)
        record = record | {"minutes": round(seconds / 60, 2)}
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, _keys(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.7g}" for k, v in row.items()}
                         for row in rows)
        write(path, text.getvalue().encode())
        write(path.with_suffix(".json"),
              json.dumps(record, indent=1).encode())
    return path


def check_stored(name: str, record: dict, out: Path) -> None:
    """Raise ValueError, naming the fields, if the results NAME in `out` are
    there and of another method, env or config.
    """
    path = Path(out) / f"{_stem(name)}.json"
    if path.exists():
        old = read_json(path)
        if diff := changes(*({k: r.get(k) for k in SAME}
                             for r in (old, record))):
            raise ValueError(f"{path} holds results of another config "
                             f"({diff}); choose another name or folder, or "
                             "delete it first")


def expert_scores(env: str, name: str) -> dict:
    """Mean return, error and success of an expert on every split."""
    world = make(env).plain  # experts see numbers
    expert, out = expert_for(world, name), {}
    for split in world.splits.values():
        found = evaluate_expert(world, split.tasks, expert)
        out[split.name] = {k: round(float(getattr(found, k).mean()), 4)
                           for k in ("ret", "error", "success")}
    return out


def command(about: dict, typed: str = "") -> str:
    """What makes such a run; the Config in the record has its numbers.

    typed: what was typed on the command line, where that is known.
    """
    method, env = about["method"], about["env"]
    if method.startswith("ch"):  # a chapter's own experiment
        return (f"GMPS_LITE_KEEP=runs papermill book/{method}.ipynb "
                f"out.ipynb -p SEED {about['seed']}")
    return typed or (f"gmps train {method} --env {env} "
                     f"--seed {about['seed']}")


def slim(checkpoint: Path, out: Path) -> Path:
    """A checkpoint without its optimizers and with one demonstrated step or
    remembered episode a task: enough to act, adapt and evaluate, too little
    to go on training. Of an expert, only the network that acts. What the
    run folder says of command, commit, hardware, minutes and steps goes
    along; all steps of the run count, those after the best checkpoint too.
    Raises ValueError if `out` is there already.
    """
    if Path(out).exists():
        raise ValueError(f"{out} is there already; delete it first or choose "
                         "another name")
    tensors, header = load_file(checkpoint)
    trainer = TRAINERS.get(header.get("method"))
    keep = trainer.ACTOR if trainer else ""
    small = {k: v[:, :1] if k.startswith(("demos.", "memory.")) and v.dim()
             else v for k, v in tensors.items()
             if "opt." not in k and k.startswith(keep)}
    header = {k: v for k, v in header.items() if k != "rng"}
    header["commit"] = commit()
    folder = Path(checkpoint).parent
    if (folder / "provenance.json").is_file():
        made = read_json(folder / "provenance.json")["starts"][-1]
        rows = _rows(folder / "metrics.csv")
        header |= {k: made[k] for k in ("command", "commit", "hardware")} | {
            "steps": rows[-1]["total_steps"],
            "minutes": round(sum(r["seconds"] for r in rows) / 60, 2)}
    save_file(out, small, header)
    return out


def _rows(path) -> list[dict[str, float]]:
    """The rows of a CSV file that has some."""
    rows = read_rows(path)
    if not rows:
        raise ValueError(f"{path} holds no rows")
    return rows


def _stem(name: str) -> str:
    if not name or Path(name).name != name:
        raise ValueError(f"name is {name!r}, must be a file name's stem")
    return name


def _join(texts) -> str:
    """Different texts, each once."""
    return "; ".join(dict.fromkeys(
        part for text in texts for part in text.split("; ")))


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
