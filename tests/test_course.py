"""Coursework: the three editions, graded as a class would be graded.

Two chapters go through the commands `otter assign` and `otter run`; for all
of them the cells of otter's own notebooks run here, against otter's tests.
"""

import ast
import csv
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import nbformat
import numpy as np
import pytest
import torch

from gmps_lite import course
from gmps_lite.course.editions import OTTER, sentences
from gmps_lite.exercises import EXERCISES, exercise, graded, verdict

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
from test_exercises import WRONG  # noqa: E402

import instructors  # noqa: E402

BOOK = ROOT / "book"
ITEMS = {x.name: x for x in instructors.everything()}
NAMES = sorted({f"ch{int(x[1:].split('.')[0]):02d}" for x in ITEMS})
SEED = 2027
each_chapter = pytest.mark.parametrize("name", NAMES)


def of(name):
    """The exercises of a chapter."""
    return [x for x in ITEMS.values() if x.name.startswith(
        f"E{int(name[2:])}.")]


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """All editions of all chapters."""
    folder = tmp_path_factory.mktemp("course") / "out"
    course.build(folder, book=BOOK, seed=SEED, pin="v9.9")
    return folder


@pytest.fixture(scope="module")
def assigned(out, tmp_path_factory):
    """What otter makes of every master, not yet run."""
    from otter.assign import main
    folder = tmp_path_factory.mktemp("assigned")
    for name in NAMES:
        main(str(out / "assignments" / name / f"{name}.ipynb"),
             str(folder / name), no_run_tests=True)
    return folder


# The editions


def test_same_bytes_from_same_masters(out, tmp_path):
    """By the command, in a process with other hashes and without otter."""
    flags = ["--book", str(BOOK), "--only", "ch06", "--seed", str(SEED),
             "--pin", "v9.9"]
    code = ("import sys; sys.modules['otter'] = None\n"
            "from gmps_lite.cli import main\n"
            f"main(['course', 'build', 'again', *{flags}])")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path,
                          capture_output=True, text=True,
                          env=os.environ | {"PYTHONHASHSEED": "7"})
    assert not done.returncode, done.stderr
    assert "1 chapter, 4 exercises, 8 points, seed 2027" in done.stderr
    first, again = files(out), files(tmp_path / "again")
    assert len(again) == 8 and len(first) == 4 * len(NAMES) + 4
    for name in set(again) - {"course.json", "instructor/rubric.md"}:
        assert again[name] == first[name], name


@each_chapter
def test_student_edition_has_no_solutions(out, name):
    master = (BOOK / f"{name}.ipynb").read_text()
    text = (out / "student" / f"{name}.ipynb").read_text()
    cells = read(out / "student" / f"{name}.ipynb").cells
    nbformat.validate(read(out / "student" / f"{name}.ipynb"))
    assert "Solution</summary>" in master
    assert "Solution</summary>" not in text
    assert "Run in Colab" not in text, "a link to the solutions"
    shown = "\n".join(c.source for c in cells)
    whole = "\n".join(c.source for c in read(BOOK / f"{name}.ipynb").cells)
    for x in of(name):
        assert f'check("{x.name}"' in shown and x.stub in shown
        assert all(hint in shown for hint in x.hints)
        for line in filter(None, map(str.strip, x.solution.splitlines())):
            # Gone, but where the chapter has the same line elsewhere.
            assert shown.count(line) < whole.count(line), line
    assert shown.count("<details>") == whole.count("<details>") - len(of(name))
    assert "gmps-lite@v9.9" in cells[2].source + cells[1].source


@each_chapter
def test_instructor_edition_has_rubrics_beside_exercises(out, name):
    cells = read(out / "instructor" / f"{name}.ipynb").cells
    texts = [c.source for c in cells if "rubric" not in c.id]
    master = [re.sub(r"git\+https://[\w./-]+", r"\g<0>@v9.9", c.source)
              for c in read(BOOK / f"{name}.ipynb").cells]
    assert texts == master
    for x in of(name):
        at = next(i for i, c in enumerate(cells)
                  if c.cell_type == "code" and f'check("{x.name}"' in c.source)
        for said in (x.name, x.level, f"{x.minutes} minutes",
                     f"{x.points} point", x.digest):
            assert said in cells[at - 1].source
        assert len(sentences(x.name)) >= 2
        assert all(s in cells[at - 1].source for s in sentences(x.name))


