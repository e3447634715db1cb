"""You are the expert: the session without a browser, the widget with one."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import numpy as np
import pytest
import torch

from gmps_lite import dataset
from gmps_lite.drive import Session, front_end
from gmps_lite.envs import make
from gmps_lite.train import config, train


@pytest.fixture
def session(tmp_path):
    return Session(make("point"), tmp_path / "mine.safetensors",
                   [[1.0, 0.0], [0.0, 1.0]])


def steer(session, task, act=(0.5, 0.0)):
    session.reset(task)
    return [session.step(list(act)) for _ in range(session.env.horizon)]


def test_an_episode_is_real_and_kept(session):
    """What is drawn and stored is what the environment says."""
    first = session.reset(0)
    assert first["obs"] == [0.0, 0.0] and first["error"] == 1.0
    seen = steer(session, 0)
    assert [x["t"] for x in seen] == list(range(1, 21))
    assert seen[-1]["done"] and not seen[-2]["done"]
    np.testing.assert_allclose(seen[3]["obs"], [0.2, 0.0], atol=1e-6)
    assert seen[-1]["error"] == pytest.approx(0.0, abs=1e-9)
    rec = dataset.load(str(session.path), session.env)
    assert torch.equal(rec.goal, torch.tensor([[1.0, 0.0]]))
    np.testing.assert_allclose(rec.obs[3], [0.15, 0.0], atol=1e-6)
    assert rec.act.tolist() == [[0.5, 0.0]] * 20
    assert float(rec.rew.sum()) == pytest.approx(sum(x["rew"] for x in seen))
    with pytest.raises(ValueError, match="over"):
        session.step([0, 0])


def test_what_is_left_of_an_action_is_zero(tmp_path):
    session = Session(make("push-sparse"), tmp_path / "p.safetensors")
    seen = steer(session, 2, (0.0, 1.0))
    assert session.recording().act.tolist() == [[0.0, 1.0, 0.0]] * 50
    assert seen[-1]["obs"][4] > 0.6  # the block was pushed
    assert session.tasks.n == 4


def test_shaking_is_executed_and_not_written_down(tmp_path):
    env = make("push-sparse")
    calm, wild = (Session(env, tmp_path / f"{x}.safetensors", shake=x, by="I")
                  for x in (0.0, 0.5))
    seen = [np.array([look["obs"] for look in steer(s, 0, (0.0, 0.5))])
            for s in (calm, wild)]
    off = seen[1][:, :3] - seen[0][:, :3]
    assert (np.abs(off).max(0) > 0.005).all()  # in height as well
    assert wild.recording().act.tolist() == [[0.0, 0.5, 0.0]] * 50
    header = dataset.read(wild.path)[1]
    assert header["by"] == "I, with gmps_lite.drive, shake 0.5"
    for bad in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="shake"):
            Session(env, tmp_path / "x.safetensors", shake=bad)


def test_nothing_finished_is_lost(session):
    steer(session, 1)
    session.reset(0)
    session.step([1, 0])
    again = Session(session.env, session.path, session.tasks.goal)
    assert len(again.episodes) == 1
    steer(again, 0)
    assert [e["goal"] for e in again.listing()] == [[0, 1], [1, 0]]
    again.delete(0)
    left = dataset.load(str(session.path), session.env)
    assert left.goal.tolist() == [[1.0, 0.0]]
    again.delete(0)
    assert not session.path.exists()
    with pytest.raises(ValueError, match="nothing is recorded"):
        again.recording()


def test_a_failed_save_keeps_the_earlier(session, monkeypatch):
    steer(session, 0)
    before = session.path.read_bytes()

    def full(*args):
        raise OSError("disk full")
    with monkeypatch.context() as m:
        m.setattr("os.fsync", full)
        with pytest.raises(OSError, match="disk full"):
            steer(session, 1)
    assert session.path.read_bytes() == before
    assert len(session.episodes) == 1
    session.keep()  # what was steered is still here
    assert dataset.load(str(session.path), session.env).goal.tolist() == [
        [1, 0], [0, 1]]
    for _ in range(2):  # once only, and nothing half-steered
        with pytest.raises(ValueError, match="no finished episode to keep"):
            session.keep()
        session.reset(0)
        session.step([0, 0])


def test_two_people_and_one_file(session):
    """One after the other, both are named; at once, none is overwritten."""
    first = Session(session.env, session.path, by="Ann")
    steer(first, 0)
    with pytest.raises(ValueError, match="changed by somebody else"):
        steer(session, 0)
    second = Session(session.env, session.path, by="Bob", shake=0.1)
    steer(second, 0)
    third = Session(session.env, session.path, by="Bob", shake=0.1)
    third.delete(0)
    assert dataset.read(session.path)[1]["by"] == (
        "Ann, with gmps_lite.drive, shake 0; "
        "Bob, with gmps_lite.drive, shake 0.1")


def test_bad_arguments(session, tmp_path):
    env = session.env
    with pytest.raises(ValueError, match="must end in .safetensors"):
        Session(env, tmp_path / "mine.txt")
    with pytest.raises(ValueError, match="with a top view 'door'"):
        Session(make("door"), tmp_path / "d.safetensors")
    for goals in ([[1.0]], [[np.nan, 0.0]], [1.0, 0.0]):
        with pytest.raises(ValueError, match="goals are"):
            Session(env, tmp_path / "d.safetensors", goals)
    with pytest.raises(ValueError, match="goals are"):
        Session(env, tmp_path / "d.safetensors", [])
    for task in (2, -1, "0", 0.0, True):
        with pytest.raises(ValueError, match="task is .*from 0 to 1"):
            session.reset(task)
    session.reset(0)
    for act in ([1, 2, 3], ["x"], [np.nan], None):
        with pytest.raises(ValueError, match="an action is"):
            session.step(act)
    assert not session.steps
    for episode in (0, "0", -1):
        with pytest.raises(ValueError, match="episode is .*there are 0"):
            session.delete(episode)
    steer(session, 0)
    with pytest.raises(ValueError, match="demonstrations of 'point'"):
        Session(make("push"), session.path)


def test_papermill_is_no_front_end(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("VSCODE_PID", raising=False)
    assert not front_end()
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    assert front_end()


def test_the_wire(tmp_path):
    """Every message gets one answer; a bad one says why."""
    pytest.importorskip("anywidget", reason="anywidget is not installed")
    from gmps_lite.drive import drive
    widget, sent = drive("point", tmp_path / "a.safetensors"), []
    widget.send = lambda content, buffers=None: sent.append(content)

    def tell(**message):
        widget._handle_custom_msg(message, [])
        return sent.pop()
    assert tell(kind="reset", task=1, id=7)["id"] == 7
    for _ in range(20):
        found = tell(kind="step", act=[0, 1])
    assert found["done"] and len(widget.episodes) == 1
    assert len(tell(kind="replay", episode=0)["path"]) == 20
    assert "over" in tell(kind="step", act=[0, 1])["problem"]
    for bad in ({"kind": "fly"}, {"kind": "step"}, {}, {
            "kind": "replay", "episode": 5}, {"kind": "reset", "task": "x"},
            {"kind": "replay", "episode": "x"}):
        assert tell(**bad)["problem"]
    tell(kind="delete", episode=0)
    assert widget.episodes == [] and not sent
    assert not (tmp_path / "a.safetensors").exists()


NOTEBOOK = """
from gmps_lite.drive import drive
pad = drive("push-sparse", "mine.safetensors", [[0.0, 0.72], [0.08, 0.75]])
pad
"""


@pytest.fixture
def lab(tmp_path):
    """A JupyterLab with one notebook, and its address."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [],
            "execution_count": None, "source": NOTEBOOK}
    (tmp_path / "drive.ipynb").write_text(json.dumps({
        "cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3",
                           "language": "python"}}}))
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}",
         "--IdentityProvider.token=", "--ServerApp.password=",
         "--allow-root", f"--ServerApp.root_dir={tmp_path}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={
            **os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"})
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urlopen(address + "/api")
            break
        except OSError:
            time.sleep(0.5)
    yield address + "/lab/tree/drive.ipynb"
    server.terminate()
    server.wait(20)


