"""`gmps demos collect | inspect | import | export`.

examples:
  gmps demos collect push-sparse --expert push-ppo --episodes 5 \\
      --out push.safetensors
  gmps demos collect door --noise 0.5 --tasks 10 --out poor.safetensors
  gmps demos collect push-pixels --shake 0.5 --out pictures.safetensors
  gmps demos inspect push.safetensors
  gmps demos export push.safetensors gmps/push-v0
  gmps demos import gmps/push-v0 push-sparse --out again.safetensors
  gmps train gmps --env push-sparse --demos push.safetensors --no-dagger
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tyro.conf import Positional

from ..envs import make
from ..experts import expert_for
from ..log import provenance, say
from ..rollout import expert_act, rollout
from ..types import check_count, lookup
from . import find, read, recording, save, table


def collect(env: Positional[str], /, out: Path, expert: str = "analytic",
            episodes: int = 5, tasks: int | None = None,
            split: str = "train", noise: float = 0.0, shake: float = 0.0,
            seed: int = 0) -> None:
    """Record an expert's demonstrations.

    Args:
        env: of the demonstrations
        out: the file, which must not be there yet
        expert: a name, or the checkpoint of a trained expert
        episodes: of each task
        tasks: how many, evenly spread over the split; default all
        split: of tasks: train, test or extrapolation
        noise: standard deviation of Gaussian noise on what is demonstrated,
            that is a poor demonstrator
        shake: the same on what is executed but not written down: it shows
            states off the path, and the way back from there
        seed: of the noise
    """
    new(out)
    world = make(env)
    who = expert_for(world.plain, expert)
    all_tasks = lookup("split", split, world.splits)
    if tasks is not None:
        check_count("tasks", tasks, 1)
        if tasks > len(all_tasks):
            raise ValueError(f"tasks is {tasks}, the split {split!r} holds "
                             f"{len(all_tasks)}")
    index = np.linspace(0, len(all_tasks) - 1, tasks or len(all_tasks))
    some = all_tasks[index.round().astype(int)]
    for name, x in (("noise", noise), ("shake", shake)):
        if not 0 <= x < np.inf:
            raise ValueError(f"{name} is {x}, must be finite and not "
                             "negative")
    if noise and shake:
        raise ValueError("noise and shake are both set: choose one")
    made, _ = rollout(world.plain, some, expert_act(who, some), None,
                      episodes=episodes, rng=np.random.default_rng(seed),
                      noise=noise or shake)
    if shake:
        made = made._replace(act=who(some, made.obs))
    rec = recording(some, made)
    rec = rec._replace(obs=world.see(rec.obs))
    save(out, rec, world, {
        "by": f"{who.name}, noise {noise:g}, shake {shake:g}"}
        | provenance())
    say(f"wrote {out}: {len(rec.length)} episodes, {len(rec.rew):,} steps, "
        f"{out.stat().st_size / 1e6:.1f} MB")


def inspect(name: Positional[str], /) -> None:
    """Print tasks, episodes, steps, returns and ranges of actions; flag
    what is clipped, short or not finite.

    Args:
        name: a file, or demonstrations that come with the package
    """
    path = find(name)
    rec, header = read(path)
    world = make(str(header.get("env")))
    print(f"{path.name}: {world.name}, by {header.get('by', 'unknown')}")
    print(table(rec, world))


def new(path: Path) -> None:
    """Refuse a file that is there, or that is no recording's."""
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} must end in .safetensors")
    if path.exists():
        raise ValueError(f"{path} is there already; choose another file or "
                         "delete it first")
