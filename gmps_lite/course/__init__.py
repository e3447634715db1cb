"""`gmps course build OUT`: what a class needs, from the notebooks of the book.

examples:
  gmps course build out
  gmps course build out --only ch03 ch06 --levels warm-up core
  gmps course build out --book ~/gmps-lite/book --seed 2027 --pin v1.0
  otter assign out/assignments/ch06/ch06.ipynb graded/ch06
OUT/student has the chapters without solutions, OUT/instructor those with
solutions and rubrics, OUT/assignments one master for otter-grader a chapter.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tyro.conf import Positional

from ..checkpoint import read_json, write
from ..exercises import EXERCISES, verdict
from ..log import say
from ..types import lookup
from .editions import OTTER, assignment, edition, listed, source, words
from .read import POINTS, chapters, exercises

MARK = "course.json"  # names every file of a folder that `build` made


def build(out: Positional[Path], /, book: Path = Path("book"),
          only: tuple[str, ...] = (), levels: tuple[str, ...] = tuple(POINTS),
          seed: int = 1, pin: str = "") -> None:
    """Make student edition, instructor edition and assignments.

    Args:
        out: the folder; one that an earlier call made is replaced, unless
            something in it was changed or added since
        book: the folder with the notebooks
        only: these chapters, ch06 say; default all
        levels: of the exercises that are handed in; default all
        seed: of the hidden tests' numbers: one that nobody else knows
        pin: the tag or commit that set-up cells and graders install;
            default the newest
    """
    if not 0 < seed < 2**31:
        raise ValueError(f"seed is {seed}, must be 1 to {2**31 - 1}; 0 draws "
                         "the numbers that students see")
    if not re.fullmatch(r"(?!-)[\w./+-]*", pin):
        raise ValueError(f"pin is {pin!r}, must be a tag, branch or commit")
    worth = {lookup("level", level, POINTS) for level in levels or POINTS}
    found = chapters(book)
    books = {name: lookup("chapter", name, found) for name in only or found}
    if out.resolve().is_relative_to(book.resolve()):
        raise ValueError(f"{out} is in {book}, the folder of the notebooks: "
                         "choose another")
    before = _check_out(out)
    files, items = {"README.md": words("folder.md")}, []
    for name, nb in sorted(books.items()):
        whole = exercises(nb, name)
        mine = [x for x in whole if x.points in worth]
        for x in mine:
            item = lookup("exercise", x.name, EXERCISES)
            holds, sentence = verdict(x.name, item.answer, seed)
            if not holds:  # bad luck with a statistical check
                raise ValueError(f"with seed {seed} the book's own answer "
                                 f"fails ({sentence}): choose another")
        files |= {
            "student/README.md": "# What you need\n\n" + words(
                "students.md", source=source(nb, name, pin), otter=OTTER),
            f"student/{name}.ipynb": edition(nb, whole, pin, False),
            f"instructor/{name}.ipynb": edition(nb, whole, pin, True),
            f"assignments/{name}/{name}.ipynb":
                assignment(nb, name, mine, seed, pin),
            f"assignments/{name}/requirements.txt":
                f"gmps-lite @ {source(nb, name, pin)}\n"}
        items += mine
    points = sum(x.points for x in items)
    files["instructor/rubric.md"] = words(
        "grading.md", points=points, minutes=sum(x.minutes for x in items),
        rows="\n".join(f"| {x.name} | {x.title} | {x.level} | {x.minutes} "
                       f"| {x.points} | `{x.digest}` |" for x in items),
        rubrics="\n\n".join(f"## {x.name} {x.title}\n\n{listed(x)}"
                            for x in items))
    kept = {k: _digest(v.encode()) for k, v in files.items()}
    now = {"seed": seed, "pin": pin, "levels": list(levels), "files": kept}
    files[MARK] = json.dumps(now, indent=1, sort_keys=True) + "\n"
    _write(out, files)
    for line in _news(before, now, book):
        say(f"{out}: {line}")
    say(f"{out}: {len(books)} chapter{'s' * (len(books) > 1)}, "
        f"{len(items)} exercises, {points} points, seed {seed}")


def _news(old: dict, new: dict, book: Path) -> list[str]:
    """What changed since the last build, and what may be unintended."""
    def git(*args: str) -> bool:
        return not subprocess.run(["git", "-C", str(book), *args],
                                  capture_output=True).returncode
    out = [f"{k}: {old[k]!r} before, {new[k]!r} now" for k in new
           if k != "files" and old.get(k, new[k]) != new[k]]
    out += [f"{name} is gone" for name in sorted(old.get("files", ()))
            if name.startswith("student/") and name not in new["files"]]
    out += ["seed 1 is for a try: choose with --seed a number that you tell "
            "nobody"] * (new["seed"] == 1)
    if (pin := new["pin"]) and shutil.which("git") and git("rev-parse") and (
            not any(git("rev-parse", "-q", "--verify", f"{at}{pin}^{{commit}}")
                    for at in ("", "origin/"))):
        out += [f"WARNING: the clone with {book} knows no tag, branch or "
                f"commit {pin!r}, which students would install"]
    return out


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_out(out: Path) -> dict:
    """What the folder's mark says. Raises ValueError if there is anything
    in it that `build` did not write.
    """
    if out.is_symlink() or out.exists() and not out.is_dir():
        raise ValueError(f"{out} is there and is no folder")
    if not out.exists() or not any(out.iterdir()):
        return {}
    mark = read_json(out / MARK) if (out / MARK).is_file() else {}
    kept = mark.get("files")
    if not isinstance(kept, dict):
        raise ValueError(f"{out} is there and was not made by gmps course "
                         "build: choose another folder")
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and name != MARK and (
                kept.get(name) != _digest(path.read_bytes())):
            raise ValueError(f"{path} was changed or added by hand and would "
                             "be lost: move it away, or choose another "
                             "folder")
    return mark


def _write(out: Path, files: dict[str, str]) -> None:
    """Write a folder so that it is the old one or the new one, whole."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    old = fresh.with_name(fresh.name + ".old")
    try:
        fresh.chmod(0o755)
        for name, text in files.items():
            write(fresh / name, text.encode())
        if out.exists():
            os.replace(out, old)
        os.replace(fresh, out)
    except BaseException:
        if old.exists() and not out.exists():
            os.replace(old, out)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
