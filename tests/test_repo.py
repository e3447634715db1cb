"""The house rules: pins, floors, sizes, nothing unsafe, a complete wheel."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gmps_lite"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = [
    "types checkpoint columns optim frames gmps_config slider",
    "envs policies log",
    "rollout advantages",
    "inner demos sac trpo evaluate",
    "ppo",
    "experts",
    "dataset",
    "gmps baselines session",
    "train exercises results drive",
    "plots score sweep",
    "book claims course",
    "quotes",
    "bench_pixels",
    "bench",
    "cli __init__ __main__",
]
FLOOR = {name: i for i, row in enumerate(FLOORS) for name in row.split()}
# Folders that are one module.
SIDEWAYS = {"envs", "experts", "dataset", "baselines", "exercises", "course"}


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def each_file(function):
    return pytest.mark.parametrize("path", FILES, ids=label)(function)


def module(path: Path) -> str:
    """The top-level name that a file belongs to: its floor's key."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[tuple[int, str]]:
    """Line and top-level name of each import from the package."""
    here = ["gmps_lite", *path.relative_to(PACKAGE).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from ..types import X` in envs/ is gmps_lite.types.X
            base = here[: len(here) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *filter(None, [node.module])])
            names = [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        for parts in (name.split(".") for name in names):
            if parts[0] == "gmps_lite":
                top = parts[1] if len(parts) > 1 else "__init__"
                there = PACKAGE / top
                known = there.is_dir() or there.with_suffix(".py").exists()
                # `from gmps_lite import X`, X no module, needs __init__
                found.append((node.lineno, top if known else "__init__"))
    return found


def test_there_is_a_package():
    assert FILES, "gmps_lite/ has no Python file"


def test_pins():
    """Each dependency has one exact pin, and the pin meets its bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needs = project["build-system"]["requires"]
    needs = needs + project["project"]["dependencies"]
    for extra in project["project"]["optional-dependencies"].values():
        needs = needs + extra
    text = re.sub(r"#.*", "", (ROOT / "requirements.txt").read_text())
    pins = {}
    for line in filter(str.strip, text.splitlines()):
        pin = Requirement(line)
        exact = re.fullmatch(r"==([\w.]+)", str(pin.specifier))
        assert exact, f"requirements.txt: {line.strip()!r} is not exact"
        pins[canonicalize_name(pin.name)] = exact[1]
    for need in map(Requirement, needs):
        pin = pins.get(canonicalize_name(need.name))
        assert pin, f"requirements.txt has no pin for {need.name}"
        assert pin in need.specifier, f"the pin {pin} breaks {need}"


def test_address():
    """Pages that name the repository name the one in _config.yml."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    url = config["repository"]["url"]
    pages = [*ROOT.glob("*.md"), *(ROOT / "book").rglob("*.md")]
    for path in [*pages, ROOT / "CITATION.cff", ROOT / "LICENSE-TEXT"]:
        text = path.read_text().replace(
            "https://colab.research.google.com/github", "https://github.com")
        for found in re.findall(r"https://[\w./-]+/gmps-lite", text):
            assert found == url, f"{label(path)}: {found} is not {url}"


@each_file
def test_floors(path):
    """A file imports only from lower floors."""
    own = module(path)
    assert own in FLOOR, f"{label(path)}: give {own!r} a floor in FLOORS"
    for line, name in imported(path):
        where = f"{label(path)}:{line} imports {name}"
        assert name in FLOOR, f"{where}, which has no floor in FLOORS"
        beside = name == own and own in SIDEWAYS
        assert beside or FLOOR[name] < FLOOR[own], (
            f"{where} (floor {FLOOR[name]}) from floor {FLOOR[own]}"
        )


@pytest.mark.parametrize(
    "path", [*FILES, *(ROOT / "book").glob("*.py")], ids=label)
def test_file_is_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 250, f"{label(path)} has {lines} lines, not 250"


def test_package_is_short():
    """Without the exercises' checkers, which belong to the chapters."""
    files = [path for path in FILES if path.parent.name != "exercises"]
    lines = sum(len(path.read_text().splitlines()) for path in files)
    assert lines <= 8545, f"gmps_lite has {lines} lines, not 8,545"


@each_file
def test_nothing_unsafe(path):
    """No file format and no call that can run what it reads."""
    for node in ast.walk(ast.parse(path.read_text())):
        text = ""
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            text = ast.unparse(node)
        found = re.search(
            r"^(?:import|from) .*pickle|allow_pickle=True"
            r"|^(?:torch\.load|eval|exec)\(|^from torch import .*\bload\b",
            text,
        )
        where = f"{label(path)}:{getattr(node, 'lineno', 0)}"
        assert not found, f"{where}: {found and found[0]}"


def test_wheel(tmp_path):
    """An installed copy has all that the checkout has.

    Built from a copy without .git, where only declared files are packed,
    and outside the checkout, where a stale build/ cannot get in.
    """
    skip = ignore_patterns("__pycache__")
    copytree(PACKAGE, tmp_path / "gmps_lite", ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", "out"]
    done = subprocess.run(
        [*command, "--no-build-isolation", "--no-index", "."],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"SETUPTOOLS_SCM_PRETEND_VERSION": "0.1.0"},
    )
    assert not done.returncode, done.stdout + done.stderr
    (wheel,) = (tmp_path / "out").glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        label(path)
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith(".xml") for name in wanted), "no XML file"
    missing = sorted(wanted - packed)
    assert not missing, f"not in the wheel: {missing}"
    others = {name.split("/")[0] for name in packed}
    assert all(name.startswith("gmps_lite") for name in others), others
