"""The exercises of a chapter, read from its notebook."""

from __future__ import annotations

import ast
import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

POINTS = {"warm-up": 1, "core": 2, "stretch": 3}
HEAD = re.compile(r"^### (E\d+\.\d+) (.+) \((warm-up|core|stretch), "
                  r"(\d+) min\)$", re.M)
CALL = re.compile(r'^(\w+) = check\("(E\d+\.\d+)", \w+\)', re.M)
FOLDED = re.compile(r"<details>\s*<summary>([\w ]+)</summary>.*?</details>",
                    re.S)
CODE = re.compile(r"```python\n(.*?)\n```", re.S)


class Item(NamedTuple):
    """One exercise as its notebook has it."""

    name: str
    title: str
    level: str
    minutes: int
    text: str
    hints: list[str]
    stub: str
    variable: str
    solution: str

    @property
    def points(self) -> int:
        return POINTS[self.level]

    @property
    def digest(self) -> str:
        """Of text and stub, however lines are broken and equations are
        numbered: the same digest is the same exercise.
        """
        words = re.sub(r"\s\\tag\{[\d.]+\}", "",
                       f"{self.title} {self.text} {self.stub}")
        words = " ".join(words.split())
        return hashlib.sha256(words.encode()).hexdigest()[:6]


def chapters(book: Path) -> dict[str, Any]:
    """The notebooks of a book by name. Raises ValueError if there are none,
    or for a file that is no notebook.
    """
    try:
        import nbformat
    except ModuleNotFoundError as error:
        raise ValueError("coursework is made with nbformat, which is not "
                         "installed: pip install nbformat") from error
    found = {}
    for path in sorted(book.glob("ch[0-9][0-9].ipynb")):
        try:
            found[path.stem] = nbformat.read(path, as_version=4)
        except Exception as error:  # of many kinds, none of them named
            raise ValueError(f"{path} is no notebook ({error})") from error
    if not found:
        raise ValueError(f"{book} holds no chapter (chNN.ipynb). Run this in "
                         "a clone of the repository, or name the folder with "
                         "--book")
    return found


def exercises(nb: Any, name: str) -> list[Item]:
    """The exercises of a notebook in their order. Raises ValueError, naming
    chapter and exercise, where one lacks stub, hints or solution.
    """
    found: list[dict] = []
    for cell in nb.cells:
        call = CALL.search(cell.source)
        if cell.cell_type == "code" and call and found:
            found[-1] |= {"stub": cell.source[:call.start()].strip(),
                          "variable": call[1], "check": call[2]}
        elif cell.cell_type == "markdown":
            parts = HEAD.split(cell.source)
            # Text, then five for each heading: its four groups and its text.
            for i in range(0, len(parts), 5):
                if i:
                    found.append({"head": parts[i - 4:i], "text": "",
                                  "more": ""})
                if found:
                    # What follows a stub discusses the answer, all but hints.
                    key = "more" if "stub" in found[-1] else "text"
                    found[-1][key] += parts[i] + "\n"
    return [_item(part, name) for part in found]


def _item(part: dict, chapter: str) -> Item:
    name, title, level, minutes = part["head"]
    folded = {m[1]: m[0] for m in FOLDED.finditer(part["text"] + part["more"])}
    code = CODE.search(folded.get("Solution", ""))
    hints = [x for key, x in folded.items() if key.startswith("Hint")]
    for what, there in (("check of its own", part.get("check") == name),
                        ("hints", hints), ("solution", code)):
        if not there:
            raise ValueError(f"{chapter}.ipynb: {name} has no {what}")
    text = FOLDED.sub("", part["text"]).strip()
    return Item(name, title, level, int(minutes), text, hints, part["stub"],
                part["variable"], code[1])


def imports(nb: Any, items: list[Item]) -> str:
    """The imports of a notebook that its exercises need or mention, but for
    the helpers of chapters, whose names are common words.
    """
    said = " ".join(
        " ".join([x.solution, x.stub, *re.findall(
            r"`([^`]+)`", "\n".join([x.text, *x.hints]))]) for x in items)
    words, lines = set(re.findall(r"\w+", said)), set()
    for cell in nb.cells:
        if cell.cell_type == "markdown" or "setup" in cell.metadata.get(
                "tags", ()):
            continue
        with suppress(SyntaxError):  # a cell with a magic command
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Import | ast.ImportFrom) and getattr(
                        node, "module", "") != "gmps_lite.book":
                    node.names = [
                        a for a in node.names
                        if (a.asname or a.name).split(".")[0] in words]
                    lines |= {ast.unparse(node)} if node.names else set()
    return "\n".join(sorted(lines))
