"""You are the expert: record demonstrations by hand, in a notebook.

    pad = drive("push-sparse", "mine.safetensors")
    pad  # as the last line of a cell: a picture to steer in
    pad.session.recording()

The browser keeps the clock and draws; each of its ticks is one control step
of the real environment, here. A finished episode is on disk before the next
one begins, so a closed tab or a killed kernel loses the unfinished one alone.
"""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path

from .envs import make
from .session import SCENES, Session
from .types import lookup


def front_end() -> bool:
    """Whether somebody may be looking: a kernel that JupyterLab, the
    classic notebook, VS Code or Colab has started, not papermill.
    """
    return ("google.colab" in sys.modules or "JPY_SESSION_NAME" in os.environ
            or "VSCODE_PID" in os.environ)


def drive(env: str, path: str | Path, goals=None, shake: float = 0.0):
    """The widget to steer in; arguments as of `Session`. Raises ValueError
    as `Session` does, and if anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ValueError(f"pip install anywidget to steer ({error})"
                         ) from error
    session = Session(make(env), path, goals, shake)
    scene = SCENES[session.env.body]

    class Drive(anywidget.AnyWidget):
        """The browser's half is static/drive.js; they talk in messages."""

        _esm = resources.files("gmps_lite").joinpath(
            "static/drive.js").read_text()
        setup = traitlets.Dict().tag(sync=True)
        episodes = traitlets.List().tag(sync=True)

    widget = Drive(setup={
        **scene._asdict(), "goals": session.tasks.goal.tolist(),
        "first": session.reset(0)["obs"],
        "horizon": session.env.horizon, "dt": session.env.dt,
        "unit": session.env.unit, "track": session.env.path.start,
        "tolerance": session.env.tolerance}, episodes=session.listing())
    widget.session = session

    def answer(_, message: dict, buffers) -> None:
        """One message of the browser, answered by one."""
        if message == {"kind": "hurry"}:  # see drive.js
            return
        try:
            kind = lookup("message", message.get("kind"), {
                "reset": lambda m: session.reset(m["task"]),
                "step": lambda m: session.step(m["act"]),
                "delete": lambda m: session.delete(m["episode"]),
                "replay": lambda m: {"path": session.path_of(m["episode"])}})
            found = kind(message) or {}
        except (ValueError, KeyError, IndexError, TypeError,
                OSError) as error:
            found = {"problem": str(error)}
        if found.get("done") or message.get("kind") == "delete":
            widget.episodes = session.listing()
        widget.send({"kind": message.get("kind"), "id": message.get("id"),
                     **found})
    widget.on_msg(answer)
    return widget


__all__ = ["Session", "drive", "front_end"]
