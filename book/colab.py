"""Play a Colab user: an environment of other versions, one notebook file.

    python book/colab.py [--legs oldest newest] [--only ch03 | --all]

Two legs, side by side; every notebook goes through one of them, a few go
through both, with --all every one. Each leg is a virtual environment that has
numpy, torch, matplotlib and ipykernel before any notebook is opened: in
`oldest` the lowest versions that pyproject.toml allows, in `newest` what pip
takes today. A notebook alone lies in a folder elsewhere; its set-up cell
installs the package from a clone of this repository, in place of the public
one. That cell must take 60 s at most (more in proportion, where more
processes than cores want to run) and leave all that was there as it was, so
that nothing asks for a restart; then the notebook must run to its end, FAST.

Environments are kept in _build/colab-*: 5 GB each, since torch for CUDA is
what pip brings, as on Colab. A run begins by removing what the last one had
installed in them.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from packaging.requirements import Requirement

from program import Problem, call
from sync import ROOT, chapters

STOP = threading.Event()  # set by Ctrl-C: no leg begins another notebook
HAS = ("numpy", "torch", "matplotlib", "ipykernel")
LEGS = ("oldest", "newest")
# Shipped weights on two bodies, a rendered picture and an optimizer after
# it, second derivatives, and a training that depends on contacts.
BOTH = ("ch00", "ch01", "ch03", "ch05")
LIMIT = 60  # seconds, of a set-up cell
INSTALLED = """import json
from importlib.metadata import distributions
print(json.dumps({d.name: d.version for d in distributions()}))"""
WHERE = "import gmps_lite; print(gmps_lite.__file__)"


def lowest(project: dict) -> dict[str, str]:
    """The lowest version of every dependency, and of ipykernel."""
    extra = project["optional-dependencies"]["book"]
    extra = [need for need in extra if need.startswith("ipykernel")]
    found = {}
    for need in map(Requirement, project["dependencies"] + extra):
        low = [s.version for s in need.specifier if s.operator == ">="]
        if len(low) != 1:
            raise Problem(f"pyproject.toml: {need} has no one lower bound")
        found[need.name] = low[0]
    return found


class Leg:
    """One environment, and what is played in it."""

    def __init__(self, name: str, low: dict[str, str], work: Path):
        self.name, self.low = name, low
        self.work = work / name
        self.work.mkdir()
        if name == "oldest":
            # psutil, since ipykernel would bring its newest.
            self.wants = [f"{n}=={low[n]}" for n in (*HAS, "psutil")]
            key = hashlib.sha256(" ".join(self.wants).encode()).hexdigest()
        else:
            self.wants, key = list(HAS), time.strftime("%Y-%m")
        self.folder = ROOT / "_build" / f"colab-{name}-{key[:8]}"
        self.python = self.folder / "bin" / "python"
        # Nothing of this checkout may be seen; pip is told the rest.
        drop = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        self.env = {k: v for k, v in os.environ.items() if k not in drop}
        self.env |= {"OMP_NUM_THREADS": "1", "PYTHONNOUSERSITE": "1"}
        if name == "oldest":  # what the set-up cell adds as well
            rows = self.work / "lowest.txt"
            rows.write_text("".join(f"{n}=={v}\n" for n, v in low.items()))
            self.env["PIP_CONSTRAINT"] = str(rows)

    def say(self, text: str) -> None:
        print(f"{self.name}  {text}")

    def pip(self, *words) -> None:
        call(self.python, "-m", "pip", *words, env=self.env)

    def installed(self) -> dict[str, str]:
        return json.loads(call(self.python, "-c", INSTALLED, env=self.env))

    def prepare(self) -> None:
        """The environment as it is before a notebook is opened."""
        ready = self.folder / "before.json"  # written last
        if ready.exists():
            self.before = json.loads(ready.read_text())
            added = sorted(self.installed().keys() - self.before.keys())
            if added:
                self.pip("uninstall", "-q", "-y", *added)
            if self.installed() == self.before:
                return
        began = time.monotonic()
        self.say(f"new environment: {' '.join(self.wants)}")
        for old in ROOT.glob(f"_build/colab-{self.name}-*"):
            shutil.rmtree(old)
        call(sys.executable, "-m", "venv", self.folder)
        # Compiled when first imported: most of torch never is.
        self.pip("install", "-q", "--no-compile", *self.wants)
        self.before = self.installed()
        ready.write_text(json.dumps(self.before))
        self.say(f"made in {time.monotonic() - began:.0f} s")

    def play(self, source: Path, notebook: Path) -> tuple[float, float]:
        """Seconds of the set-up cell and of the whole; Problem if it fails.
        """
        kernel = self.work / "jupyter" / "kernels" / "colab"
        kernel.mkdir(parents=True, exist_ok=True)
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f",
                "{connection_file}"]
        (kernel / "kernel.json").write_text(json.dumps(
            {"argv": argv, "display_name": "Colab", "language": "python"}))
        env = self.env | {"GMPS_LITE_SOURCE": f"git+file://{source}",
                          "JUPYTER_PATH": str(self.work / "jupyter")}
        folder = Path(tempfile.mkdtemp(dir=self.work))
        shutil.copy(notebook, folder)
        out = self.work / notebook.name
        began = time.monotonic()
        call(sys.executable, "-m", "papermill", folder / notebook.name, out,
             "-p", "FAST", "True", "-k", "colab", "--cwd", folder,
             "--no-progress-bar", env=env, timeout=1200)
        whole = time.monotonic() - began
        first = next(c for c in nbformat.read(out, as_version=4).cells
                     if "setup" in c.metadata.get("tags", []))
        return first.metadata["papermill"]["duration"], whole

    def check(self) -> None:
        """What was there is as it was; what came is what was meant."""
        now = self.installed()
        changed = {name: (version, now.get(name))
                   for name, version in self.before.items()
                   if now.get(name) != version}
        if changed:
            raise Problem(f"the set-up cell changed {changed}")
        where = call(self.python, "-c", WHERE, env=self.env, cwd=self.work)
        if not where.startswith(str(self.folder)):
            raise Problem(f"gmps_lite came from {where}")
        if self.name == "oldest":
            for name, version in self.low.items():
                if Requirement(f"{name}=={version}").specifier.contains(
                        now[name]):
                    continue
                raise Problem(f"{name} is {now[name]}, not {version}")

    def run(self, source: Path, books: list[Path]) -> int:
        """The number of notebooks that failed."""
        wrong = 0
        try:
            self.prepare()
        except Problem as problem:
            self.say(f"FAIL no environment: {problem}")
            return len(books)
        have = " ".join(f"{n} {self.before[n]}" for n in HAS)
        self.say(have)
        for i, book in enumerate(books):
            if STOP.is_set():
                break
            done = f"[{i + 1}/{len(books)}]"
            try:
                if i:  # a second fresh runtime, but for its downloads
                    self.pip("uninstall", "-q", "-y", "gmps-lite")
                seconds, whole = self.play(source, book)
                self.check()
                # Where others want the cores too, the same work lasts longer.
                busy = max(1.0, os.getloadavg()[1] / os.cpu_count())
                if seconds > LIMIT * busy:
                    raise Problem(f"the set-up cell took {seconds:.0f} s, "
                                  f"not {LIMIT}, at a load of {busy:.1f} "
                                  "processes a core")
            except (Problem, subprocess.TimeoutExpired) as problem:
                wrong += 1
                self.say(f"{book.stem}  FAIL  {done}\n{problem}")
            else:
                self.say(f"{book.stem}  ok    set-up {seconds:3.0f} s, all "
                         f"{whole:4.0f} s  {done}")
        return wrong


def part(leg: str, only: list[str], everything: bool) -> list[Path]:
    """The notebooks that go through one leg: without a wish, those of both
    and every second of the others.
    """
    books = chapters()
    return [p for i, p in enumerate(books) if everything or (
        p.stem in only if only else
        p.stem in BOTH or LEGS[i % len(LEGS)] == leg)]


def clone(work: Path) -> Path:
    """The repository as it is now, edits of tracked files included."""
    source = work / "gmps-lite.git"
    call("git", "clone", "-q", "--bare", ROOT, source)
    # stash takes a file that was only touched for an edit, then exits with 1.
    call("git", "-C", ROOT, "update-index", "-q", "--refresh")
    edits = call("git", "-C", ROOT, "-c", "user.name=-", "-c",
                 "user.email=-", "stash", "create").strip()
    commit = edits or call("git", "-C", ROOT, "rev-parse", "HEAD").strip()
    call("git", "-C", source, "fetch", "-q", ROOT, commit)
    call("git", "-C", source, "update-ref", "HEAD", commit)
    return source


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--legs", nargs="+", choices=LEGS, default=LEGS)
    parser.add_argument("--only", nargs="+", default=[], metavar="ch03")
    parser.add_argument("--all", action="store_true",
                        help="every notebook in every leg")
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    absent = set(args.only) - {p.stem for p in chapters()}
    if absent:
        parser.error(f"no such notebook: {' '.join(sorted(absent))}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with (tempfile.TemporaryDirectory(prefix="gmps-colab-") as folder,
          ThreadPoolExecutor() as pool):
        work = Path(folder)
        source = clone(work)
        legs = [Leg(name, lowest(project), work) for name in args.legs]
        try:
            wrong = sum(pool.map(lambda leg: leg.run(source, part(
                leg.name, args.only, args.all)), legs))
        except KeyboardInterrupt:
            STOP.set()  # what runs was interrupted too, and ends
            return 130
    print(f"{wrong} failed" if wrong else "all ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
