"""Demonstrations as files: which environment, which tasks, who, every step.

A recording may hold any number of episodes of any length, of any tasks in any
order, as people leave them. `demos_of` brings it into the shape that the
outer loss eats.
"""

from __future__ import annotations

import zlib
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..checkpoint import load_file, save_file
from ..envs import ENVS, Env
from ..types import Demos, Episodes, Tasks, lookup
from .packing import deflate, inflate

KIND = "demonstrations"


class Recording(NamedTuple):
    """R episodes, S steps in all, one episode after the other."""

    obs: Tensor  # [S, O]
    act: Tensor  # [S, A] what the demonstrator wanted, not clipped
    rew: Tensor  # [S]
    error: Tensor  # [S] distance to the goal after the step; m or rad
    length: Tensor  # [R] steps of each episode
    goal: Tensor  # [R, G] its task

    @property
    def row(self) -> Tensor:
        """Which episode each step belongs to, [S]."""
        return torch.repeat_interleave(self.length)


def recording(tasks: Tasks, episodes: Episodes) -> Recording:
    """What was rolled out, task by task."""
    n, e, t = episodes.rew.shape
    return Recording(
        episodes.obs.flatten(0, 2), episodes.act.flatten(0, 2),
        episodes.rew.flatten(), episodes.error.flatten(),
        torch.full((n * e,), t), tasks.goal.repeat_interleave(e, 0))


def join(parts: list[Recording]) -> Recording:
    """All episodes of all of them."""
    return Recording(*(torch.cat(x) for x in zip(*parts, strict=True)))


def pick(rec: Recording, rows: Tensor) -> Recording:
    """The episodes at `rows`, ints or booleans, in that order."""
    rows = torch.arange(len(rec.length))[rows]
    ends = rec.length.cumsum(0)
    steps = torch.cat([torch.arange(0)] + [
        torch.arange(ends[r] - rec.length[r], ends[r]) for r in rows])
    return Recording(*(x[steps] for x in rec[:4]), rec.length[rows],
                     rec.goal[rows])


def tasks_of(rec: Recording) -> Tasks:
    """The tasks that were demonstrated, each once, as they first appear."""
    goals = dict.fromkeys(map(tuple, rec.goal.tolist()))
    return Tasks(torch.tensor(list(goals), dtype=torch.float32))


def training_tasks(cfg, env: Env) -> Tasks:
    """What to meta-train on: the tasks that were demonstrated, where a
    Config says so; else the train split.
    """
    demos = getattr(cfg, "demos", "")
    return tasks_of(load(demos, env)) if demos else env.splits["train"].tasks


def demos_of(rec: Recording, tasks: Tasks, most: int) -> Demos:
    """The steps of each task's first `most` episodes [N, M, .], M of the
    task that has the most; the others' are repeated in turn, so that none
    is lost and each task counts the same. Actions are clipped to [-1, 1].
    Raises ValueError for a task that nobody has demonstrated.
    """
    rows = []
    for i, goal in enumerate(tasks.goal):
        mine = (rec.goal == goal).all(1)
        mine &= mine.cumsum(0) <= most
        if not mine.any():
            raise ValueError(f"task {i}, goal {goal.tolist()}, has no "
                             "demonstration")
        rows.append(torch.nonzero(mine[rec.row]).flatten())
    steps = torch.arange(max(map(len, rows)))
    index = torch.stack([r[steps % len(r)] for r in rows])
    return Demos(rec.obs[index], rec.act[index].clamp(-1.0, 1.0))


def check(rec: Recording, env: Env) -> None:
    """Raise ValueError, naming the episode and the step, for sizes that are
    not those of the environment, an empty or overlong episode, or a number
    that is not finite.
    """
    steps, episodes = len(rec.rew), len(rec.length)
    if rec.length.dtype != torch.int64 or rec.length.dim() != 1:
        raise ValueError("length must be a row of whole numbers")
    for name, want in (
            ("obs", (steps, env.obs_dim)), ("act", (steps, env.act_dim)),
            ("rew", (steps,)), ("error", (steps,)),
            ("goal", (episodes, env.goal_dim))):
        x, bytes_ = getattr(rec, name), env.pixels and name == "obs"
        if x.shape != want or (x.dtype != torch.uint8 if bytes_
                               else not x.is_floating_point()):
            raise ValueError(
                f"{name} is {tuple(x.shape)} {x.dtype}, in {env.name} "
                f"expected {want} of {'uint8' if bytes_ else 'floats'}")
    if not episodes:
        raise ValueError("there is no episode")
    for r, t in enumerate(rec.length.tolist()):
        if not 1 <= t <= env.horizon:
            raise ValueError(f"episode {r} has {t} steps, allowed are 1 to "
                             f"{env.horizon}")
    if int(rec.length.sum()) != steps:
        raise ValueError(f"the episodes have {int(rec.length.sum())} steps "
                         f"in all, but {steps} are there")
    row, first = rec.row, rec.length.cumsum(0) - rec.length
    for name, i in broken(rec):
        where = f"episode {i}" if name == "goal" else (
            f"episode {row[i]}, step {i - first[row[i]]}")
        raise ValueError(f"{name} of {where} is not finite")


