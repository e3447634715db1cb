"""Every exercise: its solution holds, its stub and planted wrong answers
do not, and no message gives the solution away.
"""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from gmps_lite.exercises import EXERCISES, check, verdict

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
import nbformat  # noqa: E402

from sync import chapters  # noqa: E402

CALL = re.compile(r'(\w+) = check\("(E\d+\.\d+)", (\w+)\)')
BLOCK = re.compile(r"<summary>Solution</summary>.*?```python\n(.*?)```", re.S)


class Found:
    """One exercise as its notebook shows it."""

    def __init__(self, cells, name, variable, stub, solution):
        self.name, self.variable = name, variable
        self.stub, self.solution = stub, solution
        self.imports = "\n".join(
            ast.unparse(node) for c in cells if c.cell_type == "code"
            for node in ast.walk(ast.parse(c.source))
            if isinstance(node, ast.Import | ast.ImportFrom))

    def run(self, source):
        space: dict = {}
        exec(self.imports, space)
        exec(source, space)
        return space[self.variable]


def find():
    for path in chapters():
        if not path.exists():
            continue
        cells = nbformat.read(path, 4).cells
        solutions = [m.group(1) for c in cells if c.cell_type == "markdown"
                     for m in BLOCK.finditer(c.source)]
        calls = [(c, CALL.search(c.source)) for c in cells
                 if c.cell_type == "code" and CALL.search(c.source)]
        for i, (cell, m) in enumerate(calls):
            stub = cell.source[:m.start()]
            yield Found(cells, m.group(2), m.group(1), stub,
                        solutions[i] if i < len(solutions) else "")


FOUND = {f.name: f for f in find()}


def wrong_answers():
    table = {}
    for path in sorted((ROOT / "tests" / "wrong").glob("ch*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        table |= module.WRONG
    return table


WRONG = wrong_answers()
each = pytest.mark.parametrize("name", sorted(EXERCISES))


def test_book_and_package_list_the_same_exercises():
    assert len(FOUND) >= 21 and set(FOUND) == set(EXERCISES) == set(WRONG)


@each
def test_solution_is_accepted(name):
    found = FOUND[name]
    holds, sentence = verdict(name, found.run(found.solution))
    assert holds, sentence


@each
def test_untouched_stub_says_so_and_the_notebook_goes_on(name, capsys):
    found = FOUND[name]
    answer = found.run(found.stub)
    back = check(name, answer)
    assert "nothing here yet" in capsys.readouterr().out
    assert back is EXERCISES[name].answer and back is not answer
    assert verdict(name, back)[0], "what check hands back does not hold"


@each
def test_planted_wrong_answers_are_rejected(name):
    assert len(WRONG[name]) >= 3
    for i, answer in enumerate(WRONG[name]):
        holds, sentence = verdict(name, answer)
        assert not holds, f"{name}: wrong answer {i} passes"
        assert len(sentence) > 30, sentence
        assert "raised" not in sentence, f"wrong answer {i}: {sentence}"


@each
def test_messages_reveal_nothing(name):
    code = [line.strip() for line in FOUND[name].solution.splitlines()]
    code = [line.removeprefix("return ") for line in code
            if len(line) > 12 and not line.startswith(("def ", "import "))]
    for answer in WRONG[name]:
        sentence = verdict(name, answer)[1]
        assert not any(line in sentence for line in code), sentence


def test_check_survives_anything(capsys):
    for answer in (None, ..., 3, "x", [], lambda: 1, lambda *a: 1 / 0):
        name = sorted(EXERCISES)[0]
        assert check(name, answer) is not None
        assert name in capsys.readouterr().out
    with pytest.raises(ValueError, match="unknown exercise 'E99.9'"):
        check("E99.9", 1)
