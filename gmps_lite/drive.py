"""You are the expert: record demonstrations by hand, in a notebook.

    pad = drive("push-sparse", "mine.safetensors")
    pad  # as the last line of a cell: a picture to steer in
    pad.session.recording()

The browser keeps the clock and draws; each of its ticks is one control step
of the real environment, here. A finished episode is on disk before the next
one begins, so a closed tab or a killed kernel loses the unfinished one alone.
"""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .dataset import Recording, join, load, pick, save
from .envs import Env, make
from .log import commit
from .types import Tasks, lookup


class Scene(NamedTuple):
    """What a top view of an environment shows, in meters."""

    low: tuple[float, float]  # left, bottom
    high: tuple[float, float]  # right, top
    bodies: dict[str, tuple[int, float]]  # name: (x in obs, its size)
    reach: float  # how far one step at full action goes


SCENES = {
    "point": Scene((-1.4, -1.4), (1.4, 1.4), {"point": (0, 0.06)}, 0.1),
    "push": Scene((-0.3, 0.34), (0.3, 0.9),
                  {"hand": (0, 0.045), "block": (3, 0.02)}, 0.01),
}


class Session:
    """Episodes by hand on an environment, and the file that keeps them."""

    def __init__(self, env: Env, path: str | Path, goals=None,
                 shake: float = 0.0, by: str = "a person"):
        """path: of the recording; if it is there already, its episodes are
            kept and new ones added. goals [N, G] of the tasks to
            demonstrate; default: four of the train split, spread evenly.
        shake: standard deviation of noise on what is executed, but not
            written down: the recording then shows states off the path, and
            how you come back from there (Laskey et al. 2017).
        by: who demonstrates, for the file's header.
        Raises ValueError for an environment without a top view and for a
        file that is no recording of it.
        """
        if not 0 <= shake < np.inf:
            raise ValueError(f"shake is {shake!r}, must be finite and not "
                             "negative")
        self.shake, self.rng = shake, np.random.default_rng()
        self.about = {"by": f"{by}, with gmps_lite.drive, shake {shake:g}",
                      "commit": commit()}
        lookup("environment with a top view", env.body, SCENES)
        self.env, self.path = env, Path(path)
        if self.path.suffix != ".safetensors":
            raise ValueError(f"{path} must end in .safetensors")
        own = env.splits["train"]
        if goals is None:
            goals = own[np.linspace(0, len(own) - 1, 4).astype(int)].goal
        self.tasks = Tasks(torch.as_tensor(goals, dtype=torch.float32))
        if self.tasks.goal.dim() != 2 or (
                self.tasks.goal.shape[1] != env.goal_dim) or (
                not torch.isfinite(self.tasks.goal).all()):
            raise ValueError(f"goals are {goals!r}, in {env.name} expected "
                             f"finite numbers of shape [N, {env.goal_dim}]")
        self.episodes: list[Recording] = []
        if self.path.exists():
            rec = load(str(self.path), env)
            self.episodes = [pick(rec, torch.tensor([r]))
                             for r in range(len(rec.length))]
        self.steps: list[tuple] = []
        self.reset(0)

    def reset(self, task: int) -> dict:
        """Begin an episode of a task; what was not finished is dropped."""
        if not isinstance(task, int) or not 0 <= task < self.tasks.n:
            raise ValueError(f"task is {task!r}, must be an int from 0 to "
                             f"{self.tasks.n - 1}")
        self.task, self.steps, self.done = task, [], False
        self.goal = self.tasks.goal[task].double().numpy()
        self.state = self.env.reset(1)
        return self.look(0.0, self.env.error(self.state, self.goal[None]))

    def step(self, act: list[float]) -> dict:
        """One control step; the horizon ends the episode and keeps it. Two
        numbers steer in the plane, what is left of an action stays 0.
        """
        if self.done:
            raise ValueError("the episode is over: begin another one")
        a = np.zeros((1, self.env.act_dim))
        try:
            a[0, :len(act)] = act
        except (TypeError, ValueError) as error:
            raise ValueError(f"an action is {act!r}, expected up to "
                             f"{self.env.act_dim} numbers") from error
        if not np.isfinite(a).all():
            raise ValueError(f"an action is {act!r}, must be finite")
        obs = self.env.observe(self.state)[0]
        # The height too, which nobody steers: a policy explores it as well,
        # and must have seen what to do there.
        shaken = a + self.shake * self.rng.standard_normal(a.shape)
        self.state, rew, error = self.env.step(self.state, shaken,
                                               self.goal[None])
        self.steps.append((obs, a[0], rew[0], error[0]))
        self.done = len(self.steps) == self.env.horizon
        if self.done:
            self.keep()
        return self.look(rew[0], error)

    def look(self, rew: float, error: np.ndarray) -> dict:
        """What the browser draws after a step."""
        return {"obs": self.env.observe(self.state)[0].tolist(),
                "t": len(self.steps), "rew": float(rew), "done": self.done,
                "error": float(error[0]),
                "success": bool(error[0] < self.env.tolerance)}

    def keep(self) -> None:
        """Add the finished episode and write the file."""
        obs, act, rew, error = (
            torch.as_tensor(np.array(x), dtype=torch.float32)
            for x in zip(*self.steps, strict=True))
        self.write([*self.episodes, Recording(
            obs, act, rew, error, torch.tensor([len(rew)]),
            self.tasks.goal[self.task][None])])

    def delete(self, episode: int) -> None:
        """Forget an episode, in the file too."""
        if not isinstance(episode, int) or not (
                0 <= episode < len(self.episodes)):
            raise ValueError(f"episode is {episode!r}, there are "
                             f"{len(self.episodes)}, from 0 on")
        self.write([e for i, e in enumerate(self.episodes) if i != episode])

    def write(self, episodes: list[Recording]) -> None:
        """Write these, then remember them: a failed write changes
        nothing, neither here nor on disk.
        """
        if episodes:
            save(self.path, join(episodes), self.env, self.about)
        else:
            self.path.unlink(missing_ok=True)
        self.episodes = episodes

    def recording(self) -> Recording:
        """All finished episodes. Raises ValueError if there is none."""
        if not self.episodes:
            raise ValueError("nothing is recorded yet: steer an episode to "
                             "its end first")
        return join(self.episodes)

    def listing(self) -> list[dict]:
        """A line for each episode: its goal, return, last distance."""
        return [{"goal": e.goal[0].tolist(), "ret": float(e.rew.sum()),
                 "error": float(e.error[-1]),
                 "success": bool(e.error[-1] < self.env.tolerance)}
                for e in self.episodes]

    def path_of(self, episode: int) -> list[list[float]]:
        """The observations of an episode, to replay."""
        return self.episodes[episode].obs.tolist()


