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
from .baselines import maesn, maml, multitask, pearl, promp, rl2
from .checkpoint import load_file, pack, save_file, unpack
from .columns import as_good
from .dataset import training_tasks
from .envs import ENVS, Env, make
from .evaluate import evaluate, evaluate_expert
from .experts import TRAINERS, Expert
from .log import Log, alone, say
from .types import all_finite, build_config, check_config, check_count, lookup

METHODS: dict[str, ModuleType] = {
    "gmps": gmps, "maesn": maesn, "maml": maml, "pearl": pearl,
    "promp": promp, "rl2": rl2, "multitask": multitask}
TRAINABLE = METHODS | TRAINERS


class Run(NamedTuple):
    """A trained method and where it came from."""

    method: ModuleType
    cfg: Any
    env: Env
    state: Any
    header: dict  # of the checkpoint: method, env, seed, counters
    rows: list[dict]  # one dict of metrics an iteration


def config(method: str, env: str, **changes) -> Any:
    """The method's numbers for an environment, with changes by name.
    Raises ValueError for an unknown name or a value that is not allowed.
    """
    module = lookup("method", method, TRAINABLE)
    if lookup("environment", env, ENVS).pixels and env not in module.PRESETS:
        able = [k for k, m in TRAINABLE.items() if env in m.PRESETS]
        raise ValueError(f"{method} does not learn from pixels, as {env} "
                         f"asks; those that do: {', '.join(able)}")
    if method in TRAINERS and ENVS[env].view_dim is None:
        raise ValueError(f"{method} trains experts, and {env} has no view "
                         "for them; its own is called 'analytic'")
    base = module.PRESETS.get(env, module.Config())
    names = {f.name: f for f in dataclasses.fields(base)}
    for name, value in changes.items():
        lookup(f"{method} Config field", name, names)
        if isinstance(value, list):
            changes[name] = tuple(value)
    cfg = dataclasses.replace(base, **changes)
    check_config(cfg)
    return cfg


def train(method: str, env: str, cfg: Any = None, *, seed: int = 0,
          folder: str | Path | None = None, eval_every: int = 0,
          eval_steps: int = 3, progress: bool = True) -> Run:
    """Meta-train `method` on the train split of `env`.

    folder: where metrics, config and checkpoints go; if it holds an
        unfinished run of the same config, that run goes on and ends with
        the numbers of one that never stopped. None writes nothing.
    eval_every: evaluate on the test split after every so many iterations
        (0: never); its steps are not counted.
    Returns the newest state whose post-update return on training tasks is
    `as_good` as the best.
    Raises FloatingPointError, naming the iteration and the last good
    checkpoint, if a number stops being finite; ValueError for an argument
    that is not allowed and a folder that is damaged, of another config or
    in use.
    """
    module = lookup("method", method, TRAINABLE)
    lookup("environment", env, ENVS)
    cfg = config(method, env) if cfg is None else cfg
    if not isinstance(cfg, module.Config):
        raise ValueError(f"cfg is a {type(cfg).__module__}."
                         f"{type(cfg).__name__}, expected one of "
                         f"{method!r}")
    check_config(cfg)
    for name, x in (("seed", seed), ("eval_every", eval_every),
                    ("eval_steps", eval_steps)):
        check_count(name, x)
    world, rng = make(env), np.random.default_rng(seed)
    about = {"method": method, "env": env, "seed": int(seed),
             "config": json.loads(json.dumps(dataclasses.asdict(cfg),
                                            default=int))}
    run = Run(module, cfg, world, module.init(cfg, world, rng), about, [])
    with alone(folder):
        return _go_on(run, rng, folder, eval_every, eval_steps, progress)