def test_every_line_that_installs_has_the_pin(out):
    for path in (out / "student").iterdir():
        found = re.findall(r"git\+https://[^\s`\"\\]+", path.read_text())
        assert found and all(x.endswith("gmps-lite@v9.9") for x in found)


def test_rubric_has_points_and_sentences(out):
    rubric = (out / "instructor" / "rubric.md").read_text()
    assert "half of the points to an answer that misses only" in rubric
    parts = rubric.split("\n## ")
    for x, part in zip(ITEMS.values(), parts[1:], strict=True):
        head, _, *said = part.strip().splitlines()
        assert head == f"{x.name} {x.title}"
        assert said == [f"{i}. {s}" for i, s in enumerate(
            sentences(x.name), 1)]
    for x in ITEMS.values():
        points = {"warm-up": 1, "core": 2, "stretch": 3}[x.level]
        assert x.points == points
        assert f"| {x.name} | {x.title} | {x.level} | {x.minutes} | " \
            f"{points} | `{x.digest}` |" in rubric


@each_chapter
def test_assignment_is_small_pinned_and_hides_its_numbers(
        out, assigned, name):
    folder = out / "assignments" / name
    assert (folder / "requirements.txt").read_text() == (
        "gmps-lite @ git+https://github.com/gmps-lite/gmps-lite@v9.9\n")
    assert (folder / f"{name}.ipynb").stat().st_size < 60_000
    student = assigned / name / "student"
    assert [p.name for p in student.iterdir()] == [f"{name}.ipynb"]
    text = (student / f"{name}.ipynb").read_text()
    assert str(SEED) not in text and "SOLUTION" not in text
    shown = "\n".join(c.source for c in read(student / f"{name}.ipynb").cells)
    for x in of(name):
        assert x.text in shown and all(hint in shown for hint in x.hints)
        assert x.stub in shown and x.solution not in shown


@each_chapter
def test_assignment_points_to_the_chapter_where_it_means_it(assigned, name):
    """A function or constant of the chapter that an assignment lacks."""
    there, here = set(), run(assigned / name / "student" / f"{name}.ipynb")
    for cell in read(BOOK / f"{name}.ipynb").cells:
        if cell.cell_type == "code":
            for node in ast.parse(cell.source).body:
                names = {getattr(node, "name", "")} | {
                    x.id for y in getattr(node, "targets", ())
                    for x in ast.walk(y) if isinstance(x, ast.Name)
                    and x.id.isupper() and len(x.id) > 1}
                there |= names | {"show", "stamp"}
    for x in of(name):
        text = " ".join("\n".join([x.text, *x.hints]).split())
        for sentence in re.split(r"(?<=[.?!]) |</?\w+>", text):
            for word in re.findall(r"`(\w+)[^`]*`", sentence):
                assert "chapter" in sentence or word not in there or (
                    word in here or word in x.stub), (x.name, word, sentence)
        for word in ("above", "below", "The cell", "Section "):
            assert f" as {word}" not in text and f"{word} then" not in text


# Grading


def run(path):
    """The names that a notebook's cells define, all but otter's own."""
    space: dict = {"__name__": "__main__"}
    for cell in read(path).cells:
        if cell.cell_type == "code" and "grader" not in cell.source:
            exec(cell.source, space)
    return space


def scores(assigned, name, space):
    """Points of each question by otter's tests, the hidden ones too."""
    from otter.test_files.ok_test import OKTestFile
    nb = read(assigned / name / "autograder" / f"{name}.ipynb")
    got = {}
    for question, spec in nb.metadata.otter.tests.items():
        cases = spec.suites[0].cases
        assert [(c.hidden, f"seed={SEED}" in c.code) for c in cases] == [
            (False, False), (True, True)]
        test = OKTestFile.from_metadata(spec, name)
        test.run(dict(space))
        assert test.possible == ITEMS[question].points
        got[question] = test.score
    return got


@each_chapter
def test_solutions_score_full_and_stubs_nothing(assigned, name):
    solved = run(assigned / name / "autograder" / f"{name}.ipynb")
    full = {x.name: x.points for x in of(name)}
    assert scores(assigned, name, solved) == full
    stubs = run(assigned / name / "student" / f"{name}.ipynb")
    assert scores(assigned, name, stubs) == dict.fromkeys(full, 0)


