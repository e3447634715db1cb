"""Many runs: skipped, resumed, refused, locked, stopped; what they say."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from gmps_lite import cli, columns, log, results, score, sweep
from gmps_lite.log import read_rows
from gmps_lite.train import config, train

TINY = {"iterations": 2, "episodes": 3, "outer_steps": 2, "hidden": (8,),
        "inner_samples": 20, "bc_samples": 10, "dagger_episodes": 2}
SETS = [f"{k}={v if isinstance(v, int) else '8'}" for k, v in TINY.items()]


def call(tmp_path, *more, seeds="0", methods=("gmps",)):
    return ["sweep", "--methods", *methods, "--envs", "point", "--seeds",
            *seeds, "--folder", str(tmp_path / "runs"), "--out",
            str(tmp_path / "out"), "--eval-steps", "1", "--set", *SETS,
            *more]


def ready(tmp_path, seed, **changes):
    """A run as the sweep would make it, without a process of its own."""
    return train("gmps", "point", config("gmps", "point", **TINY | changes),
                 seed=seed, folder=tmp_path / "runs" / f"point-gmps-s{seed}",
                 eval_every=1, eval_steps=1, progress=False)


def test_sweep_skips_what_is_finished_and_makes_the_rest(tmp_path, capsys):
    ready(tmp_path, 0)
    before = (tmp_path / "runs/point-gmps-s0/metrics.csv").stat().st_mtime_ns
    cli.main(call(tmp_path, "--jobs", "2", seeds="012"))
    err = capsys.readouterr().err
    assert "3 runs, 1 finished before" in err
    assert "point-gmps-s1  ok" in err and "point-gmps-s0  ok" not in err
    after = (tmp_path / "runs/point-gmps-s0/metrics.csv").stat().st_mtime_ns
    assert before == after
    rows = read_rows(tmp_path / "out" / "point-gmps.csv")
    assert [(r["seed"], r["iteration"]) for r in rows] == [
        (s, i) for s in range(3) for i in range(2)]
    record = json.loads((tmp_path / "out/point-gmps.json").read_text())
    assert record["seeds"] == [0, 1, 2]
    assert "cores" in record["hardware"] and record["commit"]
    assert record["expert"]["test"]["ret"] > -5
    mine = json.loads((tmp_path / "runs/point-gmps-s1/provenance.json")
                      .read_text())["starts"]
    command = mine[0]["command"]
    assert len(mine) == 1 and command.startswith(
        "gmps train gmps --env point --seed 1 --iterations 2")
    assert str(tmp_path) not in command  # where it lay is nobody's concern


def test_unfinished_runs_go_on(tmp_path, monkeypatch):
    """A run that was stopped after one of its iterations."""
    from gmps_lite import gmps
    real, calls = gmps.update, []

    def update(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)
    monkeypatch.setattr(gmps, "update", update)
    with pytest.raises(KeyboardInterrupt):
        ready(tmp_path, 0)
    cli.main(call(tmp_path))
    folder = tmp_path / "runs" / "point-gmps-s0"
    assert "resuming" in (folder / "log.txt").read_text()
    starts = json.loads((folder / "provenance.json").read_text())["starts"]
    assert [s["row"] for s in starts] == [0, 1]
    monkeypatch.setattr(gmps, "update", real)
    whole = train("gmps", "point", config("gmps", "point", **TINY),
                  eval_every=1, eval_steps=1, progress=False)
    found = read_rows(tmp_path / "out" / "point-gmps.csv")
    assert [r["ret_post"] for r in found] == pytest.approx(
        [r["ret_post"] for r in whole.rows], rel=1e-5)


def test_results_of_another_config_are_refused(tmp_path):
    ready(tmp_path, 0)
    cli.main(call(tmp_path))
    files = {p: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    with pytest.raises(SystemExit, match=(
            "point-gmps.json holds results of another config .lr: 0.002 "
            "there, 0.01 now")):
        cli.main(call(tmp_path, "lr=0.01"))
    ready(tmp_path / "b", 0, lr=0.01)
    with pytest.raises(ValueError, match="lr: 0.002 there"):
        results.gather("point-gmps", [tmp_path / "b/runs/point-gmps-s0"],
                       tmp_path / "out")
    assert files == {p: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    with pytest.raises(SystemExit, match="point-gmps-s0 holds a run of ano"):
        cli.main(call(tmp_path, "lr=0.01", "--out", str(tmp_path / "new")))


def test_other_seeds_are_kept(tmp_path):
    for seed in (0, 1):
        ready(tmp_path, seed)
    cli.main(call(tmp_path, seeds="1"))
    cli.main(call(tmp_path, seeds="0"))
    rows = read_rows(tmp_path / "out" / "point-gmps.csv")
    assert [r["seed"] for r in rows] == [0, 0, 1, 1]
    record = json.loads((tmp_path / "out/point-gmps.json").read_text())
    assert record["seeds"] == [0, 1]


def keep_one(out, seed):
    record = {"method": "m", "env": "e", "config": {}, "seeds": [seed],
              "commit": "c", "hardware": "h", "versions": {}}
    results.store("x", [{"seed": seed, "seconds": 1.0}], record, out)


def test_two_that_write_one_file_at_once_lose_nothing(tmp_path):
    many = [threading.Thread(target=keep_one, args=(tmp_path, s))
            for s in range(6)]
    with log.alone(tmp_path):  # all of them wait here
        for thread in many:
            thread.start()
        time.sleep(0.5)
        assert not (tmp_path / "x.csv").exists()
    for thread in many:
        thread.join(30)
    assert [r["seed"] for r in read_rows(tmp_path / "x.csv")] == [*range(6)]
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["seeds"] == [*range(6)] and record["minutes"] == 0.1


def test_a_failed_run_is_named_and_stops_no_other(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "point-gmps-s0").mkdir()
    bad = tmp_path / "runs" / "point-gmps-s0" / "last.safetensors"
    bad.write_bytes(b"no checkpoint")
    with pytest.raises(SystemExit, match="1 of 2 runs failed"):
        cli.main(call(tmp_path, "--jobs", "2", seeds="01"))
    err = capsys.readouterr().err
    assert "point-gmps-s0  FAILED (1)" in err and "truncated, corrup" in err
    assert "point-gmps-s1  ok" in err
    assert "point-gmps is not gathered, without point-gmps-s0" in err
    assert not (tmp_path / "out").exists()


def test_stopping_ends_the_children(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-m", "gmps_lite.cli",
         *call(tmp_path, "iterations=5000", "--jobs", "2", seeds="01")],
        stderr=subprocess.PIPE, text=True)
    last = [tmp_path / "runs" / f"point-gmps-s{s}" / "last.safetensors"
            for s in (0, 1)]
    deadline = time.time() + 300  # on a busy machine
    while not all(p.exists() for p in last) and time.time() < deadline:
        time.sleep(0.05)
    children = subprocess.run(["pgrep", "-P", str(parent.pid)], check=False,
                              capture_output=True, text=True).stdout.split()
    assert len(children) == 2
    parent.send_signal(signal.SIGINT)
    _, err = parent.communicate(timeout=120)
    assert parent.returncode == 130 and "Traceback" not in err
    assert "the same call goes on" in err
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), 0)
    for path in last:
        assert "goes on from" in (path.parent / "log.txt").read_text()


@pytest.mark.parametrize("more, match", [
    (["episode=3"], "did you mean 'episodes'"),
    (["lr=fast"], "'lr=fast': lr must be of type float, as in lr=0.002"),
    (["dagger=no"], "dagger must be of type bool"),
    (["lr"], "'lr': lr must be"), (["lr=-1"], "lr is -1.0"),
    (["--jobs", "0"], "jobs is 0"), (["--seeds", "-1"], "seed is -1"),
    (["--methods", "gmp"], "did you mean 'gmps'"),
    (["--envs", "--tag", "x"], "nothing to do"),
    (["--methods", "gmps", "maml", "--tag", "x"], "sweep one method"),
])
def test_bad_sweeps_are_refused(tmp_path, more, match):
    with pytest.raises(SystemExit, match=match):
        cli.main(call(tmp_path, *more))
    assert not list(tmp_path.iterdir())


def test_a_tag_names_a_changed_method(tmp_path):
    """What is said as FIELD=VALUE is what the run is told by flags."""
    jobs = sweep.plan(["gmps"], ["push"], [0], [
        "inner_steps=0", "dagger=false", "hidden=8,9", "loss=nll"], "blind",
        tmp_path, [])
    assert jobs[0].name == "push-blind" and jobs[0].about["config"][
        "hidden"] == [8, 9]
    assert jobs[0].folder == tmp_path / "push-blind-s0"
    assert jobs[0].flags == ["--inner-steps", "0", "--no-dagger", "--hidden",
                             "8", "9", "--loss", "nll"]


COLUMNS = {
    "seed": np.array([0, 0, 0, 1, 1, 1]),
    "ret_post": np.array([1.0, 2, 3, 1, 2, 3]),
    "steps_expert": np.array([100.0, 0, 0, 100, 0, 0]),
    "total_steps": np.array([110.0, 120, 130, 110, 120, 130]),
    "test_ret_0": np.array([0.0, np.nan, 2, 0, 1, 1]),
    "test_ret_1": np.array([0.0, np.nan, 8, 6, 9, 5])}


def test_ledger_and_steps_to():
    assert columns.ledger(COLUMNS).tolist() == [[110, 120, 130]] * 2
    assert columns.ledger(COLUMNS, experts=False).tolist() == [
        [10, 20, 30]] * 2
    assert columns.steps_to(COLUMNS, "test_ret_1", 6).tolist() == [130, 110]
    assert columns.steps_to(COLUMNS, "test_ret_1", 8.5, experts=False
                          ).tolist() == [np.inf, 20]


def test_score_is_0_for_the_blind_and_1_for_the_expert(monkeypatch):
    stored = {"e-blind": COLUMNS | {"test_ret_0": np.array(
        [0.0, 0, 4, 0, 0, 2])}, "e-gmps": COLUMNS, "e-slow": COLUMNS}
    monkeypatch.setattr(score, "results", lambda name: (stored[name], {
        "env": "e", "expert": {"test": {"ret": 13.0}}}))
    assert score.anchors("e") == (3.0, 13.0)
    found = score.scored("e-gmps")
    assert found["score_1"][2:] == pytest.approx([0.5, 0.3, 0.6, 0.2])
    assert found["score"][5] == pytest.approx(0.2)
    # final: mean of 0.5 and 0.2; 0.9 of it is 0.315
    steps, budget = score.samples("e", "slow")
    assert steps.tolist() == [130, 120] and budget == 130
    with pytest.raises(ValueError, match="no more than the goal-blind"):
        score.score(1.0, 5.0, 5.0)


def test_measure_stores_every_task_and_step(tmp_path):
    paths = []
    for seed in (0, 1):
        ready(tmp_path, seed)
        paths.append(str(tmp_path / f"runs/point-gmps-s{seed}"
                         / "best.safetensors"))
    args = ["measure", "far", *paths, "--steps", "2", "--episodes", "2",
            "--out", str(tmp_path / "out"), "--splits"]
    cli.main([*args, "extrapolation"])
    rows = read_rows(tmp_path / "out" / "far.csv")
    assert len(rows) == 2 * 20 * 3
    table = {k: np.array([r[k] for r in rows]) for k in rows[0]}
    assert table["angle"].min() > 90 and table["k"].max() == 2
    seeds, means = columns.after(table, "ret", 2)
    assert seeds.tolist() == [0, 1] and means[0] == pytest.approx(np.mean(
        [r["ret"] for r in rows if r["seed"] == 0 and r["k"] == 2]))
    x, values = columns.after(table, "error", 0, by="angle")
    assert len(x) == 20 and values.shape == (2, 20)
    with pytest.raises(ValueError, match="measured were 0 to 2"):
        columns.after(table, "ret", 3)
    with pytest.raises(SystemExit, match="names: .'extrapolation'.*now"):
        cli.main([*args, "test"])
    with pytest.raises(SystemExit, match="a seed is there twice"):
        cli.main(["measure", "far", paths[0], paths[0]])
    with pytest.raises(SystemExit, match="tasks_of is 'push'"):
        cli.main(["measure", "far", paths[0], "--tasks-of", "push"])
