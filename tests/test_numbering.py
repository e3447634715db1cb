"""Numbers of equations and figures, and citations: all lead somewhere."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
import numbering  # noqa: E402
from sync import chapters  # noqa: E402

each = pytest.mark.parametrize("path", chapters(), ids=lambda p: p.stem)


def prose(path):
    return "\n\n".join(numbering.markdown(path))


@each
def test_equations_are_numbered_in_order(path):
    chapter = int(path.stem[2:])
    found = numbering.equations(path)
    assert found == [f"{chapter}.{i + 1}" for i in range(len(found))]
    assert found


@each
def test_references_resolve(path):
    assert not numbering.unknown(prose(path))


@each
def test_text_refers_to_figures_and_equations(path):
    text, links = prose(path), numbering.linked(prose(path))
    for name, number in numbering.figures(path).items():
        map_ = name.endswith("-map")
        assert map_ or f"<{name}>`" in links, f"no word of figure {number}"
    assert re.search(r"<eq-\d+-\d+>`", links), "no word of any equation"
    assert text.count("\\tag{") == len(numbering.equations(path))


@each
def test_further_reading_is_in_the_bibliography(path):
    text = prose(path).split("\n## Further reading\n")[1].split("\n## ")[0]
    items = re.split(r"^- ", text, flags=re.M)[1:]
    assert len(items) >= 2
    for item in items:
        assert numbering.cited(item), f"not in references.bib: {item}"
    for url in numbering.LINK.findall(prose(path)):
        assert url in numbering.papers() or "github" in url, url


def test_every_entry_is_cited():
    cited = {key for path in chapters() for text in numbering.markdown(path)
             for key in numbering.cited(text)}
    assert not set(numbering.papers().values()) - cited


def test_links():
    name = numbering.figures(ROOT / "book" / "ch06.ipynb")
    name = next(k for k, n in name.items() if n == "6.2")
    assert numbering.linked("See figure 6.2. Equations (6.1) and\n(6.2)!") == (
        f"See figure {{ref}}`6.2 <{name}>`. Equations {{ref}}`(6.1) <eq-6-1>` "
        "and\n{ref}`(6.2) <eq-6-2>`!")
    tagged = "$$x \\tag{6.1}$$"
    assert numbering.linked(tagged) == f"(eq-6-1)=\n{tagged}"
    url = "https://arxiv.org/abs/1703.03400"
    assert numbering.linked(f"[this\none]({url}), *Guided\n  Policy Search*") \
        == (f"[this\none]({url}) {{cite:p}}`finn2017maml`, *Guided\n  Policy "
            "Search* {cite:p}`levine2013gps`")


@pytest.mark.parametrize("text", [
    "`equation (6.1)`", "```text\nequation (6.1)\n```", "a factor of 6.2",
    "<summary>figure 6.2</summary>", "*emphasis*", "$\\text{figure 6.2}$",
    "[another](https://example.org)", "Figure 6.99", "$$x$$"])
def test_left_alone(text):
    assert numbering.linked(text) == text


def test_what_does_not_exist_is_named():
    text = "equations (6.1) to (6.77), figure 6.99 and `figure 6.98`"
    assert numbering.unknown(text) == ["equation 6.77", "figure 6.99"]