@each_chapter
def test_each_wrong_answer_costs_its_question_alone(assigned, name):
    """All first wrong answers at once, then all second ones, and so on; the
    questions that have run out of wrong answers are solved.
    """
    solved = run(assigned / name / "autograder" / f"{name}.ipynb")
    for i in range(max(len(WRONG[x.name]) for x in of(name))):
        space, want = dict(solved), {}
        for x in of(name):
            wrong = WRONG[x.name][i:i + 1]
            if wrong:
                space[x.variable] = wrong[0]
            want[x.name] = 0 if wrong else x.points
        assert scores(assigned, name, space) == want, i


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_rubrics_have_every_sentence(name):
    said = sentences(name)
    code = ast.parse(dedent(inspect.getsource(EXERCISES[name].checker)))
    for node in ast.walk(code):
        text = node.value.elts[1] if isinstance(node, ast.Yield) and (
            isinstance(node.value, ast.Tuple)) else None
        if isinstance(text, ast.Constant):
            assert text.value in said
        elif isinstance(text, ast.JoinedStr):
            assert any(x.count("{...}") for x in said)
    assert len(said) == len(set(said))


def test_levels(tmp_path):
    course.build(tmp_path, book=BOOK, only=("ch07",), levels=("core",), seed=5)
    master = (tmp_path / "assignments" / "ch07" / "ch07.ipynb").read_text()
    rubric = (tmp_path / "instructor" / "rubric.md").read_text()
    student = (tmp_path / "student" / "ch07.ipynb").read_text()
    for x in of("ch07"):
        assert x.title in student
        assert (f"## {x.name} " in master) == (x.level == "core")
        assert (f"## {x.name} " in rubric) == (x.level == "core")
    assert "| all | | | 36 | 6 | |" in rubric


def first_cells(path):
    """The code cells of a notebook, the one that sets it up in front."""
    cells = [c.source for c in read(path).cells if c.cell_type == "code"]
    assert "grader = " in cells[0]
    return cells


def test_an_assignment_starts_without_otter(assigned, monkeypatch, capsys):
    path = assigned / "ch06" / "student" / "ch06.ipynb"
    cells, calls, there = first_cells(path), [], sys.modules["otter"]

    def install(command, check):
        calls.append(command)
        monkeypatch.setitem(sys.modules, "otter", there)

    monkeypatch.setattr(subprocess, "run", install)
    monkeypatch.setitem(sys.modules, "otter", None)
    monkeypatch.chdir(path.parent)
    exec(cells[0], {})
    pins = (ROOT / "requirements.txt").read_text().split()
    assert calls[0][1:] == ["-m", "pip", "install", "-q", OTTER]
    assert len(calls) == 1 and OTTER in pins
    calls.clear()
    exec(cells[0], {})
    assert not calls


def test_an_assignment_runs_on_colab(assigned, monkeypatch, capsys):
    """There otter refuses a notebook that holds its own tests."""
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    monkeypatch.setitem(sys.modules, "otter", None)
    for kind, said in (("autograder", "correct."),
                       ("student", "not yet. nothing here yet.")):
        space: dict = {}
        for cell in first_cells(assigned / "ch06" / kind / "ch06.ipynb"):
            exec(cell, space)
        out = capsys.readouterr().out
        for x in of("ch06"):
            assert re.search(rf"^{x.name}: .*{said.split()[-1]}", out, re.M)
        assert "File, Download" in out


def test_what_students_are_told(out):
    said = (out / "student" / "README.md").read_text()
    page = instructors.PAGE.read_text()
    told = page.partition("<!-- students -->")[2].partition("<!-- end")[0]
    assert told.strip().replace("@v1.0", "@v9.9") in said
    assert f"pip install {OTTER} jupyterlab" in said


def hand_in(student, path, wrong):
    """A student's notebook with wrong answers to some, solutions to the
    others and one question left as it is.
    """
    nb = read(student)
    for x in map(ITEMS.get, wrong):
        cell = next(c for c in nb.cells if c.source == x.stub)
        cell.source = x.solution if wrong[x.name] is None else (
            f"import sys\nsys.path.insert(0, {str(ROOT / 'tests/wrong')!r})\n"
            f"import {student.stem} as mine\n"
            f"{x.variable} = mine.WRONG['{x.name}'][{wrong[x.name]}]")
    nbformat.write(nb, path)
    return path


def on_the_page(section):
    """The commands of a section of the page for instructors."""
    text = instructors.PAGE.read_text().partition(f"## {section}\n")[2]
    return re.findall(r"```bash\n(.*?)```", text.partition("\n## ")[0], re.S)


