"""Every chapter has the form that CONTRIBUTING.md describes.

The notebooks are read here, not run: `python book/build.py run --fast` runs
them.
"""

import ast
import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
from sync import chapters, synced  # noqa: E402

BEFORE = ["Before you start", "See it first"]
AFTER = ["Parity", "Experiment", "Break it", "Check yourself", "Exercises"]
AFTER += ["Summary", "Take this with you", "What we left out"]
AFTER += ["Further reading", "Next"]
EXERCISE = r"### (E{}\.\d+) .+ \((warm-up|core|stretch), \d+ min\)"
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


class Chapter:
    """A notebook as numbered cells, and its text split at the headings."""

    def __init__(self, path: Path):
        self.number = int(path.stem.removeprefix("ch"))
        self.raw = path.read_text()
        self.cells = nbformat.reads(self.raw, as_version=4).cells
        self.markdown = [c for c in self.cells if c.cell_type == "markdown"]
        self.code = [c for c in self.cells if c.cell_type == "code"]
        # [heading line, prose below it, code below it]; no fences inside
        # prose when headings are looked for: "# x" there is a comment.
        self.parts: list[list[str]] = [["", "", ""]]
        for cell in self.cells:
            if cell.cell_type == "code":
                self.parts[-1][2] += cell.source + "\n"
                continue
            fenced = False
            for line in cell.source.splitlines():
                fenced ^= line.startswith("```")
                if re.match(r"#{1,3} ", line) and not fenced:
                    self.parts.append([line.rstrip(), "", ""])
                else:
                    self.parts[-1][1] += line + "\n"

    def headings(self, level: int) -> list[str]:
        mark = "#" * level + " "
        heads = [part[0] for part in self.parts]
        return [h.removeprefix(mark) for h in heads if h.startswith(mark)]

    def below(self, title: str) -> list[list[str]]:
        """The parts of one H2 section, its H3 parts included."""
        heads = [part[0] for part in self.parts]
        assert f"## {title}" in heads, f"no section '## {title}'"
        first = last = heads.index(f"## {title}")
        while last + 1 < len(heads) and heads[last + 1].startswith("### "):
            last += 1
        return self.parts[first : last + 1]


def existing(path: Path) -> Path:
    if not path.exists():
        message = f"book/_toc.yml lists {path.name}, which does not exist"
        pytest.fail(message, pytrace=False)
    return path


@pytest.fixture(params=chapters(), ids=lambda path: path.stem)
def chapter(request) -> Chapter:
    return Chapter(existing(request.param))


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def name(cell) -> str:
    """What to call a cell in a message: its first line."""
    return repr(cell.source.strip().split("\n")[0])


def test_toc_lists_every_notebook():
    listed = {path.name for path in chapters()}
    assert listed, "book/_toc.yml lists no notebook"
    assert {p.name for p in (ROOT / "book").glob("*.ipynb")} <= listed


def test_no_outputs(chapter):
    for cell in chapter.code:
        clean = not cell.outputs and cell.execution_count is None
        assert clean, f"outputs in {name(cell)}: python book/build.py sync"


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_shared_cells(path):
    existing(path)
    message = "set-up cell, links or metadata: python book/build.py sync"
    assert synced(path) == path.read_text(), message