def broken(rec: Recording) -> list[tuple[str, int]]:
    """(name, index) of everything in a recording that is not finite."""
    out = []
    for name in ("goal", "obs", "act", "rew", "error"):
        x = getattr(rec, name)
        bad = ~torch.isfinite(x.reshape(len(x), -1)).all(1)
        out += [(name, int(i)) for i in torch.nonzero(bad).flatten()]
    return out


def save(path: str | Path, rec: Recording, env: Env, about: dict) -> None:
    """Write a recording whole or not at all; about: who demonstrated, and
    how it was made. Raises ValueError as `check` does.
    """
    check(rec, env)
    tensors = rec._asdict()
    if env.pixels:
        tensors |= deflate(tensors.pop("obs"), rec.length)
    save_file(path, tensors, {"kind": KIND, "env": env.name} | about)


def read(path: str | Path) -> tuple[Recording, dict]:
    """A recording as it stands in a file, unchecked but for its form, and
    the header. Raises ValueError, naming the file, for one that is missing,
    truncated or no recording.
    """
    tensors, header = load_file(path, "recording", finite=False)
    if header.get("kind") != KIND:
        raise ValueError(f"{path} holds no demonstrations but "
                         f"{header.get('kind', 'a checkpoint')!r}")
    if "packed" in tensors:
        try:
            tensors["obs"] = inflate(tensors)
        except (KeyError, ValueError, zlib.error) as error:
            raise ValueError(f"{path}: its pictures are damaged ({error})"
                             ) from error
    if lack := [k for k in Recording._fields if k not in tensors]:
        raise ValueError(f"{path} lacks {', '.join(lack)}" + (
            ": without the goals nobody knows which task an episode is of"
            if "goal" in lack else ""))
    return Recording(*(tensors[k] for k in Recording._fields)), header


def load(name: str, env: Env) -> Recording:
    """A recording of `env`: a file, or a name in `shipped()`. One without
    pictures, of the same body, serves an env that has a camera: `Env.see`
    takes them. Raises ValueError, naming the file, if it does not fit.
    """
    path = find(name)
    rec, header = read(path)
    home = ENVS.get(header.get("env"))
    if home is not type(env) and not (
            home and env.pixels and home.body == env.body):
        raise ValueError(f"{path} holds demonstrations of "
                         f"{header.get('env')!r}, not of {env.name!r}")
    try:
        check(rec, env if home.pixels else env.plain)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return rec


def find(name: str) -> Path:
    """The file that `name` stands for: itself, or one of `shipped()`."""
    return Path(name) if name.endswith(".safetensors") else lookup(
        "demonstrations", name, shipped())


def shipped() -> dict[str, Path]:
    """The recordings that come with the package, by name."""
    folder = resources.files("gmps_lite").joinpath("demonstrations")
    return {p.name.removesuffix(".safetensors"): Path(str(p))
            for p in sorted(folder.iterdir(), key=str)
            if p.name.endswith(".safetensors")} if folder.is_dir() else {}


def table(rec: Recording, env: Env) -> str:
    """What is in a recording, a line a task, and what is suspicious."""
    n, row = len(rec.length), rec.row
    ret = torch.zeros(n).index_add(0, row, rec.rew)
    last = rec.error[rec.length.cumsum(0) - 1]
    lines = [" task  episodes  steps   return   error  success  goal"]
    for i, goal in enumerate(tasks_of(rec).goal):
        mine = (rec.goal == goal).all(1)
        lines.append(
            f"{i:5d} {int(mine.sum()):9d} {int(rec.length[mine].sum()):6d} "
            f"{ret[mine].mean():8.1f} {last[mine].mean():7.3f} "
            f"{(last[mine] < env.tolerance).float().mean():8.0%}  "
            + ", ".join(f"{x:.3f}" for x in goal.tolist()))
    lines.append(f"{n} episodes, {len(rec.rew):,} steps, error in "
                 f"{env.unit}")
    for a, x in enumerate(rec.act.T):
        lines.append(f"action {a}: from {x.min():.2f} to {x.max():.2f}, "
                     f"mean {x.mean():.2f}")
    clipped = (rec.act.abs() > 1).any(1)
    if clipped.any():
        lines.append(f"CLIPPED: {int(clipped.sum()):,} steps "
                     f"({clipped.float().mean():.0%}) ask for more than 1; "
                     "they are executed and imitated as 1")
    count: dict[str, list[int]] = {}
    for name, i in broken(rec):
        count.setdefault(name, []).append(i)
    for name, bad in count.items():
        episode = bad[0] if name == "goal" else int(row[bad[0]])
        lines.append(f"NOT FINITE: {name} in {len(bad)} rows, the first in "
                     f"episode {episode}")
    short = np.unique(rec.length.numpy())
    if len(short) > 1 or short[0] != env.horizon:
        lines.append(f"SHORT: episodes of {short.min()} to {short.max()} "
                     f"steps, the environment's have {env.horizon}")
    return "\n".join(lines)
