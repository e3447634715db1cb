"""A Sphinx extension: symbols name their chapters, chapters their symbols.

Both are read off the notebooks' own code while the site is built. A chapter
derives what it prints with `show` and what its section *Parity* holds its own
code against; it uses what else it takes from the package.
"""

import ast
import importlib
import inspect
import json
from contextlib import suppress
from functools import cache, reduce
from pathlib import Path
from typing import NamedTuple

from sphinx.util import logging

from sync import chapters

log = logging.getLogger(__name__)
# Of every chapter's set-up: says nothing about a chapter.
COMMON = ("gmps_lite.book", "gmps_lite.exercises")
# Parity compares with their help, not with them.
HELP = ("gmps_lite.types", "gmps_lite.plots", "gmps_lite.envs",
        "gmps_lite.rollout", "gmps_lite.train", "gmps_lite.policies")


class Symbols(NamedTuple):
    """Full names, in the order in which a chapter first has them."""

    derived: list[str]
    used: list[str]


def source(path: Path, section: str = "") -> ast.Module:
    """The code of a notebook, or of one section, without IPython's lines."""
    lines, inside = [], not section
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] != "code":
            if section and text.startswith("## "):
                inside = text.startswith(f"## {section}")
        elif inside:
            lines += ["" if line.startswith(("%", "!")) else line
                      for line in text.splitlines()]
    return ast.parse("\n".join(lines))


def imports(tree: ast.Module) -> dict[str, object]:
    """What each name that is imported from the package stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (
                node.module or "").split(".")[0] == "gmps_lite":
            module = importlib.import_module(node.module)
            for a in node.names:
                if not hasattr(module, a.name):
                    importlib.import_module(f"{node.module}.{a.name}")
                found[a.asname or a.name] = getattr(module, a.name)
        elif isinstance(node, ast.Import):
            for a in node.names:
                if a.name.startswith("gmps_lite.") and a.asname:
                    found[a.asname] = importlib.import_module(a.name)
    return found


def full_name(thing) -> str | None:
    """Where a function or class of the package is defined; None for others."""
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return None
    thing = inspect.unwrap(thing)
    name = f"{thing.__module__}.{thing.__qualname__}"
    return name if name.startswith("gmps_lite.") else None


def names(tree: ast.Module, known: dict[str, object]) -> list[str]:
    """Full names of all functions and classes of the package in some code."""
    found = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        first, *rest = ast.unparse(node).split(".")
        if first in known:
            with suppress(AttributeError):  # of a variable of that name
                found[full_name(reduce(getattr, rest, known[first]))] = None
    return [n for n in found if n and not n.startswith(COMMON)]


def symbols(path: Path) -> Symbols:
    """What one notebook derives, and what else of the package it uses."""
    tree = source(path)
    known, derived = imports(tree), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "show":
            shown = names(ast.Module(node.args[:1], []), known)
            if not shown:
                raise ValueError(f"{path.name}: {ast.unparse(node)}: not a "
                                 "function or class of gmps_lite")
            derived += shown[:1]  # the whole of a.b.c comes before its parts
    derived += [n for n in names(source(path, "Parity"), known)
                if not n.startswith(HELP)]
    derived = list(dict.fromkeys(derived))
    return Symbols(derived, [n for n in names(tree, known)
                             if n not in derived])


@cache
def table() -> dict[str, Symbols]:
    """The symbols of each chapter, by its name."""
    return {path.stem: symbols(path) for path in chapters()}


def titled(names: list[str]) -> str:
    """Links to chapters, as reStructuredText."""
    links = [f":doc:`{int(name[2:])} </{name}>`" for name in names]
    return f"chapter{'s' * (len(links) > 1)} " + ", ".join(links)


def sentence(name: str) -> str:
    """Which chapters derive a symbol, or use it, or its module."""
    for verb, at in (("Derived", 0), ("Used", 1)):
        found = [c for c, s in table().items() if name in s[at]]
        if found:
            return f"{verb} in {titled(found)}."
    inside = [c for c, s in table().items()
              if any(n.startswith(name + ".") for n in (*s[0], *s[1]))]
    if inside:  # a class of which a method is
        return f"Used in {titled(inside)}."
    module = name.rsplit(".", 1)[0] + "."
    near = [c for c, s in table().items()
            if any(n.startswith(module) for n in (*s[0], *s[1]))]
    if near:
        return f"Not called by a chapter; its module is, in {titled(near)}."
    return "In no chapter: a tool around the book."


def name_chapters(app, what, name, obj, options, lines: list[str]) -> None:
    """End the docstring of a function or class with its chapters."""
    derived = any(name in s.derived for s in table().values())
    if what in ("function", "class") or derived:
        lines += ["", sentence(name), ""]


def listing(chapter: str) -> str:
    """The section of a chapter that lists its symbols, as MyST."""
    def links(names):
        return ", ".join("{py:obj}`" + n.removeprefix("gmps_lite.")
                         + f" <{n}>`" for n in names)
    derived, used = table()[chapter]
    text = ["## In the package", ""]
    if derived:
        text += [f"Shown and derived here: {links(derived)}.", ""]
    if used:
        text += [f"Used here: {links(used)}.", ""]
    return "\n".join(text)


def list_symbols(app, docname: str, text: list[str]) -> None:
    """Put the section before a chapter's last one, for the site alone."""
    if docname not in table():
        return
    book = json.loads(text[0])
    cell = {"cell_type": "markdown", "id": "symbols", "metadata": {},
            "source": listing(docname)}
    starts = ["".join(c["source"]).startswith("## Next")
              for c in book["cells"]]
    at = starts.index(True) if True in starts else len(starts)
    book["cells"].insert(at, cell)
    text[0] = json.dumps(book)


def unlisted(app, env, node, content) -> None:
    """A symbol that a chapter lists must be on the API page."""
    if node.get("reftype") == "obj" and node["refdoc"] in table():
        log.warning("%s is not on the API page", node["reftarget"],
                    location=node["refdoc"])


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", name_chapters, priority=900)
    app.connect("source-read", list_symbols)
    app.connect("missing-reference", unlisted)
    return {"parallel_read_safe": True}
