r"""A Sphinx extension: numbers of equations and figures, and citations.

The notebooks have them as plain text, so that Colab shows them as well: an
equation ends in \tag{6.1}, prose says "equation (6.1)" and "figure 6.2", and
a paper is a link to its address, or its whole title in italics. On the site
these become links: to the equation, the figure, the entry among the
references. A figure's number is its place among the captions of its chapter.
"""

import json
import re
from functools import cache
from pathlib import Path

from pybtex.database import parse_file
from sphinx.util import logging

from sync import BOOK, chapters

log = logging.getLogger(__name__)
TAG = re.compile(r"\\tag\{(\d+\.\d+)\}")
# What is not prose. Odd parts of a split by it are left as they are.
APART = re.compile(r"(^```.*?^```|`[^`\n]*`|\$\$.*?\$\$|\$[^$]+?\$"
                   r"|<summary>.*?</summary>|<!--.*?-->)", re.M | re.S)
NUMBER = r"\(?\d+\.\d+\)?"
REFERENCE = re.compile(
    rf"\b(equation|figure)(s?\s+)({NUMBER}(?:(?:,|,?\s+and|\s+to)\s+{NUMBER})*)",
    re.I)
LINK = re.compile(r"\[[^\]]+\]\((https?://(?:[^()\s]|\([^()\s]*\))+)\)")
ITALIC = re.compile(r"(?<!\*)\*([^*]+)\*(?!\*)")


def place(number: str) -> str:
    """The id of an equation on its page, of its number such as 6.1."""
    return "eq-" + number.replace(".", "-")


def markdown(path: Path) -> list[str]:
    """The Markdown cells of a notebook."""
    return ["".join(c["source"]) for c in json.loads(
        path.read_text())["cells"] if c["cell_type"] == "markdown"]


def equations(path: Path) -> list[str]:
    """The numbers of a chapter's equations, in order; None without one."""
    return [m[1] if (m := TAG.search(part)) else None
            for text in markdown(path) for part in APART.findall(text)
            if part.startswith("$$")]


def figures(path: Path) -> dict[str, str]:
    """The number of each figure of a chapter that has a caption, by name."""
    cells = json.loads(path.read_text())["cells"]
    named = [f["name"] for c in cells if "caption" in (
        f := c["metadata"].get("mystnb", {}).get("figure", {}))]
    return {name: f"{int(path.stem[2:])}.{i + 1}"
            for i, name in enumerate(named)}


@cache
def places() -> dict[tuple[str, str], str]:
    """Where each number of the book leads: {("figure", "6.2"): an id}."""
    found = {}
    for path in chapters():
        found |= {("equation", n): place(n) for n in equations(path) if n}
        found |= {("figure", n): name for name, n in figures(path).items()}
    return found


def plain(title: str) -> str:
    """A title without BibTeX's braces, line breaks and capitals."""
    return " ".join(re.sub("[{}]", "", title).split()).lower()


@cache
def papers() -> dict[str, str]:
    """The keys of the bibliography, by address and by title."""
    found = {}
    for key, entry in parse_file(BOOK / "references.bib").entries.items():
        found[plain(entry.fields["title"])] = key
        if "url" in entry.fields:
            found[entry.fields["url"]] = key
    return found


def cited(text: str) -> list[str]:
    """The keys of the papers that a text names."""
    return [papers()[name] for name in (
        *LINK.findall(text), *map(plain, ITALIC.findall(text)))
        if name in papers()]


def unknown(text: str) -> list[str]:
    """References of a text to equations and figures that do not exist."""
    return [f"{kind} {n}" for part in APART.split(text)[::2]
            for kind, _, numbers in REFERENCE.findall(part)
            for n in re.findall(r"\d+\.\d+", numbers)
            if (kind.lower(), n) not in places()]


def linked(text: str) -> str:
    """Markdown as MyST: with places to lead to, and links that do."""
    def refer(m: re.Match) -> str:
        kind = m[1].lower()

        def link(n: re.Match) -> str:
            to = places().get((kind, n[0].strip("()")))
            return "{ref}`" + n[0] + f" <{to}>`" if to else n[0]
        return m[1] + m[2] + re.sub(NUMBER, link, m[3])

    def cite(m: re.Match) -> str:
        key = papers().get(m[1]) or papers().get(plain(m[1]))
        return m[0] + (" {cite:p}`" + key + "`" if key else "")

    parts = APART.split(text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = REFERENCE.sub(refer, part)
        elif part.startswith("$$") and (m := TAG.search(part)):
            parts[i] = f"({place(m[1])})=\n{part}"
    # Titles may have formulas in them, so these see the whole.
    return ITALIC.sub(cite, LINK.sub(cite, "".join(parts)))


def number(app, docname: str, text: list[str]) -> None:
    """Rewrite a chapter for the site."""
    if docname not in {path.stem for path in chapters()}:
        return
    book = json.loads(text[0])
    for cell in book["cells"]:
        if cell["cell_type"] == "markdown":
            source = "".join(cell["source"])
            for name in unknown(source):
                log.warning("there is no %s", name, location=docname)
            cell["source"] = linked(source)
    text[0] = json.dumps(book)


def by_chapter(app, env) -> list[str]:
    """Figure 6.2 is a chapter's second, not the book's thirty-seventh."""
    for path in chapters():
        env.toc_fignumbers.setdefault(path.stem, {})["figure"] = {
            name: tuple(map(int, n.split(".")))
            for name, n in figures(path).items()}
    return []


def setup(app) -> dict:
    app.connect("source-read", number)
    app.connect("env-get-updated", by_chapter, priority=900)
    return {"parallel_read_safe": True}
