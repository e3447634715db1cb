"""Episodes by hand, without the hand: what `drive` shows a browser.

A finished episode is on disk before the next one begins.
"""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .dataset import Recording, join, load, pick, read, save
from .envs import Env
from .log import commit
from .types import Tasks, lookup


class Scene(NamedTuple):
    """What a top view of an environment shows, in meters."""

    low: tuple[float, float]  # left, bottom
    high: tuple[float, float]  # right, top
    bodies: dict  # name: (x in obs, its radius or boxes)
    reach: float  # how far one step at full action goes
    height: int | None = None  # in obs, of what is steered


SCENES = {
    "point": Scene((-1.4, -1.4), (1.4, 1.4), {"point": (0, 0.06)}, 0.1),
    # Boxes: their middle, then half of their width and depth.
    "push": Scene((-0.3, 0.34), (0.3, 0.9), {
        "hand": (0, [(0, 0, 0.045, 0.005), (-0.04, 0.025, 0.005, 0.02),
                     (0.04, 0.025, 0.005, 0.02)]),
        "block": (3, [(0, 0, 0.02, 0.02)])}, 0.01, 2),
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
        names = [f"{by}, with gmps_lite.drive, shake {shake:g}"]
        lookup("environment with a top view", env.body, SCENES)
        self.env, self.path = env, Path(path).expanduser()
        if self.path.suffix != ".safetensors":
            raise ValueError(f"{path} must end in .safetensors")
        own = env.splits["train"]
        if goals is None:
            goals = own[np.linspace(0, len(own) - 1, 4).astype(int)].goal
        self.tasks = Tasks(torch.as_tensor(goals, dtype=torch.float32))
        if self.tasks.goal.dim() != 2 or not self.tasks.n or (
                self.tasks.goal.shape[1] != env.goal_dim) or (
                not torch.isfinite(self.tasks.goal).all()):
            raise ValueError(f"goals are {goals!r}, in {env.name} expected "
                             f"finite numbers of shape [N, {env.goal_dim}]")
        self.episodes: list[Recording] = []
        if self.path.exists():
            rec = load(str(self.path), env)
            self.episodes = [pick(rec, torch.tensor([r]))
                             for r in range(len(rec.length))]
            before = str(read(self.path)[1].get("by", "unknown"))
            names = [before, *(n for n in names if n not in before)]
        self.about = {"by": "; ".join(names), "commit": commit()}
        self.mark = self.marked()
        self.reset(0)

    def reset(self, task: int) -> dict:
        """Begin an episode of a task; what was not finished is dropped."""
        if isinstance(task, bool) or not isinstance(task, Integral) or (
                not 0 <= task < self.tasks.n):
            raise ValueError(f"task is {task!r}, must be an int from 0 to "
                             f"{self.tasks.n - 1}")
        self.task, self.done, self.kept = int(task), False, False
        self.steps: list[tuple] = []
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
        """Add the finished episode and write the file. Raises ValueError if
        there is none that is not in it yet, and OSError if that fails: make
        room then, and call this.
        """
        if not self.done or self.kept:
            raise ValueError("there is no finished episode to keep")
        obs, act, rew, error = (
            torch.as_tensor(np.array(x), dtype=torch.float32)
            for x in zip(*self.steps, strict=True))
        try:
            self.write([*self.episodes, Recording(
                obs, act, rew, error, torch.tensor([len(rew)]),
                self.tasks.goal[self.task][None])])
        except OSError as problem:
            raise OSError(f"{self.path} is not saved ({problem}): make room, "
                          "then call `pad.session.keep()`, which still has "
                          "this episode") from problem
        self.kept = True

    def delete(self, episode: int) -> None:
        """Forget an episode, in the file too."""
        if not isinstance(episode, int) or not (
                0 <= episode < len(self.episodes)):
            raise ValueError(f"episode is {episode!r}, there are "
                             f"{len(self.episodes)}, from 0 on")
        self.write([e for i, e in enumerate(self.episodes) if i != episode])

    def write(self, episodes: list[Recording]) -> None:
        """Write these, then remember them: a failed write changes
        nothing, neither here nor on disk. Raises ValueError where somebody
        else has written since.
        """
        if self.marked() != self.mark:
            raise ValueError(f"{self.path} was changed by somebody else: "
                             "run `drive` again to go on with what is there, "
                             "or choose another file")
        if episodes:
            save(self.path, join(episodes), self.env, self.about)
        else:
            self.path.unlink(missing_ok=True)
        self.episodes, self.mark = episodes, self.marked()

    def marked(self) -> tuple | None:
        """By what the file is known again."""
        if not self.path.exists():
            return None
        found = self.path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

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
