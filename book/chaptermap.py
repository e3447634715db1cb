"""A Sphinx extension: the map of the chapters on the front page.

Its arrows are the links of each notebook's section *Before you start*; the
names are those of the map that every chapter opens with.
"""

import json
import re
from functools import cache

from gmps_lite.book import CHAPTERS
from sync import chapters

MARK = "<!-- chapter map -->"
WIDE, HIGH, GAP = 150, 40, 26  # of a box, and between rows
ROOM = 360  # a phone's width


@cache
def needs() -> dict[int, list[int]]:
    """The chapters that each chapter asks for, by number."""
    found = {}
    for path in chapters():
        text = "\n".join("".join(c["source"]) for c in json.loads(
            path.read_text())["cells"] if c["cell_type"] == "markdown")
        part = re.search(r"^## Before you start\n(.*?)^## ", text, re.M | re.S)
        links = re.findall(r"\(ch(\d+)\.ipynb", part[1]) if part else []
        found[int(path.stem[2:])] = sorted({int(n) for n in links})
    return found


def direct() -> list[tuple[int, int]]:
    """Arrows, without those that other arrows already imply."""
    asks = needs()

    @cache
    def before(n: int) -> frozenset[int]:
        return frozenset().union(*({m} | before(m) for m in asks[n]))

    return [(m, n) for n in asks for m in asks[n]
            if not any(m in before(k) for k in asks[n])]


def places() -> dict[int, tuple[float, float]]:
    """The middle of each box: below all that it needs."""
    row: dict[int, int] = {}
    for n, asked in needs().items():
        row[n] = 1 + max((row[m] for m in asked), default=-1)
    found, arrows = {}, direct()
    for r in sorted(set(row.values())):
        here = [n for n in row if row[n] == r]
        for i, n in enumerate(here):
            x = ROOM * (i + 0.5) / len(here)
            above = [found[m][0] for m, k in arrows if k == n]
            if len(here) == 1 and above:  # alone: below what it needs
                x = sum(above) / len(above)
            found[n] = (x, HIGH / 2 + 2 + r * (HIGH + GAP))
    return found


def picture() -> str:
    """The map as HTML: links that a keyboard reaches, in reading order."""
    at = places()
    high = max(y for _, y in at.values()) + HIGH / 2 + 2
    lines = [f'<nav class="chapter-map" aria-label="Map of the chapters">'
             f'<svg viewBox="0 0 {ROOM} {high:g}">',
             '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
             'markerWidth="7" markerHeight="7" orient="auto">'
             '<path d="M0 0L8 4L0 8z"/></marker></defs>',
             '<g class="arrows" aria-hidden="true">']
    for m, n in direct():
        (x, y), (u, v) = at[m], at[n]
        y, v = y + HIGH / 2, v - HIGH / 2 - 1
        # Past a row of boxes an arrow keeps to the outside.
        bend = (v - y) / 2 if v - y < 2 * HIGH else GAP
        lines.append(f'<path d="M{x:g} {y:g}C{x:g} {y + bend:g} {u:g} '
                     f'{v - bend:g} {u:g} {v:g}" marker-end="url(#tip)"/>')
    lines.append("</g>")
    for n, (x, y) in at.items():
        lines.append(
            f'<a href="ch{n:02}.html"><rect x="{x - WIDE / 2:g}" '
            f'y="{y - HIGH / 2:g}" width="{WIDE}" height="{HIGH}" rx="8"/>'
            f'<text x="{x:g}" y="{y + 5:g}"><tspan class="n">{n}</tspan>'
            f'<tspan dx="7">{CHAPTERS[n]}</tspan></text></a>')
    return "".join([*lines, "</svg></nav>"])


def table(text: str) -> str:
    """The front page's table of chapters, with a column: builds on."""
    def row(m: re.Match) -> str:
        asked = needs()[int(m[1])]
        return m[0] + " " + (", ".join(
            f"[{n}](ch{n:02}.ipynb)" for n in asked) or "nothing") + " |"

    text = re.sub(r"^\| *(\d+) \| \[.*\|$", row, text, flags=re.M)
    return re.sub(r"^(\| \| chapter \|.*\|)\n(\|[-|]+\|)$",
                  r"\1 builds on |\n\2---|", text, flags=re.M)


def draw(app, docname: str, text: list[str]) -> None:
    if docname == "index":
        text[0] = table(text[0]).replace(MARK, picture())


def setup(app) -> dict:
    app.connect("source-read", draw)
    return {"parallel_read_safe": True}