@pytest.fixture
def shell(tmp_path):
    """Runs commands where the clone is; pip has nothing left to do."""
    (tmp_path / "book").symlink_to(BOOK)
    (tmp_path / "bin").mkdir()
    python = shlex.quote(sys.executable)
    for name, command in (("pip", "true"), ("python", python),
                          ("gmps", f"{python} -m gmps_lite.cli"),
                          ("otter", f"{python} -m otter")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"

    def run(commands, *flags):
        done = subprocess.run(
            ["bash", *flags, "-c", commands], cwd=tmp_path,
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)})
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr
    return run


def test_a_class_graded_by_the_lines_of_the_page(shell, tmp_path):
    make, grade, table = on_the_page("Grade with otter")
    make, assign, _ = re.split(r"(?=otter assign.*)|\Z", make)
    shell(make, "-e")
    want = {}

    def handed_in(name):
        # It fails unless the solutions get full marks.
        shell(assign.replace("ch06", name))
        one, two, three, *rest = of(name)
        student = tmp_path / "graded" / name / "student" / f"{name}.ipynb"
        folder = tmp_path / "handed-in" / name
        folder.mkdir(parents=True)
        work = hand_in(student, tmp_path / f"{name}.ipynb",
                       {one.name: None, two.name: 1, three.name: None})
        with zipfile.ZipFile(folder / "anna.zip", "w") as archive:
            archive.write(work, work.name)  # otter finds it by its name
        commands = grade.replace("ch06", name)
        if name == "ch06":
            shutil.copy(student, folder / "bo b.ipynb")
            (folder / "abe.ipynb").write_text("no notebook")
        else:  # no cell may raise
            commands = commands.replace("otter run", "otter run --debug")
        shell(commands)
        return {one.name: one.points, two.name: 0, three.name: three.points,
                **{x.name: 0 for x in rest}}

    # One after the other: kernels that start together may choose one port.
    for name in ("ch05", "ch06"):
        want |= handed_in(name)
    shell(table)
    abe, anna, bob = csv.DictReader((tmp_path / "marks.csv").open())
    assert anna == {"student": "anna", "all": str(float(sum(want.values())))
                    } | {k: str(float(v)) for k, v in want.items()}
    assert bob == {"student": "bo b", "all": "0.0"} | {
        k: "0.0" if k.startswith("E6") else "" for k in want}
    assert abe == {"student": "abe", "all": "0"} | dict.fromkeys(want, "")


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_what_check_hands_back_does_not_count(name):
    assert "not yet" in graded(name, EXERCISES[name].answer)


def test_answers_may_print(capsys):
    def steps(n, e, t, k=1):
        print("debugging")
        return (k + 1) * n * e * t
    assert graded("E4.1", steps) == "E4.1: correct."
    assert not capsys.readouterr().out


# Seeds


@pytest.mark.parametrize("seed", [1, SEED])
@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_checks_hold_on_other_numbers(name, seed):
    holds, sentence = verdict(name, EXERCISES[name].answer, seed)
    assert holds, sentence
    for i, answer in enumerate(WRONG[name]):
        assert not verdict(name, answer, seed)[0], f"wrong answer {i} passes"


