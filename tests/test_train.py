"""Runs: resumed, interrupted, damaged, refused."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import save_file as raw_save

from gmps_lite import gmps
from gmps_lite.checkpoint import load_file, pack, save_file, write
from gmps_lite.columns import best_rows
from gmps_lite.log import Log
from gmps_lite.results import gather, results, slim
from gmps_lite.train import config, restore, train

TINY = {"iterations": 4, "episodes": 3, "outer_steps": 2, "hidden": (8,),
        "inner_samples": 20, "bc_samples": 10, "dagger_episodes": 2}


def tiny(method="gmps", **changes):
    base = TINY if method == "gmps" else {
        "iterations": 4, "episodes": 3, "hidden": (8,)}
    return config(method, "point", **(base | changes))


def numbers(run):
    return [{k: v for k, v in row.items() if k != "seconds"}
            for row in run.rows]


class Stop(Exception):
    pass


@pytest.mark.parametrize("method", ["gmps", "maml"])
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_resumed_run_equals_one_that_never_stopped(
        tmp_path, monkeypatch, method, error):
    cfg = tiny(method)
    whole = train(method, "point", cfg, folder=tmp_path / "a",
                  eval_every=2, progress=False)
    module, calls = whole.method, []
    real = module.update

    def update(*args):
        calls.append(1)
        if len(calls) == 3:
            raise error
        return real(*args)
    monkeypatch.setattr(module, "update", update)
    with pytest.raises(error):
        train(method, "point", cfg, folder=tmp_path / "b", eval_every=2,
              progress=False)
    parts = train(method, "point", cfg, folder=tmp_path / "b",
                  eval_every=2, progress=False)
    assert len(calls) == 3 + 2  # two were kept, one was lost, two more ran
    assert numbers(parts) == numbers(whole)
    a, _ = load_file(tmp_path / "a" / "last.safetensors")
    b, _ = load_file(tmp_path / "b" / "last.safetensors")
    assert a.keys() == b.keys()
    for k in a:
        assert torch.equal(a[k], b[k]), k
    for k, v in pack(whole.state.learner.meta).items():
        assert torch.equal(v, pack(parts.state.learner.meta)[k]), k


def test_a_finished_run_runs_nothing_again(tmp_path, monkeypatch):
    one = train("gmps", "point", tiny(), folder=tmp_path, progress=False)
    monkeypatch.setattr(gmps, "update", None)
    two = train("gmps", "point", tiny(), folder=tmp_path, progress=False)
    assert numbers(one) == numbers(two)


def test_kill_loses_at_most_one_iteration(tmp_path):
    """kill -9 in the middle; the folder stays readable and goes on."""
    args = [sys.executable, "-m", "gmps_lite.cli", "train", "gmps",
            "--env", "point", "--folder", str(tmp_path / "r"),
            "--iterations", "60", "--episodes", "3", "--outer-steps", "2",
            "--eval-every", "0"]
    child = subprocess.Popen(args, stderr=subprocess.DEVNULL)
    last = tmp_path / "r" / "last.safetensors"
    deadline = time.time() + 60
    while not last.exists() and time.time() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = load_file(last)[1]["iteration"]
    cfg = config("gmps", "point", iterations=60, episodes=3, outer_steps=2)
    result = train("gmps", "point", cfg, folder=tmp_path / "r",
                   progress=False)
    assert done >= 1 and [r["iteration"] for r in result.rows] == list(
        range(60))


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM])
def test_stopping_politely_says_how_to_go_on(tmp_path, kill):
    args = [sys.executable, "-m", "gmps_lite.cli", "train", "gmps",
            "--env", "point", "--folder", str(tmp_path / "r"),
            "--iterations", "5000", "--episodes", "3", "--outer-steps", "2",
            "--eval-every", "0"]
    child = subprocess.Popen(args, stderr=subprocess.PIPE, text=True)
    last = tmp_path / "r" / "last.safetensors"
    deadline = time.time() + 60
    while not last.exists() and time.time() < deadline:
        time.sleep(0.02)
    child.send_signal(kill)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "goes on from" in err and "Traceback" not in err
    assert not list((tmp_path / "r").glob(".*")), "half-written files left"


@pytest.mark.filterwarnings("ignore")
def test_non_finite_numbers_stop_the_run(tmp_path, monkeypatch):
    real, calls = gmps.update, []

    def update(state, *rest):
        state, metrics = real(state, *rest)
        calls.append(1)
        if len(calls) == 2:
            with torch.no_grad():
                state.learner.meta.params["W0"][0, 0] = np.nan
        return state, metrics
    monkeypatch.setattr(gmps, "update", update)
    with pytest.raises(FloatingPointError, match="iteration 1.*last.safe"):
        train("gmps", "point", tiny(), folder=tmp_path, progress=False)
    run = restore(tmp_path / "last.safetensors")
    assert run.header["iteration"] == 1


def test_restore_acts_the_same(tmp_path):
    one = train("gmps", "point", tiny(), folder=tmp_path, progress=False)
    two = restore(tmp_path / "best.safetensors", method="gmps", env="point")
    small = restore(slim(tmp_path / "best.safetensors", tmp_path / "s"))
    assert (tmp_path / "s").stat().st_size < 20_000
    for k, v in pack(one.state.learner.meta).items():
        assert torch.equal(v, pack(two.state.learner.meta)[k])
        assert torch.equal(v, pack(small.state.learner.meta)[k])
    assert "meta.params.log_std" in str(sorted(pack(one.state.learner)))


@pytest.fixture
def saved(tmp_path):
    train("gmps", "point", tiny(iterations=1), folder=tmp_path,
          progress=False)
    return tmp_path / "last.safetensors"


def test_checkpoint_of_another_run_is_refused(saved):
    with pytest.raises(ValueError, match="of method 'gmps', not 'maml'"):
        restore(saved, method="maml")
    with pytest.raises(ValueError, match="of env 'point', not 'push'"):
        restore(saved, env="push")
    with pytest.raises(ValueError, match="another config.*episodes"):
        train("gmps", "point", tiny(iterations=1, episodes=4),
              folder=saved.parent, progress=False)
    with pytest.raises(ValueError, match="seed: 0 there, 1 now"):
        train("gmps", "point", tiny(iterations=1), seed=1,
              folder=saved.parent, progress=False)


@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_truncated_checkpoint_is_refused(saved, cut):
    saved.write_bytes(saved.read_bytes()[:cut])
    with pytest.raises(ValueError, match="truncated, corrupted"):
        restore(saved)


def test_corrupted_header_is_refused(saved):
    data = bytearray(saved.read_bytes())
    data[20:30] = b"\xff" * 10
    saved.write_bytes(data)
    with pytest.raises(ValueError, match="truncated, corrupted"):
        restore(saved)


def test_pickles_and_strangers_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="no safetensors"):
        restore(path)
    raw_save({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="not written by gmps_lite"):
        restore(path)
    with pytest.raises(ValueError, match="no checkpoint at"):
        restore(tmp_path / "nothing")


def test_other_formats_and_shapes_are_refused(saved):
    tensors, header = load_file(saved)
    save_file(saved, tensors, header | {"format": 99})
    with pytest.raises(ValueError, match="has format 99.*reads 1"):
        restore(saved)
    bad = dict(tensors)
    bad["learner.meta.params.W0"] = torch.zeros(3, 3)
    save_file(saved, bad, header)
    with pytest.raises(ValueError, match=r"params.W0.*\(3, 3\)"):
        restore(saved)
    bad.pop("learner.meta.params.W0")
    save_file(saved, bad, header)
    with pytest.raises(ValueError, match="holds no 'learner.meta.params.W0"):
        restore(saved)


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write(path, b"old")

    def fail(*_):
        raise OSError("disk full")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        write(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValueError, match="'gmp'; did you mean 'gmps'"):
        config("gmp", "point")
    with pytest.raises(ValueError, match="did you mean 'episodes'"):
        config("gmps", "point", episode=3)
    with pytest.raises(ValueError, match="did you mean 'point'"):
        train("gmps", "pont", gmps.Config(), progress=False)
    with pytest.raises(ValueError, match="expected one of 'maml'"):
        train("maml", "point", gmps.Config(), progress=False)


@pytest.mark.parametrize("field, value", [
    ("episodes", 0), ("iterations", -1), ("inner_steps", -1), ("lr", 0.0),
    ("gamma", 1.5), ("std", -1.0), ("lr", float("nan"))])
def test_bad_numbers_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        config("gmps", "point", **{field: value})


def test_a_misspelt_keyword_is_a_type_error():
    with pytest.raises(TypeError, match="epsiodes"):
        gmps.Config(epsiodes=3)


def test_log_sums_steps_and_cuts_on_resume(tmp_path):
    log = Log(tmp_path, {"a": 1})
    for i in range(3):
        log.add({"iteration": i, "steps_pre": 10, "steps_expert": 5 * i})
    assert [r["total_steps"] for r in log.rows] == [10, 25, 45]
    again = Log(tmp_path, {"a": 1})
    again.resume(2)
    assert [r["iteration"] for r in again.rows] == [0, 1]
    with pytest.raises(ValueError, match="a: 1 there, 2 now"):
        Log(tmp_path, {"a": 2})


def test_gather_refuses_mixed_runs(tmp_path):
    for seed, episodes in ((0, 3), (1, 3), (2, 4)):
        train("gmps", "point", tiny(iterations=1, episodes=episodes),
              seed=seed, folder=tmp_path / str(seed), progress=False)
    a, b, c = (tmp_path / str(s) for s in range(3))
    out = gather("x", [a, b], tmp_path / "out")
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["seeds"] == [0, 1] and len(record["commit"]) >= 7
    assert len(out.read_text().splitlines()) == 3
    with pytest.raises(ValueError, match="2 has config"):
        gather("x", [a, c], tmp_path / "out")
    with pytest.raises(ValueError, match="repeats seed 0"):
        gather("x", [a, a], tmp_path / "out")
    with pytest.raises(ValueError, match="holds no config.json"):
        gather("x", [tmp_path], tmp_path / "out")


def test_best_rows_looks_at_training_tasks_alone():
    columns = {"seed": np.array([0, 0, 1, 1]),
               "ret_post": np.array([1.0, 2.0, 5.0, 4.0]),
               "test_ret_1": np.array([9.0, 1.0, 2.0, 8.0])}
    assert best_rows(columns)["test_ret_1"].tolist() == [1.0, 2.0]


def test_unknown_results_are_listed():
    with pytest.raises(ValueError, match="no results called 'nothing'"):
        results("nothing")
