"""Notebooks made of a chapter: for students, instructors and otter-grader."""

from __future__ import annotations

import ast
import inspect
import re
from textwrap import dedent
from typing import Any

from ..exercises import EXERCISES
from .read import CALL, FOLDED, Item, imports

SOURCE = re.compile(r'"(git\+[^"@]+)"')
LINKS = re.compile(r"^\[Run in Colab\].*\n+", re.M)
ABOUT = """# {title}: assignment

Fill in each stub and run its cell, then the cell below it: that says what
does not hold yet. When it is graded, your answer is tried on other numbers
as well. A question earns all of its points or none.

The texts assume the chapter: its symbols, and the functions that it defines.
What an answer needs to import is imported below.
"""
RUBRIC = """**For the instructor: {x.name}**, {x.level}, {x.minutes} minutes,
{points}, text `{x.digest}`

All points if every property holds, else none. An answer that fails is told
the first of these that it misses:

{sentences}"""
CONFIG = """# ASSIGNMENT CONFIG
name: {name}
requirements: requirements.txt
export_cell:
  pdf: false"""
QUESTION = """# BEGIN QUESTION
name: {x.name}
points: {x.points}
all_or_nothing: true"""
BLOCK = "{x.stub}\n# BEGIN SOLUTION NO PROMPT\n{x.solution}\n# END SOLUTION"
TEST = """from gmps_lite.exercises import graded
print(graded("{x.name}", {x.variable}{seed}))"""


def edition(nb: Any, items: list[Item], pin: str, solutions: bool) -> str:
    """A whole chapter, with solutions and rubrics, or without solutions."""
    import nbformat
    by_name, cells = {x.name: x for x in items}, []
    for cell in nbformat.from_dict(nb).cells:  # a copy
        call = CALL.search(cell.source)
        if cell.cell_type == "markdown" and not solutions:
            text = FOLDED.sub(lambda m: m[0] * (m[1] != "Solution"),
                              cell.source)
            # The links lead to the chapter that has the solutions.
            text = LINKS.sub("", text)
            cell.source = re.sub(r"\n{3,}", "\n\n", text).strip()
        elif cell.cell_type == "code" and solutions and call:
            cells += [_cell("markdown", f"{call[2]}-rubric",
                            _rubric(by_name[call[2]]))]
        if "setup" in cell.metadata.get("tags", ()):
            cell.source = _pinned(cell.source, pin)
        if cell.source:
            cells.append(cell)
    return _text(nb, cells)


def assignment(nb: Any, name: str, items: list[Item], seed: int,
               pin: str) -> str:
    """A master notebook for `otter assign`: it stands alone, and trains
    nothing.
    """
    import nbformat
    title = next(m for c in nb.cells
                 if (m := re.match(r"# (.+)", c.source)))[1]
    setup = _pinned(_setup(nb, name), pin).partition("\nfrom gmps_lite")[0]
    cells = [_cell("raw", "config", CONFIG.format(name=name)),
             _cell("markdown", "about", ABOUT.format(title=title)),
             _cell("code", "setup", setup),
             _cell("code", "imports", imports(nb, items))]
    for x in items:
        points = f"{x.points} point{'s' * (x.points > 1)}"
        text = "\n\n".join([
            f"## {x.name} {x.title} ({x.level}, {x.minutes} min, {points})",
            x.text, *x.hints])
        parts = [
            ("raw", "question", QUESTION.format(x=x)),
            ("markdown", "text", text),
            ("raw", "begin-solution", "# BEGIN SOLUTION"),
            ("code", "solution", BLOCK.format(x=x)),
            ("raw", "end-solution", "# END SOLUTION"),
            ("raw", "begin-tests", "# BEGIN TESTS"),
            ("code", "test", TEST.format(x=x, seed="")),
            ("code", "hidden", "# HIDDEN\n" + TEST.format(
                x=x, seed=f", seed={seed}")),
            ("raw", "end-tests", "# END TESTS"),
            ("raw", "end-question", "# END QUESTION")]
        cells += [_cell(kind, f"{x.name}-{part}", text)
                  for kind, part, text in parts]
        for cell in cells[-4:-2]:  # a test holds if it prints this
            cell.outputs = [nbformat.v4.new_output(
                "stream", text=f"{x.name}: correct.\n")]
    return _text(nb, cells)


def source(nb: Any, name: str, pin: str) -> str:
    """What pip installs the package from, as the set-up cell has it."""
    return SOURCE.search(_pinned(_setup(nb, name), ""))[1] + (
        f"@{pin}" if pin else "")


def sentences(name: str) -> list[str]:
    """What a checker can say; what it fills in stands as {...}."""
    found = []

    def visit(node):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(x.value if isinstance(x, ast.Constant) else
                                 "{...}" for x in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        else:
            for child in ast.iter_child_nodes(node):
                visit(child)

    visit(ast.parse(dedent(inspect.getsource(EXERCISES[name].checker))))
    return [x for x in found if len(x) > 20 and " " in x]


def _rubric(x: Item) -> str:
    return RUBRIC.format(
        x=x, points=f"{x.points} point{'s' * (x.points > 1)}",
        sentences="\n".join(f"- {s}" for s in sentences(x.name)))


def _setup(nb: Any, name: str) -> str:
    """The set-up cell. Raises ValueError where there is none."""
    for cell in nb.cells:
        if "setup" in cell.metadata.get("tags", ()) and SOURCE.search(
                cell.source):
            return cell.source
    raise ValueError(f"{name}.ipynb has no cell tagged setup that installs "
                     "the package from git")


def _pinned(text: str, pin: str) -> str:
    return SOURCE.sub(rf'"\1@{pin}"', text) if pin else text


def _cell(kind: str, name: str, text: str) -> Any:
    """A cell with an id of its own, so that the bytes are the same."""
    import nbformat
    make = getattr(nbformat.v4, f"new_{kind}_cell")
    return make(text.strip(), id=name.replace(".", "-"))


def _text(nb: Any, cells: list) -> str:
    import nbformat
    made = nbformat.v4.new_notebook(cells=cells, metadata=nb.metadata)
    nbformat.validate(made)
    return nbformat.writes(made) + "\n"
