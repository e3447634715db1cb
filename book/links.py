"""The links of a built site, checked without a browser."""

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

ROLE = re.compile(r"\{(?:ref|cite:p)\}`[^`]*`")


class Page(HTMLParser):
    """The ids and the links that a page has in its source, and what was to
    become a link and did not.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links = {""}, set()
        text = path.read_text()
        self.raw = set(ROLE.findall(text))
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if key in ("id", "name"):
                self.ids.add(value)
            elif key in ("href", "src", "poster") and value:
                self.links.add(value)


def broken_links(site: Path) -> dict[str, list[str]]:
    """Of each page, the links whose file or fragment is not in the site."""
    paths = {p.relative_to(site).as_posix(): p for p in site.rglob("*.html")}
    pages = {name: Page(path) for name, path in paths.items()}
    found = {}
    for name, page in pages.items():
        wrong = [f"not turned into a link: {x}" for x in sorted(page.raw)]
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            where, fragment = urldefrag(urljoin(name, link))
            where = unquote(urlsplit(where).path) or name
            where = where + "index.html" if where.endswith("/") else where
            there = pages.get(posixpath.normpath(where))
            if not (site / where).is_file():
                wrong.append(f"broken link: {link}")
            elif there and unquote(fragment) not in there.ids:
                wrong.append(f"no such place on that page: {link}")
        found[name.removesuffix(".html")] = wrong
    return found
