"""`gmps bench`: every bar of the project in one table.

Speed is measured here and now, each row as a ratio within one run, because
machines are noisy. Learning is read off the stored results, whose records
say how they were made; notebooks off the last build's run-time table.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gymnasium as gym
import mujoco
import numpy as np
import torch

from . import gmps
from .bench_pixels import rendering
from .claims import Row, rows, table
from .demos import bc_loss, subsample
from .envs import make
from .inner import act as policy_act
from .inner import samples, start
from .log import say
from .rollout import rollout
from .train import config
from .types import Demos, Meta

ROWS = 400  # 10 tasks of 40 episodes


def rate(run: Callable[[], int], seconds: float = 3.0) -> float:
    """Steps a second of a function that returns how many it made."""
    run()
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        steps += run()
    return steps / (time.perf_counter() - began)


def collection() -> list[Row]:
    """Closed loop over open loop on the ant: the environment alone (step
    and observe), and a whole `rollout` with its policy.
    """
    env, rng = make("ant"), np.random.default_rng(0)
    cfg = gmps.Config(demo_episodes=1)
    policy = gmps.mlp_for(env, hidden=cfg.hidden, std=cfg.std)
    params = policy.init(rng)
    learner = gmps.Gradient(policy, Meta(params, {}), cfg.gamma, cfg.lam)
    state = gmps.State(learner, None, None, None)
    tasks = env.splits["train"].tasks
    carry = start(state, tasks.n)
    roll = partial(rollout, env, tasks, partial(policy_act, state), carry,
                   episodes=ROWS // tasks.n, rng=rng)
    controls = roll()[0].act.clamp(-1, 1).flatten(0, 1).double().numpy()
    first = env.reset(ROWS)[:, :env.size]
    model = [env.model] * ROWS

    def open_loop() -> int:
        env.pool.rollout(model, env.data, first, controls)
        return ROWS * env.horizon

    goal = tasks.goal.double().repeat_interleave(ROWS // tasks.n, 0).numpy()

    def stepwise() -> int:
        row = env.reset(ROWS)
        for t in range(env.horizon):
            env.observe(row)
            row = env.step(row, controls[:, t], goal).state
        return ROWS * env.horizon

    def whole() -> int:
        return roll()[0].steps
    # Interleaved, so that all see the same neighbors on the machine.
    rates = np.array([[rate(stepwise), rate(whole), rate(open_loop)]
                      for _ in range(3)])
    out = []
    for i, words in enumerate(("step and observe", "with the policy")):
        ratio = float(np.median(rates[:, i] / rates[:, 2]))
        closed, opened = np.median(rates[:, [i, 2]], axis=0)
        out.append(Row(f"closed / open loop, ant, 400 rows, {words}",
                       f"{ratio:.2f} ({closed:,.0f} / {opened:,.0f} "
                       "steps/s)", ">= 0.75", ratio >= 0.75))
    return out


def against_async() -> Row:
    """Our rows over gymnasium's AsyncVectorEnv of our own single env."""
    env, ids = make("ant"), "gmps_lite/Ant-v0"
    act = np.zeros((ROWS, env.act_dim))
    goal = np.repeat(env.splits["test"][[0]].goal.numpy(), ROWS, 0)
    state = env.reset(ROWS)

    def ours() -> int:
        nonlocal state
        state = env.step(state, act, goal).state
        env.observe(state)
        return ROWS
    mine, best = rate(ours), 0.0
    for n in (len(env.data), 8, 32):
        theirs = gym.vector.AsyncVectorEnv(
            [partial(gym.make, ids) for _ in range(n)])
        theirs.reset(seed=0)
        zeros = np.zeros((n, env.act_dim), dtype=np.float32)

        def other(theirs=theirs, zeros=zeros, n=n) -> int:
            theirs.step(zeros)
            return n
        best = max(best, rate(other))
        theirs.close()
    return Row("rows / AsyncVectorEnv (best of 2, 8, 32), ant",
               f"{mine / best:.1f}x ({mine:,.0f} / {best:,.0f} steps/s)",
               ">= 5x", mine / best >= 5)


