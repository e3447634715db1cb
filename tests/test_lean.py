"""Formulas and icons that are drawn while the site is built."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book"))
import lean  # noqa: E402


@pytest.fixture
def warned(monkeypatch):
    said = []
    monkeypatch.setattr(lean.log, "warning", lambda text, *a: said.append(
        text % a))
    return said


def test_a_formula_is_for_eyes_and_for_screen_readers(warned):
    html = lean.typeset(r"\frac{\partial L}{\partial\theta}", True)
    assert "katex-display" in html and "<mfrac>" in html and not warned
    assert "katex-display" not in lean.typeset("x", False)


def test_a_bad_formula_fails_the_strict_build(warned):
    assert lean.typeset(r"\frac{<b>", False) == r"<code>\frac{&lt;b&gt;</code>"
    assert len(warned) == 1 and r"\frac{<b>" in warned[0]


def test_the_static_files_of_formulas_are_there():
    css = (lean.KATEX / "katex.min.css").read_text()
    fonts = set(re.findall(r"url\(([^)]+)\)", css))
    assert len(fonts) >= 20
    assert all((lean.KATEX / font).exists() for font in fonts)


def test_icons(warned):
    script = ('{bars:[448,512,["x"],"f0c9","M0 96"],'
              '"sun-1":[16,8,[],"f185","M1 2"]}')
    found = lean.icons(script, {"bars", "sun-1", "lost"})
    assert 'viewBox="0 0 448 512"' in found["bars"]
    assert 'd="M1 2"' in found["sun-1"] and 'aria-hidden="true"' in found[
        "sun-1"]
    assert warned == ["no such icon: lost"]
    assert lean.icon("theme-switch fa-solid fa-sun fa-lg") == "sun"
    assert lean.icon("fab fa-github") == "github"


def test_a_page_loads_only_what_it_uses():
    def files(page, body):
        context = {"body": body, "css_files": ["katex/katex.min.css"],
                   "script_files": [SimpleNamespace(
                       filename=name, attributes=attributes)
                       for name, attributes in (
                           ("mathjax/tex.js", {}), ("site.js", {}),
                           (None, {"body": "const THEBE = 1"}),
                           (None, {"body": "let toggleHint = 1"}),
                           (None, {"body": "let toggleHint = 1"}),
                           ("doctools.js", {}))]}
        lean.shed(None, page, None, context, None)
        return context["css_files"] + [
            f.filename or f.attributes["body"]
            for f in context["script_files"]]
    assert files("ch00", "words") == ["site.js"]
    assert files("search", '<p class="math toggle">') == [
        "katex/katex.min.css", "site.js", "let toggleHint = 1", "doctools.js"]


def test_lists_lie_inside_the_items_they_belong_to():
    """As Sphinx lists sources: folders with files in them, the last too."""
    text = ("<ul><li>a</li>\n<li>b</li>\n<ul><li>b.c</li>\n</ul><li>d</li>\n"
            "<ul><li>d.e</li>\n</ul></ul>\n")
    assert lean.nested(text).replace("\n", "") == (
        "<ul><li>a</li><li>b<ul><li>b.c</li></ul></li><li>d<ul><li>d.e</li>"
        "</ul></li></ul>")
