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
from functools import lru_cache
from importlib import import_module

import mujoco
import numpy as np
from numpy import ndarray

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
        return MujocoPainter(env, size, camera or env.camera)
    return PointPainter(size)


@lru_cache(maxsize=1)
def backend() -> type:
    """The class of OpenGL contexts that works here.

    MUJOCO_GL (egl, osmesa, glfw) decides where it is set; else the first of
    egl and osmesa that can draw. Raises RenderError where none can.
    """
    wish = os.environ.get("MUJOCO_GL", "").lower().strip()
    if wish in OFF:
        raise RenderError(f"rendering is switched off by MUJOCO_GL={wish}; "
                          "unset it and restart Python")
    if sys.platform != "linux":
        return mujoco.GLContext
    # llvmpipe, the software driver, draws small pictures faster without
    # threads of its own.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    strict = wish in ("egl", "osmesa", "glfw")
    names = [wish] if strict else ["egl", "osmesa"]
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
    """Draws with MuJoCo's own renderer, without shadows and reflections."""

    def __init__(self, env: MujocoEnv, size: int, camera: str):
        gl = backend()
        self.env, model = env, env.model
        view = model.vis.global_
        view.offwidth = view.offheight = size  # no larger buffer than needed
        self.gl = gl(size, size)
        self.gl.make_current()
        self.data = mujoco.MjData(model)
        self.scene = mujoco.MjvScene(model, maxgeom=200)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW,
                     mujoco.mjtRndFlag.mjRND_REFLECTION):
            self.scene.flags[flag] = 0
        self.camera = mujoco.MjvCamera()
        self.camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self.camera.fixedcamid = model.camera(camera).id
        self.option = mujoco.MjvOption()
        self.mjr = mujoco.MjrContext(
            model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(
            mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self.mjr)
        self.rect = mujoco.MjrRect(0, 0, size, size)
        self.pixels = np.empty((size, size, 3), np.uint8)
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
