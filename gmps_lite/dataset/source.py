"""Where the demonstrations of a run come from: a file, or the experts."""

from __future__ import annotations

import numpy as np

from .. import frames
from ..demos import check_demos, collect
from ..envs import Env
from ..experts import expert_for
from ..types import Demos, Tasks, check_memory
from . import demos_of, load, tasks_of

# Bytes that a picture takes in an outer step: activations, and the graph of
# the inner steps through them [measured].
WORKING = 120_000


def first_demos(cfg, env: Env, rng: np.random.Generator) -> Demos:
    """Demonstrations [N, M, .] for a `gmps.Config`; pictures are taken of
    them where the agent sees pictures. Raises ValueError for data that does
    not fit, into the environment or into memory.
    """
    rec = load(cfg.demos, env) if cfg.demos else None
    tasks = tasks_of(rec) if rec else env.splits["train"].tasks
    if env.pixels:
        check_pixels(cfg, env, tasks)
    demos = demos_of(rec, tasks, cfg.demo_episodes) if rec else collect(
        env.plain, tasks, expert_for(env.plain, cfg.expert),
        episodes=cfg.demo_episodes, rng=rng)
    demos = demos._replace(obs=env.see(demos.obs))
    check_demos(demos, env.obs_dim, env.act_dim, tasks.n)
    return demos


def check_pixels(cfg, env: Env, tasks: Tasks) -> None:
    """Raise ValueError for what cannot be done with pictures, before the
    first is taken.
    """
    if cfg.dagger:
        raise ValueError("dagger is on, but no expert can be asked about "
                         f"the pictures of {env.name}: set it off "
                         "(--no-dagger)")
    k = cfg.inner_steps
    steps = cfg.demo_episodes + k * cfg.episodes + cfg.dagger_episodes
    sampled = cfg.bc_samples + (0 if cfg.rest else k * cfg.inner_samples)
    check_memory(
        f"{env.name}: pictures of {tasks.n} tasks ({cfg.demo_episodes} "
        f"demonstrations, {k} x {cfg.episodes} + {cfg.dagger_episodes} "
        f"episodes, {sampled} samples an outer step)",
        tasks.n * (steps * env.horizon * frames.SIZE + sampled * WORKING))
