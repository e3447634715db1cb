"""To and from Minari, the Farama Foundation's format of datasets. An extra:
`pip install 'gmps-lite[minari]'`.

Minari's episodes have an observation after the last step. Ours do not: the
last one stands there once more, and is left out again on the way back. The
goal of an episode and its distances are in `infos`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tyro.conf import Positional

from ..envs import Env, gym_id, make
from ..log import commit, say
from . import Recording, check, load, save
from .commands import new


def library():
    """The module minari. Raises ValueError if it is not installed."""
    try:
        import minari
    except ImportError as error:
        raise ValueError("Minari is not installed: pip install "
                         f"'gmps-lite[minari]' ({error})") from error
    return minari


def give(name: Positional[str], dataset: Positional[str], env: Positional[str],
         /) -> None:
    """Export demonstrations as a local Minari dataset.

    Args:
        name: a file, or demonstrations that come with the package
        dataset: its id in Minari, such as gmps/push-v0
        env: that they are of
    """
    minari, world = library(), make(env)
    rec = load(name, world)
    if dataset in minari.list_local_datasets():
        raise ValueError(f"Minari has a local dataset {dataset!r}; choose "
                         "another id or delete that one first")
    episodes, start = [], 0
    for r, t in enumerate(rec.length.tolist()):
        obs, act, rew, error = (x[start:start + t].numpy() for x in rec[:4])
        goal, start = rec.goal[r].numpy(), start + t
        ends = np.zeros(t, bool)
        ends[-1] = True
        episodes.append(minari.data_collector.EpisodeBuffer(
            id=r, observations=np.concatenate([obs, obs[-1:]]), actions=act,
            rewards=rew.tolist(), terminations=[False] * t,
            truncations=ends.tolist(),
            infos={"goal": np.tile(goal, (t + 1, 1)),
                   "error": np.concatenate([error[:1], error])}))
    minari.create_dataset_from_buffers(
        dataset, episodes, env=gym_id(world.name), author="gmps_lite",
        algorithm_name="demonstrations", data_format="hdf5",
        description=f"Demonstrations of {world.name}, commit {commit()}",
        requirements=["gmps-lite"])
    say(f"wrote {dataset}: {len(episodes)} episodes, {len(rec.rew):,} steps")


def take(dataset: Positional[str], env: Positional[str], /, out: Path
         ) -> None:
    """Import demonstrations from a local Minari dataset.

    Args:
        dataset: its id in Minari
        env: that they are of
        out: the file to write, which must not be there yet
    """
    new(out)
    minari, world = library(), make(env)
    if dataset not in minari.list_local_datasets():
        raise ValueError(f"Minari has no local dataset {dataset!r}; there "
                         f"are {', '.join(minari.list_local_datasets())}")
    found = minari.load_dataset(dataset)
    rows = [_row(e, world, f"{dataset}, episode {i}")
            for i, e in enumerate(found.iterate_episodes())]
    if not rows:
        raise ValueError(f"{dataset} has no episodes")
    obs, act, rew, error, goal = map(list, zip(*rows))
    rec = Recording(
        *(torch.as_tensor(np.concatenate(x)).float()
          for x in (obs, act, rew, error)),
        torch.tensor([len(x) for x in rew]), torch.tensor(np.array(goal)))
    try:
        check(rec, world)
    except ValueError as reason:
        raise ValueError(f"{dataset}: {reason}") from reason
    save(out, rec, world, {"by": f"Minari dataset {dataset}",
                           "commit": commit()})
    say(f"wrote {out}: {len(rec.length)} episodes, {len(rec.rew):,} steps")


def _row(episode, world: Env, where: str) -> tuple:
    """obs, act, rew, error, goal of one of Minari's episodes. Raises
    ValueError, naming it, for one without a task or of another size.
    """
    infos = episode.infos if isinstance(episode.infos, dict) else {}
    if lack := [k for k in ("goal", "error") if k not in infos]:
        raise ValueError(f"{where} has no {' and no '.join(lack)} in its "
                         "infos: nobody knows which task it is of")
    t = len(episode.rewards)
    obs, act, rew, error, goal = (np.asarray(x, np.float32) for x in (
        episode.observations[:t], episode.actions, episode.rewards,
        infos["error"][1:], infos["goal"]))
    want = ((t, world.obs_dim), (t, world.act_dim), (t,), (t,),
            (t + 1, world.goal_dim))
    for name, x, shape in zip(("observations", "actions", "rewards", "error",
                               "goal"), (obs, act, rew, error, goal), want):
        if x.shape != shape:
            raise ValueError(f"{where}: {name} are {x.shape}, in "
                             f"{world.name} expected {shape}")
    if not t:
        raise ValueError(f"{where} is empty")
    if (goal != goal[0]).any():
        raise ValueError(f"{where}: the goal changes on the way")
    return obs, act, rew, error, goal[0]