def loop_loss(policy, meta, batches, demos):
    """The outer loss as most people would first write it."""
    total, n = 0.0, demos.obs.shape[0]
    for i in range(n):
        phi = dict(meta.params)
        for b in batches:
            logp = policy.logp(phi, b.obs[i], b.act[i])
            w = (logp - b.logp[i]).detach().exp().clamp(max=20.0)
            loss = -(w * logp * b.adv[i]).mean()
            g = torch.autograd.grad(loss, list(phi.values()),
                                    create_graph=True)
            phi = {k: p - meta.step[k] * x
                   for (k, p), x in zip(phi.items(), g, strict=True)}
            mine = Demos(demos.obs[i], demos.act[i])
            total = total + bc_loss(policy, phi, mine) / len(batches) / n
    return total


def outer_step(env_name: str) -> Row:
    """One vmap over a Python loop over tasks, same data, same gradient."""
    env, rng = make(env_name), np.random.default_rng(0)
    cfg = config("gmps", env_name)
    state = gmps.init(cfg, env, rng)
    policy, meta, demos = *state.learner[:2], state.demos
    tasks, data = env.splits["train"].tasks, []
    carry = start(state, tasks.n)
    for _ in range(cfg.inner_steps):
        episodes, _ = rollout(env, tasks, partial(policy_act, state), carry,
                              episodes=cfg.episodes, rng=rng)
        data.append(subsample(samples(state.learner, episodes),
                              cfg.inner_samples, rng))
    demos = subsample(demos, cfg.bc_samples, rng)
    leaves = [x for d in meta for x in d.values()]

    def gradient(loss) -> list:
        return torch.autograd.grad(loss(policy, meta, data, demos), leaves,
                                   allow_unused=True)
    gap = max(float((a - b).abs().max()) for a, b in zip(
        gradient(gmps.outer_loss), gradient(loop_loss), strict=True)
        if a is not None)
    assert gap < 1e-4, f"the two gradients differ by {gap}"

    def one(loss) -> int:
        gradient(loss)
        return 1
    pairs = [(rate(partial(one, gmps.outer_loss)),
              rate(partial(one, loop_loss))) for _ in range(2)]
    fast, slow = np.median(pairs, axis=0)
    return Row(f"outer step, vmap / loop over tasks, {env_name} preset",
               f"{fast / slow:.1f}x ({1e3 / fast:.0f} / {1e3 / slow:.0f} ms)",
               ">= 2x", fast / slow >= 2)


def import_time() -> Row:
    """What `import gmps_lite` adds to `import torch`."""
    code = ("import torch, time; t = time.perf_counter(); import gmps_lite;"
            "print(time.perf_counter() - t)")
    spent = [float(subprocess.run([sys.executable, "-c", code], check=True,
                                  capture_output=True, text=True).stdout)
             for _ in range(3)]
    return Row("import gmps_lite after torch", f"{np.median(spent):.3f} s",
               "<= 0.5 s", float(np.median(spent)) <= 0.5)


def memory() -> Row:
    """Peak of this process, which has just made every outer step above."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Row("peak memory of this bench", f"{peak:.1f} GB", "<= 4 GB",
               peak <= 4)


def notebooks() -> list[Row]:
    """From the run-time table of the last build, where there is one."""
    path = Path("_build/book/runtimes.json")
    if not path.is_file():
        say("no _build/book/runtimes.json here: run `make book` first for "
            "the notebooks' rows")
        return []
    found = json.loads(path.read_text())["notebooks"].values()
    out = []
    for mode, bar in (("fast", 60), ("full", 480)):
        rows = [r for r in found if r["mode"] == mode]
        if rows:
            worst = max(r["seconds"] for r in rows)
            peak = max(r["peak_mb"] for r in rows) / 1024
            out.append(Row(
                f"{len(rows)} notebooks, {mode}, the slowest",
                f"{worst:.0f} s, {peak:.1f} GB", f"<= {bar} s, <= 4 GB",
                worst <= bar and peak <= 4))
    return out


def main() -> None:
    """Measure everything and print the table."""
    torch.set_num_threads(1)
    jobs: list[Callable] = [
        collection, against_async, partial(outer_step, "point"),
        partial(outer_step, "push"), partial(rendering, "push-pixels"),
        partial(rendering, "door-pixels"), memory, import_time, rows,
        notebooks]
    found: list[Row] = []
    for i, job in enumerate(jobs):
        say(f"[{i + 1}/{len(jobs)}] {getattr(job, 'func', job).__name__}")
        made = job()
        found += made if isinstance(made, list) else [made]
    print(f"{os.cpu_count()} cores, mujoco {mujoco.__version__}, torch "
          f"{torch.__version__}, one torch thread")
    print(table(found))
