"""The links between chapters and symbols, and the map of the chapters."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
import chaptermap  # noqa: E402
import symbols  # noqa: E402
from sync import chapters  # noqa: E402


def notebook(tmp_path, *cells):
    """A notebook of these cells; those that start with # are Markdown."""
    path = tmp_path / "ch99.ipynb"
    path.write_text(json.dumps({"cells": [
        {"cell_type": "markdown" if c.startswith("#") else "code",
         "source": c} for c in cells]}))
    return path


def test_what_a_chapter_derives_and_uses(tmp_path):
    found = symbols.symbols(notebook(
        tmp_path, "from gmps_lite import inner as i\n%time\n!ls",
        "from gmps_lite.envs import Env, make\n"
        "from gmps_lite.book import show\nimport gmps_lite.demos as d",
        "show(Env.step)\nmake('point')\nd.collect", "## Parity",
        "i.inner_update(1)\nmake('point')", "## Experiment",
        "i.inner_loss", "i = lost\ni.lost"))
    assert found.derived == ["gmps_lite.envs.core.Env.step",
                             "gmps_lite.inner.inner_update"]
    assert sorted(found.used) == [
        "gmps_lite.demos.collect", "gmps_lite.envs.core.Env",
        "gmps_lite.envs.make", "gmps_lite.inner.inner_loss"]


@pytest.mark.parametrize("what", ["STEP", "numpy", "point"])
def test_only_the_packages_own_is_shown(tmp_path, what):
    path = notebook(tmp_path, "from gmps_lite.envs.point import STEP\n"
                    f"from gmps_lite.envs import point\nshow({what})")
    with pytest.raises(ValueError, match=rf"ch99.*show\({what}\).*not a"):
        symbols.symbols(path)


def test_every_chapter_and_the_core_are_linked():
    table = symbols.table()
    assert set(table) == {path.stem for path in chapters()}
    assert all(s.used for s in table.values())
    for name, where in {
            "advantages.gae": "2 </ch02>", "inner.inner_update": "3 </ch03>",
            "trpo.conjugate_gradient": "4 </ch04>",
            "demos.collect": "5 </ch05>", "gmps.outer_loss": "6 </ch06>",
            "sac.update": "7 </ch07>"}.items():
        text = symbols.sentence(f"gmps_lite.{name}")
        assert text.startswith("Derived in") and where in text
        chapter = where[-5:-1]
        assert f"{name} <gmps_lite.{name}>`" in symbols.listing(chapter)
    assert "In no chapter" in symbols.sentence("gmps_lite.bench.main")
    assert "Used in" in symbols.sentence("gmps_lite.types.Batch")
    assert "its module is" in symbols.sentence("gmps_lite.gmps.Config")


def test_the_section_stands_before_the_last_one():
    text = [json.dumps({"cells": [
        {"cell_type": "markdown", "source": "# A"},
        {"cell_type": "markdown", "source": ["## Next\n", "More."]}]})]
    symbols.list_symbols(None, "ch03", text)
    cells = json.loads(text[0])["cells"]
    assert len(cells) == 3 and cells[1]["source"].startswith("## In the p")
    other = ["as it was"]
    symbols.list_symbols(None, "index", other)
    assert other == ["as it was"]


def test_the_map_has_every_chapter_below_what_it_needs():
    asks, at = chaptermap.needs(), chaptermap.places()
    assert len(asks) == len(chapters()) and asks[4] == [1, 2, 3]
    assert all(at[m][1] < at[n][1] for n in asks for m in asks[n])
    assert len(set(at.values())) == len(at)
    arrows = chaptermap.direct()
    assert (3, 4) in arrows and (2, 4) not in arrows  # by way of 3
    drawn = chaptermap.picture()
    for n, name in enumerate(chaptermap.CHAPTERS):
        assert f'href="ch{n:02}.html"' in drawn and f">{name}<" in drawn


def test_the_front_page_has_the_map_and_what_each_builds_on():
    text = (ROOT / "book" / "index.md").read_text()
    assert text.count(chaptermap.MARK) == 1
    rows = re.findall(r"^\| \d.*$", chaptermap.table(text), re.M)
    assert len(rows) == len(chapters())
    assert rows[0].endswith("| nothing |")
    assert rows[4].endswith("| [1](ch01.ipynb), [2](ch02.ipynb), "
                            "[3](ch03.ipynb) |")
    assert "| builds on |" in chaptermap.table(text)
