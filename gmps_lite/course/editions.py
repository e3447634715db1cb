"""Notebooks made of a chapter: for students, instructors and otter-grader."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import resources
from textwrap import dedent
from typing import Any

from ..exercises import EXERCISES
from .read import CALL, FOLDED, Item, imports

SOURCE = re.compile(r'git\+[^\s"`@]+')
LINKS = re.compile(r"^\[Run in Colab\].*\n+", re.M)
OTTER = "otter-grader==7.0.0"
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
            x = by_name[call[2]]
            cells += [_cell("markdown", f"{x.name}-rubric", words(
                "rubric.md", x=x, s="s" * (x.points > 1),
                sentences=listed(x)))]
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
    title = nb.cells[0].source.partition("\n")[0].removeprefix("# ")
    setup = _pinned(_setup(nb, name), pin).partition("\nfrom gmps_lite")[0]
    setup += words("grader.txt", name=name, otter=OTTER, names=(
        ",\n" + 8 * " ").join(f'"{x.name}": "{x.variable}"' for x in items))
    cells = [_cell("raw", "config", words("config.txt", name=name)),
             _cell("markdown", "about", words("assignment.md", title=title)),
             _cell("code", "setup", setup),
             _cell("code", "imports", imports(nb, items))]
    for x in items:
        points = f"{x.points} point{'s' * (x.points > 1)}"
        text = "\n\n".join([
            f"## {x.name} {x.title} ({x.level}, {x.minutes} min, {points})",
            x.text, *x.hints])
        parts = [
            ("raw", "question", words("question.txt", x=x)),
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


def words(file: str, **blanks: Any) -> str:
    """A text of this folder with its blanks filled in."""
    path = resources.files(__package__).joinpath(file)
    return path.read_text(encoding="utf-8").format(**blanks)


def source(nb: Any, name: str, pin: str) -> str:
    """What pip installs the package from, as the set-up cell has it."""
    return _pinned(SOURCE.search(_setup(nb, name))[0], pin)


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
    return list(dict.fromkeys(x for x in found if " " in x and (
        len(x) > 20 or x.endswith((".", "?")))))


def listed(x: Item) -> str:
    """The sentences of an exercise's check in their order."""
    return "\n".join(f"{i}. {s}" for i, s in enumerate(sentences(x.name), 1))


def _setup(nb: Any, name: str) -> str:
    """The set-up cell. Raises ValueError where there is none."""
    for cell in nb.cells:
        if "setup" in cell.metadata.get("tags", ()) and SOURCE.search(
                cell.source):
            return cell.source
    raise ValueError(f"{name}.ipynb has no cell tagged setup that installs "
                     "the package from git")


def _pinned(text: str, pin: str) -> str:
    return SOURCE.sub(rf"\g<0>@{pin}", text) if pin else text


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