def _go_on(run: Run, rng: np.random.Generator, folder, eval_every: int,
           eval_steps: int, progress: bool) -> Run:
    """Train a fresh run, or go on with the one that the folder holds."""
    module, cfg, world, state, about, _ = run
    log = Log(folder, about)
    last = log.folder / "last.safetensors" if log.folder else None
    first, best, kept = 0, -np.inf, None
    if last and last.exists():
        tensors, header = load_file(last)
        check_header(header, about, last)
        state = _fill(state, tensors, last)
        try:
            rng.bit_generator.state = header["rng"]
            first, best = header["iteration"], float(header["best"])
            check_count("iteration", first, 1)
            if not np.isfinite(best):
                raise ValueError(f"best is {best}")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{last} cannot go on: its rng, iteration or "
                             f"best is missing or damaged ({error!r})"
                             ) from error
        kept = load_file(last.with_name("best.safetensors"))
        check_header(kept[1], about, last.with_name("best.safetensors"))
        say(f"resuming {folder} at iteration {first}")
    if last:
        log.resume(first)
    tasks = training_tasks(cfg, world)
    bar = tqdm(range(first, cfg.iterations), initial=first,
               total=cfg.iterations, disable=not progress,
               desc=f"{about['method']} {about['env']} seed {about['seed']}")
    try:
        for i in bar:
            began = time.perf_counter()
            try:
                state, metrics = module.update(state, cfg, world, tasks, rng)
                tensors = pack(state)
                if not all_finite(tensors) or not np.isfinite(
                        list(metrics.values())).all():
                    raise FloatingPointError("a number is not finite")
                row = {"iteration": i} | metrics
                if eval_every and (i + 1) % eval_every == 0:
                    row |= _test(run._replace(state=state), eval_steps,
                                 np.random.default_rng([about["seed"], i]))
            except FloatingPointError as error:
                raise FloatingPointError(
                    f"{error} in iteration {i}; the last good checkpoint "
                    f"is {last if i > first or first else 'none'}"
                    ) from error
            row["seconds"] = time.perf_counter() - began
            row = log.add(row)
            header = about | {
                "iteration": i + 1, "steps": row["total_steps"],
                "rng": rng.bit_generator.state,
                "best": max(best, metrics["ret_post"])}
            best = header["best"]
            if as_good(metrics["ret_post"], best):
                kept = ({k: v.detach().clone() for k, v in tensors.items()},
                        header)
                if last:
                    save_file(last.with_name("best.safetensors"), *kept)
            if last:
                save_file(last, tensors, header)
            bar.set_postfix(ret=f"{metrics['ret_pre']:.1f}>"
                                f"{metrics['ret_post']:.1f}",
                            steps=f"{row['total_steps']:.2g}")
    except KeyboardInterrupt:
        if last and last.exists():
            say(f"\nstopped; the same call goes on from {last}")
        raise
    return run._replace(state=unpack(state, kept[0]), header=kept[1],
                        rows=log.rows)


def expert(run: Run) -> Expert:
    """The expert that `gmps train sac` or `gmps train ppo` has made."""
    params = run.method.actor(run.state)
    return Expert(run.method.player(run.cfg, run.env, params),
                  run.header.get("steps", 0), run.header["method"])


def _test(run: Run, steps: int, rng: np.random.Generator) -> dict:
    """Means over the test split after 0..steps adaptation steps; an expert
    has nothing to adapt.
    """
    tasks = run.env.splits["test"].tasks
    if run.method in TRAINERS.values():
        if not getattr(run.cfg, "contextual", True):
            return {}  # experts of a task each know no other
        steps, result = 0, evaluate_expert(run.env, tasks, expert(run))
    else:
        result = evaluate(run.method, run.state, run.env, tasks, steps=steps,
                          episodes=run.cfg.episodes, rng=rng)
    row = {"eval_steps": result.steps + result.obs.shape[:3].numel()}
    for k in range(steps + 1):
        row[f"test_ret_{k}"] = float(result.ret[:, k].mean())
        row[f"test_error_{k}"] = float(result.error[:, k].mean())
        row[f"test_success_{k}"] = float(result.success[:, k].mean())
    return row


def _fill(state: Any, tensors: dict, path: Path) -> Any:
    """`state` with the tensors of the checkpoint at `path`. Raises
    ValueError, naming the file, for one too few, too many or that misfits.
    """
    try:
        state = unpack(state, tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if extra := sorted(tensors.keys() - pack(state).keys()):
        raise ValueError(f"{path} holds {extra[0]!r}, which its method does "
                         "not have")
    return state


def check_header(header: dict, about: dict, path: Path) -> None:
    """Refuse a checkpoint of another method, environment, seed, config."""
    for key, want in about.items():
        if header.get(key) != want:
            raise ValueError(f"{path} has {key} {header.get(key)!r}, this "
                             f"run has {want!r}")


def restore(path: str | Path, *, method: str | None = None,
            env: str | None = None) -> Run:
    """A trained method from its checkpoint. Raises ValueError, naming the
    file, if it is damaged, or of another `method` or `env` where given.
    """
    tensors, header = load_file(path)
    for key, want in (("method", method), ("env", env)):
        if want is not None and header.get(key) != want:
            raise ValueError(f"{path} is a checkpoint of {key} "
                             f"{header.get(key)!r}, not {want!r}")
    try:
        module = lookup("method", header.get("method"), TRAINABLE)
        world = make(str(header.get("env")))
        cfg = build_config(module.Config, header.get("config"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    few = cfg  # of demonstrations, which the file has, one will do
    if hasattr(cfg, "demo_episodes"):
        few = dataclasses.replace(cfg, demo_episodes=1)
    state = module.init(few, world, np.random.default_rng(0))
    return Run(module, cfg, world, _fill(state, tensors, path), header, [])