def numbers(x):
    """All numbers of an argument; functions and objects have none."""
    if isinstance(x, np.random.Generator):
        return str(x.bit_generator.state)
    if isinstance(x, dict):
        return {k: numbers(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [numbers(v) for v in x]
    if isinstance(x, np.ndarray | torch.Tensor):
        return str(torch.as_tensor(x).tolist())  # nan equals itself
    return x if isinstance(x, int | float | str) else ""


def memory(answer, known, learn=False):
    """The answer where it was asked before, nothing else."""
    if isinstance(answer, type):  # a class of an environment
        return type("Memory", (answer,), {
            k: memory(getattr(answer, k), known, learn)
            for k in ("dynamics", "error", "observe")})

    def remember(*args, **more):
        key = str(numbers((args, more)))
        if learn:
            known.add(key)
        return answer(*args, **more) if key in known else None
    return remember


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_an_answer_that_remembers_the_visible_numbers_fails(name):
    """Every exercise draws numbers, and others for each seed."""
    known: set[str] = set()
    answer = EXERCISES[name].answer
    assert verdict(name, memory(answer, known, learn=True))[0]
    assert graded(name, memory(answer, known)) == f"{name}: correct."
    for seed in (1, SEED):
        assert "not yet" in graded(name, memory(answer, known), seed)
    assert graded(name, memory(answer, known)) == f"{name}: correct."


@pytest.mark.parametrize("seed", [0, 1, 2015, 2021, 2024, SEED])
def test_e94_takes_the_books_method_on_any_grid(seed):
    """The rewards of its episodes determine the goal that well."""
    for cell in (0.001, 0.003, 0.004):
        def answer(obs, rew, cell=cell):
            return EXERCISES["E9.4"].answer(obs, rew, cell)
        assert verdict("E9.4", answer, seed)[0], cell


def test_checks_do_not_depend_on_luck():
    """Seeds at which two numbers of a check came too close to tell."""
    assert verdict("E6.1", EXERCISES["E6.1"].answer, 123456)[0]
    assert not verdict("E9.2", WRONG["E9.2"][5], 1935800733)[0]


def test_build_refuses_a_seed_that_suits_no_check(tmp_path, monkeypatch):
    unlucky = EXERCISES["E0.1"]._replace(answer=WRONG["E0.1"][0])
    monkeypatch.setitem(EXERCISES, "E0.1", unlucky)
    with pytest.raises(ValueError, match="seed 3 .*E0.1.*choose another"):
        course.build(tmp_path / "out", book=BOOK, only=("ch00",), seed=3)
    assert not (tmp_path / "out").exists()


# What it refuses


@pytest.fixture
def small(tmp_path):
    """A folder that `build` made."""
    course.build(tmp_path / "out", book=BOOK, only=("ch05",))
    return tmp_path / "out"


def test_it_replaces_its_own_folder_alone(small):
    course.build(small, book=BOOK, only=("ch04",))
    assert sorted(p.name for p in (small / "student").iterdir()) == [
        "README.md", "ch04.ipynb"]
    path = small / "student" / "ch04.ipynb"
    path.write_text(path.read_text() + "\n")
    kept = files(small)
    with pytest.raises(ValueError, match="ch04.ipynb was changed or added"):
        course.build(small, book=BOOK, only=("ch04",))
    assert files(small) == kept
    assert [p.name for p in small.parent.iterdir()] == ["out"]


def test_a_build_that_dies_leaves_the_old_folder(small, monkeypatch):
    kept, write = files(small), course.write

    def full_disk(path, data):
        if path.name == "rubric.md":
            raise OSError("no space left on device")
        write(path, data)

    monkeypatch.setattr(course, "write", full_disk)
    with pytest.raises(OSError, match="no space"):
        course.build(small, book=BOOK, only=("ch04",))
    assert files(small) == kept
    assert [p.name for p in small.parent.iterdir()] == ["out"]


def test_it_refuses_what_it_did_not_make(tmp_path):
    (tmp_path / "mine").mkdir()
    course.build(tmp_path / "mine", book=BOOK, only=("ch05",))  # empty: fine
    (tmp_path / "mine" / "course.json").write_text("{}")
    for where, match in ((BOOK, "in .*book, the folder of the notebooks"),
                         (BOOK / "out", "in .*book, the folder of the note"),
                         (ROOT / "tests", "not made by gmps course build"),
                         (tmp_path / "mine", "not made by gmps course build"),
                         (ROOT / "README.md", "is no folder")):
        kept = where.exists() and where.stat().st_mtime_ns
        with pytest.raises(ValueError, match=match):
            course.build(where, book=BOOK, only=("ch05",))
        assert kept == (where.exists() and where.stat().st_mtime_ns)


def test_it_says_what_changed_and_what_may_be_wrong(small, capsys):
    course.build(small, book=BOOK, only=("ch05",))
    assert capsys.readouterr().err.count("seed 1 is for a try") == 1
    course.build(small, book=BOOK, only=("ch04",), seed=SEED, pin="v9.9",
                 levels=("core",))
    said = capsys.readouterr().err
    for line in ("seed: 1 before, 2027 now", "pin: '' before, 'v9.9' now",
                 "levels: [", "student/ch05.ipynb is gone",
                 "WARNING: the clone with", "knows no tag, branch or commit "
                 "'v9.9'"):
        assert line in said
    assert "for a try" not in said
    course.build(small, book=BOOK, only=("ch04",), seed=SEED, pin="HEAD",
                 levels=("core",))
    said = capsys.readouterr().err
    assert "WARNING" not in said and "gone" not in said
    assert said.count("\n") == 2 and "'v9.9' before, 'HEAD' now" in said


def test_a_clone_ignores_what_the_page_makes():
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"/out/", "/graded/", "/handed-in/", "/results/",
            "/marks.csv"} < set(ignored)


@pytest.mark.parametrize(("flags", "message"), [
    ({"book": Path("/nowhere")}, "/nowhere holds no chapter.*--book"),
    ({"only": ("ch6",)}, "unknown chapter 'ch6'; did you mean 'ch06'"),
    ({"seed": 0}, "seed is 0, must be 1 to 2147483647; 0 draws"),
    ({"seed": 2**31}, "seed is 2147483648, must be 1 to 2147483647"),
    ({"pin": "v1 && x"}, "pin is 'v1 && x', must be a tag"),
    ({"pin": "--upload-pack=x"}, "pin is '--upload-pack=x', must be a tag"),
    ({"levels": ("hard",)}, "unknown level 'hard'"),
])
def test_bad_flags(tmp_path, flags, message):
    with pytest.raises(ValueError, match=message):
        course.build(tmp_path / "out", **{"book": BOOK} | flags)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("old", "new", "message"), [
    ("Solution</summary>", "Answer</summary>", "E5.1 has no solution"),
    ("Hint ", "Remark ", "E5.1 has no hints"),
    ('check(\\"E5.1\\"', 'check(\\"E5.9\\"', "E5.1 has no check of its own"),
    ('source = \\"git+', 'source = \\"hg+', "no cell tagged setup"),
    ('"cells"', '"cell', "ch05.ipynb is no notebook"),
])
def test_bad_notebooks(tmp_path, old, new, message):
    text = (BOOK / "ch05.ipynb").read_text()
    assert old in text
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "ch05.ipynb").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        course.build(tmp_path / "out", book=tmp_path / "book")
    assert not (tmp_path / "out").exists()


