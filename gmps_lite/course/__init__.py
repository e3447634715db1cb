"""`gmps course build OUT`: what a class needs, from the notebooks of the book.

examples:
  gmps course build out
  gmps course build out --only ch03 ch06
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
import tempfile
from pathlib import Path

from tyro.conf import Positional

from ..checkpoint import read_json, write
from ..exercises import EXERCISES, verdict
from ..log import say
from ..types import check_count, lookup
from .editions import assignment, edition, source
from .read import Item, chapters, exercises

MARK = "course.json"  # names every file of a folder that `build` made

README = """# Coursework of gmps_lite

- `student/`: the chapters without the solutions of their exercises. Give
  these to your class.
- `instructor/`: the chapters with solutions, and beside each exercise its
  rubric; `rubric.md` is the table of all.
- `assignments/`: a master notebook for otter-grader a chapter. It holds the
  solutions and the hidden tests: keep it to yourself.

`otter assign assignments/ch06/ch06.ipynb graded/ch06` makes the student's
notebook, `graded/ch06/student`, and the autograder, `graded/ch06/autograder`.
The book's page for instructors says the rest.
"""


def build(out: Positional[Path], /, book: Path = Path("book"),
          only: tuple[str, ...] = (), seed: int = 1, pin: str = "") -> None:
    """Make student edition, instructor edition and assignments.

    Args:
        out: the folder; one that an earlier call made is replaced, unless
            something in it was changed or added since
        book: the folder with the notebooks
        only: these chapters, ch06 say; default all
        seed: of the hidden tests' numbers; 0 are those that students see
        pin: the tag or commit that set-up cells and graders install;
            default the newest
    """
    check_count("seed", seed)
    if not re.fullmatch(r"[\w./+-]*", pin):
        raise ValueError(f"pin is {pin!r}, must be a tag, branch or commit")
    found = chapters(book)
    books = {name: lookup("chapter", name, found) for name in only or found}
    _check_out(out)
    files, items = {"README.md": README}, []
    for name, nb in sorted(books.items()):
        mine = exercises(nb, name)
        for x in mine:
            item = lookup("exercise", x.name, EXERCISES)
            holds, sentence = verdict(x.name, item.answer, seed)
            if not holds:  # bad luck with a statistical check
                raise ValueError(f"with seed {seed} the book's own answer "
                                 f"fails ({sentence}): choose another")
        files |= {
            f"student/{name}.ipynb": edition(nb, mine, pin, False),
            f"instructor/{name}.ipynb": edition(nb, mine, pin, True),
            f"assignments/{name}/{name}.ipynb":
                assignment(nb, name, mine, seed, pin),
            f"assignments/{name}/requirements.txt":
                f"gmps-lite @ {source(nb, name, pin)}\n"}
        items += mine
    files["instructor/rubric.md"] = table(items)
    kept = {k: _digest(v.encode()) for k, v in files.items()}
    files[MARK] = json.dumps({"seed": seed, "pin": pin, "files": kept},
                             indent=1, sort_keys=True) + "\n"
    _write(out, files)
    say(f"{out}: {len(books)} chapter{'s' * (len(books) > 1)}, "
        f"{len(items)} exercises, {sum(x.points for x in items)} points, "
        f"seed {seed}")


def table(items: list[Item]) -> str:
    """All exercises with minutes, points and the digest of their texts."""
    rows = ["| exercise | title | level | minutes | points | text |",
            "|---|---|---|---:|---:|---|"]
    rows += [f"| {x.name} | {x.title} | {x.level} | {x.minutes} | {x.points} "
             f"| `{x.digest}` |" for x in items]
    rows += [f"| all | | | {sum(x.minutes for x in items)} "
             f"| {sum(x.points for x in items)} | |"]
    return "\n".join(["# Exercises", "", *rows, ""])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_out(out: Path) -> None:
    """Refuse a folder with anything in it that `build` did not write."""
    if out.is_symlink() or out.exists() and not out.is_dir():
        raise ValueError(f"{out} is there and is no folder")
    if not out.exists() or not any(out.iterdir()):
        return
    kept = read_json(out / MARK) if (out / MARK).is_file() else {}
    kept = kept.get("files")
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


def _write(out: Path, files: dict[str, str]) -> None:
    """Write a folder so that it is the old one or the new one, whole."""
    out = out.absolute()
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
