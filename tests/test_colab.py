"""The player of a Colab user notices what would go wrong there.

The play itself is a phase of `make test`; here its judgments are tried.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
import colab  # noqa: E402


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_lowest():
    low = colab.lowest(project())
    assert set(colab.HAS) <= set(low)
    assert len(low) == len(project()["dependencies"]) + 1
    loose = project() | {"dependencies": ["numpy"]}
    with pytest.raises(colab.Problem, match="numpy has no one lower bound"):
        colab.lowest(loose)


def test_every_notebook_is_played():
    parts = [set(colab.part(leg, [], False)) for leg in colab.LEGS]
    assert set.union(*parts) == set(colab.chapters())
    assert {p.stem for p in set.intersection(*parts)} == set(colab.BOTH)
    assert colab.part("newest", [], True) == colab.chapters()
    assert [p.stem for p in colab.part("oldest", ["ch02"], False)] == ["ch02"]


@pytest.fixture
def leg(tmp_path, monkeypatch):
    """The oldest leg after a set-up cell that did all right."""
    low = colab.lowest(project())
    leg = colab.Leg("oldest", low, tmp_path)
    leg.before = {n: f"{low[n]}.0" for n in colab.HAS}
    leg.now = {n: f"{v}.0" for n, v in low.items()} | {"gmps-lite": "1"}
    leg.where = leg.folder / "lib" / "gmps_lite" / "__init__.py"
    monkeypatch.setattr(leg, "installed", lambda: leg.now)
    monkeypatch.setattr(colab, "call", lambda *a, **k: f"{leg.where}\n")
    return leg


def test_check_passes(leg):
    leg.check()


@pytest.mark.parametrize("break_it, word", [
    (lambda leg: leg.now.update(torch="2.9.0"), "changed.*torch"),
    (lambda leg: leg.now.pop("ipykernel"), "changed.*ipykernel"),
    (lambda leg: leg.now.update(scipy="99.0"), "scipy is 99.0"),
    (lambda leg: setattr(leg, "where", ROOT / "gmps_lite"), "came from")])
def test_check_notices(leg, break_it, word):
    break_it(leg)
    with pytest.raises(colab.Problem, match=word):
        leg.check()


@pytest.mark.parametrize("seconds, load, fails", [
    (59.0, 0.1, 0), (61.0, 0.1, 1), (170.0, 3.0, 0), (190.0, 3.0, 1)])
def test_limit(leg, monkeypatch, seconds, load, fails):
    """60 s, or as much more as a core has processes."""
    monkeypatch.setattr(leg, "prepare", lambda: None)
    monkeypatch.setattr(leg, "play", lambda *_: (seconds, 300.0))
    monkeypatch.setattr(colab.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(colab.os, "getloadavg", lambda: (0, 2 * load, 0))
    assert leg.run(ROOT, [Path("ch00.ipynb")]) == fails


def test_clone_has_edits(tmp_path, monkeypatch):
    """What is played is the checkout as it is, edits included; a file that
    was only written again is none.
    """
    git = ["git", "-c", "user.name=-", "-c", "user.email=-", "-c",
           "commit.gpgsign=false"]
    checkout, work = tmp_path / "checkout", tmp_path / "work"
    checkout.mkdir()
    work.mkdir()
    (checkout / "a").write_text("committed")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], cwd=checkout, check=True,
                       stdin=subprocess.DEVNULL)
    monkeypatch.setattr(colab, "ROOT", checkout)
    for text in ("committed", "edited"):
        (checkout / "a").write_text(text)
        os.utime(checkout / "a", (1, 1))
        (work / text).mkdir()
        source = colab.clone(work / text)
        assert colab.call("git", "-C", source, "show", "HEAD:a") == text