def test_parameters(chapter):
    found = [c for c in chapter.code if "parameters" in tags(c)]
    assert len(found) == 1, f"{len(found)} cells tagged parameters, not 1"
    names = {
        target.id
        for node in ast.parse(found[0].source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    # Papermill only warns about a parameter that the cell does not have.
    assert {"FAST", "SEED"} <= names, f"FAST and SEED not among {names}"


def test_title_and_cost(chapter):
    heads = chapter.headings(1)
    assert len(heads) == 1, f"one H1, not {heads}"
    assert re.match(rf"{chapter.number}\. \S", heads[0]), (
        f"the title starts with '# {chapter.number}. ', not '# {heads[0]}'"
    )
    first = chapter.markdown[0].source
    assert first.startswith("# "), "the first Markdown cell has the title"
    assert re.search(r"^> \*\*Cost\*\*", first, re.M), (
        "the first Markdown cell has a line that starts with > **Cost**"
    )


def test_sections(chapter):
    heads = chapter.headings(2)
    ideas = len(heads) - len(BEFORE) - len(AFTER)
    order = heads[:2] + heads[2 + max(ideas, 0) :]
    assert order == BEFORE + AFTER, f"sections out of order: {heads}"
    assert 2 <= ideas <= 4, f"2 to 4 ideas before Parity, not {ideas}"


def test_goals(chapter):
    text = "".join(part[1] for part in chapter.below("Before you start"))
    assert "You will be able to" in text


def test_questions(chapter):
    text = "".join(part[1] for part in chapter.below("Check yourself"))
    assert text.count("<details>") >= 3, "3 questions with folded answers"


def test_exercises(chapter):
    parts = chapter.below("Exercises")[1:]
    assert len(parts) >= 3, f"{len(parts)} exercises (H3), not 3 or more"
    seen = set()
    for heading, prose, code in parts:
        found = re.fullmatch(EXERCISE.format(chapter.number), heading)
        assert found, (
            f"{heading!r} is not '### E{chapter.number}.1 Title (core, 10 "
            "min)' with warm-up, core or stretch"
        )
        label = found[1]
        assert label not in seen, f"{label} twice"
        seen.add(label)
        assert f'check("{label}"' in code, f'no check("{label}", ...)'
        hints = len(re.findall(r"<details>\s*<summary>Hint", prose))
        assert hints == 2, f"{label}: {hints} folded hints, not 2"
        solution = r"<details>\s*<summary>Solution</summary>\s*```python\n"
        found = len(re.findall(solution, prose))
        assert found == 1, f"{label}: {found} folded solutions, not 1"


def test_take_away(chapter):
    parts = chapter.below("Take this with you")
    cells = [c for c in chapter.code if "take-away" in tags(c)]
    assert len(cells) == 1, f"{len(cells)} cells tagged take-away, not 1"
    assert [part[2].strip() for part in parts] == [cells[0].source], (
        "that cell is the only one below '## Take this with you'"
    )


def test_code_fits(chapter):
    for cell in chapter.code:
        lines = cell.source.split("\n")
        wide = [line for line in lines if len(line) > 79]
        assert not wide, f"over 79 columns in {name(cell)}: {wide[0]!r}"
        long = len(lines) > 25 and "figure" not in tags(cell)
        assert not long, f"{len(lines)} lines, not 25, in {name(cell)}"


def test_alt_text(chapter):
    for cell in chapter.code:
        if "plt." in cell.source or "figure" in tags(cell):
            image = cell.metadata.get("mystnb", {}).get("image", {})
            alt = image.get("alt", "")
            assert len(alt) >= 20, (
                f"no metadata mystnb.image.alt of 20 characters: {name(cell)}"
            )


def test_plain_markdown(chapter):
    """Colab shows directives and roles raw."""
    for cell in chapter.markdown:
        text = FENCE.sub(
            lambda found: found[0].split("\n")[0], cell.source
        )  # only the opening line: what is inside is not Markdown
        found = re.search(r"^```+\{|^:::|\{[a-z][\w:-]*\}`", text, re.M)
        assert not found, f"MyST syntax {found and found[0]!r}: {name(cell)}"


def test_stamp_comes_last(chapter):
    assert "stamp(" in chapter.code[-1].source, (
        f"the last code cell calls stamp(), not {name(chapter.code[-1])}"
    )


def test_no_widgets(chapter):
    """Saved widgets are blank on the static page."""
    for cell in chapter.code:
        found = re.search(r"ipywidgets|tqdm\.(auto|notebook)", cell.source)
        assert not found, f"{found and found[0]} in {name(cell)}"
