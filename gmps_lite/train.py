"""The one training loop: update, evaluate, log, checkpoint, resume."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from . import gmps
from .baselines import maml
from .checkpoint import load_file, pack, save_file, unpack
from .envs import Env, make
from .evaluate import evaluate
from .log import Log, say
from .types import all_finite, lookup

METHODS: dict[str, ModuleType] = {"gmps": gmps, "maml": maml}


class Run(NamedTuple):
    """A trained method and where it came from."""

    method: ModuleType
    cfg: Any
    env: Env
    state: Any
    header: dict  # of the checkpoint: method, env, seed, counters
    rows: list[dict]  # one dict of metrics an iteration


def config(method: str, env: str, **changes) -> Any:
    """The method's numbers for an environment, with changes by name."""
    module = lookup("method", method, METHODS)
    base = module.PRESETS.get(env, module.Config())
    names = {f.name: f for f in dataclasses.fields(base)}
    for name in changes:
        lookup(f"{method} Config field", name, names)
    cfg = dataclasses.replace(base, **changes)
    check_config(cfg)
    return cfg


def check_config(cfg: Any) -> None:
    """Refuse counts below their least value and non-finite numbers."""
    least = {"iterations": 1, "episodes": 1, "outer_steps": 1,
             "inner_steps": 0, "inner_samples": 1, "bc_samples": 1,
             "demo_episodes": 1, "dagger_episodes": 1, "z_dim": 1,
             "cg_steps": 1}
    for f in dataclasses.fields(cfg):
        x = getattr(cfg, f.name)
        if isinstance(x, float | int) and not np.isfinite(x):
            raise ValueError(f"{f.name} is {x}, must be finite")
        if f.name in least and x < least[f.name]:
            raise ValueError(f"{f.name} is {x}, must be {least[f.name]} or "
                             "more")
        if f.name in ("lr", "std", "clip", "max_kl", "max_ratio") and x <= 0:
            raise ValueError(f"{f.name} is {x}, must be above 0")
        if f.name in ("gamma", "lam") and not 0 <= x <= 1:
            raise ValueError(f"{f.name} is {x}, must be in [0, 1]")


def train(method: str, env: str, cfg: Any = None, *, seed: int = 0,
          folder: str | Path | None = None, eval_every: int = 0,
          eval_steps: int = 3, progress: bool = True) -> Run:
    """Meta-train `method` on the train split of `env`.

    folder: where metrics, config and checkpoints go; if it holds an
        unfinished run of the same config, that run goes on and ends with
        the numbers of one that never stopped. None writes nothing.
    eval_every: evaluate on the test split after every so many iterations
        (0: never); its steps are not counted.
    Returns the state with the best post-update return on training tasks.
    Raises FloatingPointError, naming the iteration and the last good
    checkpoint, if a number stops being finite.
    """
    module = lookup("method", method, METHODS)
    cfg = config(method, env) if cfg is None else cfg
    if not isinstance(cfg, module.Config):
        raise ValueError(f"cfg is a {type(cfg).__module__} Config, expected "
                         f"one of {method!r}")
    check_config(cfg)
    world, rng = make(env), np.random.default_rng(seed)
    about = {"method": method, "env": env, "seed": seed,
             "config": json.loads(json.dumps(dataclasses.asdict(cfg)))}
    log = Log(folder, about)
    state = module.init(cfg, world, rng)
    last = log.folder / "last.safetensors" if log.folder else None
    first, best, best_tensors = 0, -np.inf, None
    if last and last.exists():
        tensors, header = load_file(last)
        check_header(header, about, last)
        state = unpack(state, tensors)
        rng.bit_generator.state = header["rng"]
        first, best = header["iteration"], header["best"]
        log.resume(first)
        say(f"resuming {folder} at iteration {first}")
    tasks = world.splits["train"].tasks
    bar = tqdm(range(first, cfg.iterations), initial=first,
               total=cfg.iterations, disable=not progress,
               desc=f"{method} {env} seed {seed}")
    try:
        for i in bar:
            began = time.perf_counter()
            state, metrics = module.update(state, cfg, world, tasks, rng)
            tensors = pack(state)
            if not all_finite(tensors) or not np.isfinite(
                    list(metrics.values())).all():
                raise FloatingPointError(
                    f"a number is not finite after iteration {i}; the last "
                    f"good checkpoint is "
                    f"{last if i > first or first else 'none'}")
            row = {"iteration": i} | metrics
            if eval_every and (i + 1) % eval_every == 0:
                result = evaluate(
                    module, state, world, world.splits["test"].tasks,
                    steps=eval_steps, episodes=cfg.episodes,
                    rng=np.random.default_rng([seed, i]))
                for k in range(eval_steps + 1):
                    row[f"test_ret_{k}"] = float(result.ret[:, k].mean())
                    row[f"test_error_{k}"] = float(result.error[:, k].mean())
                    row[f"test_success_{k}"] = float(
                        result.success[:, k].mean())
            row["seconds"] = time.perf_counter() - began
            row = log.add(row)
            header = about | {
                "iteration": i + 1, "steps": row["total_steps"],
                "rng": rng.bit_generator.state,
                "best": max(best, metrics["ret_post"])}
            if metrics["ret_post"] >= best:
                best = metrics["ret_post"]
                best_tensors = {k: v.detach().clone()
                                for k, v in tensors.items()}
                if last:
                    save_file(last.with_name("best.safetensors"), tensors,
                              header)
            if last:
                save_file(last, tensors, header)
            bar.set_postfix(ret=f"{metrics['ret_pre']:.1f}>"
                                f"{metrics['ret_post']:.1f}",
                            steps=f"{row['total_steps']:.2g}")
    except KeyboardInterrupt:
        if last and last.exists():
            say(f"\nstopped; the same call goes on from {last}")
        raise
    if best_tensors is None:
        best_tensors, header = load_file(last.with_name("best.safetensors"))
    return Run(module, cfg, world, unpack(state, best_tensors), header,
               log.rows)


def check_header(header: dict, about: dict, path: Path) -> None:
    """Refuse a checkpoint of another method, environment, seed, config."""
    for key, want in about.items():
        if header.get(key) != want:
            raise ValueError(f"{path} has {key} {header.get(key)!r}, this "
                             f"run has {want!r}")


def restore(path: str | Path, *, method: str | None = None,
            env: str | None = None) -> Run:
    """A trained method from its checkpoint. If `method` or `env` is given,
    a checkpoint of another one is refused.
    """
    tensors, header = load_file(path)
    for key, want in (("method", method), ("env", env)):
        if want is not None and header.get(key) != want:
            raise ValueError(f"{path} is a checkpoint of {key} "
                             f"{header.get(key)!r}, not {want!r}")
    module = lookup("method", header["method"], METHODS)
    changes = {k: tuple(v) if isinstance(v, list) else v
               for k, v in header["config"].items()}
    cfg, world = module.Config(**changes), make(header["env"])
    state = module.init(cfg, world, np.random.default_rng(0))
    return Run(module, cfg, world, unpack(state, tensors), header, [])
