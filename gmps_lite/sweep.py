"""`gmps sweep`: many runs, each a process of its own, then one table for
each method and environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, NamedTuple

from tqdm import tqdm
from tyro.conf import arg

from .checkpoint import read_json
from .log import changes, read_rows, say
from .results import check_stored, gather
from .train import config
from .types import check_count, lookup

READ = {"int": int, "float": float, "str": str,
        "bool": {"true": True, "false": False}.__getitem__,
        "tuple[int, ...]": lambda text: tuple(map(int, text.split(",")))}


class Job(NamedTuple):
    """One run."""

    name: str  # of the results that it becomes a part of
    about: dict  # method, env, seed, config
    folder: Path
    flags: list[str]  # of `gmps train`

    def finished(self) -> bool:
        """Whether the folder holds all rows of this run. Raises ValueError,
        naming the fields, if it holds a run of another config.
        """
        path = self.folder / "config.json"
        if not path.exists():
            return False
        if diff := changes(read_json(path), self.about):
            raise ValueError(f"{self.folder} holds a run of another config "
                             f"({diff}); choose another folder or tag")
        path = self.folder / "metrics.csv"
        return path.exists() and len(read_rows(path)) == self.about[
            "config"]["iterations"]

    def begin(self) -> subprocess.Popen:
        """The process that makes or continues the run."""
        about = self.about
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.txt").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "gmps_lite.cli", "train",
                 about["method"], "--env", about["env"], "--seed",
                 str(about["seed"]), "--folder", str(self.folder),
                 *self.flags], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the sweep alone, which then ends the run.
                start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"})

    def tail(self) -> str:
        """The end of what the run said."""
        text = (self.folder / "log.txt").read_text(errors="replace")
        lines = text.replace("\r", "\n").rstrip().splitlines()[-10:]
        return "\n".join(f"    {line}" for line in lines)


def sweep(methods: list[str], envs: list[str], seeds: list[int],
          set: Annotated[list[str], arg(metavar="FIELD=VALUE")] = [],  # noqa: A002, B006
          tag: str = "", jobs: int = 1, folder: Path = Path("runs"),
          out: Path = Path("gmps_lite/results"), eval_every: int = 1,
          eval_steps: int = 3) -> None:
    """Train every method on every environment with every seed; finished
    runs are skipped, unfinished ones go on. Then gather ENV-METHOD.csv and
    its record. A run that fails stops no other; the exit status is then 1.

    Args:
        methods: what to train
        envs: on what
        seeds: of each; results keep the seeds that they hold besides
        set: changes of the Config, as inner_steps=0 or hidden=64,64
        tag: what a changed method is called in the names: ENV-TAG
        jobs: runs at a time
        folder: where the run folders go
        out: where the results go
        eval_every: evaluate on the test split every so many iterations
        eval_steps: adaptation steps of that evaluation
    """
    check_count("jobs", jobs, 1)
    flags = ["--eval-every", str(eval_every), "--eval-steps",
             str(eval_steps)]
    every = plan(methods, envs, seeds, set, tag, Path(folder), flags)
    for job in every:
        check_stored(job.name, job.about, out)
    todo = [job for job in every if not job.finished()]
    say(f"{len(every)} runs, {len(every) - len(todo)} finished before")
    bad = run(todo, jobs)
    for name in dict.fromkeys(job.name for job in every):
        group = [job for job in every if job.name == name]
        if lost := [job.folder.name for job in group if job in bad]:
            say(f"{name} is not gathered, without {', '.join(lost)}")
            continue
        gather(name, [job.folder for job in group], out)
    if bad:
        raise SystemExit(f"gmps: {len(bad)} of {len(every)} runs failed")


def plan(methods: Iterable[str], envs: Iterable[str], seeds: Iterable[int],
         sets: Iterable[str], tag: str, folder: Path, flags: list[str]
         ) -> list[Job]:
    """All runs, those of one table side by side."""
    methods, every = [*dict.fromkeys(methods)], []
    if tag and len(methods) > 1:
        raise ValueError(f"tag {tag!r} would name the results of "
                         f"{', '.join(methods)} alike: sweep one method")
    for env in dict.fromkeys(envs):
        for method in methods:
            values = dict(parse(config(method, env), x) for x in sets)
            cfg = config(method, env, **values)
            mine = [f for k, v in values.items() for f in as_flags(k, v)]
            for seed in dict.fromkeys(seeds):
                check_count("seed", seed)
                about = json.loads(json.dumps({
                    "method": method, "env": env, "seed": seed,
                    "config": asdict(cfg)}))
                name = f"{env}-{tag or method}"
                every.append(Job(name, about, folder / f"{name}-s{seed}",
                                 mine + flags))
    if not every:
        raise ValueError("nothing to do: name methods, envs and seeds")
    return every


def parse(cfg, text: str) -> tuple[str, object]:
    """("inner_steps", 0) from "inner_steps=0". Raises ValueError."""
    name, _, value = text.partition("=")
    kind = lookup("Config field", name, {f.name: f.type for f in fields(cfg)})
    try:
        return name, READ[kind](value)
    except (ValueError, KeyError):
        raise ValueError(f"{text!r}: {name} must be of type {kind}, as in "
                         f"{name}={getattr(cfg, name)}") from None


def as_flags(name: str, value) -> list[str]:
    """A Config field as `gmps train` takes it."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    many = value if isinstance(value, tuple) else (value,)
    return [f"--{flag}", *map(str, many)]


def run(todo: list[Job], jobs: int) -> list[Job]:
    """Run all, `jobs` at a time; the ones that failed. If it is stopped,
    every process ends first, with a checkpoint to go on from.
    """
    waiting, running, bad = list(todo), {}, []
    with tqdm(total=len(todo), desc="sweep", unit="run") as bar:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    job = waiting.pop(0)
                    running[job.begin()] = job, time.monotonic()
                time.sleep(0.2)
                for child in [c for c in running if c.poll() is not None]:
                    job, began = running.pop(child)
                    word = f"FAILED ({child.returncode})" * bool(
                        child.returncode) or "ok"
                    bar.write(f"{job.folder.name}  {word}  "
                              f"{(time.monotonic() - began) / 60:.1f} min",
                              file=sys.stderr)
                    if child.returncode:
                        bad.append(job)
                        bar.write(job.tail(), file=sys.stderr)
                    bar.update()
        except KeyboardInterrupt:
            bar.write("stopped; the same call goes on", file=sys.stderr)
            raise
        finally:
            end(running)
    return bad


def end(children: Iterable[subprocess.Popen]) -> None:
    """Stop politely, and after half a minute for good."""
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
