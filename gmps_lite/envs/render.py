"""Pictures: a row of state and a goal in, pixels out.

MuJoCo needs OpenGL for this and for nothing else, so nothing here runs
before the first picture. Which OpenGL works is tried out in a subprocess,
because a failed attempt cannot be repaired in the process that made it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import mujoco
import numpy as np
from numpy import ndarray

from ..types import lookup
from .core import FULL, Env, MujocoEnv

OFF = ("disable", "disabled", "off", "false", "0")
PROBE = """
import mujoco
from mujoco.{} import GLContext
context = GLContext(8, 8)
context.make_current()
model = mujoco.MjModel.from_xml_string("<mujoco/>")
mujoco.MjrContext(model, 100).free()
context.free()
"""
PAPER, GREEN, ORANGE = (250, 248, 244), (26, 140, 90), (214, 94, 26)


class RenderError(RuntimeError):
    """There is no OpenGL to draw with."""


def painter(env: Env, size: int = 240, camera: str | None = None):
    """A function (state [S], goal [G] or None) -> uint8 [size, size, 3],
    with a method `close`. Without a goal none is drawn.

    camera: a name in the XML (None: the environment's own choice).
    """
    if size < 1:
        raise ValueError(f"size is {size}, must be 1 pixel or more")
    if isinstance(env, MujocoEnv):
        return MujocoPainter(env, size, size, camera or env.camera)
    return PointPainter(size)


def has_gpu() -> bool:
    """Whether a graphics card is there to draw."""
    return any(next(Path("/dev").glob(name), None) is not None
               for name in ("nvidia[0-9]*", "dri/renderD*"))


@lru_cache(maxsize=1)
def backend() -> type:
    """The class of OpenGL contexts that works here.

    MUJOCO_GL (egl, osmesa, glfw) decides where it is set; else the first of
    egl and osmesa that can draw, the other way round without a graphics
    card: in software, osmesa alone gains from a second thread. Raises
    RenderError where none can.
    """
    wish = os.environ.get("MUJOCO_GL", "").lower().strip()
    if wish in OFF:
        raise RenderError(f"rendering is switched off by MUJOCO_GL={wish}; "
                          "unset it and restart Python")
    if sys.platform != "linux":
        return mujoco.GLContext
    # Torch for CUDA loads Triton when an optimizer is first made. Its LLVM
    # crashes where OSMesa's has come before, and not the other way round.
    with suppress(ImportError):
        import_module("triton")
    # llvmpipe, the software driver, draws small pictures faster without
    # threads of its own.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    strict = wish in ("egl", "osmesa", "glfw")
    names = [wish] if strict else (
        ["egl", "osmesa"] if has_gpu() else ["osmesa", "egl"])
    reasons = []
    for name in names:
        done = subprocess.run(
            [sys.executable, "-c", PROBE.format(name)], text=True,
            env={**os.environ, "MUJOCO_GL": name}, capture_output=True)
        if done.returncode == 0:
            return import_module(f"mujoco.{name}").GLContext
        lines = done.stderr.strip().splitlines() or [
            f"exit status {done.returncode}"]
        reasons.append(f"{name}: {lines[-1]}")
    asked = f" (MUJOCO_GL={wish} allows no other)" if strict else ""
    then = "unset MUJOCO_GL and restart Python" if strict else "try again"
    raise RenderError(
        f"cannot render: {' and '.join(names)} failed{asked}. On Debian, "
        "Ubuntu and in Colab run `apt-get install libosmesa6`, then "
        f"{then}. Everything but rendering works without it. "
        f"[{'; '.join(reasons)}]")


class MujocoPainter:
    """Draws with MuJoCo's own renderer, without shadows and reflections,
    on the thread that made it.
    """

    def __init__(self, env: MujocoEnv, height: int, width: int, camera: str):
        model = env.model
        cameras = {model.camera(i).name: i for i in range(model.ncam)}
        number = lookup(f"camera of {env.name}", camera, cameras)
        gl, self.env = backend(), env
        view = model.vis.global_  # no larger buffer than needed
        view.offheight, view.offwidth = height, width
        self.gl = gl(width, height)
        self.gl.make_current()
        self.data = mujoco.MjData(model)
        self.scene = mujoco.MjvScene(model, maxgeom=200)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW,
                     mujoco.mjtRndFlag.mjRND_REFLECTION):
            self.scene.flags[flag] = 0
        self.camera = mujoco.MjvCamera()
        self.camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self.camera.fixedcamid = number
        self.option = mujoco.MjvOption()
        self.mjr = mujoco.MjrContext(
            model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(
            mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self.mjr)
        self.rect = mujoco.MjrRect(0, 0, width, height)
        self.pixels = np.empty((height, width, 3), np.uint8)
        self.close = weakref.finalize(self, free, self.gl, self.mjr)
        # At exit EGL is gone before; OSMesa complains unless told.
        self.close.atexit = gl.__module__ != "mujoco.egl"

    def __call__(self, state: ndarray, goal: ndarray | None = None):
        model, data = self.env.model, self.data
        mujoco.mj_setState(model, data, state[:self.env.size], FULL)
        # Below the floor nobody sees it.
        data.mocap_pos[0] = (0, 0, -9) if goal is None else (
            self.env.marker(goal))
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        mujoco.mjv_updateScene(
            model, data, self.option, None, self.camera,
            mujoco.mjtCatBit.mjCAT_ALL.value, self.scene)
        self.gl.make_current()
        mujoco.mjr_render(self.rect, self.scene, self.mjr)
        mujoco.mjr_readPixels(self.pixels, None, self.rect, self.mjr)
        return self.pixels[::-1].copy()  # OpenGL counts rows from below


class Pool:
    """Painters that share the rows, each on a thread of its own."""

    def __init__(self, env: MujocoEnv, height: int, width: int):
        """As many threads as the physics of `env` has, where OpenGL gains
        from them. Raises RenderError where nothing can draw.
        """
        # EGL's contexts wait for each other: 15,000 pictures a second with
        # one thread and a graphics card, 1,700 with four.
        alone = backend().__module__ == "mujoco.egl"
        self.shape, self.workers = (height, width, 3), []
        for _ in range(1 if alone else max(1, env.threads)):
            thread = ThreadPoolExecutor(1)
            made = thread.submit(MujocoPainter, env, height, width,
                                 env.camera).result()
            self.workers.append((thread, made))
        self.close = weakref.finalize(self, close, self.workers)
        self.close.atexit = False  # by then the threads are gone

    def __call__(self, state: ndarray) -> ndarray:
        """Pictures of states [R, S], without a goal: uint8 [R, height,
        width, 3].
        """
        out = np.empty((len(state), *self.shape), np.uint8)

        def paint(painter, some: slice) -> None:
            for i in range(some.start, some.stop):
                out[i] = painter(state[i])
        ends = np.linspace(0, len(state), len(self.workers) + 1).astype(int)
        jobs = [thread.submit(paint, painter, slice(*ends[i:i + 2]))
                for i, (thread, painter) in enumerate(self.workers)]
        for job in jobs:
            job.result()
        return out


def close(workers: list) -> None:
    """Free each painter on its own thread, and end that."""
    for thread, painter in workers:
        thread.submit(painter.close).result()
        thread.shutdown()


def free(gl, mjr) -> None:
    """Give back what a painter has taken of OpenGL."""
    gl.make_current()
    mjr.free()
    gl.free()


class PointPainter:
    """Draws two discs on paper; needs no OpenGL."""

    def __init__(self, size: int, meters: float = 3.0):
        axis = (np.arange(size) + 0.5) / size * meters - meters / 2
        self.x, self.y = axis[None, :], -axis[:, None]

    def __call__(self, state: ndarray, goal: ndarray | None = None):
        image = np.full((*np.broadcast(self.x, self.y).shape, 3), PAPER,
                        np.uint8)
        marks = [] if goal is None else [(goal, 0.2, GREEN)]
        for (x, y), radius, color in [*marks, (state, 0.06, ORANGE)]:
            image[np.hypot(self.x - x, self.y - y) < radius] = color
        return image

    def close(self) -> None:
        """Nothing to free."""
