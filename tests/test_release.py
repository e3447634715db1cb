"""What `make release` packs: the same bytes each time, and a whole wheel."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
import release  # noqa: E402

WHEN = 1_700_000_000


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=-", "-c", "user.email=-", *words],
                   cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   capture_output=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The tracked files as they are now, committed somewhere else."""
    folder = tmp_path_factory.mktemp("tree")
    names = subprocess.run(["git", "ls-files", "gmps_lite"], cwd=ROOT,
                           check=True, capture_output=True, text=True).stdout
    for name in [*names.split(), "pyproject.toml", "README.md", "LICENSE"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")
    return folder


def test_pack_is_reproducible(tmp_path):
    one = {"b/2.txt": b"two" * 100, "a/1.txt": b"one"}
    release.pack(one, tmp_path / "1.zip", WHEN)
    os.environ["TZ"] = "Asia/Tokyo"
    try:
        other = dict(reversed(one.items()))
        release.pack(other, tmp_path / "2.zip", WHEN)
    finally:
        del os.environ["TZ"]
    first = (tmp_path / "1.zip").read_bytes()
    assert first == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["a/1.txt", "b/2.txt"]
        assert packed.infolist()[0].date_time == (2023, 11, 14, 22, 13, 20)


def test_wheel(tree, tmp_path):
    """Built twice it is the same; installed alone it is complete."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(release.wheel(tree, tmp_path / name, WHEN))
    assert made[0].read_bytes() == made[1].read_bytes()
    names = list((tree / "gmps_lite").rglob("*.safetensors"))
    assert release.installs(made[0], tree, tmp_path) > len(names) > 10
    names[0].write_bytes(b"other")
    with pytest.raises(release.Problem, match=names[0].name):
        release.installs(made[0], tree, tmp_path)


@pytest.mark.parametrize("mode, edited, fast, word", [
    ("full", False, False, ""), ("fast", False, True, ""),
    ("fast", False, False, "no full run"),
    ("full", True, True, "no full or fast run")])
def test_notebooks(tmp_path, monkeypatch, mode, edited, fast, word):
    """Only runs of the committed notebooks, and without papermill's clock."""
    master, stage = tmp_path / "ch00.ipynb", tmp_path / "stage"
    stage.mkdir()
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    master.write_text(nbformat.writes(nb))
    nb.metadata["papermill"] = nb.cells[0].metadata["papermill"] = {
        "start_time": "2026-01-01"}
    nb.cells[0].outputs = [nbformat.v4.new_output("stream", text="one")]
    (stage / "ch00.ipynb").write_text(nbformat.writes(nb))
    sha = release.digest(master)
    if edited:
        master.write_text(master.read_text().replace("1", "2"))
    monkeypatch.setattr(release, "chapters", lambda: [master])
    monkeypatch.setattr(release, "STAGE", stage)
    monkeypatch.setattr(release, "read_record", lambda: {
        "notebooks": {"ch00": {"mode": mode, "source": sha}}})
    if word:
        with pytest.raises(release.Problem, match=word):
            release.executed(fast)
        return
    (text,) = release.executed(fast).values()
    assert b"one" in text and b"papermill" not in text
    assert json.loads(text)["cells"][0]["source"]
