"""The check of the site finds each fault that is planted in a small page."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book"))
import browse  # noqa: E402
from links import broken_links  # noqa: E402

GOOD = """<!doctype html><html lang="en"><head><title>A page</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"></head>
<body style="background:#fff; color:#000"><main><h1>One</h1><h2 id="a">Two</h2>
<p>Words and <a href="#a">a link</a>.</p><img alt="a dot" src="dot.svg">
</main></body></html>"""
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
SPIN = "<script>const t = performance.now() + %d;" \
    "while (performance.now() < t);</script></main>"

FAULTS = {  # the fault: what it replaces, by what, what is said of it
    "console": ("</main>", "<script>console.error('oh')</script></main>",
                "console: oh"),
    "error": ("</main>", "<script>f()</script></main>", "f is not defined"),
    "outside": ("</main>", '<script src="http://127.0.0.2:9/a.js"></script>'
                "</main>", "leaves the site: http://127.0.0.2:9/a.js"),
    "wide": ("</main>", '<table><tr><td style="min-width:2000px">wide</td>'
             "</tr></table></main>", "desktop dark: scrolls sideways: <"),
    "wide on a phone": ("</main>", '<p style="width:500px">wide</p></main>',
                        'phone light: scrolls sideways: <p style="width:5'),
    "alt": (' alt="a dot"', ' alt=" "', 'no alt text: <img alt=" "'),
    "canvas": ("</main>", "<canvas></canvas></main>", "no alt text: <canvas"),
    "jump": ("<h2", "<h3", "h1 is followed by h3"),
    "two titles": ("</main>", "<h1>Again</h1></main>", "not one h1"),
    "place": ('"#a"', '"#b"', "no such place on that page: #b"),
    "file": ('"#a"', '"b.html"', "broken link: b.html"),
    "role": ("Words", "{ref}`6.1 &lt;eq-6-1&gt;`", "not turned into a link"),
    "outline": ("</main>", '<svg width="9" height="9"><g tabindex="0" '
                'role="img" aria-label="x"></g></svg></main>',
                "outlined in a drawing: <g tab"),
    "motion": ("</main>", "<style>@keyframes in {0% {opacity: 0}} "
               "details[open] p {animation: in 1s}</style><details><summary>s"
               '</summary><p class="x">y</p></details></main>',
               'phone moves: <p class="x">'),
    "far": ("</main>", "<style>html {scroll-behavior: smooth}</style><div "
            'style="height: 90000px"></div><section id="end"><p>x</p>'
            "</section></main>", "last section ends "),
    "contrast": ("<p>", '<p style="color:#bbb">', "axe color-contrast"),
    "contrast in the dark": (
        "</head>", "<style>@media (prefers-color-scheme: dark)"
        "{p {color: #ccc}}</style></head>", "phone dark: axe color-contrast"),
    "aria": ("<p>", '<p role="lost">', "axe aria-roles"),
    "mode": ('<html lang="en">', '<html lang="en" data-theme="light">',
             "light mode where dark was asked"),
    "weight": ("</main>", "<!--" + "x" * 1100000 + "--></main>",
               "MB, at most 1"),
    "blocked": ("</main>", SPIN % 450, "blocked"),
    "late": ("</main>", SPIN % 2600, "slow: largest paint"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What is said of a site with one page a fault."""
    if not browse.chromium():
        pytest.skip("chromium is not installed: apt-get install chromium")
    site = tmp_path_factory.mktemp("site")
    (site / "dot.svg").write_text(DOT)
    pages = {"good": GOOD} | {
        name.replace(" ", "-"): GOOD.replace(old, new, 1)
        for name, (old, new, _) in FAULTS.items()}
    for name, page in pages.items():
        (site / f"{name}.html").write_text(page)
    with pytest.MonkeyPatch.context() as m:
        m.setattr(browse, "HEAVY", {"weight": browse.MB})
        m.setattr(browse, "OFFLINE", ("good", "error"))
        m.setattr(browse, "SLOWDOWN", 1)
        m.setattr(browse, "TRIES", 3)
        m.setattr(browse, "SETTLE", 100)
        return browse.browse(site, site / "screens"), site


def test_a_good_page_is_good(found):
    lines, site = found
    assert not [x for x in lines if x.startswith("good:")]
    assert len(list((site / "screens").glob("good-*.png"))) == 4


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_found(found, name):
    said = [x for x in found[0] if x.startswith(name.replace(" ", "-") + ":")]
    assert any(FAULTS[name][2] in x for x in said), said


def test_from_disk(found):
    assert any(x.startswith("error: from disk: error") for x in found[0])


def test_no_such_page(found):
    [line] = browse.browse(found[1], found[1] / "x", ["lost"])
    assert "no such page: lost; there are alt " in line


def test_links(tmp_path):
    """Folders, queries, fragments and escapes, as a browser takes them."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text('<p id="x y">')
    (tmp_path / "a.html").write_text("".join(
        f'<a href="{link}">' for link in (
            "b/", "b/?q=1#x%20y", "b/index.html#z", "#", "c.png",
            "https://example.org/no", "mailto:a@b.org")))
    assert broken_links(tmp_path)["a"] == [
        "no such place on that page: b/index.html#z", "broken link: c.png"]