def front_end() -> bool:
    """Whether somebody may be looking: a kernel that JupyterLab, the
    classic notebook, VS Code or Colab has started, not papermill.
    """
    return ("google.colab" in sys.modules or "JPY_SESSION_NAME" in os.environ
            or "VSCODE_PID" in os.environ)


def drive(env: str, path: str | Path, goals=None, shake: float = 0.0):
    """The widget to steer in; arguments as of `Session`. Raises ValueError
    as `Session` does, and if anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ValueError(f"pip install anywidget to steer ({error})"
                         ) from error
    session = Session(make(env), path, goals, shake)
    scene = SCENES[session.env.body]

    class Drive(anywidget.AnyWidget):
        """The browser's half is static/drive.js; they talk in messages."""

        _esm = resources.files("gmps_lite").joinpath(
            "static/drive.js").read_text()
        setup = traitlets.Dict().tag(sync=True)
        episodes = traitlets.List().tag(sync=True)

    widget = Drive(setup={
        **scene._asdict(), "goals": session.tasks.goal.tolist(),
        "first": session.reset(0)["obs"],
        "horizon": session.env.horizon, "dt": session.env.dt,
        "unit": session.env.unit, "track": session.env.path.start,
        "tolerance": session.env.tolerance}, episodes=session.listing())
    widget.session = session

    def answer(_, message: dict, buffers) -> None:
        """One message of the browser, answered by one."""
        if message == {"kind": "hurry"}:  # see drive.js
            return
        try:
            kind = lookup("message", message.get("kind"), {
                "reset": lambda m: session.reset(m["task"]),
                "step": lambda m: session.step(m["act"]),
                "delete": lambda m: session.delete(m["episode"]),
                "replay": lambda m: {"path": session.path_of(m["episode"])}})
            found = kind(message) or {}
        except (ValueError, KeyError, IndexError, OSError) as error:
            found = {"problem": str(error)}
        if found.get("done") or message.get("kind") == "delete":
            widget.episodes = session.listing()
        widget.send({"kind": message.get("kind"), "id": message.get("id"),
                     **found})
    widget.on_msg(answer)
    return widget


__all__ = ["Session", "drive", "front_end"]
