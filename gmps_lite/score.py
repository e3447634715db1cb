"""How much of what can only be earned by adapting, after how many
environment steps, and how far from the training tasks.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from .columns import best_rows, ledger, steps_to
from .envs import make
from .evaluate import evaluate
from .log import provenance, say
from .results import check_stored, results, store
from .train import restore
from .types import lookup


def score(ret, blind: float, expert: float):
    """0: the return of the goal-blind imitator of the same experts; 1: the
    experts' own. Raises ValueError unless the expert earns more.
    """
    if not expert > blind:
        raise ValueError(f"the expert earns {expert:.1f}, no more than the "
                         f"goal-blind policy ({blind:.1f})")
    return (np.asarray(ret) - blind) / (expert - blind)


def anchors(env: str) -> tuple[float, float]:
    """(blind, expert): the two returns on the test split that the score of
    an environment is made of, both from the results ENV-blind.

    blind: GMPS with inner_steps = 0, without adaptation; its checkpoint
        best on training tasks, mean over seeds.
    """
    columns, record = results(f"{env}-blind")
    if "expert" not in record:
        raise ValueError(f"the record of {env}-blind lacks expert")
    return (float(best_rows(columns)["test_ret_0"].mean()),
            record["expert"]["test"]["ret"])


def scored(name: str) -> dict[str, np.ndarray]:
    """The columns of stored results with `score_k` for every `test_ret_k`,
    and `score`, the best of them: after at most K adaptation steps.
    """
    columns, record = results(name)
    ends = anchors(record["env"])
    new = {key.replace("test_ret", "score"): score(values, *ends)
           for key, values in columns.items() if key.startswith("test_ret_")}
    return columns | new | {"score": np.max(list(new.values()), axis=0)}


def samples(env: str, method: str, share: float = 0.9
            ) -> tuple[np.ndarray, float]:
    """(steps, budget): environment steps, experts included, [seeds], until
    a method's score reaches `share` of GMPS's final one; how many steps its
    shortest run made.
    """
    final = best_rows(scored(f"{env}-gmps"))["score"].mean()
    columns = scored(f"{env}-{method}")
    return (steps_to(columns, "score", share * final),
            float(ledger(columns)[:, -1].min()))


def measure(name: Positional[str], checkpoints: Positional[list[Path]], /,
            splits: tuple[str, ...] = ("extrapolation",), steps: int = 10,
            episodes: int | None = None, tasks_of: str | None = None,
            out: Path = Path("gmps_lite/results")) -> None:
    """Adapt checkpoints that differ in the seed alone to every task of some
    splits, and store what each earns after 0 to K steps: a row for each
    seed, split, task and k.

    Args:
        name: of the results, for `results(name)`
        checkpoints: .safetensors files that `gmps train` wrote
        splits: of tasks; the column `split` counts through them
        steps: K
        episodes: episodes a step; default as in training
        tasks_of: take the splits of this environment, whose observations
            and actions must be the same; default the checkpoint's own
        out: where NAME.csv and NAME.json go
    """
    if not checkpoints:
        raise ValueError("there are no checkpoints to measure")
    runs = [restore(path) for path in checkpoints]
    first, rows = runs[0], []
    env = make(tasks_of) if tasks_of else first.env
    sizes = [(e.obs_dim, e.act_dim) for e in (env, first.env)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"tasks_of is {tasks_of!r}, with other "
                         f"observations or actions than {first.env.name}")
    episodes = first.cfg.episodes if episodes is None else episodes
    record = {"name": name} | {
        k: first.header[k] for k in ("method", "env", "config")} | {
        "seeds": [run.header["seed"] for run in runs],
        "splits": {"env": env.name, "names": list(splits), "steps": steps,
                   "episodes": episodes}} | provenance()
    record["command"] = record["command"] or f"gmps measure {name}"
    for path, run in zip(checkpoints, runs, strict=True):
        for key in ("method", "env", "config"):
            if run.header[key] != first.header[key]:
                raise ValueError(f"{path} has another {key} than "
                                 f"{checkpoints[0]}")
    if len({*record["seeds"]}) < len(runs):
        raise ValueError(f"a seed is there twice: {record['seeds']}")
    check_stored(name, record, out)
    for run in runs:
        for i, split in enumerate(splits):
            tasks = lookup("split", split, env.splits).tasks
            began = time.perf_counter()
            found = evaluate(run.method, run.state, env, tasks, steps=steps,
                             episodes=episodes, rng=np.random.default_rng(
                                 [run.header["seed"], i]))
            spent = (time.perf_counter() - began) / found.ret.numel()
            rows += [{"seed": run.header["seed"], "split": i, "task": n,
                      **place(tasks.goal[n].tolist()), "k": k,
                      "ret": float(found.ret[n, k]),
                      "error": float(found.error[n, k]),
                      "success": float(found.success[n, k]),
                      "seconds": spent}
                     for n in range(tasks.n) for k in range(steps + 1)]
            say(f"seed {run.header['seed']}, {split}: return "
                f"{found.ret[:, 0].mean():.1f} before and "
                f"{found.ret[:, -1].mean():.1f} after {steps} steps")
    say(f"wrote {store(name, rows, record, out)}")


def place(goal: list[float]) -> dict[str, float]:
    """The columns of a goal; of one in the plane also its angle, 0 to 360
    degrees.
    """
    row = {f"goal_{i}": x for i, x in enumerate(goal)}
    if len(goal) == 2:
        row["angle"] = float(np.rad2deg(np.arctan2(*goal[::-1])) % 360)
    return row