def test_in_a_browser(lab, tmp_path):
    """Record two demonstrations by mouse and keys, delete one of three,
    reload, and meta-train from what was saved.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser:
        pytest.skip("chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api",
                                     reason="playwright is not installed")
    with playwright.sync_playwright() as p:
        page = p.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]).new_page(
            viewport={"width": 1200, "height": 1000})
        outside = []
        page.on("request", lambda r: outside.append(r.url) if not (
            r.url.startswith(lab[:17]) or r.url.startswith(("data:", "blob:")
                                                           )) else None)
        page.goto(lab)
        run(page)
        pad, status = page.locator("canvas[role=application]"), page.locator(
            "div[role=status][aria-live=polite]")
        seen = []  # other processes make the same episode slow
        while not (seen and seen[-1][0] <= 50 and seen[-1][1] >= 30):
            assert len(seen) < 6, seen
            if seen:
                page.locator("ol li button", has_text="delete").click()
                page.wait_for_function("!document.querySelector('ol li')")
            record(page, pad, status, keys="ArrowUp")
            seen.append(prompt(pad))  # 40 a second are asked
        record(page, pad, status, mouse=(0.0, 0.86))
        record(page, pad, status, mouse=(0.2, 0.5), goal="1")
        assert page.locator("ol li").count() == 3
        # Answers that come too late begin nothing, whatever is on screen.
        page.evaluate("""() => {
            const [r] = [...document.querySelectorAll('button')].filter(
                b => b.textContent === 'record');
            const goal = document.querySelector('select[aria-label=task]');
            r.click();
            r.click();
            goal.value = '0';
            goal.dispatchEvent(new Event('change'));
        }""")
        page.wait_for_timeout(2500)  # an episode takes 1.3 seconds
        assert page.locator("ol li").count() == 3
        page.get_by_role("button", name="replay").first.click()
        page.wait_for_timeout(300)
        page.get_by_role("button", name="delete").nth(1).click()
        page.wait_for_function("document.querySelectorAll('ol li button')"
                               ".length == 4")
        page.reload()
        page.wait_for_timeout(1000)
        run(page)
        page.wait_for_function("document.querySelectorAll('ol li button')"
                               ".length >= 4")
        assert not outside, outside
    env = make("push-sparse")
    rec = dataset.load(str(tmp_path / "mine.safetensors"), env)
    keys, mouse = (dataset.pick(rec, torch.tensor([i])) for i in (0, 1))
    assert keys.act[5:, 1].median() == 1 and keys.goal[0, 1] == 0.72
    assert keys.obs[-1, 4] > 0.6 > 0.52  # the arrow key pushed the block
    assert mouse.goal[0, 0] == 0.08 and mouse.obs[-1, 0] > 0.1
    made = train("gmps", "push-sparse", config(
        "gmps", "push", demos=str(tmp_path / "mine.safetensors"),
        dagger=False, iterations=2, episodes=4, outer_steps=20),
        progress=False)
    assert made.state.demos.obs.shape[0] == 2
    assert made.rows[1]["loss"] < made.rows[0]["loss_first"]


def run(page):
    """Run the notebook's only cell."""
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60000)
    page.click(".jp-CodeCell .cm-content")
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector("canvas[role=application]", timeout=60000)


def record(page, pad, status, keys=None, mouse=None, goal="0"):
    """Steer one episode of the push to its end."""
    page.locator("select[aria-label=task]").select_option(goal)
    page.locator("select[aria-label=speed]").select_option("2")
    before = page.locator("ol li").count()
    page.get_by_role("button", name="record").click()
    if keys:
        page.keyboard.down(keys)
    else:
        box = pad.bounding_box()
        x = box["x"] + (mouse[0] + 0.3) / 0.6 * box["width"]
        y = box["y"] + (0.9 - mouse[1]) / 0.56 * box["height"]
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 1, y)
    page.wait_for_function(
        f"document.querySelectorAll('ol li').length == {before + 1}",
        timeout=20000)
    if keys:
        page.keyboard.up(keys)
    else:
        page.mouse.up()
    page.get_by_text("aved.").wait_for(timeout=5000)


def prompt(pad) -> tuple[float, float]:
    """Of the last episode: the median of the milliseconds from asking for
    a step to its picture, and how many were drawn a second.
    """
    delay, at = np.array(pad.evaluate("c => c.drawn")).T
    return np.median(delay), 1e3 * (len(at) - 1) / (at[-1] - at[0])
