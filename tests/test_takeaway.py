"""Each chapter's last cell to take along runs alone, as its text promises.

Every cell is run by a fresh interpreter in an empty folder. Its text names
one `pip install`; whatever that does not bring is hidden from the cell.
"""

import ast
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
from sync import chapters  # noqa: E402

BRINGS = {"torch": {"torch"}, "numpy": {"numpy"}, "the package": {
    "gmps_lite", "torch", "numpy", "scipy", "matplotlib", "mujoco"}}
HIDE = "import sys; sys.modules.update(dict.fromkeys({}))\n"
CLOCK = "\nimport time; print(f'{time.process_time()} s of CPU')"
SECONDS = 5  # of CPU, importing torch included: others may share the cores


def take_away(path: Path) -> tuple[str, str]:
    """The text and the code of a chapter's cell to take along."""
    cells = nbformat.read(path, as_version=4).cells
    at = [i for i, cell in enumerate(cells)
          if "take-away" in cell.metadata.get("tags", [])]
    assert len(at) == 1, f"{len(at)} cells tagged take-away, not 1"
    return cells[at[0] - 1].source, cells[at[0]].source


def brought(text: str) -> set[str]:
    """The modules that the text's one `pip install` brings."""
    found = re.search(r"^Needs `pip install ([^`]+)`\.$", text, re.M)
    assert found, f"no line 'Needs `pip install ...`.' in {text!r}"
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    package = "git+" + config["repository"]["url"]
    name = "the package" if found[1] == package else found[1]
    assert name in BRINGS, f"{name!r} is not among {list(BRINGS)}"
    return BRINGS[name]


def alone(path: Path, folder: Path) -> subprocess.CompletedProcess:
    text, code = take_away(path)
    hidden = sorted(BRINGS["the package"] - brought(text))
    return subprocess.run(
        [sys.executable, "-c", HIDE.format(hidden) + code + CLOCK],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=300)


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """The cells of the selected tests, started two at a time."""
    chosen = {item.callspec.params["path"] for item in request.session.items
              if item.name.startswith("test_runs_alone")}
    with ThreadPoolExecutor(2) as pool:
        yield {path: pool.submit(alone, path,
                                 tmp_path_factory.mktemp(path.stem))
               for path in sorted(chosen)}


each = pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)


@each
def test_text(path):
    """What the text says to install is what the cell imports."""
    text, code = take_away(path)
    assert text.startswith("## Take this with you\n"), text
    names = {node.module if isinstance(node, ast.ImportFrom) else alias.name
             for node in ast.walk(ast.parse(code))
             if isinstance(node, ast.Import | ast.ImportFrom)
             for alias in node.names}
    used = {name.split(".")[0] for name in names} - sys.stdlib_module_names
    needs = brought(text)
    assert used <= needs, f"the text installs no {used - needs}"
    main = "gmps_lite" if "gmps_lite" in needs else next(iter(needs))
    assert main in used, f"the text installs {main}, which is not used"


@each
def test_size(path):
    code = take_away(path)[1]
    lines = code.count("\n") + 1
    assert 10 <= lines <= 25, f"{lines} lines, not 10 to 25"
    last = ast.parse(code).body[-1]
    assert isinstance(last, ast.Assert), "it ends by asserting that it works"
    assert "print(" in code, "it prints what came out"


@each
def test_runs_alone(path, runs):
    done = runs[path].result()
    assert not done.returncode, done.stderr[-2000:]
    *shown, clock = done.stdout.splitlines()
    assert shown, "it prints nothing"
    used = float(clock.split()[0])
    assert used < SECONDS, f"{used:.1f} s of CPU, not {SECONDS}"
