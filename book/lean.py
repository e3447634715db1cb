"""A Sphinx extension: pages that need no script before they can be read.

Formulas are typeset while the site is built, by the KaTeX that lies in
_static; icons are drawn into the page; scripts, style sheets and files of the
theme that no page uses are left out. So nothing is fetched from elsewhere,
and a slow phone shows text at once.
"""

import re
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.util import logging

from numbering import TAG, place

KATEX = Path(__file__).resolve().parent / "_static" / "katex"
log = logging.getLogger(__name__)

# A page loads these only where its text holds the mark.
NEEDS = {
    'class="math': "katex.min.css",
    "sd-": "sphinx-design",
    "sd-tab": "design-tabs",
    "toggle": "toggle",
}
# The pages' own script, site.js, does what these do, in a hundredth of the
# time. Those on the right serve the search page alone.
NEVER = ("mathjax", "thebe", "katex.min.js", "sphinx-book-theme.js",
         "clipboard", "copybutton")
SEARCH = ("doctools", "documentation_options", "sphinx_highlight", "pagename")
CUT = re.compile(  # written by templates, not listed as a page's files
    r'<script (?:defer )?src="[^"]*(?:fontawesome|bootstrap|'
    r'pydata-sphinx-theme)\.js[^"]*"></script>'
    r'|<link rel="preload" as="script"[^>]*>'
    r'|<script type="text/x-thebe-config">.*?</script>'
    r"|<script>kernelName = .*?</script>"
    r'|<div id="ethical-ad-placement".*?</div>'
    r'|<button type="button" class="btn rounded-pill" id="pst-back-to-top">'
    r".*?</button>"
    r'|<button onclick="toggleFullScreen\(\)".*?</button>', re.S)
# Around nearly every word of code and signatures, for a style of no effect
# here (names and punctuation have the color of text): half of all elements,
# and their time.
SPARE = re.compile(r'<span class="(?:pre|w|n|nn|p)">([^<]*)</span>')
# Roles that docutils gives to references, and that their links break.
ROLES = re.compile(
    r' role="(?:list(?=" class="citation-list)|doc-biblioentry)"')
# Light or dark is known before anything is drawn.
MODE = re.compile(r'<script data-cfasync="false">.*?</script>', re.S)
EARLY = """<script>(() => {
  let mode;
  try { mode = localStorage.getItem("mode"); } catch { /* not allowed */ }
  const set = document.documentElement.dataset;
  set.mode = ["light", "dark"].includes(mode) ? mode : "auto";
  set.theme = set.mode != "auto" ? mode : matchMedia(
      "(prefers-color-scheme: dark)").matches ? "dark" : "light";
})();</script>"""
ICON = re.compile(r'<(i|span) class="([^"]*\bfa-[^"]*)"([^>]*)></\1>')
UNUSED = ("**/*.map", "**/*.LICENSE.txt", "scripts/*.js", "clipboard*",
          "copybutton*", "copy-button.svg", "sphinx-thebe.*", "*-solid.svg",
          "webpack-macros.html", "sbt-webpack-macros.html",
          "katex/katex.min.js", "locales")


@cache
def engine() -> MiniRacer:
    js = MiniRacer()
    js.eval((KATEX / "katex.min.js").read_text())
    return js


@cache
def typeset(tex: str, display: bool) -> str:
    """HTML for eyes and MathML for screen readers of a formula."""
    try:
        return engine().call("katex.renderToString", tex, {
            "displayMode": display, "throwOnError": True, "strict": "ignore"})
    except JSEvalException as e:
        reason = str(e).strip().splitlines()[0]
        log.warning("no such formula: %s: %s", tex, reason)
        return f"<code>{escape(tex)}</code>"


def inline(self, node: nodes.math) -> None:
    self.body.append(f'<span class="math">'
                     f'{typeset(node.astext(), False)}</span>')
    raise nodes.SkipNode