# The page for instructors, and permanent names


def test_page_and_list_are_up_to_date(capsys):
    assert instructors.write(check=True) == 0, "python book/build.py sync"
    assert not capsys.readouterr().out, "python book/build.py sync"


def test_names_are_permanent():
    first = instructors.listed(instructors.LIST.read_text())
    missing = set(ITEMS) - set(first)
    assert not missing, f"{missing}: python book/build.py sync"
    said = (ROOT / "CHANGELOG.md").read_text().partition(
        "### Changed exercises")[2]
    assert said, "CHANGELOG.md has no section 'Changed exercises'"
    assert not instructors.unsaid(list(ITEMS.values()), first, said)


def test_a_changed_exercise_must_be_announced():
    items = list(ITEMS.values())[:2]
    first = {x.name: x.digest for x in items}
    one, two = items
    wrapped = one._replace(text=one.text.replace(" ", "\n"), hints=[],
                           solution="pass")
    assert not instructors.unsaid([wrapped, two], first, "")
    other = one._replace(text=one.text.replace("end", "begin"))
    line, = instructors.unsaid([other, two], first, f"- {one.name} (123456)")
    assert f"- {one.name} ({other.digest})" in line
    assert not instructors.unsaid([other, two], first,
                                  f"- {one.name} ({other.digest}): why")
    line, = instructors.unsaid([two], first, "")
    assert f"{one.name} (retired)" in line
    stub = one._replace(stub=one.stub.replace("error", "distance"))
    assert instructors.unsaid([stub, two], first, "")


def test_the_new_task_of_the_page(tmp_path, monkeypatch):
    """What the page tells an instructor to write works as it says."""
    page = instructors.PAGE.read_text()
    text, more = re.findall(r"````markdown\n(.*?)````", page, re.S)
    stub, code = re.findall(r"^```python\n(.*?)```", page.replace(more, ""),
                            re.S | re.M)
    monkeypatch.setattr("gmps_lite.exercises.EXERCISES", dict(EXERCISES))
    from gmps_lite.exercises import ch00
    exec(code, vars(ch00) | {"exercise": exercise})
    old = ITEMS["E0.1"]
    space: dict = {}
    exec(old.solution, space)
    assert "any one of its steps" in graded("E0.5", space["success_rate"])
    nb = read(BOOK / "ch00.ipynb")
    at = next(i for i, c in enumerate(nb.cells)
              if c.source.startswith("## Summary"))
    nb.cells[at:at] = [nbformat.v4.new_markdown_cell(text),
                       nbformat.v4.new_code_cell(stub.strip()),
                       nbformat.v4.new_markdown_cell(more)]
    nbformat.write(nb, tmp_path / "ch00.ipynb")
    made, = [x for x in course.exercises(nb, "ch00") if x.name == "E0.5"]
    assert made.level == "warm-up" and made.variable == "ever_there"
    assert "at any step" in made.text and len(made.hints) == 2
    exec(made.solution, space)
    assert graded("E0.5", space["ever_there"], 9) == "E0.5: correct."

