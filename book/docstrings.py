"""A Sphinx extension: docstrings as they are written, for the API page.

The package's docstrings are plain text with aligned shapes, tables and
equations. The first paragraph becomes a paragraph, the rest keeps its lines.
"""

import re


def plain(app, what, name, obj, options, lines: list[str]) -> None:
    """Rewrite one docstring, in place, as reStructuredText."""
    text = "\n".join(lines).strip()
    lines.clear()
    if text.startswith("Alias for field number"):  # a NamedTuple's own words
        return
    first, _, rest = text.partition("\n\n")
    # Code marks become literals; all else that means something is escaped.
    pieces = re.split(r"``?([^`]+)``?", first)
    for i, piece in enumerate(pieces):
        escaped = re.sub(r"([\\*_|`])", r"\\\1", piece)
        pieces[i] = f"``{piece}``" if i % 2 else escaped
    lines += re.sub(r"\s*\n\s*", " ", "".join(pieces)).splitlines() + [""]
    if rest.strip():
        lines += [".. code-block:: text", ""]
        lines += [f"   {line}" for line in rest.split("\n")] + [""]


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", plain)
    return {"parallel_read_safe": True}