def display(self, node: nodes.math_block) -> None:
    tag = TAG.search(node.astext())
    tex = TAG.sub("", node.astext()).strip()
    self.body.append(self.starttag(
        node, "div", CLASS="math numbered" if tag else "math"))
    if r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    self.body.append(typeset(tex, True))
    if tag:
        self.body.append(f'<a class="eqno" href="#{place(tag[1])}">'
                         f"({tag[1]})</a>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def shed(app, pagename, templatename, context, doctree) -> None:
    """Leave out the scripts and style sheets that this page does not use."""
    body = context.get("body") or ""

    def used(file) -> bool:
        # A script without a file has its text among its attributes.
        name = f"{getattr(file, 'filename', file)} " + " ".join(
            map(str, getattr(file, "attributes", {}).values()))
        out = NEVER if pagename == "search" else NEVER + SEARCH
        return not any(word in name.lower() for word in out) and all(
            mark in body for mark, word in NEEDS.items() if word in name)

    for key in ("script_files", "css_files"):
        kept = {}  # the first of each: some extensions add theirs twice
        for file in filter(used, context.get(key, [])):
            text = getattr(file, "attributes", {}).get("body")
            kept.setdefault((getattr(file, "filename", file), text), file)
        context[key] = list(kept.values())


def icon(classes: str) -> str:
    """The name of the icon that an element's classes ask for."""
    return next(word[3:] for word in classes.split() if re.fullmatch(
        r"fa-(?!solid|regular|brands|lg|fw)[a-z-]+", word))


def icons(script: str, names: set[str]) -> dict[str, str]:
    """The drawings of some icons, out of Font Awesome's own script."""
    found = {}
    for name in names:
        drawn = re.search(rf'[{{,]"?{name}"?:\[(\d+),(\d+),\[[^\]]*\],'
                          r'"[0-9a-f]+","(M[^"]+)"\]', script)
        if drawn is None:
            log.warning("no such icon: %s", name)
            continue
        w, h, path = drawn.groups()
        found[name] = (f'<svg class="svg-inline--fa" viewBox="0 0 {w} {h}" '
                       f'aria-hidden="true"><path d="{path}"/></svg>')
    return found


def finish(app, exception) -> None:
    """Draw the icons into the pages, and delete what is not used."""
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    pages = {p: p.read_text() for p in Path(app.outdir).rglob("*.html")
             if static not in p.parents}

    names = {icon(m[2]) for text in pages.values()
             for m in ICON.finditer(text)}
    drawn = icons((static / "scripts" / "fontawesome.js").read_text(), names)

    def draw(m: re.Match) -> str:
        kept = re.sub(r"\bfa[bs]?(-[a-z-]+)?(?= |$)", "", m[2]).split()
        return (f'<span class="{" ".join(["icon", *kept])}"{m[3]}>'
                f'{drawn.get(icon(m[2]), "")}</span>')

    for path, text in pages.items():
        if path.match("_modules/index.html"):
            text = nested(text)
        text = ROLES.sub("", text)
        text = MODE.sub(lambda _: EARLY, CUT.sub("", text))
        text = SPARE.sub(r"\1", SPARE.sub(r"\1", text))  # one in another
        path.write_text(ICON.sub(draw, text))
    for pattern in UNUSED:
        for path in static.glob(pattern):
            remove(path)


def nested(text: str) -> str:
    """Lists in lists, which Sphinx's list of sources writes beside items,
    inside the items that they belong to.
    """
    text = re.sub(r"</li>\s*<ul>", "<ul>", text)
    return re.sub(r"</ul>\s*(?=<li>|</ul>)", "</ul></li>", text)


def remove(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            remove(child)
        path.rmdir()
    else:
        path.unlink()


def setup(app) -> dict:
    app.add_html_math_renderer("katex", (inline, None), (display, None))
    app.add_css_file("katex/katex.min.css")
    app.add_css_file("site.css", priority=900)
    app.add_js_file("site.js", loading_method="defer")
    # After every extension that adds files, and the theme.
    app.connect("html-page-context", shed, priority=999)
    app.connect("build-finished", finish, priority=999)
    return {"parallel_read_safe": True}
