"""How fast are pictures? Against MuJoCo's own renderer, as well tuned."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from . import frames
from .claims import Row
from .envs import make
from .envs.render import backend

# Takes pictures for two seconds: the renderer alone, of a scene at rest.
BARE = """
import sys, time
import mujoco
model = mujoco.MjModel.from_xml_path(sys.argv[1])
height, width = int(sys.argv[2]), int(sys.argv[3])
model.vis.global_.offheight, model.vis.global_.offwidth = height, width
model.vis.quality.offsamples = model.vis.quality.shadowsize = 0
data = mujoco.MjData(model)
mujoco.mj_resetDataKeyframe(model, data, 0)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, height, width)
for flag in (mujoco.mjtRndFlag.mjRND_SHADOW,
             mujoco.mjtRndFlag.mjRND_REFLECTION):
    renderer.scene.flags[flag] = 0
n, began = -20, 0.0
while n <= 0 or time.perf_counter() - began < 2:
    renderer.update_scene(data, "robot")
    renderer.render()
    n += 1
    if n == 0:
        began = time.perf_counter()
print(n / (time.perf_counter() - began))
renderer.close()
"""


def rendering(name: str) -> Row:
    """Pictures a second of an environment over a bare loop's, the latter
    times the threads; interleaved, so that both see the same machine.
    """
    env = make(name)
    state = np.tile(env.reset(1), (1500, 1))
    env.observe(state[:20])
    gl = backend().__module__.removeprefix("mujoco.")
    path = Path(__file__).parent / "envs" / env.xml
    pairs = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", BARE, str(path), str(frames.HEIGHT),
             str(frames.WIDTH)], check=True, text=True, capture_output=True,
            env={**os.environ, "MUJOCO_GL": gl, "LP_NUM_THREADS": "0"})
        began = time.perf_counter()
        env.observe(state)
        pairs.append((len(state) / (time.perf_counter() - began),
                      float(done.stdout)))
    ours, bare = np.median(pairs, axis=0)
    threads = len(env.eyes.workers)
    ratio = float(ours / (bare * threads))
    return Row(f"pictures / bare renderer x {threads} threads, {name}, {gl}",
               f"{ratio:.2f} ({ours:,.0f} / {bare:,.0f} a second)", ">= 0.8",
               ratio >= 0.8)
