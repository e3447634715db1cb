"""What a release offers for download, written to dist/.

    python book/release.py [--fast]

The site, the notebooks with their outputs, the student edition, the wheel
and SHA256SUMS. It is a release of a commit: what is not committed is not in
it, and the last `make book` must have run the notebooks of that commit (in
full; --fast takes a fast run, for a try). The same inputs give the same
bytes: entries are sorted, and their time is the commit's.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import nbformat

from build import STAGE, digest, read_record
from program import Problem, call
from sync import ROOT, chapters

DIST = ROOT / "dist"
# Run in an environment that has the wheel and nothing else.
BARE = """import hashlib, json
from importlib.metadata import files
import gmps_lite
print(json.dumps({str(f): hashlib.sha256(f.locate().read_bytes()).hexdigest()
                  for f in files("gmps-lite")}))"""


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pack(entries: dict[str, bytes], path: Path, when: int) -> None:
    """A zip that is the same wherever and whenever it is packed.

    when: seconds since 1970, the time of every entry.
    """
    stamp = time.gmtime(max(when, 315532800))[:6]  # zip begins in 1980
    with zipfile.ZipFile(path, "w") as packed:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, stamp)
            info.external_attr = 0o644 << 16
            info.create_system = 3  # Unix, wherever it is packed
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, entries[name])


def folder(path: Path, prefix: str) -> dict[str, bytes]:
    """Every file below a folder, named below `prefix`."""
    found = {f"{prefix}/{file.relative_to(path).as_posix()}":
             file.read_bytes()
             for file in path.rglob("*") if file.is_file()}
    if not found:
        raise Problem(f"{path} is empty or missing")
    return found


def executed(fast: bool) -> dict[str, bytes]:
    """The notebooks with their outputs, less the clock of papermill."""
    record = read_record().get("notebooks", {})
    modes = ("full", "fast") if fast else ("full",)
    found = {}
    for path in chapters():
        entry = record.get(path.stem, {})
        if (entry.get("source") != digest(path)
                or entry.get("mode") not in modes
                or not (STAGE / path.name).exists()):
            raise Problem(f"{path.name} as committed has no "
                        f"{' or '.join(modes)} run: first make book")
        nb = nbformat.read(STAGE / path.name, as_version=4)
        for part in (nb, *nb.cells):
            for key in ("papermill", "execution"):
                part.metadata.pop(key, None)
        found[f"gmps-lite-notebooks/{path.name}"] = (
            nbformat.writes(nb) + "\n").encode()
    return found


def wheel(tree: Path, out: Path, when: int) -> Path:
    """The wheel of a checkout, built with the pinned setuptools."""
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps",
         "--no-build-isolation", "--no-index", "-w", out, tree,
         env=os.environ | {"SOURCE_DATE_EPOCH": str(when)})
    (made,) = out.glob("*.whl")
    return made


def installs(made: Path, tree: Path, work: Path) -> int:
    """How many files the wheel brings to a bare environment: all that are
    tracked below gmps_lite/. Problem if one is missing or differs.
    """
    call(sys.executable, "-m", "venv", "--without-pip", work / "bare")
    python = work / "bare" / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "-q",
         "--force-reinstall", "--no-deps", "--no-index", "--no-compile", made)
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    have = json.loads(call(python, "-c", BARE, cwd=work, env=clean))
    names = call("git", "-C", tree, "ls-files", "gmps_lite").split()
    wrong = [name for name in names
             if have.get(name) != checksum((tree / name).read_bytes())]
    if wrong or not names:
        raise Problem(f"{made.name} lacks {wrong[:5]}")
    return len(names)


def release(fast: bool) -> None:
    changed = call("git", "-C", ROOT, "status", "--porcelain", "-uno")
    if changed:
        raise Problem(f"commit first; these differ:\n{changed}")
    os.umask(0o022)  # the wheel holds the files' modes
    when = int(call("git", "-C", ROOT, "log", "-1", "--format=%ct"))
    site = ROOT / "_build" / "html"
    if not (site / "index.html").exists():
        raise Problem("there is no site: first make book")
    notebooks = executed(fast)
    with tempfile.TemporaryDirectory(prefix="gmps-release-") as name:
        work = Path(name)
        tree, out = work / "tree", work / "dist"
        out.mkdir()
        call("git", "clone", "-q", ROOT, tree)
        print("wheel")
        made = wheel(tree, out, when)
        print(f"  {installs(made, tree, work)} files in a bare environment")
        print("student edition")
        call(sys.executable, "-m", "gmps_lite.cli", "course", "build",
             work / "course", cwd=tree,
             env=os.environ | {"PYTHONPATH": str(tree)})
        print("archives")
        pack(folder(work / "course" / "student", "gmps-lite-student"),
             out / "gmps-lite-student.zip", when)
        pack(notebooks, out / "gmps-lite-notebooks.zip", when)
        pack(folder(site, "gmps-lite-site"), out / "gmps-lite-site.zip", when)
        sums = [f"{checksum(file.read_bytes())}  {file.name}\n"
                for file in sorted(out.iterdir())]
        (out / "SHA256SUMS").write_text("".join(sums))
        # Only now: a release that failed leaves the last one alone.
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(out, DIST)
    for file in sorted(DIST.iterdir()):
        print(f"{file.stat().st_size / 1e6:8.2f} MB  dist/{file.name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true",
                        help="take notebooks of a fast run as well")
    try:
        release(parser.parse_args().fast)
    except Problem as why:
        print(f"no release: {why}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
