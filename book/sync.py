"""The parts that every notebook shares: set-up cell, links, metadata.

`python book/build.py sync` rewrites them from the address in _config.yml
and strips outputs; the tests hold every notebook to this form. It also
writes the tables for instructors, which are made of the notebooks.
"""

import re
from pathlib import Path

import nbformat
import yaml

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent

SETUP = """try:
    import gmps_lite  # noqa: F401
except ModuleNotFoundError:  # on Colab: install, keeping its torch and numpy
    import os
    import subprocess
    import sys

    source = "git+{url}"
    source = os.environ.get("GMPS_LITE_SOURCE", source)
    print("installing gmps_lite takes about a minute")
    command = [sys.executable, "-m", "pip", "install", "-q", source]
    subprocess.run(command, check=True)
from gmps_lite.book import check, setup, show, stamp  # noqa: F401

setup()"""
LINKS = (
    "[Run in Colab](https://colab.research.google.com/github/{repo}/blob/"
    "{branch}/book/{name}) · [Download]({url}/raw/{branch}/book/{name}) · "
    "[Source]({url}/blob/{branch}/book/{name})"
)


def chapters() -> list[Path]:
    """The notebooks that the table of contents lists, in its order."""
    text = (BOOK / "_toc.yml").read_text()
    return [BOOK / name for name in re.findall(r"file: (\S+\.ipynb)", text)]


def canonical(name: str) -> tuple[str, str]:
    """Set-up cell and links line, from the one place with the address."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    where = config["repository"]
    url, branch = where["url"], where["branch"]
    repo = url.removeprefix("https://github.com/")
    links = LINKS.format(repo=repo, url=url, branch=branch, name=name)
    return SETUP.format(url=url), links


def synced(path: Path) -> str:
    """The notebook as it should be in git: shared cells, no outputs."""
    book = nbformat.reads(path.read_text(), as_version=4)
    code, links = canonical(path.name)
    spec = {"display_name": "Python 3", "language": "python"}
    book.metadata["kernelspec"] = spec | {"name": "python3"}
    book.metadata["language_info"] = {"name": "python"}
    book.metadata.pop("papermill", None)
    book.nbformat_minor = 5
    head = next(c for c in book.cells if c.cell_type == "markdown")
    line = re.compile(r"^\[Run in Colab\].*$", re.M)
    if line.search(head.source):
        head.source = line.sub(lambda _: links, head.source)
    else:  # below the title and its promise
        parts = head.source.split("\n\n")
        head.source = "\n\n".join([*parts[:2], links, *parts[2:]])
    first = [c for c in book.cells if c.cell_type == "code"][:1]
    if not first or "setup" not in first[0].metadata.get("tags", []):
        at = book.cells.index(first[0]) if first else len(book.cells)
        first = [nbformat.v4.new_code_cell(id="setup")]
        book.cells.insert(at, first[0])
    first[0].source = code
    first[0].metadata["tags"] = ["setup", "hide-input"]
    for number, cell in enumerate(book.cells):
        cell.setdefault("id", f"{path.stem}-{number}")
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(book) + "\n"


def hide_injected(path: Path) -> None:
    """Keep papermill's copy of the parameters off the page, but where it
    says that the outputs are those of fast mode.
    """
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags and "True" not in cell.source:
            tags.append("remove-cell")
    nbformat.write(book, path)


def sync(check: bool) -> int:
    wrong = 0
    for path in filter(Path.exists, chapters()):
        text = synced(path)
        if text == path.read_text():
            continue
        wrong += 1
        print(f"{path.name}: {'differs from its synced form' * check or 'ok'}")
        if not check:
            path.write_text(text)
    from instructors import write  # which imports this module

    wrong += write(check)
    if wrong and check:
        print("repair with: python book/build.py sync")
    return 1 if wrong and check else 0
